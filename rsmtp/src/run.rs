//! What a call comes to: a batch, a look at one, kept mail, or a single message.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::process::ExitCode;

use uucp_core::codec::Format;
use uucp_core::receive::bang_mail::{self, Call};
use uucp_core::receive::{DeliveryOptions, Origin, Site};
use uucp_core::sysexits::{Failure, Status};

use crate::cli::{Arguments, MessageArguments};
use crate::input::{self, Input, Opened};
use crate::message::deliver;
use crate::unbatch::{Unbatching, unreadable};
use crate::{list, retry};

/// rsmtp, under any of its names.
pub(crate) fn batch(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (site, origin) = site(arguments.config.as_deref(), &arguments.delivery)?;
    if arguments.retry {
        return retry::run(&site, arguments.now);
    }
    if arguments.list || arguments.dry_run {
        return list::run(&site, &origin, arguments);
    }
    let source = match arguments.batch.as_slice() {
        [] => standard_input()?,
        [path] => input::open_file(path)?,
        many => {
            return Err(Failure::new(
                Status::Usage,
                format!(
                    "{} files are too many, one is handed over at a time",
                    many.len()
                ),
            ));
        }
    };
    let opened = open(source, &site, &origin)?;
    let unbatching = Unbatching {
        site: &site,
        origin: &origin,
    };
    let said = unbatching.unbatch(opened)?;
    // It is in the Log, where our uuxqt would only write it once more.
    if !origin.is_by_our_uuxqt() {
        say("rsmtp", said.as_deref());
    }
    Ok(ExitCode::SUCCESS)
}

/// crmail.
pub(crate) fn message(arguments: &MessageArguments) -> Result<ExitCode, Failure> {
    let options = &arguments.message;
    let (site, origin) = site(options.config.as_deref(), &options.delivery)?;
    let opened = open(standard_input()?, &site, &origin)?;
    let input = match opened {
        Opened::Whole(input) => input,
        other => {
            let unbatching = Unbatching {
                site: &site,
                origin: &origin,
            };
            let said = unbatching.unbatch(other)?;
            say("crmail", said.as_deref());
            return Ok(ExitCode::SUCCESS);
        }
    };
    let call = Call {
        program: "crmail",
        origin: &origin,
        domain: options.domain.as_deref(),
        recipients: &options.recipients,
        // `.Z` has no end mark, and what is not compressed has none either.
        is_surely_whole: !matches!(input.format, Format::Plain | Format::Z),
    };
    let mut reader = input.reader().map_err(|e| unreadable(&e))?;
    let mail = bang_mail::read(&site, &call, &mut reader)?;
    let said = deliver(&site, &origin, mail)?;
    say("crmail", said.as_deref());
    Ok(ExitCode::SUCCESS)
}

fn site(
    config: Option<&std::path::Path>,
    delivery: &DeliveryOptions,
) -> Result<(Site, Origin), Failure> {
    let origin = Origin::from_environment(|name| std::env::var_os(name))?;
    let site = Site::load(config, delivery, &origin)?;
    Ok((site, origin))
}

pub(crate) fn standard_input() -> Result<File, Failure> {
    let stdin = std::io::stdin().as_fd().try_clone_to_owned();
    stdin.map(File::from).map_err(|e| unreadable(&e))
}

fn open(source: File, site: &Site, origin: &Origin) -> Result<Opened, Failure> {
    let state = &site.around.state;
    let no_room = |e| {
        Failure::temporary(format!(
            "cannot keep the input while it is worked on, in {}: {e}",
            state.display()
        ))
    };
    site.make_state().map_err(no_room)?;
    // What uuxqt gives is a file of the spool.
    let in_place = !origin.job.is_empty();
    Input::take(source, state, in_place)
        .and_then(|input| input.open(state))
        .map_err(no_room)
}

/// One line on standard error, which begins with a status code.
pub(crate) fn say(program: &str, said: Option<&str>) {
    let Some(text) = said else { return };
    let (status, rest) = text.split_once(' ').unwrap_or(("4.0.0", text));
    let line: String = format!("{status} {program}: {rest}")
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
