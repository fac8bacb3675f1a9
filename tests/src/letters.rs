//! Letters with everything in them that some program on the way has split, dropped, run or taken for an option; and the
//! judge of what became of each.

mod awkward;

use std::collections::BTreeMap;
use std::path::Path;

pub use awkward::awkward;

use crate::mail_host::Arrival;
use crate::node::walk;
use crate::payload::Random;
use crate::smtp::Message;

/// Which domain letters go from, and to which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The domain of senders.
    pub home: &'static str,
    /// The domain of recipients.
    pub there: &'static str,
}

/// From a domain that every mail host has, so that reports find their way from anywhere.
pub const FROM_HOME: Route = Route {
    home: "home.example",
    there: "hub.example",
};

/// What shall become of a letter for one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It arrives, once.
    Arrives,
    /// It is refused, and the sender is told, once.
    Refused,
    /// It arrives or is refused, once: not every MTA takes such an address.
    Either,
    /// It does not arrive, and nobody is told.
    Silent,
}

/// A message, and its fates.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Its `X-Number`.
    pub number: String,
    /// The message.
    pub message: Message,
    /// One for each recipient.
    pub fates: Vec<Fate>,
}

/// Local parts that a UUCP command line carries, and every MTA takes.
const ODD: &[&str] = &[
    "o'brien",
    "$HOME",
    "`id`",
    "*",
    "=cut=",
    "{x}",
    "#1",
    "a&b",
    "a/b=c",
    "~root",
    "UPPER.lower",
];

/// Local parts that a UUCP command line carries, and that some MTA refuses.
const ODDER: &[&str] = &["x!y", "u%h", "-dash", "a|b", "žofie"];

/// Local parts that no UUCP command line carries.
const QUOTED: &[&str] = &[
    r#""a b""#,
    r#""p(q)""#,
    r#""x)y""#,
    r#""back\\slash""#,
    r#""quo\"te""#,
];

/// Local parts of senders.
const SENDERS: &[&str] = &["o'brien", "-evil", "a+b", "$USER", "MAILER-DAEMONX"];

impl Letter {
    /// A letter with a header that names `number`.
    pub fn new(
        number: &str,
        route: Route,
        sender: &str,
        recipients: &[(&str, Fate)],
        body: &[u8],
    ) -> Self {
        let Route { home, there } = route;
        let header = format!(
            "From: Ann <ann@{home}>\nTo: someone@{there}\nSubject: letter {number}\n\
             Date: Fri, 20 Nov 2026 12:00:00 +0000\nMessage-ID: <{number}@{home}>\nX-Number: {number}\n\n"
        );
        let at = |local: &str, domain: &str| match local {
            "" => String::new(),
            local => format!("{local}@{domain}"),
        };
        Self {
            number: number.to_owned(),
            message: Message {
                sender: at(sender, home),
                recipients: recipients.iter().map(|(name, _)| at(name, there)).collect(),
                content: [header.as_bytes(), body].concat(),
            },
            fates: recipients.iter().map(|(_, fate)| *fate).collect(),
        }
    }

    /// The body alone.
    pub fn body(&self) -> &[u8] {
        let content = &self.message.content;
        let end = content.windows(2).position(|pair| pair == b"\n\n");
        &content[end.expect("a header") + 2..]
    }

    /// As a neighbour's rmail gets it: a `From ` line, then the message.
    pub fn with_from_line(&self) -> Vec<u8> {
        let sender = match self.message.sender.as_str() {
            "" => "<>",
            sender => sender,
        };
        let line = format!("From {sender} Fri Nov 20 12:00:00 2026\n");
        [line.as_bytes(), &self.message.content].concat()
    }

    /// As a transaction of batched SMTP: no greeting, no end, lines ended by LF.
    pub fn in_batch(&self) -> Vec<u8> {
        let message = &self.message;
        let mut text = format!("MAIL FROM:<{}>\n", message.sender).into_bytes();
        for recipient in &message.recipients {
            text.extend(format!("RCPT TO:<{recipient}>\n").into_bytes());
        }
        text.extend_from_slice(b"DATA\n");
        for line in message.content.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b".") {
                text.push(b'.');
            }
            text.extend_from_slice(line);
        }
        text.extend_from_slice(b".\n");
        text
    }
}

