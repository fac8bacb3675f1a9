//! The dial and dialcode files: how to dial.

use std::time::Duration;

use super::chat::Chat;
use super::port::ProtocolParameter;

/// A dialer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialerConfig {
    /// Its name.
    pub name: String,
    /// How to dial.
    pub chat: Chat,
    /// What stands for `=` in a phone number: wait for a dial tone.
    pub dialtone: Vec<u8>,
    /// What stands for `-` in a phone number: a pause.
    pub pause: Vec<u8>,
    /// Whether the modem reports carrier.
    pub carrier: bool,
    /// How long to wait for carrier.
    pub carrier_wait: Duration,
    /// Whether DTR is dropped and raised before dialing.
    pub dtr_toggle: bool,
    /// Whether to wait a second after that.
    pub dtr_toggle_wait: bool,
    /// What to do when the call is over.
    pub complete: Chat,
    /// What to do when the call has failed.
    pub abort: Chat,
    /// Parameters of link protocols.
    pub protocol_parameters: Vec<ProtocolParameter>,
    /// Only seven bits of a byte pass.
    pub seven_bit: bool,
    /// Whether bytes arrive unharmed and in order; `None`: not said.
    pub reliable: Option<bool>,
    /// Only one side can send at a time.
    pub half_duplex: bool,
}
