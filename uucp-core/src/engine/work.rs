//! Our own jobs, one request after the other, in grade order over the whole queue.

mod ahead;
mod answered;
mod changed;
mod ever;
mod opening;
mod users;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use self::ahead::{AHEAD, Ahead};
pub(super) use self::changed::state_changed;
pub(super) use self::ever::Ever;
use super::outside::Outside;
use super::packer::Packer;
use crate::config::PathRules;
use crate::conversation::{TransferKey, Work};
use crate::name::{Grade, JobId, SpoolName, SystemName};
use crate::spool::{Offered, Spool, SpoolError};
use crate::wire::command::{ExecuteRequest, Features, Request};

/// How often the queue is looked through for what came late.
const LOOK: Duration = Duration::from_secs(1);

/// Longer than a tick of any file system's clock but FAT's.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// What a request's bytes come from.
#[derive(Debug)]
pub(super) enum Source {
    /// A file.
    File(File),
    /// An execute file made for a peer that does not know `E`.
    Bytes(Vec<u8>),
    /// Nothing is sent.
    None,
}

impl Source {
    /// Reads up to `buffer.len()` bytes at an offset.
    pub(super) fn read_at(&self, buffer: &mut [u8], position: u64) -> std::io::Result<usize> {
        match self {
            Self::File(file) => file.read_at(buffer, position),
            Self::Bytes(bytes) => {
                let start = usize::try_from(position).unwrap_or(usize::MAX);
                let rest = bytes.get(start..).unwrap_or_default();
                let count = rest.len().min(buffer.len());
                for (to, from) in buffer.iter_mut().zip(rest) {
                    *to = *from;
                }
                Ok(count)
            }
            Self::None => Ok(0),
        }
    }
}

/// One request on its way.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) request: Request,
    pub(super) size: u64,
    pub(super) source: Source,
    job: JobId,
    /// The spool file that goes when the request is done.
    data: Option<SpoolName>,
    /// When the data was queued, where that is known.
    queued: Option<SystemTime>,
    /// Refused for good, the data is moved when all else is done: it can have no second name.
    goes_last: bool,
}

impl Outgoing {
    /// The name by which the peer knows the file again; a request for a file has none.
    fn temp(&self) -> Option<&[u8]> {
        match &self.request {
            Request::Send(send) => Some(&send.temp),
            Request::Execute(execute) => Some(&execute.file.temp),
            Request::Receive(_) | Request::Expand(_) => None,
        }
    }
}

/// What came of "already received".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It was offered before: it is there.
    Believed,
    /// It was never offered: it goes under another name.
    Renamed,
    /// It cannot have been received, and there is no other name to give.
    Disbelieved,
}

/// What is known of a job that is under way.
#[derive(Debug, Default)]
struct Progress {
    /// Requests given out and not yet done.
    open: usize,
    /// All requests have been given out.
    read: bool,
    /// One of them has to be tried again later.
    postponed: bool,
    /// Those of the open ones that can never be done, each with the reason. When nothing else of the job is left, their user is
    /// told, once.
    hopeless: Vec<Hopeless>,
    /// Spool files of requests that are done and that go with the job.
    done: Vec<SpoolName>,
    /// Requests that are done and that have no spool file, whose absence would say so.
    bare: Vec<Request>,
    single: bool,
}

/// A request that can never be done.
#[derive(Debug)]
pub(super) struct Hopeless {
    pub(super) job: JobId,
    pub(super) request: Request,
    pub(super) reason: String,
    /// Its data, which is kept.
    data: Option<SpoolName>,
    /// The data is moved when its user has been told: it can have no second name.
    goes_last: bool,
}

