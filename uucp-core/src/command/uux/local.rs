//! A command for this system itself: its files and its execute file are taken in as if a neighbour of our own name had
//! sent them.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::time::{Duration, Instant};

use super::execute_text::ExecuteText;
use super::fetch::fetch;
use super::files::{copy, open};
use super::plan::{Body, Plan, Source};
use super::submit::describe;
use super::{Request, of_config, of_spool};
use crate::name::{JobId, SpoolKind, SpoolName};
use crate::owner::stay_owner;
use crate::spool::{Admission, Inbox, Incoming, LockError, Reception, SystemLock};
use crate::sysexits::{Failure, Status};
use crate::wire::command::RequestOptions;

/// How long to wait for another `uux` that does the same.
const PATIENCE: Duration = Duration::from_secs(30);

/// Gives back the jobs that fetch files of other systems.
pub(super) fn submit(request: &Request<'_>, plan: &Plan) -> Result<Vec<JobId>, Failure> {
    let Body::File(text) = &plan.body else {
        return Err(Failure::new(
            Status::Software,
            "a command for this system has no execute file",
        ));
    };
    let mut files = Vec::new();
    let mut fetches = Vec::new();
    for part in &plan.parts {
        match &part.source {
            Source::Stdin => {
                let read = read(request, &mut io::stdin().lock(), "standard input")?;
                files.push((&part.peer_name, read));
            }
            Source::Fetch(file) => fetches.push((&part.peer_name, file)),
            Source::Copy(path) | Source::Leave(path) | Source::Link { path, .. } => {
                let read = read(request, &mut open(path)?, &path.display().to_string())?;
                files.push((&part.peer_name, read));
            }
        }
    }
    let lock = lock(request)?;
    let mut inbox = request.spool.inbox(&lock).map_err(|e| of_spool(&e))?;
    let mut receptions = Vec::new();
    for (name, mut file) in files {
        receptions.push(take(request, &mut inbox, name, &mut file)?);
    }
    // The command is there before the files that it waits for are asked for, so that none comes without an aim.
    take_in(request, &mut inbox, receptions, text)?;
    let jobs = fetches
        .into_iter()
        .map(|(name, file)| fetch(request, name, file))
        .collect::<Result<_, _>>()?;
    super::log(request, &describe(&plan.command, &[]));
    Ok(jobs)
}

/// A file, read while nobody has to wait: it may be a pipe whose other end takes its time.
fn read(request: &Request<'_>, source: &mut impl Read, what: &str) -> Result<File, Failure> {
    let failed = |error: io::Error| Failure::temporary(format!("cannot spool {what}: {error}"));
    let mut file = tempfile::tempfile_in(request.spool.root()).map_err(failed)?;
    copy(source, &mut file, what)?;
    file.rewind().map_err(failed)?;
    Ok(file)
}

/// A command without files that are here already.
pub(super) fn take_command(request: &Request<'_>, text: &ExecuteText) -> Result<(), Failure> {
    let lock = lock(request)?;
    let mut inbox = request.spool.inbox(&lock).map_err(|e| of_spool(&e))?;
    take_in(request, &mut inbox, Vec::new(), text)
}

/// The execute file is taken in behind what it needs.
fn take_in(
    request: &Request<'_>,
    inbox: &mut Inbox,
    mut receptions: Vec<Reception>,
    text: &ExecuteText,
) -> Result<(), Failure> {
    let name = request.spool.peer_name(SpoolKind::Execute, request.grade);
    receptions.push(take(request, inbox, &name, &mut text.emit().as_slice())?);
    for result in inbox.commit(receptions) {
        result.map_err(|e| of_spool(&e))?;
    }
    Ok(())
}

/// For good as the owner of the spool: who has started this could otherwise stop it, and with it everybody who waits.
fn lock(request: &Request<'_>) -> Result<SystemLock, Failure> {
    stay_owner()?;
    let until = Instant::now() + PATIENCE;
    loop {
        match request.spool.lock_system(&request.config.nodename) {
            Ok(lock) => return Ok(lock),
            Err(LockError::Held { .. }) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(Failure::temporary(error)),
        }
    }
}

fn take(
    request: &Request<'_>,
    inbox: &mut Inbox,
    name: &SpoolName,
    source: &mut dyn Read,
) -> Result<Reception, Failure> {
    let system = request.config.local_system().map_err(of_config)?;
    let Some(settings) = system.alternates.first() else {
        return Err(Failure::temporary("this system is not described"));
    };
    let admission = inbox.begin(&Incoming {
        from: name.as_bytes(),
        to: name.as_bytes(),
        user: &request.user,
        options: &RequestOptions::new(b"C"),
        temp: None,
        mode: 0o666,
        notify: b"",
        size: None,
        version: None,
        command: None,
        own_request: false,
        rules: &settings.local_receive,
        pubdir: &request.config.pubdir,
        free_space: settings.free_space,
        restart: false,
    });
    let mut reception = match admission.map_err(|e| of_spool(&e))? {
        Admission::Begin { reception, .. } => reception,
        Admission::AlreadyReceived => {
            return Err(Failure::temporary(format!("{name} is there already")));
        }
        Admission::Refuse { reason, .. } => return Err(Failure::temporary(reason)),
    };
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Failure::new(Status::NoInput, e.to_string())),
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        reception.write(None, bytes).map_err(|e| of_spool(&e))?;
    }
    reception.finish().map_err(|e| of_spool(&e))?;
    Ok(*reception)
}
