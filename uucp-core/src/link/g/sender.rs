//! The sending half of `g`: commands and file data as packets, the window, and what is sent again.

use std::mem;

use crate::link::window::Window;
use crate::wire::g::{Body, SMALLEST, Sequence};

/// What an acknowledgement was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acknowledgement {
    /// It was news.
    New,
    /// It said what was known already, while packets are under way.
    Repeated,
    /// It means nothing.
    Idle,
}

#[derive(Debug)]
pub(super) struct Sender {
    size: usize,
    short_packets: bool,
    /// Of a file, at most its end waits for room in it.
    window: Window<Body, 8>,
    /// File data that do not fill a packet yet.
    partial: Vec<u8>,
    /// How many packets may be sent again before something is acknowledged.
    allowance: usize,
    rejected: bool,
}

impl Default for Sender {
    fn default() -> Self {
        Self {
            size: 64,
            short_packets: true,
            window: Window::new(1),
            partial: Vec::new(),
            allowance: 0,
            rejected: false,
        }
    }
}

impl Sender {
    pub(super) fn set_limits(&mut self, size: usize, window: u8, short_packets: bool) {
        self.size = size;
        self.window.set_limit(window);
        self.short_packets = short_packets;
    }

    /// Sent and resent packets.
    pub(super) fn counts(&self) -> (u64, u64) {
        self.window.counts()
    }

    /// Whether a packet was ever sent.
    pub(super) fn has_sent(&self) -> bool {
        self.window.counts().0 > 0
    }

    /// How many packets wait for acknowledgements of those before them.
    pub(super) fn waiting(&self) -> usize {
        self.window.waiting()
    }

    /// Whether all that was sent is acknowledged.
    pub(super) fn is_idle(&self) -> bool {
        self.window.is_idle()
    }

    /// Whether all has gone out at least once.
    pub(super) fn all_sent(&self) -> bool {
        self.window.all_sent()
    }

    /// The packet size for `length` bytes: the smallest that holds them, where the peer can do with smaller ones. Those
    /// whose packets are of 64 bytes know no other.
    fn size_for(&self, length: usize) -> usize {
        if self.short_packets && self.size > 64 {
            length.next_power_of_two().clamp(SMALLEST, self.size)
        } else {
            self.size
        }
    }

    /// How much of a file one packet carries. Two bytes less than there is room for: such a packet is a short one, begins
    /// with the count of unused bytes and ends with NUL. The sum of `g` all but ignores the first byte unless a NUL follows
    /// somewhere; in this form a damaged first byte is seen like any other.
    fn data_size(&self) -> usize {
        self.size - 2
    }

    /// Appends packets for a command: padded with NUL, of which there must be one.
    pub(super) fn command(&mut self, text: &[u8]) {
        let mut rest = text;
        while let Some((piece, tail)) = rest.split_at_checked(self.size) {
            self.window.push(Body::command(self.size, piece));
            rest = tail;
        }
        let size = self.size_for(rest.len() + 1);
        self.window.push(Body::command(size, rest));
    }

    /// Takes file data as far as the window allows; gives back how much.
    pub(super) fn data(&mut self, data: &[u8]) -> usize {
        let taken = data.get(..self.room()).unwrap_or(data);
        let full = self.data_size();
        let mut rest = taken;
        if !self.partial.is_empty() {
            let missing = full.saturating_sub(self.partial.len());
            let (piece, tail) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
            self.partial.extend_from_slice(piece);
            rest = tail;
            if self.partial.len() == full {
                let partial = mem::take(&mut self.partial);
                self.window.push(Body::file(self.size, &partial));
            }
        }
        let mut pieces = rest.chunks_exact(full);
        for piece in &mut pieces {
            self.window.push(Body::file(self.size, piece));
        }
        self.partial.extend_from_slice(pieces.remainder());
        taken.len()
    }

    /// How much file data would be taken now.
    pub(super) fn room(&self) -> usize {
        (self.window.free() * self.data_size()).saturating_sub(self.partial.len())
    }

    /// Sends what is left of the file, and its end.
    pub(super) fn end_file(&mut self) {
        let partial = mem::take(&mut self.partial);
        if !partial.is_empty() {
            let size = self.size_for(partial.len() + 2);
            self.window.push(Body::file(size, &partial));
        }
        let size = self.size_for(0);
        self.window.push(Body::file(size, &[]));
    }

    /// The peer has everything up to `number`.
    pub(super) fn acknowledge(&mut self, number: Sequence) -> Acknowledgement {
        // The number before the first slot's acknowledges nothing.
        let count = number.next().since(self.window.first());
        let sent = self.window.under_way();
        if count == 0 && sent > 0 {
            return Acknowledgement::Repeated;
        }
        if count == 0 || count > sent {
            return Acknowledgement::Idle;
        }
        self.window.forget(count);
        self.allowance = 2;
        self.rejected = false;
        Acknowledgement::New
    }

    /// The peer wants everything after the last acknowledged packet again.
    pub(super) fn reject(&mut self) {
        self.window.send_all_again();
        self.allowance = 1;
    }

    /// As [`Sender::reject`], but only once until something is acknowledged.
    pub(super) fn reject_once(&mut self) {
        if !mem::replace(&mut self.rejected, true) {
            self.reject();
        }
    }

    /// The peer wants one packet again.
    pub(super) fn resend(&mut self, number: Sequence) {
        if self.window.send_again(number) {
            self.allowance = self.allowance.max(1);
        }
    }

    /// Nothing was heard of the peer for long.
    pub(super) fn resend_oldest(&mut self) {
        self.resend(self.window.first());
    }

    /// Appends the packets that are due; whether there were any.
    pub(super) fn emit(&mut self, acknowledged: Sequence, sealed: bool, out: &mut Vec<u8>) -> bool {
        let allowance = &mut self.allowance;
        self.window.send_due(|sequence, body, again| {
            if again {
                let Some(left) = allowance.checked_sub(1) else {
                    return false;
                };
                *allowance = left;
            }
            body.emit(sequence, acknowledged, sealed, out);
            true
        })
    }
}
