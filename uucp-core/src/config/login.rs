//! The call file: what to log in with elsewhere.
//!
//! Taylor UUCP manual, *Configuration File Names* (`callfile`).

use std::path::Path;

use super::Credentials;
use super::chat::unescape;
use super::command::Command;
use super::error::ConfigError;
use super::lines::{Lines, Style};
use super::secret::Secret;
use super::sys::OnFault;
use crate::name::SystemName;

/// The line of a system in a call file.
pub(super) fn find_credentials(
    file: &Path,
    system: &SystemName,
) -> Result<Option<Credentials>, ConfigError> {
    let Some(mut lines) = Lines::open(file, Style::Secret)? else {
        return Ok(None);
    };
    while let Some(line) = lines.next_line()? {
        let command = line.command();
        if command.bytes(0) == system.as_bytes() {
            check_line(command)?;
            return Ok(Some(Credentials {
                login: unescape(command.bytes(1)),
                password: Secret::new(unescape(command.bytes(2))),
            }));
        }
    }
    Ok(None)
}

fn check_line(command: Command<'_>) -> Result<(), ConfigError> {
    if (1..=2).contains(&command.arguments().len()) {
        return Ok(());
    }
    let message = "a line is: system, login name, password";
    let mend = "write a blank in a password as \\s and '#' as \\#";
    Err(command.wrong(0, message, Some(mend.to_owned())))
}

/// Reads all of a call file; what is wrong goes to `fault`.
pub(super) fn check(file: &Path, fault: OnFault<'_>) -> Result<(), ConfigError> {
    let Some(mut lines) = Lines::open(file, Style::Secret)? else {
        return Ok(());
    };
    while let Some(line) = lines.next_line()? {
        check_line(line.command()).or_else(&mut *fault)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn the_call_file_has_a_line_for_a_system() {
        let file = file("# calls\ntvsecure Uarmada s3cret\nhostpro U\\sa secr\\#3t\nopen Uopen\n");
        let find = |name: &str| find_credentials(file.path(), &name.parse().unwrap()).unwrap();
        let hostpro = find("hostpro").unwrap();
        assert_eq!(hostpro.login, b"U a");
        assert_eq!(hostpro.password.expose(), b"secr#3t");
        assert_eq!(find("open").unwrap().password.expose(), b"");
        assert!(find("armada").is_none());
        assert_eq!(
            format!("{hostpro:?}"),
            "Credentials { login: [85, 32, 97], password: **** }"
        );
    }
}
