//! Requests: what one side asks of the other, and what a line of a work file says.

use super::number::{parse_c, parse_mode};
use super::{COMMAND_LIMIT, CommandError, Features, garbled, uncarriable};

/// The four kinds of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// `S`
    Send,
    /// `E`
    Execute,
    /// `R`
    Receive,
    /// `X`
    Expand,
}

impl RequestKind {
    pub(super) fn of(letter: u8) -> Option<Self> {
        match letter {
            b'S' => Some(Self::Send),
            b'E' => Some(Self::Execute),
            b'R' => Some(Self::Receive),
            b'X' => Some(Self::Expand),
            _ => None,
        }
    }

    /// The letter that begins the request and its answers.
    #[must_use]
    pub fn letter(self) -> u8 {
        match self {
            Self::Send => b'S',
            Self::Execute => b'E',
            Self::Receive => b'R',
            Self::Expand => b'X',
        }
    }
}

/// The option letters of a request, in their order, without the `-` and without `q`: quoting is a matter of the form on
/// the wire, decided anew whenever a request is emitted.
///
/// `C` copied to the spool (the temporary name names the spool file), `c` not copied, `d` make directories, `f` do not,
/// `m` mail the requester, `n` notify a user at the receiver, `9` receive into the spool, and of an `E`: `N` no mail on
/// failure, `Z` mail on failure, `R` the notify field is the requestor's address, `e` needs a shell.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct RequestOptions(Vec<u8>);

impl RequestOptions {
    /// Options of the letters given; anything but graphic ASCII, and `q`, is left out.
    #[must_use]
    pub fn new(letters: &[u8]) -> Self {
        let kept = |b: &u8| b.is_ascii_graphic() && *b != b'q';
        Self(letters.iter().copied().filter(kept).collect())
    }

    /// Whether the letter is among them.
    #[must_use]
    pub fn contains(&self, letter: u8) -> bool {
        self.0.contains(&letter)
    }

    /// Adds a letter unless it is there.
    #[must_use]
    pub fn with(mut self, letter: u8) -> Self {
        if letter.is_ascii_graphic() && letter != b'q' && !self.contains(letter) {
            self.0.push(letter);
        }
        self
    }

    /// The letters.
    #[must_use]
    pub fn letters(&self) -> &[u8] {
        &self.0
    }
}

/// `S from to user -options temp 0mode notify [size]`: a file for the other system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendRequest {
    /// The file's name at the sender.
    pub from: Vec<u8>,
    /// What it is to be called at the receiver.
    pub to: Vec<u8>,
    /// The user who asked.
    pub user: Vec<u8>,
    /// Option letters.
    pub options: RequestOptions,
    /// The sender's spool name of the file, `D.0` when there is none. See [`TempName`](crate::name::TempName).
    pub temp: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
    /// Whom to notify at the receiver, or with `R` the requestor's address; may be empty.
    pub notify: Vec<u8>,
    /// The file's size. Not part of a work file; the sender fills it in when it offers the file.
    pub size: Option<u64>,
}

/// `E from to user -options temp 0mode notify size command line`: a file that is the standard input of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecuteRequest {
    /// The file.
    pub file: SendRequest,
    /// The command line as one string of bytes, words separated by blanks.
    pub command: Vec<u8>,
}

/// `R from to user -options [size]`: a file wanted of the other system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiveRequest {
    /// The file's name at the other system.
    pub from: Vec<u8>,
    /// Where it is to go at the requester.
    pub to: Vec<u8>,
    /// The user who asked.
    pub user: Vec<u8>,
    /// Option letters.
    pub options: RequestOptions,
    /// On the wire: how much room the requester has.
    pub size: Option<u64>,
}

/// `X pattern destination user -options`: files wanted by a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpandRequest {
    /// The pattern, expanded by the other system.
    pub pattern: Vec<u8>,
    /// Where the files are to go, `system!path`.
    pub destination: Vec<u8>,
    /// The user who asked.
    pub user: Vec<u8>,
    /// Option letters.
    pub options: RequestOptions,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `S`
    Send(SendRequest),
    /// `E`
    Execute(ExecuteRequest),
    /// `R`
    Receive(ReceiveRequest),
    /// `X`
    Expand(ExpandRequest),
}

