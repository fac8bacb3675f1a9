//! Letters with everything in them that some program on the way has split, dropped, run or taken for an option; and the
//! judge of what became of each.

mod awkward;
mod judge;

use std::path::Path;

pub use awkward::awkward;
pub use judge::{Verdict, judge};

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
    /// It arrives, and the sender is told so, as he has asked; each once.
    Confirmed,
    /// It does not arrive, and nobody is told.
    Silent,
    /// It does not arrive, nobody can be told, and it is set aside.
    Aside,
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
        self.message.in_batch()
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
