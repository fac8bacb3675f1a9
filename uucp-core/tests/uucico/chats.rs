//! Chat scripts and programs on both sides.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use crate::lab::{Lab, UUCICO, accept, script, terminate, text};
use crate::skip::skip;

#[test]
fn chat_programs_speak_on_the_line_and_decide() {
    let lab = Lab::new("");
    // On both sides: the caller's before the handshake, the answerer's between the choice of the protocol and its start.
    let dial = script(
        &lab.alpha,
        "dial",
        "echo \"dialling $1 as $2\" >&2; printf 'knock\\r'; read word; test \"$word\" = knocked",
    );
    let called = script(&lab.beta, "called", "echo \"called by $1\" >&2; exit 0");
    let answer = script(
        &lab.beta,
        "answer",
        &format!(
            "word=$(dd bs=1 count=6 2>/dev/null); echo knocked; exec {UUCICO} -I {} -u Ualpha",
            lab.beta.config().display()
        ),
    );
    lab.alpha.write(
        "etc/port",
        &format!("port out\ntype pipe\ncommand {}\n", answer.display()),
    );
    lab.alpha.append(
        "etc/sys",
        &format!("chat \"\"\nchat-program {} \\Z \\L\n", dial.display()),
    );
    lab.beta.append(
        "etc/sys",
        &format!("called-chat-program {} \\Z\n", called.display()),
    );
    lab.alpha.queue("beta", "joe", b"mail");
    let output = lab.alpha.uucico(&["-S", "beta"]);
    assert!(
        output.status.success(),
        "{}\n{}",
        text(&output),
        lab.beta.log()
    );
    assert_eq!(lab.beta.arrived("alpha"), [b"mail"]);
    let log = lab.alpha.log();
    assert!(log.contains("chat: dialling beta as Ualpha"), "{log}");
    let log = lab.beta.log();
    assert!(log.contains("chat: called by alpha"), "{log}");
    // One that fails ends the call; the job stays.
    script(&lab.alpha, "dial", "exit 3");
    lab.alpha.queue("beta", "joe", b"mail");
    let output = lab.alpha.uucico(&["-S", "beta"]);
    assert!(
        text(&output).contains("Chat program failed (exit status: 3)"),
        "{}",
        text(&output)
    );
    assert_eq!(lab.alpha.queued("beta"), 1);
    // So does one that never ends.
    script(&lab.alpha, "dial", "read nothing; sleep 100000");
    lab.alpha.append("etc/sys", "chat-timeout 0\n");
    let output = lab.alpha.uucico(&["-S", "beta"]);
    let told = text(&output);
    assert!(told.contains("did not end within 0 seconds"), "{told}");
    assert!(lab.alpha.status("beta").starts_with("3 2 "));
    assert_eq!(lab.alpha.queued("beta"), 1);
}

#[test]
fn a_terminal_made_for_the_answering_side_carries_every_byte() {
    // As `ssh -tt` with a forced command: a terminal that echoes and translates until the answerer has made it raw.
    if Command::new("script").arg("--version").output().is_err() {
        skip("calls over a terminal of script(1)", "it is not installed");
        return;
    }
    for protocol in ["i", "g"] {
        let lab = Lab::new(&format!("sequence true\nprotocol {protocol}"));
        let answer = script(
            &lab.beta,
            "answer",
            &format!(
                "exec {UUCICO} -I {} --prompt --login Ualpha",
                lab.beta.config().display()
            ),
        );
        lab.alpha.write(
            "etc/port",
            &format!(
                "port out\ntype pipe\ncommand script -qec {} /dev/null\n",
                answer.display()
            ),
        );
        lab.alpha.append("etc/sys", "chat word: \\P\n");
        let content: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
        lab.alpha.queue("beta", "joe", &content);
        lab.beta.queue("alpha", "ann", &content);
        let output = lab.alpha.uucico(&["-S", "beta"]);
        assert!(
            output.status.success(),
            "{protocol}: {}\n{}",
            text(&output),
            lab.beta.log()
        );
        assert!(lab.beta.arrived("alpha") == [content.clone()], "{protocol}");
        assert!(lab.alpha.arrived("beta") == [content], "{protocol}");
        assert!(lab.beta.log().contains("(login Ualpha port stdin)"));
    }
}

#[test]
fn a_signal_ends_a_chat_program_with_the_call() {
    let lab = Lab::new("");
    let begun = lab.alpha.root.join("begun");
    let dial = script(
        &lab.alpha,
        "dial",
        &format!("touch {}; sleep 100000", begun.display()),
    );
    lab.alpha.append(
        "etc/sys",
        &format!("chat \"\"\nchat-program {}\n", dial.display()),
    );
    lab.alpha.queue("beta", "joe", b"mail");
    let mut caller = lab
        .alpha
        .command(UUCICO)
        .args(["-S", "beta"])
        .spawn()
        .unwrap();
    let _peer = accept(&lab.listener);
    while !begun.exists() {
        assert!(caller.try_wait().unwrap().is_none(), "{}", lab.alpha.log());
        std::thread::yield_now();
    }
    terminate(&caller);
    assert_eq!(caller.wait().unwrap().code(), Some(1));
    let log = lab.alpha.log();
    assert!(log.contains("ERROR: Got termination signal"), "{log}");
    assert_eq!(lab.alpha.queued("beta"), 1);
}

#[test]
fn the_answering_side_runs_its_script_before_the_protocol_starts() {
    let sys = "called-chat \"\" hello\\c knock- reply\ncalled-chat-fail BAD\nprotocol t\n";
    for (said, good) in [(&b"..knock"[..], true), (b"BAD", false)] {
        let lab = Lab::new("");
        lab.beta.append("etc/sys", sys);
        let port = lab.listener.local_addr().unwrap().port();
        let mut peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut answerer = lab.beta.answer(&lab.listener, &["-l"]);
        let mut hear = {
            let mut line = peer.try_clone().unwrap();
            move |wanted: &[u8]| {
                let mut heard = Vec::new();
                let mut byte = [0];
                while !heard.ends_with(wanted) && line.read(&mut byte).unwrap() > 0 {
                    heard.push(byte[0]);
                }
                heard.ends_with(wanted)
            }
        };
        peer.write_all(b"Ualpha\rsecret-of-alpha\r\x10Salpha -R -N047\0\x10Ut\0")
            .unwrap();
        assert!(hear(b"\x10Pt\0hello"), "{}", lab.beta.log());
        peer.write_all(said).unwrap();
        assert_eq!(hear(b"reply\r"), good);
        if good {
            // Then the protocol: there is nothing to do.
            let mut hang_up = b"H".to_vec();
            hang_up.resize(512, 0);
            peer.write_all(&hang_up).unwrap();
            assert!(hear(b"HY\0"));
        }
        drop(hear);
        drop(peer);
        assert_eq!(answerer.wait().unwrap().success(), good);
        let log = lab.beta.log();
        assert_eq!(
            log.contains("Chat script failed: Got \"BAD\""),
            !good,
            "{log}"
        );
    }
}
