//! Content between DATA and its dot, as it streams by: the end found, dots unstuffed, line ends made LF.
//!
//! Nothing is kept but a state, so that content of any size costs no memory; pieces of it are borrowed from the input.

use super::LineEnd;
use super::find::{find_byte, find_dotted};

/// Where in a line the input stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before its first byte.
    Start,
    /// Behind the dot at its start.
    Dot,
    /// Behind the dot at its start and a CR.
    DotCr,
    /// Anywhere else.
    Middle,
    /// Behind a CR that is not told yet.
    Cr,
}

/// What some input was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// This is content.
    Text(&'a [u8]),
    /// The content is whole.
    End,
    /// Nothing that can be told: more is needed.
    Nothing,
}

/// Content that ends with a dot alone on a line.
#[derive(Debug)]
pub(super) struct Dotted {
    kind: LineEnd,
    place: Place,
}

impl Dotted {
    pub(super) fn new(kind: LineEnd) -> Self {
        Self {
            kind,
            place: Place::Start,
        }
    }

    /// Takes some of `input`: how much, and what it was. With [`Piece::Nothing`] it is all of it.
    pub(super) fn take<'a>(&mut self, input: &'a [u8]) -> (usize, Piece<'a>) {
        let mut used = 0;
        while let Some((&byte, _)) = input.get(used..).and_then(<[u8]>::split_first) {
            let rest = input.get(used..).unwrap_or_default();
            let (count, piece) = match self.kind {
                LineEnd::Lf => self.step_lf(byte, rest),
                LineEnd::CrLf => self.step_crlf(byte, rest),
            };
            used += count;
            if piece != Piece::Nothing {
                return (used, piece);
            }
        }
        (used, Piece::Nothing)
    }

    fn step_lf<'a>(&mut self, byte: u8, rest: &'a [u8]) -> (usize, Piece<'a>) {
        match (self.place, byte) {
            (Place::Start, b'.') => self.go(Place::Dot, 1),
            (Place::Dot, b'\n') => (1, Piece::End),
            // A dot with more behind it was stuffed; it is dropped.
            _ => {
                let end = find_dotted(rest).map_or(rest.len(), |newline| newline + 1);
                let text = rest.get(..end).unwrap_or_default();
                self.place = match text.last() {
                    Some(b'\n') => Place::Start,
                    _ => Place::Middle,
                };
                (end, Piece::Text(text))
            }
        }
    }

    fn step_crlf<'a>(&mut self, byte: u8, rest: &'a [u8]) -> (usize, Piece<'a>) {
        match (self.place, byte) {
            (Place::Start, b'.') => self.go(Place::Dot, 1),
            (Place::Dot, b'\r') => self.go(Place::DotCr, 1),
            (Place::DotCr, b'\n') => (1, Piece::End),
            (Place::Cr, b'\n') => self.line_end(rest),
            // That CR was data.
            (Place::DotCr | Place::Cr, _) => {
                self.place = Place::Middle;
                (0, Piece::Text(b"\r"))
            }
            (Place::Start | Place::Dot | Place::Middle, _) => self.up_to_cr(rest, 0),
        }
    }

    /// `rest` begins with the LF of a line end, whose CR is not told. As much of the next line comes along as is sure.
    fn line_end<'a>(&mut self, rest: &'a [u8]) -> (usize, Piece<'a>) {
        if matches!(rest.get(1), None | Some(b'.')) {
            self.place = Place::Start;
            return (1, Piece::Text(rest.get(..1).unwrap_or_default()));
        }
        self.up_to_cr(rest, 1)
    }

    /// Content up to the next CR, which is searched from `from` on.
    fn up_to_cr<'a>(&mut self, rest: &'a [u8], from: usize) -> (usize, Piece<'a>) {
        let searched = rest.get(from..).unwrap_or_default();
        let cr = find_byte(b'\r', searched).map(|at| from + at);
        self.place = if cr.is_some() {
            Place::Cr
        } else {
            Place::Middle
        };
        let text = cr.map_or(Some(rest), |cr| rest.get(..cr));
        let used = cr.map_or(rest.len(), |cr| cr + 1);
        match text {
            Some(text @ [_, ..]) => (used, Piece::Text(text)),
            _ => (used, Piece::Nothing),
        }
    }

    fn go<'a>(&mut self, place: Place, used: usize) -> (usize, Piece<'a>) {
        self.place = place;
        (used, Piece::Nothing)
    }
}

/// Content in chunks of known size (BDAT), whose dots are dots.
#[derive(Debug)]
pub(super) struct Chunked {
    kind: LineEnd,
    left: u64,
    last: bool,
    /// Behind a CR that is not told yet.
    cr: bool,
}

impl Chunked {
    pub(super) fn new(kind: LineEnd) -> Self {
        Self {
            kind,
            left: 0,
            last: false,
            cr: false,
        }
    }

    /// Another chunk begins.
    pub(super) fn begin(&mut self, size: u64, last: bool) {
        self.left = size;
        self.last = last;
    }

    /// Whether the chunk is used up, so that a command follows.
    pub(super) fn wants_command(&self) -> bool {
        self.left == 0 && !self.last
    }

    /// As [`Dotted::take`]. At the end of a chunk that is not the last one, it gives [`Piece::Nothing`] without taking all.
    pub(super) fn take<'a>(&mut self, input: &'a [u8]) -> (usize, Piece<'a>) {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX);
        let mut rest = input.get(..room).unwrap_or(input);
        let mut used = 0;
        loop {
            let Some(&byte) = rest.first() else {
                let piece = match (self.left == 0 && self.last, self.cr) {
                    (true, true) => {
                        self.cr = false;
                        Piece::Text(b"\r")
                    }
                    (true, false) => Piece::End,
                    (false, _) => Piece::Nothing,
                };
                return (used, piece);
            };
            if self.cr && byte != b'\n' {
                self.cr = false;
                return (used, Piece::Text(b"\r"));
            }
            self.cr = false;
            let end = match self.kind {
                LineEnd::Lf => None,
                LineEnd::CrLf => find_byte(b'\r', rest),
            };
            self.cr = end.is_some();
            let count = end.map_or(rest.len(), |at| at + 1);
            let text = rest.get(..end.unwrap_or(count)).unwrap_or_default();
            rest = rest.get(count..).unwrap_or_default();
            used += count;
            self.left -= count as u64;
            if !text.is_empty() {
                return (used, Piece::Text(text));
            }
        }
    }
}
