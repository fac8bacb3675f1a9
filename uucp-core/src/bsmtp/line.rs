//! Lines of commands, put together from any pieces, within a limit.

use super::LineEnd;
use super::find::find_byte;

/// The line that is being read.
#[derive(Debug)]
pub(super) struct LineBuffer {
    text: Vec<u8>,
    limit: usize,
    /// Whether some of it was too much and is gone.
    too_long: bool,
    /// The last byte, which may be gone.
    last: Option<u8>,
}

/// A whole line, without its line end.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: Vec<u8>,
    pub(super) end: LineEnd,
    pub(super) too_long: bool,
}

impl LineBuffer {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            text: Vec::new(),
            limit,
            too_long: false,
            last: None,
        }
    }

    /// Takes input up to the end of the line, or all of it. `only` is the kind of line end that counts, if one is settled:
    /// where it is CRLF, a lone LF is part of the line; where it is LF, so is a CR before it.
    pub(super) fn take(&mut self, input: &[u8], only: Option<LineEnd>) -> (usize, Option<Line>) {
        let mut begin = 0;
        while let Some(rest) = input.get(begin..)
            && let Some(at) = find_byte(b'\n', rest)
        {
            self.push(rest.get(..at).unwrap_or_default());
            begin += at + 1;
            let end = match (only, self.last) {
                (Some(LineEnd::Lf), _) => LineEnd::Lf,
                (_, Some(b'\r')) => LineEnd::CrLf,
                (None, _) => LineEnd::Lf,
                (Some(LineEnd::CrLf), _) => {
                    self.push(b"\n");
                    continue;
                }
            };
            return (begin, Some(self.line(end)));
        }
        self.push(input.get(begin..).unwrap_or_default());
        (input.len(), None)
    }

    /// Whether no line has begun.
    pub(super) fn is_fresh(&self) -> bool {
        self.last.is_none()
    }

    /// What there is of a line that has not ended.
    pub(super) fn partial(&self) -> &[u8] {
        &self.text
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = self.limit.saturating_sub(self.text.len());
        let kept = bytes.get(..room).unwrap_or(bytes);
        self.too_long |= kept.len() < bytes.len();
        self.text.extend_from_slice(kept);
        self.last = bytes.last().copied().or(self.last);
    }

    fn line(&mut self, end: LineEnd) -> Line {
        self.last = None;
        let mut text = std::mem::take(&mut self.text);
        if end == LineEnd::CrLf && !self.too_long {
            text.pop();
        }
        Line {
            text,
            end,
            too_long: std::mem::take(&mut self.too_long),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8], only: Option<LineEnd>, step: usize) -> Vec<(Vec<u8>, LineEnd, bool)> {
        let mut buffer = LineBuffer::new(5);
        let mut found = Vec::new();
        for mut piece in input.chunks(step) {
            while !piece.is_empty() {
                let (count, line) = buffer.take(piece, only);
                found.extend(line.map(|l| (l.text, l.end, l.too_long)));
                piece = &piece[count..];
            }
        }
        found
    }

    #[test]
    fn line_ends_of_either_kind_or_of_one() {
        use LineEnd::{CrLf, Lf};
        for step in 1..8 {
            let line = |text: &[u8], end| (text.to_vec(), end, false);
            assert_eq!(
                lines(b"a\nb\r\n\n\r\nc", None, step),
                [
                    line(b"a", Lf),
                    line(b"b", CrLf),
                    line(b"", Lf),
                    line(b"", CrLf)
                ]
            );
            assert_eq!(lines(b"a\nb\r\n", Some(CrLf), step), [line(b"a\nb", CrLf)]);
            assert_eq!(
                lines(b"a\nb\r\n", Some(Lf), step),
                [line(b"a", Lf), line(b"b\r", Lf)]
            );
        }
    }

    #[test]
    fn what_is_too_long_keeps_its_head_and_ends_where_it_ends() {
        for step in 1..12 {
            assert_eq!(
                lines(b"12345\n123456\r\nab\n", None, step),
                [
                    (b"12345".to_vec(), LineEnd::Lf, false),
                    (b"12345".to_vec(), LineEnd::CrLf, true),
                    (b"ab".to_vec(), LineEnd::Lf, false),
                ]
            );
        }
    }
}
