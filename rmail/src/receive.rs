//! One message, from standard input to the MTA.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use uucp_core::delivery::deliver_some_local_mail;
use uucp_core::receive::bang_mail::{self, Call};
use uucp_core::receive::{Origin, Site};
use uucp_core::sysexits::Failure;

use crate::cli::Arguments;

/// How many of our own reports one run hands over beside its message, and for how long it begins another: whoever runs us
/// is waiting.
const REPORTS: usize = 20;
const REPORTS_TIME: Duration = Duration::from_secs(10);

/// Receives one message.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let origin = Origin::from_environment(|name| std::env::var_os(name))?;
    let options = &arguments.message;
    let site = Site::load(options.config.as_deref(), &options.delivery, &origin)?;
    let call = Call {
        program: "rmail",
        origin: &origin,
        domain: options.domain.as_deref(),
        recipients: &options.recipients,
        is_surely_whole: false,
    };
    let settled = bang_mail::receive(&site, &call, &mut std::io::stdin().lock())?;
    if settled.deferred.is_none() {
        hand_over_reports(&site, &origin);
    }
    bang_mail::tell("rmail", &settled)
}

/// Reports wait in the spool until uuxqt hands them over at the end of its run. Under NNCP nobody does; so we do, a few at a
/// time, when the MTA has just shown that it is there. Their trouble is not this message's: they wait on.
fn hand_over_reports(site: &Site, origin: &Origin) {
    let by_uuxqt = origin.neighbour.is_some() && !origin.by_nncp;
    if let (Some(spool), false) = (&site.spool, by_uuxqt) {
        let until = Instant::now() + REPORTS_TIME;
        let _ = deliver_some_local_mail(spool, &site.mail, REPORTS, until);
    }
}
