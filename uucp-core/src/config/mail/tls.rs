//! Keys that neighbours show over TLS, and what is asked of them besides.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::MailConfig;
use crate::name::SystemName;

/// The word before the digits.
const PREFIX: &str = "sha256:";

/// The fingerprint of a public key: SHA-256 of its `SubjectPublicKeyInfo`. It stays the same when the certificate around the
/// key is made anew.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a key in DER.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_ascii_lowercase();
        let digits = lower.strip_prefix(PREFIX).unwrap_or(&lower);
        let mut bytes = Vec::new();
        let mut half = None;
        // `openssl` puts colons between the bytes.
        for character in digits.chars().filter(|one| *one != ':') {
            let digit = character
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok());
            let digit = digit.ok_or_else(|| wrong(text))?;
            match half.take() {
                None => half = Some(digit),
                Some(high) => bytes.push(high << 4 | digit),
            }
        }
        match (<[u8; 32]>::try_from(bytes), half) {
            (Ok(bytes), None) => Ok(Self(bytes)),
            _ => Err(wrong(text)),
        }
    }
}

fn wrong(text: &str) -> String {
    format!(
        "'{text}' is not the fingerprint of a key, which is {PREFIX} and 64 digits; 'uucico --certificate' prints it where the key is"
    )
}

/// `[neighbour.NAME.tls]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct TlsSection {
    pub(super) pins: Vec<Fingerprint>,
    names: Vec<String>,
    login: Option<bool>,
    required: bool,
}

/// How a neighbour proves over TLS who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsRules {
    /// The keys that it may show; several while it changes from one to the next.
    pub pins: Vec<Fingerprint>,
    /// The names that a certificate of an authority may have for it; none: the system's own name.
    pub names: Vec<String>,
    /// Whether it is asked for login name and password all the same: unless set, it is.
    pub login: bool,
    /// Whether it may call, and be called, over TLS only: unless set, it need not.
    pub required: bool,
}

impl MailConfig {
    /// How a neighbour proves over TLS who it is.
    #[must_use]
    pub fn tls(&self, system: &SystemName) -> TlsRules {
        let section = self.own(Some(system)).map(|n| n.tls.clone());
        section.unwrap_or_default().into()
    }

    /// The neighbours that are asked for neither login name nor password over TLS.
    pub fn known_by_key_alone(&self) -> impl Iterator<Item = (SystemName, TlsRules)> {
        let sections = self.neighbour.iter();
        let silent = sections.filter(|(_, neighbour)| neighbour.tls.login == Some(false));
        silent.filter_map(|(name, neighbour)| {
            Some((name.parse().ok()?, neighbour.tls.clone().into()))
        })
    }

    /// Every key that is pinned, and whose it is.
    pub fn pinned(&self) -> impl Iterator<Item = (&str, Fingerprint)> {
        let sections = self.neighbour.iter();
        sections.flat_map(|(name, neighbour)| {
            let pins = neighbour.tls.pins.iter();
            pins.map(|pin| (name.as_str(), *pin))
        })
    }

    /// The neighbour whose key this is.
    #[must_use]
    pub fn owner_of(&self, key: Fingerprint) -> Option<&str> {
        self.pinned()
            .find_map(|(name, pin)| (pin == key).then_some(name))
    }

    /// Neighbours that have a key of another's: it says of neither who it is.
    pub(super) fn shared_keys(&self) -> Vec<(&str, &str)> {
        let mut pairs = Vec::new();
        for (name, pin) in self.pinned() {
            if let Some(owner) = self.owner_of(pin)
                && owner != name
                && !pairs.contains(&(owner, name))
            {
                pairs.push((owner, name));
            }
        }
        pairs
    }
}

impl From<TlsSection> for TlsRules {
    fn from(section: TlsSection) -> Self {
        Self {
            pins: section.pins,
            names: section.names,
            login: section.login.unwrap_or(true),
            required: section.required,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const KEY: &str = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn parse(text: &str) -> Result<MailConfig, String> {
        MailConfig::parse(text, Path::new("mail.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn fingerprints_are_read_as_openssl_and_we_write_them() {
        let key: Fingerprint = KEY.parse().unwrap();
        assert_eq!(key.to_string(), KEY);
        let digits = KEY.strip_prefix(PREFIX).unwrap();
        let pairs: Vec<&str> = (0..32).map(|at| &digits[2 * at..2 * at + 2]).collect();
        for other in [
            digits.to_owned(),
            pairs.join(":").to_uppercase(),
            format!("SHA256:{}", digits.to_uppercase()),
        ] {
            assert_eq!(other.parse::<Fingerprint>(), Ok(key), "{other}");
        }
        for bad in [
            "",
            PREFIX,
            &KEY[..70],
            &format!("{KEY}0"),
            &format!("{KEY}00"),
            "sha1:00",
        ] {
            assert!(
                bad.parse::<Fingerprint>()
                    .unwrap_err()
                    .contains("--certificate")
            );
        }
    }

    #[test]
    fn what_is_not_said_is_the_careful_way() {
        let mail = parse(&format!("[neighbour.leaf.tls]\npins = [\"{KEY}\"]\n")).unwrap();
        let leaf = mail.tls(&"leaf".parse().unwrap());
        assert!(leaf.login && !leaf.required && leaf.pins == [KEY.parse().unwrap()]);
        assert_eq!(mail.owner_of(KEY.parse().unwrap()), Some("leaf"));
        assert_eq!(mail.known_by_key_alone().count(), 0);
        let other = mail.tls(&"other".parse().unwrap());
        assert!(other.pins.is_empty() && other.login);
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (text, told) in [
            (
                "[neighbour.leaf.tls]\npins = [\"abc\"]\n",
                "mail.toml:2: 'abc' is not",
            ),
            (
                "[neighbour.leaf.tls]\npin = []\n",
                "mail.toml:2: 'pin' is not a key of [neighbour.leaf.tls]; did you mean 'pins'?",
            ),
            (
                "[tls]\nlogin = false\n",
                "mail.toml:1: [tls] is a section of a neighbour: [neighbour.NAME.tls]",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(told), "{error}");
        }
        let twice = format!(
            "[neighbour.a.tls]\npins = [\"{KEY}\"]\n[neighbour.b.tls]\npins = [\"{KEY}\"]\n"
        );
        let error = parse(&twice).unwrap_err();
        assert!(
            error.starts_with("mail.toml:3: 'a' and 'b' have the same key"),
            "{error}"
        );
    }
}
