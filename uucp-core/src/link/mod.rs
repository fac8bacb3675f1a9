//! Link protocols: one state machine per protocol letter behind [`Link`]; no IO, no clock, no spool.
//!
//! A link carries commands (bytes without their terminator) and file data on channels, over a line that may drop, damage
//! or delay bytes if the protocol can bear that. `now` is always an argument.

mod a;
mod alarm;
mod arrivals;
mod carried;
mod e;
mod f;
mod g;
mod i;
mod j;
mod mux;
mod parameters;
mod reception;
mod scan;
#[cfg(test)]
mod script;
mod stream;
mod t;
#[cfg(test)]
pub(crate) mod testline;
mod tube;
mod window;
mod y;

use std::time::Instant;

use thiserror::Error;

use self::parameters::Parameters;
use crate::wire::command::{COMMAND_LIMIT, Features};

/// A channel of a link: 0 is the only one of a protocol without channels, and the one that `H` travels on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Channel(pub u8);

/// What a protocol needs of the line, and what it can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkTraits {
    /// How many requests may be under way from each side at once; 1 for protocols without channels.
    pub channels: u8,
    /// The line must carry all eight bits.
    pub needs_eight_bit: bool,
    /// The line must neither lose nor damage bytes.
    pub needs_reliable: bool,
    /// The line must be reliable end to end (TCP), flow control included.
    pub needs_end_to_end: bool,
    /// A broken transfer can go on where it stopped.
    pub restart: bool,
    /// File data may overtake the answer to its request (i, j): the sender does not wait for `SY`.
    pub streams_ahead: bool,
    /// Files larger than this wait for the answer all the same, in bytes: it may say that the file is there already, or
    /// most of it, and others flow meanwhile.
    pub ahead_limit: u64,
    /// The longest command that can be sent, in bytes.
    pub command_limit: usize,
    /// It has no closing exchange of its own: after the last command the raw bytes follow at once.
    pub closes_silently: bool,
}

/// How a terminal is to treat the bytes of a link; other lines have nothing to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineMode {
    /// XOFF holds the output up until XON comes, and neither is ever input.
    pub software_flow: bool,
    /// The eighth bit of what comes in says nothing.
    pub seven_bit: bool,
}

/// Who placed the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallRole {
    /// This side dialled.
    Caller,
    /// This side answered.
    Called,
}

/// A link protocol that [`make`] can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownLink {
    /// The letter of the `P` line.
    pub letter: u8,
    /// What it needs and can do.
    pub traits: LinkTraits,
}

/// Every protocol there is, the preferred one first: the order of Taylor's built-in table, from which an answerer without
/// a `protocol` line offers those whose needs the line meets.
pub const KNOWN: &[KnownLink] = &[
    KnownLink {
        letter: b't',
        traits: LinkTraits::STREAM,
    },
    KnownLink {
        letter: b'e',
        traits: LinkTraits::STREAM,
    },
    KnownLink {
        letter: b'i',
        traits: LinkTraits::I,
    },
    KnownLink {
        letter: b'g',
        traits: LinkTraits::G,
    },
    KnownLink {
        letter: b'G',
        traits: LinkTraits::G,
    },
    KnownLink {
        letter: b'j',
        traits: LinkTraits::I,
    },
    KnownLink {
        letter: b'f',
        traits: LinkTraits::F,
    },
    KnownLink {
        letter: b'v',
        traits: LinkTraits::G,
    },
    KnownLink {
        letter: b'y',
        traits: LinkTraits::Y,
    },
    // Taylor's has it before `g`; but it loses time with Taylor's, and more than `g` on a bad line.
    KnownLink {
        letter: b'a',
        traits: LinkTraits::A,
    },
];

impl LinkTraits {
    /// `t` and `e`: TCP does all the work.
    const STREAM: Self = Self {
        channels: 1,
        needs_eight_bit: true,
        needs_reliable: true,
        needs_end_to_end: true,
        restart: true,
        streams_ahead: false,
        ahead_limit: 0,
        command_limit: COMMAND_LIMIT,
        closes_silently: true,
    };
    /// `t` and `e` between two of ours.
    const MUX: Self = Self {
        channels: crate::wire::mux::CHANNELS - 1,
        streams_ahead: true,
        ahead_limit: 256 * 1024,
        ..Self::STREAM
    };
    /// `i` and `j`: both directions are busy.
    const I: Self = Self {
        channels: 7,
        needs_eight_bit: true,
        needs_reliable: false,
        needs_end_to_end: false,
        restart: true,
        streams_ahead: true,
        ahead_limit: u64::MAX,
        command_limit: COMMAND_LIMIT,
        closes_silently: false,
    };
    /// `i` and `j` between two of ours.
    const CARRIED: Self = Self {
        channels: crate::wire::mux::CHANNELS - 1,
        ahead_limit: 64 * 1024,
        ..Self::I
    };
    /// `g` and its kin.
    const G: Self = Self {
        needs_reliable: false,
        closes_silently: false,
        ..Self::Y
    };
    /// `a`: its commands have a limit.
    const A: Self = Self {
        command_limit: crate::wire::a::LARGEST - 1,
        ..Self::G
    };
    /// `y`: the line may be a serial one that hardly ever fails.
    const Y: Self = Self {
        needs_end_to_end: false,
        ..Self::STREAM
    };
    /// `f`: only a whole file can be trusted, so a broken one is of no use.
    const F: Self = Self {
        needs_eight_bit: false,
        restart: false,
        ..Self::Y
    };
}

