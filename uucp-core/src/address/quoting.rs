//! How an address is said to an MTA, on a line of SMTP or as an argument of its command.
//!
//! An MTA reads an unquoted `b,c@hub` as two addresses, and `a b@hub` as `b@hub`: somebody else. So a local part with such
//! characters is quoted (RFC 5321, section 4.1.2), and a domain with them is refused, since nothing can quote it.

use super::{Address, AddressError};

/// Characters that end an address, or begin something else, where they are not quoted (RFC 5322 section 3.2.3).
const SPECIALS: &[u8] = b" ()<>[]:;@\\,\"";

impl Address {
    /// The address as every MTA takes it: a local part that is neither words joined by dots nor a quoted string becomes one
    /// that is quoted and means the same. Everything else stays as it is.
    ///
    /// # Errors
    /// When local part or domain is missing beside an `@`, or the domain has characters that no domain has.
    pub fn to_smtp(&self) -> Result<Vec<u8>, AddressError> {
        let Some((local, domain)) = self.split() else {
            return Ok(to_local_part(self.as_bytes()));
        };
        let no_mailbox = |missing| AddressError::Incomplete {
            missing,
            address: self.to_string(),
        };
        if local.is_empty() {
            return Err(no_mailbox("local part"));
        }
        if domain.is_empty() {
            return Err(no_mailbox("domain"));
        }
        if !is_domain(domain) {
            return Err(AddressError::Domain(self.to_string()));
        }
        let mut address = to_local_part(local);
        address.push(b'@');
        address.extend_from_slice(domain);
        Ok(address)
    }
}

fn is_domain(domain: &[u8]) -> bool {
    let inner = domain
        .strip_prefix(b"[")
        .and_then(|rest| rest.strip_suffix(b"]"));
    match inner {
        // An address literal: `[192.0.2.1]`, `[IPv6:2001:db8::1]`.
        Some(literal) => literal
            .iter()
            .all(|byte| *byte == b':' || !SPECIALS.contains(byte)),
        None => domain.iter().all(|byte| !SPECIALS.contains(byte)),
    }
}

fn to_local_part(local: &[u8]) -> Vec<u8> {
    if is_dotted(local) || is_quoted(local) {
        local.to_vec()
    } else {
        quote(&unquote(local))
    }
}

/// Words joined by single dots.
fn is_dotted(local: &[u8]) -> bool {
    let is_word = |word: &[u8]| !word.is_empty() && word.iter().all(|b| !SPECIALS.contains(b));
    local.split(|byte| *byte == b'.').all(is_word)
}

/// One pair of quotes around all of it.
fn is_quoted(local: &[u8]) -> bool {
    let inner = local
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    let mut escaped = false;
    inner.is_some_and(|inner| {
        inner.iter().all(|byte| {
            let is_plain = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            is_plain
        })
    }) && !escaped
}

/// What a local part of words, quoted strings and escaped characters means.
fn unquote(local: &[u8]) -> Vec<u8> {
    let mut meant = Vec::with_capacity(local.len());
    let mut bytes = local.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => meant.extend(bytes.next()),
            b'"' => {}
            _ => meant.push(byte),
        }
    }
    meant
}

fn quote(meant: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for &byte in meant {
        if matches!(byte, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(byte);
    }
    quoted.push(b'"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(address: &str) -> String {
        let address = Address::parse(address.as_bytes()).unwrap();
        match address.to_smtp() {
            Ok(said) => String::from_utf8(said).unwrap(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn what_an_mta_takes_stays_and_the_rest_is_quoted() {
        for same in [
            "bob@hub.example",
            "b!user@a",
            "user%host@hub",
            "user",
            "a!b!c",
            "\"a b\"@hub",
            "\"a\\\"b\\\\\"@hub",
            "o'brien+x=y/z{|}~^_`?*&$#@hub_x",
            "\u{17e}ofie@\u{17e}.example",
            "bob@[192.0.2.1]",
            "bob@[IPv6:2001:db8::1]",
            "-x@hub",
        ] {
            assert_eq!(said(same), same);
        }
        for (address, quoted) in [
            ("a b@hub", "\"a b\"@hub"),
            ("b,c@hub", "\"b,c\"@hub"),
            ("a;b@hub", "\"a;b\"@hub"),
            ("x:y@hub", "\"x:y\"@hub"),
            ("p(q)@hub", "\"p(q)\"@hub"),
            ("a@b@hub", "\"a@b\"@hub"),
            ("a\\,b@hub", "\"a,b\"@hub"),
            ("a\\\\b@hub", "\"a\\\\b\"@hub"),
            ("\"a\".b@hub", "\"a.b\"@hub"),
            ("\"a\"b\"c\"@hub", "\"abc\"@hub"),
            ("a..b@hub", "\"a..b\"@hub"),
            (".a@hub", "\".a\"@hub"),
            ("a.@hub", "\"a.\"@hub"),
            ("b,c", "\"b,c\""),
        ] {
            assert_eq!(said(address), quoted);
        }
        for (address, error) in [
            ("user@", "error: user@ is no mailbox: the domain is missing"),
            (
                "@hub",
                "error: @hub is no mailbox: the local part is missing",
            ),
            (
                "a@b,c",
                "error: the domain of a@b,c has characters that no domain has",
            ),
            (
                "a@b c",
                "error: the domain of a@b c has characters that no domain has",
            ),
            (
                "a@[b,c]",
                "error: the domain of a@[b,c] has characters that no domain has",
            ),
        ] {
            assert_eq!(said(address), error);
        }
    }

    proptest! {
        /// Whatever is said is one address, the same one, and is said so again.
        #[test]
        fn what_is_said_is_one_address(local in "[ -~]{1,20}", domain in "[ -~]{0,12}") {
            let Ok(address) = Address::parse(format!("{local}@{domain}").as_bytes()) else {
                return Ok(());
            };
            let Ok(said) = address.to_smtp() else {
                return Ok(());
            };
            let again = Address::parse(&said).unwrap();
            prop_assert_eq!(&again.to_smtp().unwrap(), &said);
            prop_assert_eq!(again.domain(), address.domain());
            prop_assert_eq!(unquote(again.local_part()), unquote(address.local_part()));
            let local = again.local_part();
            prop_assert!(is_dotted(local) || is_quoted(local));
        }
    }
}
