//! The values of the parameters, read and written.

use std::time::Duration;

use super::xtext;

/// BODY of RFC 6152 and 3030. It only tells; no bit is ever stripped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// `7BIT`
    SevenBit,
    /// `8BITMIME`
    EightBitMime,
    /// `BINARYMIME`
    BinaryMime,
}

impl Body {
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        match &*value.to_ascii_uppercase() {
            b"7BIT" => Some(Self::SevenBit),
            b"8BITMIME" => Some(Self::EightBitMime),
            b"BINARYMIME" => Some(Self::BinaryMime),
            _ => None,
        }
    }

    pub(super) fn value(self) -> &'static [u8] {
        match self {
            Self::SevenBit => b"7BIT",
            Self::EightBitMime => b"8BITMIME",
            Self::BinaryMime => b"BINARYMIME",
        }
    }
}

/// RET of RFC 3461: how much of the message a report returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// `FULL`
    Full,
    /// `HDRS`
    Headers,
}

impl Returned {
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        match &*value.to_ascii_uppercase() {
            b"FULL" => Some(Self::Full),
            b"HDRS" => Some(Self::Headers),
            _ => None,
        }
    }

    pub(super) fn value(self) -> &'static [u8] {
        match self {
            Self::Full => b"FULL",
            Self::Headers => b"HDRS",
        }
    }
}

/// BY of RFC 2852: deliver by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct By {
    /// Seconds that are left; may be negative in mode notify.
    pub seconds: i64,
    /// Whether the message is returned after that time, not just told about.
    pub returned: bool,
    /// Whether relays report (`T`).
    pub trace: bool,
}

impl By {
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let at = value.iter().position(|b| *b == b';')?;
        let (seconds, mode) = value.split_at_checked(at)?;
        let (returned, trace) = match &*mode.get(1..)?.to_ascii_uppercase() {
            b"R" => (true, false),
            b"RT" => (true, true),
            b"N" => (false, false),
            b"NT" => (false, true),
            _ => return None,
        };
        Some(Self {
            seconds: signed(seconds)?,
            returned,
            trace,
        })
    }

    /// What is left of it after the message has waited (RFC 2852, 4.1: every relay takes its own time off).
    #[must_use]
    pub fn after(self, waited: Duration) -> Self {
        let waited = i64::try_from(waited.as_secs()).unwrap_or(i64::MAX);
        Self {
            // Nine digits are all that BY has.
            seconds: self.seconds.saturating_sub(waited).max(-999_999_999),
            ..self
        }
    }

    /// Whether the message is to be returned and not delivered any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.returned && self.seconds <= 0
    }

    /// The value of BY.
    #[must_use]
    pub fn value(self) -> String {
        let mode = if self.returned { "R" } else { "N" };
        let trace = if self.trace { "T" } else { "" };
        format!("{};{mode}{trace}", self.seconds)
    }
}

/// HOLDFOR and HOLDUNTIL of RFC 4865: deliver not before then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// Seconds.
    For(u64),
    /// A date of RFC 3339, as it came.
    Until(Vec<u8>),
}

/// NOTIFY of RFC 3461: when the sender is told; never, when nothing is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notify {
    /// `SUCCESS`
    pub success: bool,
    /// `FAILURE`
    pub failure: bool,
    /// `DELAY`
    pub delay: bool,
}

impl Notify {
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let mut notify = Self::default();
        if value.eq_ignore_ascii_case(b"NEVER") {
            return Some(notify);
        }
        for word in value.split(|b| *b == b',') {
            match &*word.to_ascii_uppercase() {
                b"SUCCESS" => notify.success = true,
                b"FAILURE" => notify.failure = true,
                b"DELAY" => notify.delay = true,
                _ => return None,
            }
        }
        Some(notify)
    }

    /// The value of NOTIFY.
    #[must_use]
    pub fn value(self) -> Vec<u8> {
        let words: Vec<&[u8]> = [
            (self.success, &b"SUCCESS"[..]),
            (self.failure, b"FAILURE"),
            (self.delay, b"DELAY"),
        ]
        .into_iter()
        .filter_map(|(set, word)| set.then_some(word))
        .collect();
        if words.is_empty() {
            b"NEVER".to_vec()
        } else {
            words.join(&b","[..])
        }
    }
}

pub(super) fn is_word(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic)
}

/// Digits only: `+5`, which Rust would take, is none.
pub(super) fn number(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn signed(value: &[u8]) -> Option<i64> {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let number = i64::try_from(number(digits)?).ok()?;
    Some(if digits.len() < value.len() {
        -number
    } else {
        number
    })
}

pub(super) fn priority(value: &[u8]) -> Option<i8> {
    let priority = i8::try_from(signed(value)?).ok()?;
    (-9..=9).contains(&priority).then_some(priority)
}

pub(super) fn nonempty(value: &[u8]) -> Option<Vec<u8>> {
    is_word(value).then(|| value.to_vec())
}

pub(super) fn xtext_as_it_is(value: &[u8]) -> Option<Vec<u8>> {
    (!value.is_empty() && xtext::decode(value).is_some()).then(|| value.to_vec())
}

/// `rfc822;ADDRESS`. The address of RFC 6533's `utf-8` type is UTF-8 with escapes of its own.
pub(super) fn xtext_of_type(value: &[u8]) -> Option<Vec<u8>> {
    let at = value.iter().position(|b| *b == b';')?;
    let whole = at > 0 && at + 1 < value.len() && value.iter().all(|b| *b > b' ' && *b != 0x7f);
    whole.then(|| value.to_vec())
}
