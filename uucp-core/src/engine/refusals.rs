//! Lines of the log about what the peer asks for and does not get. It may ask without end, and each no costs it a few bytes.

/// How many of them one call may make; what is more is counted.
const LINES: u32 = 100;
/// How much of a name that the peer has said is told.
const NAME: usize = 200;
/// How much of a whole text that may repeat what it has said.
const TEXT: usize = 600;

/// The lines of one call.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    told: u32,
    left_out: u64,
}

impl Refusals {
    /// Whether one more line may be written.
    pub(super) fn may_tell(&mut self) -> bool {
        let may = self.told < LINES;
        if may {
            self.told += 1;
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
        may
    }

    /// The line that stands for those that were not written, at the end of the call.
    pub(super) fn rest(&self) -> Option<String> {
        let count = self.left_out;
        (count > 0).then(|| format!("{count} more refused requests are not told"))
    }
}

/// What was asked for, and what came of it.
pub(super) fn about(what: &str, outcome: &str) -> String {
    format!("{}: {}", cut(what, NAME), bounded(outcome))
}

/// A text in which the peer's words may stand.
pub(super) fn bounded(text: &str) -> String {
    cut(text, TEXT)
}

fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_so_many_lines_and_a_number() {
        let mut refusals = Refusals::default();
        assert_eq!(refusals.rest(), None);
        let told = (0..1000).filter(|_| refusals.may_tell()).count();
        assert_eq!(told, 100);
        let rest = refusals.rest().unwrap();
        assert_eq!(rest, "900 more refused requests are not told");
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        let line = about(&"\u{e9}".repeat(9000), &"x".repeat(9000));
        let (what, reason) = line.split_once(": ").unwrap();
        assert_eq!(what, format!("{}...", "\u{e9}".repeat(NAME)));
        assert_eq!(reason.len(), TEXT + 3);
        assert_eq!(about("/etc/x", "no"), "/etc/x: no");
    }
}
