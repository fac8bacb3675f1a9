//! What every program answers alike: `-h`, `--help`, `-v`, `-V`, `--version`; and that its manual page says so.

#![allow(
    clippy::unwrap_used,
    reason = "a program that cannot be started stops the test where it is"
)]

use std::fs;
use std::process::{Command, Stdio};

use suite_tests::programs::{bin, workspace};

/// Every program, and where its manual page is.
const PROGRAMS: [(&str, &str); 11] = [
    ("uucico", "uucp-core/man/uucico.8.md"),
    ("uuxqt", "uucp-core/man/uuxqt.8.md"),
    ("uux", "uucp-core/man/uux.1.md"),
    ("uucp", "uucp-core/man/uucp.1.md"),
    // "All options of uucp may be given."
    ("uuto", "uucp-core/man/uucp.1.md"),
    ("uupick", "uucp-core/man/uupick.1.md"),
    ("uuchk", "uucp-core/man/uuchk.8.md"),
    ("postfix-uucp", "postfix-uucp/man/postfix-uucp.8.md"),
    ("exim-bsmtp", "exim-bsmtp/man/exim-bsmtp.8.md"),
    ("rmail", "rmail/man/rmail.8.md"),
    ("rsmtp", "rsmtp/man/rsmtp.8.md"),
];

/// What a program says on standard output, which must be all that it says.
fn said(program: &str, option: &str) -> String {
    let output = Command::new(bin(program))
        .arg(option)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        (output.status.code(), errors.as_str()),
        (Some(0), ""),
        "{program} {option}"
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_program_tells_its_options_and_its_version_by_the_same_letters() {
    for (program, page) in PROGRAMS {
        let page = fs::read_to_string(workspace().join(page)).unwrap();
        let version = format!("{program} {}\n", env!("CARGO_PKG_VERSION"));
        for option in ["-v", "-V", "--version"] {
            assert_eq!(said(program, option), version, "{program} {option}");
        }
        for option in ["-h", "--help"] {
            let help = said(program, option);
            for letter in ["-h", "--help", "-v", "--version", "-I"] {
                assert!(
                    help.contains(letter),
                    "{program} {option}: {letter}\n{help}"
                );
            }
        }
        for letter in ["-h", "-v", "-V", "-I"] {
            assert!(
                page.contains(&format!("**{letter}**")) || page.contains(&format!("**{letter} ")),
                "{program}: {letter}"
            );
        }
    }
    // What Taylor's take besides is shown, too.
    for program in ["uucico", "uuxqt", "uux", "uucp", "uuchk"] {
        assert!(said(program, "--help").contains("-X"), "{program}");
    }
    assert!(said("uucp", "--help").contains("-p"));
}

/// A page is read as a person reads it, too: in an example a backslash would be typed, and an underscore inside a word stays one.
#[test]
fn what_is_to_be_typed_stands_in_the_pages_as_it_is_typed() {
    let of_files = [
        "bangpath-config.5",
        "bangpath-wire.7",
        "mail.toml.5",
        "uuto.1",
    ];
    let of_files = of_files.map(|page| format!("uucp-core/man/{page}.md"));
    let of_programs = PROGRAMS.iter().map(|(_, page)| (*page).to_owned());
    for page in of_programs.chain(of_files) {
        let text = fs::read_to_string(workspace().join(&page)).unwrap();
        for line in text.lines() {
            assert!(!line.contains("**_"), "{page}: {line}");
            assert!(
                !line.starts_with("    ") || !line.contains("\\-"),
                "{page}: {line}"
            );
        }
    }
}