impl ExecuteRequest {
    /// For a peer without `E`: the data file as an `S` of its own.
    #[must_use]
    pub fn data_request(&self) -> SendRequest {
        let options: &[u8] = if self.file.options.contains(b'c') {
            b"c"
        } else {
            b""
        };
        SendRequest {
            options: RequestOptions::new(options),
            notify: Vec::new(),
            ..self.file.clone()
        }
    }

    /// For a peer without `E`: the `S` that carries the execute file; `spool_name` is what it is called here (`D.X0002`),
    /// `to` there (`X.alphaN0002`).
    #[must_use]
    pub fn execute_file_request(&self, spool_name: &[u8], to: &[u8], size: u64) -> SendRequest {
        SendRequest {
            from: spool_name.to_vec(),
            to: to.to_vec(),
            user: self.file.user.clone(),
            options: RequestOptions::new(b"C"),
            temp: spool_name.to_vec(),
            mode: 0o666,
            notify: Vec::new(),
            size: Some(size),
        }
    }
}

impl Request {
    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> RequestKind {
        match self {
            Self::Send(_) => RequestKind::Send,
            Self::Execute(_) => RequestKind::Execute,
            Self::Receive(_) => RequestKind::Receive,
            Self::Expand(_) => RequestKind::Expand,
        }
    }

    /// The user who asked.
    #[must_use]
    pub fn user(&self) -> &[u8] {
        match self {
            Self::Send(request) => &request.user,
            Self::Execute(request) => &request.file.user,
            Self::Receive(request) => &request.user,
            Self::Expand(request) => &request.user,
        }
    }

    /// The option letters.
    #[must_use]
    pub fn options(&self) -> &RequestOptions {
        match self {
            Self::Send(request) => &request.options,
            Self::Execute(request) => &request.file.options,
            Self::Receive(request) => &request.options,
            Self::Expand(request) => &request.options,
        }
    }

    /// Parses a request as it came over the wire.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, CommandError> {
        if bytes.len() > COMMAND_LIMIT {
            return Err(CommandError::TooLong(bytes.len()));
        }
        parse_words(bytes).ok_or_else(|| garbled(bytes))
    }

    /// Appends the request in the form that `features` allow.
    ///
    /// # Errors
    /// When the peer lacks a feature that it needs, or a field cannot be carried; `out` is unchanged then.
    pub fn emit(&self, features: Features, out: &mut Vec<u8>) -> Result<(), CommandError> {
        let form = Form::Wire(features);
        if matches!(self, Self::Execute(_)) && !features.contains(Features::EXECUTE) {
            return Err(CommandError::NotAgreed("the E command"));
        }
        let start = out.len();
        let result = self.emit_form(form, out);
        let length = out.len().saturating_sub(start);
        let result = match result {
            Ok(()) if length > COMMAND_LIMIT => Err(CommandError::TooLong(length)),
            other => other,
        };
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    pub(super) fn emit_form(&self, form: Form, out: &mut Vec<u8>) -> Result<(), CommandError> {
        out.push(self.kind().letter());
        match self {
            Self::Send(request) => emit_send(request, form, out),
            Self::Execute(request) => emit_execute(request, form, out),
            Self::Receive(r) => {
                let quoted = form.quoting(&[&r.from, &r.to, &r.user])?;
                emit_field("from", &r.from, quoted, out)?;
                emit_field("to", &r.to, quoted, out)?;
                emit_field("user", &r.user, quoted, out)?;
                emit_options(&r.options, quoted, out);
                if let (Form::Wire(features), Some(size)) = (form, r.size)
                    && features.contains(Features::SIZES)
                {
                    emit_size(size, features, out);
                }
                Ok(())
            }
            Self::Expand(r) => {
                let quoted = form.quoting(&[&r.pattern, &r.destination, &r.user])?;
                emit_field("pattern", &r.pattern, quoted, out)?;
                emit_field("destination", &r.destination, quoted, out)?;
                emit_field("user", &r.user, quoted, out)?;
                emit_options(&r.options, quoted, out);
                Ok(())
            }
        }
    }
}

/// Which of the two forms of a request is meant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Wire(Features),
    WorkFile,
}

impl Form {
    /// Whether the fields must be quoted.
    fn quoting(self, fields: &[&[u8]]) -> Result<bool, CommandError> {
        let needed = fields
            .iter()
            .any(|field| field.iter().any(|b| must_be_quoted(*b)));
        match self {
            Self::Wire(features) if needed && !features.contains(Features::QUOTING) => Err(
                CommandError::NotAgreed("quoted fields (a name holds a blank)"),
            ),
            _ => Ok(needed),
        }
    }
}

