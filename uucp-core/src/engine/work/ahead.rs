//! The jobs that go next: the most urgent of the whole queue, so many and no more, however long the queue is.

use std::collections::VecDeque;

use crate::name::{Grade, SpoolName, SystemName};
use crate::spool::{Spool, SpoolError, by_urgency};

/// How many are known at a time. Each takes about 50 bytes; when they run out, the folder is read again, which for 100,000
/// takes a tenth of a second.
pub(super) const AHEAD: usize = 20_000;

/// Names of work files, most urgent first.
#[derive(Debug)]
pub(super) struct Ahead {
    names: VecDeque<SpoolName>,
    most: usize,
    /// At the last look there were more than are known here.
    cut: bool,
}

impl Ahead {
    /// Of so many jobs at most.
    pub(super) fn new(most: usize) -> Self {
        Self {
            names: VecDeque::new(),
            most,
            cut: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<SpoolName> {
        self.names.pop_front()
    }

    /// Looks through the queue again; `wanted` says which jobs are not in work yet. Whether some have come that were not
    /// there at the last look.
    pub(super) fn look(
        &mut self,
        spool: &Spool,
        system: &SystemName,
        least: Grade,
        wanted: impl Fn(&SpoolName) -> bool,
    ) -> Result<bool, SpoolError> {
        let found = spool.most_urgent(system, least, self.most, wanted)?;
        let news = self.lacks_one_of(&found);
        self.cut = found.len() >= self.most;
        self.names = found.into();
        Ok(news)
    }

    /// Both lists are in order. What comes behind the end of a list that was cut may have been there.
    fn lacks_one_of(&self, found: &[SpoolName]) -> bool {
        let mut known = self.names.iter().peekable();
        for name in found {
            while known
                .next_if(|known| by_urgency(known, name).is_lt())
                .is_some()
            {}
            match known.peek() {
                Some(known) if *known == name => {}
                Some(_) => return true,
                None => return !self.cut,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &str) -> Vec<SpoolName> {
        let name = |word: &str| SpoolName::parse(format!("C.{word}").as_bytes()).unwrap();
        words.split_whitespace().map(name).collect()
    }

    #[test]
    fn what_was_not_known_is_news() {
        let lacks = |known: &str, cut, found: &str| {
            let ahead = Ahead {
                names: names(known).into(),
                most: 3,
                cut,
            };
            ahead.lacks_one_of(&names(found))
        };
        assert!(!lacks("N1 N2", false, "N1 N2") && !lacks("N1 N2", false, "N2"));
        assert!(lacks("N1 N2", false, "A1 N1 N2") && lacks("N1 N3", false, "N1 N2 N3"));
        assert!(lacks("N1 N2", false, "N1 N2 N3") && lacks("", false, "N1"));
        // Behind the end there were more, and some have moved up.
        assert!(!lacks("N2 N3", true, "N2 N3 N4") && !lacks("", true, "N4"));
        assert!(lacks("N2 N4", true, "N2 N3 N4"));
    }
}
