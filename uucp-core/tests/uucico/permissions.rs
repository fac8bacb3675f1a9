//! The rules of the sys file about files: sizes, directions, directories, room.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::lab::{Lab, Node, text};

fn good_call(lab: &Lab) {
    let (output, answered) = lab.call();
    assert!(output.status.success() && answered, "{}", text(&output));
}

/// A job as a work file that somebody else has written.
fn request(node: &Node, peer: &str, line: &str) {
    let folder = node.root.join("spool").join(peer).join("C.");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("C.N00000000001"), format!("{line}\n")).unwrap();
}

/// A folder that everybody may write to, in a node's folder.
fn open_folder(node: &Node, name: &str) -> PathBuf {
    let folder = node.root.join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

/// A file that everybody may read.
fn file(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, "content").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    path
}

/// Both sides queue a large and a small mail; how many are left on the two after a call with these rules.
fn left_over(alpha: &str, beta: &str) -> (usize, usize) {
    let lab = Lab::new("");
    lab.alpha.append("etc/sys", &format!("{alpha}\n"));
    lab.beta.append("etc/sys", &format!("{beta}\n"));
    for size in [10, 5000] {
        lab.alpha.queue("beta", "joe", &vec![b'x'; size]);
        lab.beta.queue("alpha", "joe", &vec![b'x'; size]);
    }
    good_call(&lab);
    let left = (lab.alpha.queued("beta"), lab.beta.queued("alpha"));
    // Nothing is lost: what did not go is there yet.
    let arrived = |node: &Node, peer: &str| node.names(&format!("{peer}/X.")).len();
    let arrived = (arrived(&lab.beta, "alpha"), arrived(&lab.alpha, "beta"));
    let kept = |node: &Node| node.names(".Preserve").len();
    assert_eq!(left.0 + arrived.0 + kept(&lab.alpha), 2);
    assert_eq!(left.1 + arrived.1 + kept(&lab.beta), 2);
    left
}

#[test]
fn sizes_are_limited_by_who_calls_and_who_asks() {
    for (alpha, beta, left) in [
        ("", "", (0, 0)),
        ("call-local-size 1000 any", "", (1, 0)),
        ("call-remote-size 1000 any", "", (0, 1)),
        ("called-local-size 1000 any", "", (0, 0)),
        ("called-remote-size 1000 any", "", (0, 0)),
        ("", "called-local-size 1000 any", (0, 1)),
        ("", "called-remote-size 1000 any", (1, 0)),
        ("", "call-local-size 1000 any", (0, 0)),
        ("", "call-remote-size 1000 any", (0, 0)),
        // Where several rules hold, the smallest does.
        (
            "call-local-size 9000 any\ncall-local-size 1000 any",
            "",
            (1, 0),
        ),
    ] {
        assert_eq!(left_over(alpha, beta), left, "{alpha} / {beta}");
    }
}

#[test]
fn transfers_are_permitted_by_who_calls() {
    for (alpha, beta, left) in [
        ("call-transfer no", "", (2, 0)),
        ("called-transfer no", "", (0, 0)),
        // Whoever calls: nobody will, so what waits is given up.
        ("transfer no", "", (0, 0)),
        ("", "called-transfer no", (0, 2)),
        ("", "call-transfer no", (0, 0)),
        ("", "transfer no", (0, 0)),
    ] {
        assert_eq!(left_over(alpha, beta), left, "{alpha} / {beta}");
    }
}

