//! Arguments and a message become a job: the program's one task.
//!
//! Order of events: the message is read to its end into staged files; the submission record tells which recipients are
//! queued already; the rest is committed in one durable step; only then comes exit status 0.

use std::ffi::OsStr;
use std::io::Write;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::time::Instant;

use jiff::Zoned;
use nix::unistd::{Uid, User, getppid};
use uucp_core::address::{Address, FromLineStyle, ReversePath, from_line};
use uucp_core::config::mail::{MailConfig, Sending};
use uucp_core::config::{Config, ConfigError, System};
use uucp_core::name::{Grade, JobId, SpoolKind, SystemName};
use uucp_core::report::{FailedRecipient, Report};
use uucp_core::spool::{
    Draft, Journal, LocalMailDraft, Severity, Spool, SpoolError, StageKind, Staged, SubmissionKey,
};
use uucp_core::sysexits::{Failure, Status};
use uucp_core::wire::command::{ExecuteRequest, Request, RequestOptions, SendRequest};

use crate::cli::{Arguments, FromLine};
use crate::content::{self, Content};
use crate::deadline;
use crate::recipients::{self, CommandLine, Recipient, Refused};

/// Runs the program, within its deadline.
///
/// # Errors
/// Whatever keeps the message from being queued; Postfix reads the status and the line.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let begun = Instant::now();
    deadline::watch(arguments.deadline)?;
    let result = deliver(arguments, begun);
    deadline::claim();
    result.map(|()| ExitCode::SUCCESS)
}

fn deliver(arguments: &Arguments, begun: Instant) -> Result<(), Failure> {
    let parent = getppid();
    let config = Config::load(arguments.config.as_deref()).map_err(|e| of_config(&e))?;
    let system = look_up(&config, &arguments.host)?;
    let link = Link::new(arguments, &config, &system)?;
    let given: Vec<&[u8]> = arguments.recipients.iter().map(|r| r.as_bytes()).collect();
    let (good, refused) = recipients::sort(&given);
    let lines = recipients::command_lines(&link.command, &good);
    if arguments.dry_run {
        return dry_run(&link, &lines, &refused);
    }
    let spool = Spool::open(&config).map_err(|e| of_spool(&e))?;
    let mut staged = lines
        .iter()
        .map(|_| link.stage(&spool))
        .collect::<Result<Vec<Staged>, Failure>>()?;
    let mut input = std::io::stdin().lock();
    let content = content::read(&mut input, &mut staged, link.sending.size_limit)?;
    // Postfix's delivery agent may die in the middle of a message; the end of its pipe is no end of the message then.
    if getppid() != parent {
        return Err(Failure::temporary(
            "whoever handed the message in is gone; it may be cut",
        ));
    }
    let message = Message {
        link: &link,
        spool: &spool,
        content: &content,
        key: link.key(arguments, &content),
        deadline: begun + arguments.deadline,
    };
    message.submit(&good, &refused, staged)
}

/// What is settled before the message is read.
struct Link<'a> {
    config: &'a Config,
    system: &'a SystemName,
    mail: MailConfig,
    sending: Sending,
    sender: ReversePath,
    command: Vec<u8>,
    from_line: Vec<u8>,
    user: Vec<u8>,
    date: Zoned,
}

