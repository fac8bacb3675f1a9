//! What stands around messages and between them, and what is cut off.

use super::End::{Aside, Done, Stays};
use super::{End, Row, letter};
use crate::letters::{Fate, Letter};

/// `{a}` and `{b}` are letters; `{c}` is one without its last line and its dot, which does not arrive.
const FRAMES: &[(&str, &str, End)] = &[
    ("bare", "{a}{b}", Done),
    ("helo-without-quit", "HELO far.example\n{a}{b}", Done),
    ("quit", "HELO far.example\n{a}QUIT\n", Done),
    ("ours", "HELO leaf\nNOOP bangpath\n{a}{b}QUIT\n", Done),
    (
        "ours-without-quit",
        "HELO leaf\nNOOP bangpath\n{a}{b}",
        Stays,
    ),
    (
        "ours-within",
        "{a}HELO leaf\nNOOP bangpath\n{b}HELO far.example\n",
        Aside,
    ),
    (
        "two-batches",
        "HELO one\n{a}QUIT\nHELO two\n{b}QUIT\n",
        Done,
    ),
    ("behind-quit", "HELO far.example\n{a}QUIT\n{b}", Done),
    ("hash-bang", "#! rsmtp\n{a}{b}", Done),
    (
        "idle-words",
        "NOOP\nVRFY bob\nHELP\nTICK 1\n{a}\n\n{b}",
        Done,
    ),
    (
        "reset",
        "MAIL FROM:<ann@home.example>\nRCPT TO:<carl@hub.example>\nRSET\n{a}",
        Done,
    ),
    ("empty", "", Aside),
    ("greeting-alone", "HELO far.example\n", Aside),
    ("nothing-at-all", "HELO far.example\nQUIT\n", Done),
    (
        "garbage",
        "\u{1}\u{2}\u{0}\u{7f}\u{ff}\n\u{0}\u{0}\u{e4}garbage\n.\n",
        Aside,
    ),
    ("garbage-behind", "{a}\u{1}\u{2}\u{0}\u{7f}\u{ff}\n", Aside),
    ("garbage-before", "\u{1}\u{2}\u{0}\u{7f}\u{ff}\n{a}", Aside),
    ("unknown-command", "{a}BOGUS word\n{b}QUIT\n", Aside),
    ("mail-twice", "MAIL FROM:<carl@home.example>\n{a}{b}", Aside),
    (
        "mail-without-data",
        "{a}MAIL FROM:<ann@home.example>\nRCPT TO:<carl@hub.example>\n{b}",
        Aside,
    ),
    (
        "quit-in-envelope",
        "{a}MAIL FROM:<ann@home.example>\nRCPT TO:<carl@hub.example>\nQUIT\n{b}",
        Aside,
    ),
    (
        "header-as-commands",
        "{a}From: ann\nSubject: x\n\nbody\n.\n{b}",
        Aside,
    ),
    ("cut-in-mail", "{a}{b}MAIL FROM:<ann@home.exa", Stays),
    (
        "cut-behind-mail",
        "{a}{b}MAIL FROM:<ann@home.example>\n",
        Stays,
    ),
    (
        "cut-in-envelope",
        "{a}{b}MAIL FROM:<ann@home.example>\nRCPT TO:<carl@hub.example>\n",
        Stays,
    ),
    (
        "cut-in-data",
        "{a}{b}MAIL FROM:<ann@home.example>\nRCPT TO:<carl@hub.example>\nDAT",
        Stays,
    ),
    ("cut-in-line", "{a}{b}{c}half a li", Stays),
    ("cut-behind-line", "{a}{b}{c}", Stays),
    ("cut-in-dot", "{a}{b}{c}.", Stays),
    ("cut-alone", "{c}", Stays),
    ("cut-in-ours", "HELO leaf\nNOOP bangpath\n{a}{c}", Stays),
];

/// One row for each frame.
pub(super) fn rows(tag: &str) -> Vec<Row> {
    let row = |(name, frame, end): &(&'static str, &str, End)| {
        let mut row = Row {
            name,
            input: Vec::new(),
            letters: Vec::new(),
            end: *end,
        };
        let mut pieces = frame.split('{');
        row.input.extend(latin1(pieces.next().unwrap_or_default()));
        for piece in pieces {
            let (which, text) = piece.split_once('}').expect("a letter's name");
            let letter = framed(tag, name, which, &mut row.input);
            row.letters.push(letter);
            row.input.extend(latin1(text));
        }
        row
    };
    FRAMES.iter().map(row).collect()
}

/// Appends a letter to the input, as much of it as is there.
fn framed(tag: &str, row: &str, which: &str, input: &mut Vec<u8>) -> Letter {
    let mut letter = letter(tag, row, which, b"first line\n");
    let text = letter.in_batch();
    if which == "c" {
        letter.fates.fill(Fate::Silent);
        input.extend_from_slice(text.strip_suffix(b".\n").expect("its dot"));
    } else {
        input.extend_from_slice(&text);
    }
    letter
}

fn latin1(text: &str) -> Vec<u8> {
    let byte = |letter: char| u8::try_from(u32::from(letter)).expect("a byte");
    text.chars().map(byte).collect()
}
