//! `uux` as a black box: its command line, and what it leaves in the spool.
//!
//! The expected files were written by `uux` of Debian's uucp 1.07-27 for the same command lines. Only the unique parts of
//! names differ (ours are longer), so both sides are compared with these parts numbered in the order of their appearance.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod site;

use std::collections::BTreeMap;
use std::fs;

use site::{Site, normalize};

/// Arguments, the work file, and the files beside it: name and content.
type Vector = (
    &'static [&'static str],
    &'static str,
    &'static [(&'static str, &'static str)],
);

const VECTORS: &[Vector] = &[
    (
        &[
            "-r",
            "-n",
            "-z",
            "-abob@hub.lab",
            "-",
            "beta!rmail",
            "(alice@leaf.lab)",
            "(bob@leaf.lab)",
        ],
        "E D.0001 D.alphaN0001 uucp -CNZR D.0001 0666 bob@hub.lab 0 rmail alice@leaf.lab bob@leaf.lab\n",
        &[("D.0001", "hello\n")],
    ),
    (
        &["-rnz", "-gC", "-abob", "-", "beta!rmail (a@x) (b@y)"],
        "E D.0001 D.alphaC0001 uucp -CNZR D.0001 0666 bob 0 rmail a@x b@y\n",
        &[("D.0001", "hello\n")],
    ),
    (
        &["-r", "-", "beta!rmail", "(b!a@x)"],
        "E D.0001 D.alphaN0001 uucp -C D.0001 0666 \"\" 0 rmail b!a@x\n",
        &[("D.0001", "hello\n")],
    ),
    (
        &[
            "--std",
            "--nou",
            "--gr",
            "d",
            "--req",
            "me",
            "--notification=error",
            "b2!rmail",
            "x",
        ],
        "E D.0001 D.alphad0001 uucp -CZR D.0001 0666 me 0 rmail x\n",
        &[("D.0001", "hello\n")],
    ),
    (
        &[
            "-r",
            "-",
            "-gAB",
            "alpha!beta!rmail",
            "-x@dom",
            "\u{17e}ofie@x",
        ],
        "E D.0001 D.alphaA0001 uucp -C D.0001 0666 \"\" 0 rmail -x@dom \u{17e}ofie@x\n",
        &[("D.0001", "hello\n")],
    ),
    (
        &["-r", "-", "-aa b", "beta!rmail", "x"],
        "E D.0001 D.alphaN0001 uucp -CRq D.0001 0666 a\\040b 0 rmail x\n",
        &[("D.0001", "hello\n")],
    ),
    (
        &[
            "-r",
            "-",
            "beta!cat",
            "a]{}#~=^%,:+",
            "$x",
            "`y`",
            "?",
            "a[b",
        ],
        "E D.0001 D.alphaN0001 uucp -Ce D.0001 0666 \"\" 0 cat a]{}#~=^%,:+ $x `y` ? a[b\n",
        &[("D.0001", "hello\n")],
    ),
    (
        &["-r", "beta!rmail", "a@x"],
        "S D.X0001 X.alphaN0001 uucp -C D.X0001 0666 \n",
        &[("D.X0001", "U uucp alpha\nC rmail a@x\n")],
    ),
    (
        &["-r", "-", "-b", "beta!rmail", "a\\b"],
        "S D.0001 D.alphaN0001 uucp -C D.0001 0666 \nS D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \n",
        &[
            ("D.0001", "hello\n"),
            (
                "D.X0002",
                "B\nU uucp alpha\nF D.alphaN0001\nI D.alphaN0001\ne\nC rmail a\\b\n",
            ),
        ],
    ),
    (
        &["-r", "-", "-s", "/tmp/st", "beta!rmail", "x"],
        "S D.0001 D.alphaN0001 uucp -C D.0001 0666 \nS D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \n",
        &[
            ("D.0001", "hello\n"),
            (
                "D.X0002",
                "M /tmp/st\nU uucp alpha\nF D.alphaN0001\nI D.alphaN0001\nC rmail x\n",
            ),
        ],
    ),
    (
        &["-r", "beta!cat", "!f1"],
        "S $CWD/f1 D.alphaN0001 uucp -c D.0001 0666 \nS D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \n",
        &[("D.X0002", "F D.alphaN0001 f1\nU uucp alpha\nC cat f1\n")],
    ),
    (
        &["-r", "-C", "beta!cat", "!f1"],
        "S D.0001 D.alphaN0001 uucp -C D.0001 0666 \nS D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \n",
        &[
            ("D.0001", "one\n"),
            ("D.X0002", "F D.alphaN0001 f1\nU uucp alpha\nC cat f1\n"),
        ],
    ),
    (
        &["-r", "-gA", "-n", "-aX@y", "beta!cat", "!f1", "!f2"],
        "S $CWD/f1 D.alphaA0001 uucp -c D.0001 0666 \nS $CWD/f2 D.alphaA0003 uucp -c D.0003 0666 \nS D.X0002 X.alphaA0002 uucp -C D.X0002 0666 \n",
        &[(
            "D.X0002",
            "F D.alphaA0001 f1\nF D.alphaA0003 f2\nU uucp alpha\nN\nR X@y\nC cat f1 f2\n",
        )],
    ),
    (
        &["-r", "-", "beta!cat", "-", "!f1"],
        "S $CWD/f1 D.alphaN0001 uucp -c D.0001 0666 \nS D.0003 D.alphaN0003 uucp -C D.0003 0666 \nS D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \n",
        &[
            ("D.0003", "hello\n"),
            (
                "D.X0002",
                "F D.alphaN0001 f1\nU uucp alpha\nF D.alphaN0003\nI D.alphaN0003\nC cat - f1\n",
            ),
        ],
    ),
    (
        &[
            "-r",
            "beta!cat",
            "beta!motd",
            "beta!~/motd",
            "beta!/etc/motd",
        ],
        "S D.X0001 X.alphaN0001 uucp -C D.X0001 0666 \n",
        &[(
            "D.X0001",
            "U uucp alpha\nC cat $CWD/motd ~/motd /etc/motd\n",
        )],
    ),
    (
        &["-r", "-W", "beta!cat >beta!out <beta!in"],
        "S D.X0001 X.alphaN0001 uucp -C D.X0001 0666 \n",
        // Taylor's own order of these two lines is that of the command; it has no meaning.
        &[("D.X0001", "I in\nO out\nU uucp alpha\nC cat\n")],
    ),
    (
        &["-r", "beta!cat <!f1"],
        "E $CWD/f1 D.alphaN0001 uucp -c D.0001 0666 \"\" 0 cat\n",
        &[],
    ),
    (
        &["-r", "beta!cat <!f1 >beta!/tmp/out"],
        "S $CWD/f1 D.alphaN0001 uucp -c D.0001 0666 \nS D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \n",
        &[(
            "D.X0002",
            "O /tmp/out\nU uucp alpha\nF D.alphaN0001\nI D.alphaN0001\nC cat\n",
        )],
    ),
    (
        &["-r", "beta!cat >gamma!~/out"],
        "S D.X0001 X.alphaN0001 uucp -C D.X0001 0666 \n",
        &[("D.X0001", "O ~/out gamma\nU uucp alpha\nC cat\n")],
    ),
    (
        &["-r", "beta!cat >!~/out"],
        "S D.X0001 X.alphaN0001 uucp -C D.X0001 0666 \n",
        &[("D.X0001", "O $PUB/out alpha\nU uucp alpha\nC cat\n")],
    ),
    (
        &["-r", "beta!uucp ~user1/file1 (gamma!~user2/file2)"],
        "S D.X0001 X.alphaN0001 uucp -C D.X0001 0666 \n",
        &[(
            "D.X0001",
            "U uucp alpha\nC uucp ~user1/file1 gamma!~user2/file2\n",
        )],
    ),
    (
        &["-zn", "-r", "-gd", "-aM", "-", "beta!gamma!cat"],
        "S D.X0003 X.alphad0003 uucp -C D.X0003 0666 \nS D.0001 D.alphad0003 uucp -C D.0001 0666 \nS D.X0004 X.alphad0004 uucp -C D.X0004 0666 \nS D.X0002 D.alphad0004 uucp -C D.X0002 0666 \n",
        &[
            ("D.0001", "hello\n"),
            (
                "D.X0002",
                "U uucp alpha\nF D.alphad0001\nI D.alphad0001\nN\nZ\nR M\nC cat\n",
            ),
            (
                "D.X0003",
                "U uucp alpha\nF D.alphad0003 D.0001\nC uucp -C -W -d -g d D.0001 gamma!D.alphad0001\n",
            ),
            (
                "D.X0004",
                "U uucp alpha\nF D.alphad0004 D.X0002\nC uucp -C -W -d -g d D.X0002 gamma!X.alphad0002\n",
            ),
        ],
    ),
    (
        &["-r", "beta!gamma!cat", "!f1"],
        "S D.X0002 X.alphaN0002 uucp -C D.X0002 0666 \nS $CWD/f1 D.alphaN0002 uucp -c D.0001 0666 \nS D.X0004 X.alphaN0004 uucp -C D.X0004 0666 \nS D.X0003 D.alphaN0004 uucp -C D.X0003 0666 \n",
        &[
            (
                "D.X0002",
                "U uucp alpha\nF D.alphaN0002 f1\nC uucp -C -W -d -g N f1 gamma!D.alphaN0001\n",
            ),
            ("D.X0003", "F D.alphaN0001 f1\nU uucp alpha\nC cat f1\n"),
            (
                "D.X0004",
                "U uucp alpha\nF D.alphaN0004 D.X0003\nC uucp -C -W -d -g N D.X0003 gamma!X.alphaN0003\n",
            ),
        ],
    ),
    (&["-r", "beta!"], "", &[]),
];

