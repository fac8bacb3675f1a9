//! A plan becomes files of the spool: staged data, requests, an execute file; durable when [`submit`] returns.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::execute_text::ExecuteText;
use super::fetch::{pass_on, push_uucp};
use super::files::{copy, open};
use super::plan::{Body, Part, Plan, Source};
use super::way::Way;
use super::{Request, of_spool};
use crate::name::{JobId, SpoolKind, SpoolName, SystemName};
use crate::spool::{StageKind, Staged};
use crate::sysexits::Failure;
use crate::wire::command::{ExecuteRequest, Request as Wire, RequestOptions, SendRequest};

/// Queues the job. One that is executed here has no work file, but the files that it needs may have.
pub(super) fn submit(request: &Request<'_>, plan: &Plan) -> Result<Vec<JobId>, Failure> {
    let Way::Remote { first, beyond } = request.way else {
        return super::local::submit(request, plan);
    };
    let way: Vec<&SystemName> = std::iter::once(&first.name).chain(beyond).collect();
    let mut job = Job {
        request,
        system: &first.name,
        way,
        requests: Vec::new(),
        staged: Vec::new(),
        sent: Vec::new(),
    };
    let mut fetches = Vec::new();
    for part in &plan.parts {
        match &part.source {
            Source::Fetch(file) => fetches.push((file, &part.peer_name)),
            _ => job.add_part(part, plan)?,
        }
    }
    if let Body::File(text) = &plan.body {
        job.add_execute_file(text)?;
    }
    let described = describe(&plan.command, &job.sent);
    // By now all that can fail of this system's own files has not. The command comes last: none waits for a file that nobody
    // has asked for.
    let mut ids = Vec::new();
    for (file, name) in fetches {
        ids.push(pass_on(request, file, &job.way, name)?);
    }
    let id = request
        .spool
        .queue(&first.name, request.grade, &job.requests, job.staged)
        .map_err(|e| of_spool(&e))?;
    super::log(request, &described);
    ids.push(id);
    Ok(ids)
}

/// The command and the names of its files, as the log has them.
pub(super) fn describe(command: &[u8], files: &[Vec<u8>]) -> String {
    let command = String::from_utf8_lossy(command);
    let files: Vec<_> = files.iter().map(|f| String::from_utf8_lossy(f)).collect();
    if files.is_empty() {
        return command.into_owned();
    }
    format!("{command} ({})", files.join(" "))
}

/// A job in the making.
struct Job<'a> {
    request: &'a Request<'a>,
    /// The neighbour.
    system: &'a SystemName,
    /// It and those behind it, the one that executes last.
    way: Vec<&'a SystemName>,
    requests: Vec<Wire>,
    staged: Vec<Staged>,
    /// What is sent, as the log names it.
    sent: Vec<Vec<u8>>,
}

/// A file of ours that is to be sent.
struct Outgoing {
    /// Its name here: in the spool, or a path.
    from: Vec<u8>,
    /// The spool name that stands for it.
    temp: SpoolName,
    /// `C` or `c`.
    option: u8,
    /// What it is called while a forwarding command runs.
    run_name: Vec<u8>,
}

