//! The parameters of `a`.

use std::time::Duration;

use crate::link::parameters::Parameters;

/// The parameters, with the names and defaults of the configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) timeout: Duration,
    pub(super) retries: u32,
    pub(super) startup_retries: u32,
    pub(super) garbage: usize,
    pub(super) send_window: usize,
    pub(super) escape_control: bool,
}

impl Settings {
    pub(super) fn new(parameters: Parameters<'_>) -> Self {
        let number = |name, default, most| parameters.number(name, default, 0, most);
        Self {
            timeout: parameters.seconds("timeout", 10),
            retries: number("retries", 10, 1000),
            startup_retries: number("startup-retries", 4, 1000),
            garbage: number("garbage", 2400, 100_000_000) as usize,
            send_window: parameters.number("send-window", 16_384, 4096, 65_536) as usize,
            escape_control: parameters.flag("escape-control", false),
        }
    }
}
