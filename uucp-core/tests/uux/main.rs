//! `uux` as a black box: its command line, and what it leaves in the spool.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod files;
#[path = "../../src/runnable.rs"]
mod runnable;
mod site;
mod vectors;

use std::collections::BTreeMap;
use std::fs;

use runnable::write_program;
use site::Site;

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

/// Runs uux beside a program of this name, and gives the arguments that the program was started with; empty where it was
/// not.
fn started_by(site: &Site, name: &str, arguments: &[&str]) -> String {
    let bin = site.root.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let uux = fs::read(env!("CARGO_BIN_EXE_uux")).unwrap();
    write_program(&bin.join("uux"), uux);
    let told = site.root.join("told");
    // Renamed when complete, so that nobody reads half of it.
    let script = format!(
        "#!/bin/sh\necho \"$@\" >{0}.new && mv {0}.new {0}\n",
        told.display()
    );
    write_program(&bin.join(name), script);
    let output = site.run(&bin.join("uux"), arguments);
    assert!(output.status.success());
    let until = std::time::Instant::now() + std::time::Duration::from_mins(2);
    while !told.exists() && std::time::Instant::now() < until {
        std::thread::yield_now();
    }
    fs::read_to_string(&told).unwrap_or_default()
}

#[test]
fn without_r_the_sibling_uucico_is_started() {
    let site = Site::new();
    assert_eq!(
        started_by(&site, "uucico", &["-", "beta!rmail", "x"]),
        format!("-I {}/etc/config -C -s beta\n", site.root.display())
    );
}

#[test]
fn a_command_for_this_system_itself_is_run_at_once() {
    for words in [&["-", "rmail", "x"][..], &["-", "alpha!rmail", "x"]] {
        let site = Site::new();
        assert_eq!(
            started_by(&site, "uuxqt", words),
            format!("-I {}/etc/config -s alpha\n", site.root.display())
        );
    }
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
    assert!(text.contains("Queuing rmail a@x"), "{text}");
}
