//! A password: bytes that no log, no error and no `{:?}` ever shows.

use std::fmt;

use sha2::{Digest, Sha256};

/// Bytes that are not to be printed.
#[derive(Clone, Default)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Wraps bytes that are not to be printed.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into().into_boxed_slice())
    }

    /// The bytes themselves, for the one place that sends them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether another password is the same. The time it takes says nothing about where the two differ.
    #[must_use]
    pub fn matches(&self, other: &[u8]) -> bool {
        let difference = Sha256::digest(&self.0)
            .iter()
            .zip(Sha256::digest(other))
            .fold(0, |sum, (a, b)| sum | (a ^ b));
        difference == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_shows_itself() {
        let secret = Secret::new(*b"xyzzy");
        assert_eq!(format!("{secret:?}"), "****");
        assert_eq!(secret.expose(), b"xyzzy");
    }

    #[test]
    fn only_the_same_bytes_match() {
        let secret = Secret::new(*b"xyzzy");
        assert!(secret.matches(b"xyzzy"));
        for wrong in [&b""[..], b"xyzz", b"xyzzy ", b"xyzzZ"] {
            assert!(!secret.matches(wrong), "{wrong:?}");
        }
    }
}
