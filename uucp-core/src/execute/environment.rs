//! The environment of an executed command: exactly what the peer's `uuxqt` sets, nothing of ours.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Builds the environment of one command.
///
/// `outer` looks up a variable of our own environment; only `TERM` and `TZ` pass.
#[must_use]
pub fn environment(
    command_path: &[PathBuf],
    spool: &Path,
    machine: &str,
    user: &OsStr,
    outer: impl Fn(&str) -> Option<OsString>,
) -> Vec<(&'static str, OsString)> {
    let mut variables = vec![
        ("PATH", join(command_path)),
        ("HOME", spool.as_os_str().to_os_string()),
        ("TERM", outer("TERM").unwrap_or_else(|| "unknown".into())),
        ("SHELL", "/bin/sh".into()),
        ("USER", "uucp".into()),
        ("UU_MACHINE", machine.into()),
        ("UU_USER", user.to_os_string()),
    ];
    if let Some(zone) = outer("TZ") {
        variables.push(("TZ", zone));
    }
    variables
}

fn join(directories: &[PathBuf]) -> OsString {
    let parts: Vec<&[u8]> = directories
        .iter()
        .map(|d| d.as_os_str().as_bytes())
        .collect();
    OsString::from_vec(parts.join(&b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_ours_but_term_and_zone() {
        let path = [PathBuf::from("/bin"), PathBuf::from("/usr/bin")];
        let outer = |name: &str| (name == "TZ").then(|| OsString::from("UTC"));
        let mut got = environment(
            &path,
            Path::new("/var/spool/uucp"),
            "alpha",
            OsStr::new("joe"),
            outer,
        );
        got.sort();
        let expected: Vec<(&str, OsString)> = vec![
            ("HOME", "/var/spool/uucp".into()),
            ("PATH", "/bin:/usr/bin".into()),
            ("SHELL", "/bin/sh".into()),
            ("TERM", "unknown".into()),
            ("TZ", "UTC".into()),
            ("USER", "uucp".into()),
            ("UU_MACHINE", "alpha".into()),
            ("UU_USER", "joe".into()),
        ];
        assert_eq!(got, expected);
    }
}
