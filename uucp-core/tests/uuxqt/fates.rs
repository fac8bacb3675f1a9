//! What a command's end means for its job.

use std::fs;

use super::node::Node;

/// How a command ends, and what must be found afterwards.
struct Fate {
    body: &'static str,
    stays: bool,
    log: &'static [&'static str],
}

const FATES: &[Fate] = &[
    Fate {
        body: "exit 0",
        stays: false,
        log: &[
            "Executing X.alphaN0001 (tool a b)",
            "Execution done (X.alphaN0001)\n",
        ],
    },
    Fate {
        body: "exit 75",
        stays: true,
        log: &[
            "ERROR: Execution: Exit status 75",
            "Will retry later (X.alphaN0001)",
        ],
    },
    Fate {
        body: "kill -9 $$",
        stays: true,
        log: &[
            "ERROR: Execution: Got signal 9",
            "Will retry later (X.alphaN0001)",
        ],
    },
    Fate {
        body: "cat < \"$HOME/../never\"",
        stays: true,
        log: &[
            "ERROR: Execution: Ran longer than it may",
            "Will retry later (X.alphaN0001)",
        ],
    },
    Fate {
        body: "rm \"$0\"; exit 75",
        stays: true,
        log: &["Will retry later (X.alphaN0001), when uuxqt runs in 60 seconds or after that\n"],
    },
];

#[test]
fn success_and_temporary_failures() {
    for fate in FATES {
        let limit = if fate.body.contains("never") { 1 } else { 600 };
        let node = Node::with("", &format!("[execution]\ntime-limit = \"{limit}s\""));
        let never = node.path("never");
        nix::unistd::mkfifo(&never, nix::sys::stat::Mode::S_IRWXU).unwrap();
        node.script("tool", fate.body);
        node.job("N0001", "tool a b", "");
        node.run(&[]);
        for name in ["alpha/X./X.alphaN0001", "alpha/D./D.alphaN0001"] {
            assert_eq!(node.has(name), fate.stays, "{}: {name}", fate.body);
        }
        let log = node.log();
        for line in fate.log {
            assert!(log.contains(line), "{}: {log}", fate.body);
        }
        assert!(log.contains("uuxqt alpha joe ("), "{log}");
        assert_eq!(node.told(), [""; 0], "{}", fate.body);
        assert_eq!(node.files(".Failed"), [""; 0], "{}", fate.body);
        assert_eq!(node.files(".Execute"), [""; 0], "{}", fate.body);
    }
}

#[test]
fn failures_for_good_are_kept_and_told() {
    for (command, body, reason) in [
        (
            "tool x",
            "echo why >&2; exit 67",
            "Execution: Exit status 67",
        ),
        ("tool x", "exit 1", "Execution: Exit status 1"),
        ("other x", "", "Not permitted to execute other"),
        ("/bin/sh x", "", "Not permitted to execute /bin/sh"),
    ] {
        let node = Node::new();
        node.script("tool", body);
        node.job("N0001", command, "");
        node.run(&[]);
        assert_eq!(
            node.files(".Failed/alpha"),
            ["D./D.alphaN0001", "X./X.alphaN0001"],
            "{command}"
        );
        assert_eq!(node.files("alpha"), [""; 0], "{command}");
        assert!(
            node.log().contains(&format!("ERROR: {reason}")),
            "{}",
            node.log()
        );
        let mails = node.mails();
        let to: Vec<&str> = mails.iter().map(|m| m.recipient.as_str()).collect();
        assert_eq!(to, ["alpha!joe", "postmaster"], "{command}");
        for mail in &mails {
            assert_eq!(mail.sender, "", "the sender must be null");
            assert!(mail.text.contains(reason), "{}", mail.text);
            assert_eq!(mail.text.contains("\twhy\n"), body.contains("why"));
        }
        // Kept means kept: another run does not touch it.
        node.run(&["--now"]);
        assert_eq!(node.files(".Failed/alpha").len(), 2);
        assert_eq!(node.mails().len(), 2);
    }
}

