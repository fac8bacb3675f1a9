//! Our own jobs, one request after the other, in grade order over the whole queue.

mod ahead;
mod answered;
mod changed;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use self::ahead::{AHEAD, Ahead};
pub(super) use self::changed::state_changed;
use super::outside::{self, Outside};
use super::packer::Packer;
use super::paths;
use crate::config::PathRules;
use crate::conversation::{TransferKey, Work};
use crate::name::{Grade, JobId, SpoolKind, SpoolName, SystemName};
use crate::spool::{ExecuteFile, Offered, RunFile, Spool, SpoolError};
use crate::wire::command::{ExecuteRequest, Features, Request, SendRequest};

/// How often the queue is looked through for what came late.
const LOOK: Duration = Duration::from_secs(1);

/// Longer than a tick of any file system's clock but FAT's.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// The temporary name of a file that has none, as one that the peer has asked for by a pattern.
pub(super) const ASKED_FOR: &[u8] = b"D.0";

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
    /// Spool files of requests that are done and that go with the job.
    done: Vec<SpoolName>,
    single: bool,
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
    /// The public directory.
    pub(super) pubdir: PathBuf,
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
    /// Requests that can never be done, each with the reason; they are out of the queue.
    pub(super) hopeless: Vec<(Request, String)>,
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

    /// Opens what a request sends; `None` when it is done already, or cannot be done in this call.
    fn prepare(
        &mut self,
        key: TransferKey,
        job: JobId,
        request: Request,
        last: bool,
    ) -> Result<Option<Work>, SpoolError> {
        if let Some(progress) = self.jobs.get_mut(&job) {
            progress.open += 1;
            progress.read |= last;
        }
        let opened = match &request {
            Request::Send(send) => self.open_send(send),
            Request::Execute(execute) if self.limits.features.contains(Features::EXECUTE) => {
                self.open_send(&execute.file)
            }
            Request::Execute(execute) => return self.prepare_execute_file(key, job, execute),
            Request::Receive(_) | Request::Expand(_) => Ok(Opened::default()),
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(Unopened::Done) => {
                self.finish(&job, None)?;
                return Ok(None);
            }
            Err(Unopened::Later(reason)) => {
                self.complaints.extend(reason);
                self.postpone(&job);
                return Ok(None);
            }
            Err(Unopened::Never(reason)) => {
                self.finish(&job, None)?;
                self.hopeless.push((request, reason));
                return Ok(None);
            }
        };
        let size = opened.size;
        if !matches!(opened.source, Source::None) {
            self.mark();
        }
        let work = Work {
            request: request.clone(),
            grade: job.grade(),
            size,
        };
        let outgoing = Outgoing {
            request,
            size,
            source: opened.source,
            job,
            data: opened.data,
            queued: opened.queued,
        };
        self.under_way.insert(key, outgoing);
        Ok(Some(work))
    }

    /// Without the mark a file may come to the peer twice after a kill; that is no reason to send none.
    fn mark(&mut self) {
        if let Err(error) = self.offered.mark() {
            self.complaints.push(error.to_string());
        }
    }

    /// The `S` that carries the execute file, with its content.
    fn prepare_execute_file(
        &mut self,
        key: TransferKey,
        job: JobId,
        execute: &ExecuteRequest,
    ) -> Result<Option<Work>, SpoolError> {
        let content = execute_file(execute, self.spool.nodename())?;
        let size = content.len() as u64;
        let send = execute.execute_file_request(&execute.file.from, &execute.file.to, size);
        let request = Request::Send(send);
        self.mark();
        let work = Work {
            request: request.clone(),
            grade: job.grade(),
            size,
        };
        let outgoing = Outgoing {
            request,
            size,
            source: Source::Bytes(content),
            job,
            data: None,
            queued: None,
        };
        self.under_way.insert(key, outgoing);
        Ok(Some(work))
    }

    fn open_send(&self, send: &SendRequest) -> Result<Opened, Unopened> {
        let spooled = SpoolName::parse(&send.temp)
            .ok()
            .filter(|name| send.options.contains(b'C') && name.kind() == SpoolKind::Data);
        // The first half of a broken `E` has lost its `C`, but its data is where it was.
        let spooled = spooled.or_else(|| {
            let from = SpoolName::parse(&send.from).ok()?;
            (send.from == send.temp).then_some(from)
        });
        let path = match &spooled {
            Some(name) => self.spool.data_path(&self.system, name),
            None => self.user_file(send)?,
        };
        let opened = match &spooled {
            Some(_) => outside::open(&path),
            None => self.outside.open(&path),
        };
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && spooled.is_some() => {
                return Err(Unopened::Done);
            }
            Err(error) if spooled.is_none() && is_final(&error) => {
                return Err(Unopened::Never(format!("{}: {error}", path.display())));
            }
            Err(error) => return Err(later(&path, &error)),
        };
        let metadata = file.metadata().map_err(|error| later(&path, &error))?;
        if !metadata.is_file() {
            return Err(Unopened::Never(format!("{}: not a file", path.display())));
        }
        if self.limits.size.is_some_and(|limit| metadata.len() > limit) {
            return Err(Unopened::Later(None));
        }
        Ok(Opened {
            source: Source::File(file),
            size: metadata.len(),
            queued: metadata.modified().ok().filter(|_| spooled.is_some()),
            data: spooled,
        })
    }

    /// A file outside the spool, if local users may send it, or the peer may have it that has asked for it.
    fn user_file(&self, send: &SendRequest) -> Result<PathBuf, Unopened> {
        let shown = || send.from.escape_ascii().to_string();
        let path = paths::absolute(&send.from, &self.limits.pubdir)
            .ok_or_else(|| Unopened::Later(Some(format!("{}: no such file", shown()))))?;
        let (limits, pubdir) = (&self.limits, &self.limits.pubdir);
        let asked_for = send.temp == ASKED_FOR && limits.asked.permits(&path, pubdir);
        if asked_for || limits.rules.permits(&path, pubdir) {
            Ok(path)
        } else {
            let reason = format!("{}: not permitted to send", shown());
            Err(Unopened::Later(Some(reason)))
        }
    }
}

