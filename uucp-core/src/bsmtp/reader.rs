//! A batch, in any pieces -> events.
//!
//! All transitions are in [`Reader::command`]; content is followed by [`Dotted`] and [`Chunked`].

mod envelope;

use std::collections::VecDeque;

use self::envelope::{Open, shortened};
use super::command::Command;
use super::content::{Chunked, Dotted, Piece};
use super::event::{Cut, End, Event, Problem};
use super::line::{Line, LineBuffer};
use super::parameter::RecipientParameters;
use super::transaction::{Reason, Recipient, Verb};
use super::{LineEnd, MARK};

/// How much memory a batch may cost; content costs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one command. RFC 5321 asks for 512; addresses of 2,000 bytes with ORCPT and NOTIFY need about 9,000.
    pub line: usize,
    /// Recipients of one message. RFC 5321 asks for 100; MTAs cut at 1,000 to 50,000.
    pub recipients: usize,
    /// Bytes of all commands of one envelope.
    pub envelope: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line: 16 << 10,
            recipients: 100_000,
            envelope: 8 << 20,
        }
    }
}

/// Reads batched SMTP without doing IO: the same bytes give the same events, in whatever pieces they come.
///
/// It goes on behind everything that it does not understand, and a batch that is cut anywhere gives all messages before the
/// cut.
///
/// * Call [`read`](Self::read) with each piece of input until it gives no event, then [`finish`](Self::finish) at the end.
/// * A message is [`Event::Begin`], any number of [`Event::Content`], [`Event::End`]. Without [`Event::End`] it is cut, and
///   must not be used: [`Event::Broken`] tells so, or [`End::cut`].
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    state: State,
    line: LineBuffer,
    /// The kind of line end, once the envelope has begun.
    kind: Option<LineEnd>,
    open: Option<Open>,
    /// Events that are ready while nothing has to be read.
    ready: VecDeque<Event<'static>>,
    /// Line feeds that were read.
    newlines: u64,
    /// The line on which the current command begins.
    at: u64,
    /// The line of the last HELO.
    hello: u64,
    /// The line on which a batch of ours has begun that has not ended.
    ours: Option<u64>,
    /// Whether the last batch has our mark, ended or not.
    marked: bool,
    /// Whether the last line was not understood.
    lost: bool,
    quit: bool,
    messages: u64,
}

/// What the next byte belongs to.
#[derive(Debug)]
enum State {
    Command,
    Dotted {
        content: Box<Dotted>,
        line: u64,
    },
    Chunked {
        content: Chunked,
        line: u64,
    },
    /// Nobody knows.
    Unreadable {
        line: u64,
    },
}

