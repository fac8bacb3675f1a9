//! The `sendmail` command: `sendmail -i -f SENDER -- RECIPIENT...`, the one form that every MTA's takes.
//!
//! Never `-N` (Exim: accept and throw away), never `-G`, `-oee`, `-p`, `-R`, `-V`: each breaks at least two MTAs. What an
//! exit status means was observed MTA by MTA: the tables are [`Flavour::judge`].

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::child::{self, Ending, Finished};
use super::{Outcome, Reply};

/// Bytes of recipients in one call; well below every system's limit for arguments.
const ARGUMENT_LIMIT: usize = 64 * 1024;
/// How long a command may think about whose it is.
const ASKING_LIMIT: Duration = Duration::from_secs(10);
/// Recipients in one call: Postfix's own limit for a message.
const MOST_RECIPIENTS: usize = 500;

/// Whose `sendmail` it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// Postfix: 75 for what is too large, for ever.
    Postfix,
    /// Exim: 1 for almost everything, whoever got the mail; it is spoken to by SMTP.
    Exim,
    /// Sendmail: 64, 67 or 68 after it has delivered to the others and returned the mail of these; it is spoken to by SMTP.
    Sendmail,
    /// OpenSMTPD: all or nothing; 75 without a word after it has stored the mail for a server that is down. A null sender it
    /// stores as what its server does not take, ever, unless it is an empty word.
    OpenSmtpd,
    /// msmtp: all or nothing, 65 with the server's answer.
    Msmtp,
    /// dma: all or nothing.
    Dma,
    /// nullmailer: 1 for everything.
    Nullmailer,
    /// None of these.
    Unknown,
}

impl Flavour {
    /// Tells whose command it is by the path it leads to, then by what lies beside it.
    #[must_use]
    pub fn of(command: &Path) -> Self {
        let real = std::fs::canonicalize(command).unwrap_or_else(|_| command.to_owned());
        let name = real
            .file_name()
            .map(OsStr::to_string_lossy)
            .unwrap_or_default();
        match name.as_ref() {
            "exim" | "exim4" | "sendmail.exim" => return Self::Exim,
            "sendmail-mta" | "sendmail.sendmail" => return Self::Sendmail,
            "sendmail.postfix" => return Self::Postfix,
            "smtpctl" => return Self::OpenSmtpd,
            "msmtp" => return Self::Msmtp,
            "dma" => return Self::Dma,
            _ => {}
        }
        if real.to_string_lossy().contains("/libexec/sendmail/") {
            return Self::Sendmail;
        }
        let beside = |other: &str| real.with_file_name(other).exists();
        if beside("postdrop") || beside("postfix") {
            Self::Postfix
        } else if beside("nullmailer-queue")
            || beside("nullmailer-send")
            || beside("../sbin/nullmailer-send")
        {
            Self::Nullmailer
        } else {
            Self::Unknown
        }
    }

    /// As [`Flavour::of`]; where that does not tell, the command is asked for its version, without any input. Only Exim has an
    /// answer, but the others complain each in its own way.
    #[must_use]
    pub(super) fn asked(command: &Path, scratch: &Path) -> Self {
        let flavour = Self::of(command);
        if flavour != Self::Unknown {
            return flavour;
        }
        let mut question = Command::new(command);
        question.arg("-bV");
        let answer = File::open("/dev/null")
            .and_then(|nothing| child::run(question, &nothing, scratch, ASKING_LIMIT));
        answer.map_or(Self::Unknown, |finished| Self::by_answer(&finished.said))
    }

    fn by_answer(said: &str) -> Self {
        if said.starts_with("Exim version ") || said.contains(" Exim version ") {
            Self::Exim
        } else if said.contains("Invalid operation mode") {
            Self::Sendmail
        } else if said.contains("opensmtpq") || said.contains("smtpctl") {
            Self::OpenSmtpd
        } else if said.contains("sendmail: fatal: ") || said.contains("postfix") {
            Self::Postfix
        } else {
            Self::Unknown
        }
    }

    /// Whether this is a whole MTA with a queue of its own, so that its SMTP port may be expected to answer.
    #[must_use]
    pub fn listens(self) -> bool {
        matches!(
            self,
            Self::Postfix | Self::Exim | Self::Sendmail | Self::OpenSmtpd
        )
    }

    /// These refuse a whole message for one bad recipient, so each recipient gets a call of its own.
    fn one_at_a_time(self) -> bool {
        self != Self::Postfix
    }

