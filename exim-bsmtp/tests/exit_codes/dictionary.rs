//! `--train` and the way of a dictionary to the other end.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::common::{HEADER, Site, exim};

fn run(site: &Site, arguments: &[&str]) -> (Option<i32>, String) {
    let outcome = site.run(arguments, b"");
    (outcome.status, outcome.said)
}

/// So many messages for hub, all different.
fn fill(site: &Site, count: usize) {
    let batch: Vec<u8> = (0..count)
        .flat_map(|number| {
            let body = format!("{HEADER}Message-ID: <{number}@leaf.lab>\nMIME-Version: 1.0\n\n");
            let lines = (0..20).fold(body, |text, line| {
                format!("{text}line {} of {number}\n", line * number)
            });
            exim("bob@leaf.lab", &["alice@hub.lab"], &lines)
        })
        .collect();
    let directory = site.root.join("bsmtp");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("hub"), batch).unwrap();
    let collect = format!("--collect={}", directory.display());
    assert_eq!(run(site, &[&collect, "--quiet"]), (Some(0), String::new()));
}

#[test]
fn a_dictionary_is_trained_from_the_links_own_mail_and_goes_to_the_other_end() {
    let site = Site::new();
    let (status, said) = run(&site, &["--train=hub"]);
    assert_eq!(status, Some(65), "{said}");
    assert!(said.contains("0 messages"), "{said}");
    fill(&site, 150);
    let (status, said) = run(&site, &["--train=hub"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("from 150 messages"), "{said}");
    // Where rsmtp keeps its things, too: open to the spool's group.
    for folder in ["spool/.Mail", "spool/.Mail/dictionaries"] {
        let mode = fs::metadata(site.root.join(folder)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o7777, 0o2770, "{folder}");
    }
    let id = said.split(' ').nth(1).unwrap().to_owned();
    let file = site.root.join("hub.zdict");
    let file = file.to_str().unwrap();
    let export = format!("--dictionary-export={id}");
    assert_eq!(run(&site, &[&export, file]), (Some(0), String::new()));
    let mode = fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Never over a file.
    assert_eq!(run(&site, &[&export, file]).0, Some(73));
    let there = Site::new();
    let expected = format!("dictionary {id} for other\n");
    assert_eq!(
        run(&there, &["--dictionary-import=other", file]),
        (Some(0), expected)
    );
    let kept = there
        .root
        .join(format!("spool/.Mail/dictionaries/other.{id}.zdict"));
    assert_eq!(fs::read(&kept).unwrap(), fs::read(file).unwrap());
    assert_eq!(
        fs::metadata(kept).unwrap().permissions().mode() & 0o777,
        0o660
    );
    // The batch is written with it, and packed only if it is there.
    site.mail_toml(&format!(
        "[sending]\nformat = \"bsmtp\"\ncompression = \"zstd\"\ndictionary = \"{id}\"\n"
    ));
    assert_eq!(
        run(&site, &["--flush", "--quiet", "hub"]),
        (Some(0), String::new())
    );
    let jobs = site.jobs("hub");
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].1[..4], [0x28, 0xb5, 0x2f, 0xfd]);
}

#[test]
fn files_and_directories_are_samples_too() {
    let site = Site::new();
    let maildir = site.root.join("mail/new");
    fs::create_dir_all(&maildir).unwrap();
    for number in 0..120 {
        let text = format!("{HEADER}Subject: {number}\n\nhello {}\n", number * 7919);
        fs::write(maildir.join(number.to_string()), text.repeat(4)).unwrap();
    }
    let (status, said) = run(
        &site,
        &["--train=hub", site.root.join("mail").to_str().unwrap()],
    );
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("from 120 messages"), "{said}");
    let (status, said) = run(&site, &["--train=hub", "/nonexistent"]);
    assert_eq!(status, Some(66), "{said}");
    assert!(said.contains("/nonexistent"), "{said}");
}

#[test]
fn what_is_no_dictionary_is_refused() {
    let site = Site::new();
    let file = site.root.join("some");
    fs::write(&file, b"no dictionary").unwrap();
    let name = file.to_str().unwrap();
    let (status, said) = run(&site, &["--dictionary-import=hub", name]);
    assert_eq!(status, Some(66), "{said}");
    assert!(said.contains("chmod 600"), "{said}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let (status, said) = run(&site, &["--dictionary-import=hub", name]);
    assert_eq!(status, Some(66), "{said}");
    assert!(said.contains(name), "{said}");
    assert_eq!(
        run(&site, &["--dictionary-export=12345678", "/tmp/none"]).0,
        Some(66)
    );
    assert_eq!(
        run(&site, &["--dictionary-export=xyz", "/tmp/none"]).0,
        Some(64)
    );
    assert_eq!(
        run(&site, &["--dictionary-import=nowhere", name]).0,
        Some(68)
    );
    assert_eq!(run(&site, &["--dictionary-import=hub"]).0, Some(64));
}
