//! Every input on which some receiver has lost mail, doubled it or cut it, through rsmtp into each real MTA: by its port and by its
//! command, under uuxqt and under nncp-toss, each three times.
//!
//! ```text
//! rows of suite_tests::bad_input ─┬─ LF ──── uuxqt ───── x 3 ─┬─ rsmtp ─ Postfix, Exim, Sendmail, OpenSMTPD ─ mailboxes
//!                                 └─ CRLF ── nncp-toss ─ x 3 ─┘
//! ```
//! What arrives is compared with its envelope and every byte of its body; so is what stays, and what is set aside.
//! What an MTA itself does to what it takes is told with its test.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use suite_tests::bad_input::{End, Row, rows};
use suite_tests::letters::{Fate, Letter, judge};
use suite_tests::mail_host::{Arrival, Exim, Mta, OpenSmtpd, Postfix, Sendmail};
use suite_tests::peers::Layer;
use suite_tests::peers_with_or_skip;
use suite_tests::process;
use suite_tests::receiving::{Carrier, Scene, Way};

/// What an MTA does to a letter of a row that comes to it in this way.
type Manners = fn(&str, Way, &mut Letter);

fn every_row(test: &str, mta: &dyn Mta, manners: Manners) {
    let Some(peers) = peers_with_or_skip(test, &[mta.layer(), Layer::Nncp]) else {
        return;
    };
    let scene = Scene::new(peers, mta);
    let mut all = Vec::new();
    let mut aside: [Aside; 2] = Default::default();
    for way in [Way::Smtp, Way::Command] {
        let brought = bring_rows(&scene, way);
        for (rows, aside) in brought.into_iter().zip(&mut aside) {
            aside.add_inputs(&rows);
            for row in rows {
                for mut letter in row.letters {
                    manners(row.name, way, &mut letter);
                    aside.add_message(&letter);
                    all.push(letter);
                }
            }
        }
    }
    scene.wait_for_deliveries(&all);
    let arrivals = scene.host.arrivals();
    judge(&all, &arrivals).expect_good(test);
    for (carrier, aside) in [Carrier::Uucp, Carrier::Nncp].into_iter().zip(aside) {
        assert_eq!(
            scene.set_aside(carrier, ".batch"),
            sorted(aside.inputs),
            "{carrier:?}"
        );
        let messages = scene.set_aside(carrier, ".eml");
        let numbers = messages.iter().map(|message| number_of(message));
        assert_eq!(
            sorted(numbers.collect()),
            sorted(aside.messages),
            "{carrier:?}"
        );
    }
    // For each carrier, which are two neighbours, one about inputs and one about messages.
    let is_note =
        |arrival: &&Arrival| arrival.field("Subject").as_deref() == Some("UUCP mail set aside");
    let notes = arrivals.iter().filter(is_note);
    assert_eq!(notes.count(), 4, "notes to the postmaster");
    let log = process::lossy(&scene.hub.path("log/Log"));
    assert!(log.contains("set aside as"), "{log}");
    assert!(!log.contains("): 5."), "told twice: {log}");
}

/// Brings every row by UUCP and by NNCP, and checks what stays; at last nothing does.
fn bring_rows(scene: &Scene<'_>, way: Way) -> [Vec<Row>; 2] {
    scene.hand_over_by(way);
    let by_uucp = rows(&format!("{way:?}-uucp"));
    let by_nncp = match way {
        Way::Smtp => rows("Smtp-nncp"),
        // What is handed over does not depend on what has brought it.
        Way::Command => Vec::new(),
    };
    let by_nncp: Vec<Row> = by_nncp.into_iter().map(Row::in_crlf).collect();
    scene.bring_three_times(&inputs(&by_uucp, None), &inputs(&by_nncp, None));
    let stay = inputs(&by_uucp, Some(End::Stays));
    assert_eq!(scene.inputs_that_stay(), sorted(stay), "{way:?}");
    let stay = inputs(&by_nncp, Some(End::Stays));
    assert_eq!(scene.packets_that_stay(), stay.len(), "{way:?}");
    scene.lose_patience();
    scene.run_once();
    scene.expect_done();
    assert_eq!(scene.kept(), 0, "kept");
    [by_uucp, by_nncp]
}

/// What is to be set aside of one neighbour's.
#[derive(Default)]
struct Aside {
    inputs: Vec<Vec<u8>>,
    messages: Vec<String>,
}

