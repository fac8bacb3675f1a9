//! Recipients that cannot be queued, and the report about them: an MTA knows only one status for all recipients of a run.

use jiff::Zoned;

use crate::address::{Address, ReversePath};
use crate::config::Config;
use crate::config::mail::MailConfig;
use crate::report::{FailedRecipient, Report};
use crate::sysexits::{Failure, Status};

/// A recipient that cannot be queued, for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// As the MTA gave it.
    pub given: Vec<u8>,
    /// In which way; its enhanced code stands in the report.
    pub status: Status,
    /// Why not.
    pub reason: String,
}

/// The report to `sender` about recipients that were refused, as a message; none to the null sender. `head` is the message,
/// or its beginning.
///
/// # Errors
/// When it cannot be built.
pub fn report(
    sender: &ReversePath,
    refusals: &[Refusal],
    head: &[u8],
    config: &Config,
    mail: &MailConfig,
    date: Zoned,
) -> Result<Option<Vec<u8>>, Failure> {
    if refusals.is_empty() {
        return Ok(None);
    }
    let failures = refusals
        .iter()
        .map(|refusal| {
            let code = refusal.status.enhanced();
            Ok(FailedRecipient {
                recipient: displayable(&refusal.given)?,
                status: code.to_owned(),
                diagnostic: format!("{code} {}", refusal.reason),
                remote: None,
                original: None,
            })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let system = mail.domain().unwrap_or(config.nodename.as_str());
    let Some(mut report) = Report::new(sender, system, date, &failures, head) else {
        return Ok(None);
    };
    report.postmaster = mail.postmaster();
    report.build().map(Some).map_err(Failure::temporary)
}

/// What was given as an address, for people; what no address can hold is shown escaped.
///
/// # Errors
/// Never, as far as is known; a mail program does not panic about it.
pub fn displayable(given: &[u8]) -> Result<Address, Failure> {
    let escaped = given.escape_ascii().to_string();
    let shortened = escaped.get(..200).unwrap_or(&escaped);
    Address::parse(given)
        .or_else(|_| Address::parse(shortened.as_bytes()))
        .or_else(|_| Address::parse(b"(unprintable)"))
        .map_err(Failure::temporary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_was_given_can_be_shown() {
        for (given, shown) in [
            (&b"a@b"[..], "a@b"),
            (b"a\nb@c", "a\\nb@c"),
            (b"", "(unprintable)"),
            (b"\"open", "\\\"open"),
        ] {
            assert_eq!(displayable(given).unwrap().to_string(), shown);
        }
        assert!(displayable(&[b'"'; 5000]).is_ok());
    }
}
