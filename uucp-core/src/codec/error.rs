//! What can be wrong with compressed data.

use std::io;

use thiserror::Error;

use super::Format;

/// Why compressed data cannot be used. It travels inside an [`io::Error`]; [`CodecError::of`] finds it there. An
/// [`io::Error`] without it is the input's or output's own.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The data ends before its end.
    #[error("the {format} data is cut: it ends before its end")]
    Truncated {
        /// What it is.
        format: Format,
    },
    /// The data is not what was written.
    #[error("the {format} data is damaged: {reason}")]
    Damaged {
        /// What it is.
        format: Format,
        /// What gave it away.
        reason: String,
    },
    /// It would become larger than is allowed.
    #[error("the {format} data becomes more than {limit} bytes")]
    TooLarge {
        /// What it is.
        format: Format,
        /// The limit.
        limit: u64,
    },
    /// It becomes so much larger than it is that nobody who writes mail has made it.
    #[error("the {format} data becomes more than {ratio} times as large as it is")]
    Bomb {
        /// What it is.
        format: Format,
        /// The limit.
        ratio: u32,
    },
    /// It is made of so many pieces with next to nothing in them that nobody who writes mail has made it.
    #[error("the {format} data is made of thousands of pieces with next to nothing in them")]
    Pieces {
        /// What it is.
        format: Format,
    },
    /// Reading it needs more memory than is allowed.
    #[error(
        "the {format} data needs more than {limit} bytes of memory; it was written with too large a window"
    )]
    Window {
        /// What it is.
        format: Format,
        /// The limit.
        limit: u64,
    },
    /// It was written with a dictionary that is not here.
    #[error(
        "the zstd data needs dictionary {id:08x}, which is not here; import it from the system that sent the data"
    )]
    NoDictionary {
        /// The dictionary's id.
        id: u32,
    },
}

impl CodecError {
    /// The error in an [`io::Error`], if it is one about compressed data.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// Whether somebody can mend it here, so that the same data can be read later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::NoDictionary { .. })
    }
}

impl From<CodecError> for io::Error {
    fn from(error: CodecError) -> Self {
        let kind = match error {
            CodecError::Truncated { .. } => io::ErrorKind::UnexpectedEof,
            CodecError::NoDictionary { .. } => io::ErrorKind::NotFound,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}
