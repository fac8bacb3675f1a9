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