impl<'a> Link<'a> {
    fn new(arguments: &Arguments, config: &'a Config, system: &'a System) -> Result<Self, Failure> {
        let mail = MailConfig::load(&config.directory)
            .map_err(|e| Failure::new(Status::Configuration, e.to_string()))?;
        let mut sending = mail.sending(&system.name);
        if let Some(grade) = arguments.grade {
            sending.grade = grade;
            sending.grade_by_size.clear();
        }
        if !arguments.grade_by_size.is_empty() {
            sending.grade_by_size.clone_from(&arguments.grade_by_size);
            sending
                .grade_by_size
                .sort_unstable_by_key(|(above, _)| *above);
        }
        if let Some(limit) = arguments.size_limit {
            sending.size_limit = (limit > 0).then_some(limit);
        }
        let sender = ReversePath::parse(arguments.from.as_bytes())
            .map_err(|e| Failure::new(Status::DataError, format!("the sender: {e}")))?;
        let date = Zoned::now();
        let style = match arguments.from_line {
            None => Some(sending.from_line),
            Some(FromLine::Plain) => Some(FromLineStyle::Plain),
            Some(FromLine::RemoteFrom) => Some(FromLineStyle::RemoteFrom),
            Some(FromLine::None) => None,
        };
        let command = arguments.command.as_deref().unwrap_or(&sending.command);
        Ok(Self {
            from_line: style
                .map(|style| from_line(&sender, &date, style, &config.nodename))
                .unwrap_or_default(),
            command: command_words(command)?,
            user: user_name(),
            system: &system.name,
            config,
            mail,
            sending,
            sender,
            date,
        })
    }

    /// A data file that begins with the `From ` line.
    fn stage(&self, spool: &Spool) -> Result<Staged, Failure> {
        let mut staged = spool
            .stage(self.system, StageKind::Data)
            .map_err(|e| of_spool(&e))?;
        staged
            .write_all(&self.from_line)
            .map_err(|e| Failure::temporary(format!("cannot spool the message: {e}")))?;
        Ok(staged)
    }

    /// What makes two deliveries the same message: Postfix's id, the sender, the content.
    ///
    /// Without an id nothing tells a repetition from a second message of the same text, so every call counts.
    fn key(&self, arguments: &Arguments, content: &Content) -> SubmissionKey {
        let mut message_id = arguments.queue_id.as_bytes().to_vec();
        if message_id.is_empty() {
            let unique = format!("{}.{}", std::process::id(), self.date.timestamp());
            message_id.extend_from_slice(unique.as_bytes());
        }
        message_id.push(0);
        message_id.extend_from_slice(self.sender.as_bytes());
        SubmissionKey {
            message_id,
            content_hash: content.hash,
            system: self.system.clone(),
        }
    }

    /// The request for one command line. `from` is the data file here, `to` its name there.
    fn request(&self, from: &str, to: &str, line: &CommandLine<'_, '_>) -> Request {
        let notify = self.sender.as_bytes();
        // A requestor's address in need of quoting would make the job fail at peers that know no quoting.
        let plain = notify
            .iter()
            .all(|b| *b > b' ' && *b != 0x7f && *b != b'\\');
        let (options, notify): (&[u8], &[u8]) = match notify {
            // Nobody is told about the failure of a report.
            [] => (b"CN", b""),
            address if plain => (b"CZR", address),
            _ => (b"CZ", b""),
        };
        Request::Execute(ExecuteRequest {
            file: SendRequest {
                from: from.into(),
                to: to.into(),
                user: self.user.clone(),
                options: RequestOptions::new(options),
                temp: from.into(),
                mode: 0o666,
                notify: notify.to_vec(),
                size: None,
            },
            command: line.text.clone(),
        })
    }
}

/// A message that was read to its end.
struct Message<'a> {
    link: &'a Link<'a>,
    spool: &'a Spool,
    content: &'a Content,
    key: SubmissionKey,
    deadline: Instant,
}

