//! Arguments and a message become a job, or a message of the outbox: the program's one task.
//!
//! Order of events: the message is read to its end into staged files; the submission record tells which recipients are
//! queued already; the rest is committed in one durable step; only then comes exit status 0.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::time::Instant;

use nix::unistd::getppid;
use uucp_core::bsmtp::LineEnd;
use uucp_core::config::Config;
use uucp_core::config::mail::Format;
use uucp_core::name::{Grade, SpoolKind};
use uucp_core::outbox::OutboxDraft;
use uucp_core::owner::become_owner;
use uucp_core::send::answer::{self, Input, Watch};
use uucp_core::send::{Refusal, look_up, of_config, report};
use uucp_core::spool::{
    Delivery, Draft, Journal, LocalMailDraft, Severity, Spool, SpoolError, Staged, SubmissionKey,
};
use uucp_core::sysexits::{Failure, Status};

use crate::batched;
use crate::cli::Arguments;
use crate::content::{self, Content};
use crate::link::Link;
use crate::recipients::{self, CommandLine, Recipient, Refused};

/// Runs the program, within its deadline.
///
/// # Errors
/// Whatever keeps the message from being queued; Postfix reads the status and the line.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let watch = Watch::begin("postfix-uucp", arguments.deadline)?;
    let result = deliver(arguments, &watch);
    answer::claim();
    result.map(|()| ExitCode::SUCCESS)
}

fn deliver(arguments: &Arguments, watch: &Watch) -> Result<(), Failure> {
    let parent = getppid();
    let config = Config::load(arguments.config.as_deref()).map_err(|e| of_config(&e))?;
    let system = look_up(&config, &arguments.host)?;
    let link = Link::new(arguments, &config, &system)?;
    let given: Vec<&[u8]> = arguments.recipients.iter().map(|r| r.as_bytes()).collect();
    let format = link.sending.format;
    let (good, refused) = recipients::sort(&given, format);
    if arguments.dry_run {
        return dry_run(arguments, watch, &link, &good, &refused);
    }
    let spool = Spool::open(&config).map_err(|e| of_spool(&e))?;
    become_owner(spool.root())?;
    watch.over(spool.root())?;
    let mut cargo = match format {
        Format::Rmail => Cargo::jobs(&link, &spool, &good)?,
        Format::Bsmtp => {
            let draft = OutboxDraft::new(&spool, &system.name).map_err(|e| of_spool(&e))?;
            Cargo::Message([draft])
        }
    };
    let content = cargo.fill(&mut watch.input(), link.sending.size_limit)?;
    // Postfix's delivery agent may die in the middle of a message; the end of its pipe is no end of the message then.
    if getppid() != parent {
        return Err(Failure::temporary(
            "whoever handed the message in is gone; it may be cut",
        ));
    }
    let message = Message {
        arguments,
        link: &link,
        spool: &spool,
        content: &content,
        key: link.key(arguments, &content),
        deadline: watch.until(),
    };
    message.submit(&good, &refused, cargo)
}

/// What the message is written to.
enum Cargo {
    /// A data file for each command line.
    Jobs(Vec<Staged>),
    /// One file for the outbox.
    Message([OutboxDraft; 1]),
}

impl Cargo {
    fn jobs(link: &Link<'_>, spool: &Spool, good: &[Recipient<'_>]) -> Result<Self, Failure> {
        let lines = recipients::command_lines(&link.command, good);
        let staged = lines.iter().map(|_| link.stage(spool));
        staged.collect::<Result<_, _>>().map(Self::Jobs)
    }

    fn fill(&mut self, input: &mut Input<'_>, limit: Option<u64>) -> Result<Content, Failure> {
        match self {
            Self::Jobs(staged) => content::read(input, staged, limit),
            Self::Message(draft) => content::read(input, draft, limit),
        }
    }
}

