//! `uupick`: hands out the files that `uuto` elsewhere has sent to a user of this system.
//!
//! Taylor UUCP manual, *Invoking uupick*. Names come from other systems: they are shown escaped, and what is moved never
//! replaces anything.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufRead, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;

use super::common::Common;
use super::queueing;
use crate::owner;
use crate::program;
use crate::sysexits::{Audience, Failure, Status};

/// Hands out the files that uuto has sent to you.
#[derive(Debug, Parser)]
#[command(
    name = "uupick",
    version,
    disable_version_flag = true,
    after_help = "Examples:\n  uupick          go through everything\n  uupick -s hub   only what came from hub"
)]
struct Arguments {
    /// Only files from this system
    #[arg(short = 's', long, value_name = "SYSTEM")]
    system: Option<OsString>,
    #[command(flatten)]
    common: Common,
}

/// What can be answered.
const COMMANDS: &str = "uupick commands:
q: quit
<return>: skip file
m [dir]: move file to directory
a [dir]: move all files from this system to directory
p: list file to stdout
d: delete file
* or ?: this list
! command: shell escape
";

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let words = std::env::args_os().collect();
    program::main_for_everybody("uupick", Audience::Plain, words, run)
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let config = arguments.common.load_for_queueing("uupick")?;
    // What comes to the public directory is everybody's.
    owner::give_back()?;
    let user = OsString::from_vec(queueing::user_name());
    let inbox = config.pubdir.join("receive").join(user);
    let mut session = Session {
        input: io::stdin().lock(),
        output: io::stdout().lock(),
    };
    for system in sorted(&inbox)? {
        let wanted = arguments.system.as_ref().is_none_or(|s| *s == system);
        if wanted && !session.look_into(&inbox.join(&system), &system)? {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The names in a directory; none where there is no such directory.
fn sorted(directory: &Path) -> Result<Vec<OsString>, Failure> {
    let of = |error: &io::Error| failed(directory, error);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(of(&error)),
    };
    let names: io::Result<Vec<OsString>> = entries.map(|e| e.map(|e| e.file_name())).collect();
    let mut names = names.map_err(|error| of(&error))?;
    // What uucico is still receiving.
    names.retain(|name| !name.as_bytes().starts_with(b".bangpath-"));
    names.sort();
    Ok(names)
}

struct Session<I, O> {
    input: I,
    output: O,
}

/// What comes after a file.
enum Next {
    File,
    Quit,
    /// All further ones go there.
    AllTo(PathBuf),
}

impl<I: BufRead, O: Write> Session<I, O> {
    /// What lies where a system's files should; what is no directory, or not for the user, keeps those of the others from nobody.
    fn look_into(&mut self, directory: &Path, system: &OsStr) -> Result<bool, Failure> {
        let found = directory
            .symlink_metadata()
            .map_err(|error| failed(directory, &error));
        let names = found.and_then(|found| {
            if found.is_dir() {
                return sorted(directory);
            }
            let text = format!(
                "{}: not a directory of files of one system; it is left alone",
                shown(directory)
            );
            Err(Failure::new(Status::Other, text))
        });
        match names {
            Ok(names) => self.go_through(directory, names, system),
            Err(failure) => self.report(Err(failure)).map(|_| true),
        }
    }

    /// The files of one system; false when the user has had enough.
    fn go_through(
        &mut self,
        directory: &Path,
        names: Vec<OsString>,
        system: &OsStr,
    ) -> Result<bool, Failure> {
        let mut all_to: Option<PathBuf> = None;
        for name in names {
            let path = directory.join(&name);
            if let Some(target) = &all_to {
                self.report(move_into(&path, target))?;
                continue;
            }
            match self.ask(&path, system)? {
                Next::File => {}
                Next::Quit => return Ok(false),
                Next::AllTo(target) => {
                    self.report(move_into(&path, &target))?;
                    all_to = Some(target);
                }
            }
        }
        Ok(true)
    }

    /// Asks about one file until it is done with.
    fn ask(&mut self, path: &Path, system: &OsStr) -> Result<Next, Failure> {
        let kind = match path.symlink_metadata() {
            Ok(found) if found.is_dir() => "dir",
            Ok(_) => "file",
            Err(_) => return Ok(Next::File),
        };
        let name = path.file_name().unwrap_or_default();
        loop {
            let prompt = format!(
                "from {}: {kind} {} ?\n",
                system.as_bytes().escape_ascii(),
                name.as_bytes().escape_ascii()
            );
            self.say(prompt.as_bytes())?;
            let mut line = Vec::new();
            let read = self.input.read_until(b'\n', &mut line);
            if read.map_err(|error| failed(Path::new("standard input"), &error))? == 0 {
                return Ok(Next::Quit);
            }
            let line = line.trim_ascii();
            let (command, rest) = line.split_at_checked(1).unwrap_or((b"", b""));
            let rest = rest.trim_ascii();
            let plain = rest.is_empty();
            match command {
                b"" => return Ok(Next::File),
                b"q" if plain => return Ok(Next::Quit),
                b"p" if plain => {
                    let printed = print(path, &mut self.output);
                    self.report(printed)?;
                }
                b"d" if plain => {
                    let removed = remove(path);
                    if self.report(removed)? {
                        return Ok(Next::File);
                    }
                }
                b"m" => {
                    if self.report(move_into(path, &directory(rest)))? {
                        return Ok(Next::File);
                    }
                }
                b"a" => return Ok(Next::AllTo(directory(rest))),
                b"!" => {
                    let ran = shell(rest);
                    self.report(ran)?;
                }
                _ => self.say(COMMANDS.as_bytes())?,
            }
        }
    }

    /// Says what went wrong, if something did.
    fn report(&mut self, result: Result<(), Failure>) -> Result<bool, Failure> {
        match result {
            Ok(()) => Ok(true),
            Err(failure) => {
                self.say(format!("{failure}\n").as_bytes())?;
                Ok(false)
            }
        }
    }

    fn say(&mut self, text: &[u8]) -> Result<(), Failure> {
        self.output
            .write_all(text)
            .and_then(|()| self.output.flush())
            .map_err(|error| failed(Path::new("standard output"), &error))
    }
}

/// The directory that is meant; `~` is the user's own.
fn directory(word: &[u8]) -> PathBuf {
    let path = Path::new(OsStr::from_bytes(word));
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ if word.is_empty() => PathBuf::from("."),
        _ => path.to_path_buf(),
    }
}

