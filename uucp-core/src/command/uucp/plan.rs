//! What is to be done for a command line: files copied here, requests for neighbours, commands for them. Everything that
//! can be refused is refused here, before anything is written.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Run;
use super::place::{Place, base_name, is_pattern};
use super::step::Maker;
use crate::name::SystemName;
use crate::sysexits::{Failure, Status};
use crate::wire::command::Request;

/// One thing to be done.
#[derive(Debug)]
pub(super) enum Step {
    /// A file of this system to a place of this system.
    Copy {
        /// The file.
        from: PathBuf,
        /// Where to: a name, or a directory if it ends in `/`.
        to: Vec<u8>,
    },
    /// A request for a neighbour; if it is to send a file, the file.
    Request {
        /// The neighbour.
        system: SystemName,
        /// The request. Of one that sends a file `temp` is not known yet.
        request: Request,
    },
    /// A `uucp` for a neighbour, with the file that it sends on, if that is one of ours.
    Command {
        /// The neighbour.
        system: SystemName,
        /// Our file.
        file: Option<PathBuf>,
        /// What the file is called while the command runs.
        run_name: Vec<u8>,
        /// The command.
        words: Vec<Vec<u8>>,
    },
}

/// Where everything goes.
pub(super) struct Target {
    pub(super) place: Place,
    /// Whom to tell there.
    pub(super) notify: Vec<u8>,
}

/// Thinks the whole command line out.
pub(super) fn make(run: &Run<'_>) -> Result<Vec<Step>, Failure> {
    let options = run.options;
    let (last, sources) = match options.files.split_last() {
        Some((last, sources)) if !sources.is_empty() => (last, sources),
        _ => {
            return Err(Failure::new(
                Status::Usage,
                "a file and its destination are required",
            ));
        }
    };
    let mut files = Vec::new();
    for source in sources {
        let place = Place::find(run.config, source.as_bytes(), !options.noexpand)?;
        files.extend(expanded(place)?);
    }
    let mut target = Target::find(run, last.as_bytes())?;
    let pattern = |place: &Place| matches!(place, Place::There(there) if is_pattern(&there.path));
    if files.len() > 1 || files.iter().any(pattern) {
        target.make_directory();
    }
    let maker = Maker { run, target };
    let mut steps = Vec::new();
    for file in files {
        match file {
            Place::Here(path) => maker.of_here(&path, &mut steps)?,
            Place::There(there) => steps.push(maker.of_elsewhere(&there)?),
        }
    }
    Ok(steps)
}

/// A name of this system that names nothing, but has a `*`, is a pattern: a shell that was kept from reading it is not the
/// only one who can.
fn expanded(place: Place) -> Result<Vec<Place>, Failure> {
    let Place::Here(path) = &place else {
        return Ok(vec![place]);
    };
    let name = Path::new(OsStr::from_bytes(path));
    if name.symlink_metadata().is_ok() || !is_pattern(base_name(path)) {
        return Ok(vec![place]);
    }
    let found = crate::engine::pattern::matches(name);
    if found.is_empty() {
        let text = format!("{}: nothing fits", name.display());
        return Err(Failure::new(Status::NoInput, text));
    }
    let names = found.into_iter().map(PathBuf::into_os_string);
    Ok(names
        .map(|name| Place::Here(name.into_encoded_bytes()))
        .collect())
}

impl Target {
    fn find(run: &Run<'_>, word: &[u8]) -> Result<Self, Failure> {
        let given = run.options.notify.as_deref().map(OsStr::as_bytes);
        if run.options.uuto {
            let (place, user) = Place::of_user(run.config, word)?;
            let notify = given.map_or(user, <[u8]>::to_vec);
            return Ok(Self { place, notify });
        }
        Ok(Self {
            place: Place::find(run.config, word, !run.options.noexpand)?,
            notify: given.unwrap_or_default().to_vec(),
        })
    }

    /// Several files go into a directory, also into one that is still to be made.
    fn make_directory(&mut self) {
        let path = match &mut self.place {
            Place::Here(path) if Path::new(OsStr::from_bytes(path)).is_dir() => return,
            Place::Here(path) => path,
            Place::There(there) => &mut there.path,
        };
        if !path.ends_with(b"/") {
            path.push(b'/');
        }
    }
}
