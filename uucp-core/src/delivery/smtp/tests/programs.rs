//! A program in the place of a server.

use super::*;
use crate::runnable::write_program;

/// A program that says `script`, a shell script, where a real one would speak SMTP.
fn program(folder: &std::path::Path, script: &str) -> Peer {
    let command = folder.join("sendmail");
    let text = format!("#!/bin/sh\n[ \"$*\" = -bs ] || exit 64\n{script}");
    write_program(&command, text);
    Peer::Program {
        command,
        flavour: Flavour::Postfix,
    }
}

/// A shell's SMTP server: it says yes, and keeps what it hears in `heard`.
const SHELL_SERVER: &str = r#"
say() { printf '%s\r\n' "$1"; }
exec 3>"$(dirname "$0")/heard"
hear() { IFS= read -r line || exit 1; printf '%s\n' "$line" >&3; }
say '220 x ESMTP Postfix'
hear; say '250-x'; say '250-PIPELINING'; say '250 SIZE 0'
while hear; do
    case $line in
        QUIT*) say '221 bye'; exit 0 ;;
        DATA*) say '354 go'
            while hear; do case $line in .?) break ;; esac; done
            say '250 queued' ;;
        *) say '250 ok' ;;
    esac
done
"#;

#[test]
fn a_program_is_talked_to_like_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut smtp = Smtp::new(settings(program(folder.path(), SHELL_SERVER)));
    let large = b"123456789 123456789\n".repeat(4000);
    assert_eq!(offer(&mut smtp, &["a@x"], &large), ["delivered"]);
    assert_eq!(offer(&mut smtp, &["b@x"], b".\n"), ["delivered"]);
    // It is waited for, so what it heard is complete.
    drop(smtp);
    let heard = std::fs::read_to_string(folder.path().join("heard")).unwrap();
    let ends = "MAIL FROM:<bob@far.example>\r\nRCPT TO:<b@x>\r\nDATA\r\n..\r\n.\r\nQUIT\r\n";
    assert!(heard.ends_with(ends), "{}", heard.escape_debug());
    assert!(!heard.contains("SIZE"));
}

#[test]
fn a_program_that_dies_says_why() {
    for (script, expected) in [
        (
            "echo 'sendmail: fatal: no such user' >&2; exit 75\n",
            "deferred 4.4.1 the server hung up: sendmail: fatal: no such user",
        ),
        (
            "printf '220 x\\r\\n'; read a; printf '250 x\\r\\n'; read b; kill -9 $$\n",
            "deferred 4.4.2 the server hung up",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut smtp = Smtp::new(settings(program(folder.path(), script)));
        assert_eq!(offer(&mut smtp, &["a@x"], b"x\n"), [expected]);
    }
}

#[test]
fn a_program_that_hangs_is_killed_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let mut smtp = Smtp::new(Client {
        limit: Duration::from_millis(50),
        ..settings(program(folder.path(), "sleep 1000 & wait\n"))
    });
    let outcome = offer(&mut smtp, &["a@x"], b"x\n").remove(0);
    assert!(
        outcome.starts_with("deferred 4.4.1 the server has not answered"),
        "{outcome}"
    );
}