#[test]
fn jobs_are_those_of_the_peer() {
    for (arguments, work, files) in VECTORS {
        let site = Site::new();
        let output = site.uux(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let expected_files = files
            .iter()
            .map(|(name, content)| ((*name).to_owned(), site.fill_in(content)))
            .collect();
        assert_eq!(
            site.job("beta"),
            normalize(&site.fill_in(work), expected_files),
            "{arguments:?}"
        );
    }
}

#[test]
fn what_cannot_be_queued_leaves_nothing_behind() {
    let long = "x".repeat(5000);
    for (status, arguments) in [
        (65, &["-r", "-", "beta!rmail", "(a"][..]),
        (65, &["-r", "-", "beta!rmail", "a)"]),
        (65, &["-r", "-", "beta!rmail", "(a)b"]),
        (65, &["-r", "-", "beta!rmail", "(\"a b\"@x)", "(c@d)"]),
        (65, &["-r", "-", "beta!rmail", "\"a b\"@x"]),
        (65, &["-r", "-", "beta!rmail", "()"]),
        (65, &["-r", "-", "beta!rmail", "a\nb"]),
        (65, &["-r", "-", "beta!rmail", "(a\rb)"]),
        (65, &["-r", "-", "beta!rmail", "(a\u{1}b)"]),
        (65, &["-r", "-", "beta!rmail", &long]),
        (65, &["-r", "beta!cat", "!f1", "!sub/f1"]),
        (64, &["-r", "beta!cat <"]),
        (64, &["-r", "beta!cat >>!x"]),
        (64, &["-r", "-", "beta!cat <!f1"]),
        (64, &["-r", "-", "beta!"]),
        (64, &["-r", "-"]),
        (64, &[]),
        (64, &["-r", "--nosuch", "-", "beta!rmail", "x"]),
        (64, &["-r", "-g"]),
        (66, &["-r", "beta!cat", "!nofile"]),
        (66, &["-r", "-C", "beta!cat", "!sub"]),
        (69, &["-r", "-", "unknown!rmail", "x"]),
        (69, &["-r", "-", "beta!rmail", "b!a@x"]),
        (69, &["-r", "beta!gamma!cat >gamma!/o"]),
        (77, &["-r", "strict!cat", "!f1"]),
        (77, &["-r", "strict!cat >!x"]),
    ] {
        let site = Site::new();
        let output = site.uux(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(said.starts_with("uux: "), "{arguments:?}: {said}");
        assert_eq!(site.files(), BTreeMap::new(), "{arguments:?}");
    }
}

#[test]
fn a_bad_grade_is_only_a_warning() {
    let site = Site::new();
    let output = site.uux(&["-r", "-", "-g!", "beta!rmail", "x"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("grade"));
    assert!(site.job("beta").0.contains("D.alphaN"));
}

#[test]
fn backslashes_travel_in_an_execute_file() {
    let site = Site::new();
    assert!(
        site.uux(&["-r", "-", "beta!rmail", "(a\\b)", "c"])
            .status
            .success()
    );
    let (work, files) = site.job("beta");
    assert!(work.starts_with("S "), "{work}");
    assert!(
        files
            .values()
            .any(|text| text.ends_with("C rmail a\\b c\n")),
        "{files:?}"
    );
}

#[test]
fn words_in_parentheses_are_never_for_a_shell() {
    let site = Site::new();
    let arguments = ["-r", "-", "beta!rmail", "(a;id@x)", "(\"p(q)\"@y)"];
    assert!(site.uux(&arguments).status.success());
    let (work, _) = site.job("beta");
    assert!(
        work.contains(" uucp -C ") || work.contains(" -C D."),
        "{work}"
    );
    assert!(work.ends_with(" 0 rmail a;id@x \"p(q)\"@y\n"), "{work}");
}

#[test]
fn the_job_id_names_the_work_file() {
    let site = Site::new();
    let output = site.uux(&["-r", "-j", "-", "beta!rmail", "x"]);
    let id = String::from_utf8(output.stdout).unwrap();
    let tail = id
        .trim_end()
        .strip_prefix("beta.")
        .expect("beta.ID")
        .to_owned();
    assert!(
        site.root
            .join("spool/beta/C.")
            .join(format!("C.{tail}"))
            .is_file()
    );
}

#[test]
fn a_command_for_this_system_waits_for_uuxqt() {
    let site = Site::new();
    let output = site.uux(&["-r", "-", "!cat", "!f1"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let files = site.files();
    let of_kind = |kind: &str| -> Vec<&Vec<u8>> {
        files
            .iter()
            .filter(|(name, _)| name.contains(kind))
            .map(|(_, content)| content)
            .collect()
    };
    let texts = of_kind("alpha/X./X.");
    assert_eq!(texts.len(), 1, "{files:?}");
    let text = String::from_utf8(texts[0].clone()).unwrap();
    assert!(
        text.contains(" f1\n") && text.ends_with("C cat f1\n"),
        "{text}"
    );
    let mut data = of_kind("alpha/D./D.");
    data.sort();
    assert_eq!(
        data,
        [&b"hello\n".to_vec(), &b"one\n".to_vec()],
        "{files:?}"
    );
}

#[test]
fn a_spool_that_cannot_be_written_is_75() {
    let site = Site::new();
    fs::remove_dir_all(site.root.join("spool")).unwrap();
    fs::write(site.root.join("spool"), "").unwrap();
    let output = site.uux(&["-r", "-", "beta!rmail", "x"]);
    assert_eq!(output.status.code(), Some(75));
}

#[test]
fn without_r_the_sibling_uucico_is_started() {
    let site = Site::new();
    let bin = site.root.join("bin");
    fs::create_dir(&bin).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_uux"), bin.join("uux")).unwrap();
    let fake = bin.join("uucico");
    let told = site.root.join("told");
    // Renamed when complete, so that nobody reads half of it.
    let script = format!(
        "#!/bin/sh\necho \"$@\" >{0}.new && mv {0}.new {0}\n",
        told.display()
    );
    fs::write(&fake, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&fake, mode).unwrap();
    let output = site.run(&bin.join("uux"), &["-", "beta!rmail", "x"]);
    assert!(output.status.success());
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !told.exists() && std::time::Instant::now() < until {
        std::thread::yield_now();
    }
    let arguments = fs::read_to_string(&told).expect("uucico was not started");
    assert_eq!(
        arguments,
        format!("-I {}/etc/config -C -s beta\n", site.root.display())
    );
}

#[test]
fn the_log_says_what_was_queued() {
    let site = Site::new();
    assert!(site.uux(&["-r", "-", "beta!rmail", "a@x"]).status.success());
    let log = fs::read_to_string(site.root.join("Log")).unwrap();
    assert!(
        log.starts_with("uux beta ") && log.contains(") Queuing rmail a@x (D."),
        "{log}"
    );
}

#[test]
fn debugging_messages_go_to_the_debug_file() {
    let site = Site::new();
    let output = site.uux(&[
        "-r",
        "-x",
        "nonsense",
        "-x",
        "execute",
        "-",
        "beta!rmail",
        "a@x",
    ]);
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "uux: -x: no such kind of message: nonsense\n"
    );
    let text = fs::read_to_string(site.root.join("Debug")).unwrap();
    assert!(text.contains("queued rmail a@x"), "{text}");
}

#[test]
fn files_are_linked_into_the_spool_where_that_is_possible() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let site = Site::new();
    let source = site.root.join("cwd/f1");
    let mode = |mode| fs::set_permissions(&source, fs::Permissions::from_mode(mode)).unwrap();
    let data = |options: &[&str], file: &str| {
        let before: Vec<String> = site.files().into_keys().collect();
        let output = site.uux(&[&["-r"], options, &["beta!cat", file]].concat());
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let mut files = site.files();
        files.retain(|name, _| !before.contains(name) && name.contains("/D./"));
        let inode = |name: &String| {
            fs::metadata(site.root.join("spool").join(name))
                .unwrap()
                .ino()
        };
        files
            .into_iter()
            .map(|(name, bytes)| (inode(&name), bytes))
            .next()
    };
    mode(0o644);
    let inode = fs::metadata(&source).unwrap().ino();
    for options in [&["-l"][..], &["-l", "-c"], &["-lC"]] {
        assert_eq!(data(options, "!f1"), Some((inode, b"one\n".to_vec())));
    }
    // Of a symbolic link it is the file that counts.
    std::os::unix::fs::symlink(&source, site.root.join("cwd/symbolic")).unwrap();
    assert_eq!(data(&["-l"], "!symbolic").unwrap().0, inode);
    // Another file system: copied, or with -c left where it is.
    let here = fs::metadata(&source).unwrap().dev();
    let elsewhere = tempfile::NamedTempFile::new_in("/dev/shm");
    if let Ok(other) = elsewhere
        && other.as_file().metadata().unwrap().dev() != here
    {
        fs::write(other.path(), "far\n").unwrap();
        let name = format!("!{}", other.path().display());
        let (copy, content) = data(&["-l"], &name).unwrap();
        assert_eq!(content, b"far\n");
        assert_ne!(copy, other.as_file().metadata().unwrap().ino());
        assert_eq!(data(&["-l", "-c"], &name), None);
    }
    assert_eq!(fs::read(&source).unwrap(), b"one\n");
}

#[test]
fn files_of_other_systems_are_fetched_for_a_command_of_this_one() {
    let site = Site::new();
    let output = site.uux(&["-r", "-j", "diff", "beta!~/one", "gamma!two", "<beta!/in"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let jobs = String::from_utf8(output.stdout).unwrap();
    let systems: Vec<&str> = jobs
        .lines()
        .filter_map(|job| job.split('.').next())
        .collect();
    assert_eq!(systems, ["beta", "gamma", "beta"]);
    let files = site.files();
    let texts = |part: &str| -> Vec<&str> {
        let found = files.iter().filter(|(name, _)| name.contains(part));
        found
            .map(|(_, bytes)| std::str::from_utf8(bytes).unwrap())
            .collect()
    };
    let execute = texts("alpha/X./");
    assert_eq!(execute.len(), 1, "{files:?}");
    // Each is received under the name that the execute file waits for.
    let cwd = site.root.join("cwd");
    let user = site.fill_in("R uucp -9");
    for (system, path, line, run_name) in [
        ("beta", "~/one".to_owned(), "F", " one"),
        ("gamma", format!("{}/two", cwd.display()), "F", " two"),
        ("beta", "/in".to_owned(), "I", ""),
    ] {
        let requests = texts(&format!("{system}/C./"));
        let request = requests
            .iter()
            .find(|text| text.starts_with(&format!("R {path} ")));
        let words: Vec<&str> = request.unwrap().split_whitespace().collect();
        assert_eq!(format!("R {} {}", words[3], words[4]), user);
        let wanted = format!("{line} {}{run_name}\n", words[2]);
        assert!(execute[0].contains(&wanted), "{wanted}{}", execute[0]);
    }
    assert!(execute[0].ends_with("C diff one two\n"), "{}", execute[0]);
    // For a command of another system they would have to be forwarded.
    let refused = site.uux(&["-r", "beta!diff", "gamma!~/two"]);
    assert_eq!(refused.status.code(), Some(69));
    let unknown = site.uux(&["-r", "cat", "nowhere!/x"]);
    assert_eq!(unknown.status.code(), Some(69));
    assert_eq!(site.files(), files);
}
