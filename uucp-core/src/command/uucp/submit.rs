//! Steps become files of the spool, a job for each neighbour, durable when [`submit`] returns.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::plan::Step;
use super::{NAME, Run, local, rules};
use crate::command::queueing::execute_text::ExecuteText;
use crate::command::queueing::files::copy;
use crate::command::queueing::{self, of_spool};
use crate::name::{JobId, SpoolKind, SpoolName, SystemName};
use crate::owner::as_starter;
use crate::spool::{Draft, StageKind, Staged};
use crate::sysexits::Failure;
use crate::wire::command::{Request, RequestOptions, SendRequest};

/// So many files are open at once, and so many requests stand in one work file at most.
const FILES_AT_ONCE: usize = 200;

/// Does everything, in order. `jobs` has what was queued, also after a failure.
pub(super) fn submit(
    run: &Run<'_>,
    steps: Vec<Step>,
    jobs: &mut Vec<JobId>,
) -> Result<(), Failure> {
    let mut queue = Queue {
        run,
        drafts: Vec::new(),
        files: 0,
        said: Vec::new(),
    };
    for step in steps {
        match step {
            Step::Copy { from, to } => as_starter(|| local::copy_here(run, &from, &to))?,
            Step::Request { system, request } => queue.add_request(&system, request)?,
            Step::Command {
                system,
                file,
                run_name,
                words,
            } => queue.add_command(&system, file.as_deref(), &run_name, &words)?,
        }
        if queue.files >= FILES_AT_ONCE {
            jobs.extend(queue.flush()?);
        }
    }
    jobs.extend(queue.flush()?);
    Ok(())
}

/// Jobs in the making.
struct Queue<'a> {
    run: &'a Run<'a>,
    drafts: Vec<Draft>,
    files: usize,
    /// Lines for the log.
    said: Vec<(SystemName, String)>,
}

impl Queue<'_> {
    fn flush(&mut self) -> Result<Vec<JobId>, Failure> {
        let drafts = std::mem::take(&mut self.drafts);
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let jobs = self.run.spool.queue_all(drafts).map_err(|e| of_spool(&e))?;
        self.files = 0;
        for (system, text) in self.said.drain(..) {
            queueing::log(NAME, self.run.config, &system, &self.run.user, &text);
        }
        Ok(jobs)
    }

    fn push(&mut self, system: &SystemName, request: Request, staged: Option<Staged>) {
        self.files += 1;
        let found = self.drafts.iter().position(|d| d.system == *system);
        let at = found.unwrap_or_else(|| {
            self.drafts.push(Draft {
                system: system.clone(),
                grade: self.run.grade,
                requests: Vec::new(),
                staged: Vec::new(),
            });
            self.drafts.len() - 1
        });
        if let Some(draft) = self.drafts.get_mut(at) {
            draft.requests.push(request);
            draft.staged.extend(staged);
        }
    }

    fn add_request(&mut self, system: &SystemName, request: Request) -> Result<(), Failure> {
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (request, staged, text) = match request {
            Request::Send(mut send) => {
                let from = OsString::from_vec(send.from.clone());
                let text = format!("send of {} to {}", shown(&send.from), shown(&send.to));
                let staged = self.stage_file(system, Path::new(&from))?;
                send.temp = staged.name().as_bytes().to_vec();
                // One that stays where it is has a name that nobody else gets, and nothing under it.
                let staged = send.options.contains(b'C').then_some(staged);
                (Request::Send(send), staged, text)
            }
            Request::Receive(receive) => {
                let text = format!(
                    "request of {} to {}",
                    shown(&receive.from),
                    shown(&receive.to)
                );
                (Request::Receive(receive), None, text)
            }
            Request::Expand(expand) => {
                let to = expand.destination.splitn(2, |b| *b == b'!').last();
                let to = shown(to.unwrap_or_default());
                let text = format!("request of {} to {to}", shown(&expand.pattern));
                (Request::Expand(expand), None, text)
            }
            other @ Request::Execute(_) => (other, None, String::new()),
        };
        self.said.push((system.clone(), format!("Queuing {text}")));
        self.push(system, request, staged);
        Ok(())
    }

    /// An execute file, and behind it the file that it sends on.
    fn add_command(
        &mut self,
        system: &SystemName,
        file: Option<&Path>,
        run_name: &[u8],
        words: &[Vec<u8>],
    ) -> Result<(), Failure> {
        let (spool, grade) = (self.run.spool, self.run.grade);
        let data = spool.peer_name(SpoolKind::Data, grade);
        let mut text = ExecuteText::default();
        let own = self.run.config.nodename.as_bytes();
        text.push(b'U', &[&self.run.user, own]);
        if file.is_some() {
            text.push(b'F', &[data.as_bytes(), run_name]);
        }
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        text.push(b'C', &words);
        let mut staged = self.stage(system, StageKind::Execute)?;
        copy(&mut text.emit().as_slice(), &mut staged, "the execute file")?;
        let name = staged.name().clone();
        let to = spool.peer_name(SpoolKind::Execute, grade);
        let request = self.send(name.as_bytes(), &to, &name, b"C");
        self.push(system, request, Some(staged));
        let (from, to) = (words.iter().rev().nth(1), words.last());
        let shown = |word: Option<&&[u8]>| {
            String::from_utf8_lossy(word.copied().unwrap_or_default()).into_owned()
        };
        let mut from = shown(from);
        if let Some(file) = file {
            from = file.display().to_string();
            let staged = self.stage_file(system, file)?;
            let temp = staged.name().clone();
            let path = file.as_os_str().as_encoded_bytes();
            let copied = !self.run.leaves_files();
            let letter: &[u8] = if copied { b"C" } else { b"c" };
            let request = self.send(path, &data, &temp, letter);
            self.push(system, request, copied.then_some(staged));
        }
        let text = format!("Queuing uucp {from} {}", shown(to));
        self.said.push((system.clone(), text));
        Ok(())
    }

    fn send(&self, from: &[u8], to: &SpoolName, temp: &SpoolName, letter: &[u8]) -> Request {
        Request::Send(SendRequest {
            from: from.to_vec(),
            to: to.as_bytes().to_vec(),
            user: self.run.user.clone(),
            options: RequestOptions::new(letter),
            temp: temp.as_bytes().to_vec(),
            mode: 0o666,
            notify: Vec::new(),
            size: None,
        })
    }

    fn stage(&self, system: &SystemName, kind: StageKind) -> Result<Staged, Failure> {
        let staged = self.run.spool.stage(system, kind);
        staged.map_err(|e| of_spool(&e))
    }

    /// A copy of a user's file; an empty one where it is to stay where it is.
    fn stage_file(&self, system: &SystemName, path: &Path) -> Result<Staged, Failure> {
        let mut staged = self.stage(system, StageKind::Data)?;
        if !self.run.leaves_files() {
            let what = path.display().to_string();
            copy(&mut rules::open(self.run, path)?, &mut staged, &what)?;
        }
        Ok(staged)
    }
}
