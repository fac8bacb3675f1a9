//! Calls over TLS: who shows which key to whom, and what strangers come to.

mod authority;
mod strangers;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use crate::lab::{Lab, Node, UUCICO, accept, script, text};

/// What `uucico --certificate` prints.
fn certificate(node: &Node) -> String {
    let output = node.uucico(&["--certificate"]);
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// The fingerprint in it.
fn fingerprint(node: &Node) -> String {
    let printed = certificate(node);
    printed.split('"').nth(1).unwrap().to_owned()
}

/// Two nodes that have told each other their keys.
fn friends(sys: &str) -> Lab {
    let lab = Lab::new(sys);
    let port = lab.listener.local_addr().unwrap().port();
    for node in [&lab.alpha, &lab.beta] {
        node.write(
            "etc/port",
            &format!("port out\ntype tls\nservice {port}\n\nport in\ntype tls\n"),
        );
    }
    lab.alpha.write("etc/mail.toml", &certificate(&lab.beta));
    lab.beta.write("etc/mail.toml", &certificate(&lab.alpha));
    lab
}

/// A call of alpha, answered as inetd does.
fn call(lab: &Lab) -> (Output, bool) {
    lab.call_answered(&["-l", "-p", "in"])
}

/// Such a call, and both sides are content.
fn assert_succeeds(lab: &Lab) {
    let (output, answered) = call(lab);
    assert!(
        output.status.success() && answered,
        "{}\n{}",
        text(&output),
        lab.beta.log()
    );
}

/// Such a call, and neither is; what the caller says.
fn assert_fails(lab: &Lab) -> String {
    let (output, answered) = call(lab);
    assert!(!output.status.success() && !answered);
    text(&output)
}

/// The last line of an error in the log that has this word.
fn complaint(node: &Node, word: &str) -> String {
    let log = node.log();
    let found = log
        .lines()
        .rev()
        .find(|line| line.contains("ERROR: ") && line.contains(word));
    found
        .unwrap_or_else(|| panic!("no line with {word} in:\n{log}"))
        .to_owned()
}

#[test]
fn a_call_goes_both_ways_after_key_and_password() {
    let lab = friends("");
    lab.alpha.queue("beta", "joe", b"there");
    lab.beta.queue("alpha", "ann", b"back");
    assert_succeeds(&lab);
    assert_eq!(lab.beta.arrived("alpha"), [b"there"]);
    assert_eq!(lab.alpha.arrived("beta"), [b"back"]);
    let log = lab.beta.log();
    assert!(
        log.contains("Incoming call (login Ualpha port in)"),
        "{log}"
    );
    // The key alone is not enough.
    lab.alpha.write("etc/call", "beta Ualpha wrong\n");
    lab.alpha.queue("beta", "joe", b"more");
    assert_fails(&lab);
    complaint(&lab.beta, "Bad login for Ualpha");
    assert_eq!(lab.alpha.queued("beta"), 1);
}

#[test]
fn what_is_printed_is_what_neighbours_paste_and_the_key_is_ours_alone() {
    let lab = friends("");
    let printed = certificate(&lab.alpha);
    assert!(printed.starts_with("# The key of alpha ("), "{printed}");
    assert!(printed.contains("\n[neighbour.alpha.tls]\npins = [\"sha256:"));
    assert_eq!(certificate(&lab.alpha), printed);
    let key = lab.alpha.root.join("etc/tls.key");
    let mode = fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    lab.alpha.append(
        "etc/port",
        "\nport new\ntype tls\ncertificate new.crt\nkey new.key\nport t\ntype tcp\n",
    );
    let other = lab.alpha.uucico(&["--certificate", "-p", "new"]);
    assert!(other.status.success() && lab.alpha.root.join("etc/new.key").exists());
    assert_ne!(text(&other), printed);
    let output = lab.alpha.uucico(&["--certificate", "-p", "t"]);
    assert!(text(&output).contains("port t is not of type tls"));
}

#[test]
fn the_key_alone_is_enough_where_that_is_said_and_it_is_one_systems() {
    let lab = friends("");
    lab.beta.append("etc/mail.toml", "login = false\n");
    lab.alpha.append("etc/sys", "chat \"\"\n");
    lab.alpha.queue("beta", "joe", b"mail");
    assert_succeeds(&lab);
    assert_eq!(lab.beta.arrived("alpha"), [b"mail"]);
    let log = lab.beta.log();
    assert!(
        log.contains("Incoming call (login Ualpha port in)"),
        "{log}"
    );
    // With its key alpha can be nobody else, though beta would have gamma in without any login.
    lab.beta.append("etc/sys", "\nsystem gamma\n");
    let config = fs::read_to_string(lab.alpha.config()).unwrap();
    lab.alpha.write(
        "etc/config",
        &config.replace("nodename alpha", "nodename gamma"),
    );
    lab.alpha.queue("beta", "joe", b"not from alpha");
    assert_fails(&lab);
    assert!(
        complaint(&lab.beta, "key of")
            .contains("System gamma called with the key of alpha (sha256:")
    );
    assert_eq!(lab.alpha.queued("beta"), 1);
}

#[test]
fn a_known_key_with_anothers_password_is_refused() {
    let lab = friends("");
    lab.beta.append("etc/sys", "\nsystem gamma\n");
    lab.beta.append("etc/passwd", "Ugamma secret-of-gamma\n");
    lab.alpha.write("etc/call", "beta Ugamma secret-of-gamma\n");
    let config = fs::read_to_string(lab.alpha.config()).unwrap();
    lab.alpha.write(
        "etc/config",
        &config.replace("nodename alpha", "nodename gamma"),
    );
    lab.alpha.queue("beta", "joe", b"not from alpha");
    let pins = fs::read_to_string(lab.beta.root.join("etc/mail.toml")).unwrap();
    let anothers = fingerprint(&lab.beta);
    for more in [
        String::new(),
        format!("\n[neighbour.gamma.tls]\npins = [\"{anothers}\"]\n"),
    ] {
        lab.beta.write("etc/mail.toml", &format!("{pins}{more}"));
        let output = assert_fails(&lab);
        assert!(output.contains("another login name"), "{output}");
        assert!(
            complaint(&lab.beta, "key of")
                .contains("System gamma called with the key of alpha (sha256:")
        );
    }
    assert_eq!(lab.alpha.queued("beta"), 1);
}

/// Passes one call on, and ends it when so many bytes of the caller have passed.
fn cut_after(limit: usize, from: &TcpListener, to: u16) {
    let mut caller = accept(from);
    let mut answerer = TcpStream::connect(("127.0.0.1", to)).unwrap();
    let (mut back_from, mut back_to) = (answerer.try_clone().unwrap(), caller.try_clone().unwrap());
    let back = std::thread::spawn(move || std::io::copy(&mut back_from, &mut back_to));
    let mut piece = vec![0; 1000];
    let mut passed = 0;
    while passed < limit {
        let count = caller.read(&mut piece).unwrap();
        assert!(count > 0, "the call was over before it could be cut");
        answerer.write_all(piece.get(..count).unwrap()).unwrap();
        passed += count;
    }
    let _ = answerer.shutdown(Shutdown::Both);
    let _ = caller.shutdown(Shutdown::Both);
    let _ = back.join();
}

#[test]
fn a_cut_in_the_middle_fails_the_call_and_loses_nothing() {
    let lab = friends("");
    let beyond = TcpListener::bind("127.0.0.1:0").unwrap();
    let number = beyond.local_addr().unwrap().port();
    let content: Vec<u8> = (0..400_000_u32).map(|n| (n % 251) as u8).collect();
    lab.alpha.queue("beta", "joe", &content);
    let output = std::thread::scope(|scope| {
        let caller = scope.spawn(|| lab.alpha.uucico(&["-S", "beta"]));
        scope.spawn(|| cut_after(100_000, &lab.listener, number));
        let mut answerer = lab.beta.answer(&beyond, &["-l", "-p", "in"]);
        assert!(!answerer.wait().unwrap().success());
        caller.join().unwrap()
    });
    assert!(!output.status.success());
    assert!(complaint(&lab.beta, "cut").contains("Line disconnected (cut without TLS's farewell)"));
    assert_eq!(lab.alpha.queued("beta"), 1);
    assert!(lab.beta.arrived("alpha").is_empty());
    assert_succeeds(&lab);
    assert!(lab.beta.arrived("alpha") == [content]);
}

#[test]
fn chat_programs_speak_through_the_encryption() {
    let lab = friends("");
    let dial = script(
        &lab.alpha,
        "dial",
        "expect() { test \"$(dd bs=1 count=$1 2>/dev/null)\" = \"$2\" || exit 4; }\n\
         expect 7 'login: '; printf 'Ualpha\\r'; expect 9 Password:; printf 'secret-of-alpha\\r'",
    );
    let called = script(&lab.beta, "called", "echo \"called by $1\" >&2");
    lab.alpha.append(
        "etc/sys",
        &format!("chat \"\"\nchat-program {}\n", dial.display()),
    );
    lab.beta.append(
        "etc/sys",
        &format!("called-chat-program {} \\Z\n", called.display()),
    );
    lab.alpha.queue("beta", "joe", b"mail");
    assert_succeeds(&lab);
    assert_eq!(lab.beta.arrived("alpha"), [b"mail"]);
    assert!(lab.beta.log().contains("chat: called by alpha"));
    // One that fails ends the call, as on a plain line.
    script(&lab.alpha, "dial", "exit 3");
    lab.alpha.queue("beta", "joe", b"mail");
    let (output, _) = call(&lab);
    assert!(
        text(&output).contains("Chat program failed (exit status: 3)"),
        "{}",
        text(&output)
    );
    assert_eq!(lab.alpha.queued("beta"), 1);
}

#[test]
fn a_server_of_our_own_takes_encrypted_calls() {
    let lab = friends("");
    let number = crate::server::free_port();
    lab.alpha.write(
        "etc/port",
        &format!("port out\ntype tls\nservice {number}\n"),
    );
    lab.beta.write(
        "etc/port",
        &format!("port in\ntype tls\nservice {number}\n"),
    );
    let mut server = lab
        .beta
        .command(UUCICO)
        .args(["--port", "in", "--loop"])
        .spawn()
        .unwrap();
    crate::server::await_listener(&mut server, number);
    // Somebody who speaks no TLS costs nobody else anything.
    let mut stranger = TcpStream::connect(("127.0.0.1", number)).unwrap();
    stranger.write_all(b"\rUalpha\r").unwrap();
    let mut heard = Vec::new();
    let _ = stranger.read_to_end(&mut heard);
    assert!(
        !heard.windows(5).any(|part| part == b"login"),
        "{}",
        heard.escape_ascii()
    );
    lab.alpha.queue("beta", "joe", b"mail");
    let output = lab.alpha.uucico(&["-S", "beta"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(lab.beta.arrived("alpha"), [b"mail"]);
    crate::server::stop(server);
}
