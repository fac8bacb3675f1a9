//! What the peer asks for: single files, files by a pattern; and the mail to a local user whose request came to nothing.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::desk::{Desk, described};
use super::neighbour::Neighbour;
use super::paths;
use crate::conversation::{Offer, TransferKey};
use crate::name::Grade;
use crate::spool::{LocalMailDraft, Severity};
use crate::wire::command::{
    ExpandRequest, ReceiveRequest, Refusal, Request, RequestOptions, SendRequest,
};

/// How many files one pattern may stand for.
const MATCHES: usize = 1000;

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

    /// The user and the line of the log.
    pub(super) fn announcement(&self) -> (Vec<u8>, String) {
        let request = Request::Receive(self.request.clone());
        let text = format!("Sending {}", described(&request, Some(self.size), 0));
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
            Ok((served, mode)) => {
                let size = served.size;
                self.served.insert(key, served);
                Ok(Offer { mode, size })
            }
            Err((refusal, reason)) => {
                let shown = request.from.escape_ascii();
                let text = format!("{shown}: {reason}");
                self.log(Some(&request.user), Severity::Error, &text);
                Err(refusal)
            }
        }
    }

    fn open_offer(&self, request: &ReceiveRequest) -> Result<(Served, u32), (Refusal, String)> {
        let no = |reason: &str| (Refusal::NotPermitted, reason.to_owned());
        let Some(neighbour) = &self.neighbour else {
            return Err(no("no system"));
        };
        if !neighbour.settings.send_request {
            return Err(no("requests of this system are not permitted"));
        }
        let path = paths::absolute(&request.from, &neighbour.pubdir)
            .and_then(|path| readable(&path, neighbour))
            .ok_or_else(|| no("permission denied"))?;
        let file = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
            .open(&path)
            .map_err(|error| no(&error.to_string()))?;
        let metadata = file.metadata().map_err(|error| no(&error.to_string()))?;
        if !metadata.is_file() || metadata.mode() & 0o004 == 0 {
            return Err(no("permission denied"));
        }
        let limits = [request.size, neighbour.remote_size];
        if let Some(limit) = limits.into_iter().flatten().min()
            && metadata.len() > limit
        {
            return Err((Refusal::TooLargeNow, "too large".to_owned()));
        }
        let served = Served {
            file,
            size: metadata.len(),
            request: request.clone(),
        };
        Ok((served, metadata.mode() & 0o777))
    }

    /// Queues the files of a pattern for the peer that asked for them.
    pub(super) fn expand(&mut self, request: &ExpandRequest) -> bool {
        match self.expanded(request) {
            Ok(count) => {
                let shown = request.pattern.escape_ascii();
                let text = format!("{shown}: {count} files queued");
                self.log(Some(&request.user), Severity::Info, &text);
                true
            }
            Err(reason) => {
                let shown = request.pattern.escape_ascii();
                let text = format!("{shown}: {reason}");
                self.log(Some(&request.user), Severity::Error, &text);
                false
            }
        }
    }

    fn expanded(&self, request: &ExpandRequest) -> Result<usize, String> {
        let neighbour = self.neighbour.as_ref().ok_or("no system")?;
        if !neighbour.settings.send_request {
            return Err("requests of this system are not permitted".into());
        }
        let bang = request.destination.iter().position(|b| *b == b'!');
        let (system, to) = match bang.and_then(|at| request.destination.split_at_checked(at)) {
            Some((system, rest)) => (system, rest.get(1..).unwrap_or_default()),
            None => (
                neighbour.system.name.as_bytes(),
                request.destination.as_slice(),
            ),
        };
        if system != neighbour.system.name.as_bytes() {
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
                    temp: b"D.0".to_vec(),
                    mode: 0o666,
                    notify: Vec::new(),
                    size: None,
                })
            })
            .collect();
        if !requests.is_empty() {
            self.spool
                .queue(
                    &neighbour.system.name,
                    Grade::DEFAULT,
                    &requests,
                    Vec::new(),
                )
                .map_err(|error| error.to_string())?;
        }
        Ok(requests.len())
    }

    /// Mail to the local user whose request was refused for good, queued in the spool: no MTA can hold the call up.
    pub(super) fn tell_requester(&mut self, request: &Request, what: &str) {
        let to = match request {
            Request::Execute(execute) if execute.file.options.contains(b'R') => {
                execute.file.notify.clone()
            }
            Request::Execute(execute) if execute.file.options.contains(b'N') => return,
            other => other.user().to_vec(),
        };
        if to.is_empty() || to.iter().any(|b| b.is_ascii_control() || *b == b' ') {
            return;
        }
        let system = self
            .neighbour
            .as_ref()
            .map(|neighbour| neighbour.system.name.to_string());
        let content = format!(
            "From: UUCP <uucp>\nTo: {}\nSubject: UUCP request to {} refused\nAuto-Submitted: auto-replied\n\n{what}\n",
            String::from_utf8_lossy(&to),
            system.unwrap_or_default(),
        );
        let mail = LocalMailDraft {
            sender: b"",
            recipients: &[to],
            content: content.as_bytes(),
        };
        if let Err(error) = self.spool.enqueue_local_mail(&mail) {
            self.complain(&error.to_string());
        }
    }
}

