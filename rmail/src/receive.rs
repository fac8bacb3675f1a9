//! One message, from standard input to the MTA.

use std::process::ExitCode;

use uucp_core::receive::bang_mail::{self, Call};
use uucp_core::receive::{Origin, Site};
use uucp_core::sysexits::Failure;

use crate::cli::Arguments;

/// Receives one message.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let origin = Origin::from_environment(|name| std::env::var_os(name))?;
    let site = Site::load(arguments.config.as_deref(), &arguments.delivery, &origin)?;
    let call = Call {
        program: "rmail",
        origin: &origin,
        domain: arguments.domain.as_deref(),
        recipients: &arguments.recipients,
        is_surely_whole: false,
    };
    let settled = bang_mail::receive(&site, &call, &mut std::io::stdin().lock())?;
    bang_mail::tell("rmail", &settled)
}
