//! Programs that are setuid and setgid to the owner of the spool: what they refuse, and what is not done with the rights that they lend.

use std::os::unix::fs::symlink;

use nix::sys::signal::Signal;

use super::installed::{ANN, Installed, set};
use super::*;

#[test]
fn nothing_is_read_that_who_queues_may_not_read() {
    let site = Site::new("rights");
    let Some(installed) = Installed::or_skip(&site, "nothing_is_read_that_who_queues_may_not_read")
    else {
        return;
    };
    let node = &installed.node;
    let secret = |name: &str, user, mode| {
        let path = site.path().join(name);
        fs::write(&path, "hands off\n").unwrap();
        set(&path, user, user, mode);
        path.display().to_string()
    };
    let inside = node.spool().join("inside");
    fs::write(&inside, "hands off\n").unwrap();
    set(&inside, 10, 10, 0o660);
    let secrets = [
        secret("roots", 0, 0o600),
        secret("uucps", 10, 0o600),
        secret("bobs", 4713, 0o600),
        inside.display().to_string(),
    ];
    let link = installed.path("ann/link");
    let link = link.display().to_string();
    for path in &secrets {
        let _ = fs::remove_file(&link);
        symlink(path, &link).unwrap();
        for path in [path, &link] {
            let bang = format!("!{path}");
            let input = format!("<{path}");
            let copy = installed.path("ann/copy").display().to_string();
            for (program, words) in [
                ("uux", &["-r", "-C", "hub!store", "x", &bang][..]),
                ("uux", &["-r", "-c", "hub!store", "x", &bang]),
                ("uux", &["-r", "-l", "hub!store", "x", &bang]),
                ("uux", &["-r", "hub!store", "x", &input]),
                ("uux", &["-r", "!rmail", "x", &bang]),
                ("uux", &["-r", "!rmail", "x", &input]),
                ("uux", &["-r", "-I", path, "hub!store", "x"]),
                ("uucp", &["-r", path, "hub!~/x"]),
                ("uucp", &["-r", "-c", path, "hub!~/x"]),
                ("uucp", &["-r", path, "hub!far!~/x"]),
                ("uucp", &[path, &copy]),
                ("uuto", &["-r", "-C", path, "hub!bob"]),
            ] {
                let run = installed.by_ann(program, words);
                assert!(!run.status.success(), "{program} {words:?}: {run:?}");
                assert!(!run.output.contains("hands off"), "{run:?}");
            }
        }
    }
    // What is there is the one that the test has put there.
    assert_eq!(installed.holding("hands off"), 1);
    assert_eq!(installed.jobs(), [""; 0]);
}

#[test]
fn nothing_is_written_for_a_user_but_to_the_spool() {
    let site = Site::new("rights");
    let name = "nothing_is_written_for_a_user_but_to_the_spool";
    let Some(installed) = Installed::or_skip(&site, name) else {
        return;
    };
    let node = &installed.node;
    let file = installed.anns_file("file", "text\n", 0o644);
    let store = ["-r", "-x", "all", "hub!store", "x"];
    let debugged = installed.by_ann("uux", &store);
    debugged.expect_success("uux");
    assert!(
        debugged.output.contains("cannot write debugging messages"),
        "{debugged:?}"
    );
    // Nor where the first message comes when the owner's rights are there for good.
    installed
        .by_ann("uux", &["-r", "-x", "execute", "!rmail", "x"])
        .expect_success("uux");
    assert!(!node.path("log/Debug").exists());
    // Where she may write, she reads what she has asked for, and it is hers; a link of hers leads nowhere else.
    let config = process::lossy(&node.config());
    let debug = installed.path("ann/Debug");
    let changed = config.replace(
        &format!("debugfile {}", node.path("log/Debug").display()),
        &format!("debugfile {}", debug.display()),
    );
    node.write("etc/config", &changed);
    installed.by_ann("uux", &store).expect_success("uux");
    assert_eq!(fs::metadata(&debug).unwrap().uid(), 4712);
    fs::remove_file(&debug).unwrap();
    symlink(node.spool().join("debug"), &debug).unwrap();
    installed.by_ann("uux", &store).expect_success("uux");
    assert!(!node.spool().join("debug").exists());
    for to in [
        node.path("spool/x"),
        node.path("log/x"),
        node.path("etc/sys"),
    ] {
        let to = to.display().to_string();
        let run = installed.by_ann("uucp", &[&file, &to]);
        assert!(!run.status.success(), "{to}: {run:?}");
        assert!(process::lossy(Path::new(&to)) != "text\n", "{to}");
    }
    let own = installed.path("ann/own");
    installed
        .by_ann("uucp", &[&file, own.to_str().unwrap()])
        .expect_success("uucp");
    let found = fs::metadata(&own).unwrap();
    assert_eq!((found.uid(), found.gid()), (4712, 4712));
    // What is executed here for her is what sys permits.
    let mark = node.path("stored/mark").display().to_string();
    let output = format!(">{mark}");
    for words in [
        &["-r", "!touch", &mark][..],
        &["-r", "!/usr/bin/touch", &mark],
        &["-r", "!rmail", "ann", &output],
        &["-r", "!uucp", &file, &mark],
    ] {
        installed.by_ann("uux", words);
    }
    node.run("uuxqt", &[]);
    assert!(!Path::new(&mark).exists());
}