/// Blank, tab and newline are what Taylor quotes; the other controls, which end a line or a string somewhere on the way,
/// are quoted too.
fn must_be_quoted(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f
}

fn emit_field(
    field: &'static str,
    value: &[u8],
    quoted: bool,
    out: &mut Vec<u8>,
) -> Result<(), CommandError> {
    if value.is_empty() {
        return Err(uncarriable(field, value));
    }
    out.push(b' ');
    if quoted {
        quote(value, out);
    } else {
        out.extend_from_slice(value);
    }
    Ok(())
}

/// `q` quoting: what is not graphic becomes `\ooo`, the backslash is doubled.
fn quote(value: &[u8], out: &mut Vec<u8>) {
    for &byte in value {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b if b.is_ascii_graphic() => out.push(b),
            b => out.extend_from_slice(format!("\\{b:03o}").as_bytes()),
        }
    }
}

/// Undoes [`quote`]. A backslash before anything else stands for what follows.
fn unquote(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    loop {
        match rest {
            [] => return out,
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                tail @ ..,
            ] => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = tail;
            }
            [b'\\', other, tail @ ..] => {
                out.push(*other);
                rest = tail;
            }
            [byte, tail @ ..] => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
}

fn emit_options(options: &RequestOptions, quoted: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b" -");
    out.extend_from_slice(options.letters());
    if quoted {
        out.push(b'q');
    }
}

fn emit_size(size: u64, features: Features, out: &mut Vec<u8>) {
    let text = if features.contains(Features::DECIMAL) {
        format!(" {size}")
    } else {
        format!(" 0x{size:x}")
    };
    out.extend_from_slice(text.as_bytes());
}

/// The fields that `S` and `E` have in common, up to and with the mode; tells whether they are quoted.
fn emit_file(r: &SendRequest, form: Form, out: &mut Vec<u8>) -> Result<bool, CommandError> {
    let quoted = form.quoting(&[&r.from, &r.to, &r.user, &r.notify])?;
    emit_field("from", &r.from, quoted, out)?;
    emit_field("to", &r.to, quoted, out)?;
    emit_field("user", &r.user, quoted, out)?;
    emit_options(&r.options, quoted, out);
    if r.temp.iter().any(|b| must_be_quoted(*b)) {
        return Err(uncarriable("temporary name", &r.temp));
    }
    emit_field("temporary name", &r.temp, false, out)?;
    out.extend_from_slice(format!(" 0{:03o} ", r.mode & 0o7777).as_bytes());
    Ok(quoted)
}

fn emit_notify(notify: &[u8], quoted: bool, out: &mut Vec<u8>) {
    if notify.is_empty() {
        out.extend_from_slice(b"\"\"");
    } else if quoted {
        quote(notify, out);
    } else {
        out.extend_from_slice(notify);
    }
}

fn emit_send(r: &SendRequest, form: Form, out: &mut Vec<u8>) -> Result<(), CommandError> {
    let quoted = emit_file(r, form, out)?;
    match form {
        Form::Wire(features) if features.contains(Features::SIZES) => {
            emit_notify(&r.notify, quoted, out);
            if features.contains(Features::DUMMY) {
                out.extend_from_slice(b" dummy");
            }
            if let Some(size) = r.size {
                emit_size(size, features, out);
            }
        }
        // The blank before an empty notify field stays, as in Taylor's own work files.
        _ if r.notify.is_empty() => {}
        _ => emit_notify(&r.notify, quoted, out),
    }
    Ok(())
}

fn emit_execute(r: &ExecuteRequest, form: Form, out: &mut Vec<u8>) -> Result<(), CommandError> {
    let bad = |b: &u8| matches!(b, 0 | b'\n' | b'\r');
    if r.command.is_empty() || r.command.first() == Some(&b' ') || r.command.iter().any(bad) {
        return Err(uncarriable("command", &r.command));
    }
    let quoted = emit_file(&r.file, form, out)?;
    emit_notify(&r.file.notify, quoted, out);
    match form {
        Form::Wire(features) => emit_size(r.file.size.unwrap_or(0), features, out),
        Form::WorkFile => out.extend_from_slice(b" 0"),
    }
    out.push(b' ');
    for &byte in &r.command {
        if quoted && byte == b'\\' {
            out.push(b'\\');
        }
        out.push(byte);
    }
    Ok(())
}

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

pub(super) fn parse_words(bytes: &[u8]) -> Option<Request> {
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
