//! Hooks: what is run before and after a call, and what they know.

use std::fs;

use crate::lab::{Lab, Node, script, text};

/// Both hooks of a node write what they know, and end with these statuses.
fn add_hooks(node: &Node, connect: u32) {
    let said = node.root.join("said").display().to_string();
    let words = "$BANGPATH_SYSTEM $BANGPATH_DIRECTION $BANGPATH_PORT";
    let before = format!("echo \"$1 {words}\" >>'{said}'; echo word >&2; exit {connect}");
    let after = format!(
        "echo \"after {words} $BANGPATH_RESULT $BANGPATH_SENT $BANGPATH_RECEIVED $BANGPATH_REASON\" >>'{said}'"
    );
    let before = script(node, "before", &before).display().to_string();
    let after = script(node, "after", &after).display().to_string();
    node.write(
        "etc/mail.toml",
        &format!("[hooks]\nconnect = [\"{before}\", \"be $fore\"]\ndisconnect = [\"{after}\"]\n"),
    );
}

fn said(node: &Node) -> String {
    fs::read_to_string(node.root.join("said")).unwrap_or_default()
}

#[test]
fn hooks_are_run_on_both_sides_and_know_what_came_of_the_call() {
    let lab = Lab::new("");
    for node in [&lab.alpha, &lab.beta] {
        add_hooks(node, 0);
    }
    lab.alpha.queue("beta", "joe", b"letter");
    lab.beta.queue("alpha", "ann", b"answers");
    let (output, good) = lab.call();
    assert!(output.status.success() && good, "{}", text(&output));
    assert_eq!(
        said(&lab.alpha),
        "be $fore beta out out\nafter beta out out ok 6 7 \n"
    );
    assert_eq!(
        said(&lab.beta),
        "be $fore alpha in TCP\nafter alpha in TCP ok 7 6 \n"
    );
    assert!(
        lab.alpha.log().contains("Connect hook: word"),
        "{}",
        lab.alpha.log()
    );
}

#[test]
fn who_is_told_to_end_tries_no_other_port() {
    let lab = Lab::new("");
    lab.alpha
        .append("etc/port", "port out\ntype tcp\nservice 1\n");
    let hook = script(&lab.alpha, "before", "kill -TERM $PPID; sleep 100000");
    lab.alpha.write(
        "etc/mail.toml",
        &format!("[hooks]\nconnect = [\"{}\"]\n", hook.display()),
    );
    lab.alpha.queue("beta", "joe", b"letter");
    assert!(!lab.alpha.uucico(&["-S", "beta"]).status.success());
    let log = lab.alpha.log();
    assert_eq!(log.matches("Calling system beta").count(), 1, "{log}");
}

#[test]
fn a_failing_connect_hook_prevents_the_call() {
    let lab = Lab::new("");
    add_hooks(&lab.alpha, 3);
    lab.alpha.queue("beta", "joe", b"letter");
    let output = lab.alpha.uucico(&["-S", "beta"]);
    assert!(!output.status.success());
    let told = text(&output);
    assert!(
        told.contains("Connect hook failed (exit status: 3)"),
        "{told}"
    );
    lab.listener.set_nonblocking(true).unwrap();
    assert!(lab.listener.accept().is_err(), "it has called");
    lab.listener.set_nonblocking(false).unwrap();
    // As after a failure to dial.
    assert!(
        lab.alpha.status("beta").starts_with("2 1 "),
        "{}",
        lab.alpha.status("beta")
    );
    assert_eq!(lab.alpha.queued("beta"), 1);
    assert_eq!(said(&lab.alpha), "be $fore beta out out\n");
    // A neighbour's own section comes first, also with nothing in it.
    let all = fs::read_to_string(lab.alpha.root.join("etc/mail.toml")).unwrap();
    lab.alpha.write(
        "etc/mail.toml",
        &format!("{all}[neighbour.beta.hooks]\nconnect = []\n"),
    );
    let (output, good) = lab.call();
    assert!(output.status.success() && good, "{}", text(&output));
}

#[test]
fn a_failing_connect_hook_turns_a_caller_away() {
    let lab = Lab::new("");
    add_hooks(&lab.beta, 1);
    lab.alpha.queue("beta", "joe", b"letter");
    let (output, good) = lab.call();
    assert!(!output.status.success() && !good);
    assert_eq!(lab.alpha.queued("beta"), 1);
    let log = lab.beta.log();
    assert!(
        log.contains("ERROR: Connect hook failed (exit status: 1)"),
        "{log}"
    );
    assert_ne!(lab.beta.status("alpha"), "");
    assert_eq!(said(&lab.beta), "be $fore alpha in TCP\n");
}

#[test]
fn the_hook_after_a_call_is_run_when_the_call_fails_before_a_word_is_said() {
    let lab = Lab::new("");
    add_hooks(&lab.alpha, 0);
    lab.alpha.queue("beta", "joe", b"letter");
    // The line is open before the login is looked up.
    let call = lab.alpha.root.join("etc/call");
    fs::remove_file(&call).unwrap();
    fs::create_dir(&call).unwrap();
    let output = lab.alpha.uucico(&["-S", "beta"]);
    assert!(!output.status.success());
    let said = said(&lab.alpha);
    let (before, after) = said.split_once('\n').unwrap();
    assert_eq!(before, "be $fore beta out out");
    assert!(
        after.starts_with("after beta out out failed 0 0 ") && after.contains("etc/call"),
        "{after}"
    );
    assert_eq!(lab.alpha.queued("beta"), 1);
}
