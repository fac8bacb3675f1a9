//! What the called system answers to the caller's line.

use super::{Announced, CallerLine, HandshakeError, emit_string, unexpected};
use crate::wire::command::Features;
use crate::wire::command::number::parse_c;

/// The answer to the caller's line: `R` and a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// `ROKN0bits`, `ROKN`, `ROK -R`, `ROK`.
    Accepted(Accepted),
    /// `RLCK`: a call with this system is under way already.
    Locked,
    /// `RLOGIN`: this login name is not the one for this system.
    WrongLogin,
    /// `RCB`: the called system will call back.
    CallBack,
    /// `RBADSEQ`: the number of the call is wrong or missing.
    BadSequence,
    /// `RYou are unknown to me`.
    Unknown,
    /// Anything else, without its `R`.
    Other(Vec<u8>),
}

/// What goes with a yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accepted {
    /// How the called system announced its features.
    pub announced: Announced,
    /// `-R`, of an SVR4 system.
    pub restart: bool,
    /// `-U`: the largest file it takes, in bytes (in units of 512 on the wire).
    pub size_limit: Option<u64>,
}

impl Accepted {
    /// What the called system can do.
    #[must_use]
    pub fn features(&self) -> Features {
        self.announced.features(self.restart)
    }
}

impl Answer {
    /// The yes that the caller can read: in the manner in which it announced its own features.
    #[must_use]
    pub fn accepting(line: &CallerLine, ours: Features) -> Self {
        let announced = match line.announced {
            Announced::Nothing => Announced::Nothing,
            Announced::Bare => Announced::Bare,
            Announced::Bits(theirs) if theirs.contains(Features::DECIMAL) => Announced::Bare,
            Announced::Bits(_) => Announced::Bits(ours),
        };
        Self::Accepted(Accepted {
            announced,
            restart: announced == Announced::Nothing && line.restart,
            size_limit: None,
        })
    }

    /// Parses the text of the string.
    ///
    /// # Errors
    /// When it is another string.
    pub fn parse(text: &[u8]) -> Result<Self, HandshakeError> {
        let Some(word) = text.strip_prefix(b"R") else {
            return Err(unexpected("an answer to our name", text));
        };
        Ok(match word {
            b"LCK" => Self::Locked,
            b"LOGIN" => Self::WrongLogin,
            b"CB" => Self::CallBack,
            b"BADSEQ" => Self::BadSequence,
            b"You are unknown to me" => Self::Unknown,
            [b'O', b'K', b'N', number @ ..] => Self::Accepted(Accepted {
                announced: Announced::parse(number),
                ..Accepted::default()
            }),
            [b'O', b'K', options @ ..] => Self::Accepted(parse_options(options)),
            other => Self::Other(other.to_vec()),
        })
    }

    /// The text after `R`.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        match self {
            Self::Accepted(Accepted {
                announced: Announced::Bits(features),
                ..
            }) => format!("OKN0{:o}", features.0).into_bytes(),
            Self::Accepted(Accepted {
                announced: Announced::Bare,
                ..
            }) => b"OKN".to_vec(),
            Self::Accepted(Accepted { restart: true, .. }) => b"OK -R".to_vec(),
            Self::Accepted(_) => b"OK".to_vec(),
            Self::Locked => b"LCK".to_vec(),
            Self::WrongLogin => b"LOGIN".to_vec(),
            Self::CallBack => b"CB".to_vec(),
            Self::BadSequence => b"BADSEQ".to_vec(),
            Self::Unknown => b"You are unknown to me".to_vec(),
            Self::Other(text) => text.clone(),
        }
    }

    /// Appends the framed string.
    pub fn emit(&self, out: &mut Vec<u8>) {
        emit_string(&[b"R", self.text().as_slice()].concat(), out);
    }
}

/// ` -R -Un` after `ROK`.
fn parse_options(options: &[u8]) -> Accepted {
    let mut accepted = Accepted::default();
    for word in options.split(|b| matches!(b, b' ' | b'\t')) {
        match word {
            [b'-', b'R', ..] => accepted.restart = true,
            [b'-', b'U', blocks @ ..] => {
                accepted.size_limit = parse_c(blocks).map(|blocks| blocks.saturating_mul(512));
            }
            _ => {}
        }
    }
    accepted
}
