//! The program as Postfix sees it: exit status, its one line, and what is in the spool afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod batched;
mod common;
mod repeats;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use common::{MESSAGE, PROGRAM, Site};
use suite_tests::alone::{assert_queued, assert_refused, wait};

#[test]
fn one_message_becomes_one_job_for_all_recipients() {
    let site = Site::new();
    assert_queued(&site.deliver("B1", &["alice@leaf.lab", "carl@leaf.lab"]));
    let jobs = site.jobs();
    assert_eq!(jobs.len(), 1);
    let line = &jobs[0].line;
    assert!(line.starts_with("E D."), "{line}");
    assert!(line.contains(" D.hubC"), "{line}");
    assert!(
        line.contains(" -CZR D.")
            && line.ends_with(" 0666 bob@hub.lab 0 rmail alice@leaf.lab carl@leaf.lab"),
        "{line}"
    );
    assert_eq!(jobs[0].message(), MESSAGE);
    let from = jobs[0].first_line();
    assert!(from.starts_with("From bob@hub.lab  "), "{from}");
}

#[test]
fn modes_do_not_follow_the_umask() {
    let site = Site::new();
    assert_queued(&site.deliver("B1", &["alice@leaf.lab"]));
    for kind in ["C.", "D."] {
        let folder = site.root.join("spool/leaf").join(kind);
        for entry in fs::read_dir(folder).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o660, "{kind} {mode:o}");
        }
    }
}

#[test]
fn the_null_sender_is_null_for_every_rmail_and_is_told_nothing() {
    for sender in ["", "MAILER-DAEMON"] {
        let site = Site::new();
        let arguments = site.arguments("B1", sender, &["alice@leaf.lab", "a b@leaf.lab"]);
        assert_queued(&site.run(&arguments, MESSAGE));
        let jobs = site.jobs();
        assert!(jobs[0].first_line().starts_with("From <>  "));
        assert!(jobs[0].line.contains(" -CN D."), "{}", jobs[0].line);
        assert!(jobs[0].line.ends_with(" \"\" 0 rmail alice@leaf.lab"));
        assert!(site.reports().is_empty());
    }
}

#[test]
fn permanent_faults_of_the_message_itself() {
    let site = Site::new();
    let with = |extra: &str| {
        let mut arguments = site.arguments("B1", "bob@hub.lab", &["alice@leaf.lab"]);
        arguments.insert(0, extra.to_owned());
        arguments
    };
    let mut unknown = site.arguments("B1", "bob@hub.lab", &["alice@leaf.lab"]);
    for argument in &mut unknown {
        if argument.starts_with("--host=") {
            *argument = "--host=nowhere".to_owned();
        }
    }
    assert_refused(&site.run(&unknown, MESSAGE), 68, "5.1.2 ");
    assert_refused(&site.run(&with("--size-limit=20"), MESSAGE), 65, "5.3.4 ");
    assert_refused(&site.deliver("B1", &["\"a b\"@leaf.lab"]), 67, "5.1.3 ");
    assert_refused(
        &site.deliver("B1", &["a\\b@leaf.lab", "\"c d\"@x"]),
        67,
        "5.1.3 ",
    );
    site.assert_clean();
}

#[test]
fn local_trouble_is_always_75() {
    let site = Site::new();
    let good = site.arguments("B1", "bob@hub.lab", &["alice@leaf.lab"]);
    let replaced = |from: &str, to: &str| -> Vec<String> {
        good.iter().map(|a| a.replace(from, to)).collect()
    };
    for arguments in [
        replaced("--config=", "--no-such-option="),
        replaced("/etc/config", "/etc/nothing-here"),
        replaced("--size=312", "--grade=!"),
        replaced("--size=312", "--command= "),
        replaced("--size=312", "--deadline=0"),
        good[..good.len() - 1].to_vec(),
    ] {
        assert_refused(&site.run(&arguments, MESSAGE), 75, "4.3.");
    }
    assert_refused(&site.run(&good, b""), 75, "4.3.0 ");
    assert_refused(
        &site.run_in_shell("exec \"$@\" 2>&1 <&-", &good, b""),
        75,
        "4.3.0 ",
    );
    fs::write(site.root.join("etc/sys"), "no-such-command x\n").unwrap();
    assert_refused(&site.run(&good, MESSAGE), 75, "4.3.");
    fs::write(
        site.root.join("etc/sys"),
        "system other\nno-such-command x\n",
    )
    .unwrap();
    assert_refused(&site.run(&good, MESSAGE), 75, "4.3.5 ");
    fs::remove_file(site.root.join("etc/sys")).unwrap();
    assert_refused(&site.run(&good, MESSAGE), 75, "4.3.");
    site.assert_clean();

    let site = Site::new();
    fs::remove_dir(site.root.join("spool")).unwrap();
    fs::write(site.root.join("spool"), "no directory").unwrap();
    assert_refused(&site.deliver("B1", &["alice@leaf.lab"]), 75, "4.3.0 ");
}

