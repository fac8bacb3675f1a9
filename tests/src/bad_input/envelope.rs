//! Envelopes: parameters, addresses in every spelling, and what is no address.

use super::End::Done;
use super::{Row, dotted, letter};
use crate::letters::Fate::{self, Arrives, Aside, Confirmed, Refused, Silent};

/// The line MAIL, the sender that it means, and the lines RCPT; each with the recipient that it means, and his fate.
struct Envelope {
    name: &'static str,
    mail: &'static str,
    sender: &'static str,
    recipients: &'static [(&'static str, &'static str, Fate)],
}

const ANN: &str = "ann@home.example";
const BOB: &str = "bob@hub.example";
const UNKNOWN: &str = "unknown@hub.example";
const FROM_ANN: &str = "MAIL FROM:<ann@home.example>";
const TO_BOB: (&str, &str, Fate) = ("RCPT TO:<bob@hub.example>", BOB, Arrives);
const TO_UNKNOWN: (&str, &str, Fate) = ("RCPT TO:<unknown@hub.example>", UNKNOWN, Refused);

const ENVELOPES: &[Envelope] = &[
    from_ann("unknown-alone", &[TO_UNKNOWN]),
    from_ann("unknown-first", &[TO_UNKNOWN, TO_BOB]),
    Envelope {
        name: "unknown-from-nobody",
        mail: "MAIL FROM:<>",
        sender: "",
        recipients: &[("RCPT TO:<unknown@hub.example>", UNKNOWN, Aside), TO_BOB],
    },
    Envelope {
        name: "size-and-body",
        mail: "MAIL FROM:<ann@home.example> SIZE=200 BODY=8BITMIME AUTH=<>",
        sender: ANN,
        recipients: &[TO_BOB],
    },
    Envelope {
        name: "size-of-no-number",
        mail: "MAIL FROM:<ann@home.example> SIZE=large X-OWN=1 =",
        sender: ANN,
        recipients: &[(
            "RCPT TO:<bob@hub.example> ORCPT=junk NOTIFY=SOMETIMES",
            BOB,
            Arrives,
        )],
    },
    Envelope {
        name: "smtputf8",
        mail: "MAIL FROM:<ann@home.example> SMTPUTF8",
        sender: ANN,
        recipients: &[TO_BOB],
    },
    from_ann(
        "utf8-address",
        &[
            ("RCPT TO:<žofie@hub.example>", "žofie@hub.example", Arrives),
            TO_BOB,
        ],
    ),
    from_ann(
        "notify-never",
        &[
            (
                "RCPT TO:<unknown@hub.example> NOTIFY=NEVER",
                UNKNOWN,
                Silent,
            ),
            TO_BOB,
        ],
    ),
    Envelope {
        name: "notify-success",
        mail: "MAIL FROM:<ann@home.example> RET=HDRS ENVID=QQ314159",
        sender: ANN,
        recipients: &[
            (
                "RCPT TO:<unknown@hub.example> NOTIFY=FAILURE",
                UNKNOWN,
                Refused,
            ),
            (
                "RCPT TO:<bob@hub.example> NOTIFY=SUCCESS ORCPT=rfc822;bob@hub.example",
                BOB,
                Confirmed,
            ),
        ],
    },
    from_ann("no-recipient", &[("NOOP", "\"no recipient\"", Refused)]),
    from_ann(
        "empty-recipient",
        &[("RCPT TO:<>", "\"<>\"", Refused), TO_BOB],
    ),
    from_ann(
        "no-to",
        &[
            ("RCPT <carl@hub.example>", "\"<carl@hub.example>\"", Refused),
            TO_BOB,
        ],
    ),
    from_ann(
        "words",
        &[
            ("RCPT TO:<a b c@hub.example>", "a b c@hub.example", Arrives),
            TO_BOB,
        ],
    ),
    from_ann(
        "same-twice",
        &[
            TO_BOB,
            ("RCPT TO:<carl@hub.example>", "carl@hub.example", Arrives),
            ("RCPT TO:<bob@hub.example>", "", Silent),
        ],
    ),
    Envelope {
        name: "no-from",
        mail: "MAIL <ann@home.example>",
        sender: "",
        recipients: &[TO_BOB],
    },
    Envelope {
        name: "no-mail",
        mail: "RSET",
        sender: "",
        recipients: &[TO_BOB],
    },
    Envelope {
        name: "source-routes",
        mail: "MAIL FROM:<@one.example,@two.example:ann@home.example>",
        sender: ANN,
        recipients: &[("RCPT TO:<@hub.example:bob@hub.example>", BOB, Arrives)],
    },
    Envelope {
        name: "no-brackets",
        mail: "mail from: ann@home.example",
        sender: ANN,
        recipients: &[("rcpt to: bob@hub.example", BOB, Arrives)],
    },
    from_ann(
        "bare-names",
        &[
            ("RCPT TO:<bob>", BOB, Arrives),
            ("RCPT TO:<hub!carl>", "carl@hub.example", Arrives),
        ],
    ),
];

const fn from_ann(
    name: &'static str,
    recipients: &'static [(&'static str, &'static str, Fate)],
) -> Envelope {
    Envelope {
        name,
        mail: FROM_ANN,
        sender: ANN,
        recipients,
    }
}

/// One row for each envelope.
pub(super) fn rows(tag: &str) -> Vec<Row> {
    ENVELOPES.iter().map(|envelope| envelope.row(tag)).collect()
}

impl Envelope {
    fn row(&self, tag: &str) -> Row {
        let mut letter = letter(tag, self.name, "a", b"an odd envelope\n");
        let lines = self.recipients.iter().map(|(line, _, _)| *line);
        let envelope: Vec<&str> = [self.mail].into_iter().chain(lines).collect();
        let head = envelope.join("\n") + "\nDATA\n";
        self.sender.clone_into(&mut letter.message.sender);
        let meant = self
            .recipients
            .iter()
            .filter(|(_, meant, _)| !meant.is_empty());
        (letter.message.recipients, letter.fates) = meant
            .map(|(_, meant, fate)| ((*meant).to_owned(), *fate))
            .unzip();
        Row {
            name: self.name,
            input: [head.as_bytes(), &dotted(&letter)].concat(),
            letters: vec![letter],
            end: Done,
        }
    }
}
