//! Files that come in: permission, reception, and the group commit before their confirmations.

use std::collections::HashMap;
use std::time::Instant;

use super::describe::{announced, is_execution};
use super::desk::Desk;
use super::notify::Note;
use super::refusals::{about, bounded};
use crate::conversation::{Admission, Arrival, Placed, TransferKey};
use crate::spool::{self, Incoming, Reception, SpoolError};
use crate::wire::command::{Refusal, Request};

/// Files that are being received.
#[derive(Debug, Default)]
pub(super) struct Receptions {
    open: HashMap<TransferKey, OpenReception>,
}

#[derive(Debug)]
struct OpenReception {
    reception: Reception,
    user: Vec<u8>,
    since: Instant,
    from: u64,
    execution: bool,
    /// Whom to tell when it is there.
    note: Option<Note>,
}

impl Receptions {
    /// Stores bytes of a file.
    pub(super) fn write(
        &mut self,
        key: TransferKey,
        position: Option<u64>,
        bytes: &[u8],
    ) -> Result<(), String> {
        match self.open.get_mut(&key) {
            Some(one) => one
                .reception
                .write(position, bytes)
                .map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// What has come of a file is void.
    pub(super) fn begin_anew(&mut self, key: TransferKey) {
        if let Some(one) = self.open.get_mut(&key) {
            one.reception.begin_anew();
        }
    }
}

impl Desk<'_> {
    /// Decides about a file that the peer wants to send, or sends because we asked.
    pub(super) fn receive(&mut self, arrival: &Arrival) -> Admission {
        let Some(neighbour) = &mut self.neighbour else {
            return Admission::Refuse(Refusal::NotPermitted);
        };
        let user = arrival.request.user().to_vec();
        let limit = if arrival.ours {
            neighbour.local_size
        } else {
            neighbour.remote_size
        };
        let no = if !arrival.ours && !neighbour.settings.receive_request {
            Some((
                Refusal::NotPermitted,
                "requests of this system are not permitted".to_owned(),
            ))
        } else if let (Some(size), Some(limit)) = (arrival.size, limit)
            && size > limit
        {
            let reason = format!("{size} bytes are more than the {limit} permitted now");
            Some((Refusal::TooLargeNow, reason))
        } else {
            let reason = neighbour.takes_nothing.clone();
            reason.map(|reason| (Refusal::CannotCreate, reason))
        };
        if let Some((refusal, reason)) = no {
            return self.refuse(arrival, refusal, &reason);
        }
        let pubdir = neighbour.pubdir.clone();
        let settings = &neighbour.settings;
        let free_space = settings.free_space;
        let incoming = match &arrival.request {
            Request::Receive(request) => Some(Incoming::of_own(
                request,
                arrival.mode,
                arrival.size,
                arrival.version,
                &settings.local_receive,
                &pubdir,
                free_space,
            )),
            request => Incoming::of_peer(request, &settings.remote_receive, &pubdir, free_space),
        };
        let Some(incoming) = incoming else {
            return Admission::Refuse(Refusal::NotPermitted);
        };
        let incoming = Incoming {
            restart: arrival.restart,
            ..incoming
        };
        match neighbour.inbox.begin(&incoming) {
            Ok(spool::Admission::Begin {
                reception,
                restart_at: from,
            }) => {
                let text = format!(
                    "Receiving {}",
                    announced(&arrival.request, arrival.size, from)
                );
                let system = neighbour.system.name.as_str();
                let note = Note::of_received(&arrival.request, system);
                self.log(Some(&user), spool::Severity::Info, &text);
                let one = OpenReception {
                    reception: *reception,
                    user,
                    since: Instant::now(),
                    from,
                    execution: is_execution(&arrival.request),
                    note,
                };
                self.receptions.open.insert(arrival.key, one);
                Admission::Begin(from)
            }
            Ok(spool::Admission::AlreadyReceived) => {
                if self.refusals.may_tell() {
                    let what = announced(&arrival.request, None, 0);
                    let text = about(&what, "received before");
                    self.log(Some(&user), spool::Severity::Info, &text);
                }
                Admission::Refuse(Refusal::AlreadyReceived)
            }
            Ok(spool::Admission::Refuse { refusal, reason }) => {
                self.refuse(arrival, refusal, &reason)
            }
            Err(error) => self.refuse(arrival, Refusal::CannotCreate, &error.to_string()),
        }
    }

    fn refuse(&mut self, arrival: &Arrival, refusal: Refusal, reason: &str) -> Admission {
        let user = arrival.request.user().to_vec();
        let what = announced(&arrival.request, None, 0);
        self.tell_refused(&user, &what, reason);
        Admission::Refuse(refusal)
    }

    fn execute_in_passing(&mut self) {
        if let Err(error) = self.outside.executed() {
            self.complain(&format!("cannot start uuxqt: {error}"));
        }
    }

    /// Makes complete files count, together; one answer each.
    pub(super) fn commit(&mut self, keys: &[TransferKey]) -> Vec<Placed> {
        let mut placed = vec![Placed::No; keys.len()];
        let mut accounts = Vec::new();
        let mut complete = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            let Some(mut one) = self.receptions.open.remove(key) else {
                continue;
            };
            match one.reception.finish() {
                Ok(()) => {
                    let bytes = one.reception.size().saturating_sub(one.from);
                    accounts.push((at, one.user, one.since, bytes, one.execution, one.note));
                    complete.push(one.reception);
                }
                Err(error) => set(&mut placed, at, outcome(Err(error))),
            }
        }
        let Some(neighbour) = &mut self.neighbour else {
            return placed;
        };
        let results = neighbour.inbox.commit(complete);
        for (account, result) in accounts.into_iter().zip(results) {
            let (at, user, since, bytes, execution, note) = account;
            if let Err(error) = &result {
                if self.refusals.may_tell() {
                    let text = bounded(&error.to_string());
                    self.log(Some(&user), spool::Severity::Error, &text);
                }
            } else {
                self.totals.received += bytes;
                self.progress.received(bytes);
                if execution {
                    self.executions += 1;
                    self.execute_in_passing();
                }
                self.stats(&user, false, false, bytes, since.elapsed());
                if let Some(note) = note {
                    self.tell(&note);
                }
            }
            set(&mut placed, at, outcome(result));
        }
        placed
    }
}

fn set(placed: &mut [Placed], at: usize, value: Placed) {
    if let Some(place) = placed.get_mut(at) {
        *place = value;
    }
}

fn outcome(result: Result<(), SpoolError>) -> Placed {
    match result {
        Ok(()) => Placed::Yes,
        Err(error) if error.is_temporary() => Placed::Failed(error.to_string()),
        Err(_) => Placed::No,
    }
}
