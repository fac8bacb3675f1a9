//! The sending half of `a`: commands and files as messages, one under way at a time, and what goes again.

use std::collections::VecDeque;

use crate::wire::a::{End, Escapes, Header, Kind, LARGEST};

/// Subpackets do not become smaller than this, however bad the line.
const SMALLEST: usize = 32;

/// Where the message after one that ends there begins.
pub(super) fn next_start(end: u32) -> u32 {
    let unit = 1024;
    end.wrapping_add(unit) & !(unit - 1)
}

/// A command or a file: what of it is not acknowledged.
#[derive(Debug, Default)]
struct Message {
    data: Vec<u8>,
    /// Nothing will be added.
    complete: bool,
    /// Its end goes alone.
    file: bool,
}

#[derive(Debug)]
pub(super) struct Sender {
    /// Bytes that may be under way.
    window: usize,
    messages: VecDeque<Message>,
    /// The position of the first message's first byte that is not acknowledged.
    base: u32,
    /// How many bytes from there on are out.
    sent: usize,
    /// So many of them since an acknowledgement was asked for.
    unasked: usize,
    /// The first message's header must go before anything else of it.
    header_due: bool,
    /// The first message's end is out.
    end_sent: bool,
    /// Where the last acknowledged message ended.
    last_end: Option<u32>,
    /// The last message's end is wanted again.
    end_due: bool,
    /// The most data in a subpacket now: a bad line makes it smaller, a good one larger again.
    piece: usize,
    pub(super) resent: u64,
    pub(super) total: u64,
}

impl Sender {
    pub(super) fn new(window: usize) -> Self {
        Self {
            window: window - 2 * LARGEST,
            messages: VecDeque::new(),
            base: next_start(0),
            sent: 0,
            unasked: 0,
            header_due: true,
            end_sent: false,
            last_end: None,
            end_due: false,
            piece: LARGEST,
            resent: 0,
            total: 0,
        }
    }

    pub(super) fn command(&mut self, text: &[u8]) {
        self.messages.push_back(Message {
            data: [text, &[0]].concat(),
            complete: true,
            file: false,
        });
    }

    /// How many messages are not acknowledged.
    pub(super) fn waiting(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn begin_file(&mut self) {
        self.messages.push_back(Message {
            file: true,
            ..Message::default()
        });
    }

    /// The file that is being filled.
    fn open(&mut self) -> Option<&mut Message> {
        self.messages.back_mut().filter(|message| !message.complete)
    }

    pub(super) fn data(&mut self, data: &[u8]) -> usize {
        let taken = data.get(..self.room()).unwrap_or(data);
        if let Some(file) = self.open() {
            file.data.extend_from_slice(taken);
        }
        taken.len()
    }

    pub(super) fn room(&self) -> usize {
        match self.messages.back() {
            Some(file) if !file.complete => (2 * self.window).saturating_sub(file.data.len()),
            _ => 0,
        }
    }

    pub(super) fn end_file(&mut self) {
        if let Some(file) = self.open() {
            file.complete = true;
        }
    }

    /// Whether anything is under way.
    pub(super) fn is_waiting(&self) -> bool {
        self.sent > 0 || self.end_sent
    }

    /// Whether nothing is left to be sent or acknowledged.
    pub(super) fn is_idle(&self) -> bool {
        self.messages.is_empty()
    }

    /// Whether the message under way has gone out, to its end.
    pub(super) fn all_sent(&self) -> bool {
        self.messages.is_empty() || self.end_sent
    }

    /// The first position that is not acknowledged.
    pub(super) fn base(&self) -> u32 {
        self.base
    }

    /// Where the last acknowledged message ended, if there was one.
    pub(super) fn last_end(&self) -> Option<u32> {
        self.last_end
    }

    /// Forgets what has not begun: nobody listens any more.
    pub(super) fn keep_first(&mut self) {
        self.messages.truncate(1);
    }

    /// The peer has everything before the position; whether that is news.
    pub(super) fn acknowledge(&mut self, position: u32) -> bool {
        let count = position.wrapping_sub(self.base) as usize;
        let Some(message) = self.messages.front_mut() else {
            return false;
        };
        if count > self.sent {
            return false;
        }
        message.data.drain(..count);
        self.base = position;
        self.sent -= count;
        if count > 0 {
            self.piece = (2 * self.piece).min(LARGEST);
        }
        let done = self.end_sent && message.data.is_empty();
        if done {
            self.messages.pop_front();
            self.last_end = Some(position);
            self.base = next_start(position);
            self.begin();
        }
        done || count > 0
    }

    fn begin(&mut self) {
        self.sent = 0;
        self.unasked = 0;
        self.header_due = true;
        self.end_sent = false;
    }

    /// The peer wants what begins at the position; whether there is such a thing.
    pub(super) fn go_back(&mut self, position: u32) -> bool {
        if self.last_end == Some(position) && !self.is_waiting() {
            self.end_due = true;
            return true;
        }
        let count = position.wrapping_sub(self.base) as usize;
        if self.messages.is_empty() || count > self.sent {
            return false;
        }
        self.resent += (self.sent - count) as u64;
        self.piece = (self.piece / 2).max(SMALLEST);
        self.begin();
        self.sent = count;
        true
    }

    /// Sends again everything that is not acknowledged.
    pub(super) fn go_back_to_base(&mut self) {
        self.go_back(self.base);
    }

    /// Appends what is due; whether anything is. A message begins only if it `may`.
    pub(super) fn emit(&mut self, escapes: Escapes, may: bool, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        if std::mem::take(&mut self.end_due)
            && let Some(end) = self.last_end
        {
            Header::new(Kind::Data, end).emit_binary(escapes, out);
            escapes.emit_data(&[], End::Message, out);
        }
        while let Some((piece, end)) = self.next_piece() {
            if self.header_due && !may {
                break;
            }
            if std::mem::take(&mut self.header_due) {
                let count = u32::try_from(self.sent).unwrap_or(0);
                let position = self.base.wrapping_add(count);
                Header::new(Kind::Data, position).emit_binary(escapes, out);
            }
            let data = self.messages.front().map(|message| &message.data[..]);
            let data = data.and_then(|data| data.get(self.sent..self.sent + piece));
            escapes.emit_data(data.unwrap_or_default(), end, out);
            self.sent += piece;
            self.total += piece as u64;
            self.unasked = match end {
                End::More => self.unasked + piece,
                _ => 0,
            };
            self.end_sent = end == End::Message;
        }
        out.len() > before
    }

    /// Whether there is something that only a pause holds back.
    pub(super) fn is_held(&self) -> bool {
        self.header_due && self.next_piece().is_some()
    }

    /// How much goes next, and how it ends.
    fn next_piece(&self) -> Option<(usize, End)> {
        let message = self.messages.front().filter(|_| !self.end_sent)?;
        let left = message.data.len().saturating_sub(self.sent);
        if message.complete && left <= LARGEST && !message.file {
            return Some((left, End::Message));
        }
        if left == 0 {
            return message.complete.then_some((0, End::Message));
        }
        let piece = left.min(self.piece);
        if (piece < self.piece && !message.complete) || self.sent + piece > self.window {
            return None;
        }
        let is_last = message.complete && left == piece;
        let fills = self.sent + piece + LARGEST > self.window;
        let due = self.unasked + piece >= self.window / 4;
        Some(if (fills || due) && !is_last {
            (piece, End::MoreAck)
        } else {
            (piece, End::More)
        })
    }
}
