//! Reading requests, off the wire and out of work files.

use super::{
    ExecuteRequest, ExpandRequest, ReceiveRequest, Request, RequestKind, RequestOptions,
    SendRequest,
};
use crate::wire::command::number::{parse_c, parse_mode};
use crate::wire::quoting::unquote;

/// Splits as C's `strtok` does: runs of separators count as one, empty fields do not exist.
struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    fn rest(&self) -> &'a [u8] {
        let start = self.0.iter().position(|b| !is_separator(*b));
        start.and_then(|at| self.0.get(at..)).unwrap_or_default()
    }
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest();
        if rest.is_empty() {
            return None;
        }
        let end = rest
            .iter()
            .position(|b| is_separator(*b))
            .unwrap_or(rest.len());
        let (word, tail) = rest.split_at_checked(end)?;
        self.0 = tail;
        Some(word)
    }
}

/// The three names and the options that begin every request; names decoded.
struct Head {
    names: [Vec<u8>; 3],
    options: RequestOptions,
    quoted: bool,
}

impl Head {
    fn parse(words: &mut Words<'_>) -> Option<Self> {
        let names = [words.next()?, words.next()?, words.next()?];
        let [b'-', letters @ ..] = words.next()? else {
            return None;
        };
        let quoted = letters.contains(&b'q');
        Some(Self {
            names: names.map(|name| decode(name, quoted)),
            options: RequestOptions::new(letters),
            quoted,
        })
    }
}

fn decode(field: &[u8], quoted: bool) -> Vec<u8> {
    if quoted {
        unquote(field)
    } else {
        field.to_vec()
    }
}

/// Parses a request of either form; `None` if it is none.
pub(in crate::wire::command) fn parse_words(bytes: &[u8]) -> Option<Request> {
    let mut words = Words(bytes);
    let [letter] = words.next()? else {
        return None;
    };
    let kind = RequestKind::of(*letter)?;
    let Head {
        names: [from, to, user],
        options,
        quoted,
    } = Head::parse(&mut words)?;
    Some(match kind {
        RequestKind::Send | RequestKind::Execute => {
            let temp = words.next()?.to_vec();
            let mode = parse_mode(words.next()?)?;
            let notify = match words.next() {
                None | Some(b"\"\"") => Vec::new(),
                Some(notify) => decode(notify, quoted),
            };
            let size = match words.next() {
                Some(b"dummy") => words.next(),
                other => other,
            };
            let file = SendRequest {
                from,
                to,
                user,
                options,
                temp,
                mode,
                notify,
                size: size.and_then(parse_c),
            };
            if kind == RequestKind::Send {
                Request::Send(file)
            } else {
                let command = decode(words.rest(), quoted);
                if command.is_empty() {
                    return None;
                }
                Request::Execute(ExecuteRequest { file, command })
            }
        }
        RequestKind::Receive => Request::Receive(ReceiveRequest {
            from,
            to,
            user,
            options,
            size: words.next().and_then(parse_c),
        }),
        RequestKind::Expand => Request::Expand(ExpandRequest {
            pattern: from,
            destination: to,
            user,
            options,
        }),
    })
}
