//! What is settled before the batch is read: the system, and how mail is queued for it.

use std::ffi::OsStr;

use jiff::Zoned;
use uucp_core::config::Config;
use uucp_core::config::mail::{MailConfig, Sending};
use uucp_core::name::SystemName;
use uucp_core::send::{look_up, user_name};
use uucp_core::sysexits::{Failure, Status};

use crate::cli::Arguments;

/// What is settled before the batch is read.
#[derive(Debug)]
pub(crate) struct Link<'a> {
    pub(crate) config: &'a Config,
    pub(crate) system: SystemName,
    pub(crate) mail: MailConfig,
    pub(crate) sending: Sending,
    pub(crate) user: Vec<u8>,
    pub(crate) date: Zoned,
    /// The MTA's id of the message; empty where it gives none.
    pub(crate) id: &'a [u8],
}

impl<'a> Link<'a> {
    pub(crate) fn new(
        arguments: &'a Arguments,
        config: &'a Config,
        system: &OsStr,
    ) -> Result<Self, Failure> {
        let system = look_up(config, system)?.name;
        let mail = MailConfig::load(&config.directory)
            .map_err(|e| Failure::new(Status::Configuration, e.to_string()))?;
        let mut sending = mail.sending(&system);
        if let Some(grade) = arguments.grade {
            sending.grade = grade;
            sending.grade_by_size.clear();
        }
        if let Some(limit) = arguments.size_limit {
            sending.size_limit = (limit > 0).then_some(limit);
        }
        Ok(Self {
            id: std::os::unix::ffi::OsStrExt::as_bytes(&*arguments.id),
            user: user_name(),
            date: uucp_core::clock::now(),
            config,
            system,
            mail,
            sending,
        })
    }
}
