//! From a file and a destination to what is to be done, with everything that may stand against it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::Run;
use super::options::Options;
use super::place::{Place, There, check_command_word, is_pattern};
use super::plan::{Step, Target};
use super::rules::{self, denied};
use super::tree;
use crate::address::word::COMMAND_LINE_LIMIT;
use crate::command::queueing::files::check_readable;
use crate::config::Settings;
use crate::sysexits::{Failure, Status};
use crate::wire::command::{
    COMMAND_LIMIT, ExpandRequest, Features, ReceiveRequest, Request, RequestOptions, SendRequest,
};

/// Makes steps for one destination.
pub(super) struct Maker<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) target: Target,
}

impl Maker<'_> {
    fn options(&self) -> &Options {
        self.run.options
    }

    /// A file or a directory of this system.
    pub(super) fn of_here(&self, path: &[u8], steps: &mut Vec<Step>) -> Result<(), Failure> {
        let from = Path::new(OsStr::from_bytes(path));
        if !from.is_dir() {
            steps.push(self.file(from, None)?);
            return Ok(());
        }
        if !self.options().recursive {
            let text = format!("{}: directory without -R", from.display());
            return Err(Failure::new(Status::Usage, text));
        }
        for found in tree::walk(from)? {
            steps.push(self.file(&found.path, Some(&found.below))?);
        }
        Ok(())
    }

    /// One file of this system; `below` is its name below the destination, where it comes out of a directory.
    fn file(&self, from: &Path, below: Option<&[u8]>) -> Result<Step, Failure> {
        rules::may_read(self.run, from)?;
        let within = |path: &[u8]| match below {
            Some(below) => [path, b"/", below].concat(),
            None => path.to_vec(),
        };
        match &self.target.place {
            Place::Here(path) => {
                check_readable(from)?;
                Ok(Step::Copy {
                    from: from.to_path_buf(),
                    to: within(path),
                })
            }
            Place::There(there) => self.file_away(from, there, within(&there.path)),
        }
    }

    fn file_away(&self, from: &Path, there: &There, to: Vec<u8>) -> Result<Step, Failure> {
        let settings = settings_of(there)?;
        let pubdir = self.pubdir(settings);
        if !settings.local_send.permits(from, pubdir) {
            let text = format!("not permitted to send {} (local-send)", from.display());
            return Err(Failure::new(Status::NotPermitted, text));
        }
        let metadata = from
            .metadata()
            .map_err(|e| Failure::new(Status::NoInput, format!("{}: {e}", from.display())))?;
        if self.run.leaves_files() {
            check_readable(from)?;
            let is_shared = metadata.mode() & 0o040 != 0 && self.run.owns_spool(metadata.uid());
            if metadata.mode() & 0o004 == 0 && !is_shared {
                return Err(Failure::new(
                    Status::NoInput,
                    format!(
                        "{}: uucico could not read it; copy it now (-C)",
                        from.display()
                    ),
                ));
            }
        }
        if there.beyond.is_empty() {
            let request = Request::Send(SendRequest {
                from: from.as_os_str().as_bytes().to_vec(),
                to,
                user: self.run.user.clone(),
                options: RequestOptions::new(&self.letters(true)),
                temp: b"D.0000000000000".to_vec(),
                mode: metadata.permissions().mode() & 0o777,
                notify: self.target.notify.clone(),
                size: None,
            });
            return Self::request(there, request);
        }
        let target = There {
            first: there.first.clone(),
            beyond: there.beyond.clone(),
            path: to,
        };
        let name = from.file_name().unwrap_or_default().as_bytes().to_vec();
        if name.contains(&b'!') {
            let text = format!(
                "{}: a name with '!' in it cannot be forwarded",
                from.display()
            );
            return Err(Failure::new(Status::DataError, text));
        }
        // To the uucp over there it must neither be an option nor a home directory.
        let word = if name.starts_with(b"-") || name.starts_with(b"~") {
            [b"./", name.as_slice()].concat()
        } else {
            name.clone()
        };
        check_command_word(&name)?;
        let words = self.command(vec![word, target.for_neighbour()])?;
        Ok(Step::Command {
            system: there.first.name.clone(),
            file: Some(from.to_path_buf()),
            run_name: name,
            words,
        })
    }

    /// A file of another system, or the files that a pattern stands for there.
    pub(super) fn of_elsewhere(&self, source: &There) -> Result<Step, Failure> {
        let settings = settings_of(source)?;
        match &self.target.place {
            Place::Here(to) => {
                rules::may_write(self.run, to)?;
                let here = Path::new(OsStr::from_bytes(to));
                let (rules, name) = if source.beyond.is_empty() {
                    (&settings.local_receive, "local-receive")
                } else {
                    // It comes as a file that the neighbour sends.
                    (&settings.remote_receive, "remote-receive")
                };
                if !rules.permits(here, self.pubdir(settings)) {
                    return Err(denied("receive to", here, name));
                }
                if source.beyond.is_empty() {
                    return Self::request(source, self.wanted(source, to.clone()));
                }
                self.fetch_by_command(source, &[], to)
            }
            Place::There(to) => {
                let first = to.first.name.clone();
                self.fetch_by_command(source, &[first.as_bytes()], &to.for_neighbour())
            }
        }
    }

    fn wanted(&self, source: &There, to: Vec<u8>) -> Request {
        let options = RequestOptions::new(&self.letters(false));
        let user = self.run.user.clone();
        if is_pattern(&source.path) {
            let own = self.run.config.nodename.as_bytes();
            return Request::Expand(ExpandRequest {
                pattern: source.path.clone(),
                destination: [own, b"!", &to].concat(),
                user,
                options,
            });
        }
        Request::Receive(ReceiveRequest {
            from: source.path.clone(),
            to,
            user,
            options,
            size: None,
        })
    }

    /// A `uucp` that the neighbour executes: from it, or from behind it, to us or by way of us.
    fn fetch_by_command(
        &self,
        source: &There,
        systems: &[&[u8]],
        path: &[u8],
    ) -> Result<Step, Failure> {
        let mut to = self.run.config.nodename.as_bytes().to_vec();
        for part in systems.iter().chain(&[path]) {
            to.push(b'!');
            to.extend_from_slice(part);
        }
        let mut from = source.for_neighbour();
        if from.starts_with(b"-") {
            from = [b"./", from.as_slice()].concat();
        }
        Ok(Step::Command {
            system: source.first.name.clone(),
            file: None,
            run_name: Vec::new(),
            words: self.command(vec![from, to])?,
        })
    }

    /// The request, if the neighbour can be told it.
    fn request(there: &There, request: Request) -> Result<Step, Failure> {
        let mut line = Vec::new();
        // The size is only known when the file is offered.
        let whole = request.emit(Features::OURS, &mut line).is_ok()
            && line.len() + "0xffffffffffffffff".len() < COMMAND_LIMIT;
        if !whole {
            let text = "these names are too long for a request, or hold a NUL";
            return Err(Failure::new(Status::DataError, text));
        }
        Ok(Step::Request {
            system: there.first.name.clone(),
            request,
        })
    }

    /// Option letters of a request, in the peer's order.
    fn letters(&self, sends: bool) -> Vec<u8> {
        let options = self.options();
        let notify = sends && !self.target.notify.is_empty();
        [
            (sends && !self.run.leaves_files(), b'C'),
            (sends && self.run.leaves_files(), b'c'),
            (!options.no_directories, b'd'),
            (options.no_directories, b'f'),
            (options.mail, b'm'),
            (notify, b'n'),
        ]
        .into_iter()
        .filter_map(|(set, letter)| set.then_some(letter))
        .collect()
    }

    /// The command line that another system is to execute, as the peer's uucp writes it.
    fn command(&self, files: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Failure> {
        let options = self.options();
        let directories: &[u8] = if options.no_directories { b"-f" } else { b"-d" };
        let grade = [self.run.grade.byte()];
        let mut words: Vec<Vec<u8>> = [b"uucp", &b"-C"[..], directories, b"-g", &grade]
            .map(<[u8]>::to_vec)
            .into();
        if options.mail {
            words.push(b"-m".to_vec());
        }
        if !self.target.notify.is_empty() {
            words.extend([b"-n".to_vec(), self.target.notify.clone()]);
        }
        if options.noexpand {
            words.push(b"-W".to_vec());
        }
        words.extend(files);
        for word in &words {
            check_command_word(word)?;
        }
        let length: usize = words.iter().map(|word| word.len() + 1).sum();
        if length > COMMAND_LINE_LIMIT {
            let text = format!(
                "these names make a command line of {length} bytes; {COMMAND_LINE_LIMIT} are the most that is carried"
            );
            return Err(Failure::new(Status::DataError, text));
        }
        Ok(words)
    }

    fn pubdir<'s>(&'s self, settings: &'s Settings) -> &'s Path {
        let own = settings.pubdir.as_deref();
        own.unwrap_or(&self.run.config.pubdir)
    }
}

/// Permissions stand in the first description of a system.
fn settings_of(there: &There) -> Result<&Settings, Failure> {
    let first = there.first.alternates.first();
    first.ok_or_else(|| Failure::temporary(format!("{} is not described", there.first.name)))
}