impl Message<'_> {
    /// Queues what no earlier delivery has queued.
    fn submit(
        &self,
        good: &[Recipient<'_>],
        refused: &[Refused<'_>],
        staged: Vec<Staged>,
    ) -> Result<(), Failure> {
        let submission = self
            .spool
            .begin_submission(&self.key, self.deadline)
            .map_err(|e| of_spool(&e))?;
        let new: Vec<&Recipient<'_>> = good
            .iter()
            .filter(|r| !submission.is_covered(r.given))
            .collect();
        let bad: Vec<&Refused<'_>> = refused
            .iter()
            .filter(|r| !submission.is_covered(r.given))
            .collect();
        // One status for all recipients: it may only say "refused" where it is true of all.
        if let ([], Some(first)) = (good, refused.first())
            && bad.len() == refused.len()
        {
            return Err(Failure::new(
                Status::BadAddress,
                format!("{}: {}", first.given.escape_ascii(), first.reason),
            ));
        }
        if new.is_empty() && bad.is_empty() {
            return Ok(());
        }
        let lines = recipients::command_lines(&self.link.command, new.iter().copied());
        let drafts = self.drafts(&lines, staged)?;
        let report = self.report(&bad)?;
        let to: Vec<Vec<u8>> = self
            .link
            .sender
            .address()
            .map(|a| a.as_bytes().to_vec())
            .into_iter()
            .collect();
        let mails: Vec<LocalMailDraft<'_>> = report
            .iter()
            .map(|content| LocalMailDraft {
                sender: b"",
                recipients: &to,
                content,
            })
            .collect();
        let covered: Vec<&[u8]> = new
            .iter()
            .map(|r| r.given)
            .chain(bad.iter().map(|r| r.given))
            .collect();
        let jobs = submission
            .commit(&covered, drafts, &mails)
            .map_err(|e| of_spool(&e))?;
        self.log(&jobs, &lines, &bad);
        Ok(())
    }

    fn drafts(
        &self,
        lines: &[CommandLine<'_, '_>],
        staged: Vec<Staged>,
    ) -> Result<Vec<Draft>, Failure> {
        let grade = self.grade();
        let mut staged = staged.into_iter();
        lines
            .iter()
            .map(|line| {
                let data = staged.next().ok_or_else(|| {
                    Failure::new(Status::Software, "fewer data files than command lines")
                })?;
                let to = self.spool.peer_name(SpoolKind::Data, grade);
                let request = self.link.request(data.name().as_str(), to.as_str(), line);
                Ok(Draft {
                    system: self.link.system.clone(),
                    grade,
                    requests: vec![request],
                    staged: vec![data],
                })
            })
            .collect()
    }

    fn grade(&self) -> Grade {
        self.link.sending.grade_for(self.content.size)
    }

    /// The report about the refused recipients; none to the null sender.
    fn report(&self, bad: &[&Refused<'_>]) -> Result<Option<Vec<u8>>, Failure> {
        if bad.is_empty() {
            return Ok(None);
        }
        let failures = bad
            .iter()
            .map(|refused| {
                Ok(FailedRecipient {
                    recipient: displayable(refused.given)?,
                    status: Status::BadAddress.enhanced().to_owned(),
                    diagnostic: format!("{} {}", Status::BadAddress.enhanced(), refused.reason),
                    remote: None,
                })
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let node = self.link.config.nodename.as_str();
        let system = self.link.mail.domain().unwrap_or(node);
        let Some(mut report) = Report::new(
            &self.link.sender,
            system,
            self.link.date.clone(),
            &failures,
            &self.content.head,
        ) else {
            return Ok(None);
        };
        report.postmaster = self.link.mail.postmaster();
        report.build().map(Some).map_err(Failure::temporary)
    }

    fn log(&self, jobs: &[JobId], lines: &[CommandLine<'_, '_>], bad: &[&Refused<'_>]) {
        let mut journal = Journal::open(self.link.config, "postfix-uucp");
        let mut line = |severity, text: &str| {
            journal.log(
                Some(self.link.system),
                Some(&self.link.user),
                severity,
                text,
            );
        };
        for (job, command) in jobs.iter().zip(lines) {
            let text = String::from_utf8_lossy(&command.text);
            line(Severity::Info, &format!("Queuing {text} ({job})"));
        }
        for refused in bad {
            let text = format!(
                "Refused {}: {}",
                refused.given.escape_ascii(),
                refused.reason
            );
            line(Severity::Error, &text);
        }
    }
}

/// `--dry-run`: the requests, as they would stand in work files.
fn dry_run(
    link: &Link<'_>,
    lines: &[CommandLine<'_, '_>],
    refused: &[Refused<'_>],
) -> Result<(), Failure> {
    let mut nowhere: [Vec<u8>; 0] = [];
    let mut input = std::io::stdin().lock();
    let content = content::read(&mut input, &mut nowhere, link.sending.size_limit)?;
    let grade = link.sending.grade_for(content.size);
    let mut out = Vec::new();
    for line in lines {
        let to = format!("D.{}{grade}0001", link.config.nodename.short());
        out.extend_from_slice(format!("{} {grade} ", link.system).as_bytes());
        link.request("D.0001", &to, line)
            .emit_work_line(&mut out)
            .map_err(Failure::temporary)?;
    }
    for refused in refused {
        let text = format!(
            "refused {}: {}\n",
            refused.given.escape_ascii(),
            refused.reason
        );
        out.extend_from_slice(text.as_bytes());
    }
    std::io::stdout()
        .write_all(&out)
        .map_err(|e| Failure::temporary(format!("standard output: {e}")))
}

/// The system that Postfix names. Its transport maps keep upper case, UUCP names are mostly lower: the name as it is comes
/// first.
fn look_up(config: &Config, host: &OsStr) -> Result<System, Failure> {
    let shown = host.as_bytes().escape_ascii().to_string();
    let lower = host.as_bytes().to_ascii_lowercase();
    let names = [host.as_bytes(), &lower];
    for name in names.iter().filter_map(|name| SystemName::parse(name).ok()) {
        if let Some(system) = config.system(&name).map_err(|e| of_config(&e))? {
            return Ok(system);
        }
    }
    if let Ok(name) = SystemName::parse(host.as_bytes())
        && let Some(system) = config.unknown_system(&name).map_err(|e| of_config(&e))?
    {
        return Ok(system);
    }
    // "Unknown" returns the mail, so it is said only when all sys files were read, understood, and describe systems.
    let mut known = 0_usize;
    config
        .for_each_system(|_| {
            known += 1;
            ControlFlow::Continue(())
        })
        .map_err(|e| of_config(&e))?;
    if known > 0 {
        return Err(Failure::new(
            Status::UnknownSystem,
            format!("'{shown}' is not a system of the sys files"),
        ));
    }
    Err(Failure::temporary(format!(
        "no sys file describes any system, so '{shown}' is not known"
    )))
}

/// The words of the command, each checked as a recipient is.
fn command_words(command: &str) -> Result<Vec<u8>, Failure> {
    let words: Vec<&str> = command.split_ascii_whitespace().collect();
    for word in &words {
        uucp_core::carry::check_request_word(word.as_bytes()).map_err(|e| {
            Failure::new(Status::Configuration, format!("the command {command}: {e}"))
        })?;
    }
    if words.is_empty() {
        return Err(Failure::new(Status::Configuration, "the command is empty"));
    }
    Ok(words.join(" ").into_bytes())
}

/// A refused recipient for a report; what no address can hold is shown escaped.
fn displayable(given: &[u8]) -> Result<Address, Failure> {
    let escaped = given.escape_ascii().to_string();
    let shortened = escaped.get(..200).unwrap_or(&escaped);
    Address::parse(given)
        .or_else(|_| Address::parse(shortened.as_bytes()))
        .or_else(|_| Address::parse(b"(unprintable)"))
        .map_err(Failure::temporary)
}

fn user_name() -> Vec<u8> {
    let uid = Uid::current();
    let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
    name.unwrap_or_else(|| uid.to_string()).into_bytes()
}

fn of_config(error: &ConfigError) -> Failure {
    Failure::new(Status::Configuration, error.to_one_line())
}

fn of_spool(error: &SpoolError) -> Failure {
    Failure::temporary(error)
}