/// Makes the link protocol of a letter; `None` where there is none.
///
/// `features` are those agreed in the handshake. `parameters` are the `protocol-parameter` settings of this letter as
/// (name, value), in the order of the configuration, the last one winning; unknown names and values that are no numbers in
/// range are ignored, as Taylor does.
#[must_use]
pub fn make(
    letter: u8,
    role: CallRole,
    features: Features,
    parameters: &[(&str, &str)],
) -> Option<Box<dyn Link>> {
    let parameters = Parameters(parameters);
    match letter {
        b't' | b'e' if features.contains(Features::MULTIPLEX) => {
            Some(Box::new(mux::Mux::new(letter, parameters)))
        }
        b't' => Some(Box::new(t::new(parameters))),
        b'e' => Some(Box::new(e::new(parameters))),
        b'g' | b'G' | b'v' => Some(Box::new(g::new(letter, role, features, parameters))),
        b'i' if features.contains(Features::MULTIPLEX) => {
            Some(Box::new(carried::over_i(role, features, parameters)))
        }
        b'j' if features.contains(Features::MULTIPLEX) => {
            Some(Box::new(carried::over_j(role, features, parameters)))
        }
        b'i' => Some(Box::new(i::new(role, features, parameters))),
        b'j' => Some(Box::new(j::new(role, features, parameters))),
        b'a' => Some(Box::new(a::new(features, parameters))),
        b'f' => Some(Box::new(f::new(parameters))),
        b'y' => Some(Box::new(y::new(parameters))),
        _ => None,
    }
}

/// What a link has to say to the conversation above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// The start-up exchange is over; commands may flow. `description` is what the log shows after "protocol 'g'".
    Started {
        /// For example `sending packet/window 64/7 receiving 64/7`; empty where there is nothing to say.
        description: String,
    },
    /// A whole command, without its terminator. `channel` is the channel to answer on: for a request the peer's own, for a
    /// reply the one that our request went out on.
    Command {
        /// The conversation's handle for this exchange.
        channel: Channel,
        /// Whose request this exchange belongs to: true for a request that the peer makes or makes data flow for.
        from_peer: bool,
        /// The command's bytes.
        bytes: Vec<u8>,
    },
    /// Data of the file that is being received on `channel`, to be written at `position`.
    Data {
        /// The channel of the exchange.
        channel: Channel,
        /// As in [`LinkEvent::Command`].
        from_peer: bool,
        /// Offset in the file, in bytes, where the protocol tells it (i, j); `None` means "right after the last".
        position: Option<u64>,
        /// The bytes, never empty.
        bytes: Vec<u8>,
    },
    /// The file on `channel` is complete.
    FileEnd {
        /// The channel of the exchange.
        channel: Channel,
        /// As in [`LinkEvent::Command`].
        from_peer: bool,
    },
    /// The file on `channel` arrived damaged, and begins anew: what came of it is void, or it is to be sent once more, all
    /// of it, beginning with [`Link::begin_file`]. Only links without restart do this.
    Again {
        /// The channel of the exchange.
        channel: Channel,
        /// As in [`LinkEvent::Command`].
        from_peer: bool,
    },
    /// Everything sent so far has certainly arrived at the peer: receipt markers of answers sent before may go.
    Acknowledged,
    /// The closing exchange is over; raw bytes (the `O` strings) follow.
    Closed,
}

/// Why a link cannot go on. The call ends; the jobs stay.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The peer broke the rules of the protocol.
    #[error("protocol '{letter}': {reason}")]
    Remote {
        /// The protocol's letter.
        letter: char,
        /// What was seen.
        reason: String,
    },
    /// The peer did not answer within the protocol's time, retries included.
    #[error("protocol '{letter}': timed out waiting for {what}")]
    TimedOut {
        /// The protocol's letter.
        letter: char,
        /// What was awaited.
        what: &'static str,
    },
    /// This side asked for something that the protocol cannot do.
    #[error("protocol '{letter}': {reason}")]
    Local {
        /// The protocol's letter.
        letter: char,
        /// What went wrong.
        reason: &'static str,
    },
}