#[test]
fn a_full_disk_is_75_and_leaves_nothing() {
    let site = Site::new();
    let mut message = MESSAGE.to_vec();
    message.resize(200_000, b'x');
    let arguments = site.arguments("B1", "bob@hub.lab", &["alice@leaf.lab"]);
    // As under Postfix, SIGXFSZ is ignored: the write fails instead.
    let script = "trap '' XFSZ PIPE; ulimit -f 16; exec \"$@\" 2>&1";
    assert_refused(
        &site.run_in_shell(script, &arguments, &message),
        75,
        "4.3.0 ",
    );
    site.assert_clean();
    assert_queued(&site.run(&arguments, &message));
    assert_eq!(site.jobs()[0].message(), message);
}

#[test]
fn odd_recipients_are_carried_exactly_or_reported_each_for_itself() {
    let site = Site::new();
    let recipients = [
        "-x@dom",
        "~root@leaf.lab",
        "\"p(q)\"@leaf.lab",
        "\"x)y\"@leaf.lab",
        "a;b$(id)`id`>x<y@leaf.lab",
        "o'brien@leaf.lab",
        "x!y@dom",
        "u%h@dom",
        "\u{17e}ofie@leaf.lab",
        "alice@leaf.lab",
    ];
    let carried = [
        "\"-x\"@dom",
        "~~root@leaf.lab",
        "\"p(q)\"@leaf.lab",
        "\"x)y\"@leaf.lab",
        "a;b$(id)`id`>x<y@leaf.lab",
        "o'brien@leaf.lab",
        "x!y@dom",
        "u%h@dom",
        "\u{17e}ofie@leaf.lab",
        "alice@leaf.lab",
    ];
    let refused = [
        "\"a b\"@leaf.lab",
        "a b@leaf.lab",
        "\"bs\\\\x\"@leaf.lab",
        "tab\t@leaf.lab",
        "line\nfeed@leaf.lab",
        "cr\r@leaf.lab",
        "-x!y@dom",
    ];
    let all: Vec<&str> = refused.iter().chain(&recipients).copied().collect();
    assert_queued(&site.deliver("B1", &all));
    let jobs = site.jobs();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].recipients(), carried);
    let reports = site.reports();
    assert_eq!(reports.len(), 1);
    let report = &reports[0];
    assert_eq!(
        report.matches("Final-Recipient:").count(),
        refused.len(),
        "{report}"
    );
    assert!(
        report.contains("5.1.3") && report.contains("bob@hub.lab"),
        "{report}"
    );
    assert!(
        report.contains("Subject: x"),
        "the original's header: {report}"
    );
}

#[test]
fn fifty_recipients_and_command_lines_of_bounded_length() {
    let site = Site::new();
    let short: Vec<String> = (0..50).map(|n| format!("user{n:02}@leaf.lab")).collect();
    let short: Vec<&str> = short.iter().map(String::as_str).collect();
    assert_queued(&site.deliver("B1", &short));
    assert_eq!(site.jobs().len(), 1);
    assert_eq!(site.queued(), short);

    let site = Site::new();
    let long: Vec<String> = (0..50)
        .map(|n| format!("{}{n:02}@leaf.lab", "u".repeat(220)))
        .collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    assert_queued(&site.deliver("B1", &long));
    assert_eq!(site.queued(), long);
    let jobs = site.jobs();
    assert!(jobs.len() > 2);
    for job in jobs {
        assert!(job.line.len() < 4300, "{}", job.line.len());
        assert_eq!(job.message(), MESSAGE);
    }
}

#[test]
fn every_byte_of_the_message_is_kept() {
    let site = Site::new();
    let mut message = MESSAGE.to_vec();
    message
        .extend_from_slice(b"nul\0 bare\rcr crlf\r\n8bit \xe4\xf6 utf8 \xc5\xbe\n.\n..\nFrom me\n");
    message.resize(message.len() + 70_000, b'l');
    message.extend_from_slice(b"\n");
    message.extend((0..300_000_u32).flat_map(u32::to_le_bytes));
    let arguments = site.arguments("B1", "bob@hub.lab", &["alice@leaf.lab"]);
    assert_queued(&site.run(&arguments, &message));
    assert_eq!(site.jobs()[0].message(), message);
}

#[test]
fn grade_command_and_from_line_are_options() {
    let site = Site::new();
    let mut arguments = site.arguments("B1", "bob@far.example", &["alice@leaf.lab"]);
    for option in [
        "--grade-by-size=50:d,1M:z",
        "--command=crmail -q",
        "--from-line=remote-from",
    ] {
        arguments.insert(0, option.to_owned());
    }
    assert_queued(&site.run(&arguments, MESSAGE));
    let job = site.jobs().remove(0);
    assert!(job.line.contains(" D.hubd"), "{}", job.line);
    assert!(
        job.line.ends_with(" 0 crmail -q alice@leaf.lab"),
        "{}",
        job.line
    );
    let from = job.first_line();
    assert!(
        from.starts_with("From far.example!bob ") && from.ends_with(" remote from hub"),
        "{from}"
    );
    let names = fs::read_dir(site.root.join("spool/leaf/C.")).unwrap();
    for name in names {
        let name = name.unwrap().file_name();
        assert!(name.to_str().unwrap().starts_with("C.d"));
    }

    let site = Site::new();
    let mut arguments = site.arguments("B1", "bob@far.example", &["alice@leaf.lab"]);
    arguments.insert(0, "--from-line=none".to_owned());
    assert_queued(&site.run(&arguments, MESSAGE));
    assert_eq!(site.jobs()[0].data, MESSAGE);
}

