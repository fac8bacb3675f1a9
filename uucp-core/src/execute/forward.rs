//! Forwarding: a `uucp` that passes files on from and to other systems, for a system that may not run `uucp` as it likes.
//!
//! Taylor UUCP manual, *File Transfer Control*: `forward-to` lists the systems that files may be passed on to, `forward-from`
//! those that files may be fetched from. Only the next system on the way counts: what that one passes on is its own affair.
//! Files of this system are for `uucp` itself to judge, which is told who asks.

use std::path::PathBuf;

use super::arguments::files_of_uucp;
use super::files::Trouble;
use super::permission::{is_program, look_up};
use crate::config::{Config, Settings};
use crate::name::{SpoolName, SystemName};
use crate::report::note::shown;
use crate::spool::{ExecuteFile, Execution};

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

/// Whether the command's output may go where the execute file wants it, if that is a third system: it is passed on to it under our
/// name, so it must be one that files may be forwarded to, and a file, not a part of the queue.
pub(super) fn check_output(
    config: &Config,
    execution: &Execution,
    file: &ExecuteFile,
    settings: &Settings,
) -> Result<(), Trouble> {
    let Some((name, Some(system))) = &file.stdout else {
        return Ok(());
    };
    let own = config.nodename.as_str();
    if system == own.as_bytes() {
        return Ok(());
    }
    let refused = |what: &str, word: &[u8]| {
        Err(Trouble::ForGood(format!(
            "Not permitted to {what} {}",
            shown(word)
        )))
    };
    if SpoolName::parse(name).is_ok() {
        return refused("write to", name);
    }
    let known = SystemName::parse(system)
        .ok()
        .map(|name| config.system(&name));
    match known {
        Some(Err(error)) => return Err(Trouble::Later(error.to_one_line())),
        Some(Ok(Some(_))) => {}
        _ => return refused("send output to the unknown system", system),
    }
    let asks = execution.system.as_str();
    let may = asks == own
        || system == asks.as_bytes()
        || settings
            .forward_to
            .permits(&String::from_utf8_lossy(system));
    if may {
        Ok(())
    } else {
        refused("forward to", system)
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

    fn check_output_line(rules: &str, asks: &str, line: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let sys = format!("system beta\n{rules}\nsystem gamma\n");
        std::fs::write(path("sys"), sys).unwrap();
        let config = format!("nodename alpha\nsysfile {}\n", path("sys").display());
        std::fs::write(path("config"), config).unwrap();
        let config = Config::load(Some(&path("config"))).unwrap();
        let beta = config.system(&"beta".parse().unwrap()).unwrap().unwrap();
        let execution = Execution {
            system: asks.parse().unwrap(),
            name: "X.betaN0001".parse().unwrap(),
            grade: crate::name::Grade::LAST,
        };
        let file = ExecuteFile::parse(format!("{line}\nC cat\n").as_bytes()).unwrap();
        check_output(&config, &execution, &file, &beta.alternates[0]).map_err(|trouble| {
            match trouble {
                Trouble::ForGood(text) | Trouble::Later(text) => text,
            }
        })
    }

    #[test]
    fn output_goes_back_and_to_systems_that_files_may_be_forwarded_to() {
        for (rules, asks, line) in [
            ("", "beta", "N"),
            ("", "beta", "O ~/x"),
            ("", "beta", "O ~/x alpha"),
            ("", "beta", "O ~/x beta"),
            ("forward-to gamma", "beta", "O ~/x gamma"),
            ("", "alpha", "O ~/x gamma"),
        ] {
            assert_eq!(
                check_output_line(rules, asks, line),
                Ok(()),
                "{rules} {line}"
            );
        }
        for (rules, line, said) in [
            ("", "O ~/x gamma", "forward to gamma"),
            ("forward-to beta", "O ~/x gamma", "forward to gamma"),
            ("forward ANY", "O X.pwn0001 gamma", "write to X.pwn0001"),
            ("", "O D.pwn0001 beta", "write to D.pwn0001"),
            ("forward ANY", "O ~/x delta", "unknown system delta"),
            ("forward ANY", "O ~/x ../x", "unknown system ../x"),
        ] {
            let told = check_output_line(rules, "beta", line).unwrap_err();
            assert!(told.ends_with(said), "{rules} {line}: {told}");
        }
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
