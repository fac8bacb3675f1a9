//! What makes two deliveries the same message: a hash of its content, but for the lines that Exim's transports add anew at
//! each delivery.
//!
//! `return_path_add`, `envelope_to_add` and `delivery_date_add` put a date and the recipients of the run into the header. A
//! repeat that comes with other recipients or a minute later would be another message if they counted.

use sha2::{Digest, Sha256};

/// Header fields that differ from delivery to delivery.
const VOLATILE: [&[u8]; 3] = [b"return-path", b"envelope-to", b"delivery-date"];

/// Longest name that matters, with its colon.
const NAME_LIMIT: usize = 14;

/// Hashes a message that comes in pieces.
#[derive(Debug)]
pub(crate) struct Fingerprint {
    hash: Sha256,
    place: Place,
    /// The field that the last line of the header belongs to is left out.
    skipping: bool,
    traced: bool,
}

#[derive(Debug)]
enum Place {
    /// At the beginning of a line of the header, behind these bytes of it.
    Name(Vec<u8>),
    /// In the rest of such a line.
    Line,
    Body,
}

impl Fingerprint {
    pub(crate) fn new() -> Self {
        Self {
            hash: Sha256::new(),
            place: Place::Name(Vec::with_capacity(NAME_LIMIT)),
            skipping: false,
            traced: false,
        }
    }

    /// Takes the next piece.
    pub(crate) fn update(&mut self, mut piece: &[u8]) {
        while let Some((&byte, rest)) = piece.split_first() {
            match &mut self.place {
                Place::Body => {
                    self.hash.update(piece);
                    return;
                }
                Place::Line => {
                    let end = piece.iter().position(|b| *b == b'\n');
                    let (line, rest) = piece.split_at(end.map_or(piece.len(), |at| at + 1));
                    if !self.skipping {
                        self.hash.update(line);
                    }
                    if end.is_some() {
                        self.place = Place::Name(Vec::with_capacity(NAME_LIMIT));
                    }
                    piece = rest;
                }
                Place::Name(name) if name.is_empty() && matches!(byte, b' ' | b'\t') => {
                    self.place = Place::Line;
                }
                Place::Name(name) => {
                    name.push(byte);
                    piece = rest;
                    if byte == b'\n' || byte == b':' || name.len() == NAME_LIMIT {
                        self.end_name();
                    }
                }
            }
        }
    }

    /// The hash, and whether there is a `Received:` line: no two messages that an MTA has received are the same in it.
    pub(crate) fn finish(mut self) -> ([u8; 32], bool) {
        if let Place::Name(name) = &self.place {
            self.hash.update(name);
        }
        (self.hash.finalize().into(), self.traced)
    }

    fn end_name(&mut self) {
        let Place::Name(name) = &self.place else {
            return;
        };
        let field = name.strip_suffix(b":").unwrap_or_default();
        let is = |wanted: &[u8]| field.eq_ignore_ascii_case(wanted);
        self.skipping = VOLATILE.iter().any(|wanted| is(wanted));
        self.traced |= is(b"received");
        if !self.skipping {
            self.hash.update(name);
        }
        self.place = match name.split_last() {
            Some((b'\n', [])) => Place::Body,
            Some((b'\n', _)) => Place::Name(Vec::with_capacity(NAME_LIMIT)),
            _ => Place::Line,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(message: &[u8]) -> ([u8; 32], bool) {
        let mut whole = Fingerprint::new();
        whole.update(message);
        let whole = whole.finish();
        for step in 1..9 {
            let mut pieces = Fingerprint::new();
            message.chunks(step).for_each(|piece| pieces.update(piece));
            assert_eq!(pieces.finish(), whole, "in pieces of {step}");
        }
        whole
    }

    fn plain(message: &[u8]) -> [u8; 32] {
        Sha256::digest(message).into()
    }

    #[test]
    fn what_exim_adds_at_each_delivery_does_not_count() {
        let message = b"Received: by x\n\tid 1\nSubject: y\n\nEnvelope-to: body\n";
        let added = b"Return-path: <a@b>\nENVELOPE-TO: c@d,\n\te@f\nDelivery-date: Fri\n";
        let delivered = [&added[..], message].concat();
        assert_eq!(of(&delivered), (plain(message), true));
        assert_eq!(of(message), (plain(message), true));
    }

    #[test]
    fn everything_else_does() {
        for message in [
            &b""[..],
            b"\n",
            b"\n\n",
            b"Subject",
            b"Subject: x",
            b"Return-pathology: x\n\nx",
            b"no colon in this line\n\nEnvelope-to: x\n",
            b" begins with a blank\n\n",
            b"\nDelivery-date: x\n\nEnvelope-to: x\n",
            b"X-Long-Header-Name: y\n Envelope-to: z\n\n\0\xff\r",
        ] {
            assert_eq!(
                of(message),
                (plain(message), false),
                "{}",
                message.escape_ascii()
            );
        }
    }
}
