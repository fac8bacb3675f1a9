//! `uucp`: copies files between this system and others. A drop-in for the peer's.
//!
//! Station: sender. Taylor UUCP manual, *Invoking uucp*. It leaves work, data and execute files byte for byte as Taylor's
//! does, and exits 0 only when they are durable. What cannot be done or may not be done is refused before anything is
//! queued.

mod local;
pub(super) mod options;
mod place;
mod plan;
mod rules;
mod step;
mod submit;
mod tree;

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;

use options::{Arguments, Options};

use super::queueing::{self, print_line, warn};
use crate::config::{Config, Settings, System};
use crate::name::{Grade, JobId, SystemName};
use crate::owner;
use crate::program;
use crate::spool::Spool;
use crate::sysexits::{Audience, Failure};

/// What stands before messages and in the log.
const NAME: &str = "uucp";

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let words = std::env::args_os().collect();
    program::main_for_everybody(NAME, Audience::Plain, words, |arguments: &Arguments| {
        run(&arguments.options)
    })
}

/// One run: everything that its steps have in common.
struct Run<'a> {
    options: &'a Options,
    config: &'a Config,
    spool: &'a Spool,
    /// Who asks: a user of this system, or `system!user`.
    user: Vec<u8>,
    /// The system whose user asks, if it is not this one.
    requester: Option<System>,
    grade: Grade,
}

impl Run<'_> {
    /// What the system may whose user asks; nothing for a user of this system.
    fn requester_settings(&self) -> Option<&Settings> {
        self.requester.as_ref()?.alternates.first()
    }

    /// Whether files are left where they are until they are sent. What another system may have was judged now, and may be another
    /// file by then.
    fn leaves_files(&self) -> bool {
        self.options.no_copy && self.requester.is_none()
    }

    /// Whether a user is the one as whom uucico runs.
    fn owns_spool(&self, user: u32) -> bool {
        std::fs::metadata(self.spool.root()).is_ok_and(|root| root.uid() == user)
    }
}

/// What `uucp` and `uuto` do.
pub(super) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let config = options.common.load_for_queueing(NAME)?;
    let user = user(options);
    let spool = queueing::open_spool(&config)?;
    let run = Run {
        options,
        config: &config,
        spool: &spool,
        requester: rules::requester(&config, &user)?,
        user,
        grade: queueing::grade(NAME, options.grade.as_deref()),
    };
    let steps = plan::make(&run)?;
    owner::act_as_owner(spool.root())?;
    let mut jobs = Vec::new();
    let result = submit::submit(&run, steps, &mut jobs);
    owner::stay_owner()?;
    // Also where a later step failed, since these are queued.
    announce(&run, &jobs);
    result.map(|()| ExitCode::SUCCESS)
}

fn announce(run: &Run<'_>, jobs: &[JobId]) {
    if run.options.jobid {
        for job in jobs {
            print_line(&job.to_string());
        }
    }
    if !run.options.no_uucico {
        let systems: BTreeSet<&SystemName> = jobs.iter().map(|job| &job.system).collect();
        for system in systems {
            queueing::start_uucico(NAME, run.config, system);
        }
    }
}

/// Who asks. Only a user of another system can be named: nobody is to be told that somebody else here asked. And only by who may
/// write to the spool himself, as uuxqt does.
fn user(options: &Options) -> Vec<u8> {
    match options.user.as_deref().map(OsStrExt::as_bytes) {
        Some(_) if owner::is_lent() => {
            warn(
                NAME,
                "-u: only the owner and the group of the spool can name another user",
            );
            queueing::user_name()
        }
        Some(user) if user.contains(&b'!') => user.to_vec(),
        Some(_) => {
            warn(NAME, "-u: only a user of another system can be named");
            queueing::user_name()
        }
        None => queueing::user_name(),
    }
}
