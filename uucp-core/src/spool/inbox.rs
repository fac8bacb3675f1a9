//! Receiving: a file is staged, then committed in a group; only then may `CY` be sent.
//!
//! The order of steps (INTERNALS.md, *Receiving*): data and execute file are synced; the receipt, which names them and the
//! names they are to get, is synced; they get their names, data before execute files; the directories are synced. A crash
//! before the receipt leaves a partial file; after it, the next look finishes the renames. So the file is neither lost nor
//! taken twice, whatever the peer has seen of the confirmation.

mod asked_for;
mod open;
mod taken;

use std::path::PathBuf;
use std::time::Duration;

use super::commit::finish_unfinished;
use super::destination::Destination;
use super::error::At;
use super::quota::Quota;
use super::receipt::{Key, Receipt, Receipts, may_return};
use super::reception::{Target, check_space};
use super::{ExecuteFile, Incoming, Reception, Spool, SpoolError, SystemLock, durable, names};
use crate::clock::is_older;
use crate::name::{SpoolKind, SpoolName, SystemName};
use crate::wire::command::Refusal;

/// How long a partial file, and a data file that nobody names, is left alone: longer than a week, in which Taylor's senders
/// come back to their names.
const PARTIAL_KEPT: Duration = Duration::from_hours(8 * 24);
/// How many bytes a file must have, under a name that may come back, to be continued where it stopped.
const RESTART_WORTH: u64 = 64 * 1024;
/// The answer to an offered file.
#[derive(Debug)]
pub enum Admission {
    /// It may come.
    Begin {
        /// Takes the bytes.
        reception: Box<Reception>,
        /// Where to go on: 0, or what was kept of an earlier attempt.
        restart_at: u64,
    },
    /// It came before: confirm it without taking it again.
    AlreadyReceived,
    /// It is refused; the reason is for the log.
    Refuse {
        /// The code for the peer.
        refusal: Refusal,
        /// One line for the log.
        reason: String,
    },
}

impl Admission {
    fn refuse(refusal: Refusal, reason: impl Into<String>) -> Self {
        Self::Refuse {
            refusal,
            reason: reason.into(),
        }
    }
}

/// The receiving side of one system, while its lock is held.
#[derive(Debug)]
pub struct Inbox {
    pub(super) spool: Spool,
    system: SystemName,
    /// Which boot of the machine this is: what was kept of a file is trusted within one.
    boot: String,
    /// Read when the first file is offered: most calls with nothing to receive never need them.
    pub(super) receipts: Option<Receipts>,
    /// How much the neighbour may have in the spool.
    quota: Option<Quota>,
}

impl Spool {
    /// The folder of a neighbour's files in the making.
    pub(super) fn receive_folder(&self, system: &SystemName) -> PathBuf {
        self.own_folder("receive").join(system.as_str())
    }

    /// Opens the inbox of a system and finishes what a crash has left undone.
    ///
    /// # Errors
    /// When the receipts cannot be read.
    pub fn inbox(&self, lock: &SystemLock) -> Result<Inbox, SpoolError> {
        self.housekeep();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let mut inbox = Inbox {
            spool: self.clone(),
            system: lock.system().clone(),
            boot: boot
                .chars()
                .take(8)
                .filter(char::is_ascii_alphanumeric)
                .collect(),
            receipts: None,
            quota: None,
        };
        let mut left = false;
        durable::each_name(&self.receive_folder(lock.system()), |_| {
            left = true;
            false
        })?;
        if left {
            inbox.load()?;
            inbox.sweep()?;
        }
        Ok(inbox)
    }
}

/// How long submission records are kept: six times as long as MTAs keep their queue.
const SUBMISSIONS_KEPT: Duration = Duration::from_hours(30 * 24);

impl Spool {
    /// What is to be done now and then; calls are frequent enough. Its trouble stops nobody.
    fn housekeep(&self) {
        let done = self
            .sweep()
            .and_then(|()| self.expire_submissions(SUBMISSIONS_KEPT));
        if let Err(error) = done {
            tracing::warn!(target: "uucp::abnormal", "{error}");
        }
    }
}

