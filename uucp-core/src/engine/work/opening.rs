//! A request and what it sends: opened, or found to be done, or left for another call.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{ASKED_FOR, Outgoing, Source, WorkQueue};
use crate::conversation::{TransferKey, Work};
use crate::engine::{outside, paths};
use crate::name::{JobId, SpoolKind, SpoolName, SystemName};
use crate::spool::{ExecuteFile, RunFile, SpoolError};
use crate::wire::command::{ExecuteRequest, Features, Request, SendRequest};

impl WorkQueue {
    /// Opens what a request sends; `None` when it is done already, or cannot be done in this call.
    pub(super) fn prepare(
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
                if let Some(progress) = self.jobs.get_mut(&job) {
                    progress.hopeless.push((request, reason));
                }
                self.close(&job)?;
                return Ok(None);
            }
        };
        if !matches!(opened.source, Source::None) {
            self.mark();
        }
        Ok(Some(self.set_out(key, job, request, opened)))
    }

    fn set_out(&mut self, key: TransferKey, job: JobId, request: Request, opened: Opened) -> Work {
        let work = Work {
            request: request.clone(),
            grade: job.grade(),
            size: opened.size,
        };
        let outgoing = Outgoing {
            request,
            size: opened.size,
            source: opened.source,
            job,
            data: opened.data,
            queued: opened.queued,
            goes_last: false,
        };
        self.under_way.insert(key, outgoing);
        work
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
        let opened = Opened {
            source: Source::Bytes(content),
            size,
            ..Opened::default()
        };
        Ok(Some(self.set_out(key, job, request, opened)))
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
    /// In no call: what was queued without a copy (`uucp -c`) is gone.
    Never(String),
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

/// Whether a file of a user will not be there another time either. One that may not be read now may be after a chmod, or when
/// uucico runs as somebody else.
fn is_final(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}
