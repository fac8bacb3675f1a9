//! The ESMTP parameters of MAIL and RCPT: read, kept and written again unchanged.
//!
//! A parameter that is unknown, comes twice or has a value that its RFC does not allow is kept as it came: nothing is lost,
//! and the receiver decides.

use super::value::{
    Body, By, Hold, Notify, Returned, is_word, nonempty, number, priority, xtext_as_it_is,
    xtext_of_type,
};
use super::xtext;

/// The keyword of the sender's own id of a message, known to readers of this project only.
const ID: &[u8] = b"XBPID";

/// `KEYWORD=VALUE` or `KEYWORD`, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Before the `=`.
    pub keyword: Vec<u8>,
    /// Behind it.
    pub value: Option<Vec<u8>>,
}

impl Parameter {
    fn parse(word: &[u8]) -> Self {
        match word.iter().position(|b| *b == b'=') {
            Some(at) => Self {
                keyword: word.get(..at).unwrap_or_default().to_vec(),
                value: word.get(at + 1..).map(<[u8]>::to_vec),
            },
            None => Self {
                keyword: word.to_vec(),
                value: None,
            },
        }
    }

    fn emit(&self, out: &mut Vec<u8>) {
        emit(out, &self.keyword, self.value.as_deref());
    }

    /// Whether it can stand as one word of a command.
    pub(super) fn is_writable(&self) -> bool {
        let word = |bytes: &[u8]| bytes.iter().all(|b| *b > b' ' && *b != 0x7f);
        !self.keyword.is_empty()
            && word(&self.keyword)
            && !self.keyword.contains(&b'=')
            && self.value.as_deref().is_none_or(word)
    }
}

/// What MAIL says about a message besides its sender.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MailParameters {
    /// SIZE: a hint, in bytes with CRLF line ends; nothing is cut by it.
    pub size: Option<u64>,
    /// BODY.
    pub body: Option<Body>,
    /// SMTPUTF8.
    pub smtputf8: bool,
    /// RET.
    pub returned: Option<Returned>,
    /// ENVID, in xtext as it came.
    pub envid: Option<Vec<u8>>,
    /// BY.
    pub by: Option<By>,
    /// HOLDFOR or HOLDUNTIL.
    pub hold: Option<Hold>,
    /// MT-PRIORITY of RFC 6710, -9 to 9.
    pub mt_priority: Option<i8>,
    /// The id that the sender of this project has given the message: equal ids from one neighbour are one message.
    pub id: Option<Vec<u8>>,
    /// Whatever else stands there.
    pub other: Vec<Parameter>,
}

impl MailParameters {
    /// Takes one word behind the path.
    pub(super) fn take(&mut self, word: &[u8]) {
        let parameter = Parameter::parse(word);
        if self.take_known(&parameter).is_none() {
            self.other.push(parameter);
        }
    }

    fn take_known(&mut self, parameter: &Parameter) -> Option<()> {
        let keyword = parameter.keyword.to_ascii_uppercase();
        if keyword == b"SMTPUTF8" {
            let free = parameter.value.is_none() && !self.smtputf8;
            self.smtputf8 |= free;
            return free.then_some(());
        }
        let value = parameter.value.as_deref()?;
        match &*keyword {
            b"SIZE" => set(&mut self.size, number(value)),
            b"BODY" => set(&mut self.body, Body::parse(value)),
            b"RET" => set(&mut self.returned, Returned::parse(value)),
            b"ENVID" => set(&mut self.envid, xtext_as_it_is(value)),
            b"BY" => set(&mut self.by, By::parse(value)),
            b"HOLDFOR" => set(&mut self.hold, number(value).map(Hold::For)),
            b"HOLDUNTIL" => set(&mut self.hold, nonempty(value).map(Hold::Until)),
            b"MT-PRIORITY" => set(&mut self.mt_priority, priority(value)),
            ID => set(
                &mut self.id,
                xtext::decode(value).filter(|id| !id.is_empty()),
            ),
            _ => None,
        }
    }

    /// Writes all of them, each behind a blank.
    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        if let Some(size) = self.size {
            emit(out, b"SIZE", Some(size.to_string().as_bytes()));
        }
        if let Some(body) = self.body {
            emit(out, b"BODY", Some(body.value()));
        }
        if self.smtputf8 {
            emit(out, b"SMTPUTF8", None);
        }
        if let Some(returned) = self.returned {
            emit(out, b"RET", Some(returned.value()));
        }
        if let Some(envid) = &self.envid {
            emit(out, b"ENVID", Some(envid));
        }
        if let Some(by) = self.by {
            emit(out, b"BY", Some(by.value().as_bytes()));
        }
        match &self.hold {
            Some(Hold::For(seconds)) => {
                emit(out, b"HOLDFOR", Some(seconds.to_string().as_bytes()));
            }
            Some(Hold::Until(date)) => emit(out, b"HOLDUNTIL", Some(date)),
            None => {}
        }
        if let Some(priority) = self.mt_priority {
            emit(out, b"MT-PRIORITY", Some(priority.to_string().as_bytes()));
        }
        if let Some(id) = &self.id {
            emit(out, ID, Some(&xtext::encode(id)));
        }
        for parameter in &self.other {
            parameter.emit(out);
        }
    }

    /// Whether every value can stand as a word of a command.
    pub(super) fn is_writable(&self) -> bool {
        let until = match &self.hold {
            Some(Hold::Until(date)) => Some(date),
            _ => None,
        };
        let words = [self.envid.as_ref(), until];
        self.other.iter().all(Parameter::is_writable)
            && words.into_iter().flatten().all(|word| is_word(word))
    }
}

