//! Whose bytes go next when several files are under way at once: the most urgent file's, and of equally urgent ones the
//! first one's. With `max-file-time` no file has the line for longer than that while another one waits.

use std::time::{Duration, Instant};

use super::super::event::TransferKey;
use crate::link::Channel;
use crate::name::Grade;

/// A file that flows from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::conversation) struct Flow {
    pub(in crate::conversation) channel: Channel,
    /// The peer has asked for it.
    pub(in crate::conversation) from_peer: bool,
    pub(in crate::conversation) key: TransferKey,
    pub(in crate::conversation) grade: Grade,
    pub(in crate::conversation) position: u64,
    pub(in crate::conversation) size: u64,
}

/// Who has the line.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Zero: no limit.
    pub(super) limit: Duration,
    current: Option<Turn>,
}

/// One file's turn.
#[derive(Debug, Clone, Copy)]
struct Turn {
    key: TransferKey,
    since: Instant,
    /// When its last bytes were taken.
    last: Instant,
}

impl Turns {
    /// The file whose bytes go next.
    pub(super) fn next(&self, flows: impl Iterator<Item = Flow> + Clone) -> Option<Flow> {
        if self.limit.is_zero() {
            return flows.min_by_key(|flow| (flow.grade, flow.key));
        }
        let Some(turn) = self.current else {
            return flows.min_by_key(|flow| flow.key);
        };
        let is_over = turn.last.duration_since(turn.since) >= self.limit;
        let goes_on = flows.clone().find(|flow| flow.key == turn.key && !is_over);
        goes_on
            .or_else(|| {
                let later = flows.clone().filter(|flow| flow.key > turn.key);
                later.min_by_key(|flow| flow.key)
            })
            .or_else(|| flows.min_by_key(|flow| flow.key))
    }

    /// Bytes of this file have gone.
    pub(super) fn took(&mut self, now: Instant, key: TransferKey) {
        match &mut self.current {
            Some(turn) if turn.key == key && turn.last.duration_since(turn.since) < self.limit => {
                turn.last = now;
            }
            // Another file; or the same one once more, since no other waits.
            current => {
                *current = Some(Turn {
                    key,
                    since: now,
                    last: now,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(key: u64, grade: u8) -> Flow {
        Flow {
            channel: Channel(1),
            from_peer: false,
            key: TransferKey(key),
            grade: Grade::parse(grade).unwrap(),
            position: 0,
            size: 1,
        }
    }

    /// Whose bytes go in each of the next seconds.
    fn seconds(turns: &mut Turns, now: &mut Instant, flows: &[Flow], count: usize) -> Vec<u64> {
        let mut keys = Vec::new();
        for _ in 0..count {
            let next = turns.next(flows.iter().copied()).unwrap();
            turns.took(*now, next.key);
            keys.push(next.key.0);
            *now += Duration::from_secs(1);
        }
        keys
    }

    #[test]
    fn without_a_limit_one_file_goes_after_the_other_and_the_most_urgent_first() {
        let (mut turns, mut now) = (Turns::default(), Instant::now());
        let two = [flow(4, b'N'), flow(3, b'N')];
        assert_eq!(seconds(&mut turns, &mut now, &two, 3), [3, 3, 3]);
        // One that comes late and is more urgent does not wait for them.
        let three = [flow(4, b'N'), flow(3, b'N'), flow(5, b'A')];
        assert_eq!(seconds(&mut turns, &mut now, &three, 2), [5, 5]);
        assert_eq!(seconds(&mut turns, &mut now, &two, 1), [3]);
        assert_eq!(turns.next(std::iter::empty()), None);
    }

    #[test]
    fn with_a_limit_each_file_has_the_line_for_so_long() {
        let mut turns = Turns {
            limit: Duration::from_secs(2),
            ..Turns::default()
        };
        let mut now = Instant::now();
        let flows = [flow(1, b'N'), flow(2, b'Z'), flow(3, b'N')];
        let keys = seconds(&mut turns, &mut now, &flows, 10);
        assert_eq!(keys, [1, 1, 1, 2, 2, 2, 3, 3, 3, 1]);
        // Alone it goes on; another one need not wait for its next turn to end.
        let keys = seconds(&mut turns, &mut now, &flows[..1], 10);
        assert_eq!(keys, [1; 10]);
        let keys = seconds(&mut turns, &mut now, &flows[..2], 4);
        assert!(keys[1..].contains(&2), "{keys:?}");
        // One that has ended gives the line to the next.
        assert_eq!(seconds(&mut turns, &mut now, &flows[2..], 1), [3]);
    }
}