#[test]
fn what_our_own_rules_never_permit_is_given_up_and_its_user_is_told() {
    let sent = "S MINE/a ~/sent joe -c D.0001 0644";
    let copied = "S MINE/a ~/sent joe -C D.0001 0644";
    let fetched = "R ~/b ~/fetched joe -";
    let sizes = "call-local-size 3 any\ncalled-local-size 3 any";
    for (rules, line, reason) in [
        (
            "local-send /nowhere",
            sent,
            "not permitted to send (local-send)",
        ),
        (
            "local-receive /nowhere",
            fetched,
            "not permitted to receive to ~/fetched (local-receive)",
        ),
        (
            "transfer no",
            sent,
            "not permitted to transfer files (transfer)",
        ),
        (
            "transfer no",
            fetched,
            "not permitted to transfer files (transfer)",
        ),
        (
            sizes,
            sent,
            "7 bytes, and at no time are more than 3 permitted",
        ),
        (
            sizes,
            copied,
            "7 bytes, and at no time are more than 3 permitted",
        ),
    ] {
        let lab = Lab::new("");
        let mine = open_folder(&lab.alpha, "pub");
        let theirs = open_folder(&lab.beta, "pub");
        file(&mine, "a");
        file(&theirs, "b");
        let line = line.replace("MINE", &mine.display().to_string());
        request(&lab.alpha, "beta", &line);
        let is_copied = line.contains(" -C ");
        if is_copied {
            let folder = lab.alpha.root.join("spool/beta/D.");
            fs::create_dir_all(&folder).unwrap();
            file(&folder, "D.0001");
        }
        lab.alpha.append("etc/sys", &format!("{rules}\n"));
        good_call(&lab);
        assert_eq!(lab.alpha.queued("beta"), 0, "{rules} / {line}");
        let (log, notes) = (lab.alpha.log(), lab.alpha.notes());
        assert!(log.contains("given up (") && log.contains(reason), "{log}");
        let told = notes.replace("=\r\n", "").replace("=\n", "");
        assert!(told.contains("joe") && told.contains(reason), "{told}");
        assert!(!theirs.join("sent").exists() && !mine.join("fetched").exists());
        let kept = lab.alpha.names(".Preserve");
        assert_eq!(kept.len(), usize::from(is_copied), "{kept:?}");
        assert_eq!(lab.alpha.names("beta/D."), [""; 0]);
        // It is over.
        good_call(&lab);
        assert_eq!(lab.alpha.notes(), notes);
    }
}

#[test]
fn of_what_is_given_up_he_is_told_whom_the_request_names_or_nobody() {
    let execution = |options: &str, notify: &str| {
        format!("E D.0001 D.alphaN0001 joe -C{options} D.0001 0666 {notify} 0x7 rmail x")
    };
    for (line, told) in [
        (execution("", "\"\""), Some("joe")),
        (execution("R", "ann"), Some("ann")),
        (execution("N", "\"\""), None),
        // The peer's user has asked for it.
        ("S /nowhere/file ~/sent joe -c D.0 0644".to_owned(), None),
    ] {
        let lab = Lab::new("");
        request(&lab.alpha, "beta", &line);
        let folder = lab.alpha.root.join("spool/beta/D.");
        fs::create_dir_all(&folder).unwrap();
        file(&folder, "D.0001");
        lab.alpha.append("etc/sys", "transfer no\n");
        good_call(&lab);
        let (log, notes) = (lab.alpha.log(), lab.alpha.notes());
        assert!(log.contains("given up ("), "{log}");
        assert_eq!(lab.alpha.queued("beta"), 0, "{line}");
        let to = notes.lines().find_map(|line| line.strip_prefix("To: "));
        assert_eq!(to, told, "{line}: {notes}");
    }
}

#[test]
fn messages_that_wait_to_be_packed_are_not_given_up_as_a_batch() {
    let lab = Lab::new("");
    lab.alpha
        .write("etc/mail.toml", "[sending]\nformat = \"bsmtp\"\n");
    lab.alpha.put("beta", &["one", "two"]);
    lab.alpha.append("etc/sys", "transfer no\n");
    good_call(&lab);
    let waiting = lab.alpha.names(".Bangpath/outbox/beta/queue");
    assert_eq!(waiting.len(), 2, "{waiting:?}");
    assert_eq!(lab.alpha.names(".Preserve"), [""; 0]);
}

