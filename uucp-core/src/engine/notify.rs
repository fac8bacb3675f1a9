//! Mail about files: to the user who asked for one, when it has come or gone (`uucp -m`) or was refused for good, and to the
//! user here for whom the peer has sent one (`uucp -n`). All of it waits in the spool: no MTA can hold a call up.

use super::describe::described;
use super::desk::Desk;
use crate::report::note::queue_note;
use crate::spool::{ASKED_FOR, Severity};
use crate::wire::command::{ReceiveRequest, Request, SendRequest};

/// Longer than any user's name.
const NAME_LIMIT: usize = 64;

/// Who is to be told, and what of.
#[derive(Debug)]
pub(super) struct Note {
    to: Vec<u8>,
    subject: String,
    text: String,
    /// Whether a user of the peer wants it.
    of_peer: bool,
}

impl Note {
    /// What is to be told when the peer has a file of ours.
    pub(super) fn of_sent(request: &Request, system: &str) -> Option<Self> {
        let Request::Send(send) = request else {
            return None;
        };
        send.options.contains(b'm').then(|| Self {
            to: send.user.clone(),
            subject: format!("UUCP file sent to {system}"),
            text: format!(
                "{} is now at {system}, as {}\n",
                shown(&send.from),
                shown(&send.to)
            ),
            of_peer: false,
        })
    }

    /// What is to be told when a file has come.
    pub(super) fn of_received(request: &Request, system: &str) -> Option<Self> {
        match request {
            Request::Receive(receive) => Self::of_fetched(receive, system),
            Request::Send(send) => Self::of_arrived(send, system),
            _ => None,
        }
    }

    fn of_fetched(receive: &ReceiveRequest, system: &str) -> Option<Self> {
        receive.options.contains(b'm').then(|| Self {
            to: receive.user.clone(),
            subject: format!("UUCP file received from {system}"),
            text: format!(
                "{} of {system} is now here, as {}\n",
                shown(&receive.from),
                shown(&receive.to)
            ),
            of_peer: false,
        })
    }

    /// The peer's words: they name a user here, and no address through which we would mail to others.
    fn of_arrived(send: &SendRequest, system: &str) -> Option<Self> {
        let wanted = send.options.contains(b'n') && is_user(&send.notify);
        wanted.then(|| Self {
            to: send.notify.clone(),
            subject: format!("UUCP file from {system}"),
            text: format!(
                "{} of {} has sent a file for you. It is here as {}\n",
                shown(&send.user),
                system,
                shown(&send.to)
            ),
            of_peer: true,
        })
    }
}

fn is_user(name: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+');
    name.len() <= NAME_LIMIT
        && name.first().is_some_and(u8::is_ascii_alphanumeric)
        && name.iter().all(plain)
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

impl Desk<'_> {
    /// Mail to the local user whose request was refused for good; false when it cannot be queued.
    pub(super) fn tell_requester(&mut self, request: &Request, what: &str) -> bool {
        let to = match request {
            Request::Execute(execute) if execute.file.options.contains(b'R') => {
                execute.file.notify.clone()
            }
            Request::Execute(execute) if execute.file.options.contains(b'N') => return true,
            other => other.user().to_vec(),
        };
        let system = self
            .neighbour
            .as_ref()
            .map(|neighbour| neighbour.system.name.to_string());
        self.tell(&Note {
            to,
            subject: format!("UUCP request to {} refused", system.unwrap_or_default()),
            text: format!("{what}\n"),
            of_peer: false,
        })
    }

    /// A request that can never be done: the log says so, and mail to the local user whose it is. True when it may leave the
    /// queue.
    pub(super) fn give_up(&mut self, request: &Request, reason: &str, kept: &str) -> bool {
        let what = described(request, None, 0);
        let text = format!("{what}: given up ({reason}){kept}");
        self.log(Some(request.user()), Severity::Error, &text);
        let asked_for = matches!(request, Request::Send(send) if send.temp == ASKED_FOR);
        asked_for || self.tell_requester(request, &text)
    }

    /// Queues a note. That it cannot be queued is no reason to end a call; then this is false. One that is for nobody counts as
    /// told.
    pub(super) fn tell(&mut self, note: &Note) -> bool {
        let Some(neighbour) = &self.neighbour else {
            return true;
        };
        if note.to.is_empty() || note.to.iter().any(|b| b.is_ascii_control() || *b == b' ') {
            return true;
        }
        let system = &neighbour.system.name;
        let limit = neighbour.notes_per_hour;
        let may = !note.of_peer || self.spool.may_note("files", system, limit).unwrap_or(false);
        if !may {
            return true;
        }
        let queued = queue_note(
            &self.spool,
            &neighbour.mail,
            &note.to,
            &note.subject,
            &note.text,
        );
        if let Err(error) = &queued {
            self.log(None, Severity::Error, &error.to_string());
        }
        queued.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::command::RequestOptions;

    fn send(options: &str, notify: &str) -> Request {
        Request::Send(SendRequest {
            from: b"/home/ann/f".to_vec(),
            to: b"~/f".to_vec(),
            user: b"ann".to_vec(),
            options: RequestOptions::new(options.as_bytes()),
            temp: b"D.0001".to_vec(),
            mode: 0o644,
            notify: notify.as_bytes().to_vec(),
            size: None,
        })
    }

    #[test]
    fn the_one_who_asked_is_told_of_what_was_sent() {
        let note = Note::of_sent(&send("Cdm", ""), "beta").unwrap();
        assert_eq!(note.to, b"ann");
        assert_eq!(note.text, "/home/ann/f is now at beta, as ~/f\n");
        assert!(Note::of_sent(&send("Cd", ""), "beta").is_none());
    }

    #[test]
    fn a_user_here_is_told_of_what_has_come_and_nobody_elsewhere() {
        let note = Note::of_received(&send("Cdn", "joe"), "beta").unwrap();
        assert_eq!((note.to.as_slice(), note.of_peer), (&b"joe"[..], true));
        assert!(Note::of_received(&send("Cd", "joe"), "beta").is_none());
        let long = "x".repeat(100);
        for bad in [
            "",
            "joe@example.org",
            "b!joe",
            "-f",
            "a b",
            "|sh",
            "/etc/x",
            &long,
        ] {
            assert!(
                Note::of_received(&send("Cdn", bad), "beta").is_none(),
                "{bad}"
            );
        }
    }
}
