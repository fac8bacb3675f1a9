//! What goes wrong with TLS, each in a line that says what to do about it.

use std::io;
use std::path::PathBuf;

use rustls::{AlertDescription, Error, InvalidMessage};
use thiserror::Error;

use crate::config::mail::Fingerprint;

/// Why a TLS connection was not made, or has ended.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsFault {
    /// A certificate or key that is not there.
    #[error("there is no {}; 'uucico --certificate' makes our certificate and its key", .0.display())]
    Missing(PathBuf),
    /// A file that cannot be used.
    #[error("{}: {reason}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Neither a key nor an authority to believe.
    #[error("{0}")]
    Untrusting(String),
    /// We do not believe what the other side shows.
    #[error("{0}")]
    Unknown(String),
    /// The other side shows nothing.
    #[error(
        "the other side shows no certificate; 'uucico --certificate' makes one there, and its port has to be of type tls"
    )]
    NoCertificate,
    /// The other side does not ask for what we show.
    #[error(
        "the other side does not ask for our certificate, so that anybody could call in our name; its port has to be of type tls, or its server has to ask for certificates"
    )]
    NotAsked,
    /// The other side does not believe what we show.
    #[error("the other side refuses our certificate ({alert}); have it pin our key, {ours}")]
    Refused {
        /// In its words.
        alert: String,
        /// What it should pin.
        ours: Fingerprint,
    },
    /// The other side says that our certificate is out of date.
    #[error(
        "the other side says that our certificate has expired, or that it is not valid yet by its clock; remove the certificate, keep the key, and 'uucico --certificate' makes another for the same key"
    )]
    OursExpired,
    /// Only an older version of TLS is spoken there.
    #[error("the other side does not speak TLS 1.3, and nothing older is spoken here")]
    OldVersion,
    /// It is no TLS.
    #[error("the other side does not speak TLS; is its port of type tcp, or another service's?")]
    Plain,
    /// Nothing, or not enough, came in time.
    #[error(
        "the other side did not finish the TLS handshake in time; if it waits for a login prompt, its port is of type tcp and has to be of type tls"
    )]
    TimedOut,
    /// The line went in the handshake.
    #[error("the other side hung up in the TLS handshake")]
    HungUp,
    /// The line went without the words by which TLS ends.
    #[error("Line disconnected (cut without TLS's farewell)")]
    Cut,
    /// We are to end.
    #[error("the TLS handshake was ended by a signal")]
    Interrupted,
    /// The line fails.
    #[error(transparent)]
    Line(#[from] io::Error),
    /// Something else that the other side has done, or said, against the protocol.
    #[error("TLS: {0}")]
    Other(String),
}

impl TlsFault {
    /// What an error of the protocol means; `ours` is the key that we have shown, `greeting` whether the handshake is not over.
    pub(super) fn of(error: &Error, ours: Fingerprint, greeting: bool) -> Self {
        match error {
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::PeerIncompatible(_)
            | Error::AlertReceived(AlertDescription::ProtocolVersion)
            | Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion) => Self::OldVersion,
            Error::InvalidMessage(_) if greeting => Self::Plain,
            Error::AlertReceived(alert) => Self::alert(*alert, ours),
            other => Self::Other(other.to_string()),
        }
    }

    fn alert(alert: AlertDescription, ours: Fingerprint) -> Self {
        match alert {
            AlertDescription::CertificateExpired => Self::OursExpired,
            AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRevoked => Self::Refused {
                alert: format!("{alert:?}"),
                ours,
            },
            AlertDescription::CertificateRequired => {
                Self::Other("the other side wants a certificate and got none".to_owned())
            }
            other => Self::Other(format!("the other side ends the connection ({other:?})")),
        }
    }

    /// As an error of the line, for whoever knows only lines.
    pub(super) fn into_io(self) -> io::Error {
        match self {
            Self::Line(error) => error,
            other => io::Error::other(other),
        }
    }

    /// The fault of TLS that an error of a line is, if it is one.
    #[must_use]
    pub fn in_line(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}
