//! Answers to requests and the confirmation of a file.

use super::number::{parse_c, parse_mode};
use super::{Features, RequestKind};

/// Why a request was refused: the digit after `N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No digit, or one that has no meaning here.
    Unexplained,
    /// `2`: not permitted; for good.
    NotPermitted,
    /// `4`: the work file or temporary file cannot be made now.
    CannotCreate,
    /// `5` (after `C` only): the file arrived but could not be put in its place; for good.
    NotPlaced,
    /// `6`: too large for the moment.
    TooLargeNow,
    /// `7`: too large for ever.
    TooLarge,
    /// `8`: the file was received before; a success.
    AlreadyReceived,
    /// `9`: no channel free; the sender lowers its number of channels.
    NoChannel,
}

impl Refusal {
    fn parse(word: &[u8]) -> Self {
        match word.first() {
            Some(b'2') => Self::NotPermitted,
            Some(b'4') => Self::CannotCreate,
            Some(b'5') => Self::NotPlaced,
            Some(b'6') => Self::TooLargeNow,
            Some(b'7') => Self::TooLarge,
            Some(b'8') => Self::AlreadyReceived,
            Some(b'9') => Self::NoChannel,
            _ => Self::Unexplained,
        }
    }

    fn digit(self) -> Option<u8> {
        match self {
            Self::Unexplained => None,
            Self::NotPermitted => Some(b'2'),
            Self::CannotCreate => Some(b'4'),
            Self::NotPlaced => Some(b'5'),
            Self::TooLargeNow => Some(b'6'),
            Self::TooLarge => Some(b'7'),
            Self::AlreadyReceived => Some(b'8'),
            Self::NoChannel => Some(b'9'),
        }
    }

    /// Whether offering the same file again later may succeed.
    #[must_use]
    pub fn is_temporary(self) -> bool {
        matches!(
            self,
            Self::CannotCreate | Self::TooLargeNow | Self::NoChannel
        )
    }
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// `SY [0xpos]`: send the file, from `position` on.
    SendYes {
        /// Where to go on; 0 is the beginning. In `i` it may only tell how much has arrived already.
        position: u64,
    },
    /// `EY [0xpos]`.
    ExecuteYes {
        /// As in [`Reply::SendYes`].
        position: u64,
    },
    /// `RY 0mode 0xsize [0xversion]`: the file comes; of one with a version, when [`Reply::GoOn`] has said from where on.
    ReceiveYes {
        /// Permission bits of the file.
        mode: u32,
        /// Its size, where told.
        size: Option<u64>,
        /// A number that is another one when the file has changed.
        version: Option<u64>,
        /// `M`: the slave has found work and wants to be master.
        more_work: bool,
    },
    /// `RG 0xpos`: the requester's word on a file with a version: send it, from `position` on.
    GoOn {
        /// Where to go on; 0 is the beginning.
        position: u64,
    },
    /// `XY`.
    ExpandYes,
    /// `SN`, `EN`, `RN`, `XN` with an optional digit.
    No {
        /// The kind of request that is refused.
        to: RequestKind,
        /// Why.
        refusal: Refusal,
    },
    /// `CY`, `CYM`: the file is in its place.
    FileYes {
        /// `M`: the slave has found work and wants to be master.
        more_work: bool,
    },
    /// `CN`, `CN5`: the file arrived but is not in its place.
    FileNo(Refusal),
}

impl Reply {
    /// `None` where the bytes are no answer (they may be a request).
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut words = bytes
            .split(|b| matches!(b, b' ' | b'\t' | b'\n'))
            .filter(|word| !word.is_empty());
        let verb = words.next()?;
        let position = |word: Option<&[u8]>| word.and_then(parse_c).unwrap_or(0);
        Some(match verb {
            b"SY" => Self::SendYes {
                position: position(words.next()),
            },
            b"EY" => Self::ExecuteYes {
                position: position(words.next()),
            },
            b"RY" => {
                let (mode, flagged) = split_flag(words.next().unwrap_or(b"0666"));
                let (size, size_flagged) = split_flag(words.next().unwrap_or_default());
                Self::ReceiveYes {
                    mode: parse_mode(mode).unwrap_or(0o666),
                    size: parse_c(size),
                    version: words.next().and_then(parse_c),
                    more_work: flagged || size_flagged,
                }
            }
            b"RG" => Self::GoOn {
                position: position(words.next()),
            },
            b"XY" => Self::ExpandYes,
            [b'C', b'Y', flags @ ..] => Self::FileYes {
                more_work: flags.contains(&b'M'),
            },
            [b'C', b'N', digit @ ..] => Self::FileNo(Refusal::parse(digit)),
            [letter, b'N', digit @ ..] => Self::No {
                to: RequestKind::of(*letter)?,
                refusal: Refusal::parse(digit),
            },
            _ => return None,
        })
    }

    pub(super) fn emit(&self, features: Features, out: &mut Vec<u8>) {
        match *self {
            Self::SendYes { position } => emit_position(b"SY", position, out),
            Self::ExecuteYes { position } => emit_position(b"EY", position, out),
            Self::ReceiveYes {
                mode,
                size,
                version,
                more_work,
            } => {
                let more = if more_work { "M" } else { "" };
                out.extend_from_slice(format!("RY 0{mode:03o}{more}").as_bytes());
                if let (Some(size), true) = (size, features.contains(Features::SIZES)) {
                    out.extend_from_slice(format!(" 0x{size:x}{more}").as_bytes());
                    if let (Some(version), true) = (version, features.contains(Features::RESUMED)) {
                        out.extend_from_slice(format!(" 0x{version:x}").as_bytes());
                    }
                }
            }
            Self::GoOn { position } => emit_position(b"RG", position, out),
            Self::ExpandYes => out.extend_from_slice(b"XY"),
            Self::No { to, refusal } => emit_no(to.letter(), refusal, out),
            Self::FileYes { more_work } => {
                out.extend_from_slice(if more_work { b"CYM" } else { b"CY" });
            }
            Self::FileNo(refusal) => emit_no(b'C', refusal, out),
        }
    }
}

/// Takes the `M` off a number.
fn split_flag(word: &[u8]) -> (&[u8], bool) {
    match word {
        [number @ .., b'M'] => (number, true),
        number => (number, false),
    }
}

fn emit_position(verb: &[u8], position: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(verb);
    if position > 0 {
        out.extend_from_slice(format!(" 0x{position:x}").as_bytes());
    }
}

fn emit_no(letter: u8, refusal: Refusal, out: &mut Vec<u8>) {
    out.extend_from_slice(&[letter, b'N']);
    out.extend(refusal.digit());
}