impl Job<'_> {
    fn add_part(&mut self, part: &Part, plan: &Plan) -> Result<(), Failure> {
        let outgoing = match &part.source {
            Source::Stdin => self.stage_from(&mut io::stdin().lock(), "standard input")?,
            Source::Copy(path) => self.copy(path)?,
            Source::Leave(path) => self.leave(path)?,
            // Nothing of it is here.
            Source::Fetch(_) => return Ok(()),
            Source::Link { path, or_copy } => match self.link(path)? {
                Some(linked) => linked,
                None if *or_copy => self.copy(path)?,
                None => self.leave(path)?,
            },
        };
        match &plan.body {
            Body::Request { options, notify } => {
                self.sent.push(outgoing.from.clone());
                let mut file = self.send_request(&outgoing, &part.peer_name);
                file.options =
                    RequestOptions::new(&[&[outgoing.option], options.as_slice()].concat());
                file.notify.clone_from(notify);
                self.requests.push(Wire::Execute(ExecuteRequest {
                    file,
                    command: plan.command.clone(),
                }));
                Ok(())
            }
            Body::File(_) => self.send(&outgoing, &part.peer_name),
        }
    }

    fn add_execute_file(&mut self, text: &ExecuteText) -> Result<(), Failure> {
        let peer_name = self
            .request
            .spool
            .peer_name(SpoolKind::Execute, self.request.grade);
        let outgoing = self.stage_text(text)?;
        self.send(&outgoing, &peer_name)
    }

    /// A file for the executing system: as it is to a neighbour; with a command that sends it on to a system behind one.
    fn send(&mut self, outgoing: &Outgoing, peer_name: &SpoolName) -> Result<(), Failure> {
        let beyond = self.way.get(1..).unwrap_or_default();
        if beyond.is_empty() {
            self.push_send(outgoing, peer_name);
            return Ok(());
        }
        let spool = self.request.spool;
        let grade = self.request.grade;
        let data = spool.peer_name(SpoolKind::Data, grade);
        let mut text = ExecuteText::default();
        text.push(
            b'U',
            &[&self.request.user, self.request.config.nodename.as_bytes()],
        );
        text.push(b'F', &[data.as_bytes(), &outgoing.run_name]);
        push_uucp(
            &mut text,
            self.request,
            &outgoing.run_name,
            beyond,
            peer_name,
        );
        let forwarding = self.stage_text(&text)?;
        self.push_send(&forwarding, &spool.peer_name(SpoolKind::Execute, grade));
        self.push_send(outgoing, &data);
        Ok(())
    }

    fn push_send(&mut self, outgoing: &Outgoing, peer_name: &SpoolName) {
        self.sent.push(outgoing.from.clone());
        let request = self.send_request(outgoing, peer_name);
        self.requests.push(Wire::Send(request));
    }

    fn send_request(&self, outgoing: &Outgoing, peer_name: &SpoolName) -> SendRequest {
        SendRequest {
            from: outgoing.from.clone(),
            to: peer_name.as_bytes().to_vec(),
            user: self.request.user.clone(),
            options: RequestOptions::new(&[outgoing.option]),
            temp: outgoing.temp.as_bytes().to_vec(),
            mode: 0o666,
            notify: Vec::new(),
            size: None,
        }
    }

    fn stage_from(&mut self, source: &mut impl io::Read, what: &str) -> Result<Outgoing, Failure> {
        let mut staged = self.stage(StageKind::Data)?;
        copy(source, &mut staged, what)?;
        Ok(self.keep(staged))
    }

    fn copy(&mut self, path: &Path) -> Result<Outgoing, Failure> {
        let mut file = open(path)?;
        self.stage_from(&mut file, &path.display().to_string())
    }

    fn link(&mut self, path: &Path) -> Result<Option<Outgoing>, Failure> {
        let staged = self.request.spool.stage_link(self.system, path);
        let staged = staged.map_err(|e| of_spool(&e))?;
        Ok(staged.map(|staged| self.keep(staged)))
    }

    fn stage_text(&mut self, text: &ExecuteText) -> Result<Outgoing, Failure> {
        let mut staged = self.stage(StageKind::Execute)?;
        copy(&mut text.emit().as_slice(), &mut staged, "the execute file")?;
        Ok(self.keep(staged))
    }

    fn keep(&mut self, staged: Staged) -> Outgoing {
        let name = staged.name().clone();
        self.staged.push(staged);
        Outgoing {
            from: name.as_bytes().to_vec(),
            run_name: name.as_bytes().to_vec(),
            temp: name,
            option: b'C',
        }
    }

    /// A file that stays where it is. The spool name that identifies it must be as unique as any other, so it is one that
    /// was given out for a file that is not made.
    fn leave(&self, path: &Path) -> Result<Outgoing, Failure> {
        let temp = self.stage(StageKind::Data)?.name().clone();
        let run_name = path.file_name().unwrap_or_default().to_os_string();
        Ok(Outgoing {
            from: OsString::from(path).into_vec(),
            temp,
            option: b'c',
            run_name: run_name.into_vec(),
        })
    }

    fn stage(&self, kind: StageKind) -> Result<Staged, Failure> {
        self.request
            .spool
            .stage(self.system, kind)
            .map_err(|e| of_spool(&e))
    }
}