/// What RCPT says besides the address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct RecipientParameters {
    pub(super) notify: Option<Notify>,
    pub(super) orcpt: Option<Vec<u8>>,
    pub(super) other: Vec<Parameter>,
}

impl RecipientParameters {
    pub(super) fn take(&mut self, word: &[u8]) {
        let parameter = Parameter::parse(word);
        let value = parameter.value.as_deref();
        let known = match (&*parameter.keyword.to_ascii_uppercase(), value) {
            (b"NOTIFY", Some(value)) => set(&mut self.notify, Notify::parse(value)),
            (b"ORCPT", Some(value)) => set(&mut self.orcpt, xtext_of_type(value)),
            _ => None,
        };
        if known.is_none() {
            self.other.push(parameter);
        }
    }
}

/// Writes the parameters of RCPT, each behind a blank.
pub(super) fn emit_recipient(
    notify: Option<Notify>,
    orcpt: Option<&[u8]>,
    other: &[Parameter],
    out: &mut Vec<u8>,
) {
    if let Some(notify) = notify {
        emit(out, b"NOTIFY", Some(&notify.value()));
    }
    if let Some(orcpt) = orcpt {
        emit(out, b"ORCPT", Some(orcpt));
    }
    for parameter in other {
        parameter.emit(out);
    }
}

fn emit(out: &mut Vec<u8>, keyword: &[u8], value: Option<&[u8]>) {
    out.push(b' ');
    out.extend_from_slice(keyword);
    if let Some(value) = value {
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

fn set<T>(field: &mut Option<T>, value: Option<T>) -> Option<()> {
    match (&field, value) {
        (None, Some(value)) => {
            *field = Some(value);
            Some(())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> MailParameters {
        let mut parameters = MailParameters::default();
        for word in text.split_ascii_whitespace() {
            parameters.take(word.as_bytes());
        }
        parameters
    }

    fn written(parameters: &MailParameters) -> String {
        let mut out = Vec::new();
        parameters.emit(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn all_of_mail_in_either_case_and_back() {
        let parameters = parse(
            "size=200 Body=8bitmime SMTPUTF8 RET=hdrs ENVID=QQ+2B1 BY=-120;nt HOLDFOR=60 mt-priority=-3 \
             XBPID=a+20b AUTH=<> MTRK=abc:12",
        );
        assert_eq!(parameters.size, Some(200));
        assert_eq!(parameters.body, Some(Body::EightBitMime));
        assert!(parameters.smtputf8);
        assert_eq!(parameters.returned, Some(Returned::Headers));
        assert_eq!(parameters.envid.as_deref(), Some(&b"QQ+2B1"[..]));
        assert_eq!(parameters.hold, Some(Hold::For(60)));
        assert_eq!(parameters.mt_priority, Some(-3));
        assert_eq!(parameters.id.as_deref(), Some(&b"a b"[..]));
        assert_eq!(parameters.other.len(), 2);
        assert_eq!(
            written(&parameters),
            " SIZE=200 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ+2B1 BY=-120;NT HOLDFOR=60 MT-PRIORITY=-3 \
             XBPID=a+20b AUTH=<> MTRK=abc:12"
        );
        assert!(parameters.is_writable());
    }

    #[test]
    fn what_is_wrong_or_twice_is_kept_as_it_came() {
        let text = "SIZE=+5 SIZE=x BODY=9BIT BODY SMTPUTF8=1 RET= ENVID=a=b BY=5 BY=x;R HOLDFOR=-1 \
                    MT-PRIORITY=10 XBPID= (comment) =";
        let parameters = parse(text);
        assert_eq!(parameters.other.len(), 14);
        assert_eq!(
            MailParameters {
                other: Vec::new(),
                ..parameters.clone()
            },
            MailParameters::default()
        );
        assert_eq!(written(&parameters), format!(" {text}"));
        let twice = parse("SIZE=1 SIZE=2");
        assert_eq!((twice.size, twice.other.len()), (Some(1), 1));
    }

    #[test]
    fn recipients_have_their_own() {
        let mut parameters = RecipientParameters::default();
        for word in [
            "notify=delay,SUCCESS",
            "ORCPT=rfc822;a+2Bb@x",
            "NOTIFY=NEVER",
            "RRVS=1",
        ] {
            parameters.take(word.as_bytes());
        }
        assert_eq!(parameters.notify.unwrap().value(), b"SUCCESS,DELAY");
        assert_eq!(parameters.orcpt.as_deref(), Some(&b"rfc822;a+2Bb@x"[..]));
        assert_eq!(parameters.other.len(), 2);
        assert_eq!(Notify::parse(b"never"), Some(Notify::default()));
        assert_eq!(Notify::parse(b"SUCCESS,"), None);
        for bad in [&b"rfc822"[..], b";a@b", b"rfc822;"] {
            assert_eq!(xtext_of_type(bad), None);
        }
    }
}
