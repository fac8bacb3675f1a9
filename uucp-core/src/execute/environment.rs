//! The environment of an executed command: what the peer's `uuxqt` sets, and what our own receivers need to know.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// What the variables of one command say.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// Where commands are looked for.
    pub command_path: &'a [PathBuf],
    /// The spool.
    pub spool: &'a Path,
    /// The configuration file's absolute path, where one was named. `rmail` believes no option, since all words on its command line are the
    /// peer's; so that it does not read another configuration than we do, it is named here.
    pub config: Option<&'a Path>,
    /// The system that the job came from.
    pub machine: &'a str,
    /// The user whom that system named.
    pub user: &'a OsStr,
    /// The execute file's name: by it `rmail` tells a job that comes again from an equal message in another job.
    pub job: &'a str,
    /// What tells this execute file from any other that has or will have its name.
    pub instance: &'a str,
    /// Whether the job is given up if this does not do it.
    pub is_last_try: bool,
}

/// The variable that tells one execute file from all others.
pub const INSTANCE: &str = "BANGPATH_JOB";
/// The variable that says that a job is given up if this does not do it.
pub const LAST_TRY: &str = "BANGPATH_LAST_TRY";

/// Builds the environment of one command.
///
/// `outer` looks up a variable of our own environment; only `TERM` and `TZ` pass.
#[must_use]
pub fn environment(
    around: &Circumstances<'_>,
    outer: impl Fn(&str) -> Option<OsString>,
) -> Vec<(&'static str, OsString)> {
    let mut variables = vec![
        ("PATH", join(around.command_path)),
        ("HOME", around.spool.as_os_str().to_os_string()),
        ("TERM", outer("TERM").unwrap_or_else(|| "unknown".into())),
        ("SHELL", "/bin/sh".into()),
        ("USER", "uucp".into()),
        ("UU_MACHINE", around.machine.into()),
        ("UU_USER", around.user.to_os_string()),
        ("UU_JOB", around.job.into()),
        (INSTANCE, around.instance.into()),
    ];
    if around.is_last_try {
        variables.push((LAST_TRY, "1".into()));
    }
    if let Some(zone) = outer("TZ") {
        variables.push(("TZ", zone));
    }
    if let Some(config) = around.config {
        variables.push(("BANGPATH_CONFIG", config.into()));
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
    fn nothing_of_ours_but_term_zone_and_configuration() {
        let around = Circumstances {
            command_path: &[PathBuf::from("/bin"), PathBuf::from("/usr/bin")],
            spool: Path::new("/var/spool/uucp"),
            config: None,
            machine: "alpha",
            user: OsStr::new("joe"),
            job: "X.alphaN0001",
            instance: "X.alphaN0001:7:5.000000001",
            is_last_try: false,
        };
        let outer = |name: &str| (name == "TZ").then(|| OsString::from("UTC"));
        let mut got = environment(&around, outer);
        got.sort();
        let expected: Vec<(&str, OsString)> = vec![
            ("BANGPATH_JOB", "X.alphaN0001:7:5.000000001".into()),
            ("HOME", "/var/spool/uucp".into()),
            ("PATH", "/bin:/usr/bin".into()),
            ("SHELL", "/bin/sh".into()),
            ("TERM", "unknown".into()),
            ("TZ", "UTC".into()),
            ("USER", "uucp".into()),
            ("UU_JOB", "X.alphaN0001".into()),
            ("UU_MACHINE", "alpha".into()),
            ("UU_USER", "joe".into()),
        ];
        assert_eq!(got, expected);
        let named = Circumstances {
            config: Some(Path::new("/etc/beta")),
            is_last_try: true,
            ..around
        };
        let variables = environment(&named, outer);
        assert!(variables.contains(&("BANGPATH_LAST_TRY", "1".into())));
        assert!(variables.contains(&("BANGPATH_CONFIG", "/etc/beta".into())));
    }
}
