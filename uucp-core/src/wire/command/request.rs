//! Requests: what one side asks of the other, and what a line of a work file says.

mod emit;
mod parse;

use super::{COMMAND_LIMIT, CommandError, Features, garbled};

pub(super) use emit::Form;
pub(super) use parse::parse_words;

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
}
