//! What of the receipts is kept, and for how long.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;

use super::lines::push_line;
use super::{Entry, Receipt, Receipts};
use crate::spool::error::At;
use crate::spool::{ObservedTime, Spool, SpoolError, durable};

/// Seconds that a receipt is kept for: longer than the seven days that Taylor's senders and receivers go by.
pub(super) const LIFETIME: u64 = 8 * 86_400;
/// How many receipts of confirmations that the neighbour has seen are kept: it can only ask again for those that it had
/// under way when it died.
pub(super) const ACKNOWLEDGED_LIMIT: usize = 20_000;
/// How many receipts are kept in all.
pub(super) const TOTAL_LIMIT: usize = 100_000;
/// The file is written anew when it has grown to this many lines more than it needs.
pub(super) const SLACK_LINES: usize = 50_000;

impl Receipts {
    /// Writes the file anew, without what is too old or too much.
    pub(super) fn compact_if_grown(&mut self, spool: &Spool) -> Result<(), SpoolError> {
        let now = spool.observed_now()?;
        self.forget_old(now);
        if self.lines < self.entries.len() + SLACK_LINES {
            return Ok(());
        }
        let mut text = String::new();
        let mut entries: Vec<_> = self.entries.iter().collect();
        // Those first whose call is over, then the acknowledged, so that one line stands for each kind.
        let kind = |entry: &Entry| match entry {
            Entry { over: true, .. } => Some("E"),
            Entry {
                acknowledged: true, ..
            } => Some("A"),
            _ => None,
        };
        let order = |entry: &Entry| (!entry.over, !entry.acknowledged, entry.time);
        entries.sort_by_key(|(_, entry)| order(entry));
        let mut last = None;
        for (key, entry) in entries {
            end_kind(&mut text, &mut last, kind(entry));
            let moves = self.open.get(key);
            let receipt = Receipt {
                key: *key,
                content: entry.content,
                moves: moves.cloned().unwrap_or_default(),
            };
            push_line(&mut text, &self.receipt_line(&receipt, entry.time));
            if moves.is_none() {
                push_line(&mut text, &format!("D {}", key.text()));
            }
        }
        end_kind(&mut text, &mut last, None);
        durable::replace(
            &spool.new_path(),
            &self.path,
            durable::FILE_MODE,
            text.as_bytes(),
            true,
        )?;
        self.lines = text.lines().count();
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(&self.path);
        self.file = Some(file.at("open", &self.path)?);
        Ok(())
    }

    pub(super) fn forget_old(&mut self, now: ObservedTime) {
        let open = &self.open;
        self.entries.retain(|key, entry| {
            open.contains_key(key) || now.since(entry.time).as_secs() < LIFETIME
        });
        self.forget_beyond(ACKNOWLEDGED_LIMIT, |entry| entry.acknowledged);
        self.forget_beyond(TOTAL_LIMIT, |_| true);
    }

    /// Keeps the newest `limit` of those that `counts` counts.
    pub(super) fn forget_beyond(&mut self, limit: usize, counts: impl Fn(&Entry) -> bool) {
        let mut times: Vec<ObservedTime> = self
            .entries
            .values()
            .filter(|entry| counts(entry))
            .map(|entry| entry.time)
            .collect();
        if times.len() <= limit {
            return;
        }
        times.sort_unstable_by(|a, b| b.cmp(a));
        let Some(&oldest) = times.get(limit) else {
            return;
        };
        let open = &self.open;
        self.entries
            .retain(|key, entry| open.contains_key(key) || !counts(entry) || entry.time > oldest);
    }
}

/// Where another kind begins, the line is written that stands for those before it.
fn end_kind(text: &mut String, last: &mut Option<&'static str>, next: Option<&'static str>) {
    if *last != next
        && let Some(line) = std::mem::replace(last, next)
    {
        push_line(text, line);
    }
}
