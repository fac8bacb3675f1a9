//! Programs that are setuid and setgid to the owner of the spool: every user queues, and it is as if the owner had.

use std::io::Write as _;
use std::os::unix::fs::symlink;

use nix::sys::signal::{Signal, kill};

use super::installed::{ANN, Installed, UNNAMED, held_input, read, set};
use super::*;

/// Spool names become their kinds, so that jobs can be compared.
fn without_names(job: &str) -> String {
    let plain = |word: &str| match word.get(..2) {
        Some(kind @ ("D." | "X.")) => kind.to_owned(),
        _ => word.to_owned(),
    };
    let line = |line: &str| line.split(' ').map(plain).collect::<Vec<_>>().join(" ");
    job.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_user_queues_what_the_owner_would_and_in_his_own_name() {
    let site = Site::new("rights");
    let name = "every_user_queues_what_the_owner_would_and_in_his_own_name";
    let Some(installed) = Installed::or_skip(&site, name) else {
        return;
    };
    let node = &installed.node;
    let file = installed.path("ann/private");
    fs::write(&file, "Ann's own\n").unwrap();
    let path = file.display().to_string();
    let bang = format!("!{path}");
    let ways: [(&str, &[&str]); 6] = [
        ("uux", &["-r", "-", "hub!store", "mail"]),
        ("uux", &["-r", "-C", "hub!store", "other", &bang]),
        ("uux", &["-r", "-l", "hub!store", "linked", &bang]),
        ("uux", &["-r", "hub!"]),
        ("uucp", &["-r", "-u", "hub!root", &path, "hub!~/f"]),
        ("uuto", &["-r", "-C", &path, "hub!bob"]),
    ];
    for (program, words) in ways {
        let mut seen = Vec::new();
        for (ids, user) in [(UUCP, "uucp"), (ANN, "ann"), (UNNAMED, "4799")] {
            // The owner queues with the same programs, and needs no bits.
            let _ = fs::remove_dir_all(node.spool().join("hub"));
            let id = ids[0].parse().unwrap();
            set(&file, id, id, 0o600);
            chown(file.parent().unwrap(), Some(id), Some(id)).unwrap();
            let words: Vec<&str> = match ids {
                UUCP => words
                    .iter()
                    .copied()
                    .filter(|w| !["-u", "hub!root"].contains(w))
                    .collect(),
                _ => words.to_vec(),
            };
            let command = installed.command(ids, &installed.program(program), &words);
            let run = process::run_with_input(command, b"Some mail\n", site.path());
            run.expect_success(program);
            let jobs = installed.jobs();
            assert_eq!(jobs.len(), 1, "{program} {words:?}");
            let data = std::cell::RefCell::new(Vec::new());
            every(vec![node.spool().join("hub")], |path, found| {
                if found.is_file() && !path.parent().unwrap().ends_with("C.") {
                    let text = process::lossy(path).replace(user, "USER");
                    data.borrow_mut().push(without_names(&text));
                }
            });
            let mut data = data.into_inner();
            data.sort();
            let job = without_names(&jobs[0]).replace(&format!(" {user} "), " USER ");
            seen.push((job, data));
            installed.all_is_the_owners();
            let text = jobs[0].clone();
            assert!(
                text.is_empty() || text.contains(&format!(" {user} ")),
                "{text}"
            );
        }
        assert_eq!(seen[0], seen[1], "{program} {words:?}");
        assert_eq!(seen[0], seen[2], "{program} {words:?}");
    }
}

#[test]
fn what_a_user_has_queued_arrives() {
    let site = Site::new("rights");
    let Some(installed) = Installed::or_skip(&site, "what_a_user_has_queued_arrives") else {
        return;
    };
    let hub = telling_node(&site, "hub");
    hub.add_store_command();
    hub.add_neighbour("leaf", "", &Reach::Never, "");
    let leaf = &installed.node;
    leaf.write("etc/sys", "");
    leaf.add_neighbour("hub", "", &Reach::Pipe(hub.answer_command()), "");
    let private = installed.anns_file("private", "Ann's own\n", 0o600);
    let open = installed.anns_file("open", "for all\n", 0o644);
    let swapped = installed.anns_file("swapped", "for all\n", 0o644);
    let run = |name: &str, words: &[&str]| installed.by_ann(name, words).expect_success(name);
    let command = installed.command(
        ANN,
        &installed.program("uux"),
        &["-r", "-", "hub!store", "mail"],
    );
    process::run_with_input(command, b"Some mail\n", site.path()).expect_success("uux");
    run("uucp", &["-r", &private, "hub!~/private"]);
    run("uucp", &["-r", "-c", &open, "hub!~/open"]);
    run("uucp", &["-r", "-c", &swapped, "hub!~/swapped"]);
    let other = installed.by_ann("uucp", &["-r", "-c", &private, "hub!~/other"]);
    assert!(!other.status.success(), "{other:?}");
    // What the owner may read by its group, and Ann may not, comes into the place of her file.
    let secret = leaf.path("etc/passwd");
    set(&secret, 0, 10, 0o640);
    fs::remove_file(&swapped).unwrap();
    symlink(&secret, &swapped).unwrap();
    leaf.call("hub");
    hub.run("uuxqt", &[]).expect_success("uuxqt");
    assert_eq!(process::lossy(&hub.path("stored/mail")), "Some mail\n");
    assert_eq!(process::lossy(&hub.public().join("private")), "Ann's own\n");
    assert_eq!(process::lossy(&hub.public().join("open")), "for all\n");
    assert!(!hub.public().join("swapped").exists());
    let log = leaf.log();
    assert!(log.contains("who has queued it may not read it"), "{log}");
}

#[test]
fn a_log_line_is_whole_or_not_there() {
    let site = Site::new("rights");
    let Some(installed) = Installed::or_skip(&site, "a_log_line_is_whole_or_not_there") else {
        return;
    };
    let log = installed.node.path("log/Log");
    let before = "uux hub uucp (2026-11-20 11:50:07.42 7) Queuing x\n".repeat(110);
    fs::write(&log, &before[..5100]).unwrap();
    set(&log, 10, 10, 0o660);
    // Of ten blocks twenty bytes are left.
    let line = format!(
        "ulimit -f 10; exec {} -r hub!store x",
        installed.program("uux").display()
    );
    let run = installed.run(ANN, Path::new("/bin/sh"), &["-c", &line]);
    run.expect_success("uux");
    assert_eq!(read(&log), &before.as_bytes()[..5100]);
    assert_eq!(installed.jobs().len(), 1);
}

#[test]
fn what_is_made_has_the_same_modes_whatever_the_umask_of_who_queues() {
    let name = "what_is_made_has_the_same_modes_whatever_the_umask_of_who_queues";
    let made = ["022", "000", "777"].map(|umask| {
        let site = Site::new("rights");
        let installed = Installed::or_skip(&site, name)?;
        let uux = installed.program("uux");
        for words in ["hub!store x", "'!rmail' x"] {
            let line = format!("umask {umask}; exec {} -r {words}", uux.display());
            installed
                .run(ANN, Path::new("/bin/sh"), &["-c", &line])
                .expect_success("uux");
        }
        let modes = std::cell::RefCell::new(Vec::new());
        let node = &installed.node;
        every(vec![node.path("spool"), node.path("log")], |path, found| {
            let folder = path.parent().unwrap().strip_prefix(node.folder());
            let folder = folder.unwrap().to_owned();
            let mode = format!("{:o}", found.mode());
            modes.borrow_mut().push((folder, mode));
        });
        let mut modes = modes.into_inner();
        modes.sort();
        Some(modes)
    });
    let [Some(usual), open, closed] = made else {
        return;
    };
    assert_eq!(open.as_ref(), Some(&usual));
    assert_eq!(closed.as_ref(), Some(&usual));
}

#[test]
fn who_kills_it_leaves_what_a_crash_leaves() {
    let site = Site::new("rights");
    let Some(installed) = Installed::or_skip(&site, "who_kills_it_leaves_what_a_crash_leaves")
    else {
        return;
    };
    let node = &installed.node;
    for words in [["-r", "-", "hub!store", "x"], ["-r", "-", "!rmail", "x"]] {
        let mut command = installed.command(ANN, &installed.program("uux"), &words);
        let mut input = held_input(&mut command);
        let running = Running::start(command, &site.path().join("killed"));
        input.write_all(&vec![b'x'; 200_000]).unwrap();
        // The caller may, as long as the input that he gives is read; and whoever looks finds nothing that is not the caller's.
        let pid = running.pid();
        let status = PathBuf::from(format!("/proc/{pid}/status"));
        process::wait_for("input to be read as Ann", process::PATIENCE, || {
            let text = process::lossy(&status);
            text.contains("Uid:\t4712\t4712\t").then_some(())
        });
        assert_eq!(
            fs::metadata(format!("/proc/{pid}/environ")).unwrap().uid(),
            0
        );
        kill(pid, Signal::SIGKILL).unwrap();
        let run = running.finish(process::PATIENCE);
        assert!(!run.status.success());
        assert_eq!(installed.jobs(), [""; 0]);
        assert_eq!(node.leftovers(), [""; 0]);
        installed.all_is_the_owners();
    }
    installed
        .by_ann("uux", &["-r", "hub!store", "x"])
        .expect_success("uux");
    assert_eq!(installed.jobs().len(), 1);
}

#[test]
fn files_that_have_come_are_handed_out_to_whom_they_are_for() {
    let site = Site::new("rights");
    let name = "files_that_have_come_are_handed_out_to_whom_they_are_for";
    let Some(installed) = Installed::or_skip(&site, name) else {
        return;
    };
    let receive = installed.node.public().join("receive");
    for user in ["ann", "bob"] {
        let folder = receive.join(user).join("hub");
        fs::create_dir_all(&folder).unwrap();
        for folder in [&receive, &receive.join(user), &folder] {
            set(folder, 10, 10, 0o777);
        }
        fs::write(folder.join(format!("for-{user}")), user).unwrap();
        set(&folder.join(format!("for-{user}")), 10, 10, 0o666);
    }
    let secret = site.path().join("secret");
    fs::write(&secret, "hands off").unwrap();
    set(&secret, 10, 10, 0o600);
    symlink(&secret, receive.join("ann/hub/zlink")).unwrap();
    // Whatever is done while it asks is done by her, for good.
    let mut command = installed.command(ANN, &installed.program("uupick"), &[]);
    let input = held_input(&mut command);
    let asked = site.path().join("asked");
    let running = Running::start(command, &asked);
    process::wait_for("a question", process::PATIENCE, || {
        process::lossy(&asked).contains("for-ann").then_some(())
    });
    let status = process::lossy(Path::new(&format!("/proc/{}/status", running.pid())));
    for ids in ["Uid", "Gid"] {
        let wanted = format!("{ids}:\t4712\t4712\t4712\t4712\n");
        assert!(status.contains(&wanted), "{status}");
    }
    drop(input);
    running.finish(process::PATIENCE).expect_success("uupick");
    let inbox = installed.path("ann/in");
    let spool = installed.node.spool().display().to_string();
    let answers = format!("m {spool}\nm {}\np\nq\n", inbox.display());
    let command = installed.command(ANN, &installed.program("uupick"), &[]);
    let run = process::run_with_input(command, answers.as_bytes(), site.path());
    run.expect_success("uupick");
    assert!(
        !run.output.contains("for-bob") && !run.output.contains("hands off"),
        "{run:?}"
    );
    assert_eq!(process::lossy(&inbox.join("for-ann")), "ann");
    assert_eq!(fs::metadata(&inbox).unwrap().uid(), 4712);
}
