//! One message, from standard input to the MTA.

use std::io::{BufRead as _, Read};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use uucp_core::clock;
use uucp_core::delivery::{Receiver, deliver_some_local_mail};
use uucp_core::execute::series;
use uucp_core::receive::bang_mail::{self, Call};
use uucp_core::receive::{MessageOptions, Origin, Series, Site};
use uucp_core::stop;
use uucp_core::sysexits::{Failure, Status};

use crate::cli::{self, Arguments};

/// How many of our own reports one run hands over beside its message, and for how long it begins another: whoever runs us
/// is waiting.
const REPORTS: usize = 20;
const REPORTS_TIME: Duration = Duration::from_secs(10);

/// Receives one message; under our uuxqt also those that it has next, of the same neighbour.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut origin = Origin::from_environment(|name| std::env::var_os(name))?;
    let series = Series::from_variable(std::env::var_os(series::VARIABLE).as_deref());
    let options = &arguments.message;
    if origin.neighbour.is_none() && options.recipients.is_empty() && nothing_comes() {
        let text = "no recipient and no message; 'rmail RECIPIENT ... <MESSAGE' sends one";
        return Err(Failure::new(Status::Usage, text));
    }
    let site = Site::load(options.config.as_deref(), &options.delivery, &origin)?;
    let whose = origin.clone();
    let mut receiver = bang_mail::receiver(&site, &whose)?;
    receive_one(
        &site,
        &mut receiver,
        &origin,
        options,
        &mut std::io::stdin().lock(),
    )?;
    let mut series = series.into_iter().flatten();
    // What is told to end in between leaves a job without an answer, which comes again and is known.
    while !stop::is_asked()
        && let Some((next, mut input)) = series.next()
    {
        // Where the first one ran is gone.
        let _ = std::env::set_current_dir("/");
        origin.is_now(&next);
        receiver.set_now(clock::now());
        let arguments = cli::further(next.words)?;
        receive_one(
            &site,
            &mut receiver,
            &origin,
            &arguments.message,
            &mut input,
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether standard input ends where it begins. What cannot be read is told when it is read.
fn nothing_comes() -> bool {
    std::io::stdin()
        .lock()
        .fill_buf()
        .is_ok_and(<[u8]>::is_empty)
}

fn receive_one(
    site: &Site,
    receiver: &mut Receiver<'_>,
    origin: &Origin,
    options: &MessageOptions,
    input: &mut dyn Read,
) -> Result<(), Failure> {
    let call = Call {
        program: "rmail",
        origin,
        domain: options.domain.as_deref(),
        recipients: &options.recipients,
        is_surely_whole: false,
    };
    let settled = bang_mail::receive(site, receiver, &call, input)?;
    if settled.deferred.is_none() {
        hand_over_reports(site, origin);
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
