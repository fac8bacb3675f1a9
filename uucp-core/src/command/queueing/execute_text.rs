//! The text of an execute file as `uux` and `uucp` write it: the same lines in the same order as the peer's.
//!
//! Where a value holds a blank, the file begins with `Q` and every word is quoted by itself. (Taylor's `uux` quotes the
//! whole command line as one word then, which its own `uuxqt` takes for the name of a program.)

/// The lines of an execute file in the making.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::command) struct ExecuteText {
    lines: Vec<(u8, Vec<Vec<u8>>)>,
}

impl ExecuteText {
    /// Adds a line: its letter and its words.
    pub(in crate::command) fn push(&mut self, letter: u8, words: &[&[u8]]) {
        let words = words.iter().map(|word| word.to_vec()).collect();
        self.lines.push((letter, words));
    }

    /// Adds a line if the condition holds.
    pub(in crate::command) fn push_if(&mut self, condition: bool, letter: u8) {
        if condition {
            self.push(letter, &[]);
        }
    }

    /// The file's bytes.
    #[must_use]
    pub(in crate::command) fn emit(&self) -> Vec<u8> {
        let quoted = self
            .lines
            .iter()
            .flat_map(|(_, words)| words)
            .any(|word| word.is_empty() || word.iter().any(|b| must_be_quoted(*b)));
        let mut out = Vec::with_capacity(256);
        if quoted {
            out.extend_from_slice(b"Q\n");
        }
        for (letter, words) in &self.lines {
            out.push(*letter);
            for word in words {
                out.push(b' ');
                if quoted {
                    quote(word, &mut out);
                } else {
                    out.extend_from_slice(word);
                }
            }
            out.push(b'\n');
        }
        out
    }
}

fn must_be_quoted(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f
}

fn quote(word: &[u8], out: &mut Vec<u8>) {
    for &byte in word {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b if b.is_ascii_graphic() => out.push(b),
            b => out.extend_from_slice(format!("\\{b:03o}").as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_are_as_they_are() {
        let mut text = ExecuteText::default();
        text.push(b'F', &[b"D.alphaN0001", b"f1"]);
        text.push(b'U', &[b"uucp", b"alpha"]);
        text.push_if(true, b'N');
        text.push_if(false, b'Z');
        text.push(b'C', &[b"cat", b"a\\b", b"\xc5\xbe"]);
        assert_eq!(
            text.emit(),
            b"F D.alphaN0001 f1\nU uucp alpha\nN\nC cat a\\b \xc5\xbe\n"
        );
    }

    #[test]
    fn one_blank_quotes_every_word_by_itself() {
        let mut text = ExecuteText::default();
        text.push(b'R', &[b"x y"]);
        text.push(b'C', &[b"rmail", b"a\\b"]);
        assert_eq!(text.emit(), b"Q\nR x\\040y\nC rmail a\\\\b\n");
    }
}
