//! One table: what went wrong -> exit status and enhanced status code (RFC 3463). Nobody else writes a number.
//!
//! 75 is the only status that Postfix, Exim and uuxqt all retry, so a mail program answers 75 for every local problem, by
//! whatever name the book calls it: a full disk that is reported as 74 bounces the mail.

use std::fmt;

/// What went wrong, in the words of `sysexits.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// The command line is wrong.
    Usage,
    /// The input cannot be understood, and will not be at another time either.
    DataError,
    /// The message is larger than the link may carry.
    TooLarge,
    /// An input file cannot be opened.
    NoInput,
    /// An address cannot be carried.
    BadAddress,
    /// The system is not in the sys files, which were read.
    UnknownSystem,
    /// Something that is needed is missing or refuses its service.
    Unavailable,
    /// An internal error.
    Software,
    /// The operating system refused something.
    OsError,
    /// A file cannot be made.
    CannotCreate,
    /// It may work at another time.
    Temporary,
    /// The request is not permitted.
    NotPermitted,
    /// The configuration is wrong.
    Configuration,
    /// Anything else that a tool reports by a plain 1.
    Other,
}

/// Who reads the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// An MTA, `uuxqt` or NNCP: what is not this message's own fault is 75.
    Mail,
    /// A person or a script: sysexits by the book.
    Tool,
    /// A person or a script that knows the peer's `uucico`, `uuxqt`, `uucp`, `uustat`: 0 or 1.
    Plain,
}

impl Status {
    /// The exit status as `sysexits.h` numbers it.
    #[must_use]
    pub fn by_the_book(self) -> u8 {
        match self {
            Self::Other => 1,
            Self::Usage => 64,
            Self::DataError | Self::TooLarge => 65,
            Self::NoInput => 66,
            Self::BadAddress => 67,
            Self::UnknownSystem => 68,
            Self::Unavailable => 69,
            Self::Software => 70,
            Self::OsError => 71,
            Self::CannotCreate => 73,
            Self::Temporary => 75,
            Self::NotPermitted => 77,
            Self::Configuration => 78,
        }
    }

    /// The exit status that `audience` is given.
    #[must_use]
    pub fn exit_status(self, audience: Audience) -> u8 {
        match audience {
            Audience::Plain => 1,
            Audience::Mail if self.is_temporary() => Self::Temporary.by_the_book(),
            Audience::Mail | Audience::Tool => self.by_the_book(),
        }
    }

    /// Whether a mail program must ask its caller to try again: everything but the message's own fault.
    #[must_use]
    pub fn is_temporary(self) -> bool {
        !matches!(
            self,
            Self::DataError
                | Self::TooLarge
                | Self::BadAddress
                | Self::UnknownSystem
                | Self::NotPermitted
        )
    }

    /// The enhanced status code that a mail program's one line begins with. Postfix lets it override the exit status, so
    /// the two always agree.
    #[must_use]
    pub fn enhanced(self) -> &'static str {
        match self {
            Self::DataError => "5.6.0",
            Self::TooLarge => "5.3.4",
            Self::BadAddress => "5.1.3",
            Self::UnknownSystem => "5.1.2",
            Self::NotPermitted => "5.7.1",
            Self::Configuration | Self::Usage => "4.3.5",
            _ => "4.3.0",
        }
    }
}

/// What a program's `run` gives back when it could not do its work: a status and one line for the reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub status: Status,
    /// One line that says which file, system or address it was, and the mend.
    pub message: String,
}

impl Failure {
    /// A failure of this status with this one line.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// A failure that may pass: 75.
    pub fn temporary(message: impl fmt::Display) -> Self {
        Self::new(Status::Temporary, message.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Status; 14] = [
        Status::Usage,
        Status::DataError,
        Status::TooLarge,
        Status::NoInput,
        Status::BadAddress,
        Status::UnknownSystem,
        Status::Unavailable,
        Status::Software,
        Status::OsError,
        Status::CannotCreate,
        Status::Temporary,
        Status::NotPermitted,
        Status::Configuration,
        Status::Other,
    ];

    #[test]
    fn number_and_enhanced_code_always_agree() {
        for status in ALL {
            let exit = status.exit_status(Audience::Mail);
            assert_eq!(
                exit == 75,
                status.enhanced().starts_with("4."),
                "{status:?}"
            );
            assert!(
                matches!(exit, 65 | 67 | 68 | 75 | 77),
                "{status:?} leaves a mail program with {exit}"
            );
        }
    }
}
