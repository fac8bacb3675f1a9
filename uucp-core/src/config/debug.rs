//! Kinds of debugging messages: the words of `-x` and of the `debug` command.

use std::fmt;
use std::ops::{BitAnd, BitOr};

/// One kind of debugging message, in the order of Taylor's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DebugKind {
    /// Odd but harmless happenings.
    Abnormal,
    /// Chat scripts.
    Chat,
    /// The handshake before and after the link protocol.
    Handshake,
    /// Commands within the link protocol.
    UucpProto,
    /// The link protocol itself.
    Proto,
    /// Ports.
    Port,
    /// Configuration files.
    Config,
    /// The spool.
    Spooldir,
    /// Executions.
    Execute,
    /// Bytes that come in.
    Incoming,
    /// Bytes that go out.
    Outgoing,
}

impl DebugKind {
    /// Every kind, lowest first.
    pub const ALL: [Self; 11] = [
        Self::Abnormal,
        Self::Chat,
        Self::Handshake,
        Self::UucpProto,
        Self::Proto,
        Self::Port,
        Self::Config,
        Self::Spooldir,
        Self::Execute,
        Self::Incoming,
        Self::Outgoing,
    ];

    /// The one kind whose word begins so.
    fn beginning(letters: &str) -> Option<Self> {
        let begins = |kind: &Self| kind.word().starts_with(letters);
        let mut kinds = Self::ALL.into_iter().filter(begins);
        kinds.next().filter(|_| kinds.next().is_none())
    }

    /// The word that names the kind.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Abnormal => "abnormal",
            Self::Chat => "chat",
            Self::Handshake => "handshake",
            Self::UucpProto => "uucp-proto",
            Self::Proto => "proto",
            Self::Port => "port",
            Self::Config => "config",
            Self::Spooldir => "spooldir",
            Self::Execute => "execute",
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
        }
    }
}

/// A set of kinds of debugging messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DebugSet(u16);

impl DebugSet {
    /// No messages.
    pub const NONE: Self = Self(0);
    /// Every message.
    pub const ALL: Self = Self((1 << 11) - 1);
    /// What a caller may ask for unless `max-remote-debug` says otherwise.
    pub const REMOTE_DEFAULT: Self = Self(0b111);

    /// The lowest `count` kinds.
    #[must_use]
    pub fn lowest(count: u32) -> Self {
        let bits = 1_u16.checked_shl(count).map_or(u16::MAX, |bit| bit - 1);
        Self(bits) & Self::ALL
    }

    /// The set whose Taylor bits are given: what `-xN` in the handshake carries when N is above 9.
    #[must_use]
    pub fn from_bits(bits: u16) -> Self {
        Self(bits) & Self::ALL
    }

    /// Whether a kind is in the set.
    #[must_use]
    pub fn contains(self, kind: DebugKind) -> bool {
        self.0 & (1 << kind as u16) != 0
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Parses words separated by commas: kinds, `all`, `none`, or a number, which stands for that many of the lowest kinds. Case
    /// does not matter, and as with Taylor's the first letters of a kind are enough, if they are those of no other.
    ///
    /// # Errors
    /// The first word that is none of these.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .try_fold(Self::NONE, |set, word| Ok(set | Self::parse_word(word)?))
    }

    fn parse_word(word: &str) -> Result<Self, String> {
        let lower = word.to_ascii_lowercase();
        if let Ok(count) = lower.parse() {
            return Ok(Self::lowest(count));
        }
        match lower.as_str() {
            "all" => Ok(Self::ALL),
            "none" => Ok(Self::NONE),
            lower => DebugKind::beginning(lower)
                .map(|kind| Self(1 << kind as u16))
                .or_else(|| "all".starts_with(lower).then_some(Self::ALL))
                .ok_or_else(|| word.to_owned()),
        }
    }
}

impl BitOr for DebugSet {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for DebugSet {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl fmt::Display for DebugSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let words: Vec<_> = DebugKind::ALL
            .into_iter()
            .filter(|kind| self.contains(*kind))
            .map(DebugKind::word)
            .collect();
        f.write_str(&words.join(","))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_and_numbers_name_kinds() {
        for (text, wanted) in [
            ("", "none"),
            ("0", "none"),
            ("none", "none"),
            ("1", "abnormal"),
            ("3", "abnormal,chat,handshake"),
            ("chat,Port", "chat,port"),
            ("2,outgoing", "abnormal,chat,outgoing"),
            ("hand,Out,a", "abnormal,handshake,outgoing"),
            ("pro,co", "proto,config"),
        ] {
            assert_eq!(DebugSet::parse(text).unwrap().to_string(), wanted, "{text}");
        }
        for all in ["all", "al", "11", "99", "ALL,chat"] {
            assert_eq!(DebugSet::parse(all), Ok(DebugSet::ALL), "{all}");
        }
        for (text, wrong) in [
            ("chat,foo", "foo"),
            ("chats", "chats"),
            ("co,C", "C"),
            ("p", "p"),
        ] {
            assert_eq!(DebugSet::parse(text), Err(wrong.to_owned()), "{text}");
        }
        assert_eq!(
            DebugSet::REMOTE_DEFAULT.to_string(),
            "abnormal,chat,handshake"
        );
    }

    #[test]
    fn a_limit_masks_what_a_caller_asks_for() {
        let asked = DebugSet::lowest(9);
        assert_eq!(asked & DebugSet::REMOTE_DEFAULT, DebugSet::REMOTE_DEFAULT);
        assert!(!(asked & DebugSet::REMOTE_DEFAULT).contains(DebugKind::Incoming));
        assert_eq!(DebugSet::from_bits(u16::MAX), DebugSet::ALL);
    }

    proptest! {
        #[test]
        fn a_set_printed_is_the_set_parsed(bits: u16) {
            let set = DebugSet::from_bits(bits);
            prop_assert_eq!(DebugSet::parse(&set.to_string()), Ok(set));
        }
    }
}