/// What may be sent, and how.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// The least urgent grade.
    pub(super) grade: Grade,
    /// The largest file, in bytes.
    pub(super) size: Option<u64>,
    /// What the peer understands.
    pub(super) features: Features,
    /// Where local users may send from.
    pub(super) rules: PathRules,
    /// Where the peer may ask for files.
    pub(super) asked: PathRules,
    /// Where what local users ask for may be put.
    pub(super) received: PathRules,
    /// The public directory.
    pub(super) pubdir: PathBuf,
    /// What is allowed at some time.
    pub(super) ever: Ever,
}

/// The queue of one system during one call.
#[derive(Debug)]
pub(super) struct WorkQueue {
    spool: Spool,
    system: SystemName,
    pub(super) limits: Limits,
    ahead: Ahead,
    /// Work files that are under way, or that are left for another call.
    seen: HashSet<SpoolName>,
    requests: VecDeque<(JobId, Request)>,
    jobs: HashMap<JobId, Progress>,
    under_way: HashMap<TransferKey, Outgoing>,
    /// Lines for the log: what was found wrong with the queue.
    pub(super) complaints: Vec<String>,
    /// Requests that can never be done; their jobs go when their users have been told.
    pub(super) hopeless: Vec<Hopeless>,
    /// Turns what waits in the outbox into jobs.
    pub(super) packer: Option<Packer>,
    /// Who opens files outside of the spool.
    pub(super) outside: Outside,
    /// What an earlier call may have brought over.
    offered: Offered,
    /// Jobs that got new names in this call.
    renamed: HashSet<SpoolName>,
    look: Look,
}

/// When the queue was looked through, and how it looked from outside.
#[derive(Debug)]
struct Look {
    at: Instant,
    took: Duration,
    /// When the folder last changed, as of before that; and the outbox.
    changed: Option<(SystemTime, Option<SystemTime>)>,
    /// The shortest time between two looks while there is something to send.
    interval: Duration,
}

impl Look {
    /// Whether it may be done again: our own removals change the folder too, so that alone says little. A twentieth of the
    /// time at most is spent on it.
    fn is_due(&self) -> bool {
        let wait = self.interval.max(self.took.saturating_mul(20));
        self.at.elapsed() >= wait
    }
}

impl WorkQueue {
    pub(super) fn new(spool: Spool, system: SystemName, limits: Limits, offered: Offered) -> Self {
        Self {
            spool,
            system,
            limits,
            ahead: Ahead::new(AHEAD),
            seen: HashSet::new(),
            requests: VecDeque::new(),
            jobs: HashMap::new(),
            under_way: HashMap::new(),
            complaints: Vec::new(),
            hopeless: Vec::new(),
            packer: None,
            outside: Outside::default(),
            offered,
            renamed: HashSet::new(),
            look: Look {
                at: Instant::now(),
                took: Duration::ZERO,
                changed: None,
                interval: LOOK,
            },
        }
    }

    /// The next request that can be made. The queue is looked through again when it has run dry, and from time to time
    /// before, so that what is more urgent than the rest goes next also when it comes late.
    pub(super) fn next(&mut self, key: TransferKey) -> Result<Option<Work>, SpoolError> {
        let mut scanned = false;
        loop {
            if let Some((job, request)) = self.requests.pop_front() {
                let last = self.requests.front().is_none_or(|(next, _)| *next != job);
                if let Some(work) = self.prepare(key, job, request, last)? {
                    return Ok(Some(work));
                }
                continue;
            }
            if !scanned && (self.ahead.is_empty() || self.has_changed()) {
                scanned = true;
                self.scan()?;
            }
            match self.ahead.pop() {
                Some(name) => self.open_job(&name)?,
                None if scanned => return Ok(None),
                None => {}
            }
        }
    }

    /// Whether jobs have come that were not seen yet; true once for each time that some have.
    pub(super) fn has_news(&mut self) -> Result<bool, SpoolError> {
        if !self.has_changed() {
            return Ok(false);
        }
        self.scan()
    }

    fn has_changed(&self) -> bool {
        let unchanged = || {
            let changed = self.look.changed;
            changed.is_some() && changed == self.changed()
        };
        self.look.is_due() && !unchanged()
    }

