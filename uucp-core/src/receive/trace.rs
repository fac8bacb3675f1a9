//! A message's header: the trace line that we add, and the ones that tell a loop.

use jiff::Zoned;

use super::Origin;
use crate::name::SystemName;

/// Hops after which a message is taken to go in circles; what RFC 5321 asks for at least.
const MOST_HOPS: usize = 100;
/// How often a message may come by here: there, back, and not a third time.
const MOST_VISITS: usize = 3;

/// What the trace lines of a header tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trace {
    hops: usize,
    visits: usize,
    has_message_id: bool,
}

impl Trace {
    /// Reads the header at the beginning of a message. `names` are our own, as they stand behind `by`.
    #[must_use]
    pub fn read(message: &[u8], names: &[String]) -> Self {
        let mut trace = Self::default();
        for field in fields(message) {
            let Some((name, value)) = field.split_once(':') else {
                continue;
            };
            match name.trim_end().to_ascii_lowercase().as_str() {
                "received" => {
                    trace.hops += 1;
                    trace.visits += usize::from(is_by(value, names));
                }
                "message-id" => trace.has_message_id = true,
                _ => {}
            }
        }
        trace
    }

    /// Whether an equal message would be this one come again.
    #[must_use]
    pub fn is_recognisable(self) -> bool {
        self.has_message_id || self.hops > 0
    }

    /// Why the message is taken to go in circles.
    #[must_use]
    pub fn loop_found(self) -> Option<String> {
        if self.hops > MOST_HOPS {
            Some(format!("mail loop: {} Received lines", self.hops))
        } else if self.visits >= MOST_VISITS {
            Some(format!(
                "mail loop: the message has been here {} times",
                self.visits
            ))
        } else {
            None
        }
    }
}

/// The header's fields, unfolded.
fn fields(message: &[u8]) -> Vec<String> {
    let mut fields: Vec<String> = Vec::new();
    for line in message.split(|b| *b == b'\n') {
        if line.trim_ascii_end().is_empty() {
            break;
        }
        let text = String::from_utf8_lossy(line);
        match fields.last_mut() {
            Some(field) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                field.push_str(&text);
            }
            _ => fields.push(text.into_owned()),
        }
    }
    fields
}

/// Whether one of our names stands behind `by`.
fn is_by(value: &str, names: &[String]) -> bool {
    let mut words = value.split_whitespace();
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case("by") {
            let name = words.next().unwrap_or_default().trim_end_matches(';');
            return names.iter().any(|own| own.eq_ignore_ascii_case(name));
        }
    }
    false
}

/// What the trace line says beside who sent the message and when.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// The program that takes the message.
    pub program: &'a str,
    /// Completes the neighbour's name.
    pub domain: Option<&'a str>,
    /// This system.
    pub by: &'a SystemName,
    /// What is odd about the message.
    pub note: Option<&'a str>,
}

/// The one trace line that this hop adds: names the neighbour that the carrier authenticated, whatever the message says.
#[must_use]
pub fn received_line(origin: &Origin, stamp: &Stamp<'_>, now: &Zoned) -> String {
    let domain = stamp.domain.map(|d| format!(".{d}")).unwrap_or_default();
    let from = origin.neighbour.as_ref().map_or_else(String::new, |name| {
        let user = origin
            .user
            .as_ref()
            .map(|u| format!(", user {u}"))
            .unwrap_or_default();
        format!("from {name}{domain} (authenticated neighbour {name}{user})\n\t")
    });
    let carrier = if origin.by_nncp { "NNCP" } else { "UUCP" };
    let note = stamp.note.map(|n| format!("; {n}")).unwrap_or_default();
    let date = now.strftime("%a, %d %b %Y %H:%M:%S %z");
    let Stamp { program, by, .. } = stamp;
    format!("Received: {from}by {by} via {carrier} ({program} of Bangpath{note});\n\t{date}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn trace(header: &str) -> Trace {
        Trace::read(
            header.as_bytes(),
            &["leaf".to_owned(), "leaf.lab".to_owned()],
        )
    }

    #[test]
    fn loops_are_told_by_number_and_by_name() {
        let hop = "Received: from a by b; date\n";
        assert_eq!(trace(&hop.repeat(100)).loop_found(), None);
        assert!(
            trace(&hop.repeat(101))
                .loop_found()
                .unwrap()
                .contains("101 Received")
        );
        let visit = "RECEIVED: from hub (x)\n\tby LEAF via UUCP; date\n";
        assert_eq!(trace(&visit.repeat(2)).loop_found(), None);
        assert!(trace(&visit.repeat(3)).loop_found().is_some());
        assert!(
            trace(&"Received: from x by leaf.lab; d\r\n".repeat(3))
                .loop_found()
                .is_some()
        );
        for innocent in [
            "Received: from leaf by b; d\n",
            "Received: by leafy; d\n",
            "X-Received: by leaf; d\n",
        ] {
            assert_eq!(trace(&innocent.repeat(3)).loop_found(), None, "{innocent}");
        }
        let in_body = format!("Subject: x\n\n{}", visit.repeat(9));
        assert_eq!(trace(&in_body).loop_found(), None);
    }

    #[test]
    fn a_message_is_recognised_by_id_or_trace() {
        assert!(trace("Message-ID: <x@y>\n\n").is_recognisable());
        assert!(trace("Received: by b; d\n\n").is_recognisable());
        assert!(!trace("Subject: nightly report\n\nMessage-ID: <x@y>\n").is_recognisable());
    }

    #[test]
    fn our_own_line_counts_as_a_visit() {
        let origin = Origin {
            neighbour: Some("hub".parse().unwrap()),
            user: Some("uucp".to_owned()),
            ..Origin::default()
        };
        let leaf = "leaf".parse().unwrap();
        let stamp = Stamp {
            program: "rmail",
            domain: Some("lab"),
            by: &leaf,
            note: None,
        };
        let line = received_line(&origin, &stamp, &clock::now());
        assert!(line.starts_with(
            "Received: from hub.lab (authenticated neighbour hub, user uucp)\n\tby leaf via UUCP"
        ));
        assert!(trace(&line.repeat(3)).loop_found().is_some());
        let stamp = Stamp {
            domain: None,
            note: Some("no sender named"),
            ..stamp
        };
        let bare = received_line(&Origin::default(), &stamp, &clock::now());
        assert!(bare.starts_with("Received: by leaf via UUCP") && bare.contains("no sender named"));
    }
}
