//! The parts of a report: words for people, fields for programs, the message itself.

use std::fmt::Write as _;

use lettre::address::Envelope;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, Message, MultiPart, SinglePart};
use sha2::{Digest, Sha256};

use super::{FailedRecipient, Kind, RETURN_LIMIT, Report, ReportError};
use crate::address::Address;
use crate::bsmtp::xtext;

/// The header of a message is seldom larger; a report stays small even when it is.
const HEADER_LIMIT: usize = 32 * 1024;

pub(super) fn build(report: &Report<'_>) -> Result<Vec<u8>, ReportError> {
    let refused = |e: &dyn std::fmt::Display| ReportError::Build(e.to_string());
    let id = unique_id(report);
    let daemon = daemon(report.system).map_err(|e| refused(&e))?;
    let kind = format!("multipart/report; report-type=delivery-status; boundary=\"report-{id}\"");
    let parts = MultiPart::builder()
        .header(ContentType::parse(&kind).map_err(|e| refused(&e))?)
        .singlepart(part("text/plain; charset=utf-8", words(report))?)
        .singlepart(part("message/delivery-status", fields(report))?)
        .singlepart(returned(report)?);
    let envelope = Envelope::new(None, vec![daemon.email.clone()]).map_err(|e| refused(&e))?;
    let message = Message::builder()
        .envelope(envelope)
        .from(daemon)
        .subject(match report.kind {
            Kind::Failed => "Undelivered mail returned to sender",
            Kind::Delayed { .. } => "Mail not delivered yet",
            Kind::Relayed => "Mail handed on",
            Kind::Delivered => "Mail delivered",
        })
        .raw_header(raw("To", &shown(report.to)))
        .raw_header(raw(
            "Date",
            &report.date.strftime("%a, %d %b %Y %H:%M:%S %z").to_string(),
        ))
        .raw_header(raw("Message-ID", &format!("<{id}@{}>", report.system)))
        .raw_header(raw("Auto-Submitted", "auto-replied"))
        .multipart(parts)
        .map_err(|e| refused(&e))?;
    Ok(with_line_feeds(&message.formatted()))
}