    /// When jobs, and messages that are to become jobs, last came or went.
    fn changed(&self) -> Option<(SystemTime, Option<SystemTime>)> {
        let jobs = self.spool.queue_changed(&self.system);
        let messages = self.packer.as_ref().and_then(Packer::changed);
        // A system to which nothing has gone but batches to come has no folder of jobs.
        Some((jobs.or(messages)?, messages))
    }

    /// Looks through the queue; whether jobs have come since the last look.
    fn scan(&mut self) -> Result<bool, SpoolError> {
        let changed = self.changed();
        if let Some(packer) = &mut self.packer {
            packer.pack(self.limits.grade, self.limits.size);
            self.complaints.append(&mut packer.complaints);
        }
        let begun = Instant::now();
        let seen = &self.seen;
        let wanted = |name: &SpoolName| !seen.contains(name);
        let news = self
            .ahead
            .look(&self.spool, &self.system, self.limits.grade, wanted)?;
        tracing::debug!(target: "uucp::spooldir", system = %self.system, jobs = self.ahead.len(), "looked for work");
        self.look.at = Instant::now();
        self.look.took = begun.elapsed();
        // Within one tick of the file system's clock another change would not show.
        let old = |at: &SystemTime| at.elapsed().is_ok_and(|age| age > TICK);
        self.look.changed =
            changed.filter(|(jobs, messages)| old(jobs) && messages.as_ref().is_none_or(old));
        Ok(news)
    }

    fn open_job(&mut self, name: &SpoolName) -> Result<(), SpoolError> {
        self.seen.insert(name.clone());
        let work = match self.read_work(name) {
            Ok(work) => work,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error @ SpoolError::Corrupt { .. }) => {
                let kept = self.spool.set_aside_work(&self.system, name)?;
                self.complaints
                    .push(format!("{error}; kept as {}", kept.display()));
                return Ok(());
            }
            Err(error) => {
                self.complaints.push(error.to_string());
                return Ok(());
            }
        };
        if work.requests.is_empty() {
            // A poll request: that this call takes place is all it asked for.
            return self.spool.finish_job(&work.job, &[]);
        }
        let requests: Vec<Request> = work
            .requests
            .into_iter()
            .flat_map(|request| self.suited(request))
            .collect();
        let progress = Progress {
            single: requests.len() == 1,
            ..Progress::default()
        };
        self.jobs.insert(work.job.clone(), progress);
        let job = work.job;
        self.requests
            .extend(requests.into_iter().map(|request| (job.clone(), request)));
        Ok(())
    }

    /// A peer that does not know `E` is sent the data and an execute file.
    fn suited(&self, request: Request) -> Vec<Request> {
        match request {
            Request::Execute(execute) if !self.limits.features.contains(Features::EXECUTE) => {
                match Self::execute_file_request(&execute) {
                    Some(second) => vec![
                        Request::Send(execute.data_request()),
                        Request::Execute(second),
                    ],
                    None => vec![Request::Execute(execute)],
                }
            }
            request => vec![request],
        }
    }

    /// The second half of a broken `E`, still as an `E`, under the names of the execute file.
    fn execute_file_request(execute: &ExecuteRequest) -> Option<ExecuteRequest> {
        let data = SpoolName::parse(&execute.file.to).ok()?;
        let temp = SpoolName::parse(&execute.file.temp).ok()?;
        let suffix = |name: &SpoolName| name.as_str().get(2..).map(str::to_owned);
        let here = format!("D.X{}", suffix(&temp)?);
        let there = format!("X.{}", suffix(&data)?);
        let mut second = execute.clone();
        second.file.from = here.clone().into_bytes();
        second.file.temp = here.into_bytes();
        second.file.to = there.into_bytes();
        Some(second)
    }
}

#[cfg(test)]
mod tests;