/// One letter of every kind; their numbers begin with `tag`.
pub fn of_every_kind(tag: &str, route: Route) -> Vec<Letter> {
    use Fate::{Arrives, Either, Refused, Silent};
    let mut letters = Vec::new();
    let mut add = |sender: &str, recipients: &[(&str, Fate)], body: &[u8]| {
        let number = format!("{tag}-{}", letters.len());
        letters.push(Letter::new(&number, route, sender, recipients, body));
    };
    let bob = [("bob", Arrives)];
    add("ann", &bob, b"plain\n");
    add("", &bob, b"a report, for all one knows\n");
    let mut latin: Vec<u8> = (0x80..=0xff).collect();
    latin.push(b'\n');
    add("ann", &bob, &latin);
    add(
        "ann",
        &bob,
        b".\n..\nFrom here\n>From there\n.From\n \n\n\nTo: nobody\n\n",
    );
    let fifty: Vec<String> = (0..50).map(|k| format!("r{k:02}")).collect();
    let fifty: Vec<(&str, Fate)> = fifty.iter().map(|name| (name.as_str(), Arrives)).collect();
    add("ann", &fifty, b"for fifty\n");
    for odd in ODD {
        add("ann", &[(odd, Arrives), ("bob", Arrives)], b"odd\n");
    }
    for odd in ODDER {
        add("ann", &[(odd, Either), ("bob", Arrives)], b"odder\n");
    }
    for sender in SENDERS {
        add(sender, &bob, b"from somebody odd\n");
    }
    add(
        "ann",
        &[("bob", Arrives), ("unknown", Refused), ("carl", Arrives)],
        b"for one too many\n",
    );
    add("ann", &[("unknown", Refused)], b"for nobody\n");
    add("", &[("unknown", Silent)], b"from nobody for nobody\n");
    let mut random = Random::new(11);
    let long: Vec<u8> = random
        .bytes(600)
        .into_iter()
        .map(|byte| {
            if matches!(byte, 0 | b'\r' | b'\n') {
                b'.'
            } else {
                byte
            }
        })
        .chain(*b"\n")
        .collect();
    add("ann", &bob, &long.repeat(5));
    letters
}

/// What [`of_every_kind`] leaves out: letters for `later@`, who shall come again until a generous day, and for recipients that only
/// a batch carries.
pub fn of_patience(tag: &str, route: Route) -> Vec<Letter> {
    use Fate::{Arrives, Either};
    let later = [("later", Arrives), ("bob", Arrives)];
    let number = |count: usize| format!("{tag}-p{count}");
    let mut letters = vec![
        Letter::new(&number(0), route, "ann", &later, b"patience\n"),
        Letter::new(&number(1), route, "", &later[..1], b"patience\n"),
    ];
    for quoted in QUOTED {
        let recipients = [(*quoted, Either), ("bob", Arrives)];
        let number = number(letters.len());
        letters.push(Letter::new(&number, route, "ann", &recipients, b"quoted\n"));
    }
    let number = number(letters.len());
    letters.push(Letter::new(
        &number,
        route,
        "\u{17e}ofie",
        &[("bob", Either)],
        b"from Zofie\n",
    ));
    letters
}

/// What was found wrong, in lines.
#[derive(Debug, Default)]
pub struct Verdict {
    wrong: Vec<String>,
}

impl Verdict {
    /// Panics with what was wrong, if anything was.
    #[track_caller]
    pub fn expect_good(&self, what: &str) {
        assert!(
            self.wrong.is_empty(),
            "{what}: {} wrong:\n{}",
            self.wrong.len(),
            self.wrong[..self.wrong.len().min(30)].join("\n")
        );
    }
}

