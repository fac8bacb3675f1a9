//! The caller's line: `SNAME` and its options.

use super::{HandshakeError, emit_string, unexpected};
use crate::wire::command::Features;
use crate::wire::command::number::parse_c;

/// How a side announced its features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Announced {
    /// Not at all.
    #[default]
    Nothing,
    /// `-N` or `ROKN` without a number: an old Taylor.
    Bare,
    /// With a number.
    Bits(Features),
}

impl Announced {
    /// What is meant, given whether `-R` (restart) was said too.
    #[must_use]
    pub fn features(self, restart: bool) -> Features {
        match (self, restart) {
            (Self::Bits(features), _) => features,
            (Self::Bare, false) => Features::BARE,
            (Self::Bare, true) => Features(Features::BARE.0 | Features::RESTART.0),
            (Self::Nothing, true) => Features::SVR4,
            (Self::Nothing, false) => Features::NONE,
        }
    }

    /// The number after `N`; bit 010 says what a missing number says.
    pub(super) fn parse(number: &[u8]) -> Self {
        match parse_c(number).and_then(|bits| u32::try_from(bits).ok()) {
            Some(bits) => Self::Bits(Features(bits)),
            None => Self::Bare,
        }
    }
}

/// `SNAME [-Qseq] [-pG -vgrade=G] -R -N0bits`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallerLine {
    /// The caller's name, as it came.
    pub name: Vec<u8>,
    /// `-Q`: the call's number, where the two sides count.
    pub sequence: Option<u64>,
    /// `-p`, `-vgrade=`: the least urgent grade that is to be sent in this call.
    pub grade: Option<u8>,
    /// `-U`: the largest file it takes, in bytes (in units of 512 on the wire).
    pub size_limit: Option<u64>,
    /// `-x`: the debug level wanted of the called system.
    pub debug: Option<u32>,
    /// `-R`.
    pub restart: bool,
    /// `-N`.
    pub announced: Announced,
}

impl CallerLine {
    /// Parses the text of the string. Options are those of `getopt` with `N::p:Q:RU:v:x:`; unknown ones are skipped.
    ///
    /// # Errors
    /// When it is another string.
    pub fn parse(text: &[u8]) -> Result<Self, HandshakeError> {
        let bad = || unexpected("the caller's name", text);
        let mut words = text
            .split(|b| matches!(b, b' ' | b'\t'))
            .filter(|word| !word.is_empty());
        let name = words.next().and_then(|word| word.strip_prefix(b"S"));
        let mut line = Self {
            name: name
                .filter(|name| !name.is_empty())
                .ok_or_else(bad)?
                .to_vec(),
            ..Self::default()
        };
        while let Some(word) = words.next() {
            if word == b"--" {
                break;
            }
            if let [b'-', letters @ ..] = word {
                line.take_options(letters, &mut words);
            }
        }
        Ok(line)
    }

    /// One word of options, with the word after it where an option wants one.
    fn take_options<'a>(
        &mut self,
        mut letters: &'a [u8],
        words: &mut impl Iterator<Item = &'a [u8]>,
    ) {
        while let [letter, rest @ ..] = letters {
            letters = rest;
            match letter {
                b'R' => self.restart = true,
                b'N' => {
                    self.announced = Announced::parse(rest);
                    return;
                }
                b'p' | b'Q' | b'U' | b'v' | b'x' => {
                    let value = if rest.is_empty() {
                        words.next().unwrap_or_default()
                    } else {
                        rest
                    };
                    self.take_value(*letter, value);
                    return;
                }
                _ => {}
            }
        }
    }

    fn take_value(&mut self, letter: u8, value: &[u8]) {
        let number = || parse_c(value);
        let decimal = || std::str::from_utf8(value).ok()?.parse().ok();
        match (letter, value) {
            (b'p', [grade, ..]) => self.grade = Some(*grade),
            (b'v', value) => {
                if let Some([grade, ..]) = value.strip_prefix(b"grade=") {
                    self.grade = Some(*grade);
                }
            }
            (b'Q', _) => self.sequence = decimal(),
            (b'U', _) => self.size_limit = number().map(|blocks| blocks.saturating_mul(512)),
            (b'x', _) => self.debug = number().and_then(|level| u32::try_from(level).ok()),
            _ => {}
        }
    }

    /// What the caller can do.
    #[must_use]
    pub fn features(&self) -> Features {
        self.announced.features(self.restart)
    }

    /// Appends the framed string.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let mut text = [b"S", self.name.as_slice()].concat();
        let mut option = |words: String| text.extend_from_slice(words.as_bytes());
        if let Some(sequence) = self.sequence {
            option(format!(" -Q{sequence}"));
        }
        if let Some(grade) = self.grade {
            let grade = char::from(grade);
            option(format!(" -p{grade} -vgrade={grade}"));
        }
        if self.restart {
            option(" -R".to_owned());
        }
        if let Some(debug) = self.debug {
            option(format!(" -x{debug}"));
        }
        if let Some(limit) = self.size_limit {
            option(format!(" -U0x{:x}", limit / 512));
        }
        match self.announced {
            Announced::Nothing => {}
            Announced::Bare => option(" -N".to_owned()),
            Announced::Bits(features) => option(format!(" -N0{:o}", features.0)),
        }
        emit_string(&text, out);
    }
}
