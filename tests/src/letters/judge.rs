//! What became of each letter, for each of its recipients.

use std::collections::BTreeMap;

use super::{Fate, Letter};
use crate::mail_host::Arrival;

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
            let actions: Vec<String> = about
                .iter()
                .filter_map(|report| action(report, recipient))
                .collect();
            let told = actions.len();
            let is_told_of =
                |expected: &[&str]| actions.iter().all(|a| expected.contains(&a.as_str()));
            let is_good = match fate {
                Fate::Arrives => (got.len(), told) == (1, 0),
                Fate::Refused => (got.len(), told) == (0, 1) && is_told_of(&["failed"]),
                Fate::Either => got.len() + told == 1 && is_told_of(&["failed"]),
                Fate::Confirmed => {
                    (got.len(), told) == (1, 1) && is_told_of(&["delivered", "relayed"])
                }
                Fate::Silent | Fate::Aside => (got.len(), told) == (0, 0),
            };
            if !is_good {
                verdict.wrong.push(format!(
                    "{} for {recipient} ({fate:?}): {} copies, reports {actions:?}",
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

/// What a report says that became of a recipient, if it speaks of him.
fn action(report: &Arrival, recipient: &str) -> Option<String> {
    let recipient = plain(recipient);
    // What is not ASCII is written in several ways.
    let ascii = recipient.rsplit(|c: char| !c.is_ascii()).next();
    let is_it = |address: &str| match ascii {
        Some(tail) if tail.len() < recipient.len() => address.ends_with(tail),
        _ => address == recipient,
    };
    let text = String::from_utf8_lossy(&report.content).replace('\r', "");
    let value = |group: &str, name: &str| {
        let lines = group.lines().filter_map(|line| line.split_once(':'));
        let mut values = lines.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.trim().to_owned())
    };
    text.split("\n\n").find_map(|group| {
        let who = value(group, "final-recipient")?;
        let (_, address) = who.split_once(';').unwrap_or(("", &who));
        // Behind the word there may be a comment.
        let action = value(group, "action").unwrap_or_default();
        let word = action.split(' ').next().unwrap_or_default();
        is_it(&plain(address.trim())).then(|| word.to_owned())
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
