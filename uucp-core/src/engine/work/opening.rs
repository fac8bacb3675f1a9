//! A request and what it sends: opened, or found to be done, or left for another call.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

use super::{Hopeless, Outgoing, Source, WorkQueue};
use crate::conversation::{TransferKey, Work};
use crate::engine::outside::open_data;
use crate::engine::paths;
use crate::name::{JobId, SpoolKind, SpoolName, SystemName};
use crate::spool::{ExecuteFile, RunFile, SpoolError};
use crate::wire::command::{ExecuteRequest, Features, ReceiveRequest, Request, SendRequest};

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
            _ if !self.limits.ever.transfers => {
                let reason = "not permitted to transfer files (transfer)";
                Err(Unopened::Never(reason.to_owned()))
            }
            Request::Send(send) => self.open_send(send, &job),
            Request::Execute(execute) if self.limits.features.contains(Features::EXECUTE) => {
                self.open_send(&execute.file, &job)
            }
            Request::Execute(execute) => return self.prepare_execute_file(key, job, execute),
            Request::Receive(receive) => self.check_place(receive),
            Request::Expand(_) => Ok(Opened::default()),
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
                let data = data_of(&request)
                    .filter(|data| self.spool.data_path(&self.system, data).exists());
                if let Some(progress) = self.jobs.get_mut(&job) {
                    progress.hopeless.push(Hopeless {
                        job: job.clone(),
                        request,
                        reason,
                        data,
                        goes_last: false,
                    });
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

    fn open_send(&self, send: &SendRequest, job: &JobId) -> Result<Opened, Unopened> {
        let spooled = spooled(send);
        let (path, file) = match &spooled {
            Some(name) => {
                let path = self.spool.data_path(&self.system, name);
                let file = open_data(&path).map_err(|error| match error.kind() {
                    std::io::ErrorKind::NotFound => Unopened::Done,
                    _ => later(&path, &error),
                })?;
                (path, file)
            }
            None => self.open_user_file(send, job)?,
        };
        let metadata = file.metadata().map_err(|error| later(&path, &error))?;
        if !metadata.is_file() {
            return Err(Unopened::Never(format!("{}: not a file", path.display())));
        }
        if self.limits.size.is_some_and(|limit| metadata.len() > limit) {
            return Err(self.too_large(send, metadata.len()));
        }
        Ok(Opened {
            source: Source::File(file),
            size: metadata.len(),
            queued: metadata.modified().ok().filter(|_| spooled.is_some()),
            data: spooled,
        })
    }

    /// A file is asked for only if it may be put where it is to go: it need not cross the line to be refused here.
    fn check_place(&self, receive: &ReceiveRequest) -> Result<Opened, Unopened> {
        let (limits, pubdir) = (&self.limits, &self.limits.pubdir);
        let of_command = receive.options.contains(b'9');
        // A name that leads to somebody's home, or nowhere, is looked at when the file comes.
        let Some(place) = paths::absolute(&receive.to, pubdir).filter(|_| !of_command) else {
            return Ok(Opened::default());
        };
        let name = receive.from.rsplit(|b| *b == b'/').next();
        let in_folder = place.join(OsStr::from_bytes(name.unwrap_or_default()));
        let permitted = |test: &dyn Fn(&Path) -> bool| test(&place) || test(&in_folder);
        if permitted(&|path| limits.received.permits(path, pubdir)) {
            return Ok(Opened::default());
        }
        let shown = receive.to.escape_ascii();
        let reason = format!("not permitted to receive to {shown} (local-receive)");
        Err(if permitted(&|path| limits.ever.stores(path, pubdir)) {
            Unopened::Later(Some(reason))
        } else {
            Unopened::Never(reason)
        })
    }

    /// A file over the limit of this call: that of the other system, of the hour, of who has called, or of our rules at their most
    /// generous.
    fn too_large(&self, send: &SendRequest, size: u64) -> Unopened {
        // Half of a broken `E` is not given up without the other: another call may be with a peer that takes it whole.
        let is_half = spooled(send).is_some() && !send.options.contains(b'C');
        match self.limits.ever.largest {
            Some(largest) if size > largest && !is_half => Unopened::Never(format!(
                "{size} bytes, and at no time are more than {largest} permitted (call-local-size, called-local-size)"
            )),
            _ => Unopened::Later(None),
        }
    }
}

/// The spool file that a request sends.
fn data_of(request: &Request) -> Option<SpoolName> {
    match request {
        Request::Send(send) => spooled(send),
        Request::Execute(execute) => spooled(&execute.file),
        Request::Receive(_) | Request::Expand(_) => None,
    }
}

fn spooled(send: &SendRequest) -> Option<SpoolName> {
    let copied = SpoolName::parse(&send.temp)
        .ok()
        .filter(|name| send.options.contains(b'C') && name.kind() == SpoolKind::Data);
    // The first half of a broken `E` has lost its `C`, but its data is where it was.
    copied.or_else(|| {
        let from = SpoolName::parse(&send.from).ok()?;
        (send.from == send.temp).then_some(from)
    })
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
pub(super) enum Unopened {
    /// Its file is gone: it was done in an earlier call.
    Done,
    /// Not in this call; with a line for the log.
    Later(Option<String>),
    /// In no call: what was queued without a copy (`uucp -c`) is gone.
    Never(String),
}

pub(super) fn later(path: &Path, error: &std::io::Error) -> Unopened {
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
