//! How a pair is set up.

use std::time::Duration;

use crate::config::ProtocolParameter;
use crate::link::testline::{BadLine, Faults};
use crate::wire::command::Features;

/// How a pair is set up.
pub(in crate::conversation::tests) struct PairOptions {
    pub(in crate::conversation::tests) protocol: u8,
    pub(in crate::conversation::tests) offered: Option<Vec<u8>>,
    pub(in crate::conversation::tests) login: bool,
    pub(in crate::conversation::tests) password: Vec<u8>,
    /// Largest piece handed to a conversation at a time.
    pub(in crate::conversation::tests) chunk: usize,
    /// The line ends after so many bytes of both directions.
    pub(in crate::conversation::tests) hang_up_at: Option<usize>,
    /// The called side's bytes are swallowed after so many.
    pub(in crate::conversation::tests) silent_after: Option<usize>,
    /// After so many bytes of the caller, these are put in.
    pub(in crate::conversation::tests) noise_after: Option<usize>,
    pub(in crate::conversation::tests) noise: Vec<u8>,
    /// The line carries one direction at a time.
    pub(in crate::conversation::tests) half_duplex: bool,
    /// What the caller announces.
    pub(in crate::conversation::tests) features: Features,
    /// What the called side announces.
    pub(in crate::conversation::tests) called_features: Features,
    pub(in crate::conversation::tests) max_file_time: Duration,
    /// How long the line takes for what a side sends at once.
    pub(in crate::conversation::tests) delay: Duration,
    /// What the line is, where it is more than a wire without length.
    pub(in crate::conversation::tests) line: Option<LineOptions>,
    /// Parameters of the protocol, at both sides.
    pub(in crate::conversation::tests) parameters: Vec<(&'static str, &'static str)>,
}

/// More than the strings before the link protocol, which nothing protects.
pub(super) const HANDSHAKE: usize = 300;

/// A line that takes its time.
#[derive(Debug, Clone, Copy)]
pub(in crate::conversation::tests) struct LineOptions {
    pub(in crate::conversation::tests) bytes_per_second: u32,
    pub(in crate::conversation::tests) round_trip: Duration,
    pub(in crate::conversation::tests) faults: Faults,
    pub(in crate::conversation::tests) seed: u64,
}

impl LineOptions {
    /// From the caller, and back.
    pub(super) fn lines(self) -> [BadLine; 2] {
        [self.seed, !self.seed].map(|seed| {
            BadLine::new(seed, self.faults, self.round_trip / 2)
                .at_rate(self.bytes_per_second)
                .sparing(HANDSHAKE)
        })
    }
}

impl Default for PairOptions {
    fn default() -> Self {
        Self {
            protocol: b't',
            offered: None,
            login: false,
            password: b"xyzzy".to_vec(),
            chunk: usize::MAX,
            hang_up_at: None,
            silent_after: None,
            noise_after: None,
            noise: Vec::new(),
            half_duplex: false,
            features: Features::OURS,
            called_features: Features::OURS,
            max_file_time: Duration::ZERO,
            delay: Duration::ZERO,
            line: None,
            parameters: Vec::new(),
        }
    }
}

pub(super) fn parameters(options: &PairOptions) -> Vec<ProtocolParameter> {
    let parameter = |(name, value): &(&str, &str)| ProtocolParameter {
        letter: options.protocol,
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    };
    options.parameters.iter().map(parameter).collect()
}