/// Why a file cannot begin: an answer for the peer, or trouble of ours.
enum Stop {
    Answer(Admission),
    Trouble(SpoolError),
}

impl From<SpoolError> for Stop {
    fn from(error: SpoolError) -> Self {
        Self::Trouble(error)
    }
}

impl Inbox {
    /// The system.
    #[must_use]
    pub fn system(&self) -> &SystemName {
        &self.system
    }

    /// Limits what the system may have in the spool, in bytes.
    pub fn limit(&mut self, bytes: u64) {
        self.quota = Some(Quota::new(bytes));
    }

    pub(super) fn load(&mut self) -> Result<&mut Receipts, SpoolError> {
        if self.receipts.is_none() {
            let mut receipts = Receipts::load(&self.spool, &self.system)?;
            for (_, error) in finish_unfinished(&mut receipts)? {
                tracing::warn!(target: "uucp::abnormal", "{error}");
            }
            self.receipts = Some(receipts);
        }
        self.receipts.as_mut().ok_or_else(|| SpoolError::Locked {
            path: self.spool.own_folder("receipts"),
        })
    }

    /// What a commit that failed half-way has left, in a call before or in this one, is finished, or void, before it is believed.
    fn finish(&mut self, key: Key) -> Result<(), SpoolError> {
        let receipts = self.load()?;
        if !receipts.is_unfinished(key) {
            return Ok(());
        }
        let stuck = finish_unfinished(receipts)?;
        let this = stuck.into_iter().find(|(stuck, _)| *stuck == key);
        this.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Removes what was kept of files that nobody continued for eight days (by the files' times: a wrong clock costs no more
    /// than sending them from the start). Only after receipts were finished.
    fn sweep(&self) -> Result<(), SpoolError> {
        let folder = self.spool.receive_folder(&self.system);
        for name in durable::names(&folder)? {
            let path = folder.join(name);
            let modified = path.metadata().and_then(|m| m.modified());
            if modified.is_ok_and(|time| is_older(time, PARTIAL_KEPT)) {
                durable::remove(&path)?;
            }
        }
        Ok(())
    }

    /// Decides about a file that is offered.
    ///
    /// # Errors
    /// When the spool fails; the peer is to be told "later" (4).
    pub fn begin(&mut self, incoming: &Incoming<'_>) -> Result<Admission, SpoolError> {
        match self.try_begin(incoming) {
            Ok(admission) | Err(Stop::Answer(admission)) => Ok(admission),
            Err(Stop::Trouble(error)) => Err(error),
        }
    }

    fn try_begin(&mut self, incoming: &Incoming<'_>) -> Result<Admission, Stop> {
        let key = Key::of(incoming);
        let returning = incoming.temp.as_ref().is_some_and(may_return);
        let mut earlier = None;
        if let Some(key) = key {
            self.finish(key)?;
            let receipts = self.load()?;
            if receipts.contains(key) && !returning {
                return Ok(Admission::AlreadyReceived);
            }
            // A name that comes back says nothing: the file is taken again, and its content tells.
            earlier = receipts.repeatable(key);
        }
        let target = self.target(incoming)?;
        if let Some(temp) = &incoming.temp
            && self.taylor_has_received(temp, &target, incoming)
        {
            return Ok(Admission::AlreadyReceived);
        }
        if let (Some(key), Target::Execution(execution)) = (key, &target)
            && !returning
            && self.is_in_place(key, execution)
        {
            self.note_late(key)?;
            return Ok(Admission::AlreadyReceived);
        }
        if let Target::Spool(name) = &target
            && earlier.is_none()
        {
            self.check_name_is_free(name)?;
        }
        let claim = self.claim_room(key, &target, incoming.size)?;
        let mut reception = self.open(key, target, incoming)?;
        reception.claim = claim;
        reception.returning = returning;
        reception.earlier = earlier;
        let restart_at = match (key, incoming.size) {
            // A small file is not worth the doubt whether a name that comes back still means the same one.
            (Some(_), Some(size)) if returning && size < RESTART_WORTH => 0,
            (_, Some(size)) if reception.restart && reception.end <= size => reception.end,
            _ => 0,
        };
        reception.go_on_at(restart_at);
        let path = reception.staged_path();
        let more = incoming.size.unwrap_or(0).saturating_sub(restart_at);
        match check_space(&reception.file, &path, more, incoming.free_space) {
            Err(SpoolError::Full { free, needed, .. }) => {
                if restart_at == 0 {
                    // Nothing has come: nothing of it stays.
                    reception.forget();
                }
                Ok(Admission::refuse(
                    Refusal::TooLargeNow,
                    format!("{free} bytes free, {needed} needed"),
                ))
            }
            Err(error) => Err(error.into()),
            Ok(()) => {
                reception
                    .file
                    .set_len(restart_at)
                    .at("write", &path)
                    .map_err(Stop::Trouble)?;
                Ok(Admission::Begin {
                    reception: Box::new(reception),
                    restart_at,
                })
            }
        }
    }

    /// Whether the job is here although its receipt is not: a power failure came between the two.
    fn is_in_place(&self, key: Key, execution: &ExecuteFile) -> bool {
        let Some(data) = execution.files.first() else {
            return false;
        };
        let grade = names::grade_of(&data.name, &self.system);
        let execute = names::execute_name(&self.system, grade, key.number());
        let path = |name| self.spool.data_path(&self.system, name);
        path(&execute).exists() && path(&data.name).exists()
    }

    fn note_late(&mut self, key: Key) -> Result<(), SpoolError> {
        let now = self.spool.observed_now()?;
        let receipt = Receipt {
            key,
            content: None,
            moves: Vec::new(),
        };
        let receipts = self.load()?;
        receipts.receive(&[receipt], now)?;
        receipts.sync()?;
        receipts.done(&[key])
    }

    /// Where the file is to go, if it may.
    fn target(&self, incoming: &Incoming<'_>) -> Result<Target, Stop> {
        let refuse = |reason: &str| {
            let to = incoming.to.get(..200).unwrap_or(incoming.to);
            let reason = format!("{}: {reason}", to.escape_ascii());
            Stop::Answer(Admission::refuse(Refusal::NotPermitted, reason))
        };
        let spool_name = SpoolName::parse(incoming.to).ok();
        if let Some(command) = incoming.command {
            let name = match spool_name {
                Some(name) if name.kind() == SpoolKind::Data => name,
                // The name is ours to choose: nobody else refers to it.
                None if incoming.to.starts_with(b"D.") => names::data_name(false),
                _ => return Err(refuse("a command's input must be a data file")),
            };
            let request = incoming.execute_request(command);
            let file = ExecuteFile::of_request(&request, &self.system, &name);
            // What cannot be written down cannot be run, whatever the peer meant.
            file.emit().map_err(|_| refuse("no command"))?;
            return Ok(Target::Execution(Box::new(file)));
        }
        match spool_name {
            // A file that a command here needs (`uux` with a file of another system).
            Some(name)
                if incoming.own_request
                    && incoming.options.contains(b'9')
                    && name.kind() == SpoolKind::Data =>
            {
                let place = self.spool.data_path(self.spool.nodename(), &name);
                if place.exists() {
                    let reason = format!("{} is there already", place.display());
                    return Err(Stop::Answer(Admission::refuse(
                        Refusal::CannotCreate,
                        reason,
                    )));
                }
                let folder = place.parent().unwrap_or(&place);
                Ok(Target::Outside(Destination::of_data(folder, &name)?))
            }
            Some(name) if !incoming.own_request => match name.kind() {
                SpoolKind::Work => Err(refuse("work files are not taken")),
                _ => Ok(Target::Spool(name)),
            },
            _ => Destination::find(incoming)
                .map(Target::Outside)
                .map_err(|(refusal, reason)| Stop::Answer(Admission::refuse(refusal, reason))),
        }
    }

    /// The call has ended in order: the peer has acted on all confirmations, and offers none of the files again.
    pub fn over(&mut self) {
        if let Some(receipts) = &mut self.receipts {
            receipts.over();
        }
    }

    /// The peer has certainly seen all confirmations so far.
    pub fn acknowledged(&mut self) {
        if let Some(receipts) = &mut self.receipts {
            receipts.acknowledged();
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
