//! What is known of the line of a call, and what it suggests: protocols, and the sizes of their packets.

use crate::config::{PortConfig, ProtocolParameter, Settings};
use crate::link;
use crate::port::LineTraits;

/// What is known of the line.
#[derive(Debug, Clone)]
pub struct LineInfo {
    /// The port's name, for the journal.
    pub name: String,
    /// What it is good for.
    pub traits: LineTraits,
    /// The protocols that the port file names.
    pub protocols: Option<Vec<u8>>,
    /// Protocol parameters of the port file.
    pub parameters: Vec<ProtocolParameter>,
    /// Whether it carries one direction at a time.
    pub half_duplex: bool,
}

impl LineInfo {
    /// What the port file says of the line.
    #[must_use]
    pub fn new(port: &PortConfig, traits: LineTraits) -> Self {
        Self {
            name: port.name.clone(),
            traits: traits.limited(port.seven_bit, port.reliable),
            protocols: port.protocols.clone(),
            parameters: port.protocol_parameters.clone(),
            half_duplex: port.half_duplex,
        }
    }

    /// A line that no port file describes.
    #[must_use]
    pub fn plain(name: &str, traits: LineTraits) -> Self {
        Self {
            name: name.to_owned(),
            traits,
            protocols: None,
            parameters: Vec::new(),
            half_duplex: false,
        }
    }
}

/// Terminals of this speed and more are treated as any line: it is also what a terminal is set to that has no speed.
const FAST: u32 = 38_400;

/// Parameters that the kind of line suggests; those of the configuration come after them and win.
pub(super) fn usual_parameters(line: LineTraits) -> Vec<ProtocolParameter> {
    let size = |(letter, size): (u8, u32)| ProtocolParameter {
        letter,
        name: "packet-size".into(),
        value: size.to_string(),
    };
    match line.speed {
        // TCP carries the largest packet as well as any other, and loses none.
        _ if line.end_to_end => vec![size((b'g', 4096))],
        Some(speed @ 1..FAST) => sizes_at(speed).map(size).to_vec(),
        _ => Vec::new(),
    }
}

/// Packet sizes for a slow line, whose answers wait behind the packet that is on its way and whose damage costs whole
/// packets: of `g`, about a quarter of a second, and never less than Taylor's. A packet of `G` is of that size even if it
/// carries two letters. What `i` and `v` have there is right at 9,600 bits per second; below, `v` would be silent for
/// longer than its own timeout.
fn sizes_at(speed: u32) -> [(u8, u32); 5] {
    let about = |bytes: u32, most: u32| {
        let power = bytes.checked_ilog2().map_or(64, |power| 1 << power);
        power.clamp(64, most)
    };
    [
        (b'g', about(speed / 36, 2048)),
        (b'G', about(speed / 144, 512)),
        (b'v', about(speed / 9, 1024)),
        (b'i', 1024),
        (b'j', 1024),
    ]
}

/// The letters to choose from, best first: those configured for the system or the port, else all that suit the line.
pub(super) fn usable_protocols(
    settings: &Settings,
    port: Option<&[u8]>,
    line: LineTraits,
) -> Vec<u8> {
    let known = || link::KNOWN.iter();
    match settings.protocols.as_deref().or(port) {
        Some(letters) => letters
            .iter()
            .copied()
            .filter(|letter| known().any(|one| one.letter == *letter))
            .collect(),
        None => known()
            .filter(|one| line.satisfy(one.traits))
            .map(|one| one.letter)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_as_large_as_the_line_is_fast() {
        let sizes = |speed: Option<u32>, line: LineTraits| -> Vec<String> {
            let parameters = usual_parameters(LineTraits { speed, ..line });
            let shown = |one: &ProtocolParameter| {
                assert_eq!(one.name, "packet-size");
                format!("{} {}", char::from(one.letter), one.value)
            };
            parameters.iter().map(shown).collect()
        };
        assert_eq!(sizes(None, LineTraits::TCP), ["g 4096"]);
        for speed in [None, Some(0), Some(38_400), Some(4_000_000)] {
            assert!(sizes(speed, LineTraits::PIPE).is_empty(), "{speed:?}");
        }
        for (speed, all) in [
            (110, "g 64, G 64, v 64, i 1024, j 1024"),
            (2400, "g 64, G 64, v 256, i 1024, j 1024"),
            (9600, "g 256, G 64, v 1024, i 1024, j 1024"),
            (19_200, "g 512, G 128, v 1024, i 1024, j 1024"),
        ] {
            assert_eq!(sizes(Some(speed), LineTraits::PIPE).join(", "), all);
        }
    }
}
