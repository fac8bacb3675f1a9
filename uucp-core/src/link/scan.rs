//! Input of links that look for packets among garbage: what is not a whole packet yet is kept for the next time.

use std::time::Instant;

use super::LinkError;

/// Bytes that are not parsed yet.
#[derive(Debug)]
pub(super) struct Unparsed {
    limit: usize,
    bytes: Vec<u8>,
}

impl Unparsed {
    /// Keeps up to `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: Vec::new(),
        }
    }

    /// Takes them all, to be parsed.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Keeps a buffer of which `used` bytes are parsed.
    fn keep(&mut self, mut buffer: Vec<u8>, used: usize) {
        buffer.drain(..used.min(buffer.len()));
        self.bytes = buffer;
    }
}

/// How many bytes at the end of a damaged packet may be the first of the next one, since bytes of this one were lost. A line
/// that loses one seldom loses more than a few.
pub(super) fn next_begun(packet: &[u8], first: u8) -> usize {
    let end = packet.len().saturating_sub(4);
    let last = packet.get(end..).unwrap_or_default();
    let at = last.iter().position(|byte| *byte == first);
    at.map_or(0, |at| last.len() - at)
}

/// A link that scans its input for packets.
pub(super) trait Scanner {
    fn unparsed(&mut self) -> &mut Unparsed;

    /// Parses until more is needed or the protocol has ended; gives back how much was used.
    fn parse(&mut self, now: Instant, input: &[u8]) -> Result<usize, LinkError>;

    /// Parses new input behind what was kept; gives back how much of it was taken.
    fn take_in(&mut self, now: Instant, input: &[u8]) -> Result<usize, LinkError> {
        let limit = self.unparsed().limit;
        if self.unparsed().bytes.is_empty() {
            let used = self.parse(now, input)?;
            let rest = input.get(used..).unwrap_or_default();
            let kept = rest.get(..limit).unwrap_or(rest);
            self.unparsed().keep(kept.to_vec(), 0);
            return Ok(used + kept.len());
        }
        let mut buffer = self.unparsed().take();
        let room = limit.saturating_sub(buffer.len());
        let taken = input.get(..room).unwrap_or(input);
        buffer.extend_from_slice(taken);
        let used = self.parse(now, &buffer)?;
        self.unparsed().keep(buffer, used);
        Ok(taken.len())
    }

    /// Gives up the packet that what was kept begins with: the rest of it may never come, and what did come may hold
    /// another one.
    fn give_up_first(&mut self, now: Instant) -> Result<(), LinkError> {
        let mut buffer = self.unparsed().take();
        buffer.drain(..buffer.len().min(1));
        let used = self.parse(now, &buffer)?;
        self.unparsed().keep(buffer, used);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::next_begun;

    #[test]
    fn a_packet_that_lost_bytes_ends_in_the_next_ones_first() {
        assert_eq!(next_begun(b"xxxxx", b'7'), 0);
        assert_eq!(next_begun(b"7xxxx", b'7'), 0, "too far from the end");
        assert_eq!(next_begun(b"xxx7a7", b'7'), 3);
        assert_eq!(next_begun(b"7", b'7'), 1);
    }
}
