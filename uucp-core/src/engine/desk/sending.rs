//! Files that go out, and what the other side says of them.

use std::time::{Duration, Instant};

use super::{Desk, Flow};
use crate::conversation::{TransferKey, Wanted};
use crate::engine::describe::{described, explained};
use crate::engine::notify::Note;
use crate::engine::work::Repeat;
use crate::spool::{self, Transfer};
use crate::wire::command::Refusal;

impl Desk<'_> {
    /// The next bytes of a file; none at its end.
    pub(in crate::engine) fn read(&mut self, wanted: &Wanted) -> Result<&[u8], String> {
        let room = wanted.room.min(self.buffer.len());
        let buffer = self.buffer.get_mut(..room).unwrap_or_default();
        let result = if let Some(served) = self.served.get(&wanted.key) {
            served.read_at(buffer, wanted.position)
        } else if let Some(outgoing) = self
            .neighbour
            .as_ref()
            .and_then(|neighbour| neighbour.queue.under_way(wanted.key))
        {
            outgoing.source.read_at(buffer, wanted.position)
        } else {
            Ok(0)
        };
        let count = result.map_err(|error| format!("reading a file to send: {error}"))?;
        self.totals.sent += count as u64;
        self.progress.sent(count);
        Ok(self.buffer.get(..count).unwrap_or_default())
    }

    pub(in crate::engine) fn sending(&mut self, key: TransferKey, position: u64) {
        let flow = Flow {
            since: Instant::now(),
            from: position,
        };
        // A file that jumps ahead is still the same file.
        let again = self.flows.insert(key, flow).is_some();
        if again {
            return;
        }
        if let Some(served) = self.served.get(&key) {
            let (user, text) = served.announcement(position);
            self.log(Some(&user), spool::Severity::Info, &text);
            return;
        }
        let Some(outgoing) = self
            .neighbour
            .as_ref()
            .and_then(|neighbour| neighbour.queue.under_way(key))
        else {
            return;
        };
        let user = outgoing.request.user().to_vec();
        let text = format!(
            "Sending {}",
            described(&outgoing.request, Some(outgoing.size), position)
        );
        self.log(Some(&user), spool::Severity::Info, &text);
    }

    /// The peer has it. The job goes when there is time for it; until then it is only sent once more if we die.
    pub(in crate::engine) fn confirmed(&mut self, key: TransferKey) {
        let flow = self.flows.remove(&key);
        let elapsed = flow.map(|flow| (flow.since.elapsed(), flow.from));
        self.finished.push((key, elapsed));
    }

    /// Puts away what the peer has confirmed.
    pub(in crate::engine) fn tidy(&mut self) -> Result<(), String> {
        for (key, flow) in std::mem::take(&mut self.finished) {
            let Some(neighbour) = &mut self.neighbour else {
                continue;
            };
            let sent = neighbour.queue.under_way(key).map(|outgoing| {
                let request = &outgoing.request;
                let note = Note::of_sent(request, neighbour.system.name.as_str());
                (request.user().to_vec(), outgoing.size, note)
            });
            neighbour
                .queue
                .confirmed(key)
                .map_err(|error| error.to_string())?;
            let Some((user, size, note)) = sent else {
                continue;
            };
            if let Some((elapsed, from)) = flow {
                self.stats(&user, true, false, size.saturating_sub(from), elapsed);
            }
            if let Some(note) = note {
                self.tell(&note);
            }
        }
        self.give_up_hopeless()
    }

    pub(in crate::engine) fn stats(
        &mut self,
        user: &[u8],
        sent: bool,
        failed: bool,
        bytes: u64,
        elapsed: Duration,
    ) {
        let Some(neighbour) = &self.neighbour else {
            return;
        };
        self.journal.transfer(&Transfer {
            user,
            system: &neighbour.system.name,
            sent,
            failed,
            bytes,
            elapsed,
            port: Some(&self.line.name),
        });
        if !failed {
            self.progress.file();
        }
    }

    pub(in crate::engine) fn refused(
        &mut self,
        key: TransferKey,
        refusal: Refusal,
    ) -> Result<(), String> {
        self.flows.remove(&key);
        let Some(neighbour) = &mut self.neighbour else {
            return Ok(());
        };
        let Some(outgoing) = neighbour.queue.under_way(key) else {
            return Ok(());
        };
        let request = outgoing.request.clone();
        let user = request.user().to_vec();
        let what = described(&request, None, 0);
        let text = match refusal {
            Refusal::AlreadyReceived => {
                let repeat = neighbour
                    .queue
                    .already_received(key)
                    .map_err(|error| error.to_string())?;
                let (severity, text) = match repeat {
                    Repeat::Believed => (spool::Severity::Info, "the other system has it already"),
                    Repeat::Renamed => (
                        spool::Severity::Error,
                        "taken for another file by the other system; it is offered under a new name",
                    ),
                    Repeat::Disbelieved => (
                        spool::Severity::Error,
                        "the other system cannot have it already; it stays queued",
                    ),
                };
                self.log(Some(&user), severity, &format!("{what}: {text}"));
                return Ok(());
            }
            refusal if refusal.is_temporary() => {
                neighbour.queue.postponed(key);
                format!("{what}: refused for now ({})", explained(refusal))
            }
            refusal => {
                let kept = neighbour.queue.preserve(key);
                let text = format!("{what}: refused ({})", explained(refusal));
                let (told, text) = match kept {
                    Ok(kept) => {
                        let text = text + &kept;
                        (self.tell_requester(&request, &text), text)
                    }
                    // It stays, and keeps nothing behind it from going.
                    Err(error) => (false, format!("{text}; it stays queued: {error}")),
                };
                if let Some(neighbour) = &mut self.neighbour {
                    let refused = neighbour.queue.refused(key, told);
                    refused.map_err(|error| error.to_string())?;
                }
                text
            }
        };
        self.log(Some(&user), spool::Severity::Error, &text);
        Ok(())
    }

    pub(in crate::engine) fn served(&mut self, key: TransferKey, good: bool) {
        let flow = self.flows.remove(&key);
        if let (Some(served), Some(flow)) = (self.served.remove(&key), flow) {
            let (user, size) = served.account();
            let sent = size.saturating_sub(flow.from);
            self.stats(&user, true, !good, sent, flow.since.elapsed());
        }
    }
}
