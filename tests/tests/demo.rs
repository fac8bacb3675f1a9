//! The README's first command, as a reader runs it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use std::path::Path;
use std::process::{Command, Stdio};

use suite_tests::Site;
use suite_tests::process::{self, Finished};
use suite_tests::programs;

fn demo(site: &Site, arguments: &[&str]) -> Finished {
    // Built here, so that the demo's own time is its own.
    programs::build();
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.args(arguments).stdin(Stdio::null());
    process::run(command, site.path())
}

fn keep(site: &Site) -> String {
    site.path().join("nodes").display().to_string()
}

#[test]
fn the_sample_arrives_over_each_protocol() {
    for protocol in ["t", "e", "g", "i"] {
        let site = Site::new("demo");
        let finished = demo(&site, &["--keep", &keep(&site), "--protocol", protocol]);
        finished.expect_success("the demo");
        for program in ["postfix-uucp", "uucico", "uuxqt", "rmail"] {
            let stations = finished
                .output
                .lines()
                .filter(|line| line.trim_start().starts_with(program));
            assert!(
                stations.count() > 0,
                "no line for {program}:\n{}",
                finished.output
            );
        }
        assert!(finished.output.contains(&format!("protocol {protocol}")));
        for file in ["leaf/etc/config", "hub/etc/config", "hub/etc/mail.toml"] {
            assert!(Path::new(&keep(&site)).join(file).exists(), "{file}");
        }
    }
}

#[test]
fn a_message_of_ones_own_arrives() {
    let site = Site::new("demo");
    let file = site.path().join("mine.eml");
    std::fs::write(
        &file,
        b"From: me\nSubject: 8-bit \xe9\n\n\x00\xff\nFrom x\n.\n",
    )
    .unwrap();
    let finished = demo(
        &site,
        &[
            "--keep",
            &keep(&site),
            "--to",
            "carol@hub.example",
            file.to_str().unwrap(),
        ],
    );
    finished.expect_success("the demo");
    assert!(finished.output.contains("carol"), "{}", finished.output);
}

#[test]
fn trouble_is_a_word_and_a_status() {
    let site = Site::new("demo");
    let missing = demo(&site, &["--keep", &keep(&site), "/no/such/message"]);
    assert!(!missing.status.success());
    assert!(
        missing.output.contains("/no/such/message"),
        "{}",
        missing.output
    );
    std::fs::write(site.path().join("something"), "").unwrap();
    let full = demo(&site, &["--keep", site.path().to_str().unwrap()]);
    assert!(!full.status.success());
    assert!(full.output.contains("not empty"), "{}", full.output);
}
