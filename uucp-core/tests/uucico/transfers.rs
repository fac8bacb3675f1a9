//! What moves in a call.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use crate::lab::{Lab, UUCICO, UUX, accept, script, text};
use crate::runnable::write_program;

/// A mail waits for beta, and a file that was not copied when it was queued.
fn with_a_file_that_is_gone() -> Lab {
    let lab = Lab::new("");
    lab.alpha.queue("beta", "joe", b"mail");
    queue_a_file_that_is_gone(&lab);
    lab
}

fn queue_a_file_that_is_gone(lab: &Lab) {
    lab.alpha.write(
        "spool/beta/C./C.N00000000001",
        "S /nowhere/file ~/there joe -c D.0001 0644 \n",
    );
}

#[test]
fn a_file_that_is_gone_is_given_up_and_its_user_is_told() {
    let lab = with_a_file_that_is_gone();
    let (output, answered) = lab.call();
    assert!(output.status.success() && answered, "{}", text(&output));
    assert_eq!(lab.alpha.queued("beta"), 0);
    assert_eq!(lab.beta.arrived("alpha"), [b"mail"]);
    let log = lab.alpha.log();
    assert!(log.contains("given up (/nowhere/file: "), "{log}");
    let told = lab.alpha.notes();
    assert!(told.contains("UUCP request to beta refused"), "{told}");
    // It is the same when nothing else is left to be said.
    queue_a_file_that_is_gone(&lab);
    let (output, answered) = lab.call();
    assert!(output.status.success() && answered, "{}", text(&output));
    assert_eq!(lab.alpha.queued("beta"), 0);
}

#[test]
fn a_file_that_is_gone_is_told_with_the_last_of_its_job() {
    let lab = Lab::new("");
    fs::write(lab.alpha.root.join("pub/there"), "text").unwrap();
    fs::create_dir_all(lab.alpha.root.join("spool/beta/C.")).unwrap();
    let there = lab.alpha.root.join("pub/there");
    lab.alpha.write(
        "spool/beta/C./C.N00000000001",
        &format!(
            "S /nowhere/file ~/gone joe -c D.0001 0644 \nS {} ~/there joe -c D.0002 0644 \n",
            there.display()
        ),
    );
    let public = fs::Permissions::from_mode(0o777);
    fs::set_permissions(lab.beta.root.join("pub"), public).unwrap();
    let (output, answered) = lab.call();
    assert!(output.status.success() && answered, "{}", text(&output));
    assert_eq!(lab.alpha.queued("beta"), 0);
    assert!(lab.beta.root.join("pub/there").exists());
    let told = lab.alpha.notes();
    assert_eq!(
        told.matches("UUCP request to beta refused").count(),
        1,
        "{told}"
    );
}

/// A peer names whom to tell of a file, and could fill a mailbox with that.
#[test]
fn of_files_for_somebody_so_many_are_told_in_an_hour() {
    let lab = Lab::new("");
    lab.beta
        .write("etc/mail.toml", "[policy]\nreports-per-hour = 2\n");
    let public = fs::Permissions::from_mode(0o777);
    fs::set_permissions(lab.beta.root.join("pub"), public).unwrap();
    fs::create_dir_all(lab.alpha.root.join("spool/beta/C.")).unwrap();
    let file = lab.alpha.root.join("pub/file");
    fs::write(&file, "text").unwrap();
    let lines = (0..3).map(|n| {
        let file = file.display();
        format!("S {file} ~/f{n} joe -cn D.{n:04} 0644 ann\n")
    });
    lab.alpha
        .write("spool/beta/C./C.N00000000001", &lines.collect::<String>());
    let (output, answered) = lab.call();
    assert!(output.status.success() && answered, "{}", text(&output));
    assert_eq!(lab.alpha.queued("beta"), 0, "{}", lab.alpha.log());
    assert!((0..3).all(|n| lab.beta.root.join(format!("pub/f{n}")).exists()));
    let told = lab.beta.notes();
    assert_eq!(told.matches("has sent a file for you").count(), 2, "{told}");
}

