//! Who is told what.

use super::node::Node;
use super::runnable::write_program;

fn told_after(lines: &str, body: &str) -> Vec<String> {
    let node = Node::new();
    node.script("tool", body);
    node.job("N0001", "tool x", lines);
    node.run(&[]);
    node.told()
}

#[test]
fn the_address_of_the_job_decides() {
    let fails = "exit 1";
    for (lines, expected) in [
        ("", &["alpha!joe", "postmaster"][..]),
        ("Z\n", &["alpha!joe", "postmaster"]),
        ("N\n", &["postmaster"]),
        ("R ann@x.example\n", &["ann@x.example", "postmaster"]),
        ("R ann\n", &["alpha!ann", "postmaster"]),
        ("R MAILER-DAEMON\n", &["postmaster"]),
        ("R <>\n", &["postmaster"]),
    ] {
        assert_eq!(told_after(lines, fails), expected, "{lines}");
    }
}

#[test]
fn success_is_told_to_those_who_ask() {
    assert_eq!(told_after("n\n", "exit 0"), ["alpha!joe"]);
    assert_eq!(told_after("", "exit 0"), [""; 0]);
}

#[test]
fn the_input_goes_back_where_the_job_asks_for_it() {
    for (lines, goes_back) in [("B\n", true), ("", false)] {
        let node = Node::new();
        node.script("tool", "exit 1");
        node.job("N0001", "tool x", lines);
        node.run(&[]);
        let mails = node.mails();
        assert_eq!(mails[0].text.contains("\tthe input\n"), goes_back);
    }
}

#[test]
fn a_flood_of_failures_is_told_in_one_note() {
    let node = Node::with("", "[policy]\nreports-per-hour = 3");
    node.script("tool", "exit 1");
    for number in 0..10 {
        node.job(&format!("N{number:04}"), "tool x", "");
    }
    node.run(&["--jobs", "1"]);
    assert_eq!(node.files(".Failed/alpha").len(), 20);
    let mails = node.mails();
    let requestor = mails.iter().filter(|m| m.recipient == "alpha!joe").count();
    assert_eq!(requestor, 3);
    let summary: Vec<_> = mails
        .iter()
        .filter(|m| m.text.contains("7 more jobs of system alpha failed"))
        .collect();
    assert_eq!(summary.len(), 1);
    assert_eq!(mails.len(), 7);
}

#[test]
fn the_next_run_of_the_same_hour_tells_no_more() {
    let node = Node::with("", "[policy]\nreports-per-hour = 1");
    node.script("tool", "exit 1");
    for (number, mails) in [(0, 2), (1, 3), (2, 3)] {
        node.job(&format!("N{number:04}"), "tool x", "");
        node.run(&[]);
        // The job's two notes, then one that says that there are more, then nothing.
        assert_eq!(node.mails().len(), mails, "{number}");
    }
    assert_eq!(node.files(".Failed/alpha").len(), 6);
}

#[test]
fn data_that_no_job_names_is_kept_and_told_of() {
    let node = Node::new();
    node.data_file("alpha", "D.alphaN0001", "whose job never came\n");
    node.run(&[]);
    assert!(node.has("alpha/D./D.alphaN0001") && node.told().is_empty());
    // Nine days of observed time later.
    let clock = node.path("spool/.Bangpath/clock");
    let count = std::fs::read_to_string(&clock).unwrap();
    let (seconds, clocks) = count.split_once(' ').unwrap();
    let later = seconds.parse::<u64>().unwrap() + 9 * 86_400;
    std::fs::write(&clock, format!("{later} {clocks}")).unwrap();
    node.run(&[]);
    assert_eq!(node.files(".Preserve"), ["alpha/D.alphaN0001"]);
    assert!(!node.has("alpha/D./D.alphaN0001"));
    let mails = node.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].recipient, "postmaster");
    assert!(mails[0].text.contains(".Preserve/alpha/D.alphaN0001\n"));
    assert!(node.log().contains("uuxqt alpha - ("), "{}", node.log());
    node.run(&[]);
    assert_eq!(node.mails().len(), 1);
}

#[test]
fn told_to_end_it_hands_over_the_mail_in_hand_and_no_other() {
    let node = Node::new();
    let mta = node.path("bin/mta");
    // It is asked who it is, too.
    let handed = node.path("handed").display().to_string();
    let script = format!(
        "#!/bin/sh\ncat >/dev/null\ncase \"$*\" in *bob@x.y) echo >>'{handed}'; kill -TERM $PPID;; esac\n"
    );
    write_program(&mta, script);
    let mail = format!(
        "[delivery]\nmethod = \"sendmail\"\nsendmail = \"{}\"\n",
        mta.display()
    );
    std::fs::write(node.path("etc/mail.toml"), mail).unwrap();
    node.run(&[]);
    let queue = node.path("spool/.Bangpath/local-mail");
    std::fs::create_dir_all(&queue).unwrap();
    for number in 0..3 {
        // The envelope's addresses are hexadecimal: bob@x.y.
        let mail = "from:\nto:626f6240782e79\n\nSubject: report\n\nrefused\n";
        std::fs::write(queue.join(format!("{number:013}")), mail).unwrap();
    }
    node.run(&[]);
    assert_eq!(node.mails().len(), 2);
    assert_eq!(std::fs::read(handed).unwrap(), b"\n");
}

#[test]
fn a_waiting_mail_that_cannot_be_read_is_kept_and_told_of() {
    let node = Node::new();
    node.run(&[]);
    let queue = node.path("spool/.Bangpath/local-mail");
    std::fs::create_dir_all(&queue).unwrap();
    std::fs::write(queue.join("0000000000000"), "half a mai").unwrap();
    node.run(&[]);
    assert_eq!(node.files(".Corrupt"), ["0000000000000"]);
    assert_eq!(node.told(), ["postmaster"]);
    assert!(node.mails()[0].text.contains(".Corrupt/0000000000000: "));
    let log = node.log();
    assert!(
        log.contains("ERROR: ") && log.contains(".Corrupt/0000000000000"),
        "{log}"
    );
    node.run(&[]);
    assert_eq!(node.told().len(), 1);
}
