//! The ESMTP parameters of MAIL and RCPT: read, kept and written again unchanged.
//!
//! A parameter that is unknown, comes twice or has a value that its RFC does not allow is kept as it came: nothing is lost,
//! and the receiver decides.

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

/// BODY of RFC 6152 and 3030. It only tells; no bit is ever stripped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// `7BIT`
    SevenBit,
    /// `8BITMIME`
    EightBitMime,
    /// `BINARYMIME`
    BinaryMime,
}

/// RET of RFC 3461: how much of the message a report returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// `FULL`
    Full,
    /// `HDRS`
    Headers,
}

/// BY of RFC 2852: deliver by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct By {
    /// Seconds that are left; may be negative in mode notify.
    pub seconds: i64,
    /// Whether the message is returned after that time, not just told about.
    pub returned: bool,
    /// Whether relays report (`T`).
    pub trace: bool,
}

/// HOLDFOR and HOLDUNTIL of RFC 4865: deliver not before then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// Seconds.
    For(u64),
    /// A date of RFC 3339, as it came.
    Until(Vec<u8>),
}

/// NOTIFY of RFC 3461: when the sender is told; never, when nothing is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notify {
    /// `SUCCESS`
    pub success: bool,
    /// `FAILURE`
    pub failure: bool,
    /// `DELAY`
    pub delay: bool,
}

impl Notify {
    fn parse(value: &[u8]) -> Option<Self> {
        let mut notify = Self::default();
        if value.eq_ignore_ascii_case(b"NEVER") {
            return Some(notify);
        }
        for word in value.split(|b| *b == b',') {
            match &*word.to_ascii_uppercase() {
                b"SUCCESS" => notify.success = true,
                b"FAILURE" => notify.failure = true,
                b"DELAY" => notify.delay = true,
                _ => return None,
            }
        }
        Some(notify)
    }

    /// The value of NOTIFY.
    #[must_use]
    pub fn value(self) -> Vec<u8> {
        let words: Vec<&[u8]> = [
            (self.success, &b"SUCCESS"[..]),
            (self.failure, b"FAILURE"),
            (self.delay, b"DELAY"),
        ]
        .into_iter()
        .filter_map(|(set, word)| set.then_some(word))
        .collect();
        if words.is_empty() {
            b"NEVER".to_vec()
        } else {
            words.join(&b","[..])
        }
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
            b"BODY" => set(&mut self.body, body(value)),
            b"RET" => set(&mut self.returned, returned(value)),
            b"ENVID" => set(&mut self.envid, xtext_as_it_is(value)),
            b"BY" => set(&mut self.by, by(value)),
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
            let value: &[u8] = match body {
                Body::SevenBit => b"7BIT",
                Body::EightBitMime => b"8BITMIME",
                Body::BinaryMime => b"BINARYMIME",
            };
            emit(out, b"BODY", Some(value));
        }
        if self.smtputf8 {
            emit(out, b"SMTPUTF8", None);
        }
        if let Some(returned) = self.returned {
            let value: &[u8] = match returned {
                Returned::Full => b"FULL",
                Returned::Headers => b"HDRS",
            };
            emit(out, b"RET", Some(value));
        }
        if let Some(envid) = &self.envid {
            emit(out, b"ENVID", Some(envid));
        }
        if let Some(by) = self.by {
            let mode = if by.returned { "R" } else { "N" };
            let trace = if by.trace { "T" } else { "" };
            let value = format!("{};{mode}{trace}", by.seconds);
            emit(out, b"BY", Some(value.as_bytes()));
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

pub(super) fn is_word(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic)
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

/// Digits only: `+5`, which Rust would take, is none.
fn number(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn signed(value: &[u8]) -> Option<i64> {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let number = i64::try_from(number(digits)?).ok()?;
    Some(if digits.len() < value.len() {
        -number
    } else {
        number
    })
}

fn body(value: &[u8]) -> Option<Body> {
    match &*value.to_ascii_uppercase() {
        b"7BIT" => Some(Body::SevenBit),
        b"8BITMIME" => Some(Body::EightBitMime),
        b"BINARYMIME" => Some(Body::BinaryMime),
        _ => None,
    }
}

fn returned(value: &[u8]) -> Option<Returned> {
    match &*value.to_ascii_uppercase() {
        b"FULL" => Some(Returned::Full),
        b"HDRS" => Some(Returned::Headers),
        _ => None,
    }
}

fn by(value: &[u8]) -> Option<By> {
    let at = value.iter().position(|b| *b == b';')?;
    let (seconds, mode) = value.split_at_checked(at)?;
    let (returned, trace) = match &*mode.get(1..)?.to_ascii_uppercase() {
        b"R" => (true, false),
        b"RT" => (true, true),
        b"N" => (false, false),
        b"NT" => (false, true),
        _ => return None,
    };
    Some(By {
        seconds: signed(seconds)?,
        returned,
        trace,
    })
}

fn priority(value: &[u8]) -> Option<i8> {
    let priority = i8::try_from(signed(value)?).ok()?;
    (-9..=9).contains(&priority).then_some(priority)
}

fn nonempty(value: &[u8]) -> Option<Vec<u8>> {
    is_word(value).then(|| value.to_vec())
}

fn xtext_as_it_is(value: &[u8]) -> Option<Vec<u8>> {
    (!value.is_empty() && xtext::decode(value).is_some()).then(|| value.to_vec())
}

/// `rfc822;ADDRESS`. The address of RFC 6533's `utf-8` type is UTF-8 with escapes of its own.
fn xtext_of_type(value: &[u8]) -> Option<Vec<u8>> {
    let at = value.iter().position(|b| *b == b';')?;
    let whole = at > 0 && at + 1 < value.len() && value.iter().all(|b| *b > b' ' && *b != 0x7f);
    whole.then(|| value.to_vec())
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
