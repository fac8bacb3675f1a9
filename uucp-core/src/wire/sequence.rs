//! Numbers of packets, which come round again.

/// A number of a packet, modulo `COUNT`: a power of two, at most 128.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sequence<const COUNT: u8>(u8);

impl<const COUNT: u8> Sequence<COUNT> {
    /// The number's low bits.
    #[must_use]
    pub fn new(number: u8) -> Self {
        Self(number % COUNT)
    }

    /// The number that follows.
    #[must_use]
    pub fn next(self) -> Self {
        self.after(1)
    }

    /// How many steps forward it is from `other` to this, fewer than `COUNT`.
    #[must_use]
    pub fn since(self, other: Self) -> usize {
        usize::from(self.0.wrapping_sub(other.0) % COUNT)
    }

    /// The number so many steps forward.
    #[must_use]
    pub fn after(self, steps: usize) -> Self {
        let [low, ..] = steps.to_le_bytes();
        Self::new(self.0.wrapping_add(low))
    }

    /// The number itself.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_round_again() {
        let eight = Sequence::<8>::new;
        assert_eq!(eight(7).next(), eight(0));
        assert_eq!(eight(1).since(eight(6)), 3);
        assert_eq!(eight(6).since(eight(6)), 0);
        let many = Sequence::<32>::new;
        assert_eq!(many(31).next(), many(0));
        assert_eq!(many(1).since(many(30)), 3);
        assert_eq!(many(30).after(5), many(3));
        assert_eq!(many(5).after(256), many(5));
        assert_eq!(many(33).number(), 1);
    }
}
