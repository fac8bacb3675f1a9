//! Files that a command works on: linked into the spool, or fetched from other systems.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;

use crate::site::Site;

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

/// The texts of the files whose names have this part.
fn texts<'f>(files: &'f BTreeMap<String, Vec<u8>>, part: &str) -> Vec<&'f str> {
    let found = files.iter().filter(|(name, _)| name.contains(part));
    found
        .map(|(_, bytes)| std::str::from_utf8(bytes).unwrap())
        .collect()
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
    let texts = |part: &str| texts(&files, part);
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
    let unknown = site.uux(&["-r", "cat", "nowhere!/x"]);
    assert_eq!(unknown.status.code(), Some(69));
    assert_eq!(site.files(), files);
}

#[test]
fn files_of_a_third_system_are_fetched_and_sent_on() {
    let site = Site::new();
    let output = site.uux(&["-r", "-j", "beta!diff", "!f1", "gamma!~/two", "<gamma!~/in"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 3);
    let files = site.files();
    let texts = |part: &str| texts(&files, part);
    let execute = texts("beta/D.X/");
    assert_eq!(execute.len(), 1, "{files:?}");
    let (requests, here) = (texts("gamma/C./"), texts("alpha/X./"));
    assert_eq!((requests.len(), here.len()), (2, 2), "{files:?}");
    for (path, run_name) in [("~/two", Some("two")), ("~/in", None)] {
        let request = requests
            .iter()
            .find(|text| text.starts_with(&format!("R {path} ")));
        let name = request.unwrap().split_whitespace().nth(2).unwrap();
        // What comes under this name is sent on by a command here, under the name that is waited for there.
        let command = here
            .iter()
            .find(|text| text.contains(&format!("F {name} {name}\n")))
            .unwrap();
        let (_, target) = command.trim_end().split_once(" beta!").unwrap();
        assert!(
            command.ends_with(&format!("\nC uucp -C -W -d -g N {name} beta!{target}\n")),
            "{command}"
        );
        let waits = match run_name {
            Some(run_name) => format!("F {target} {run_name}\n"),
            None => format!("F {target}\nI {target}\n"),
        };
        assert!(execute[0].contains(&waits), "{waits}{}", execute[0]);
    }
    assert!(execute[0].ends_with("C diff f1 two\n"), "{}", execute[0]);
}

#[test]
fn who_reads_slowly_for_a_command_of_this_system_keeps_nobody_waiting() {
    let site = Site::new();
    fs::write(site.root.join("etc/sys"), "system alpha\nsystem beta\n").unwrap();
    let mut slow = site.start(&["-r", "-", "!cat"]);
    let mut input = slow.stdin.take().unwrap();
    // More than a pipe holds: by the end of it, it is being read.
    input.write_all(&vec![b'x'; 300_000]).unwrap();
    let other = site.uux(&["-r", "-", "!cat"]);
    assert!(other.status.success(), "{other:?}");
    drop(input);
    let slow = slow.wait_with_output().unwrap();
    assert!(slow.status.success(), "{slow:?}");
    let lengths = |files: BTreeMap<String, Vec<u8>>| {
        let data = files
            .into_iter()
            .filter(|(name, _)| name.contains("alpha/D."));
        let mut found: Vec<_> = data.map(|(_, bytes)| bytes.len()).collect();
        found.sort_unstable();
        found
    };
    assert_eq!(lengths(site.files()), [6, 300_000]);
}

#[test]
fn what_stops_halfway_leaves_no_command_that_waits_for_a_file_that_nobody_asks_for() {
    for (closed, command, left) in [
        // Asked for one after the other: what would send the file on is there before it comes.
        ("gamma", "beta!diff", &["alpha/X./"][..]),
        ("alpha", "beta!diff", &[]),
        ("beta", "beta!diff", &["alpha/X./", "gamma/C./"]),
        ("gamma", "diff", &["alpha/X./"]),
        ("alpha", "diff", &[]),
    ] {
        let site = Site::new();
        // Nothing can be queued for a system that has a file where its folder would be.
        fs::write(site.root.join("spool").join(closed), "").unwrap();
        let output = site.uux(&["-r", command, "!f1", "gamma!~/two"]);
        assert!(!output.status.success(), "{closed}, {command}");
        let files = site.files();
        let jobs = ["alpha/X./", "beta/C./", "beta/X./", "gamma/C./"];
        let found: Vec<&str> = jobs
            .into_iter()
            .filter(|part| !texts(&files, part).is_empty())
            .collect();
        assert_eq!(found, left, "{closed}, {command}: {files:?}");
    }
}
