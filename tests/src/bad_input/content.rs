//! Content: bytes that some receiver has dropped, folded or taken for the end of the message; and compressed inputs.

use std::io::Write as _;

use uucp_core::codec::{Compression, Encoder};

use super::End::{self, Aside, Done, Stays};
use super::{Row, dotted, letter};
use crate::letters::{Fate, Letter};

/// What stands in a body beside plain lines.
const BODIES: &[(&str, &[u8])] = &[
    ("nul", b"nul\0inside\n"),
    ("eight-bit", b"\xe4\xf6\xfc \xff\xfe \x80\n"),
    ("dots", b".\n..\n.x\n...\n"),
    ("from-lines", b"From here\n>From there\n>>From far\n"),
    ("commands", b"QUIT\nRSET\nMAIL FROM:<x@y>\nDATA\n"),
    ("blank-lines", b"\n\n \n\t\n\n"),
];

/// Line lengths.
const LINES: &[(&str, usize)] = &[
    ("line-998", 998),
    ("line-2000", 2_000),
    ("line-70000", 70_000),
];

/// Line ends of a batch, and what some receiver takes for the end of content there. The numbers are those of the table.
const SMUGGLED: &[(&str, &str, &str)] = &[
    ("b18-crlf", "\r\n", "\n.\r\n"),
    ("b19-crlf", "\r\n", "\r.\r"),
    ("b20-crlf", "\r\n", "\r\n.\n"),
    ("b21-crlf", "\r\n", "\n.\n"),
    ("b22-crlf", "\r\n", "\r.\r\n"),
    ("half-crlf", "\r\n", "\r\n.\r"),
    ("b18-lf", "\n", "\n.\r\n"),
    ("b19-lf", "\n", "\r.\r"),
    ("crlf-lf", "\n", "\r\n.\r\n"),
    ("b22-lf", "\n", "\r.\r\n"),
    ("half-lf", "\n", "\r\n.\r"),
];

/// What the sequence is to bring in; the dot that ends the letter would end it.
const EVIL: &str =
    "MAIL FROM:<evil@home.example>\nRCPT TO:<carl@hub.example>\nDATA\nX-Number: evil\n\nsmuggled\n";

/// One row for each kind of content.
pub(super) fn rows(tag: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = BODIES
        .iter()
        .map(|(name, body)| plain(tag, name, &[*body, b"last line\n"].concat()))
        .collect();
    for (name, length) in LINES {
        let body = [&vec![b'y'; *length][..], b"\nlast line\n"].concat();
        rows.push(plain(tag, name, &body));
    }
    rows.extend(
        SMUGGLED
            .iter()
            .map(|(name, eol, dot)| smuggled(tag, name, eol, dot)),
    );
    rows.push(bare_cr(tag));
    rows.push(header_of_megabytes(tag));
    rows.push(in_chunks(tag));
    rows.extend(compressed(tag));
    rows
}

fn row(name: &'static str, letter: Letter) -> Row {
    Row {
        name,
        input: letter.in_batch(),
        letters: vec![letter],
        end: Done,
    }
}

fn plain(tag: &str, name: &'static str, body: &[u8]) -> Row {
    row(name, letter(tag, name, "a", body))
}

/// A letter whose body holds the sequence and what follows it, as text; and a plain one behind it.
fn smuggled(tag: &str, name: &'static str, eol: &str, dot: &str) -> Row {
    let text = format!("x{dot}{}", EVIL.replace('\n', eol));
    let mut first = letter(tag, name, "a", b"");
    let second = letter(tag, name, "b", b"plain\n");
    let mut input = Vec::new();
    for (letter, body) in [(&first, text.as_str()), (&second, "")] {
        let plain = String::from_utf8(letter.in_batch()).expect("ASCII");
        let plain = plain.strip_suffix(".\n").expect("its dot");
        let whole = format!("{}{body}.{eol}", plain.replace('\n', eol));
        input.extend_from_slice(whole.as_bytes());
    }
    // Of a line that begins with a dot and goes on, the dot is dropped: it was put there for the way.
    let lines = text
        .split(eol)
        .map(|line| line.strip_prefix('.').unwrap_or(line));
    let content = without_cr(&lines.collect::<Vec<_>>().join("\n"));
    first.message.content.extend_from_slice(content.as_bytes());
    Row {
        name,
        input,
        letters: vec![first, second],
        end: Done,
    }
}

/// A CR that stands in no line end becomes a blank: no server takes it as it is.
fn bare_cr(tag: &str) -> Row {
    let body = "a\rbare\rcr\n\rx\n";
    let mut row = plain(tag, "bare-cr", body.as_bytes());
    row.letters = vec![letter(tag, "bare-cr", "a", without_cr(body).as_bytes())];
    row
}

/// What arrives of text with CRs.
fn without_cr(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', " ")
}

/// 3,000 fields, 2.7 MB.
fn header_of_megabytes(tag: &str) -> Row {
    let mut large = letter(tag, "header-of-megabytes", "a", b"");
    let content = &mut large.message.content;
    content.pop();
    let filler = format!("X-Filler: {}\n", "f".repeat(890)).repeat(3_000);
    content.extend_from_slice(filler.as_bytes());
    content.extend_from_slice(b"\nbody\n");
    let mut row = row("header-of-megabytes", large);
    let next = letter(tag, "header-of-megabytes", "b", b"plain\n");
    row.input.extend(next.in_batch());
    row.letters.push(next);
    row
}

fn in_chunks(tag: &str) -> Row {
    let letter = letter(tag, "chunks", "a", b".\n..\nlast line\n");
    let text = letter.in_batch();
    let envelope = &text[..text.len() - dotted(&letter).len() - b"DATA\n".len()];
    let (one, two) = letter.message.content.split_at(40);
    let chunk =
        |bytes: &[u8], last| [format!("BDAT {}{last}\n", bytes.len()).as_bytes(), bytes].concat();
    Row {
        input: [envelope, &chunk(one, ""), &chunk(two, " LAST")].concat(),
        ..row("chunks", letter)
    }
}

fn compressed(tag: &str) -> Vec<Row> {
    let of = |name, end: End, damage: fn(&mut Vec<u8>)| {
        let letter = letter(tag, name, "a", b"compressed\n");
        let mut input = gzip(&letter.in_batch());
        damage(&mut input);
        let mut row = Row {
            input,
            end,
            ..row(name, letter)
        };
        if end != Done {
            row.letters[0].fates.fill(Fate::Silent);
        }
        row
    };
    let bomb = Row {
        name: "bomb",
        input: gzip(&vec![0; 100 << 20]),
        letters: Vec::new(),
        end: Aside,
    };
    vec![
        of("gzip", Done, |_| {}),
        of("gzip-cut", Stays, |input| input.truncate(input.len() / 2)),
        of("gzip-damaged", Aside, |input| {
            let middle = input.len() / 2;
            input[middle] ^= 0x55;
        }),
        bomb,
    ]
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), Compression::Gzip, None, None).expect("an encoder");
    encoder.write_all(text).expect("its input");
    encoder.finish().expect("its end")
}
