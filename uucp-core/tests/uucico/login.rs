//! Who may come in, and what strangers come to.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::lab::{Lab, text};

#[test]
fn a_wrong_password_leaves_the_job_queued_and_says_so() {
    let lab = Lab::new("");
    lab.alpha.write("etc/call", "beta Ualpha wrong\n");
    lab.alpha.queue("beta", "joe", b"mail");
    let (output, answered) = lab.call();
    assert_eq!(output.status.code(), Some(1));
    assert!(!answered && lab.alpha.queued("beta") == 1);
    assert!(
        lab.beta
            .log()
            .contains("ERROR: Bad login for Ualpha (from 127.0.0.1)\n"),
        "{}",
        lab.beta.log()
    );
    assert!(
        lab.beta
            .log()
            .ends_with(") ERROR: Bad login (from 127.0.0.1)\n")
    );
    assert!(!lab.beta.log().contains("wrong"));
    assert!(
        text(&output).starts_with("uucico: beta: "),
        "{}",
        text(&output)
    );
    let log = lab.alpha.log();
    assert!(
        log.contains("before the greeting of the other system; are login and password"),
        "{log}"
    );
}

#[test]
fn what_is_wrong_with_the_passwords_is_one_line_of_the_log() {
    let lab = Lab::new("");
    lab.beta.write("etc/passwd", "Ualpha\n");
    lab.call();
    let log = lab.beta.log();
    let fault = "passwd:1:1: a line is: login name, password (write a blank as \\s";
    assert!(log.contains(fault), "{log}");
    assert!(!log.contains("\\n"), "{log}");
}

#[test]
fn callers_that_may_not_come_in_are_told_why() {
    let lab = Lab::new("");
    let sys = fs::read_to_string(lab.beta.root.join("etc/sys")).unwrap();
    lab.beta
        .write("etc/sys", &format!("{sys}called-login Usomeone\n"));
    let (output, _) = lab.call();
    let said = text(&output);
    assert!(said.contains("another login name"), "{said}");
    let used = "System alpha used wrong login name Ualpha (from 127.0.0.1)\n";
    assert!(lab.beta.log().contains(used), "{}", lab.beta.log());
    lab.beta.write("etc/sys", &sys.replace("alpha", "delta"));
    let (output, _) = lab.call();
    assert!(text(&output).contains("unknown to me"), "{}", text(&output));
    let unknown = "Call from unknown system alpha, login Ualpha (from 127.0.0.1)\n";
    assert!(lab.beta.log().contains(unknown), "{}", lab.beta.log());
}

#[test]
fn calls_are_numbered_where_both_sides_want_it() {
    let lab = Lab::new("sequence true");
    for _ in 0..2 {
        let (output, answered) = lab.call();
        assert!(output.status.success() && answered, "{}", text(&output));
    }
    // One side loses count.
    fs::remove_file(lab.alpha.root.join("spool/.Sequence/beta")).unwrap();
    let (output, _) = lab.call();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("sequence number"),
        "{}",
        text(&output)
    );
    assert!(lab.beta.log().contains("Out of sequence"));
}

#[test]
fn strangers_and_garbage_end_the_call_and_nothing_else() {
    let lab = Lab::new("");
    let port = lab.listener.local_addr().unwrap().port();
    let login = b"Ualpha\rsecret-of-alpha\r".to_vec();
    let with = |more: &[u8]| [login.as_slice(), more].concat();
    let cases: Vec<Vec<u8>> = vec![
        Vec::new(),
        // Half a name, half a password, no text, what telnet says first.
        b"Ualp".to_vec(),
        b"Ualpha\rsecret-of-al".to_vec(),
        b"\x00\xff\r\x1b[A\x07\r".to_vec(),
        b"\xff\xfb\x1f\xff\xfd\x03Ualpha\r".to_vec(),
        [&[b'U'; 100_000][..], b"\rsecret-of-alpha\r"].concat(),
        vec![0; 100_000],
        vec![0x10; 100_000],
        with(b"\x10S\x00"),
        with(b"\x10S../../x -R -N047\x00"),
        with(&[b"\x10S".as_slice(), &[b'a'; 10_000], b"\x00"].concat()),
        with(b"\x10Salpha -N047\x00\x10Uz\x00"),
        with(b"\x10Salpha -R -N047\x00\x10Ut\x00\xff\xff\xff\xff\xff\xff"),
        with(
            &[
                b"\x10Salpha -N047\x00\x10Ut\x00".as_slice(),
                &[b'S'; 20_000],
            ]
            .concat(),
        ),
    ];
    for case in cases {
        let mut peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut answerer = lab.beta.answer(&lab.listener, &["-l"]);
        // The other side may hang up before it has read everything.
        let _ = peer.write_all(&case);
        let _ = peer.shutdown(std::net::Shutdown::Write);
        let _ = peer.read_to_end(&mut Vec::new());
        let status = answerer.wait().unwrap();
        assert_eq!(
            status.code(),
            Some(1),
            "{}",
            case[..case.len().min(60)].escape_ascii()
        );
    }
    assert!(!lab.beta.log().contains("internal error"));
    // The next call finds nothing in its way.
    lab.alpha.queue("beta", "joe", b"mail");
    let (output, _) = lab.call();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn files_outside_the_spool_are_never_named_by_the_peer() {
    for to in ["../../../../tmp/x", "/etc/x", "~/../x", "D.../../x", "C.x"] {
        let lab = Lab::new("");
        let port = lab.listener.local_addr().unwrap().port();
        let mut peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut answerer = lab.beta.answer(&lab.listener, &["-l"]);
        let mut command = format!("S f {to} u - D.0001 0644 \"\" 0x1").into_bytes();
        command.resize(512, 0);
        let all = [
            b"Ualpha\rsecret-of-alpha\r\x10Salpha -R -N047\x00\x10Ut\x00".as_slice(),
            &command,
        ]
        .concat();
        peer.write_all(&all).unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = Vec::new();
        let _ = peer.read_to_end(&mut said);
        answerer.wait().unwrap();
        let said = said.escape_ascii().to_string();
        assert!(said.contains("SN2") || said.contains("SN4"), "{to}: {said}");
    }
}