/// What a request sends.
#[derive(Debug)]
struct Opened {
    source: Source,
    size: u64,
    data: Option<SpoolName>,
    queued: Option<SystemTime>,
}

impl Default for Opened {
    fn default() -> Self {
        Self {
            source: Source::None,
            size: 0,
            data: None,
            queued: None,
        }
    }
}

/// Why a request is not made.
enum Unopened {
    /// Its file is gone: it was done in an earlier call.
    Done,
    /// Not in this call; with a line for the log.
    Later(Option<String>),
    /// In no call: what was queued without a copy (`uucp -c`) is gone, or may not be read.
    Never(String),
}

/// Whether a file of a user will not be there another time either.
fn is_final(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | NotADirectory | PermissionDenied)
}

fn later(path: &Path, error: &std::io::Error) -> Unopened {
    Unopened::Later(Some(format!("{}: {error}", path.display())))
}

/// What the execute file of a broken `E` says.
fn execute_file(execute: &ExecuteRequest, nodename: &SystemName) -> Result<Vec<u8>, SpoolError> {
    // The data file is called as the execute file, but for its first letter.
    let data = [b"D", execute.file.to.get(1..).unwrap_or_default()].concat();
    let options = &execute.file.options;
    let file = ExecuteFile {
        user: Some((execute.file.user.clone(), nodename.as_bytes().to_vec())),
        files: SpoolName::parse(&data)
            .map(|name| RunFile {
                name,
                run_name: None,
            })
            .into_iter()
            .collect(),
        stdin: Some(data),
        command: execute
            .command
            .split(|b| *b == b' ')
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_vec)
            .collect(),
        requestor: options.contains(b'R').then(|| execute.file.notify.clone()),
        no_failure_mail: options.contains(b'N'),
        failure_mail: options.contains(b'Z'),
        ..ExecuteFile::default()
    };
    file.emit()
}

#[cfg(test)]
mod tests;
