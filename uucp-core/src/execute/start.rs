//! The start of a job's command: in a process of its own, or by one that has just done a job of the same kind.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::arguments;
use super::child::{Finished, Launch, Running};
use super::environment::{Circumstances, environment};
use super::files::{Output, RunDirectory, Trouble, open_stdin};
use super::forward;
use super::job::{Ended, Job, Runner, settings_of, user_for_command};
use super::permission::{self, Resolved};
use super::report::command_line;
use super::series::NextJob;
use super::staying::{Kind, Staying};
use crate::config::{Config, Settings};
use crate::report::note::shown;
use crate::spool::{ExecuteFile, Severity};

impl Runner<'_> {
    /// Runs the command, if it may be run.
    pub(super) fn run(&mut self, job: &mut Job<'_>) -> Result<Ended, Trouble> {
        let (execution, file) = (job.execution, job.file);
        let system = self.system(&execution.system)?;
        let settings = settings_of(&system)?;
        let public = settings.pubdir.as_deref().unwrap_or(&self.config.pubdir);
        let kind = Kind {
            program: permitted_program(self.config, settings, file)?,
            system: execution.system.clone(),
        };
        self.log(
            job,
            Severity::Info,
            &format!("Executing {} ({})", execution.name, command_line(file)),
        );
        let arguments = arguments_of(self.config, job, public)?;
        let stdin = open_stdin(self.spool, execution, file, settings, public)?;
        let next = stdin.is_some().then(|| next_job(job, &arguments)).flatten();
        if let (Some(next), Some(stdin)) = (&next, &stdin)
            && let Some(running) = self.hand_over(job, next, stdin, &kind)
        {
            let finished = self.attend(job, running, kind)?;
            let output = Output::Discarded;
            return Ok(Ended { finished, output });
        }
        self.staying = None;
        forward::check_output(self.config, execution, file, settings)?;
        let directory = RunDirectory::make(self.spool, execution, file)?;
        let output = Output::make(self.spool, file, settings, public)?;
        let around = Circumstances {
            command_path: &settings.command_path,
            spool: self.spool.root(),
            config: self.config.source.as_deref(),
            machine: execution.system.as_str(),
            user: OsStr::from_bytes(user_for_command(file)),
            job: execution.name.as_str(),
            instance: &job.instance,
            is_last_try: job.is_last_try,
        };
        let launch = Launch {
            program: kind.program.clone(),
            arguments,
            environment: environment(&around, |name| std::env::var_os(name)),
            directory: directory.path().to_path_buf(),
            stdin,
            stdout: output.for_command()?,
            lock: Some(job.lock.descriptor()),
            time_limit: self.mail.execution(Some(&execution.system)).time_limit,
            may_stay: next.is_some(),
        };
        let running = launch.start().map_err(|error| cannot_start(&error))?;
        let finished = self.attend(job, running, kind)?;
        Ok(Ended { finished, output })
    }

    /// Gives a job to the command that stayed; `None` where there is none of the kind, or it has gone meanwhile.
    fn hand_over(
        &mut self,
        job: &Job<'_>,
        next: &[u8],
        stdin: &File,
        kind: &Kind,
    ) -> Option<Running> {
        let time_limit = self.mail.execution(Some(&job.execution.system)).time_limit;
        let staying = self.staying.as_mut().filter(|one| one.takes(kind))?;
        let lock = job.lock.descriptor();
        staying.start(next, stdin, lock, time_limit).ok()
    }

    /// Waits for the end of a job, and keeps a command that waits for the next.
    fn attend(
        &mut self,
        job: &mut Job<'_>,
        running: Running,
        kind: Kind,
    ) -> Result<Finished, Trouble> {
        // For the peer's uuxqt, which knows a lock by its process only.
        if let Err(error) = job.lock.set_owner(running.pid().as_raw()) {
            tracing::warn!(target: "uucp::execute", "{}: {error}", job.execution.name);
        }
        let (finished, stays) = running
            .wait()
            .map_err(|error| Trouble::Later(format!("Execution: {error}")))?;
        match (stays, &mut self.staying) {
            (Some(running), Some(staying)) => staying.again(running),
            (Some(running), none) => *none = Some(Staying::new(running, kind)),
            (None, staying) => *staying = None,
        }
        Ok(finished)
    }
}

fn permitted_program(
    config: &Config,
    settings: &Settings,
    file: &ExecuteFile,
) -> Result<PathBuf, Trouble> {
    let (word, words) = file.command.split_first().unwrap_or((&NO_WORD, &[]));
    let missing = |path: &Path| {
        let text = format!("{}: No such file or directory", path.display());
        Trouble::Later(text)
    };
    match permission::resolve(word, &settings.commands, &settings.command_path) {
        Resolved::Program(program) => Ok(program),
        Resolved::Missing(path) => Err(missing(&path)),
        Resolved::NotPermitted if word == forward::COMMAND => {
            forward::check(words, config.nodename.as_str(), settings).map_err(Trouble::ForGood)?;
            forward::program(&settings.command_path).ok_or_else(|| missing(Path::new("uucp")))
        }
        Resolved::NotPermitted => Err(Trouble::ForGood(format!(
            "Not permitted to execute {}",
            shown(word)
        ))),
    }
}

fn arguments_of(config: &Config, job: &Job<'_>, public: &Path) -> Result<Vec<OsString>, Trouble> {
    let (word, words) = job.file.command.split_first().unwrap_or((&NO_WORD, &[]));
    if words.iter().any(|word| word.contains(&0)) {
        return Err(Trouble::ForGood("An argument holds a NUL".into()));
    }
    let expand = |word: &Vec<u8>| arguments::expand(word, public);
    if word.rsplit(|b| *b == b'/').next() != Some(forward::COMMAND) {
        return Ok(words.iter().map(expand).collect());
    }
    let user = user_for_command(job.file);
    let words = arguments::for_uucp(words, job.execution.system.as_str(), user);
    // It serves the spool that the job is in.
    let config = config.source.as_deref();
    let config = config.map(|path| ["-I".into(), path.as_os_str().to_os_string()]);
    let words = words.iter().map(expand);
    Ok(config.into_iter().flatten().chain(words).collect())
}

/// The job for a command that is there already: without files and output of its own, and not too long; nor one whose last
/// try it is, of which the environment tells.
fn next_job(job: &Job<'_>, arguments: &[OsString]) -> Option<Vec<u8>> {
    if job.is_last_try
        || job.file.stdout.is_some()
        || job
            .file
            .files
            .iter()
            .any(|wanted| wanted.run_name.is_some())
    {
        return None;
    }
    let next = NextJob {
        user: OsStr::from_bytes(user_for_command(job.file)).to_owned(),
        job: job.execution.name.as_str().into(),
        instance: job.instance.clone().into(),
        words: arguments.to_vec(),
    };
    next.to_bytes()
}

/// A command line without words.
static NO_WORD: Vec<u8> = Vec::new();

/// Whether a command that could not be started can be another time: only its own words are wrong for good.
fn cannot_start(error: &io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::ArgumentListTooLong | io::ErrorKind::InvalidInput => {
            Trouble::ForGood(format!("Execution: {error}"))
        }
        _ => Trouble::Later(format!("Execution: {error}")),
    }
}
