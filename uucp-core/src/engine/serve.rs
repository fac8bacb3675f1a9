//! What the peer asks for: single files, files by a pattern.

use std::fs::{File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::describe::described;
use super::desk::Desk;
use super::neighbour::Neighbour;
use super::outside::open;
use super::paths;
use super::pattern::matches;
use super::readable::{Reader, refusal};
use super::refusals::about;
use super::work::{TICK, state_changed};
use crate::conversation::{Offer, TransferKey};
use crate::name::Grade;
use crate::spool::{ASKED_FOR, Severity};
use crate::wire::command::{
    ExpandRequest, ReceiveRequest, Refusal, Request, RequestOptions, SendRequest,
};

/// How many patterns a peer may ask for in one call: each has a folder read and makes a job.
const PATTERNS: u32 = 1000;

/// A file that the peer has asked for.
#[derive(Debug)]
pub(super) struct Served {
    file: File,
    size: u64,
    request: ReceiveRequest,
}

impl Served {
    pub(super) fn read_at(&self, buffer: &mut [u8], position: u64) -> std::io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    /// The user and the line of the log, of a file that begins to flow there.
    pub(super) fn announcement(&self, position: u64) -> (Vec<u8>, String) {
        let request = Request::Receive(self.request.clone());
        let what = described(&request, Some(self.size), position);
        let text = format!("Sending {what}");
        (self.request.user.clone(), text)
    }

    /// The user and the size.
    pub(super) fn account(self) -> (Vec<u8>, u64) {
        (self.request.user, self.size)
    }
}

impl Desk<'_> {
    /// Whether the peer may have a file, and the file.
    pub(super) fn offer(
        &mut self,
        key: TransferKey,
        request: &ReceiveRequest,
    ) -> Result<Offer, Refusal> {
        match self.open_offer(request) {
            Ok((served, offer)) => {
                self.served.insert(key, served);
                Ok(offer)
            }
            Err((refusal, reason)) => {
                let shown = request.from.escape_ascii().to_string();
                self.tell_refused(&request.user, &shown, &reason);
                Err(refusal)
            }
        }
    }

    fn open_offer(&self, request: &ReceiveRequest) -> Result<(Served, Offer), (Refusal, String)> {
        let no = |reason: &str| (Refusal::NotPermitted, reason.to_owned());
        let Some(neighbour) = &self.neighbour else {
            return Err(no("no system"));
        };
        if !neighbour.settings.send_request {
            return Err(no("requests of this system are not permitted"));
        }
        let (rules, pubdir) = (&neighbour.settings.remote_send, &neighbour.pubdir);
        let path = paths::absolute(&request.from, pubdir)
            .filter(|path| rules.permits(path, pubdir))
            .ok_or_else(|| no("permission denied"))?;
        let failed = |error: std::io::Error| no(&error.to_string());
        let file = open(&path, 0).map_err(failed)?;
        if let Some(why) = refusal(&file, rules, pubdir, &Reader::Everybody).map_err(failed)? {
            return Err(no(&format!("permission denied: {why}")));
        }
        let metadata = file.metadata().map_err(failed)?;
        let limits = [request.size, neighbour.remote_size];
        if let Some(limit) = limits.into_iter().flatten().min()
            && metadata.len() > limit
        {
            return Err((Refusal::TooLargeNow, "too large".to_owned()));
        }
        let offer = Offer {
            mode: metadata.mode() & 0o777,
            size: metadata.len(),
            version: version(&metadata),
        };
        let served = Served {
            file,
            size: metadata.len(),
            request: request.clone(),
        };
        Ok((served, offer))
    }

    /// Queues the files of a pattern for the peer that asked for them.
    pub(super) fn expand(&mut self, request: &ExpandRequest) -> bool {
        match self.expanded(request) {
            Ok(count) => {
                if count > 0 || self.refusals.may_tell() {
                    let shown = request.pattern.escape_ascii().to_string();
                    let text = about(&shown, &format!("{count} files queued"));
                    self.log(Some(&request.user), Severity::Info, &text);
                }
                true
            }
            Err(reason) => {
                let shown = request.pattern.escape_ascii().to_string();
                self.tell_refused(&request.user, &shown, &reason);
                false
            }
        }
    }

    fn expanded(&mut self, request: &ExpandRequest) -> Result<usize, String> {
        let neighbour = self.neighbour.as_mut().ok_or("no system")?;
        if !neighbour.settings.send_request {
            return Err("requests of this system are not permitted".into());
        }
        neighbour.patterns = neighbour.patterns.saturating_add(1);
        if neighbour.patterns > PATTERNS {
            return Err(format!("more than {PATTERNS} patterns in one call"));
        }
        let bang = request.destination.iter().position(|b| *b == b'!');
        let (system, to) = match bang.and_then(|at| request.destination.split_at_checked(at)) {
            Some((system, rest)) => (system, rest.get(1..).unwrap_or_default()),
            None => (
                neighbour.system.name.as_bytes(),
                request.destination.as_slice(),
            ),
        };
        let system_is_theirs = std::iter::once(&neighbour.system.name)
            .chain(&neighbour.system.aliases)
            .any(|name| name.as_bytes() == system);
        if !system_is_theirs {
            return Err("files are sent to the system that asks, to no other".into());
        }
        let pattern =
            paths::absolute(&request.pattern, &neighbour.pubdir).ok_or("permission denied")?;
        let files: Vec<PathBuf> = matches(&pattern)
            .into_iter()
            .filter_map(|path| readable(&path, neighbour))
            .collect();
        let requests: Vec<Request> = files
            .iter()
            .map(|path| {
                Request::Send(SendRequest {
                    from: path.as_os_str().as_bytes().to_vec(),
                    to: to.to_vec(),
                    user: request.user.clone(),
                    options: RequestOptions::new(b"cd"),
                    temp: ASKED_FOR.to_vec(),
                    mode: path.metadata().map_or(0o666, |file| file.mode() & 0o777),
                    notify: Vec::new(),
                    size: None,
                })
            })
            .collect();
        if !requests.is_empty() {
            neighbour
                .inbox
                .queue_asked_for(Grade::DEFAULT, &requests)
                .map_err(|error| error.to_string())?;
        }
        Ok(requests.len())
    }
}

/// A number that is another one whenever the file has been written, moved away or replaced since. A change within the same tick
/// of the file system's clock would not show: a file that is too young has no version.
fn version(file: &Metadata) -> Option<u64> {
    let changed = state_changed(file)?;
    if changed.elapsed().is_ok_and(|age| age > TICK) {
        let mut hash = Sha256::new();
        for part in [file.dev(), file.ino(), file.len()] {
            hash.update(part.to_be_bytes());
        }
        for part in [
            file.mtime(),
            file.mtime_nsec(),
            file.ctime(),
            file.ctime_nsec(),
        ] {
            hash.update(part.to_be_bytes());
        }
        let first: [u8; 8] = hash.finalize().first_chunk().copied()?;
        return Some(u64::from_be_bytes(first));
    }
    None
}

/// The real path of a file that the peer may have: permitted as it is named and, where links lead elsewhere, as it is. When it is
/// sent it is judged again.
fn readable(path: &Path, neighbour: &Neighbour) -> Option<PathBuf> {
    let (rules, pubdir) = (&neighbour.settings.remote_send, &neighbour.pubdir);
    if !rules.permits(path, pubdir) {
        return None;
    }
    let real = std::fs::canonicalize(path).ok()?;
    rules.granting(&real, pubdir).is_some().then_some(real)
}
