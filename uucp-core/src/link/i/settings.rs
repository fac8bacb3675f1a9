//! The parameters of `i` and `j`.

use std::time::Duration;

use crate::link::CallRole;
use crate::link::parameters::Parameters;
use crate::wire::i::{CRC, HEADER, LARGEST, WINDOW};
use crate::wire::j;

/// The parameters, with the names and defaults of the configuration; but for `packet-size`, which there is 1024.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) letter: u8,
    pub(super) packet_size: u16,
    /// No packet of ours is larger, whatever the peer takes.
    pub(super) most_sent: u16,
    pub(super) window: u8,
    pub(super) remote_packet_size: u16,
    pub(super) sync_timeout: Duration,
    pub(super) sync_retries: u32,
    pub(super) timeout: Duration,
    pub(super) retries: u32,
    pub(super) errors: u64,
    pub(super) error_decay: u64,
    pub(super) ack_frequency: usize,
}

impl Settings {
    pub(super) fn new(letter: u8, role: CallRole, parameters: Parameters<'_>) -> Self {
        let number = |name, default, most| parameters.number(name, default, 0, most);
        let (most, usual) = sizes(letter);
        let size = |name, default: u16, least| {
            let number = parameters.number(name, default.into(), least, most.into());
            u16::try_from(number).unwrap_or(1024)
        };
        let window =
            u8::try_from(parameters.number("window", 16, 1, WINDOW.into())).unwrap_or(WINDOW);
        let frequency = match number("ack-frequency", 0, 16) {
            0 => u32::from(window / 2).max(1),
            frequency => frequency.min(window.into()),
        };
        // The two sides should not resend at the same moment.
        let later = Duration::from_secs(u64::from(role == CallRole::Called));
        Self {
            letter,
            // What we want to receive: as much as there can be, since each packet costs the same.
            packet_size: size("packet-size", usual, 1),
            most_sent: usual,
            window,
            remote_packet_size: size("remote-packet-size", 0, 0),
            sync_timeout: parameters.seconds("sync-timeout", 10),
            sync_retries: number("sync-retries", 6, 1000),
            timeout: parameters.seconds("timeout", 10) + later,
            retries: number("retries", 6, 1000),
            errors: number("errors", 100, 1_000_000).into(),
            error_decay: number("error-decay", 10, 1_000_000).into(),
            ack_frequency: frequency as usize,
        }
    }
}

/// The most data that a packet of the protocol carries, and the most that it carries whatever they are: in `j`, a packet
/// becomes longer by what must be avoided.
fn sizes(letter: u8) -> (u16, u16) {
    let data = |packet: usize| u16::try_from(packet - HEADER - CRC).unwrap_or(1024);
    match letter {
        b'j' => (data(j::LARGEST), data(j::ALWAYS_FITS)),
        _ => (data(LARGEST + HEADER + CRC), data(LARGEST + HEADER + CRC)),
    }
}
