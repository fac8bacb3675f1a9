//! What is to be made of a command line: the files that must be at the executing system, and how they become a command
//! there.
//!
//! A command with nothing but standard input is one `E` request. Everything else is the files and an execute file, each an
//! `S` request. Nothing is written here.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::Request;
use super::execute_text::ExecuteText;
use super::fetch::Remote;
use super::files::{check_readable, local_path, remote_path};
use super::line::{CommandLine, FileName, Word};
use super::way::{Way, look_up};
use crate::address::word::COMMAND_LINE_LIMIT;
use crate::config::Settings;
use crate::name::{SpoolKind, SpoolName, SystemName};
use crate::sysexits::{Failure, Status};

/// A job, thought out.
pub(super) struct Plan {
    /// The files that the executing system needs, in order.
    pub(super) parts: Vec<Part>,
    /// The command.
    pub(super) body: Body,
    /// The command line, for the log.
    pub(super) command: Vec<u8>,
}

/// A file that the executing system needs.
pub(super) struct Part {
    /// What it is called in the spool over there.
    pub(super) peer_name: SpoolName,
    /// Where it comes from.
    pub(super) source: Source,
}

/// Where a file comes from.
pub(super) enum Source {
    /// Our standard input.
    Stdin,
    /// A file that is copied into the spool now.
    Copy(PathBuf),
    /// A file that is linked into the spool; where it cannot be, it is copied, or else left where it is.
    Link {
        /// Where it is.
        path: PathBuf,
        /// Whether it may be copied.
        or_copy: bool,
    },
    /// A file of a system that is neither this one nor the one that executes.
    Fetch(Remote),
    /// A file that is read when it is sent.
    Leave(PathBuf),
}

/// How the command travels.
pub(super) enum Body {
    /// With its only file, in an `E` request: option letters, and the requestor's address or nothing.
    Request { options: Vec<u8>, notify: Vec<u8> },
    /// In an execute file of this text.
    File(ExecuteText),
}

impl Plan {
    pub(super) fn make(request: &Request<'_>, line: &CommandLine) -> Result<Self, Failure> {
        let mut maker = Maker {
            request,
            parts: Vec::new(),
            text: ExecuteText::default(),
            run_names: Vec::new(),
            only_input: true,
        };
        let words = maker.words(&line.words)?;
        let input = maker.input(line.input.as_ref())?;
        maker.output(line.output.as_ref())?;
        let command = words.join(&b' ');
        if command.len() > COMMAND_LINE_LIMIT {
            return Err(Failure::new(
                Status::DataError,
                format!(
                    "the command line has {} bytes; {COMMAND_LINE_LIMIT} are the most that is carried",
                    command.len()
                ),
            ));
        }
        let body = maker.body(line, &words, input);
        Ok(Self {
            parts: maker.parts,
            body,
            command,
        })
    }
}

/// A plan in the making.
struct Maker<'a> {
    request: &'a Request<'a>,
    parts: Vec<Part>,
    /// Lines of the execute file, should there be one.
    text: ExecuteText,
    run_names: Vec<Vec<u8>>,
    /// Whether an `E` request would still do.
    only_input: bool,
}

