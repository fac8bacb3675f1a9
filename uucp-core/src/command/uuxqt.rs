//! `uuxqt`: runs what other systems ask to be executed here. A drop-in for the peer's.
//!
//! Station: execution. Taylor UUCP manual, *Invoking uuxqt*. The process that is started lists the queue and hands it to
//! workers, which are the same program with a hidden option; see [`crate::execute`].

use std::ffi::OsString;
use std::io::{self, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use clap::Parser;
use nix::sys::stat::{Mode, umask};

use super::common::Common;
use super::queueing::warn_without_log;
use crate::config::mail::MailConfig;
use crate::config::{Config, ConfigError};
use crate::delivery::deliver_local_queue;
use crate::execute::job::{Runner, Wishes};
use crate::execute::queue::{self, Limits, QueueError, Tally};
use crate::execute::{keep_unnamed, sweep, tell_of_untold, worker};
use crate::name::SystemName;
use crate::outbox::expire_all;
use crate::program;
use crate::receive::{Site, retry};
use crate::spool::{Journal, Severity, Spool};
use crate::sysexits::{Audience, Failure, Status};

/// What files that a command makes may not be: writable by others. The peer's `uuxqt` has a mask of 0.
const UMASK: u32 = 0o022;

/// Run the commands that other systems have asked for.
#[derive(Debug, Parser)]
#[command(
    name = "uuxqt",
    version,
    disable_version_flag = true,
    after_help = "Examples:\n  uuxqt                      run everything that waits\n  uuxqt -c rmail -s alpha    only mail that came from alpha\n  uuxqt --now                also what rests after a temporary failure"
)]
struct Arguments {
    /// Only run requests for this command
    #[arg(short = 'c', long, value_name = "COMMAND")]
    command: Option<OsString>,
    /// Only run requests that came from this system
    #[arg(short = 's', long, value_name = "SYSTEM")]
    system: Option<SystemName>,
    /// Run this many jobs side by side, instead of the number in mail.toml
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    jobs: Option<u32>,
    /// Also try jobs that rest after a temporary failure
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    common: Common,
    /// Take jobs from standard input; what uuxqt starts its workers with
    #[arg(long, hide = true)]
    worker: bool,
    /// Offer mail again that waits for the MTA; what uuxqt starts beside its workers
    #[arg(long, hide = true)]
    retry_kept: bool,
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    program::main("uuxqt", Audience::Plain, run)
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    umask(Mode::from_bits_truncate(UMASK));
    let (config, spool) = arguments.common.load_as_owner()?;
    let mail = MailConfig::load(&config.directory)
        .map_err(|error| Failure::new(Status::Configuration, error.to_string()))?;
    if arguments.retry_kept {
        let tally = retry::run(&Site::new(config, mail, Some(spool)), false)?;
        return match tally.trouble {
            None => Ok(ExitCode::SUCCESS),
            Some(trouble) => Err(Failure::temporary(trouble)),
        };
    }
    let journal = Journal::open(&config, "uuxqt");
    if arguments.worker {
        return work(arguments, &config, &mail, &spool, journal);
    }
    warn_without_log("uuxqt", &config);
    let system = arguments.system.as_ref();
    let system = system.map(|name| known_system(&config, &spool, name));
    run_queue(
        arguments,
        system.transpose()?,
        &config,
        &mail,
        &spool,
        journal,
    )
}

/// The system of `-s`, by its name or an alias. What came from one that is described no more still lies in its folder.
fn known_system(config: &Config, spool: &Spool, name: &SystemName) -> Result<SystemName, Failure> {
    let failed = |error: ConfigError| Failure::new(Status::Configuration, error.to_string());
    if let Some(system) = config.system(name).map_err(failed)? {
        return Ok(system.name);
    }
    let may_be = *name == config.nodename
        || spool.root().join(name.as_str()).is_dir()
        || config.unknown_system(name).map_err(failed)?.is_some();
    if may_be {
        return Ok(name.clone());
    }
    let text = format!("{name}: System not found");
    Err(Failure::new(Status::UnknownSystem, text))
}

/// The worker's part.
fn work(
    arguments: &Arguments,
    config: &Config,
    mail: &MailConfig,
    spool: &Spool,
    journal: Journal,
) -> Result<ExitCode, Failure> {
    queue::leave_signals_alone().map_err(Failure::temporary)?;
    let command = arguments.command.as_ref();
    let wishes = Wishes {
        command: command.map(|command| command.as_bytes().to_vec()),
        now: arguments.now,
    };
    let mut runner = Runner::new(config, mail, spool, journal, wishes);
    let orders = BufReader::new(io::stdin().lock());
    worker::serve(&mut runner, orders, io::stdout().lock()).map_err(Failure::temporary)?;
    Ok(ExitCode::SUCCESS)
}

