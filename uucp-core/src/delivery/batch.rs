//! `sendmail -bS`: batched SMTP into a program, message by message. Exim has it; Postfix and today's Sendmail have not.
//!
//! Such a program is silent while all goes well and ends at the first thing that it does not like, whatever follows. Yet it
//! can be known what it has taken: the pipe to it has room for one write, and after each message `RSET` is written alone.
//! When that has been read the program has come back for a command, so the message before it is taken. Nothing goes into the
//! pipe before what is in it was read. So a batch is as safe as a dialogue: one message at most is in doubt.

mod verdict;

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use self::verdict::{Fault, Place, Suspect};
use super::child::{Dialogue, Ending, Finished};
use super::smtp::{Meanwhile, Stuffed, Transact, Transacted, Transaction};
use super::{Message, Outcome, Reply};

/// A program that takes batches.
#[derive(Debug)]
pub(super) struct Batch {
    command: PathBuf,
    limit: Duration,
    scratch: PathBuf,
    run: Option<Run>,
}

/// One run of it.
#[derive(Debug)]
struct Run {
    input: File,
    program: Dialogue,
    /// Bytes that the pipe has room for.
    room: usize,
    /// Messages taken.
    taken: u64,
    /// Lines written.
    lines: u64,
    /// The line of this message's final dot, once it was read.
    dot: Option<u64>,
    deadline: Instant,
}

/// Why a run is over.
enum Stop {
    /// It has ended.
    Ended,
    /// It has not kept to its time.
    Late,
    /// It is ourselves who cannot go on.
    Ours(Reply),
}

impl Batch {
    pub(super) fn new(command: PathBuf, limit: Duration, scratch: PathBuf) -> Self {
        Self {
            command,
            limit,
            scratch,
            run: None,
        }
    }

    /// The same way again, for a run of its own.
    pub(super) fn another(&self) -> Self {
        Self::new(self.command.clone(), self.limit, self.scratch.clone())
    }

    fn start(&self, deadline: Instant) -> io::Result<Run> {
        let (program, input) = Dialogue::start_silent(&self.command, &["-bS"], &self.scratch)?;
        let room = fcntl(&input, FcntlArg::F_SETPIPE_SZ(1))?;
        let flags = OFlag::from_bits_retain(fcntl(&input, FcntlArg::F_GETFL)?);
        fcntl(&input, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        Ok(Run {
            input: input.into(),
            program,
            room: usize::try_from(room).unwrap_or(1),
            taken: 0,
            lines: 0,
            dot: None,
            deadline,
        })
    }

    fn reply(&self, text: &str) -> Reply {
        Reply::new("4.3.0", format!("{} -bS {text}", self.command.display()))
    }

    /// What the end of a run means for the message that it was given.
    fn judge(&self, stop: Stop, run: Run, suspect: Suspect) -> Transacted {
        let count = suspect.recipients;
        let all = |outcome: Outcome, is_broken| Transacted::Outcomes {
            outcomes: vec![Some(outcome); count],
            is_broken,
        };
        match stop {
            Stop::Ours(reply) => return all(Outcome::Deferred(reply), true),
            Stop::Late => {
                let text =
                    "did not go on in time and was killed; nobody knows whether it has the message";
                run.kill();
                return all(Outcome::Deferred(self.reply(text)), true);
            }
            Stop::Ended => {}
        }
        let finished = run.end();
        let again = || Transacted::Outcomes {
            outcomes: vec![None; count],
            is_broken: false,
        };
        let Some(fault) = Fault::parse(&finished.said) else {
            let reply = self.reply(&ended(&finished));
            return match suspect {
                Suspect { dot: Some(_), .. } => all(Outcome::Deferred(reply), true),
                // It took nothing at all: it does not know the option, or cannot work.
                Suspect { taken: 0, .. } => Transacted::NoSession(reply),
                _ => again(),
            };
        };
        match fault.place(suspect) {
            Place::Before => again(),
            Place::Message => all(fault.outcome(), false),
            Place::Recipient(bad) => Transacted::Outcomes {
                outcomes: (0..count)
                    .map(|index| (index == bad).then(|| fault.outcome()))
                    .collect(),
                is_broken: false,
            },
            Place::Behind => all(Outcome::Delivered, false),
            Place::Unknown => all(Outcome::Deferred(self.reply(&ended(&finished))), true),
        }
    }
}

impl Transact for Batch {
    fn transact(
        &mut self,
        transaction: &Transaction<'_>,
        meanwhile: &mut dyn Meanwhile,
    ) -> Transacted {
        let deadline = Instant::now() + self.limit;
        let run = match self.run.take() {
            Some(run) => Ok(run),
            None => self.start(deadline),
        };
        let mut run = match run {
            Ok(run) => run,
            Err(error) => {
                return Transacted::NoSession(self.reply(&format!("cannot be run: {error}")));
            }
        };
        run.deadline = deadline;
        run.dot = None;
        let (taken, lines) = (run.taken, run.lines);
        match run.hand_over(transaction, meanwhile) {
            Ok(()) => {
                run.taken += 1;
                self.run = Some(run);
                Transacted::Outcomes {
                    outcomes: vec![Some(Outcome::Delivered); transaction.recipients.len()],
                    is_broken: false,
                }
            }
            Err(stop) => {
                let suspect = Suspect {
                    taken,
                    lines,
                    recipients: transaction.recipients.len(),
                    dot: run.dot,
                };
                self.judge(stop, run, suspect)
            }
        }
    }
}

impl Run {
    /// When this returns the program has the message.
    fn hand_over(
        &mut self,
        transaction: &Transaction<'_>,
        meanwhile: &mut dyn Meanwhile,
    ) -> Result<(), Stop> {
        let mut envelope = [b"MAIL FROM:<", transaction.sender, b">\r\n"].concat();
        for recipient in transaction.recipients {
            envelope.extend_from_slice(b"RCPT TO:<");
            envelope.extend_from_slice(&recipient.address);
            envelope.extend_from_slice(b">\r\n");
        }
        self.put(&envelope)?;
        meanwhile.before_content().map_err(Stop::Ours)?;
        self.put_content(transaction.message)?;
        self.wait_until_read()?;
        self.dot = Some(self.lines);
        self.put(b"RSET\r\n")?;
        self.wait_until_read()
    }

