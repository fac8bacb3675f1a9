//! What makes two deliveries of a batch the same message, whenever and in whatever batch they come.

use sha2::{Digest, Sha256};

use crate::address::{Address, ReversePath};

/// A message of a neighbour. Within the neighbour's own records: who the neighbour is does not enter it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity([u8; 32]);

impl Identity {
    /// The message that the neighbour's own sender has given an id.
    #[must_use]
    pub fn named(id: &[u8]) -> Self {
        Self::hash(b"id", &[id])
    }

    /// A message that nobody else's looks like, since it carries a Message-ID or a trace line: its envelope and content
    /// are enough.
    #[must_use]
    pub fn of_content<'a>(
        sender: &'a ReversePath,
        recipients: impl IntoIterator<Item = &'a Address>,
        content: &'a [u8; 32],
    ) -> Self {
        let mut parts: Vec<&[u8]> = vec![sender.as_bytes(), content];
        parts.extend(recipients.into_iter().map(Address::as_bytes));
        Self::hash(b"content", &parts)
    }

    /// A message that an equal one may follow: what it is depends on where it stands. `series` is drawn when a batch
    /// is first seen, `before` is the hash of the batch from its beginning to the end of this message; so a batch that was cut
    /// and comes again whole has the same messages, and an equal batch of tomorrow has others.
    #[must_use]
    pub fn of_place(series: &[u8], before: &[u8; 32]) -> Self {
        Self::hash(b"place", &[series, before])
    }

    /// This message as it came for these recipients: what it is kept under. One that comes for others as well is kept apart.
    #[must_use]
    pub fn with_recipients<'a>(
        &'a self,
        recipients: impl IntoIterator<Item = &'a Address>,
    ) -> Self {
        let mut parts: Vec<&[u8]> = vec![&self.0];
        parts.extend(recipients.into_iter().map(Address::as_bytes));
        Self::hash(b"kept", &parts)
    }

    /// The identity that was written down.
    #[must_use]
    pub fn from_hexadecimal(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return None;
        }
        for (index, slot) in bytes.iter_mut().enumerate() {
            let digits = text.get(2 * index..2 * index + 2)?;
            *slot = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// To be written down.
    #[must_use]
    pub fn to_hexadecimal(self) -> String {
        use std::fmt::Write as _;
        self.0.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// This message for this recipient, as a number.
    pub(super) fn key(&self, recipient: &Address) -> u64 {
        let Self(bytes) = Self::hash(b"key", &[&self.0, recipient.as_bytes()]);
        let [first, ..] = bytes.as_chunks::<8>().0 else {
            return 0;
        };
        u64::from_be_bytes(*first)
    }

    /// Every part with its length, so that no part can run into the next.
    fn hash(kind: &[u8], parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in [kind].iter().chain(parts) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn whatever_differs_makes_another_message() {
        let (a, b) = (address("a@x"), address("b@x"));
        let (digest, other) = ([1; 32], [2; 32]);
        let bob = ReversePath::Address(address("bob@y"));
        let all = [
            Identity::named(b"1"),
            Identity::named(b"2"),
            Identity::of_content(&ReversePath::Null, [&a], &digest),
            Identity::of_content(&bob, [&a], &digest),
            Identity::of_content(&bob, [&a, &b], &digest),
            Identity::of_content(&bob, [&a], &other),
            Identity::of_place(b"s", &digest),
            Identity::of_place(b"t", &digest),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(all[index + 1..].iter().all(|two| one != two), "{index}");
            assert_ne!(one.key(&a), one.key(&b));
            assert_eq!(
                Identity::from_hexadecimal(&one.to_hexadecimal()),
                Some(*one)
            );
        }
        assert_eq!(Identity::from_hexadecimal("00"), None);
        assert_eq!(Identity::from_hexadecimal(&"g".repeat(64)), None);
        assert_eq!(Identity::from_hexadecimal(&"\u{17e}".repeat(32)), None);
    }
}
