//! The passwd file: who may log in here.
//!
//! Taylor UUCP manual, *Configuration File Names* (`passwdfile`). A password stands there as it is, or as a hash that begins
//! with `$`: `$argon2id$` and its kin in the form of the PHC, `$6$`, `$5$` and `$y$` of crypt(5).

use std::path::Path;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use sha_crypt::ShaCrypt;
use sha2::{Digest, Sha256};
use yescrypt::Yescrypt;

use super::chat::unescape;
use super::error::ConfigError;
use super::lines::{Line, Lines, Style};
use super::secret::Secret;
use super::sys::OnFault;

/// A login name and a password being checked. Every line of every file costs the same, whatever it says and whether or not it
/// is the one, and where there are hashes exactly one is computed; so time tells nobody which names exist.
#[derive(Debug)]
pub struct LoginCheck {
    login: [u8; 32],
    hashed_password: [u8; 32],
    password: Secret,
    /// Whether the name was seen: only its first line counts.
    found: bool,
    fits: bool,
    /// The hash of the name, where it has one.
    hash: Option<String>,
    /// The first hash of the files, for names that have none.
    any_hash: Option<String>,
}

impl LoginCheck {
    /// Begins to check what a caller said.
    pub(super) fn new(login: &[u8], password: &[u8]) -> Self {
        Self {
            login: Sha256::digest(login).into(),
            hashed_password: Sha256::digest(password).into(),
            password: Secret::new(password),
            found: false,
            fits: false,
            hash: None,
            any_hash: None,
        }
    }

    /// Goes through one passwd file.
    pub(super) fn read(&mut self, file: &Path) -> Result<(), ConfigError> {
        let Some(mut lines) = Lines::open(file, Style::Secret)? else {
            return Ok(());
        };
        while let Some(line) = lines.next_line()? {
            if let Some(login) = parse_line(&line)? {
                self.compare(login);
            }
        }
        Ok(())
    }

    fn compare(&mut self, login: Login) {
        let known = same(&Sha256::digest(&login.name), &self.login);
        let first = known && !self.found;
        self.found |= known;
        match login.password {
            Password::Plain(password) => {
                let right = same(&Sha256::digest(&password), &self.hashed_password);
                self.fits |= first & right;
            }
            Password::Hash(hash) => {
                if first {
                    self.hash = Some(hash.clone());
                }
                self.any_hash.get_or_insert(hash);
            }
        }
    }

    /// Whether a hash is to be computed, which takes memory and time: one at a time is enough.
    #[must_use]
    pub fn is_costly(&self) -> bool {
        self.any_hash.is_some()
    }

    /// Whether they fit together.
    #[must_use]
    pub fn fits(self) -> bool {
        let computed = self.hash.as_ref().or(self.any_hash.as_ref());
        let verified = computed.is_some_and(|hash| verify(self.password.expose(), hash));
        if self.hash.is_some() {
            verified
        } else {
            self.fits
        }
    }
}

/// Reads all of a passwd file; what is wrong goes to `fault`.
pub(super) fn check(file: &Path, fault: OnFault<'_>) -> Result<(), ConfigError> {
    let Some(mut lines) = Lines::open(file, Style::Secret)? else {
        return Ok(());
    };
    while let Some(line) = lines.next_line()? {
        parse_line(&line).map(drop).or_else(&mut *fault)?;
    }
    Ok(())
}

/// The login names of a passwd file, as far as it can be read; `None` where there is none.
pub(super) fn names(file: &Path) -> Option<Vec<Vec<u8>>> {
    let mut lines = Lines::open(file, Style::Secret).ok()??;
    let mut names = Vec::new();
    while let Ok(Some(line)) = lines.next_line() {
        names.extend(parse_line(&line).ok().flatten().map(|login| login.name));
    }
    Some(names)
}

/// Whether two hashes are the same, in a time that does not depend on where they differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let pairs = one.iter().zip(other);
    pairs.fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// A login name and its password, as a line of a passwd file gives them.
struct Login {
    name: Vec<u8>,
    password: Password,
}

enum Password {
    Plain(Vec<u8>),
    Hash(String),
}

/// What a hash begins with, of those that can be verified.
const KINDS: [&str; 6] = ["$argon2id$", "$argon2i$", "$argon2d$", "$6$", "$5$", "$y$"];