#[test]
fn what_is_refused_for_good_stays_until_its_user_can_be_told() {
    let lab = Lab::new("");
    lab.alpha.queue("beta", "joe", b"mail");
    let folder = lab.alpha.root.join("spool/beta/D.");
    fs::create_dir_all(&folder).unwrap();
    let data = fs::File::create(folder.join("D.0001")).unwrap();
    // Older than the request for it, as uux leaves them.
    data.set_modified(SystemTime::now() - Duration::from_secs(9))
        .unwrap();
    lab.alpha.write(
        "spool/beta/C./C.N00000000001",
        "S D.0001 /etc/x joe -C D.0001 0644 \n",
    );
    // No note can be queued while something else is in the place of their folder.
    let notes = lab.alpha.root.join("spool/.Bangpath/local-mail");
    fs::create_dir_all(notes.parent().unwrap()).unwrap();
    fs::write(&notes, "").unwrap();
    let kept = || lab.alpha.names(".Preserve");
    for _ in 0..2 {
        let (output, answered) = lab.call();
        assert!(output.status.success() && answered, "{}", text(&output));
        assert_eq!(lab.alpha.queued("beta"), 1, "{}", lab.alpha.log());
        assert_eq!(kept(), ["D.0001"]);
    }
    fs::remove_file(&notes).unwrap();
    lab.call();
    assert_eq!(lab.alpha.queued("beta"), 0, "{}", lab.alpha.log());
    assert!(!folder.join("D.0001").exists());
    assert_eq!(kept(), ["D.0001"]);
    let told = lab.alpha.notes();
    assert_eq!(
        told.matches("UUCP request to beta refused").count(),
        1,
        "{told}"
    );
    assert_eq!(lab.beta.arrived("alpha"), [b"mail"]);
}

#[test]
fn what_is_refused_and_cannot_be_kept_stays_and_holds_nothing_up() {
    let lab = Lab::new("");
    lab.alpha.queue("beta", "joe", b"mail");
    fs::create_dir_all(lab.alpha.root.join("spool/beta/D.")).unwrap();
    lab.alpha.write("spool/beta/D./D.0001", "text");
    // More urgent than the mail.
    lab.alpha.write(
        "spool/beta/C./C.A00000000001",
        "S D.0001 /etc/x joe -C D.0001 0644 \n",
    );
    let folder = lab.alpha.root.join("spool/.Preserve");
    fs::write(&folder, "in the way").unwrap();
    lab.call();
    assert_eq!(lab.beta.arrived("alpha"), [b"mail"], "{}", lab.alpha.log());
    assert_eq!(lab.alpha.queued("beta"), 1);
    assert_eq!(lab.alpha.notes(), "");
    fs::remove_file(&folder).unwrap();
    lab.call();
    assert_eq!(lab.alpha.queued("beta"), 0, "{}", lab.alpha.log());
    assert_eq!(lab.alpha.names(".Preserve").len(), 1);
    let told = lab.alpha.notes();
    assert!(told.contains("UUCP request to beta refused"), "{told}");
}

#[test]
fn a_job_that_can_never_be_done_stays_until_its_user_can_be_told() {
    let lab = with_a_file_that_is_gone();
    // Nobody can be told where a file stands in the place of the folder for local mail.
    lab.alpha.write("spool/.Bangpath/local-mail", "");
    let (output, answered) = lab.call();
    assert!(output.status.success() && answered, "{}", text(&output));
    assert_eq!(lab.beta.arrived("alpha"), [b"mail"]);
    let log = lab.alpha.log();
    assert!(log.contains("given up (/nowhere/file: "), "{log}");
    assert_eq!(lab.alpha.queued("beta"), 1, "nobody was told");
    fs::remove_file(lab.alpha.root.join("spool/.Bangpath/local-mail")).unwrap();
    let (output, answered) = lab.call();
    assert!(output.status.success() && answered, "{}", text(&output));
    assert_eq!(lab.alpha.queued("beta"), 0);
    let told = lab.alpha.notes();
    assert!(told.contains("UUCP request to beta refused"), "{told}");
}

