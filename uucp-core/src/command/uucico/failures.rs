//! What keeps a call from being answered at all: the Log has it, and not whoever calls.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::options::Arguments;
use crate::config::Config;
use crate::port::stderr_is_the_line;
use crate::spool::{Journal, Severity};
use crate::sysexits::Failure;

/// Where the Log is if the configuration does not say.
const LOG: &str = "/var/log/uucp/Log";
/// Where the configuration is if nobody says.
const CONFIG: &str = "/etc/uucp/config";
/// More of a configuration file than that is not looked through.
const CONFIG_LIMIT: u64 = 1024 * 1024;

/// Writes it to the Log. What is given back is for standard error: where that leads to the caller, nothing of our files.
pub(super) fn tell(arguments: &Arguments, failure: Failure) -> Failure {
    let file = arguments.common.config.as_deref();
    let path = Config::load(file).map_or_else(
        |_| named_log(file.unwrap_or_else(|| Path::new(CONFIG))),
        |config| config.logfile,
    );
    let words: Vec<&str> = failure.message.split_whitespace().collect();
    let text = words.join(" ");
    let text = format!("Call not answered: {text}");
    Journal::open_at("uucico", &path, &path).log(None, None, Severity::Error, &text);
    if is_for_the_caller() {
        return Failure::new(failure.status, "this system cannot answer now");
    }
    failure
}

/// Under inetd standard error is the line; under sshd it goes to the caller beside the line, unless there is a terminal.
pub(super) fn is_for_the_caller() -> bool {
    let is_line = io::stdin().as_fd().try_clone_to_owned().is_ok_and(|line| {
        let metadata = File::from(line).metadata();
        metadata.is_ok_and(|found| found.file_type().is_fifo() || found.file_type().is_socket())
    });
    let by_ssh = is_line && std::env::var_os("SSH_CONNECTION").is_some();
    stderr_is_the_line() || (by_ssh && !io::stderr().is_terminal())
}

/// The Log that a configuration file names which, as a whole, cannot be used.
fn named_log(config: &Path) -> PathBuf {
    let mut text = Vec::new();
    let read = File::open(config).and_then(|file| file.take(CONFIG_LIMIT).read_to_end(&mut text));
    let text = String::from_utf8_lossy(&text);
    let named = read.ok().and_then(|_| {
        let mut paths = text.lines().filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            (words.next() == Some("logfile"))
                .then(|| words.next())
                .flatten()
        });
        paths.next_back().filter(|path| path.starts_with('/'))
    });
    named.map_or_else(|| LOG.into(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_a_broken_configuration_is_the_one_that_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        for (text, log) in [
            (
                "nodename x\nlogfile /a/Log\nmax-uuxqts many\nlogfile /b/Log\n",
                "/b/Log",
            ),
            ("logfile Log\n", LOG),
            ("\u{0}\n# logfile /a/Log\n", LOG),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(named_log(&file), Path::new(log), "{text}");
        }
        assert_eq!(named_log(Path::new("/nonexistent/config")), Path::new(LOG));
    }
}