    /// What an exit status means for the recipients of the call.
    fn judge(self, code: i32, said: &str) -> Outcome {
        if code == 0 {
            return Outcome::Delivered;
        }
        let refused = |status| Outcome::Refused(reply(status, code, said));
        let deferred = || Outcome::Deferred(reply("4.3.0", code, said));
        let says = |text: &str| said.to_ascii_lowercase().contains(text);
        match (self, code) {
            // It answers "for now" to a message that will never get smaller.
            (Self::Postfix, 75 | 69) if says("message file too big") => refused("5.3.4"),
            // Not connected, stored for later: a second offer would be a second copy.
            (Self::OpenSmtpd, 75) if said.is_empty() => Outcome::Delivered,
            // With the same status it tells what its server says for now, and what its command cannot store while that is down.
            (Self::OpenSmtpd, 70) if says("command failed: 5") => refused("5.1.1"),
            (Self::Msmtp, 65) | (Self::Dma | Self::Unknown, 67) => refused("5.1.1"),
            (Self::Msmtp, 69) if says("server message: 5") => refused("5.0.0"),
            (Self::Postfix | Self::Dma | Self::Unknown, 65) => refused("5.6.0"),
            _ => deferred(),
        }
    }
}

/// A `sendmail` command that is ready to be run.
#[derive(Debug, Clone)]
pub(super) struct Sendmail {
    pub(super) command: PathBuf,
    pub(super) flavour: Flavour,
    pub(super) limit: Duration,
}

impl Sendmail {
    /// How many recipients go into the next call at most.
    pub(super) fn most(&self) -> usize {
        if self.flavour.one_at_a_time() {
            1
        } else {
            MOST_RECIPIENTS
        }
    }

    /// How many of these recipients go into the next call: at least one, where there is one.
    pub(super) fn part(&self, recipients: &[Vec<u8>]) -> usize {
        let mut bytes = 0;
        recipients
            .iter()
            .take(self.most())
            .take_while(|recipient| {
                let is_first = bytes == 0;
                bytes += recipient.len() + 1;
                is_first || bytes <= ARGUMENT_LIMIT
            })
            .count()
    }

    /// One call for these recipients; one outcome for all of them.
    pub(super) fn call(
        &self,
        sender: &[u8],
        recipients: &[Vec<u8>],
        message: &File,
        scratch: &Path,
    ) -> Outcome {
        if self.flavour == Flavour::Nullmailer && recipients.iter().any(|r| r.starts_with(b"-")) {
            return Outcome::Refused(Reply {
                status: "5.1.3".to_owned(),
                text: "nullmailer takes no recipient that begins with '-'".to_owned(),
                remote: None,
            });
        }
        match child::run(
            self.command_line(sender, recipients),
            message,
            scratch,
            self.limit,
        ) {
            Ok(finished) => self.judge(&finished),
            Err(error) => Outcome::Deferred(Reply {
                status: "4.3.0".to_owned(),
                text: format!("cannot run {}: {error}", self.command.display()),
                remote: None,
            }),
        }
    }

    fn command_line(&self, sender: &[u8], recipients: &[Vec<u8>]) -> Command {
        let sender = match self.flavour {
            Flavour::OpenSmtpd => sender,
            _ if sender.is_empty() => b"<>",
            _ => sender,
        };
        let mut command = Command::new(&self.command);
        command
            .args(["-i", "-f"])
            .arg(OsStr::from_bytes(sender))
            .arg("--")
            .args(recipients.iter().map(|r| OsStr::from_bytes(r)));
        command
    }

    fn judge(&self, finished: &Finished) -> Outcome {
        let name = self.command.display();
        let text = match finished.ending {
            Ending::Exit(code) => return self.flavour.judge(code, &finished.said),
            Ending::Signal(number) => format!("{name} was killed by signal {number}"),
            Ending::TimeLimit => format!("{name} did not end in time and was killed"),
        };
        Outcome::Deferred(Reply {
            status: "4.3.0".to_owned(),
            text,
            remote: None,
        })
    }
}

fn reply(status: &str, code: i32, said: &str) -> Reply {
    let said = if said.is_empty() {
        "no reason given"
    } else {
        said
    };
    Reply {
        status: status.to_owned(),
        text: format!("sendmail exit status {code}: {said}"),
        remote: None,
    }
}

#[cfg(test)]
mod tests;
