//! The sending half of `i`: commands and file data of all channels in one row of packets, the window, the position, and
//! what is sent again.

use crate::link::window::Window;
use crate::wire::i::{Form, Header, Kind, Sequence};

/// A packet that is ready but for its numbers.
#[derive(Debug)]
struct Packet {
    kind: Kind,
    local: u8,
    remote: u8,
    data: Vec<u8>,
}

impl Packet {
    fn new(kind: Kind, (local, remote): (u8, u8), data: &[u8]) -> Self {
        Self {
            kind,
            local,
            remote,
            data: data.to_vec(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Sender {
    caller: bool,
    form: Form,
    size: usize,
    window: Window<Packet, 32>,
    /// How far the receiver counts: every byte of data, of commands too, or as SPOS told it.
    position: u64,
    /// Where the file on each channel stands: those of our requests, then those of the peer's.
    offsets: [[u64; 8]; 2],
}

impl Sender {
    pub(super) fn new(caller: bool, form: Form) -> Self {
        Self {
            caller,
            form,
            size: 1024,
            window: Window::new(16),
            position: 0,
            offsets: [[0; 8]; 2],
        }
    }

    pub(super) fn set_limits(&mut self, size: usize, window: u8) {
        self.size = size;
        self.window.set_limit(window);
    }

    /// Sent and resent packets.
    pub(super) fn counts(&self) -> (u64, u64) {
        self.window.counts()
    }

    /// How many packets wait for acknowledgements of those before them.
    pub(super) fn waiting(&self) -> usize {
        self.window.waiting()
    }

    /// Whether all that was sent is acknowledged.
    pub(super) fn is_idle(&self) -> bool {
        self.window.is_idle()
    }

    /// Local and remote channel of an exchange.
    fn route(channel: u8, from_peer: bool) -> (u8, u8) {
        if from_peer {
            (0, channel)
        } else {
            (channel, 0)
        }
    }

    fn offset(&mut self, channel: u8, from_peer: bool) -> Option<&mut u64> {
        self.offsets
            .get_mut(usize::from(from_peer))?
            .get_mut(usize::from(channel))
    }

    /// Appends packets for a command.
    pub(super) fn command(&mut self, channel: u8, from_peer: bool, text: &[u8]) {
        let route = Self::route(channel, from_peer);
        let bytes = [text, &[0]].concat();
        for piece in bytes.chunks(self.size) {
            self.window.push(Packet::new(Kind::Data, route, piece));
        }
        self.position += bytes.len() as u64;
    }

    /// Appends packets of a stream: their order says where they belong.
    pub(super) fn stream(&mut self, channel: u8, bytes: &[u8]) {
        let route = Self::route(channel, false);
        for piece in bytes.chunks(self.size) {
            self.window.push(Packet::new(Kind::Data, route, piece));
        }
    }

    /// The next data on the channel belong there in the file.
    pub(super) fn seek(&mut self, channel: u8, from_peer: bool, offset: u64) {
        if let Some(place) = self.offset(channel, from_peer) {
            *place = offset;
        }
    }

    /// Tells the receiver where the next data belong, unless it knows.
    fn tell_position(&mut self, route: (u8, u8), offset: u64) -> Result<(), &'static str> {
        if offset != self.position {
            let position = u32::try_from(offset)
                .map_err(|_| "a position beyond 4 GB in a file cannot be told")?;
            self.window
                .push(Packet::new(Kind::Spos, route, &position.to_be_bytes()));
            self.position = offset;
        }
        Ok(())
    }

    /// Takes file data as far as the window allows; gives back how much.
    pub(super) fn data(
        &mut self,
        channel: u8,
        from_peer: bool,
        data: &[u8],
    ) -> Result<usize, &'static str> {
        let route = Self::route(channel, from_peer);
        let taken = data.get(..self.room()).unwrap_or(data);
        if taken.is_empty() {
            return Ok(0);
        }
        let offset = self.offset(channel, from_peer).map_or(0, |offset| *offset);
        self.tell_position(route, offset)?;
        for piece in taken.chunks(self.size) {
            self.window.push(Packet::new(Kind::Data, route, piece));
        }
        self.position += taken.len() as u64;
        self.seek(channel, from_peer, self.position);
        Ok(taken.len())
    }

    /// How much file data would be taken now.
    pub(super) fn room(&self) -> usize {
        self.window.free() * self.size
    }

    /// Ends the file on a channel.
    pub(super) fn end_file(&mut self, channel: u8, from_peer: bool) -> Result<(), &'static str> {
        let route = Self::route(channel, from_peer);
        let offset = self.offset(channel, from_peer).map_or(0, |offset| *offset);
        // As before any other packet of a file; where it cannot be told, an end needs no position either.
        if u32::try_from(offset).is_ok() {
            self.tell_position(route, offset)?;
        }
        self.window.push(Packet::new(Kind::Data, route, &[]));
        Ok(())
    }

    /// Appends CLOSE behind everything else, whatever the window says: nothing will be acknowledged after it.
    pub(super) fn close(&mut self) {
        self.window.push_last(Packet::new(Kind::Close, (0, 0), &[]));
    }

    /// The peer has everything up to `number`; whether that is news. `None` where it cannot be: nothing with that number
    /// has been sent lately.
    pub(super) fn acknowledge(&mut self, number: Sequence) -> Option<bool> {
        let count = number.next().since(self.window.first());
        if count == 0 || count > 16 {
            // Nothing, or what was known before: packets that are sent again may be older than what followed them.
            return Some(false);
        }
        if count > self.window.under_way() {
            return None;
        }
        self.window.forget(count);
        Some(true)
    }

    /// The peer wants one packet again; whether there is such a packet.
    pub(super) fn resend(&mut self, number: Sequence) -> bool {
        self.window.send_again(number)
    }

    /// Nothing was heard of the peer for long.
    pub(super) fn resend_oldest(&mut self) {
        self.resend(self.window.first());
    }

    /// The peer has none of them.
    pub(super) fn resend_all(&mut self) {
        self.window.send_all_again();
    }

    /// Appends the packets that are due; whether there were any.
    pub(super) fn emit(&mut self, acknowledged: Sequence, out: &mut Vec<u8>) -> bool {
        let (caller, form) = (self.caller, self.form);
        self.window.send_due(|sequence, packet, _| {
            let header = Header {
                kind: packet.kind,
                sequence,
                acknowledged,
                local: packet.local,
                remote: packet.remote,
                caller,
                length: packet.data.len(),
            };
            form.emit(header, &packet.data, out);
            true
        })
    }
}
