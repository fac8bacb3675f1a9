//! Plain notes to people, from the system itself: what happened, and where to look.
//!
//! They are queued durably for a delivery that comes later, so that no MTA that hangs keeps what they are about. They have
//! the null sender: nothing is ever reported about them.

use jiff::Zoned;

use crate::address::Address;
use crate::clock;
use crate::config::mail::MailConfig;
use crate::name::SystemName;
use crate::spool::{LocalMailDraft, Spool, SpoolError};

/// Queues a note.
///
/// # Errors
/// When it cannot be queued.
pub fn queue_note(
    spool: &Spool,
    mail: &MailConfig,
    to: &[u8],
    subject: &str,
    text: &str,
) -> Result<(), SpoolError> {
    let content = message(spool.nodename(), mail, to, subject, text, &clock::now());
    spool.enqueue_local_mail(&LocalMailDraft {
        sender: b"",
        recipients: &[to.to_vec()],
        content: &content,
    })
}

/// Queues a note to the postmaster of this system.
///
/// # Errors
/// When it cannot be queued.
pub fn tell_postmaster(
    spool: &Spool,
    mail: &MailConfig,
    subject: &str,
    text: &str,
) -> Result<(), SpoolError> {
    queue_note(spool, mail, postmaster(mail), subject, text)
}

/// A note to the postmaster of this system, for who queues it together with what it is about.
#[must_use]
pub fn postmaster_note(
    local: &SystemName,
    mail: &MailConfig,
    subject: &str,
    text: &str,
) -> Vec<u8> {
    message(local, mail, postmaster(mail), subject, text, &clock::now())
}

/// Who is told about what this system itself should look at.
#[must_use]
pub fn postmaster(mail: &MailConfig) -> &[u8] {
    mail.postmaster()
        .map_or(&b"postmaster"[..], Address::as_bytes)
}

/// A plain text message, lines ended by LF as the local queue holds them.
fn message(
    local: &SystemName,
    mail: &MailConfig,
    to: &[u8],
    subject: &str,
    text: &str,
    now: &Zoned,
) -> Vec<u8> {
    let date = jiff::fmt::rfc2822::to_string(now).unwrap_or_default();
    let domain = mail.domain().unwrap_or(local.as_str());
    let unique = format!("{}.{}", now.timestamp().as_nanosecond(), std::process::id());
    let head = format!(
        "From: UUCP on {local} <uucp@{domain}>\nTo: {}\nSubject: {subject}\nDate: {date}\n\
         Message-ID: <note.{unique}@{domain}>\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n\
         Message from UUCP on {local} {date}\n\n",
        shown(to),
    );
    [head.as_bytes(), text.as_bytes()].concat()
}

/// Bytes of a peer as they may stand in a log line or a note.
#[must_use]
pub fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_wrote_cannot_add_headers() {
        let local = "beta".parse().unwrap();
        let content = message(
            &local,
            &MailConfig::default(),
            b"joe\nBcc: all@x",
            "Execution failed",
            "text\n",
            &clock::now(),
        );
        let text = String::from_utf8(content).unwrap();
        let (head, _) = text.split_once("\n\n").unwrap();
        assert!(head.lines().all(|line| !line.starts_with("Bcc")), "{head}");
        assert!(head.contains("\nAuto-Submitted: auto-replied\n"));
    }
}
