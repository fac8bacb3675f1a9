//! Messages to the MTA, in several sessions, with the neighbour's ledger held.

use std::time::Duration;

use uucp_core::clock;
use uucp_core::delivery::{Ledger, Pool, Receiver};
use uucp_core::receive::handing::{Handing, Tally};
use uucp_core::receive::kept::Kept;
use uucp_core::receive::mail::Source;
use uucp_core::receive::{Origin, Site};
use uucp_core::stop;
use uucp_core::sysexits::{Failure, Status};

/// How long to wait for another rsmtp that works for the same neighbour. Then this input comes again later.
const PATIENCE: Duration = Duration::from_mins(20);

/// Hands over all that `source` has; there is room in the ledger for so many recipients before the first is offered anything.
pub(crate) fn hand_over<S: Source>(
    site: &Site,
    origin: &Origin,
    source: S,
    recipients: u64,
) -> Result<(S, Tally), Failure> {
    let neighbour = origin.neighbour.as_ref();
    let state = &site.around.state;
    let now = site.observed_now()?;
    let unusable =
        |e| Failure::temporary(format!("cannot use the ledger in {}: {e}", state.display()));
    let ledger = Ledger::open(state, neighbour, now, PATIENCE).map_err(unusable)?;
    let ledger = ledger.ok_or_else(|| {
        Failure::temporary("another rsmtp has been at work for this neighbour for long")
    })?;
    ledger.reserve(recipients).map_err(unusable)?;
    stop::hold().map_err(Failure::temporary)?;
    let wrong = |e: &dyn std::fmt::Display| Failure::new(Status::Configuration, e.to_string());
    let mut pool =
        Pool::choose(&site.mail.delivery(neighbour), &site.around).map_err(|e| wrong(&e))?;
    let (spool, around) = (site.spool.as_ref(), site.around.clone());
    let receiver =
        Receiver::new(&site.mail, spool, around, neighbour, clock::now()).map_err(|e| wrong(&e))?;
    let policy = site.mail.policy(neighbour);
    let kept = Kept::open(state, neighbour, policy.waiting_limit).map_err(Failure::temporary)?;
    let times = site.times(neighbour, now);
    let handing = Handing::new(source, &ledger, receiver, policy, kept, times);
    pool.run(&handing);
    Ok(handing.finish())
}