#[test]
fn who_names_a_configuration_has_his_own_rights() {
    let site = Site::new("rights");
    let Some(installed) = Installed::or_skip(&site, "who_names_a_configuration_has_his_own_rights")
    else {
        return;
    };
    let node = &installed.node;
    let config = installed.anns_file("config", &process::lossy(&node.config()), 0o644);
    set(&node.path("etc/sys"), 10, 10, 0o644);
    for options in [["-I", &config], ["--config", &config]] {
        let words = [&options[..], &["-r", "hub!store", "x"]].concat();
        let run = installed.by_ann("uux", &words);
        assert_eq!(run.status.code(), Some(75), "{run:?}");
        let spool = node.spool().display().to_string();
        assert!(run.output.contains(&spool), "{run:?}");
    }
    assert!(!node.spool().join("hub").exists());
    let mut command = installed.command(ANN, &installed.program("uux"), &["-r", "hub!store", "x"]);
    command.env(
        "BANGPATH_CONFIG",
        installed.anns_file("other", "spool /nowhere\n", 0o644),
    );
    process::run(command, site.path()).expect_success("uux");
    assert_eq!(installed.jobs().len(), 1);
}

#[test]
fn wrong_bits_are_refused() {
    let site = Site::new("rights");
    let Some(installed) = Installed::or_skip(&site, "wrong_bits_are_refused") else {
        return;
    };
    let node = &installed.node;
    for part in ["etc/config", "etc/sys"] {
        set(&node.path(part), 10, 10, 0o644);
    }
    for (user, group, mode, wanted) in [
        (10, 10, 0o4755, "must have mode 6755"),
        (10, 10, 0o2755, "must have mode 6755"),
        (0, 0, 0o6755, "must have mode 6755"),
        (0, 10, 0o6755, "must have mode 6755"),
        (10, 0, 0o6755, "must have mode 6755"),
        (0, 0, 0o4755, "must have mode 6755"),
        (4713, 4713, 0o6755, "is not the spool of the user"),
        (4713, 10, 0o6755, "is not the spool of the user"),
    ] {
        for (program, status) in [("uux", 75), ("uucp", 1)] {
            let path = installed.copy(program, user, group, mode);
            let words: &[&str] = match program {
                "uux" => &["-r", "hub!store", "x"],
                _ => &["-r", "/etc/passwd", "hub!~/x"],
            };
            let run = installed.run(ANN, &path, words);
            assert_eq!(run.status.code(), Some(status), "{mode:o}: {run:?}");
            assert!(
                run.output.contains(wanted),
                "{user} {group} {mode:o}: {run:?}"
            );
        }
    }
    // Of a group of the owner's, too.
    let half = installed.copy("uux", 10, 10, 0o4755);
    let run = installed.run(["4712", "10", "10"], &half, &["-r", "hub!store", "x"]);
    assert!(run.output.contains("must have mode 6755"), "{run:?}");
    for program in [
        "uucico",
        "uuxqt",
        "uuchk",
        "rmail",
        "rsmtp",
        "postfix-uucp",
        "exim-bsmtp",
    ] {
        let path = installed.copy(program, 10, 10, 0o6755);
        let run = installed.run(ANN, &path, &[]);
        let wanted = "is not made to be setuid or setgid: chmod ug-s";
        assert!(
            !run.status.success() && run.output.contains(wanted),
            "{program}: {run:?}"
        );
    }
    assert!(!node.spool().join("hub").exists() && !node.path("log/Log").exists());
}

