//! Our own jobs, one request after the other, in grade order over the whole queue.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::paths;
use crate::config::PathRules;
use crate::conversation::{TransferKey, Work};
use crate::name::{Grade, JobId, SpoolKind, SpoolName, SystemName};
use crate::spool::{ExecuteFile, RunFile, Spool, SpoolError};
use crate::wire::command::{ExecuteRequest, Features, Request, SendRequest};

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
    /// The public directory.
    pub(super) pubdir: PathBuf,
}

/// The queue of one system during one call.
#[derive(Debug)]
pub(super) struct WorkQueue {
    spool: Spool,
    system: SystemName,
    pub(super) limits: Limits,
    names: VecDeque<SpoolName>,
    /// Work files that are under way, or that are left for another call.
    seen: HashSet<SpoolName>,
    requests: VecDeque<(JobId, Request)>,
    jobs: HashMap<JobId, Progress>,
    under_way: HashMap<TransferKey, Outgoing>,
    /// Lines for the log: what was found wrong with the queue.
    pub(super) complaints: Vec<String>,
}

impl WorkQueue {
    pub(super) fn new(spool: Spool, system: SystemName, limits: Limits) -> Self {
        Self {
            spool,
            system,
            limits,
            names: VecDeque::new(),
            seen: HashSet::new(),
            requests: VecDeque::new(),
            jobs: HashMap::new(),
            under_way: HashMap::new(),
            complaints: Vec::new(),
        }
    }

    /// The next request that can be made; the queue is looked through again when it has run dry.
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
            if let Some(name) = self.names.pop_front() {
                self.open_job(&name)?;
                continue;
            }
            if scanned {
                return Ok(None);
            }
            scanned = true;
            let found = self.spool.scan(&self.system, self.limits.grade)?;
            let seen = &self.seen;
            self.names = found
                .into_iter()
                .filter(|name| !seen.contains(name))
                .collect();
        }
    }

    fn open_job(&mut self, name: &SpoolName) -> Result<(), SpoolError> {
        self.seen.insert(name.clone());
        let work = match self.spool.read_work(&self.system, name) {
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
        };
        let size = opened.size;
        let work = Work {
            request: request.clone(),
            size,
        };
        let outgoing = Outgoing {
            request,
            size,
            source: opened.source,
            job,
            data: opened.data,
        };
        self.under_way.insert(key, outgoing);
        Ok(Some(work))
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
        let outgoing = Outgoing {
            request: request.clone(),
            size,
            source: Source::Bytes(content),
            job,
            data: None,
        };
        self.under_way.insert(key, outgoing);
        Ok(Some(Work { request, size }))
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
            None => self.user_file(&send.from)?,
        };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && spooled.is_some() => {
                return Err(Unopened::Done);
            }
            Err(error) => return Err(later(&path, &error)),
        };
        let metadata = file.metadata().map_err(|error| later(&path, &error))?;
        if !metadata.is_file() {
            return Err(Unopened::Later(Some(format!(
                "{}: not a file",
                path.display()
            ))));
        }
        if self.limits.size.is_some_and(|limit| metadata.len() > limit) {
            return Err(Unopened::Later(None));
        }
        Ok(Opened {
            source: Source::File(file),
            size: metadata.len(),
            data: spooled,
        })
    }

    /// A file outside the spool, if local users may send it.
    fn user_file(&self, from: &[u8]) -> Result<PathBuf, Unopened> {
        let shown = || from.escape_ascii().to_string();
        let path = paths::absolute(from, &self.limits.pubdir)
            .ok_or_else(|| Unopened::Later(Some(format!("{}: no such file", shown()))))?;
        if self.limits.rules.permits(&path, &self.limits.pubdir) {
            Ok(path)
        } else {
            let reason = format!("{}: not permitted to send", shown());
            Err(Unopened::Later(Some(reason)))
        }
    }

    pub(super) fn under_way(&self, key: TransferKey) -> Option<&Outgoing> {
        self.under_way.get(&key)
    }

    /// The request is done: the peer has confirmed it.
    pub(super) fn confirmed(&mut self, key: TransferKey) -> Result<(), SpoolError> {
        match self.under_way.remove(&key) {
            Some(outgoing) => self.finish(&outgoing.job, outgoing.data),
            None => Ok(()),
        }
    }

    /// The request is to be made again in another call.
    pub(super) fn postponed(&mut self, key: TransferKey) {
        if let Some(outgoing) = self.under_way.remove(&key) {
            self.postpone(&outgoing.job);
        }
    }

    /// The request was refused for good: its data is kept where a person finds it.
    pub(super) fn refused(&mut self, key: TransferKey) -> Result<Option<PathBuf>, SpoolError> {
        let Some(outgoing) = self.under_way.remove(&key) else {
            return Ok(None);
        };
        let kept = match &outgoing.data {
            Some(data) => Some(self.spool.preserve(&outgoing.job, data)?),
            None => None,
        };
        self.finish(&outgoing.job, None)?;
        Ok(kept)
    }

    fn finish(&mut self, job: &JobId, data: Option<SpoolName>) -> Result<(), SpoolError> {
        let Some(progress) = self.jobs.get_mut(job) else {
            return Ok(());
        };
        progress.open = progress.open.saturating_sub(1);
        if let Some(data) = data {
            if progress.single {
                progress.done.push(data);
            } else {
                self.spool.finish_request(job, &data)?;
            }
        }
        self.close(job)
    }

    fn postpone(&mut self, job: &JobId) {
        if let Some(progress) = self.jobs.get_mut(job) {
            progress.open = progress.open.saturating_sub(1);
            progress.postponed = true;
        }
        let _ = self.close(job);
    }

    /// Removes the job once nothing of it is left to do; one with a postponed request stays.
    fn close(&mut self, job: &JobId) -> Result<(), SpoolError> {
        let Some(progress) = self.jobs.get(job) else {
            return Ok(());
        };
        if progress.open > 0 || !progress.read {
            return Ok(());
        }
        let progress = self.jobs.remove(job).unwrap_or_default();
        if progress.postponed {
            return Ok(());
        }
        self.spool.finish_job(job, &progress.done)?;
        // Its name will not come back, so there is no need to remember it.
        self.seen.remove(&job.work);
        Ok(())
    }
}

/// What a request sends.
#[derive(Debug)]
struct Opened {
    source: Source,
    size: u64,
    data: Option<SpoolName>,
}

impl Default for Opened {
    fn default() -> Self {
        Self {
            source: Source::None,
            size: 0,
            data: None,
        }
    }
}

/// Why a request is not made.
enum Unopened {
    /// Its file is gone: it was done in an earlier call.
    Done,
    /// Not in this call; with a line for the log.
    Later(Option<String>),
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
