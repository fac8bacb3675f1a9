//! Debugging messages: of the program, of a system, of a caller.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use crate::lab::{Lab, Node, UUCICO, accept, text};

#[test]
fn debugging_shows_the_line_the_packets_and_the_bytes() {
    for protocol in ["t", "g", "i"] {
        let lab = Lab::new(&format!("protocol {protocol}"));
        lab.alpha.queue("beta", "joe", b"the content of a mail");
        let caller = lab
            .alpha
            .command(UUCICO)
            .args([
                "-S",
                "beta",
                "-x",
                "uucp-proto,proto",
                "-x",
                "port,incoming,outgoing",
            ])
            .spawn()
            .unwrap();
        let mut answerer = lab.beta.answer(&lab.listener, &["-l", "-x", "handshake"]);
        assert!(caller.wait_with_output().unwrap().status.success());
        assert!(answerer.wait().unwrap().success());
        let debug = lab.alpha.debug();
        for (kind, said) in [
            ("port", "connecting"),
            ("port", "hanging up"),
            ("uucp_proto", "rmail joe"),
            ("uucp_proto", "received command=CY"),
            ("proto", "file data sent"),
            ("incoming", "Shere=beta"),
            ("outgoing", "the content of a mail"),
            ("log", "Calling system beta (port out)"),
        ] {
            let kind = format!(" uucp::{kind}: ");
            // Which call it is about, as Taylor's says it.
            let shown = |line: &str| {
                line.contains("Z beta ") && line.contains(&kind) && line.contains(said)
            };
            assert!(
                debug.lines().any(shown),
                "{protocol}: {kind}{said}:\n{debug}"
            );
        }
        if protocol != "t" {
            let packet = |line: &str| line.contains(" uucp::proto: received");
            assert!(debug.lines().any(packet), "{protocol}:\n{debug}");
        }
        assert!(!debug.contains(" uucp::chat:"), "{debug}");
        let debug = lab.beta.debug();
        assert!(
            debug
                .lines()
                .all(|line| line.contains(" uucp::handshake: ") || line.contains(" uucp::log: "))
        );
        assert!(debug.contains("Salpha"), "{debug}");
        // Before the caller has said who it is there is nobody to name.
        assert!(
            debug.contains("Z - ") && debug.contains("Z alpha "),
            "{debug}"
        );
    }
}

#[test]
fn debugging_of_a_system_begins_and_ends_with_its_call() {
    let lab = Lab::new("debug handshake\n");
    let port = lab.listener.local_addr().unwrap().port();
    let gamma = Node::new(lab.alpha.root.parent().unwrap(), "gamma", "alpha", port, "");
    lab.alpha.append(
        "etc/sys",
        "system gamma\ndebug none\ntime any\ncall-login *\ncall-password *\naddress 127.0.0.1\nport out\nchat ogin: \\L word: \\P\n",
    );
    lab.alpha
        .append("etc/call", "gamma Ualpha secret-of-alpha\n");
    for system in ["beta", "gamma"] {
        lab.alpha.queue(system, "joe", b"mail");
    }
    // One process calls both, one after the other, in any order.
    let caller = lab.alpha.command(UUCICO).arg("-r1").spawn().unwrap();
    for _ in 0..2 {
        let connection = accept(&lab.listener);
        let log = lab.alpha.log();
        let last = log.lines().rfind(|line| line.contains("Calling system"));
        let is_beta = last.unwrap().contains("Calling system beta");
        let node = if is_beta { &lab.beta } else { &gamma };
        let mut answerer = node.answer_on(connection, &["-l"]);
        assert!(answerer.wait().unwrap().success());
    }
    assert!(caller.wait_with_output().unwrap().status.success());
    let debug = lab.alpha.debug();
    assert!(debug.contains("Shere=beta"), "{debug}");
    assert!(!debug.contains("Shere=gamma"), "{debug}");
    // The called side knows who it is when it has read the name.
    let debug = lab.beta.debug();
    assert!(
        debug.contains("caller is known") && debug.contains("Ut"),
        "{debug}"
    );
    assert_eq!(gamma.debug(), "");
}

#[test]
fn a_caller_gets_the_debugging_it_asks_for_and_may_have() {
    for (limit, shown, hidden) in [
        ("", "uucp::handshake", "uucp::incoming"),
        (
            "max-remote-debug incoming",
            "uucp::incoming",
            "uucp::handshake",
        ),
        ("max-remote-debug none", "", "uucp::"),
    ] {
        let lab = Lab::new(limit);
        let port = lab.listener.local_addr().unwrap().port();
        let mut peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut answerer = lab.beta.answer(&lab.listener, &["-l"]);
        peer.write_all(b"Ualpha\rsecret-of-alpha\r\x10Salpha -x0x7ff -N047\0\x10")
            .unwrap();
        let mut said = Vec::new();
        // Until the list of protocols is whole.
        while !(said.ends_with(b"\0") && said.windows(2).any(|two| two == b"\x10P")) {
            let mut byte = [0];
            peer.read_exact(&mut byte).unwrap();
            said.push(byte[0]);
        }
        peer.write_all(b"UN\0").unwrap();
        answerer.wait().unwrap();
        let debug = lab.beta.debug();
        assert!(
            debug.contains(shown) && !debug.contains(hidden),
            "{limit}: {debug}"
        );
        // What came before its name was known is not there.
        assert!(!debug.contains("secret-of-alpha"), "{debug}");
    }
}

#[test]
fn kinds_from_everywhere_add_up_in_a_file_that_only_its_owner_reads() {
    let lab = Lab::new("debug port\n");
    lab.alpha.append(
        "etc/config",
        "no-such-command x\ndebug handshake uucp-proto\ndebug spooldir\n",
    );
    let caller = lab
        .alpha
        .command(UUCICO)
        .args(["-S", "beta", "-x", "chat", "-x", "config,execute"])
        .spawn()
        .unwrap();
    let mut answerer = lab.beta.answer(&lab.listener, &["-l"]);
    assert!(caller.wait_with_output().unwrap().status.success());
    assert!(answerer.wait().unwrap().success());
    let debug = lab.alpha.debug();
    for kind in [
        "handshake",
        "uucp_proto",
        "spooldir",
        "port",
        "chat",
        "config",
        "log",
    ] {
        assert!(
            debug.contains(&format!(" uucp::{kind}: ")),
            "{kind}: {debug}"
        );
    }
    assert!(!debug.contains(" uucp::incoming: "), "{debug}");
    let mode = fs::metadata(lab.alpha.root.join("log/Debug")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_kind_that_is_none_is_told_and_nobody_is_called() {
    let lab = Lab::new("");
    for kinds in ["chat,nonsense", "handshakes"] {
        let output = lab.alpha.uucico(&["-S", "beta", "-x", kinds]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains("no such kind"), "{}", text(&output));
    }
    lab.listener.set_nonblocking(true).unwrap();
    assert!(lab.listener.accept().is_err(), "somebody was called");
}
