//! What Exim says when it ends a batch: a reply, and the line of the batch that it is about.
//!
//! ```text
//! An error was detected while processing a file of BSMTP input.
//! The error message was:
//!
//!   501 "@" or "." expected after "x"
//!
//! The SMTP transaction started in line 7.
//! The error was detected in line 9.
//! The SMTP command at fault was:
//!
//!    RCPT TO:<x y@hub.example>
//!
//! 1 previous message was successfully processed.
//! The rest of the batch was abandoned.
//! ```
//! The command is the sender's word, so what stands where it may reach is not believed by itself.

use crate::delivery::{Outcome, Reply};

/// What was wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The reply's class.
    class: u8,
    text: String,
    /// The batch's line, from 1.
    line: u64,
    /// How many messages were taken.
    taken: u64,
}

/// The message that was offered when the program ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Suspect {
    /// How many messages were taken before it.
    pub(super) taken: u64,
    /// How many lines there were before it.
    pub(super) lines: u64,
    pub(super) recipients: usize,
    /// The line of its final dot; `None`: it was not read.
    pub(super) dot: Option<u64>,
}

/// What the fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// What came before the message, which was not looked at.
    Before,
    /// The message: its sender, or its content.
    Message,
    /// One of its recipients.
    Recipient(usize),
    /// What comes behind it: the message itself was taken.
    Behind,
    /// The program contradicts itself.
    Unknown,
}

impl Fault {
    /// Reads what the program said, as one line.
    pub(super) fn parse(said: &str) -> Option<Self> {
        let (_, rest) = said.split_once("The error message was: ")?;
        let (text, rest) = rest.split_once(" The SMTP transaction started in line ")?;
        let (_, rest) = rest.split_once(" The error was detected in line ")?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some(Self {
            class: text.bytes().next()?.checked_sub(b'0')?,
            text: text.to_owned(),
            line: digits.parse().ok()?,
            taken: taken(rest),
        })
    }

    /// What it is about. MAIL is a message's first line, then come its recipients, DATA, content.
    pub(super) fn place(&self, suspect: Suspect) -> Place {
        if suspect.dot.is_some_and(|dot| self.line > dot) {
            return if self.taken > suspect.taken {
                Place::Behind
            } else {
                Place::Unknown
            };
        }
        if self.line <= suspect.lines {
            return Place::Before;
        }
        let number = self.line.checked_sub(suspect.lines + 2);
        match number.map(usize::try_from) {
            Some(Ok(index)) if index < suspect.recipients => Place::Recipient(index),
            _ => Place::Message,
        }
    }

    /// For good, or for now.
    pub(super) fn outcome(&self) -> Outcome {
        match self.class {
            5 => Outcome::Refused(Reply::new("5.0.0", self.text.clone())),
            _ => Outcome::Deferred(Reply::new("4.0.0", self.text.clone())),
        }
    }
}

/// The number of messages taken: the last that is said before the end.
fn taken(said: &str) -> u64 {
    let before = said.split(" The rest of the batch was abandoned.").next();
    let number = before
        .and_then(|text| text.rsplit_once(" previous message"))
        .and_then(|(text, _)| text.rsplit(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Exim 4.96 says, as one line.
    fn said(reply: &str, line: u64, command: &str, taken: &str) -> String {
        format!(
            "An error was detected while processing a file of BSMTP input. The error message was: {reply} The SMTP \
             transaction started in line 7. The error was detected in line {line}. {command} {taken}The rest of the batch was \
             abandoned. {reply} Transaction started in line 7 Error detected in line {line}"
        )
    }

    #[test]
    fn the_line_tells_what_the_fault_is_about() {
        let suspect = Suspect {
            taken: 1,
            lines: 8,
            recipients: 2,
            dot: Some(15),
        };
        let one = "1 previous message was successfully processed. ";
        let two = "2 previous messages were successfully processed. ";
        for (line, taken, place) in [
            (9, one, Place::Message),
            (10, one, Place::Recipient(0)),
            (11, one, Place::Recipient(1)),
            (12, one, Place::Message),
            (15, one, Place::Message),
            (16, two, Place::Behind),
            (16, one, Place::Unknown),
            (16, "", Place::Unknown),
            (8, one, Place::Before),
        ] {
            let fault = Fault::parse(&said("501 no", line, "", taken)).unwrap();
            assert_eq!(fault.place(suspect), place, "{line} {taken}");
        }
        let unsent = Suspect {
            dot: None,
            ..suspect
        };
        let fault = Fault::parse(&said("552 too big", 16, "", one)).unwrap();
        assert_eq!(fault.place(unsent), Place::Message);
    }

    #[test]
    fn a_reply_is_for_good_or_for_now() {
        let outcome = |reply| Fault::parse(&said(reply, 9, "", "")).unwrap().outcome();
        let refused = Reply::new("5.0.0", "501 \"@\" or \".\" expected after \"x\"");
        assert_eq!(
            outcome("501 \"@\" or \".\" expected after \"x\""),
            Outcome::Refused(refused)
        );
        assert!(matches!(outcome("452 no space"), Outcome::Deferred(_)));
    }

    #[test]
    fn the_senders_words_are_not_taken_for_the_programs() {
        let command = "RCPT TO:<9 previous messages were successfully processed.>";
        let one = "1 previous message was successfully processed. ";
        let fault = Fault::parse(&said("501 no", 16, command, one)).unwrap();
        assert_eq!(fault.taken, 1);
    }

    #[test]
    fn what_is_no_such_report_is_none() {
        for text in [
            "",
            "exim: insufficient disk space",
            "sendmail: fatal: unsupported: -bS",
            "Invalid operation mode S",
            "The error message was: 501 x",
            "The error message was: 501 x The SMTP transaction started in line 1. The error was detected in line x",
        ] {
            assert_eq!(Fault::parse(text), None, "{text}");
        }
    }
}
