//! What a peer may have without our knowing: files that were offered in a call that broke before they were confirmed.
//!
//! "Already received" is believed of these alone. A receiver that knows files by their temporary names only, as Taylor's
//! does, says it also of a new file whose name it remembers from another spool or another program; believing it would lose
//! that file. One sync a call, before the first offer; none for each file. States: INTERNALS.md, *Sending*.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Spool, SpoolError, durable};
use crate::name::{JobId, SpoolName, SystemName};
use crate::wire::command::{Request, SendRequest};

/// The first line while a call lasts.
const OPEN: &str = "open";
/// The word before the moment up to which everything queued may have been offered.
const BEFORE: &str = "before ";
/// How many names are kept; each broken call leaves a handful.
const NAMES: usize = 1000;
/// Longest file read.
const LIMIT: u64 = 1 << 20;

/// What may be at the peer already. Held while the system's lock is held.
#[derive(Debug)]
pub struct Offered {
    path: PathBuf,
    new: PathBuf,
    /// Everything that was queued by then (seconds since 1970) may have been offered: a call ended without its last words.
    before: Option<u64>,
    /// Temporary names, oldest first.
    names: Vec<Vec<u8>>,
    /// The file says that a call is under way.
    marked: bool,
}

impl Offered {
    fn parse(&mut self, text: &str) {
        for line in text.lines() {
            if line == OPEN {
                self.marked = true;
                // The next whole second: what was queued within this one counts.
                self.before = Some(seconds(SystemTime::now()).saturating_add(1));
            } else if let Some(moment) = line.strip_prefix(BEFORE) {
                self.before = self.before.max(moment.parse().ok());
            } else {
                self.names.push(line.as_bytes().to_vec());
            }
        }
    }

    fn emit(&self, open: bool) -> Vec<u8> {
        let mut text = Vec::new();
        if open {
            text.extend_from_slice(OPEN.as_bytes());
            text.push(b'\n');
        }
        if let Some(before) = self.before {
            text.extend_from_slice(format!("{BEFORE}{before}\n").as_bytes());
        }
        let skipped = self.names.len().saturating_sub(NAMES);
        for name in self.names.iter().skip(skipped) {
            text.extend_from_slice(name);
            text.push(b'\n');
        }
        text
    }

    /// To be called before a file is offered: from here on, if this process dies, anything may have been.
    ///
    /// # Errors
    /// When that could not be written down.
    pub fn mark(&mut self) -> Result<(), SpoolError> {
        if self.marked {
            // Also where the last call has left it: its moment only moves on.
            return Ok(());
        }
        let text = self.emit(true);
        // Tried once a call: a full disk is no reason to send nothing.
        self.marked = true;
        durable::replace(&self.new, &self.path, durable::FILE_MODE, &text, true)
    }

    /// Whether the peer may have a file of this temporary name, queued at that moment (`None`: not known), from an earlier
    /// call.
    #[must_use]
    pub fn believes(&self, temp: &[u8], queued: Option<SystemTime>) -> bool {
        let early = match (self.before, queued) {
            (Some(before), Some(queued)) => seconds(queued) <= before,
            (Some(_), None) => true,
            (None, _) => false,
        };
        early || self.names.iter().any(|name| name == temp)
    }

    /// The peer's word on a file is known: there is no doubt left.
    pub fn settled(&mut self, temp: &[u8]) {
        self.names.retain(|name| name != temp);
    }

    /// The call is over. `doubtful`: the files that were offered and never answered for. `drained`: no job is left that
    /// an earlier call may have offered.
    ///
    /// # Errors
    /// When it could not be written; then the mark stays, and everything is doubtful.
    pub fn end<'a>(
        &mut self,
        doubtful: impl Iterator<Item = &'a [u8]>,
        drained: bool,
    ) -> Result<(), SpoolError> {
        for name in doubtful {
            self.settled(name);
            self.names.push(name.to_vec());
        }
        let emptied = drained && self.before.take().is_some();
        if !self.marked && !emptied {
            // Nothing was offered: the file says what it should.
            return Ok(());
        }
        self.marked = false;
        if self.before.is_none() && self.names.is_empty() {
            return durable::remove(&self.path);
        }
        let text = self.emit(false);
        // Lost with the power, the mark of the call comes back and believes more.
        durable::replace(&self.new, &self.path, durable::FILE_MODE, &text, true)
    }
}

impl Spool {
    /// What may be at `system` already. For whoever holds the system's lock.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn offered(&self, system: &SystemName) -> Result<Offered, SpoolError> {
        let path = self.own_folder("offered").join(system.as_str());
        let mut offered = Offered {
            new: self.new_path(),
            before: None,
            names: Vec::new(),
            marked: false,
            path,
        };
        if let Some(content) = durable::read_small(&offered.path, LIMIT)? {
            offered.parse(&String::from_utf8_lossy(&content));
        }
        if offered.marked {
            // What lies here was queued by now, whatever the clock says: after a power failure it may have been set back.
            offered.before = offered.before.max(self.youngest_data(system)?);
        }
        Ok(offered)
    }

    /// When the youngest data file of a system was written, in seconds since 1970.
    fn youngest_data(&self, system: &SystemName) -> Result<Option<u64>, SpoolError> {
        let mut youngest = None;
        for folder in ["D.", "D.X"] {
            let folder = self.system_folder(system).join(folder);
            durable::each_name(&folder, |name| {
                let written = folder.join(name).symlink_metadata();
                let written = written.and_then(|file| file.modified());
                youngest = youngest.max(written.ok().map(seconds));
                true
            })?;
        }
        Ok(youngest)
    }

    /// Gives a file of a job another temporary name, because the peer takes it for another file: a second link to the
    /// data, the work file with the new name in the place of the old one, the first link gone. At every instant the work
    /// file names data that is there.
    ///
    /// # Errors
    /// When a step fails; the job is whole then.
    pub fn rename_offer(&self, job: &JobId, old: &SpoolName) -> Result<SpoolName, SpoolError> {
        let mut work = self.read_work(&job.system, &job.work)?;
        let fresh = super::names::data_name(old.as_str().starts_with("D.X"));
        let (from, to) = (
            self.data_path(&job.system, old),
            self.data_path(&job.system, &fresh),
        );
        match super::fault::step("link", &to).and_then(|()| std::fs::hard_link(&from, &to)) {
            // A file of a user's is sent from where it is, an execute file is made for the call.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => {
                use super::error::At;
                other.at("create", &to)?;
                if let Some(folder) = to.parent() {
                    durable::sync_directory(folder)?;
                }
            }
        }
        for request in &mut work.requests {
            if let Some(send) = send_part(request) {
                for field in [&mut send.from, &mut send.temp] {
                    if field == old.as_bytes() {
                        *field = fresh.as_bytes().to_vec();
                    }
                }
            }
        }
        self.rewrite_work(job, &work.requests, None)?;
        durable::remove(&from)?;
        Ok(fresh)
    }
}

