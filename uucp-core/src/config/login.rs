//! The call and passwd files: what to log in with elsewhere, and who may log in here.
//!
//! Taylor UUCP manual, *Configuration File Names* (`callfile`, `passwdfile`).

use std::path::Path;

use sha2::{Digest, Sha256};

use super::Credentials;
use super::chat::unescape;
use super::error::ConfigError;
use super::lines::{Line, Lines, Style};
use super::secret::Secret;
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
            if !(1..=2).contains(&command.arguments().len()) {
                let message = "a line is: system, login name, password";
                let mend = "write a blank in a password as \\s and '#' as \\#";
                return Err(command.wrong(0, message, Some(mend.to_owned())));
            }
            return Ok(Some(Credentials {
                login: unescape(command.bytes(1)),
                password: Secret::new(unescape(command.bytes(2))),
            }));
        }
    }
    Ok(None)
}

/// A login name and a password being checked. Every line of every file costs the same, whatever it says and whether or not it
/// is the one, so that time tells nobody which names exist.
pub(super) struct LoginCheck {
    login: [u8; 32],
    password: [u8; 32],
    /// Whether the name was seen: only its first line counts.
    found: bool,
    fits: bool,
}

impl LoginCheck {
    /// Begins to check what a caller said.
    pub(super) fn new(login: &[u8], password: &[u8]) -> Self {
        Self {
            login: Sha256::digest(login).into(),
            password: Sha256::digest(password).into(),
            found: false,
            fits: false,
        }
    }

    /// Goes through one passwd file.
    pub(super) fn read(&mut self, file: &Path) -> Result<(), ConfigError> {
        let Some(mut lines) = Lines::open(file, Style::Secret)? else {
            return Ok(());
        };
        while let Some(line) = lines.next_line()? {
            if let Some(login) = parse_line(&line)? {
                self.compare(&login);
            }
        }
        Ok(())
    }

    /// Whether they fit together.
    pub(super) fn fits(self) -> bool {
        self.fits
    }

    fn compare(&mut self, login: &Login) {
        let known = same(&Sha256::digest(&login.name), &self.login);
        let right = same(&Sha256::digest(&login.password), &self.password);
        let first = !self.found;
        self.fits |= known & right & first;
        self.found |= known;
    }
}

/// Whether two hashes are the same, in a time that does not depend on where they differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let pairs = one.iter().zip(other);
    pairs.fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// A login name and its password, as a line of a passwd file gives them.
struct Login {
    name: Vec<u8>,
    password: Vec<u8>,
}

/// A line of a passwd file: two words, or fields between colons as in `/etc/passwd`; a line between colons that has no password,
/// or one with blanks, lets nobody in.
fn parse_line(line: &Line) -> Result<Option<Login>, ConfigError> {
    let text = line.joined_words();
    let mut fields = text.split(|byte| *byte == b':');
    let command = line.command();
    let (name, password) = if let Some(fields) = fields.next().zip(fields.next()) {
        fields
    } else if command.arguments().len() == 1 {
        (command.bytes(0), command.bytes(1))
    } else {
        let message = "a line is: login name, password";
        let mend = "write a blank as \\s and '#' as \\#";
        return Err(command.wrong(0, message, Some(mend.to_owned())));
    };
    let usable = !password.is_empty() && !password.contains(&b' ');
    Ok(usable.then(|| Login {
        name: unescape(name),
        password: unescape(password),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn check(text: &str, login: &str, password: &str) -> Result<bool, ConfigError> {
        let mut check = LoginCheck::new(login.as_bytes(), password.as_bytes());
        check.read(file(text).path())?;
        Ok(check.fits())
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

    #[test]
    fn logins_and_passwords_fit_together_or_not() {
        let text = "# passwords\nUarmada secr3t\nUx a\\sb\nUx second\nUc:pw:10:10::/:/bin/sh\nUe::1\nUs:p w:1\n";
        for (login, password, wanted) in [
            ("Uarmada", "secr3t", true),
            ("Uarmada", "secr3T", false),
            ("Uarmada", "", false),
            ("uarmada", "secr3t", false),
            ("Uy", "secr3t", false),
            ("Ux", "a b", true),
            ("Ux", "a\\sb", false),
            ("Ux", "second", false),
            ("Uc", "pw", true),
            ("Uc", "", false),
            ("Ue", "", false),
            ("Us", "p w", false),
            ("", "", false),
        ] {
            assert_eq!(
                check(text, login, password).unwrap(),
                wanted,
                "{login} {password}"
            );
        }
    }

    #[test]
    fn without_a_file_nobody_gets_in() {
        let mut check = LoginCheck::new(b"", b"");
        check.read(Path::new("/no/such/passwd")).unwrap();
        assert!(!check.fits());
    }

    #[test]
    fn a_wrong_line_is_told_without_the_password() {
        let file = file("good one\nUarmada my secr3t\n");
        let mut check = LoginCheck::new(b"x", b"y");
        let error = check.read(file.path()).unwrap_err();
        for text in [error.to_string(), error.to_one_line(), format!("{error:?}")] {
            assert!(
                !text.contains("secr3t") && text.contains("login name, password"),
                "{text}"
            );
        }
        assert!(error.to_one_line().contains(":2:1:"));
    }
}
