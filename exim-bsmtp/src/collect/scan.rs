//! Which parts of a batch were not understood.

use std::ops::Range;

use uucp_core::bsmtp::{End, Event};

/// How many problems are told one by one, and how many parts are kept apart: what is wrong everywhere must not cost memory.
pub(super) const MOST: usize = 100;

/// Follows the events of one batch, and tells which of its bytes no message was made of.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Bytes read so far.
    offset: u64,
    /// Up to here everything was understood.
    clear: u64,
    /// The same before the message that has ended last.
    before: u64,
    /// What was not understood begins here.
    lost: Option<u64>,
    /// What was not understood, with some of what stands around it.
    pub(super) ranges: Vec<Range<u64>>,
    /// What is wrong with the first of it.
    pub(super) problems: Vec<String>,
    /// How much is.
    pub(super) count: usize,
}

impl Scan {
    /// How many bytes were read.
    pub(super) fn read(&self) -> u64 {
        self.offset
    }

    /// Takes the event that the next `used` bytes have given.
    pub(super) fn follow(&mut self, used: usize, event: Option<&Event<'_>>) {
        self.offset += used as u64;
        match event {
            // Its envelope stands at the end of the range: that helps whoever reads it.
            Some(Event::Begin(_)) => self.close(),
            Some(Event::End | Event::Hello { .. } | Event::Quit) if self.lost.is_none() => {
                self.before = std::mem::replace(&mut self.clear, self.offset);
            }
            Some(Event::Fault(fault) | Event::Broken(fault)) => {
                self.lose(self.clear, fault.to_string());
            }
            _ => {}
        }
    }

    /// The message that has just ended cannot be used.
    pub(super) fn lose_message(&mut self, problem: String) {
        self.lose(self.before, problem);
        self.close();
    }

    fn lose(&mut self, from: u64, problem: String) {
        self.lost.get_or_insert(from);
        self.count += 1;
        if self.problems.len() < MOST {
            self.problems.push(problem);
        }
    }

    /// Takes how the batch has ended.
    pub(super) fn end(&mut self, end: &End) {
        if let Some(cut) = &end.cut {
            self.lose(self.clear, cut.to_string());
        }
        self.close();
    }

    fn close(&mut self) {
        if let Some(from) = self.lost.take()
            && from < self.offset
        {
            let full = self.ranges.len() >= MOST;
            match self.ranges.last_mut() {
                // With what stands between them, which was understood.
                Some(last) if full => last.end = self.offset,
                _ => self.ranges.push(from..self.offset),
            }
            self.clear = self.offset;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uucp_core::bsmtp::{Limits, Reader};

    /// A message whose content is `lost` cannot be used.
    fn scan(pieces: &[&str]) -> (Vec<String>, usize) {
        let batch = pieces.concat();
        let mut reader = Reader::new(Limits::default());
        let mut scan = Scan::default();
        let mut rest = batch.as_bytes();
        let mut lost = false;
        loop {
            let (used, event) = reader.read(rest);
            scan.follow(used, event.as_ref());
            rest = &rest[used..];
            match event {
                None => break,
                Some(Event::Content(text)) => lost = text == b"lost\n",
                Some(Event::End) if lost => scan.lose_message("lost".to_owned()),
                Some(_) => {}
            }
        }
        scan.end(&reader.finish());
        let text = |range: &Range<u64>| {
            let at = |number: u64| usize::try_from(number).unwrap();
            batch[at(range.start)..at(range.end)].to_owned()
        };
        (scan.ranges.iter().map(text).collect(), scan.problems.len())
    }

    const MAIL: &str = "MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nx\n.\n";

    #[test]
    fn what_was_understood_is_in_no_range() {
        assert_eq!(scan(&[]), (vec![], 0));
        assert_eq!(scan(&[MAIL, MAIL]), (vec![], 0));
        assert_eq!(scan(&["HELO x\n", MAIL, "QUIT\n"]), (vec![], 0));
    }

    #[test]
    fn what_was_not_is_with_the_next_envelope() {
        let (ranges, problems) = scan(&[MAIL, "garbage\n", MAIL]);
        assert_eq!(ranges, ["garbage\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n"]);
        assert_eq!(problems, 1);
        let (ranges, _) = scan(&[MAIL, "garbage\n"]);
        assert_eq!(ranges, ["garbage\n"]);
    }

    #[test]
    fn what_is_wrong_everywhere_costs_no_memory() {
        let pieces = [MAIL, "garbage\n"].repeat(MOST * 3);
        let (ranges, problems) = scan(&pieces);
        assert_eq!((ranges.len(), problems), (MOST, MOST));
        let all: Vec<&str> = ranges.iter().map(String::as_str).collect();
        let lines = all.concat().matches("garbage\n").count();
        assert_eq!(lines, MOST * 3);
    }

    #[test]
    fn a_message_that_cannot_be_used_is_whole() {
        let bad = "MAIL FROM:<>\nRCPT TO:<c@d>\nDATA\nlost\n.\n";
        assert_eq!(scan(&[MAIL, bad, MAIL]), (vec![bad.to_owned()], 1));
        let (ranges, problems) = scan(&["HELO x\n", bad, bad, "garbage\n"]);
        assert_eq!(
            (ranges, problems),
            (
                vec![bad.to_owned(), bad.to_owned(), "garbage\n".to_owned()],
                3
            )
        );
    }

    #[test]
    fn what_is_cut_is_the_end() {
        let (ranges, problems) = scan(&[MAIL, "MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nhalf"]);
        assert_eq!(ranges, ["MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nhalf"]);
        assert_eq!(problems, 1);
        let (ranges, problems) = scan(&[MAIL, "MAIL FR"]);
        assert_eq!((ranges, problems), (vec!["MAIL FR".to_owned()], 1));
    }
}