#[test]
fn without_the_room_that_is_to_stay_free_nothing_is_taken() {
    let all = "free-space 9000000000000000000";
    assert_eq!(left_over("", all), (2, 0));
    assert_eq!(left_over(all, ""), (0, 2));
}

#[test]
fn requests_are_permitted_in_each_direction() {
    for (rule, sent, fetched) in [
        ("", true, true),
        ("send-request no", true, false),
        ("receive-request no", false, true),
        ("request no", false, false),
        ("request no\nrequest yes", true, true),
    ] {
        let lab = Lab::new("");
        let (mine, theirs) = (
            open_folder(&lab.alpha, "pub"),
            open_folder(&lab.beta, "pub"),
        );
        lab.beta.append("etc/sys", &format!("{rule}\n"));
        let source = file(&mine, "a").display().to_string();
        request(
            &lab.alpha,
            "beta",
            &format!("S {source} ~/sent uucp -c D.0 0644"),
        );
        good_call(&lab);
        assert_eq!(theirs.join("sent").exists(), sent, "{rule}");
        let _ = fs::remove_file(lab.alpha.root.join("spool/beta/C./C.N00000000001"));
        file(&theirs, "b");
        request(&lab.alpha, "beta", "R ~/b ~/fetched uucp -d");
        good_call(&lab);
        assert_eq!(mine.join("fetched").exists(), fetched, "{rule}");
    }
}

/// Whether a file arrives that is asked for with `line`; `FROM` and `TO` are files of the two folders.
fn arrives(alpha: &str, beta: &str, line: &str) -> bool {
    let lab = Lab::new("");
    let (mine, theirs) = (
        open_folder(&lab.alpha, "box"),
        open_folder(&lab.beta, "box"),
    );
    let fill = |text: &str| {
        text.replace("MINE", &mine.display().to_string())
            .replace("THEIRS", &theirs.display().to_string())
    };
    lab.alpha.append("etc/sys", &format!("{}\n", fill(alpha)));
    lab.beta.append("etc/sys", &format!("{}\n", fill(beta)));
    file(&mine, "a");
    file(&theirs, "b");
    request(&lab.alpha, "beta", &fill(line));
    good_call(&lab);
    mine.join("fetched").exists() || theirs.join("sent").exists()
}

#[test]
fn directories_are_permitted_in_each_direction() {
    let send = "S MINE/a THEIRS/sent uucp -c D.0 0644";
    let fetch = "R THEIRS/b MINE/fetched uucp -";
    for (alpha, beta, line, wanted) in [
        ("", "", send, false),
        ("", "remote-receive THEIRS", send, true),
        ("", "remote-receive / !THEIRS", send, false),
        ("", "remote-receive !THEIRS /", send, true),
        ("local-send ~", "remote-receive THEIRS", send, false),
        ("local-send MINE", "remote-receive THEIRS", send, true),
        ("", "", fetch, false),
        ("local-receive MINE", "", fetch, false),
        ("", "remote-send THEIRS", fetch, false),
        ("local-receive MINE", "remote-send THEIRS", fetch, true),
        ("local-receive MINE", "remote-send ~ /x", fetch, false),
    ] {
        let arrived = arrives(alpha, beta, line);
        assert_eq!(arrived, wanted, "{alpha} / {beta} / {line}");
    }
}

#[test]
fn a_system_may_have_a_public_directory_of_its_own() {
    let lab = Lab::new("");
    let own = open_folder(&lab.beta, "own");
    lab.beta
        .append("etc/sys", &format!("pubdir {}\n", own.display()));
    let source = file(&lab.alpha.root.join("pub"), "a").display().to_string();
    request(
        &lab.alpha,
        "beta",
        &format!("S {source} ~/sent uucp -c D.0 0644"),
    );
    good_call(&lab);
    assert!(own.join("sent").exists());
}