fn run_queue(
    arguments: &Arguments,
    system: Option<SystemName>,
    config: &Config,
    mail: &MailConfig,
    spool: &Spool,
    mut journal: Journal,
) -> Result<ExitCode, Failure> {
    // Both are held to the end. That others run already is no failure: they do the work.
    let one_of_many = spool.lock_uuxqt(config.max_uuxqts).map_err(|error| {
        // Whoever starts this in the background sees nothing but the log.
        journal.log(None, None, Severity::Fatal, &error.to_string());
        Failure::temporary(error)
    })?;
    let Some(_one_of_many) = one_of_many else {
        return Ok(ExitCode::SUCCESS);
    };
    let _this_command = match &arguments.command {
        None => None,
        Some(command) => match spool.lock_command(command.as_bytes()) {
            Ok(Some(lock)) => Some(lock),
            Ok(None) => return Ok(ExitCode::SUCCESS),
            Err(error) => return Err(Failure::temporary(error)),
        },
    };
    let retry = start_retry(arguments, mail, spool);
    let tally = run_jobs(arguments, system, mail, spool).map_err(|error| {
        journal.log(None, None, Severity::Fatal, &error.to_string());
        Failure::temporary(error)
    })?;
    tracing::debug!(target: "uucp::execute", "{tally:?}");
    let swept = sweep(spool);
    let told = tell_of_untold(spool, mail, &tally);
    let kept = keep_unnamed(spool, mail, &mut journal);
    let expired = expire_all(spool, mail, &mut journal);
    let delivered = deliver_local_queue(spool, mail).map(drop);
    if let Some(mut retry) = retry {
        let _ = retry.wait();
    }
    if let Err(error) = expired {
        journal.log(None, None, Severity::Error, &error.to_string());
    }
    // The jobs are done, whatever became of the mail about them: it waits in the spool.
    for error in [swept, told, kept, delivered]
        .into_iter()
        .filter_map(Result::err)
    {
        journal.log(None, None, Severity::Error, &error.to_string());
    }
    Ok(ExitCode::SUCCESS)
}

/// Mail that the MTA has refused for now and that is due again is offered beside the jobs: neither holds up the other.
fn start_retry(arguments: &Arguments, mail: &MailConfig, spool: &Spool) -> Option<Child> {
    let now = spool.observed_now().ok()?;
    if !retry::is_due(&mail.state_directory(spool.root()), now) {
        return None;
    }
    let mut command = Command::new(own_program());
    command.arg("--retry-kept").stdin(Stdio::null());
    if let Some(file) = &arguments.common.config {
        command.arg("--config").arg(file);
    }
    command.spawn().ok()
}

fn run_jobs(
    arguments: &Arguments,
    system: Option<SystemName>,
    mail: &MailConfig,
    spool: &Spool,
) -> Result<Tally, QueueError> {
    let jobs = arguments.jobs.unwrap_or_else(|| mail.execution(None).jobs);
    let limits = Limits {
        jobs: usize::try_from(jobs).unwrap_or(1),
        system,
    };
    let program = own_program();
    queue::run_all(spool, &limits, || worker_command(&program, arguments))
}

/// A worker is this program again, told what it was told.
fn worker_command(program: &Path, arguments: &Arguments) -> Command {
    let mut command = Command::new(program);
    command.arg("--worker").args(arguments.common.words());
    if let Some(only) = &arguments.command {
        command.arg("--command").arg(only);
    }
    if arguments.now {
        command.arg("--now");
    }
    command
}

/// The file of this program. One that was replaced while it ran has no name any more, but can still be started.
fn own_program() -> PathBuf {
    std::env::current_exe()
        .ok()
        .filter(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parsed(words: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from([&["uuxqt"], words].concat())
    }

    #[test]
    fn options_are_those_of_the_peer() {
        let short = ["-c", "rmail", "-s", "alpha", "-x", "9", "-I", "/c"];
        let long = [
            "--command",
            "rmail",
            "--system",
            "alpha",
            "--debug",
            "9",
            "--config",
            "/c",
        ];
        let (short, long) = (parsed(&short).unwrap(), parsed(&long).unwrap());
        assert_eq!(format!("{short:?}"), format!("{long:?}"));
        assert!(parsed(&["--jobs", "0"]).is_err());
        assert!(parsed(&["-s", "../x"]).is_err());
    }

    #[test]
    fn the_manual_page_names_every_option() {
        let page = include_str!("../../man/uuxqt.8.md");
        for argument in Arguments::command().get_arguments() {
            if argument.is_hide_set() {
                continue;
            }
            let long = argument.get_long().unwrap_or_default();
            assert!(page.contains(&format!("**\\--{long}**")), "--{long}");
            if let Some(short) = argument.get_short() {
                assert!(page.contains(&format!("\n**-{short}**")), "-{short}");
            }
        }
    }

    #[test]
    fn a_worker_is_told_what_we_were_told() {
        let arguments = parsed(&["-crmail", "-I", "/c", "-x", "9", "--now"]).unwrap();
        let command = worker_command(Path::new("/bin/uuxqt"), &arguments);
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let again = Arguments::try_parse_from(words).unwrap();
        assert!(again.worker && again.now);
        assert_eq!(again.command, arguments.command);
        assert_eq!(again.common, arguments.common);
    }
}