#[test]
fn a_log_that_cannot_be_written_is_told_and_stops_nothing() {
    let node = Node::new();
    let config = fs::read_to_string(node.path("etc/config")).unwrap();
    let log = node.path("log/Log").display().to_string();
    fs::write(
        node.path("etc/config"),
        config.replace(&log, "/proc/none/Log"),
    )
    .unwrap();
    node.script("tool", "exit 0");
    node.job("N0001", "tool x", "");
    let output = node.run(&[]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.starts_with("uuxqt: /proc/none/Log: the log cannot be written"),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1, "{told}");
    assert_eq!(node.files("alpha"), [""; 0]);
}

#[test]
fn a_failed_command_is_logged_as_the_peer_does_it() {
    let node = Node::new();
    node.script("tool", "exit 1");
    node.job("N0001", "tool x", "");
    node.run(&[]);
    let log = node.log();
    let lines: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once(") ").map(|(_, text)| text))
        .collect();
    assert_eq!(
        lines,
        [
            "Executing X.alphaN0001 (tool x)",
            "ERROR: Execution: Exit status 1",
            "Execution failed (X.alphaN0001)",
        ]
    );
}

#[test]
fn the_log_has_what_a_command_says() {
    let node = Node::new();
    node.script(
        "tool",
        "echo first >&2; printf '4.3.0 why\\033[2J\\n' >&2; exit 75",
    );
    node.job("N0001", "tool x", "");
    node.script("rmail", "echo '5.1.1 rmail: nobody' >&2");
    node.job("N0002", "rmail x", "");
    node.run(&["--jobs", "1"]);
    let log = node.log();
    for line in [
        "ERROR: Execution: Exit status 75: 4.3.0 why?[2J\n",
        "Will retry later (X.alphaN0001), when uuxqt runs in 60 seconds or after that\n",
        "Execution done (X.alphaN0002): 5.1.1 rmail: nobody\n",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    assert!(!log.contains("first"), "{log}");
}

#[test]
fn a_command_is_told_which_execute_file_it_is_and_that_it_is_the_last_try() {
    let node = Node::with("", "[execution]\nage-limit = \"1h\"");
    node.script(
        "tool",
        "echo \"$BANGPATH_JOB $BANGPATH_LAST_TRY\" >> \"$HOME/../told\"; exit 75",
    );
    node.job("N0001", "tool x", "");
    node.run(&[]);
    node.run(&["--now"]);
    // As if the hour had passed.
    let toml = fs::read_to_string(node.path("etc/mail.toml")).unwrap();
    fs::write(node.path("etc/mail.toml"), toml.replace("1h", "0s")).unwrap();
    node.run(&["--now"]);
    let told = fs::read_to_string(node.path("told")).unwrap();
    let told: Vec<(&str, &str)> = told
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .collect();
    assert!(told.iter().all(|(job, _)| *job == told[0].0), "{told:?}");
    assert!(told[0].0.starts_with("X.alphaN0001:"), "{told:?}");
    let last: Vec<&str> = told.iter().map(|(_, last)| *last).collect();
    assert_eq!(last, ["", "", "1"]);
    assert!(node.has(".Failed/alpha/X./X.alphaN0001"));
    assert_eq!(node.told(), ["alpha!joe", "postmaster"]);
}

#[test]
fn a_command_that_is_listed_but_missing_is_waited_for() {
    let node = Node::new();
    node.job("N0001", "gone x", "");
    node.run(&[]);
    assert!(node.has("alpha/X./X.alphaN0001"));
    assert!(node.log().contains("Will retry later (X.alphaN0001)"));
    node.script("gone", "exit 0");
    node.run(&["--now"]);
    assert_eq!(node.files("alpha"), [""; 0]);
    assert_eq!(node.runs(), ["gone x"]);
}

#[test]
fn a_job_rests_after_a_temporary_failure_unless_asked_for() {
    let node = Node::new();
    node.script("tool", "exit 75");
    node.job("N0001", "tool x", "");
    node.run(&[]);
    node.run(&[]);
    assert_eq!(node.runs().len(), 1, "it was not left to rest");
    node.run(&["--now"]);
    assert_eq!(node.runs().len(), 2);
    node.script("tool", "exit 0");
    node.run(&["--now"]);
    assert_eq!(node.files("alpha"), [""; 0]);
}

#[test]
fn a_job_that_is_too_old_is_given_up_and_told() {
    let node = Node::with("", "[execution]\nage-limit = \"0s\"");
    node.script("tool", "exit 75");
    node.job("N0001", "tool x", "");
    node.run(&[]);
    assert!(node.has(".Failed/alpha/X./X.alphaN0001"));
    assert!(node.has(".Failed/alpha/D./D.alphaN0001"));
    assert_eq!(node.told(), ["alpha!joe", "postmaster"]);
}

#[test]
fn a_job_waits_for_its_files() {
    let node = Node::new();
    node.execute_file(
        "alpha",
        "X.alphaN0001",
        "U joe alpha\nF D.alphaN0001\nI D.alphaN0001\nC rmail x\n",
    );
    for _ in 0..2 {
        node.run(&["--now"]);
        assert!(node.has("alpha/X./X.alphaN0001"));
        assert_eq!(node.told(), [""; 0]);
    }
    assert_eq!(node.runs(), [""; 0]);
    node.data_file("alpha", "D.alphaN0001", "here\n");
    node.run(&[]);
    assert_eq!(node.runs(), ["rmail x"]);
    assert_eq!(node.files("alpha"), [""; 0]);
}

#[test]
fn a_file_that_never_comes_is_told_after_the_age_limit() {
    let node = Node::with("", "[execution]\nage-limit = \"0s\"");
    node.execute_file(
        "alpha",
        "X.alphaN0001",
        "U joe alpha\nF D.alphaN0001\nC rmail x\n",
    );
    node.run(&[]);
    assert!(
        node.has("alpha/X./X.alphaN0001"),
        "the first look only notes it"
    );
    node.run(&[]);
    assert!(node.has(".Failed/alpha/X./X.alphaN0001"));
    assert_eq!(node.told(), ["alpha!joe", "postmaster"]);
}

#[test]
fn what_cannot_be_understood_is_set_aside_with_its_data() {
    let garbage: Vec<u8> = (0..=255).cycle().take(5000).collect();
    for content in [
        &b""[..],
        b"U joe alpha\nF D.alphaN0001\nI D.alphaN0001\n",
        b"U joe alpha\nI a b\nC rmail x\n",
        // One would be copied onto the other.
        b"U joe alpha\nF D.alphaN0001 in\nF D.alphaN0001 in\nC tool in\n",
        b"U joe al",
        &garbage,
    ] {
        let node = Node::new();
        node.data_file("alpha", "D.alphaN0001", "mail\n");
        node.execute_file("alpha", "X.alphaN0001", content);
        node.run(&[]);
        assert_eq!(node.runs(), [""; 0]);
        assert!(!node.has("alpha/X./X.alphaN0001"), "{content:?}");
        let data = node.path("spool/alpha/D./D.alphaN0001");
        assert_eq!(fs::read(data).unwrap(), b"mail\n", "{content:?}");
        let kept = node.files(".Corrupt");
        assert_eq!(kept.len(), 1, "{kept:?}");
        let path = node.path("spool/.Corrupt").join(&kept[0]);
        assert_eq!(fs::read(path).unwrap(), content);
        assert!(
            node.log().contains("ERROR: X.alphaN0001: "),
            "{}",
            node.log()
        );
        assert_eq!(node.told(), ["postmaster"]);
    }
}