/// A message that was read to its end.
struct Message<'a> {
    arguments: &'a Arguments,
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
        cargo: Cargo,
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
        let (mut delivery, mut queued) = (Delivery::default(), Vec::new());
        match cargo {
            Cargo::Jobs(staged) => {
                let lines = recipients::command_lines(&self.link.command, new.iter().copied());
                delivery.jobs = self.drafts(&lines, staged)?;
                queued = describe(&lines, &delivery.jobs);
            }
            Cargo::Message([draft]) if !new.is_empty() => {
                let envelope = batched::envelope(self.arguments, self.link, self.content, &new);
                let sealed = draft
                    .seal(&envelope, self.grade())
                    .map_err(|e| of_spool(&e))?;
                queued.push(format!("{} ({})", envelope.summary(), sealed.name()));
                delivery.messages.push(sealed);
            }
            Cargo::Message(_) => {}
        }
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
        (delivery.recipients, delivery.mails) = (&covered, &mails);
        submission.commit(delivery).map_err(|e| of_spool(&e))?;
        self.log(&queued, &bad);
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
        let refusals: Vec<Refusal> = bad
            .iter()
            .map(|refused| Refusal {
                given: refused.given.to_vec(),
                status: Status::BadAddress,
                reason: refused.reason.to_string(),
            })
            .collect();
        let (head, link) = (&self.content.head, self.link);
        let date = link.date.clone();
        report(&link.sender, &refusals, head, link.config, &link.mail, date)
    }

    fn log(&self, queued: &[String], bad: &[&Refused<'_>]) {
        let mut journal = Journal::open(self.link.config, "postfix-uucp");
        let mut line = |severity, text: &str| {
            let (system, user) = (Some(self.link.system), Some(&*self.link.user));
            journal.log(system, user, severity, text);
        };
        for job in queued {
            line(Severity::Info, &format!("Queuing {job}"));
        }
        for Refused { given, reason } in bad {
            let text = format!("Refused {}: {reason}", given.escape_ascii());
            line(Severity::Error, &text);
        }
    }
}

/// Command lines and their data files, as the log has them.
fn describe(lines: &[CommandLine<'_, '_>], drafts: &[Draft]) -> Vec<String> {
    let describe = |(line, draft): (&CommandLine<'_, '_>, &Draft)| {
        let command = String::from_utf8_lossy(&line.text);
        let files: Vec<&str> = draft.staged.iter().map(|s| s.name().as_str()).collect();
        format!("{command} ({})", files.join(" "))
    };
    lines.iter().zip(drafts).map(describe).collect()
}

/// `--dry-run`: the requests, as they would stand in work files, or the envelope.
fn dry_run(
    arguments: &Arguments,
    watch: &Watch,
    link: &Link<'_>,
    good: &[Recipient<'_>],
    refused: &[Refused<'_>],
) -> Result<(), Failure> {
    let mut nowhere: [Vec<u8>; 0] = [];
    let content = content::read(&mut watch.input(), &mut nowhere, link.sending.size_limit)?;
    let grade = link.sending.grade_for(content.size);
    let mut out = Vec::new();
    let begin = |out: &mut Vec<u8>, end: &str| {
        out.extend_from_slice(format!("{} {grade}{end}", link.system).as_bytes());
    };
    match link.sending.format {
        Format::Rmail => {
            for line in &recipients::command_lines(&link.command, good) {
                let to = format!("D.{}{grade}0001", link.config.nodename.short());
                begin(&mut out, " ");
                link.request("D.0001", &to, line)
                    .emit_work_line(&mut out)
                    .map_err(Failure::temporary)?;
            }
        }
        Format::Bsmtp if good.is_empty() => {}
        Format::Bsmtp => {
            let good: Vec<_> = good.iter().collect();
            begin(&mut out, "\n");
            batched::envelope(arguments, link, &content, &good)
                .emit(LineEnd::Lf, true, &mut out)
                .map_err(Failure::temporary)?;
        }
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

fn of_spool(error: &SpoolError) -> Failure {
    Failure::temporary(error)
}
