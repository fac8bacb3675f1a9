//! Protocol parameters as the configuration gives them: pairs of words, the last one of a name winning.

use std::time::Duration;

/// The `protocol-parameter` settings of one protocol.
///
/// An unknown name is nobody's business; a value that is no number, or is out of the range that the protocol can bear,
/// leaves the default.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameters<'a>(pub(super) &'a [(&'a str, &'a str)]);

impl Parameters<'_> {
    /// A word as it stands.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let named = |pair: &&(&str, &str)| pair.0.eq_ignore_ascii_case(name);
        self.0.iter().rev().find(named).map(|pair| pair.1)
    }

    /// A number from `least` to `most`.
    pub(super) fn number(&self, name: &str, default: u32, least: u32, most: u32) -> u32 {
        self.text(name)
            .and_then(|value| value.parse().ok())
            .filter(|number| (least..=most).contains(number))
            .unwrap_or(default)
    }

    /// A number of seconds, at least one.
    pub(super) fn seconds(&self, name: &str, default: u32) -> Duration {
        Duration::from_secs(self.number(name, default, 1, 86_400).into())
    }

    /// A yes or no: the first letter of y, t or of n, f counts.
    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        match self.text(name).and_then(|value| value.bytes().next()) {
            Some(b'y' | b'Y' | b't' | b'T') => true,
            Some(b'n' | b'N' | b'f' | b'F') => false,
            _ => default,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_usable_value_counts() {
        let parameters = Parameters(&[
            ("window", "5"),
            ("Window", "3"),
            ("timeout", "x"),
            ("packet-size", "100000"),
            ("short-packets", "no"),
        ]);
        assert_eq!(parameters.number("window", 7, 1, 7), 3);
        assert_eq!(parameters.number("packet-size", 64, 32, 4096), 64);
        assert_eq!(parameters.seconds("timeout", 10), Duration::from_secs(10));
        assert!(!parameters.flag("short-packets", true));
        assert!(parameters.flag("other", true));
    }
}
