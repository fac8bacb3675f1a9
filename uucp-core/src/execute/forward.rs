//! Forwarding: a `uucp` that passes files on from and to other systems, for a system that may not run `uucp` as it likes.
//!
//! Taylor UUCP manual, *File Transfer Control*: `forward-to` lists the systems that files may be passed on to, `forward-from`
//! those that files may be fetched from. Only the next system on the way counts: what that one passes on is its own affair.
//! Files of this system are for `uucp` itself to judge, which is told who asks.

use std::path::PathBuf;

use super::arguments::files_of_uucp;
use super::permission::{is_program, look_up};
use crate::config::Settings;
use crate::report::note::shown;

/// The word that makes a command one of these.
pub(super) const COMMAND: &[u8] = b"uucp";

/// Whether the command may run, by its words behind the first; or why it may not.
pub(super) fn check(words: &[Vec<u8>], own: &str, settings: &Settings) -> Result<(), String> {
    let Some(files) = files_of_uucp(words) else {
        return Err("Not permitted to forward with these options".to_owned());
    };
    let Some((to, from)) = files.split_last() else {
        return Err("Nothing to forward".to_owned());
    };
    for file in from {
        if let Some(system) = next_system(file, own)
            && !settings
                .forward_from
                .permits(&String::from_utf8_lossy(system))
        {
            return Err(format!("Not permitted to forward from {}", shown(system)));
        }
    }
    match next_system(to, own) {
        Some(system)
            if !settings
                .forward_to
                .permits(&String::from_utf8_lossy(system)) =>
        {
            Err(format!("Not permitted to forward to {}", shown(system)))
        }
        _ => Ok(()),
    }
}

/// The `uucp` of the command path, or the one beside this program.
pub(super) fn program(path: &[PathBuf]) -> Option<PathBuf> {
    look_up(COMMAND, path).or_else(|| {
        let own = std::env::current_exe().ok()?;
        let beside = own.parent()?.join("uucp");
        is_program(&beside).then_some(beside)
    })
}

/// The first system of a file's name that is not this one.
fn next_system<'f>(file: &'f [u8], own: &str) -> Option<&'f [u8]> {
    let mut parts: Vec<&[u8]> = file.split(|b| *b == b'!').collect();
    parts.pop();
    parts
        .into_iter()
        .find(|part| !part.is_empty() && *part != own.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn check_line(rules: &str, line: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("sys"), format!("system beta\n{rules}\n")).unwrap();
        let config = format!("nodename alpha\nsysfile {}\n", path("sys").display());
        std::fs::write(path("config"), config).unwrap();
        let config = Config::load(Some(&path("config"))).unwrap();
        let beta = config.system(&"beta".parse().unwrap()).unwrap().unwrap();
        let words: Vec<Vec<u8>> = line.split(' ').map(Into::into).collect();
        check(&words, "alpha", &beta.alternates[0])
    }

    /// What Debian's uuxqt 1.07-27 did with the same commands, but for names that begin with its own.
    #[test]
    fn the_next_system_of_each_file_counts() {
        for (rules, line) in [
            ("forward-to gamma", "-ubeta!joe -C -d -g N f1 gamma!~/x"),
            ("forward-to gamma", "f1 gamma!delta!~/x"),
            ("forward-to gamma", "~/pf gamma!~/x"),
            ("forward-to gamma", "-n foo!bar f1 gamma!~/x"),
            ("forward-to gamma", "-t f1 gamma!bar"),
            ("forward-to gamma", "f1 alpha!gamma!x"),
            ("forward-from gamma", "gamma!~/z ~/x"),
            ("forward ANY", "gamma!delta!~/z beta!~/x"),
            ("forward gamma beta", "gamma!~/z beta!~/x"),
            ("", "~/pf ~/y"),
        ] {
            assert_eq!(check_line(rules, line), Ok(()), "{rules}: {line}");
        }
        for (rules, line, system) in [
            ("", "f1 gamma!~/x", "to gamma"),
            ("forward-to gamma", "f1 delta!~/x", "to delta"),
            ("forward-from gamma", "f1 gamma!~/x", "to gamma"),
            ("forward-to gamma", "gamma!~/z beta!~/x", "from gamma"),
            ("forward-from gamma", "gamma!~/z beta!~/x", "to beta"),
            ("", "~/pf beta!~/x", "to beta"),
            ("forward-to gamma", "-t f1 delta!bar", "to delta"),
            ("forward-to gamma", "f1 alpha!delta!x", "to delta"),
            ("forward ANY", "-Z f1 gamma!x", "these options"),
        ] {
            let said = check_line(rules, line).unwrap_err();
            assert!(
                said.ends_with(system) || said.contains("options"),
                "{line}: {said}"
            );
        }
    }
}