#[test]
fn nothing_is_started_with_rights_that_were_lent() {
    let site = Site::new("rights");
    let name = "nothing_is_started_with_rights_that_were_lent";
    let Some(installed) = Installed::or_skip(&site, name) else {
        return;
    };
    let told = installed.tell_instead(&["uucico", "uuxqt"]);
    let uux = installed.program("uux");
    let jobs = [["hub!rmail", "(x)"], ["!rmail", "(x)"]];
    for words in jobs {
        installed.run(ANN, &uux, &words).expect_success("uux");
    }
    // Where nothing is lent, both are.
    for words in jobs {
        installed.run(UUCP, &uux, &words).expect_success("uux");
    }
    let started = process::wait_for("uucico and uuxqt", process::PATIENCE, || {
        let text = process::lossy(&told);
        (text.contains("uucico") && text.contains("uuxqt")).then_some(text)
    });
    assert_eq!(started.lines().count(), 2, "{started}");
}

#[test]
fn what_stands_in_the_configuration_is_told_to_nobody_who_may_not_read_it() {
    let site = Site::new("rights");
    let name = "what_stands_in_the_configuration_is_told_to_nobody_who_may_not_read_it";
    let Some(installed) = Installed::or_skip(&site, name) else {
        return;
    };
    let sys = installed.node.path("etc/sys");
    let text = process::lossy(&sys);
    fs::write(&sys, format!("{text}\nsystem bad\nchat-timeout s3cr3t\n")).unwrap();
    let uux = installed.program("uux");
    for words in [["-r", "bad!store"], ["-r", "nowhere!store"]] {
        let run = installed.run(ANN, &uux, &words);
        assert!(!run.status.success(), "{run:?}");
        assert!(!run.output.contains("s3cr3t"), "{run:?}");
    }
}

#[test]
fn nobodys_terminal_stops_what_has_a_lock() {
    let site = Site::new("rights");
    let Some(installed) = Installed::or_skip(&site, "nobodys_terminal_stops_what_has_a_lock")
    else {
        return;
    };
    // It waits for a lock that a live process has.
    let held = format!("{:10}\n", std::process::id());
    installed.node.write("lock/LCK..leaf", &held);
    let words = ["-r", "!rmail", "x"];
    let command = installed.command(ANN, &installed.program("uux"), &words);
    let running = Running::start(command, &site.path().join("waits"));
    let status = PathBuf::from(format!("/proc/{}/status", running.pid()));
    let stops = [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU];
    let bits: u64 = stops.iter().map(|signal| 1 << (*signal as u64 - 1)).sum();
    process::wait_for("signals to be blocked", process::PATIENCE, || {
        let text = process::lossy(&status);
        let mask = text.lines().find_map(|line| line.strip_prefix("SigBlk:"))?;
        let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
        let is_owner = text.contains("Uid:\t10\t10\t10\t10");
        (is_owner && mask & bits == bits).then_some(())
    });
    fs::remove_file(installed.node.path("lock/LCK..leaf")).unwrap();
    running.finish(process::PATIENCE).expect_success("uux");
}

#[test]
fn the_time_in_the_log_is_not_that_of_who_queues() {
    let site = Site::new("rights");
    let name = "the_time_in_the_log_is_not_that_of_who_queues";
    let Some(installed) = Installed::or_skip(&site, name) else {
        return;
    };
    // Without /etc/localtime it is UTC.
    let now = || {
        let mut date = Command::new("date");
        date.args(["-u", "+%Y-%m-%d %H:%M:%S"]);
        process::run(date, site.path()).output.trim().to_owned()
    };
    let before = now();
    let words = ["-r", "hub!store", "x"];
    let mut command = installed.command(ANN, &installed.program("uux"), &words);
    command.env("TZ", "XYZ-12");
    process::run(command, site.path()).expect_success("uux");
    let log = installed.node.log();
    let (_, rest) = log.split_once('(').unwrap();
    let told = &rest[..before.len()];
    assert!(*before <= *told && *told <= *now(), "{before}: {log}");
}
