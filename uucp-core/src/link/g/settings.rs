//! The parameters of `g`, `G` and `v`.

use std::time::Duration;

use crate::link::parameters::Parameters;
use crate::wire::g::HEADER;

/// Bytes under way must stay below this: the ring in which Taylor receives.
const RING: usize = 16_384;

/// The parameters, with the names and defaults of the configuration; but for the `packet-size` of `g` and `G`, which there
/// is 64.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) letter: u8,
    pub(super) window: u8,
    pub(super) packet_size: usize,
    pub(super) startup_retries: u32,
    pub(super) init_timeout: Duration,
    pub(super) init_retries: u32,
    pub(super) timeout: Duration,
    pub(super) retries: u32,
    pub(super) garbage: usize,
    pub(super) errors: u32,
    pub(super) error_decay: u32,
    pub(super) remote_window: u8,
    pub(super) remote_packet_size: usize,
    pub(super) short_packets: bool,
}

impl Settings {
    pub(super) fn new(letter: u8, parameters: Parameters<'_>) -> Self {
        let number = |name, default, most| parameters.number(name, default, 0, most);
        let window = |name, default, least| {
            u8::try_from(parameters.number(name, default, least, 7)).unwrap_or(7)
        };
        let size = |name, default, least| parameters.number(name, default, least, 4096) as usize;
        Self {
            letter,
            window: window("window", 7, 1),
            packet_size: size("packet-size", usual_size(letter), 32),
            startup_retries: number("startup-retries", 8, 1000),
            init_timeout: parameters.seconds("init-timeout", 10),
            init_retries: number("init-retries", 4, 1000),
            timeout: parameters.seconds("timeout", 10),
            retries: number("retries", 6, 1000),
            garbage: number("garbage", 10_000, 100_000_000) as usize,
            errors: number("errors", 100, 1_000_000),
            error_decay: number("error-decay", 10, 1_000_000),
            remote_window: window("remote-window", 0, 0),
            remote_packet_size: size("remote-packet-size", 0, 0),
            short_packets: parameters.flag("short-packets", letter != b'G'),
        }
    }
}

/// Each side announces what it wants to receive; we can take more at a time than was usual once, and a peer that cannot
/// send so much sends less. In `G` every packet is of that size, answers of two letters too: on a slow line it must not be
/// large.
fn usual_size(letter: u8) -> u32 {
    match letter {
        b'G' => 512,
        b'v' => 1024,
        _ => 2048,
    }
}

/// The largest window with packets of `size` that keeps fewer than [`RING`] bytes under way. One of ours, whose packets are
/// sealed, takes any.
pub(super) fn safe_window(sealed: bool, window: u8, size: usize) -> u8 {
    if sealed {
        return window;
    }
    let fitting = (RING - 1) / (size + HEADER);
    window.min(u8::try_from(fitting).unwrap_or(7)).max(1)
}

#[cfg(test)]
mod tests {
    use super::safe_window;

    #[test]
    fn taylors_ring_is_never_filled_and_ours_has_none() {
        let bare = |size| safe_window(false, 7, size);
        assert_eq!([64, 1024, 2048, 4096].map(bare), [7, 7, 7, 3]);
        assert_eq!(safe_window(false, 2, 4096), 2);
        assert_eq!(safe_window(true, 7, 4096), 7);
    }
}