impl Maker<'_> {
    /// The words of the command as the executing system is to see them.
    fn words(&mut self, words: &[Word]) -> Result<Vec<Vec<u8>>, Failure> {
        words
            .iter()
            .map(|word| match word {
                Word::Argument { bytes, .. } => Ok(bytes.clone()),
                Word::File(name) => self.file_argument(name),
            })
            .collect()
    }

    fn file_argument(&mut self, name: &FileName) -> Result<Vec<u8>, Failure> {
        if self.request.way.executes(&name.system) {
            return remote_path(&name.path, !self.request.arguments.noexpand);
        }
        let source = self.source(name)?;
        let run_name = name.base_name().to_vec();
        if run_name.is_empty() || self.run_names.contains(&run_name) {
            return Err(Failure::new(
                Status::DataError,
                format!(
                    "two files called '{}' cannot be brought together in one directory",
                    run_name.escape_ascii()
                ),
            ));
        }
        let peer = self.push_part(source);
        self.text.push(b'F', &[peer.as_bytes(), &run_name]);
        self.run_names.push(run_name.clone());
        self.only_input = false;
        Ok(run_name)
    }

    /// Standard input: `-` or a file of this system; a file of the executing system is named in the execute file.
    fn input(&mut self, redirected: Option<&FileName>) -> Result<Option<SpoolName>, Failure> {
        let source = match redirected {
            Some(name) if self.request.way.executes(&name.system) => {
                let path = remote_path(&name.path, !self.request.arguments.noexpand)?;
                self.text.push(b'I', &[&path]);
                self.only_input = false;
                return Ok(None);
            }
            Some(name) => self.source(name)?,
            None if self.request.arguments.stdin => Source::Stdin,
            None => {
                self.only_input = false;
                return Ok(None);
            }
        };
        Ok(Some(self.push_part(source)))
    }

    fn output(&mut self, redirected: Option<&FileName>) -> Result<(), Failure> {
        let Some(name) = redirected else {
            return Ok(());
        };
        if !self.request.way.is_direct() && !matches!(self.request.way, Way::Local) {
            return Err(Failure::new(
                Status::Unavailable,
                "standard output cannot be forwarded over several systems",
            ));
        }
        self.only_input = false;
        let expand = !self.request.arguments.noexpand;
        let here = self.request.config.nodename.as_bytes();
        if self.request.way.executes(&name.system) {
            let path = remote_path(&name.path, expand)?;
            self.text.push(b'O', &[&path]);
        } else if name.system.is_empty() || name.system == here {
            let path = local_path(&name.path, &self.request.config.pubdir)?;
            self.check_may_create(&path)?;
            let path = path.as_os_str().as_bytes();
            match self.request.way {
                Way::Local => self.text.push(b'O', &[path]),
                Way::Remote { .. } => self.text.push(b'O', &[path, here]),
            }
        } else {
            let path = remote_path(&name.path, expand)?;
            self.text.push(b'O', &[&path, &name.system]);
        }
        Ok(())
    }

    fn body(&mut self, line: &CommandLine, words: &[Vec<u8>], input: Option<SpoolName>) -> Body {
        let arguments = self.request.arguments;
        let requestor: &[u8] = arguments
            .requestor
            .as_ref()
            .map(|a| a.as_bytes())
            .unwrap_or_default();
        let shell = line.wants_shell();
        // Taylor's receiver loses what follows a backslash in an `E`, but not in an execute file.
        let plain = self.request.way.is_direct()
            && self.only_input
            && self.parts.len() == 1
            && !arguments.return_stdin
            && arguments.status.is_none()
            && !words.iter().any(|word| word.contains(&b'\\'));
        if plain {
            let mut options = Vec::new();
            for (set, letter) in [
                (arguments.notify_nobody(), b'N'),
                (arguments.notify_errors(), b'Z'),
                (!requestor.is_empty(), b'R'),
                (shell, b'e'),
            ] {
                if set {
                    options.push(letter);
                }
            }
            return Body::Request {
                options,
                notify: requestor.to_vec(),
            };
        }
        let mut text = std::mem::take(&mut self.text);
        text.push_if(arguments.return_stdin, b'B');
        if let Some(status) = &arguments.status {
            text.push(b'M', &[status.as_bytes()]);
        }
        text.push(
            b'U',
            &[&self.request.user, self.request.config.nodename.as_bytes()],
        );
        if let Some(input) = input {
            text.push(b'F', &[input.as_bytes()]);
            text.push(b'I', &[input.as_bytes()]);
        }
        text.push_if(arguments.notify_nobody(), b'N');
        text.push_if(arguments.notify_errors(), b'Z');
        if !requestor.is_empty() {
            text.push(b'R', &[requestor]);
        }
        text.push_if(shell, b'e');
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        text.push(b'C', &words);
        Body::File(text)
    }

    fn push_part(&mut self, source: Source) -> SpoolName {
        let peer_name = self
            .request
            .spool
            .peer_name(SpoolKind::Data, self.request.grade);
        self.parts.push(Part {
            peer_name: peer_name.clone(),
            source,
        });
        peer_name
    }

    /// A file that does not lie where the command is executed.
    fn source(&mut self, name: &FileName) -> Result<Source, Failure> {
        let here = self.request.config.nodename.as_bytes();
        if name.system.is_empty() || name.system == here {
            return self.local_source(name);
        }
        let system = SystemName::parse(&name.system)
            .map_err(|e| Failure::new(Status::DataError, e.to_string()))?;
        let system = look_up(self.request.config, &system)?.name;
        let path = remote_path(&name.path, !self.request.arguments.noexpand)?;
        self.only_input = false;
        Ok(Source::Fetch(Remote { system, path }))
    }

    /// A file of this system, checked.
    fn local_source(&self, name: &FileName) -> Result<Source, Failure> {
        let path = local_path(&name.path, &self.request.config.pubdir)?;
        check_readable(&path)?;
        let arguments = self.request.arguments;
        let Some(settings) = self.settings() else {
            return Ok(Source::Copy(path));
        };
        if !settings.local_send.permits(&path, self.pubdir(settings)) {
            return Err(Failure::new(
                Status::NotPermitted,
                format!("not permitted to send {} (local-send)", path.display()),
            ));
        }
        Ok(if arguments.link {
            let or_copy = !arguments.no_copy;
            Source::Link { path, or_copy }
        } else if arguments.copy {
            Source::Copy(path)
        } else {
            Source::Leave(path)
        })
    }

    fn check_may_create(&self, path: &std::path::Path) -> Result<(), Failure> {
        match self.settings() {
            Some(settings) if !settings.local_receive.permits(path, self.pubdir(settings)) => {
                Err(Failure::new(
                    Status::NotPermitted,
                    format!("not permitted to create {} (local-receive)", path.display()),
                ))
            }
            _ => Ok(()),
        }
    }

    fn settings(&self) -> Option<&Settings> {
        match self.request.way {
            Way::Local => None,
            Way::Remote { first, .. } => first.alternates.first(),
        }
    }

    fn pubdir<'s>(&'s self, settings: &'s Settings) -> &'s std::path::Path {
        settings
            .pubdir
            .as_deref()
            .unwrap_or(&self.request.config.pubdir)
    }
}