impl Aside {
    /// What cannot be understood, each time that it comes; and, once, what was waited for long enough.
    fn add_inputs(&mut self, rows: &[Row]) {
        for row in rows {
            let times = match row.end {
                End::Done => 0,
                End::Stays => 1,
                End::Aside => 3,
            };
            self.inputs.extend(vec![row.input.clone(); times]);
        }
    }

    fn add_message(&mut self, letter: &Letter) {
        if letter.fates.contains(&Fate::Aside) {
            self.messages.push(letter.number.clone());
        }
    }
}

/// The inputs of the rows that end so, or of all.
fn inputs(rows: &[Row], end: Option<End>) -> Vec<&[u8]> {
    let chosen = rows
        .iter()
        .filter(|row| end.is_none_or(|end| end == row.end));
    chosen.map(|row| row.input.as_slice()).collect()
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values
}

fn number_of(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("X-Number: "));
    line.expect("a number").to_owned()
}

/// Postfix takes everything. Its command is not told who wants to be told of what, and completes addresses itself.
#[test]
fn postfix() {
    every_row(
        "bad input: Postfix",
        &Postfix::default(),
        |row, way, letter| match (row, way) {
            ("notify-never", Way::Command) => letter.fates[0] = Fate::Refused,
            ("unknown-from-nobody", Way::Command) => letter.fates[0] = Fate::Silent,
            ("bare-names", Way::Command) => letter.message.recipients = names(""),
            _ => {}
        },
    );
}

/// Exim keeps all as it is.
#[test]
fn exim() {
    let trusting = Exim {
        main: "trusted_users = uucp\n",
        ..Exim::default()
    };
    every_row("bad input: Exim", &trusting, |_, _, _| {});
}

/// Sendmail knows no SMTPUTF8 and takes 1 MB of header. What its command takes it folds where a line is too long for a server.
#[test]
fn sendmail() {
    every_row(
        "bad input: Sendmail",
        &Sendmail::default(),
        |row, way, letter| match (row, way) {
            ("utf8-address", _) => letter.fates[0] = Fate::Refused,
            ("header-of-megabytes", _) if letter.number.ends_with('a') => {
                letter.fates[0] = Fate::Refused;
            }
            ("unknown-from-nobody", Way::Command) => letter.fates[0] = Fate::Silent,
            ("line-70000", Way::Command) => fold(letter, 2_039, 2_047, "!\n "),
            _ => {}
        },
    );
}

/// OpenSMTPD knows no SMTPUTF8, takes no blanks in addresses even where they are quoted, ends a line at a NUL, and takes no line of
/// 70,000 bytes. Its command completes addresses itself, and makes what has long lines quoted-printable.
#[test]
fn opensmtpd() {
    every_row(
        "bad input: OpenSMTPD",
        &OpenSmtpd::default(),
        |row, way, letter| match (row, way) {
            ("utf8-address" | "words", _) | ("line-70000", Way::Smtp) => {
                letter.fates[0] = Fate::Refused;
            }
            ("nul", Way::Smtp) => change(letter, "\0inside", ""),
            ("nul", Way::Command) => change(letter, "\0inside\n", ""),
            ("line-998" | "line-2000" | "line-70000", Way::Command) => fold(letter, 75, 75, "=\n"),
            ("bare-names", Way::Command) => letter.message.recipients = names("@mail.hub.example"),
            _ => {}
        },
    );
}

fn names(domain: &str) -> Vec<String> {
    ["bob", "carl"]
        .iter()
        .map(|name| format!("{name}{domain}"))
        .collect()
}

fn change(letter: &mut Letter, from: &str, to: &str) {
    let content = String::from_utf8(letter.message.content.clone()).expect("ASCII");
    assert!(content.contains(from));
    letter.message.content = content.replace(from, to).into_bytes();
}

/// Breaks the first line of a body: behind `first` bytes, then after every `more`.
fn fold(letter: &mut Letter, first: usize, more: usize, mark: &str) {
    let body = String::from_utf8(letter.body().to_vec()).expect("ASCII");
    let (line, rest) = body.split_once('\n').expect("a line");
    let mut folded = line[..first].to_owned();
    for at in (first..line.len()).step_by(more) {
        folded += mark;
        folded += &line[at..line.len().min(at + more)];
    }
    let header = letter.message.content.len() - body.len();
    letter.message.content.truncate(header);
    let body = format!("{folded}\n{rest}");
    letter.message.content.extend_from_slice(body.as_bytes());
}
