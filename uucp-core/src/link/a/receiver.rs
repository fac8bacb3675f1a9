//! The receiving half of `a`: where in a message the input stands, and what is a command and what a file.

use super::sender::next_start;
use crate::link::LinkEvent;
use crate::link::arrivals::Arrivals;
use crate::wire::Malformed;
use crate::wire::a::End;

/// A position further back than this is none that was.
const LONG_AGO: u32 = 1 << 20;

/// What the peer is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing.
    None,
    /// Everything before this position is here.
    Ack(u32),
    /// Send what begins at this position.
    Back(u32),
}

#[derive(Debug, Default)]
pub(super) struct Receiver {
    pub(super) arrivals: Arrivals,
    /// Where the next new byte belongs; between messages, where the last one ended.
    position: u32,
    in_message: bool,
    /// Where the next byte of the input belongs, while subpackets come.
    cursor: Option<u32>,
    pub(super) total: u64,
}

impl Receiver {
    /// Whether subpackets come, not headers.
    pub(super) fn takes_data(&self) -> bool {
        self.cursor.is_some()
    }

    /// Whether any message has come.
    pub(super) fn has_received(&self) -> bool {
        self.in_message || self.position > 0
    }

    /// Data follow that belong at the position.
    pub(super) fn handle_header(&mut self, position: u32) -> Answer {
        let wanted = self.wanted();
        let behind = self.position.wrapping_sub(position) < LONG_AGO;
        if position == wanted || behind {
            if position == wanted && !self.in_message {
                self.in_message = true;
                self.position = wanted;
            }
            self.cursor = Some(position);
            return Answer::None;
        }
        self.cursor = None;
        Answer::Back(wanted)
    }

    fn wanted(&self) -> u32 {
        if self.in_message {
            self.position
        } else {
            next_start(self.position)
        }
    }

    /// A subpacket that is what was sent; what the peer is to be told, and whether it ended a message.
    pub(super) fn handle_data(&mut self, data: &[u8], end: End) -> (Answer, bool) {
        let Some(cursor) = self.cursor else {
            return (Answer::None, false);
        };
        let known = self.position.wrapping_sub(cursor) as usize;
        let after = cursor.wrapping_add(u32::try_from(data.len()).unwrap_or(0));
        if self.in_message
            && let Some(fresh) = data.get(known..)
            && !fresh.is_empty()
        {
            self.total += fresh.len() as u64;
            self.position = after;
            self.arrivals.deliver(fresh);
        }
        self.cursor = match end {
            End::More | End::MoreAck => Some(after),
            End::Frame | End::FrameAck | End::Message => None,
        };
        // What came before may end before what is here: then this is the end of it all the same.
        let ends = end == End::Message && self.in_message && after == self.position;
        if ends {
            self.in_message = false;
            self.arrivals.deliver(&[]);
        }
        let wants_answer = matches!(end, End::MoreAck | End::FrameAck | End::Message);
        let answer = if wants_answer {
            Answer::Ack(self.position)
        } else {
            Answer::None
        };
        (answer, ends)
    }

    /// Something came that cannot be used.
    pub(super) fn handle_damage(&mut self) -> Answer {
        let repeats = self.cursor.take().is_some() && !self.in_message;
        if repeats {
            Answer::Ack(self.position)
        } else {
            Answer::Back(self.wanted())
        }
    }

    /// What to tell a peer that is silent.
    pub(super) fn ask(&self) -> Answer {
        if self.in_message {
            Answer::Back(self.position)
        } else if self.position == 0 {
            Answer::Back(next_start(0))
        } else {
            Answer::Ack(self.position)
        }
    }

    pub(super) fn is_amid_message(&self) -> bool {
        self.in_message
    }

    /// The next command, piece of a file or end of a file.
    pub(super) fn poll(&mut self) -> Result<Option<LinkEvent>, Malformed> {
        self.arrivals.poll(append)
    }
}

/// Adds a piece to a command, which an empty one ends.
fn append(command: &mut Vec<u8>, piece: &[u8]) -> bool {
    command.extend_from_slice(piece);
    if piece.is_empty() {
        let end = command.iter().position(|b| *b == 0);
        command.truncate(end.unwrap_or(command.len()));
    }
    piece.is_empty()
}
