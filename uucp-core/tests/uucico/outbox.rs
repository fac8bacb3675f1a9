//! Mail that waits in an outbox until there is a call.

use std::fs;
use std::process::Stdio;

use crate::lab::{Lab, Node, UUCICO, text};

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