/// The real path of a file that the peer may read: permitted as it is named and, where links lead elsewhere, as it is.
fn readable(path: &Path, neighbour: &Neighbour) -> Option<PathBuf> {
    let rules = &neighbour.settings.remote_send;
    if !rules.permits(path, &neighbour.pubdir) {
        return None;
    }
    let real = std::fs::canonicalize(path).ok()?;
    let pubdir =
        std::fs::canonicalize(&neighbour.pubdir).unwrap_or_else(|_| neighbour.pubdir.clone());
    (real == path || rules.permits(&real, &pubdir)).then_some(real)
}

/// The files that a path with `*`, `?` and `[...]` in its last part stands for, in the order of their names.
fn matches(pattern: &Path) -> Vec<PathBuf> {
    let (Some(directory), Some(last)) = (pattern.parent(), pattern.file_name()) else {
        return Vec::new();
    };
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| {
            let name = entry.file_name();
            // As for a shell, a star does not mean the hidden files.
            let hidden = name.as_bytes().starts_with(b".") && !last.as_bytes().starts_with(b".");
            !hidden && fits(last.as_bytes(), name.as_bytes())
        })
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .take(MATCHES)
        .collect();
    found.sort();
    found
}

/// Whether a name fits a pattern. The last star is tried at every place, so the time is bounded by the product of the
/// lengths.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut rest, mut left) = (pattern, name);
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', after @ ..] = rest {
            star = Some((after, left));
            rest = after;
            continue;
        }
        let step = left
            .split_first()
            .and_then(|(byte, tail)| Some((one(rest, *byte)?, tail)));
        match (step, star) {
            (Some((pattern, tail)), _) => (rest, left) = (pattern, tail),
            (None, _) if rest.is_empty() && left.is_empty() => return true,
            (None, Some((after, [_, tail @ ..]))) => {
                star = Some((after, tail));
                (rest, left) = (after, tail);
            }
            _ => return false,
        }
    }
}

/// The rest of the pattern if its first part stands for this byte.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'[', set @ ..] => {
            let end = set.iter().skip(1).position(|b| *b == b']')? + 1;
            let (set, rest) = set.split_at_checked(end)?;
            in_set(set, byte).then(|| rest.get(1..)).flatten()
        }
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] if *literal == byte => Some(rest),
        _ => None,
    }
}

fn in_set(set: &[u8], byte: u8) -> bool {
    let (set, wanted) = match set {
        [b'!' | b'^', rest @ ..] => (rest, false),
        set => (set, true),
    };
    let mut rest = set;
    let mut found = false;
    loop {
        match rest {
            [low, b'-', high, tail @ ..] => {
                found |= (*low..=*high).contains(&byte);
                rest = tail;
            }
            [single, tail @ ..] => {
                found |= *single == byte;
                rest = tail;
            }
            [] => return found == wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_a_shell() {
        for (pattern, name) in [
            ("*", "anything"),
            ("f*", "f"),
            ("f*.t?t", "file.txt"),
            ("*a*b*", "xxaxxbxx"),
            ("[a-c]1", "b1"),
            ("[!a-c]1", "d1"),
            ("\\*", "*"),
            ("[]]", "]"),
        ] {
            assert!(
                fits(pattern.as_bytes(), name.as_bytes()),
                "{pattern} {name}"
            );
        }
        for (pattern, name) in [
            ("f*", "xf"),
            ("?", ""),
            ("[a-c]1", "d1"),
            ("[", "["),
            ("*a*b*", "xxbxxaxx"),
            ("", "x"),
        ] {
            assert!(
                !fits(pattern.as_bytes(), name.as_bytes()),
                "{pattern} {name}"
            );
        }
        // No blow-up.
        let name = vec![b'a'; 2000];
        assert!(!fits(&[b"*a".repeat(500), b"b".to_vec()].concat(), &name));
    }
}