fn verify(password: &[u8], hash: &str) -> bool {
    if hash.starts_with("$argon2") {
        Argon2::default().verify_password(password, hash).is_ok()
    } else if hash.starts_with("$y$") {
        Yescrypt::default().verify_password(password, hash).is_ok()
    } else {
        ShaCrypt::default().verify_password(password, hash).is_ok()
    }
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
    if password.is_empty() || password.contains(&b' ') {
        return Ok(None);
    }
    let password = match hash_of(password) {
        None => Password::Plain(unescape(password)),
        Some(Ok(hash)) => Password::Hash(hash),
        Some(Err(())) => {
            let message = "the password is a hash of a kind that is not known here";
            let mend = "make one with 'mkpasswd -m sha512crypt', or, if it is no hash, write its first '$' as \\044";
            return Err(command.wrong(0, message, Some(mend.to_owned())));
        }
    };
    Ok(Some(Login {
        name: unescape(name),
        password,
    }))
}

/// Whether a password is a hash: `$KIND$`, whatever follows. One that was taken for a password would be one.
fn hash_of(password: &[u8]) -> Option<Result<String, ()>> {
    let rest = password.strip_prefix(b"$")?;
    let kind = rest.split(|byte| *byte == b'$').next()?;
    let looks_like_one =
        kind.len() < rest.len() && !kind.is_empty() && kind.iter().all(u8::is_ascii_alphanumeric);
    looks_like_one.then(|| {
        let text = std::str::from_utf8(password).map_err(|_| ())?;
        let known = KINDS.iter().any(|kind| text.starts_with(kind));
        known.then(|| text.to_owned()).ok_or(())
    })
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

    /// All of `secr3t`, made by OpenSSL, libxcrypt and the reference implementation of argon2.
    const HASHES: [&str; 4] = [
        "$6$saltsalt$uv.vcPbGWDBw5gW0rk5TnOI27ByFpXfhnCVRCVx5DBtNwsE9lxIv0ZCk4gcW0XRNfyul2sCSrmr12ZkbOnM63/",
        "$5$saltsalt$B697ZWaRP3nqA8HJ5BqlvY4XlmSUWcAZpRdk1RswIt1",
        "$y$j9T$saltsaltsalt$6JxjzSEshnQFnrwBmNd1hfoXX3O8KzC9UPKCPnrc62C",
        "$argon2id$v=19$m=64,t=1,p=1$VoDnACaHOdHkkzf6pHZ5bA$lx03gIZQTs+On15uVllvNPUwcDaMm8yuSPTWwNqpfPQ",
    ];

    #[test]
    fn hashes_of_every_kind_are_verified() {
        for hash in HASHES {
            let words = format!("Uother plain\nUa {hash}\n");
            let colons = format!("Ua:{hash}:10:10::/:/bin/sh\n");
            for text in [&words, &colons] {
                assert!(check(text, "Ua", "secr3t").unwrap(), "{hash}");
                for wrong in ["secr3T", "", hash] {
                    assert!(!check(text, "Ua", wrong).unwrap(), "{hash} {wrong}");
                }
                assert!(!check(text, "Ub", "secr3t").unwrap(), "{hash}");
            }
            assert!(check(&words, "Uother", "plain").unwrap());
            assert!(!check(&words, "Uother", "secr3t").unwrap());
        }
    }

    #[test]
    fn a_hash_is_computed_for_every_name_or_for_none() {
        let costly = |text: &str, login: &[u8]| {
            let mut check = LoginCheck::new(login, b"x");
            check.read(file(text).path()).unwrap();
            check.is_costly()
        };
        let text = format!("Up plain\nUa {}\n", HASHES[1]);
        for login in [&b"Up"[..], b"Ua", b"nobody"] {
            assert!(costly(&text, login) && !costly("Up plain\n", login));
        }
    }

    #[test]
    fn a_hash_that_cannot_be_verified_is_no_password() {
        for hash in ["$1$salt$hash", "$2b$12$abc", "$x$"] {
            let error = check(&format!("Ua {hash}\n"), "Ua", hash).unwrap_err();
            let text = error.to_one_line();
            assert!(text.contains("mkpasswd") && !text.contains(hash), "{text}");
        }
        for plain in ["$", "$5", "$$", "a$5$b", "\\044x$y"] {
            let said = plain.replace("\\044", "$");
            assert!(
                check(&format!("Ua {plain}\n"), "Ua", &said).unwrap(),
                "{plain}"
            );
        }
        // Damaged hashes let nobody in.
        for hash in ["$6$", "$6$salt$", "$y$x", "$argon2id$v=19$m=4294967295"] {
            assert!(!check(&format!("Ua {hash}\n"), "Ua", "").unwrap(), "{hash}");
        }
    }
}