/// Names this report, and its boundary: nothing in the original can hold a hash of itself and of the time.
fn unique_id(report: &Report<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(report.date.timestamp().as_nanosecond().to_be_bytes());
    hash.update(std::process::id().to_be_bytes());
    hash.update(report.to.as_bytes());
    hash.update(report.original);
    hash.finalize()
        .iter()
        .take(12)
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Who the report is from, in its header; the envelope's sender is null.
fn daemon(system: &str) -> Result<Mailbox, lettre::address::AddressError> {
    let address = lettre::Address::new("MAILER-DAEMON", system)
        .or_else(|_| lettre::Address::new("MAILER-DAEMON", "uucp.invalid"))?;
    Ok(Mailbox::new(
        Some("Mail Delivery System".to_owned()),
        address,
    ))
}

fn raw(name: &'static str, value: &str) -> HeaderValue {
    // The names are constants of this file and all of them are header names.
    let name = HeaderName::new_from_ascii_str(name);
    HeaderValue::dangerous_new_pre_encoded(name, value.to_owned(), value.to_owned())
}

fn part(kind: &str, body: String) -> Result<SinglePart, ReportError> {
    let kind = ContentType::parse(kind).map_err(|e| ReportError::Build(e.to_string()))?;
    let body = Body::dangerous_pre_encoded(body.into_bytes(), ContentTransferEncoding::SevenBit);
    Ok(SinglePart::builder().header(kind).body(body))
}

fn words(report: &Report<'_>) -> String {
    let mut text = format!("This is the mail system at {}.\r\n\r\n", report.system);
    match report.kind {
        Kind::Failed => text.push_str(
            "Your message could not be delivered to the recipients below.\r\nIt will not be tried again.\r\n",
        ),
        Kind::Delayed { left } => {
            let hours = left.as_secs().div_ceil(3600);
            let _ = write!(
                text,
                "Your message could not be delivered to the recipients below yet.\r\n\
                 It is tried again for {hours} more hours. You need not send it again.\r\n"
            );
        }
        Kind::Relayed => text.push_str(
            "Your message for the recipients below was handed to a mail system that does not tell when it is delivered.\r\n\
             You will hear of it again only if it is returned.\r\n",
        ),
        Kind::Delivered => text.push_str("Your message is in the mailboxes of the recipients below.\r\n"),
    }
    for failure in report.failures {
        let said = one_line(&failure.diagnostic);
        let colon = if said.is_empty() { "" } else { ":\r\n    " };
        let _ = write!(text, "\r\n<{}>{colon}{said}\r\n", shown(&failure.recipient));
    }
    if let Some(postmaster) = report.postmaster {
        let _ = write!(text, "\r\nFor help, write to <{}>.\r\n", shown(postmaster));
    }
    text
}

fn fields(report: &Report<'_>) -> String {
    let mut text = String::new();
    if let Some(id) = report.envelope_id.and_then(xtext::decode) {
        let id = one_line(&String::from_utf8_lossy(&id));
        let _ = write!(text, "Original-Envelope-Id: {id}\r\n");
    }
    let _ = write!(text, "Reporting-MTA: dns; {}\r\n", report.system);
    if let Some(from) = report.received_from {
        let _ = write!(text, "Received-From-MTA: x-uucp; {}\r\n", one_line(from));
    }
    for failure in report.failures {
        text.push_str("\r\n");
        text.push_str(&recipient_fields(failure, report.kind));
    }
    text
}

fn recipient_fields(failure: &FailedRecipient, report: Kind) -> String {
    let kind = if failure.recipient.is_ascii() {
        "rfc822"
    } else {
        "utf-8"
    };
    let diagnostic_kind = if failure.remote.is_some() {
        "smtp"
    } else {
        "x-bangpath"
    };
    let action = match report {
        Kind::Failed => "failed",
        Kind::Delayed { .. } => "delayed",
        Kind::Relayed => "relayed",
        Kind::Delivered => "delivered",
    };
    let mut text = String::new();
    if let Some(original) = failure.original.as_deref().and_then(original_recipient) {
        let _ = write!(text, "Original-Recipient: {original}\r\n");
    }
    let _ = write!(
        text,
        "Final-Recipient: {kind}; {}\r\nAction: {action}\r\nStatus: {}\r\n",
        shown(&failure.recipient),
        one_line(&failure.status)
    );
    if let Some(remote) = &failure.remote {
        let _ = write!(text, "Remote-MTA: dns; {}\r\n", one_line(remote));
    }
    let said = one_line(&failure.diagnostic);
    if !said.is_empty() {
        let _ = write!(text, "Diagnostic-Code: {diagnostic_kind}; {said}\r\n");
    }
    text
}

/// `type; address` of an ORCPT.
fn original_recipient(orcpt: &[u8]) -> Option<String> {
    let at = orcpt.iter().position(|b| *b == b';')?;
    let (kind, address) = orcpt.split_at_checked(at)?;
    let address = xtext::decode(address.get(1..)?)?;
    let text = |bytes: &[u8]| one_line(&String::from_utf8_lossy(bytes));
    Some(format!("{}; {}", text(kind), text(&address)))
}

/// The original whole, or its header where it is large or the sender wants no more.
fn returned(report: &Report<'_>) -> Result<SinglePart, ReportError> {
    let original = report.original;
    let (kind, bytes) = if original.len() <= RETURN_LIMIT && !report.header_only {
        ("message/rfc822", original)
    } else {
        ("text/rfc822-headers", header_of(original))
    };
    let encoding = if bytes.is_ascii() {
        ContentTransferEncoding::SevenBit
    } else {
        ContentTransferEncoding::EightBit
    };
    let kind = ContentType::parse(kind).map_err(|e| ReportError::Build(e.to_string()))?;
    let body = Body::dangerous_pre_encoded(bytes.to_vec(), encoding);
    Ok(SinglePart::builder().header(kind).body(body))
}

/// The lines up to the first empty one, and not more than fits a report.
fn header_of(message: &[u8]) -> &[u8] {
    let mut end = 0;
    for line in message.split_inclusive(|b| *b == b'\n') {
        if line.trim_ascii_end().is_empty() || end + line.len() > HEADER_LIMIT {
            break;
        }
        end += line.len();
    }
    message.get(..end).unwrap_or_default()
}

/// The MTA's words as one line of printable ASCII, at most 900 bytes.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_graphic() { c } else { ' ' })
        .take(900)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// An address in ASCII, quoted where it must be: RFC 6533's `\x{17E}` for what is not. Bytes that are not even UTF-8 are escaped.
fn shown(address: &Address) -> String {
    let quoted = address.to_smtp().ok();
    let quoted = quoted.and_then(|bytes| Address::parse(&bytes).ok());
    quoted
        .as_ref()
        .unwrap_or(address)
        .to_string()
        .chars()
        .fold(String::new(), |mut text, c| {
            if c.is_ascii_graphic() || c == ' ' {
                text.push(c);
            } else {
                let _ = write!(text, "\\x{{{:X}}}", u32::from(c));
            }
            text
        })
}

/// The builder writes CRLF; messages in files and spools have LF. Only whole CRLFs change.
fn with_line_feeds(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len());
    for line in message.split_inclusive(|b| *b == b'\n') {
        match line.strip_suffix(b"\r\n") {
            Some(content) => {
                out.extend_from_slice(content);
                out.push(b'\n');
            }
            None => out.extend_from_slice(line),
        }
    }
    out
}