#[test]
fn a_job_that_can_never_be_done_and_not_be_kept_stays_and_holds_nothing_up() {
    let lab = Lab::new("call-local-size 9 any\ncalled-local-size 9 any");
    lab.alpha.queue("beta", "joe", &[b'x'; 10]);
    lab.alpha.queue("beta", "joe", b"mail");
    let folder = lab.alpha.root.join("spool/.Preserve");
    fs::write(&folder, "in the way").unwrap();
    lab.call();
    assert_eq!(lab.beta.arrived("alpha"), [b"mail"], "{}", lab.alpha.log());
    assert_eq!(lab.alpha.queued("beta"), 1, "{}", lab.alpha.log());
    assert_eq!(lab.alpha.notes(), "");
    fs::remove_file(&folder).unwrap();
    lab.call();
    assert_eq!(lab.alpha.queued("beta"), 0, "{}", lab.alpha.log());
    assert_eq!(lab.alpha.names(".Preserve").len(), 1);
}

#[test]
fn a_call_with_login_moves_the_jobs_of_both_sides() {
    for protocol in ["t", "e", "g", "i"] {
        let lab = Lab::new(&format!("protocol {protocol}"));
        let sizes = [0, 1, 1024, 70_000];
        let contents: Vec<Vec<u8>> = sizes.iter().map(|size| vec![b'x'; *size]).collect();
        for content in &contents {
            lab.alpha.queue("beta", "joe", content);
            lab.beta.queue("alpha", "ann", content);
        }
        let (output, answered) = lab.call();
        assert!(
            output.status.success() && answered,
            "{protocol}: {}",
            text(&output)
        );
        assert!(lab.beta.arrived("alpha") == contents, "{protocol}");
        assert!(lab.alpha.arrived("beta") == contents, "{protocol}");
        assert_eq!((lab.alpha.queued("beta"), lab.beta.queued("alpha")), (0, 0));
        assert_eq!(lab.beta.names("alpha/X.").len(), sizes.len());
        let log = lab.alpha.log();
        for line in [
            "Calling system beta (port out)",
            "Login successful",
            &format!("Handshake successful (protocol '{protocol}'"),
            "Call complete (",
        ] {
            assert!(log.contains(line), "{protocol}: no '{line}' in\n{log}");
        }
        assert!(
            lab.beta
                .log()
                .contains("Incoming call (login Ualpha port TCP)")
        );
        assert!(
            lab.alpha
                .status("beta")
                .ends_with(" Conversation complete beta\n")
        );
    }
}