#[test]
fn mail_toml_settles_what_no_option_does() {
    let site = Site::new();
    let text = "[sending]\ngrade = \"A\"\n[neighbour.leaf.sending]\nsize-limit = 1000\nfrom-line = \"remote-from\"\n";
    fs::write(site.root.join("etc/mail.toml"), text).unwrap();
    assert_queued(&site.deliver("B1", &["alice@leaf.lab"]));
    let job = site.jobs().remove(0);
    assert!(job.line.contains(" D.hubA"), "{}", job.line);
    assert!(job.first_line().ends_with(" remote from hub"));
    let arguments = site.arguments("B2", "bob@hub.lab", &["alice@leaf.lab"]);
    assert_refused(&site.run(&arguments, &[b'x'; 1001]), 65, "5.3.4 ");
    fs::write(site.root.join("etc/mail.toml"), "[sendnig]\n").unwrap();
    assert_refused(&site.deliver("B3", &["alice@leaf.lab"]), 75, "4.3.5 ");
}

#[test]
fn the_system_may_be_an_alias_or_in_capitals() {
    for host in ["l2", "Leaf"] {
        let site = Site::new();
        let arguments: Vec<String> = site
            .arguments("B1", "bob@hub.lab", &["alice@leaf.lab"])
            .iter()
            .map(|a| a.replace("--host=leaf", &format!("--host={host}")))
            .collect();
        assert_queued(&site.run(&arguments, MESSAGE));
        assert_eq!(site.jobs().len(), 1);
    }
}

#[test]
fn a_dry_run_queues_nothing() {
    let site = Site::new();
    let mut arguments = site.arguments("B1", "bob@hub.lab", &["alice@leaf.lab", "a b@x"]);
    arguments.insert(0, "--dry-run".to_owned());
    let outcome = site.run(&arguments, MESSAGE);
    assert_eq!(outcome.status, Some(0));
    assert!(
        outcome.said.starts_with("leaf C E D.0001 D.hubC0001 ")
            && outcome.said.contains(" 0 rmail alice@leaf.lab\n")
            && outcome.said.contains("refused a b@x"),
        "{}",
        outcome.said
    );
    site.assert_clean();
}

#[test]
fn the_deadline_is_kept_whoever_hangs() {
    let site = Site::new();
    let mut arguments = site.arguments("B1", "bob@hub.lab", &["alice@leaf.lab"]);
    arguments.insert(0, "--deadline=1".to_owned());
    let begun = Instant::now();
    let mut child = site
        .command("exec \"$@\" 2>&1", &arguments)
        .spawn()
        .unwrap();
    // Half a message, and then nothing.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(MESSAGE).unwrap();
    let outcome = wait(child);
    drop(stdin);
    assert_refused(&outcome, 75, "4.3.0 ");
    assert!(begun.elapsed() < Duration::from_mins(2));
    assert!(site.jobs().is_empty());
}

/// Postfix's delivery agent dies while it hands the message in: what came is not the whole message.
#[test]
fn a_message_whose_giver_died_is_not_queued() {
    let site = Site::new();
    let fifo = site.root.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let answer = site.root.join("answer");
    let arguments = site.arguments("B1", "bob@hub.lab", &["alice@leaf.lab"]);
    // The program's own parent is the one that dies.
    let script = format!(
        "(exec \"$@\" <{} >{} 2>&1) & read -r line",
        fifo.display(),
        answer.display()
    );
    let mut shell = site.command(&script, &arguments).spawn().unwrap();
    let mut message = fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    // More than a pipe holds: when this returns, the program reads.
    message.write_all(&vec![b'x'; 1 << 20]).unwrap();
    drop(shell.stdin.take());
    shell.wait().unwrap();
    drop(message);
    let until = Instant::now() + Duration::from_mins(2);
    let said = loop {
        let said = fs::read_to_string(&answer).unwrap_or_default();
        if said.ends_with('\n') || Instant::now() > until {
            break said;
        }
        std::thread::yield_now();
    };
    assert!(said.starts_with("4.3.0 "), "{said}");
    assert!(site.jobs().is_empty());
}

#[test]
fn help_and_version_are_answers() {
    for option in ["--help", "--version"] {
        let output = std::process::Command::new(PROGRAM)
            .arg(option)
            .output()
            .unwrap();
        assert!(output.status.success());
        assert!(!output.stdout.is_empty() && output.stderr.is_empty());
    }
}