impl Default for Reader {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Reader {
    /// A reader at the beginning of a batch.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Command,
            line: LineBuffer::new(limits.line),
            kind: None,
            open: None,
            ready: VecDeque::new(),
            newlines: 0,
            at: 1,
            hello: 1,
            ours: None,
            marked: false,
            lost: false,
            quit: false,
            messages: 0,
        }
    }

    /// Reads on: how much of `input` was used, and what was found in it. No event means that all of it was used and more is
    /// needed; until then, call again with the rest, even an empty one.
    pub fn read<'a>(&mut self, input: &'a [u8]) -> (usize, Option<Event<'a>>) {
        let mut used = 0;
        loop {
            if let Some(event) = self.ready.pop_front() {
                return (used, Some(event));
            }
            let rest = input.get(used..).unwrap_or_default();
            let (count, event) = self.step(rest);
            let read = rest.get(..count).unwrap_or_default();
            self.newlines += read
                .iter()
                .map(|byte| u64::from(*byte == b'\n'))
                .sum::<u64>();
            used += count;
            if event.is_some() || (rest.is_empty() && self.ready.is_empty()) {
                return (used, event);
            }
        }
    }

    /// At the end of the input: whether it was an end.
    #[must_use]
    pub fn finish(mut self) -> End {
        let partial = self.line.partial();
        let text = partial.trim_ascii();
        if self.open.is_none() && Command::parse(text) == Command::Quit {
            self.quit = true;
            self.ours = None;
        }
        let command = Cut::Command {
            line: self.at,
            text: shortened(partial),
        };
        let in_command = !text.is_empty() && !self.quit;
        let cut = match (self.state, self.open) {
            (State::Dotted { line, .. } | State::Chunked { line, .. }, _) => {
                Some(Cut::Content { line })
            }
            (State::Unreadable { line }, _) => Some(Cut::Unreadable { line }),
            (State::Command, Some(open)) => Some(Cut::Envelope {
                line: open.line,
                transaction: open.transaction,
            }),
            (State::Command, None) if in_command => Some(command),
            (State::Command, None) => self.ours.map(|line| Cut::Quit { line }),
        };
        End {
            messages: self.messages,
            quit: self.quit,
            ours: self.marked,
            cut,
        }
    }

    fn step<'a>(&mut self, rest: &'a [u8]) -> (usize, Option<Event<'a>>) {
        let (used, piece) = match &mut self.state {
            State::Dotted { content, .. } => content.take(rest),
            State::Chunked { content, .. } if !content.wants_command() => content.take(rest),
            State::Unreadable { .. } => (rest.len(), Piece::Nothing),
            State::Command | State::Chunked { .. } => {
                if self.line.is_fresh() {
                    self.at = self.newlines + 1;
                }
                let (used, line) = self.line.take(rest, self.kind);
                if let Some(line) = line {
                    self.command(&line);
                }
                (used, Piece::Nothing)
            }
        };
        match piece {
            Piece::Nothing => (used, None),
            Piece::Text(text) => (used, Some(Event::Content(text))),
            Piece::End => {
                self.messages += 1;
                self.state = State::Command;
                self.kind = None;
                (used, Some(Event::End))
            }
        }
    }

    /// One command: what it does to the state, and what is told about it.
    fn command(&mut self, line: &Line) {
        let command = Command::parse(&line.text);
        if !matches!(command, Command::Idle | Command::Unknown) {
            self.lost = false;
            self.quit = false;
        }
        match command {
            Command::Idle => {}
            Command::Unknown => {
                self.quit = false;
                if !std::mem::replace(&mut self.lost, true) {
                    self.fault(self.at, Problem::NotACommand(shortened(&line.text)));
                }
            }
            Command::Hello { name, esmtp } => {
                self.end_envelope();
                self.end_batch_without_quit();
                self.hello = self.at;
                self.marked = false;
                let name = name.to_vec();
                self.ready.push_back(Event::Hello { name, esmtp });
            }
            Command::Noop(text) => {
                if text == MARK {
                    self.ours = Some(self.hello);
                    self.marked = true;
                }
            }
            Command::Mail(mail) => {
                self.end_envelope();
                let mail = if line.too_long {
                    Err(Reason::TooLong)
                } else {
                    mail
                };
                let transaction = self.open(line.end);
                match mail {
                    Ok(path) => {
                        transaction.sender = path.address;
                        words(path.words).for_each(|word| transaction.parameters.take(word));
                    }
                    Err(reason) => self.refuse(Verb::Mail, &line.text, reason),
                }
            }
            Command::Rcpt(rcpt) => {
                let rcpt = if line.too_long {
                    Err(Reason::TooLong)
                } else {
                    rcpt
                };
                let rcpt = rcpt.map(|path| {
                    let mut parameters = RecipientParameters::default();
                    words(path.words).for_each(|word| parameters.take(word));
                    Recipient {
                        address: path.address,
                        notify: parameters.notify,
                        orcpt: parameters.orcpt,
                        other: parameters.other,
                    }
                });
                self.recipient(line, rcpt);
            }
            Command::Data => {
                self.end_chunks();
                let line = self.begin(line.end);
                let content = Box::new(Dotted::new(self.kind.unwrap_or(LineEnd::Lf)));
                self.state = State::Dotted { content, line };
            }
            Command::Chunk(Some(chunk)) => self.chunk(line.end, chunk),
            Command::Chunk(None) => {
                self.end_envelope();
                self.fault(self.at, Problem::BadChunk(shortened(&line.text)));
                self.state = State::Unreadable { line: self.at };
            }
            Command::Reset => {
                self.end_chunks();
                self.open = None;
                self.kind = None;
            }
            Command::Quit => {
                self.end_envelope();
                self.ours = None;
                self.quit = true;
                self.ready.push_back(Event::Quit);
            }
        }
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}
