//! Where a file is: here, at a neighbour, or behind one.

use crate::command::queueing::files::{local_path, remote_path};
use crate::command::queueing::way::Way;
use crate::config::{Config, System};
use crate::name::SystemName;
use crate::sysexits::{Failure, Status};

/// A name of the command line, understood.
#[derive(Debug)]
pub(super) enum Place {
    /// A file of this system: its full name, as it was written (a `/` at its end means a directory).
    Here(Vec<u8>),
    /// A file elsewhere.
    There(There),
}

/// A file of another system.
#[derive(Debug)]
pub(super) struct There {
    /// The neighbour.
    pub(super) first: Box<System>,
    /// The systems behind it, the file's own last; empty where it is the neighbour's.
    pub(super) beyond: Vec<SystemName>,
    /// Its name over there.
    pub(super) path: Vec<u8>,
}

impl There {
    /// The name as the neighbour is given it: `b!c!path`.
    pub(super) fn for_neighbour(&self) -> Vec<u8> {
        let mut word = Vec::new();
        for system in &self.beyond {
            word.extend_from_slice(system.as_bytes());
            word.push(b'!');
        }
        word.extend_from_slice(&self.path);
        word
    }
}

impl Place {
    /// Understands `path`, `!path`, `system!path`, `system!system!path`.
    pub(super) fn find(config: &Config, word: &[u8], expand: bool) -> Result<Self, Failure> {
        let mut parts: Vec<Vec<u8>> = word.split(|b| *b == b'!').map(<[u8]>::to_vec).collect();
        let path = parts.pop().unwrap_or_default();
        Self::of_path(config, &parts, &path, expand)
    }

    /// As [`Place::find`] for the destination of `uuto`: `system!user`.
    pub(super) fn of_user(config: &Config, word: &[u8]) -> Result<(Self, Vec<u8>), Failure> {
        let mut parts: Vec<Vec<u8>> = word.split(|b| *b == b'!').map(<[u8]>::to_vec).collect();
        let user = parts.pop().unwrap_or_default();
        let odd = |b: &u8| b.is_ascii_control() || matches!(b, b'/' | b' ' | b'~');
        if parts.is_empty() || user.is_empty() || user.starts_with(b".") || user.iter().any(odd) {
            return Err(Failure::new(
                Status::Usage,
                format!("'{}' is not of the form system!user", word.escape_ascii()),
            ));
        }
        let own = config.nodename.as_bytes();
        let path = [b"~/receive/", user.as_slice(), b"/", own, b"/"].concat();
        Ok((Self::of_path(config, &parts, &path, false)?, user))
    }

    fn of_path(
        config: &Config,
        systems: &[Vec<u8>],
        path: &[u8],
        expand: bool,
    ) -> Result<Self, Failure> {
        match Way::find(config, systems)? {
            Way::Local => {
                let full = local_path(path, &config.pubdir)?;
                Ok(Self::Here(full.into_os_string().into_encoded_bytes()))
            }
            Way::Remote { first, beyond } => Ok(Self::There(There {
                first,
                beyond,
                path: name_elsewhere(path, expand)?,
            })),
        }
    }
}

/// A name for another system. One that climbs is no name that a UUCP system takes; where the working directory makes it so,
/// it is straightened here.
fn name_elsewhere(path: &[u8], expand: bool) -> Result<Vec<u8>, Failure> {
    let refuse = |why: &str| {
        let text = format!("'{}': {why}", path.escape_ascii());
        Err(Failure::new(Status::DataError, text))
    };
    if path.is_empty() && !expand {
        return refuse("names a system, but no file on it");
    }
    let relative = !path.starts_with(b"/") && !path.starts_with(b"~");
    let full = remote_path(path, expand)?;
    let climbs = full.split(|b| *b == b'/').any(|part| part == b"..");
    match (climbs, relative && expand) {
        (false, _) => Ok(full),
        (true, true) => Ok(straighten(&full)),
        (true, false) => refuse("a name with '..' in it is taken by no other system"),
    }
}

/// An absolute path without its `..`.
fn straighten(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    [b"/", parts.join(&b'/').as_slice()].concat()
}

/// Whether another system is to look for files by this name.
pub(super) fn is_pattern(path: &[u8]) -> bool {
    path.iter().any(|b| matches!(b, b'*' | b'?' | b'['))
}

/// The last part of a path.
pub(super) fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or_default()
}

/// Checks a word for the command line of an executed `uucp`. Blanks are quoted there; what else must be quoted does not
/// come through every uuxqt.
pub(super) fn check_command_word(word: &[u8]) -> Result<(), Failure> {
    if word.is_empty() || word.iter().any(u8::is_ascii_control) {
        let text = format!("'{}' cannot be forwarded", word.escape_ascii());
        return Err(Failure::new(Status::DataError, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_climbs_is_straightened_or_refused() {
        let here = std::env::current_dir().unwrap();
        let above = here.parent().unwrap().join("x");
        let straight = name_elsewhere(b"../x", true).unwrap();
        assert_eq!(straight, above.into_os_string().into_encoded_bytes());
        for bad in [&b"/a/../b"[..], b"~/../b", b"~ann/.."] {
            assert!(name_elsewhere(bad, true).is_err(), "{bad:?}");
        }
        assert!(name_elsewhere(b"../x", false).is_err());
        assert!(name_elsewhere(b"", false).is_err());
        assert_eq!(name_elsewhere(b"a..b", false).unwrap(), b"a..b");
        assert_eq!(straighten(b"/a/b/../../../c/./d"), b"/c/d");
    }
}
