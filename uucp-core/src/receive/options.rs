//! The options of the receivers.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::words::{self, Options};
use crate::config::mail::{MethodName, ServerAddress};

/// The options that say how mail is handed over, for this run.
#[derive(Debug, Clone, Default, Args)]
pub struct DeliveryOptions {
    /// Hand over by SMTP to this server, or to /PATH of a unix socket
    #[arg(long, value_name = "HOST:PORT", group = "method")]
    pub smtp: Option<ServerAddress>,
    /// Hand over by LMTP to this server, or to /PATH of a unix socket
    #[arg(long, value_name = "HOST:PORT", group = "method")]
    pub lmtp: Option<ServerAddress>,
    /// Hand over through this sendmail command
    #[arg(long, value_name = "COMMAND", group = "method")]
    pub sendmail: Option<PathBuf>,
    /// Deliver into Maildir folders; %u is the recipient's local part, %d the domain
    #[arg(long, value_name = "FOLDER", group = "method")]
    pub maildir: Option<PathBuf>,
}

impl DeliveryOptions {
    pub(super) fn method(&self) -> Option<MethodName> {
        if self.smtp.is_some() {
            Some(MethodName::Smtp)
        } else if self.lmtp.is_some() {
            Some(MethodName::Lmtp)
        } else if self.sendmail.is_some() {
            Some(MethodName::Sendmail)
        } else {
            self.maildir.as_ref().map(|_| MethodName::Maildir)
        }
    }
}

/// The options of a program that takes one message: rmail, and rsmtp under the name crmail.
#[derive(Debug, Clone, Default, Args)]
pub struct MessageOptions {
    /// Configuration file, instead of /etc/uucp/config; mail.toml is read from beside it
    #[arg(short = 'I', long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How it is handed over.
    #[command(flatten)]
    pub delivery: DeliveryOptions,
    /// Domain that completes the neighbour's name in the trace line
    #[arg(short = 'D', long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// Accepted and ignored, as older rmails have it
    #[arg(short = 'T')]
    pub debug: bool,
    /// Who is to get the message: bang paths, domain addresses, or both; parentheses around them are taken off
    #[arg(last = true, value_name = "RECIPIENT")]
    pub recipients: Vec<OsString>,
}

const MESSAGE_OPTIONS: Options = Options {
    with_value: &[
        "-I",
        "-D",
        "--config",
        "--domain",
        "--smtp",
        "--lmtp",
        "--sendmail",
        "--maildir",
    ],
    alone: &["-T", "-h", "--help", "-v", "-V", "--version"],
};

impl MessageOptions {
    /// Puts `--` between the options and the recipients of such a command line, so that no recipient is taken for an option.
    #[must_use]
    pub fn separate(words: Vec<OsString>, by_peer: bool) -> Vec<OsString> {
        words::separate(words, by_peer, &MESSAGE_OPTIONS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_told_from_a_recipient() {
        let mut command = MessageOptions::augment_args(clap::Command::new("rmail"));
        // Those for help and version come then.
        command.build();
        for argument in command.get_arguments() {
            let (long, short) = (argument.get_long(), argument.get_short());
            let long = long.map(|name| format!("--{name}"));
            let short = short.map(|name| format!("-{name}"));
            for option in long.into_iter().chain(short) {
                let list = if argument.get_action().takes_values() {
                    MESSAGE_OPTIONS.with_value
                } else {
                    MESSAGE_OPTIONS.alone
                };
                assert!(list.contains(&option.as_str()), "{option}");
            }
        }
    }
}