    fn put_content(&mut self, message: &Message) -> Result<(), Stop> {
        let unreadable = |error| {
            let text = format!("cannot read the message: {error}");
            Stop::Ours(Reply::new("4.3.0", text))
        };
        let mut content = Stuffed::new(message);
        let mut out = b"DATA\r\n".to_vec();
        while let Some(block) = content.next().map_err(unreadable)? {
            out.extend_from_slice(&block);
            self.put(&out)?;
            out.clear();
        }
        Ok(())
    }

    /// Writes as much as there is room for, each time when everything before was read.
    fn put(&mut self, mut bytes: &[u8]) -> Result<(), Stop> {
        self.lines += bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
        while !bytes.is_empty() {
            self.wait_until_read()?;
            let part = bytes.get(..self.room.min(bytes.len())).unwrap_or(bytes);
            match self.input.write(part) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return Err(Stop::Ended),
            }
        }
        Ok(())
    }

    /// A pipe with room for one write is writable when that was read.
    fn wait_until_read(&self) -> Result<(), Stop> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Stop::Late);
            }
            // Rounded up: a wait of nothing would turn in circles.
            let left = left + Duration::from_millis(1);
            let mut wanted = [PollFd::new(self.input.as_fd(), PollFlags::POLLOUT)];
            let ready = poll(
                &mut wanted,
                PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX),
            );
            let events = wanted.first().and_then(PollFd::revents);
            match ready {
                Ok(0) | Err(Errno::EINTR) => {}
                // That there is no reader any more is told beside it.
                Ok(_) if events.is_some_and(|e| e.contains(PollFlags::POLLOUT)) => return Ok(()),
                Ok(_) | Err(_) => return Err(Stop::Ended),
            }
        }
    }

    fn kill(mut self) {
        self.program.kill();
    }

    /// Waits for its end, which has come or is near.
    fn end(self) -> Finished {
        drop(self.input);
        self.program.end()
    }
}

fn ended(finished: &Finished) -> String {
    let said = if finished.said.is_empty() {
        "no reason given"
    } else {
        &finished.said
    };
    match finished.ending {
        Ending::Exit(code) => format!("ended with status {code}: {said}"),
        Ending::Signal(number) => format!("was killed by signal {number}: {said}"),
        Ending::TimeLimit => format!("did not end in time: {said}"),
    }
}

#[cfg(test)]
mod tests;
