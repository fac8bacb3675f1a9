//! Mail that waits in an outbox until there is a call.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::lab::{Lab, Node, UUCICO, accept, text};

#[test]
fn what_waits_in_the_outbox_is_a_reason_to_call_and_goes_in_batches_both_ways() {
    let lab = Lab::new("protocol t");
    let put = |node: &Node, peer: &str| {
        node.write("etc/mail.toml", "[sending]\ncompression = \"gzip\"\n");
        node.put(peer, &["one", "two", "three"]);
    };
    put(&lab.alpha, "beta");
    put(&lab.beta, "alpha");
    let caller = lab
        .alpha
        .command(UUCICO)
        .args(["-r1", "-C"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answerer = lab.beta.answer(&lab.listener, &["-l"]);
    let output = caller.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(answerer.wait().unwrap().success());
    for (node, peer) in [(&lab.alpha, "beta"), (&lab.beta, "alpha")] {
        let arrived = node.arrived(peer);
        assert_eq!(arrived.len(), 1, "one batch");
        assert_eq!(arrived[0].get(..2), Some(&[0x1f, 0x8b][..]), "gzip");
        let execute = node.names(&format!("{peer}/X."));
        let path = node
            .root
            .join("spool")
            .join(peer)
            .join("X.")
            .join(&execute[0]);
        let text = fs::read_to_string(path).unwrap();
        assert!(text.lines().any(|line| line == "C rgsmtp"), "{text}");
        assert!(
            node.names(&format!(".Bangpath/outbox/{peer}/queue"))
                .is_empty()
        );
        assert!(
            node.names(&format!(".Bangpath/outbox/{peer}/packed"))
                .is_empty()
        );
        assert!(node.log().contains("Packed 3 messages, "), "{}", node.log());
    }
    // Nothing waits any more, or nothing that uucico carries.
    lab.alpha
        .write("etc/mail.toml", "[sending]\ncarrier = \"nncp\"\n");
    lab.alpha.put("beta", &["four"]);
    let output = lab.alpha.uucico(&["-C", "-s", "beta", "-f"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(lab.alpha.log().contains("No work"), "{}", lab.alpha.log());
    assert_eq!(lab.alpha.names(".Bangpath/outbox/beta/queue").len(), 1);
}

/// What the messages that have arrived say, sorted.
fn subjects(node: &Node, peer: &str) -> Vec<String> {
    let mut found: Vec<String> = node
        .arrived(peer)
        .iter()
        .flat_map(|batch| {
            let text = String::from_utf8_lossy(batch);
            let lines = text
                .lines()
                .filter_map(|line| line.strip_prefix("Subject: "));
            lines.map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    found.sort();
    found
}

#[test]
fn mail_that_cannot_be_packed_stays_and_the_call_says_so() {
    let lab = Lab::new("protocol t");
    let sending = "[sending]\ncompression = \"zstd\"\ndictionary = \"0badc0de\"\n";
    lab.alpha.write("etc/mail.toml", sending);
    lab.alpha.put("beta", &["one"]);
    lab.alpha.queue("beta", "joe", b"a job of its own");
    let (output, good) = lab.call();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(good, "the other side knows nothing of it");
    let wrong = "[sending] of beta: there is no dictionary 0badc0de in ";
    let said = text(&output);
    assert!(
        said.starts_with("uucico: beta: ") && said.contains(wrong),
        "{said}"
    );
    let log = lab.alpha.log();
    let line = log.lines().find(|line| line.contains(wrong)).unwrap();
    assert!(
        line.contains("ERROR: ") && line.ends_with("what waits in the outbox stays there"),
        "{line}"
    );
    assert_eq!(lab.alpha.names(".Bangpath/outbox/beta/queue").len(), 1);
    // What needs no packing has gone, and the call counts as good.
    assert_eq!(lab.beta.arrived("alpha"), [b"a job of its own"]);
    assert!(
        lab.alpha.status("beta").starts_with("0 0 "),
        "{}",
        lab.alpha.status("beta")
    );
}

#[test]
fn killed_at_any_moment_of_a_call_no_message_is_lost_and_none_comes_twice() {
    let lab = Lab::new("protocol t");
    lab.alpha
        .write("etc/mail.toml", "[sending]\nbatch-messages = 2\n");
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut expected = Vec::new();
    let mut whole_call = Duration::ZERO;
    for round in 10..26 {
        let words: Vec<String> = (0..5).map(|n| format!("{round}-{n}")).collect();
        let shown: Vec<&str> = words.iter().map(String::as_str).collect();
        lab.alpha.put("beta", &shown);
        expected.extend(words);
        let mut caller = lab
            .alpha
            .command(UUCICO)
            .args(["-q", "-c", "-S", "beta"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let socket = accept(&lab.listener);
        if round == 25 {
            // Nobody answers: this one is certainly killed amid its call, whatever became of the others.
            caller.kill().unwrap();
            assert_eq!(caller.wait().unwrap().code(), None);
            continue;
        }
        let mut answerer = lab.beta.answer_on(socket, &["-l", "-q"]);
        let begun = Instant::now();
        if whole_call.is_zero() {
            // The first one may live, to show how long a call takes.
            assert!(caller.wait().unwrap().success());
            whole_call = begun.elapsed();
        } else {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let moment =
                whole_call.mul_f64(f64::from(u32::try_from(seed % 1000).unwrap()) / 1000.0);
            while begun.elapsed() < moment {
                std::hint::spin_loop();
            }
            let _ = caller.kill();
            if caller.wait().unwrap().code().is_some() {
                // It was over by then: calls are shorter now.
                whole_call = moment;
            }
        }
        answerer.wait().unwrap();
    }
    let (output, good) = lab.call();
    assert!(output.status.success() && good, "{}", text(&output));
    assert_eq!(subjects(&lab.beta, "alpha"), expected);
    // A copy of a batch may lie in `D.` that nothing names: its messages were still in the outbox.
    for left in [
        "beta/C.",
        ".Bangpath/outbox/beta/queue",
        ".Bangpath/outbox/beta/packed",
    ] {
        assert_eq!(lab.alpha.names(left), [] as [String; 0], "{left}");
    }
}