/// One link protocol (`t`, `e`, `g`, `i`, ...).
///
/// Four kinds of method: getters; inputs (`handle_*`); commands (`start`, `send_*`, `begin_file`, `end_file`, `close`);
/// outputs (`poll_*`). After any input or command, call [`poll_transmit`](Link::poll_transmit) until it adds nothing, then
/// [`poll_event`](Link::poll_event) until it gives `None`, then wait for input or for [`poll_timeout`](Link::poll_timeout).
///
/// `channel` names an exchange together with `from_peer`: our own requests and the data we send for them travel with
/// `from_peer == false`; our replies to (and our data for) the peer's requests with `from_peer == true`. A link without
/// channels ignores both, and its commands all say channel 0 and `from_peer == true`.
pub trait Link: Send {
    /// The letter that stands for it in the `P` line.
    fn letter(&self) -> u8;
    /// What it needs and can do.
    fn traits(&self) -> LinkTraits;
    /// How a terminal is to be set before the start-up exchange.
    fn line_mode(&self) -> LineMode {
        LineMode::default()
    }
    /// Begins the start-up exchange.
    fn start(&mut self, now: Instant);
    /// Begins the closing exchange.
    fn close(&mut self, now: Instant);
    /// Takes bytes from the line, in pieces of any size; gives back how many were used. Fewer than all in two cases: the
    /// closing exchange is over, and the rest are raw (see [`take_rest`](Link::take_rest) for what was taken too early); or
    /// a buffer is full, and the rest are to be offered again after [`poll_event`](Link::poll_event) has given `None`.
    ///
    /// # Errors
    /// When the peer breaks the protocol beyond repair.
    fn handle_input(&mut self, now: Instant, input: &[u8]) -> Result<usize, LinkError>;
    /// To be called when [`poll_timeout`](Link::poll_timeout) has come.
    ///
    /// # Errors
    /// When the retries are used up.
    fn handle_timeout(&mut self, now: Instant) -> Result<(), LinkError>;
    /// Sends a command (without terminator); queued if it must wait.
    fn send_command(&mut self, now: Instant, channel: Channel, from_peer: bool, command: &[u8]);
    /// Announces that data of a file follows on `channel`: `size` bytes in all (where known), from `offset` on.
    /// `e` needs the size; `i` needs the offset.
    fn begin_file(&mut self, channel: Channel, from_peer: bool, offset: u64, size: Option<u64>);
    /// Tells a link without channels that file data, not a command, comes next from the peer (`t` and `e` do not tag
    /// their frames); `offset` is where it begins.
    fn expect_file(&mut self, channel: Channel, from_peer: bool, offset: u64);
    /// Offers file data; gives back how many bytes were taken. 0 while the window is full.
    fn send_data(&mut self, now: Instant, channel: Channel, from_peer: bool, data: &[u8]) -> usize;
    /// How many bytes [`send_data`](Link::send_data) would take now; 0 while the window is full.
    fn send_room(&self) -> usize;
    /// How many packets, at least, wait here because the peer has not acknowledged those before them. Of files there are never
    /// more than the window holds; of commands there are as many as were sent.
    fn backlog(&self) -> usize {
        0
    }
    /// Ends the file on `channel`.
    fn end_file(&mut self, now: Instant, channel: Channel, from_peer: bool);
    /// Moves the bytes that are to be sent into `out`; false when there are none.
    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> bool;
    /// The next thing that happened.
    ///
    /// A fault that only shows here (`t` and `e` parse their input when asked for an event) ends the events; the error is
    /// the answer to the next `handle_input` or `handle_timeout`, and [`poll_timeout`](Link::poll_timeout) is due at once.
    fn poll_event(&mut self) -> Option<LinkEvent>;
    /// When [`handle_timeout`](Link::handle_timeout) wants to be called, if ever.
    fn poll_timeout(&self) -> Option<Instant>;
    /// One line for the log at the end of the call, such as `packets: sent 15639, resent 0, received 15638`.
    fn statistics(&self) -> Option<String>;
    /// After [`LinkEvent::Closed`]: bytes that were taken by [`handle_input`](Link::handle_input) but belong to what comes
    /// after the link, the `O` strings. They go before any bytes that `handle_input` did not use.
    fn take_rest(&mut self) -> Vec<u8>;
}

#[cfg(test)]
mod tests;