/// Compares what arrived, at whatever host, with what was sent.
pub fn judge(letters: &[Letter], arrivals: &[Arrival]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut found: BTreeMap<(&str, String), Vec<&Arrival>> = BTreeMap::new();
    let mut reports: BTreeMap<String, Vec<&Arrival>> = BTreeMap::new();
    let by_number: BTreeMap<&str, &Letter> = letters
        .iter()
        .map(|letter| (letter.number.as_str(), letter))
        .collect();
    for arrival in arrivals {
        let number = arrival.field("X-Number");
        match number.as_deref().and_then(|number| by_number.get(number)) {
            Some(letter) => found
                .entry((&letter.number, plain(&arrival.recipient)))
                .or_default()
                .push(arrival),
            // What nobody else can be told the MTA tells its postmaster.
            None if arrival.recipient.starts_with("postmaster@") => {}
            None => reports
                .entry(reported_number(arrival).unwrap_or_default())
                .or_default()
                .push(arrival),
        }
    }
    for letter in letters {
        let about = reports.remove(&letter.number).unwrap_or_default();
        for (recipient, fate) in letter.message.recipients.iter().zip(&letter.fates) {
            let got = found
                .remove(&(letter.number.as_str(), plain(recipient)))
                .unwrap_or_default();
            let told = about
                .iter()
                .filter(|report| mentions(report, recipient))
                .count();
            let is_good = match fate {
                Fate::Arrives => (got.len(), told) == (1, 0),
                Fate::Refused => (got.len(), told) == (0, 1),
                Fate::Either => got.len() + told == 1,
                Fate::Silent => (got.len(), told) == (0, 0),
            };
            if !is_good {
                verdict.wrong.push(format!(
                    "{} for {recipient} ({fate:?}): {} copies, {told} reports",
                    letter.number,
                    got.len()
                ));
            }
            for arrival in got {
                if let Some(wrong) = difference(letter, arrival) {
                    verdict
                        .wrong
                        .push(format!("{} for {recipient}: {wrong}", letter.number));
                }
            }
        }
        let strangers = about
            .iter()
            .filter(|report| plain(&report.recipient) != letter.message.sender);
        verdict.wrong.extend(
            strangers
                .map(|report| format!("a report about {} to {}", letter.number, report.recipient)),
        );
        let not_null = about.iter().filter(|report| !report.sender.is_empty());
        verdict.wrong.extend(
            not_null
                .map(|report| format!("a report about {} from {}", letter.number, report.sender)),
        );
    }
    let strangers = found
        .keys()
        .map(|(number, to)| format!("nobody sent {number} to {to}"));
    verdict.wrong.extend(strangers);
    verdict
}

fn difference(letter: &Letter, arrival: &Arrival) -> Option<String> {
    if plain(&arrival.sender) != letter.message.sender {
        return Some(format!(
            "sender {:?} instead of {:?}",
            arrival.sender, letter.message.sender
        ));
    }
    (arrival.body() != letter.body()).then(|| {
        let shown = |bytes: &[u8]| bytes[..bytes.len().min(120)].escape_ascii().to_string();
        format!(
            "body {} instead of {}",
            shown(arrival.body()),
            shown(letter.body())
        )
    })
}

/// The letter that a delivery report is about.
fn reported_number(arrival: &Arrival) -> Option<String> {
    let text = String::from_utf8_lossy(&arrival.content);
    text.contains("message/delivery-status").then_some(())?;
    let line = text.lines().rfind(|line| line.starts_with("X-Number: "))?;
    Some(line["X-Number: ".len()..].to_owned())
}

fn mentions(report: &Arrival, recipient: &str) -> bool {
    let recipient = plain(recipient);
    // What is not ASCII is written in several ways.
    let ascii = recipient.rsplit(|c: char| !c.is_ascii()).next();
    let is_it = |address: &str| match ascii {
        Some(tail) if tail.len() < recipient.len() => address.ends_with(tail),
        _ => address == recipient,
    };
    let text = String::from_utf8_lossy(&report.content);
    let mut lines = text.lines();
    lines.any(|line| {
        line.split_once(':').is_some_and(|(field, value)| {
            let (_, address) = value.split_once(';').unwrap_or(("", value));
            let address = address.trim();
            field.eq_ignore_ascii_case("final-recipient") && is_it(&plain(address))
        })
    })
}

/// An address without quotes and what they take: `"-dash"@x` is `-dash@x`, `"a b"@x` is `a b@x`.
fn plain(address: &str) -> String {
    let Some((local, domain)) = address
        .strip_prefix('"')
        .and_then(|rest| rest.rsplit_once("\"@"))
    else {
        return address.to_owned();
    };
    let mut meant = String::new();
    let mut letters = local.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => meant.extend(letters.next()),
            _ => meant.push(letter),
        }
    }
    format!("{meant}@{domain}")
}

/// How many of these nobody gets, and nobody can be told about: a receiver sets them aside.
pub fn untold(letters: &[Letter]) -> usize {
    let is_untold = |letter: &&Letter| letter.fates.iter().all(|fate| *fate == Fate::Silent);
    letters.iter().filter(is_untold).count()
}

/// How many messages a node's receivers have set aside.
pub fn set_aside(spool: &Path) -> usize {
    let mut count = 0;
    walk(&spool.join(".Mail/aside"), &mut |_| count += 1);
    count
}