#[test]
fn a_program_on_a_pipe_is_a_line_too() {
    let lab = Lab::new("");
    lab.alpha.write(
        "etc/port",
        &format!(
            "port out\ntype pipe\ncommand {UUCICO} -I {} --login Ualpha\n",
            lab.beta.config().display()
        ),
    );
    lab.alpha.append("etc/sys", "chat \"\"\n");
    lab.alpha.queue("beta", "joe", b"over a pipe");
    let output = lab.alpha.uucico(&["-S", "beta"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(lab.beta.arrived("alpha"), [b"over a pipe"]);
    // What is not told to be reliable from end to end gets `i`, as with the peer.
    assert!(lab.alpha.log().contains("protocol 'i'"));
}

#[test]
fn uuxqt_is_started_after_so_many_executions_and_at_the_end() {
    let lab = Lab::new("");
    // A uuxqt of our own beside a copy of the program.
    let program = lab.beta.root.join("uucico");
    write_program(&program, fs::read(UUCICO).unwrap());
    let told = lab.beta.root.join("told");
    script(
        &lab.beta,
        "uuxqt",
        &format!(
            "ls {}/spool/alpha/X. | wc -l >> {}",
            lab.beta.root.display(),
            told.display()
        ),
    );
    let config = fs::read_to_string(lab.beta.config()).unwrap();
    lab.beta.write(
        "etc/config",
        &config.replace("run-uuxqt never", "run-uuxqt 2"),
    );
    for _ in 0..5 {
        lab.alpha.queue("beta", "joe", b"mail");
    }
    let caller = lab
        .alpha
        .command(UUCICO)
        .args(["-S", "beta"])
        .spawn()
        .unwrap();
    let socket = accept(&lab.listener);
    let output = socket.try_clone().unwrap();
    let mut answerer = lab
        .beta
        .command(program.to_str().unwrap())
        .args(["-l", "-D"])
        .stdin(OwnedFd::from(socket))
        .stdout(OwnedFd::from(output))
        .spawn()
        .unwrap();
    assert!(caller.wait_with_output().unwrap().status.success());
    assert!(answerer.wait().unwrap().success());
    // With -D the last one is waited for. Those before it may still be counting: each line is a run.
    let runs = || fs::read_to_string(&told).unwrap();
    assert!(runs().lines().any(|line| line.trim() == "5"), "{}", runs());
    let patience = std::time::Instant::now() + Duration::from_mins(2);
    while runs().lines().count() < 2 {
        assert!(std::time::Instant::now() < patience, "{}", runs());
        std::thread::yield_now();
    }
}

#[test]
fn a_command_here_gets_its_files_from_there() {
    let lab = Lab::new("");
    fs::write(lab.beta.root.join("pub/f"), "of beta").unwrap();
    let public = fs::Permissions::from_mode(0o777);
    fs::set_permissions(lab.alpha.root.join("pub"), public).unwrap();
    let sys = fs::read_to_string(lab.alpha.root.join("etc/sys")).unwrap();
    let own = format!("{sys}system alpha\ncommands cat\n");
    lab.alpha.write("etc/sys", &own);
    let uux = lab
        .alpha
        .command(UUX)
        .args(["-r", "cat", "beta!~/f", ">!~/out"])
        .output();
    let uux = uux.unwrap();
    assert!(uux.status.success(), "{}", text(&uux));
    let execute = || {
        let uuxqt = lab
            .alpha
            .command(env!("CARGO_BIN_EXE_uuxqt"))
            .output()
            .unwrap();
        assert!(uuxqt.status.success(), "{}", text(&uuxqt));
    };
    // It waits for the file.
    execute();
    assert_eq!(lab.alpha.names("alpha/X.").len(), 1);
    let (output, answered) = lab.call();
    assert!(output.status.success() && answered, "{}", text(&output));
    execute();
    let out = fs::read_to_string(lab.alpha.root.join("pub/out"));
    assert_eq!(
        out.unwrap_or_else(|_| panic!("{}", lab.alpha.log())),
        "of beta"
    );
    for folder in ["alpha/X.", "alpha/D.", "beta/C."] {
        assert!(lab.alpha.names(folder).is_empty(), "{folder}");
    }
}

#[test]
fn files_of_a_pattern_come_in_the_call_that_asks_for_them() {
    for protocol in ["t", "i"] {
        let lab = Lab::new(&format!("protocol {protocol}"));
        for (name, content) in [("f1", "one"), ("f2", "two"), ("g", "no"), (".f", "hidden")] {
            fs::write(lab.beta.root.join("pub").join(name), content).unwrap();
        }
        let public = fs::Permissions::from_mode(0o777);
        fs::set_permissions(lab.alpha.root.join("pub"), public).unwrap();
        // As uucp would queue them: one pattern that may be had, and one that may not.
        fs::create_dir_all(lab.alpha.root.join("spool/beta/C.")).unwrap();
        lab.alpha.write(
            "spool/beta/C./C.NAAAAAAAAAAA",
            "X ~/f* alpha!~/got/ root -d\nX ~/../etc/* alpha!~/got/ root -d\n",
        );
        let (output, answered) = lab.call();
        assert!(output.status.success() && answered, "{}", text(&output));
        let got = lab.alpha.root.join("pub/got");
        let mut names: Vec<_> = fs::read_dir(&got)
            .unwrap_or_else(|_| panic!("{protocol}: {}", lab.alpha.log()))
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["f1", "f2"], "{protocol}");
        assert_eq!(fs::read_to_string(got.join("f2")).unwrap(), "two");
        assert_eq!((lab.alpha.queued("beta"), lab.beta.queued("alpha")), (0, 0));
        let log = lab.beta.log();
        assert!(log.contains("2 files queued"), "{log}");
        assert!(log.contains("~/../etc/*: permission denied"), "{log}");
        let log = lab.alpha.log();
        assert!(log.contains("~/../etc/*: refused"), "{log}");
    }
}