fn print(path: &Path, output: &mut impl Write) -> Result<(), Failure> {
    let copied = open(path).and_then(|mut file| io::copy(&mut file, output));
    copied.map(drop).map_err(|error| failed(path, &error))
}

/// A file that was sent, and nothing else that somebody has put there: not a pipe that nobody writes to, not a link to what is
/// not theirs.
fn open(path: &Path) -> io::Result<File> {
    let file = File::options()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"))
}

fn remove(path: &Path) -> Result<(), Failure> {
    let is_directory = path.symlink_metadata().is_ok_and(|found| found.is_dir());
    let removed = if is_directory {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    removed.map_err(|error| failed(path, &error))
}

/// Moves a file or a directory into a directory, which is made if need be, over nothing that is there.
fn move_into(path: &Path, directory: &Path) -> Result<(), Failure> {
    fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    let to = directory.join(path.file_name().unwrap_or_default());
    if to.symlink_metadata().is_ok() {
        let text = format!("{}: there is one already; it was not moved", shown(&to));
        return Err(Failure::new(Status::CannotCreate, text));
    }
    match fs::rename(path, &to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => copy_and_remove(path, &to),
        result => result.map_err(|error| failed(&to, &error)),
    }
}

/// What cannot be copied whole is not there, and may be moved elsewhere.
fn copy_and_remove(path: &Path, to: &Path) -> Result<(), Failure> {
    if let Err(error) = copy_all(path, to) {
        if error.kind() != io::ErrorKind::AlreadyExists {
            let _ = remove(to);
        }
        return Err(failed(to, &error));
    }
    remove(path)
}

/// A copy on the disk, before what it is of goes. Links are copied as links.
fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    let kind = from.symlink_metadata()?.file_type();
    if kind.is_dir() {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy_all(&from.join(&name), &to.join(&name))?;
        }
    } else if kind.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
    } else {
        let mut source = open(from)?;
        let mut target = File::create_new(to)?;
        io::copy(&mut source, &mut target)?;
        target.sync_all()?;
    }
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// What the user wants of his own shell.
fn shell(command: &[u8]) -> Result<(), Failure> {
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let mut child = Command::new(&shell);
    if !command.is_empty() {
        child.arg("-c").arg(OsStr::from_bytes(command));
    }
    let ended = child.status();
    ended
        .map(drop)
        .map_err(|error| failed(Path::new(&shell), &error))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Status::Other, format!("{}: {error}", shown(path)))
}

/// A path with what others have named in it: it does nothing to the terminal.
fn shown(path: &Path) -> impl std::fmt::Display {
    path.as_os_str().as_bytes().escape_ascii()
}

#[cfg(test)]
mod tests;
