//! The other ways to hand over, and the troubles of each.

use super::*;

#[test]
fn a_maildir_serves_where_there_is_no_mta() {
    let site = Home::with_mail_toml("domain = \"leaf.lab\"\n[delivery]\nmethod = \"maildir\"\n");
    let run = site.rmail(
        &[
            "alice@leaf.lab",
            "bob",
            "../../evil@leaf.lab",
            "x@far.example",
        ],
        MESSAGE,
    );
    assert_eq!(run.status, 0);
    assert!(
        run.stderr
            .starts_with("5.1.3 rmail: ../../evil@leaf.lab and 1 more"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("set aside"),
        "no report can leave: {}",
        run.stderr
    );
    for user in ["alice", "bob"] {
        let mail = site.contents(&format!("spool/.Mail/maildir/{user}/new"));
        assert_eq!(mail.len(), 1, "{user}");
        assert!(mail[0].starts_with("Return-Path: <bob@far.example>\nDelivered-To: "));
        assert!(mail[0].ends_with("\n\nbody\n.\nFrom here\n"));
    }
}

#[test]
fn a_sendmail_command_gets_the_portable_command_line() {
    let site = Home::with_sendmail(0, "");
    let run = site.rmail(&["alice@leaf.lab", "-x@dom"], MESSAGE);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let calls = &site.contents("calls")[0];
    assert!(
        calls.contains("<-i><-f><bob@far.example><--><alice@leaf.lab>\n"),
        "{calls}"
    );
    assert!(
        calls.contains("<-i><-f><bob@far.example><--><-x@dom>\n"),
        "{calls}"
    );
    for (code, status) in [(75, 75), (1, 75), (127, 75), (67, 0)] {
        let site = Home::with_sendmail(code, "says why");
        let run = site.rmail(&["alice@leaf.lab"], "From <> x\nSubject: x\n\nb\n");
        assert_eq!(run.status, status, "{code}: {}", run.stderr);
        assert!(run.stderr.contains("says why"));
    }
}

#[test]
fn every_trouble_of_our_own_is_75_with_a_line() {
    let server = Server::accepting();
    for (mail_toml, said) in [
        (
            "[delivery]\nmethod = \"smtp\"\nsmtp = \"127.0.0.1:1\"\n",
            "4.3.0 rmail: 127.0.0.1:1: cannot connect",
        ),
        ("[delivery]\nmethod = \"fax\"\n", "4.3.5 rmail: "),
        (
            "[delivery]\nsmtp = \"h:1\"\nsendmail = \"/s\"\n",
            "4.3.5 rmail: more than one way to deliver is set; set method",
        ),
        (
            "[delivery]\nmethod = \"sendmail\"\nsendmail = \"/nonexistent/sendmail\"\n",
            "4.3.0 rmail: cannot run",
        ),
    ] {
        let run = Home::with_mail_toml(mail_toml).rmail(&["alice@leaf.lab"], MESSAGE);
        assert_eq!(run.status, 75, "{mail_toml}");
        assert!(
            run.stderr.starts_with(said) && run.stderr.lines().count() == 1,
            "{}",
            run.stderr
        );
    }
    let site = Home::with_smtp(&server);
    let run = site.rmail_as(
        &[("UU_MACHINE", "../evil")],
        &["alice@leaf.lab"],
        MESSAGE.as_bytes(),
    );
    assert_eq!(run.status, 75);
    assert!(server.messages().is_empty());
}

#[test]
fn a_person_who_gives_neither_recipient_nor_message_is_told_how() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let run = site.rmail_as(&[], &[], b"");
    assert_eq!(run.status, 75);
    assert!(
        run.stderr.starts_with(
            "4.3.5 rmail: no recipient and no message; 'rmail RECIPIENT ... <MESSAGE'"
        ),
        "{}",
        run.stderr
    );
    assert!(!site.path("spool/.Mail/aside").exists());
    // A neighbour's is his, and has an end.
    assert_eq!(site.rmail(&[], "").status, 0);
    assert_eq!(site.contents("spool/.Mail/aside/hub").len(), 1);
}

#[test]
fn a_person_may_name_the_way_by_option() {
    let server = Server::accepting();
    let site = Home::with_mail_toml("[delivery]\nmethod = \"maildir\"\n");
    let config = site.path("etc/config").display().to_string();
    let target = server.address();
    let run = site.rmail_as(
        &[],
        &["-I", &config, "--smtp", &target, "alice@leaf.lab"],
        MESSAGE.as_bytes(),
    );
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert_eq!(server.messages().len(), 1);
    let run = site.rmail_as(&[], &["--help"], b"");
    assert_eq!(run.status, 0);
    assert!(run.stdout.contains("--maildir"));
}