fn seconds(moment: SystemTime) -> u64 {
    moment
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn send_part(request: &mut Request) -> Option<&mut SendRequest> {
    match request {
        Request::Send(send) => Some(send),
        Request::Execute(execute) => Some(&mut execute.file),
        Request::Receive(_) | Request::Expand(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fault::{self, Trouble};
    use super::super::tests::{TestSpool, beta, queue_mail};
    use super::*;
    use crate::name::Grade;

    fn none() -> std::iter::Empty<&'static [u8]> {
        std::iter::empty()
    }

    #[test]
    fn after_a_call_that_ended_only_what_it_left_open_is_believed() {
        let test = TestSpool::new();
        let mut call = test.spool.offered(&beta()).unwrap();
        assert!(!call.believes(b"D.1", None));
        call.mark().unwrap();
        call.end([&b"D.1"[..]].into_iter(), false).unwrap();
        let mut next = test.spool.offered(&beta()).unwrap();
        assert!(next.believes(b"D.1", None) && !next.believes(b"D.2", None));
        next.mark().unwrap();
        next.settled(b"D.1");
        next.end(none(), true).unwrap();
        assert!(!test.spool.offered(&beta()).unwrap().believes(b"D.1", None));
        assert_eq!(
            durable::names(&test.spool.own_folder("offered")).unwrap(),
            [] as [String; 0]
        );
    }

    #[test]
    fn after_a_kill_all_that_was_queued_is_believed_until_the_queue_was_empty() {
        let test = TestSpool::new();
        let mut killed = test.spool.offered(&beta()).unwrap();
        killed.mark().unwrap();
        drop(killed);
        let now = SystemTime::now();
        let (old, young) = (now - Duration::from_mins(1), now + Duration::from_hours(1));
        // A call that offers nothing changes nothing; one that leaves work over keeps the moment.
        for _ in 0..2 {
            let mut call = test.spool.offered(&beta()).unwrap();
            assert!(call.believes(b"D.1", Some(old)) && call.believes(b"D.1", None));
            assert!(!call.believes(b"D.1", Some(young)));
            call.end(none(), false).unwrap();
        }
        let mut last = test.spool.offered(&beta()).unwrap();
        assert!(last.believes(b"D.1", Some(old)));
        last.end(none(), true).unwrap();
        assert!(
            !test
                .spool
                .offered(&beta())
                .unwrap()
                .believes(b"D.1", Some(old))
        );
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_younger_than_the_call() {
        let test = TestSpool::new();
        let year = Duration::from_hours(365 * 24);
        for content in [&b"one"[..], b"two"] {
            queue_mail(&test.spool, Grade::DEFAULT, content).unwrap();
        }
        let folder = test.spool.system_folder(&beta()).join("D.");
        let (one, other) = (SystemTime::now() + year, SystemTime::now() + 2 * year);
        let names = durable::names(&folder).unwrap();
        for (name, time) in names.iter().zip([other, one]) {
            let file = std::fs::File::options().write(true).open(folder.join(name));
            file.unwrap().set_modified(time).unwrap();
        }
        let call = || test.spool.offered(&beta()).unwrap();
        assert!(!call().believes(b"D.1", Some(one)));
        call().mark().unwrap();
        let next = call();
        assert!(next.believes(b"D.1", Some(one)) && next.believes(b"D.2", Some(other)));
        assert!(!next.believes(b"D.3", Some(other + year)));
    }

    #[test]
    fn a_new_name_keeps_the_data_at_every_step() {
        for step in 0.. {
            let test = TestSpool::new();
            let job = queue_mail(&test.spool, Grade::DEFAULT, b"mail").unwrap();
            let temp = |spool: &Spool| {
                let mut work = spool.read_work(&beta(), &job.work).unwrap();
                let send = send_part(&mut work.requests[0]).unwrap();
                assert_eq!(send.from, send.temp);
                SpoolName::parse(&send.temp).unwrap()
            };
            let old = temp(&test.spool);
            fault::arm(step, Trouble::Death);
            let result = test.spool.rename_offer(&job, &old);
            let over = !fault::disarm();
            let name = temp(&test.spool);
            let data = std::fs::read(test.spool.data_path(&beta(), &name)).unwrap();
            assert_eq!(data, b"mail");
            if over {
                assert_eq!(result.unwrap(), name);
                assert_ne!(name, old);
                assert!(!test.spool.data_path(&beta(), &old).exists());
                return;
            }
        }
    }
}
