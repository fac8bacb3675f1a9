//! A message for the outbox: its envelope says as much as pipe(8) tells.

use std::os::unix::ffi::OsStrExt;

use uucp_core::address::Address;
use uucp_core::bsmtp::{Body, MailParameters, Transaction, xtext};

use crate::cli::Arguments;
use crate::content::Content;
use crate::link::Link;
use crate::recipients::Recipient;

/// The envelope for these recipients.
///
/// pipe(8) has no word for NOTIFY, RET, ENVID, BODY and SMTPUTF8. What can be seen is told: an address or a content that is
/// not ASCII, the size, and what the recipient was called before.
pub(crate) fn envelope(
    arguments: &Arguments,
    link: &Link<'_>,
    content: &Content,
    recipients: &[&Recipient<'_>],
) -> Transaction {
    let recipients = recipients.iter().filter_map(|recipient| {
        Some(uucp_core::bsmtp::Recipient {
            orcpt: original(arguments, recipient.given),
            // It was parsed when it was sorted.
            ..Address::parse(&recipient.word).ok()?.into()
        })
    });
    let mut transaction = Transaction::new(link.sender.clone(), recipients.collect());
    transaction.parameters = MailParameters {
        size: Some(content.size),
        body: content.eight_bit.then_some(Body::EightBitMime),
        smtputf8: !transaction.is_ascii(),
        ..MailParameters::default()
    };
    transaction
}

/// ORCPT of a recipient (RFC 3461, section 4.2): what it was before aliases. Postfix gives one for each recipient, or the word
/// is not in master.cf.
fn original(arguments: &Arguments, given: &[u8]) -> Option<Vec<u8>> {
    let (all, originals) = (&arguments.recipients, &arguments.original_recipient);
    if all.len() != originals.len() {
        return None;
    }
    let at = all.iter().position(|one| one.as_bytes() == given)?;
    let original = originals.get(at)?.as_bytes();
    let usable = !original.is_empty() && original.is_ascii() && original.contains(&b'@');
    usable.then(|| [b"rfc822;", &xtext::encode(original)[..]].concat())
}
