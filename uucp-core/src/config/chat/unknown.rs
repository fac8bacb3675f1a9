//! Escapes that are none: each stands for its letter, as in Taylor's, which is hardly what was meant.

use super::escape::{Escaped, next_byte};
use super::parse::split_at_hyphens;

/// What may stand behind a backslash in a send string, besides what stands for a byte.
const SENDING: &[u8] = b"cdpeEKMmLPDT";

/// The letters of unknown escapes in the words of a command, with the number of the word: 0 is the first argument. `key` is
/// the command without its prefix (`called-`, `complete-`, `abort-`).
pub(in crate::config) fn unknown_escapes(key: &str, words: &[&[u8]]) -> Vec<(usize, u8)> {
    let look: fn(usize, &[u8]) -> Vec<u8> = match key {
        "chat" => |index, word| {
            if index % 2 == 0 {
                of_expect(word)
            } else {
                of_string(word, SENDING)
            }
        },
        "chat-fail" | "call-login" | "call-password" => |_, word| of_string(word, b""),
        "complete" | "abort" => |_, word| of_string(word, SENDING),
        _ => return Vec::new(),
    };
    let words = words.iter().enumerate();
    words
        .flat_map(|(index, word)| look(index, word).into_iter().map(move |one| (index, one)))
        .collect()
}

/// Expect strings, and what is sent between them.
fn of_expect(word: &[u8]) -> Vec<u8> {
    let parts = split_at_hyphens(word).into_iter().enumerate();
    parts
        .flat_map(|(index, part)| {
            if index % 2 == 0 {
                of_string(without_timeout(part), b"")
            } else {
                of_string(part, SENDING)
            }
        })
        .collect()
}

/// An expect string without the `\WN` at its end.
fn without_timeout(part: &[u8]) -> &[u8] {
    let digits = part.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let head = part.get(..part.len() - digits).unwrap_or_default();
    let own = head.strip_suffix(b"\\W").filter(|_| digits > 0);
    own.unwrap_or(part)
}

fn of_string(word: &[u8], known: &[u8]) -> Vec<u8> {
    let mut unknown = Vec::new();
    let mut rest = word;
    while let Some((byte, tail)) = next_byte(rest) {
        if let Escaped::Letter(letter) = byte
            && !known.contains(&letter)
        {
            unknown.push(letter);
        }
        rest = tail;
    }
    unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(key: &str, text: &str) -> Vec<(usize, char)> {
        let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
        let found = unknown_escapes(key, &words).into_iter();
        found
            .map(|(index, letter)| (index, char::from(letter)))
            .collect()
    }

    #[test]
    fn what_stands_for_nothing_is_found_where_it_stands() {
        let good =
            r#""" \r\c ogin:\W5-\K-ogin: \L\d\p\e\E\m\M\D\T word:\s\-x \P\\ A\x41\101 BREAK"#;
        assert_eq!(unknown("chat", good), []);
        for (key, text, wanted) in [
            ("chat", r#""" \Q"#, vec![(1, 'Q')]),
            ("chat", r"a\d-\q-b\W c", vec![(0, 'd'), (0, 'q'), (0, 'W')]),
            ("chat", r"a\xyz \x", vec![(0, 'x'), (1, 'x')]),
            ("chat-fail", r"NO\cX", vec![(0, 'c')]),
            ("complete", r"\d+\q", vec![(0, 'q')]),
            ("call-password", r"p\w", vec![(0, 'w')]),
            ("chat-program", r"/bin/x \q", vec![]),
        ] {
            assert_eq!(unknown(key, text), wanted, "{key} {text}");
        }
    }
}
