//! The words of a `C` line become an argument list: no shell, no quoting, no wildcard.
//!
//! The one thing that is expanded is a `~` at the beginning of a word, as the peer's `uuxqt` does it: `~/x` and `~` are
//! the public directory, `~user/x` is that user's home directory, and a doubled `~~` stands for a `~` that is meant.
//! Everything else, `;`, `|`, `$(..)`, quotes and blanks that were quoted in the file, reaches the command as it is.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::unistd::User;

/// One argument as the command is given it.
///
/// A user that does not exist leaves the word as it was written: a mail address such as `~x@y` is no mistake.
#[must_use]
pub fn expand(word: &[u8], public: &Path) -> OsString {
    expand_with(word, public, home_of)
}

/// [`expand`] with the look-up of home directories given.
fn expand_with(word: &[u8], public: &Path, home: fn(&[u8]) -> Option<PathBuf>) -> OsString {
    match word.strip_prefix(b"~") {
        None => OsStr::from_bytes(word).to_os_string(),
        Some(rest) if rest.starts_with(b"~") => OsStr::from_bytes(rest).to_os_string(),
        Some(rest) => {
            tilde(rest, public, home).unwrap_or_else(|| OsStr::from_bytes(word).to_os_string())
        }
    }
}

/// What stands behind a single `~`, expanded.
fn tilde(rest: &[u8], public: &Path, home: fn(&[u8]) -> Option<PathBuf>) -> Option<OsString> {
    let slash = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
    let (user, path) = rest.split_at_checked(slash)?;
    let directory = if user.is_empty() {
        public.to_path_buf()
    } else {
        home(user)?
    };
    let mut joined = directory.into_os_string().into_vec();
    joined.extend_from_slice(path);
    Some(OsString::from_vec(joined))
}

fn home_of(user: &[u8]) -> Option<PathBuf> {
    let name = std::str::from_utf8(user).ok()?;
    // A name that no password file holds, asked for by a peer, must not cost a look-up over the network.
    if name.len() > 64 || !name.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
        return None;
    }
    User::from_name(name).ok().flatten().map(|user| user.dir)
}

/// A local file name out of an `I` or `O` line: absolute, behind a `~`, or relative to the public directory.
///
/// `None` where the name tries to climb by `..`: what is permitted is told by where a path begins, so no path may leave
/// where it began.
#[must_use]
pub fn local_path(name: &[u8], public: &Path) -> Option<PathBuf> {
    let expanded = PathBuf::from(expand(name, public));
    let path = if expanded.is_absolute() {
        expanded
    } else {
        public.join(expanded)
    };
    let climbs = path
        .components()
        .any(|part| matches!(part, std::path::Component::ParentDir));
    (!climbs && !name.contains(&0)).then_some(path)
}

/// The name that a data file goes by in the execution directory: one plain component, or nothing.
///
/// The peer's `uuxqt` takes `../../evil`; here the job is refused.
#[must_use]
pub fn run_name(name: &[u8]) -> Option<&OsStr> {
    let plain = !name.is_empty()
        && name.len() <= 255
        && !matches!(name, b"." | b"..")
        && !name.iter().any(|b| matches!(b, b'/' | 0));
    plain.then(|| OsStr::from_bytes(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn homes(user: &[u8]) -> Option<PathBuf> {
        (user == b"uucp").then(|| PathBuf::from("/var/spool/uucp"))
    }

    /// What Debian's uuxqt 1.07-27 handed to a command for the same words.
    #[test]
    fn words_are_expanded_as_the_peer_does_it() {
        for (word, argument) in [
            ("~/x", "/pub/x"),
            ("~", "/pub"),
            ("~~/y", "~/y"),
            ("~~", "~"),
            ("~uucp/z", "/var/spool/uucp/z"),
            ("~uucp", "/var/spool/uucp"),
            ("~nosuch/x", "~nosuch/x"),
            ("a~", "a~"),
            ("joe;id", "joe;id"),
            ("$(id)`id`|&<>*", "$(id)`id`|&<>*"),
            ("\"q", "\"q"),
            ("", ""),
        ] {
            let got = expand_with(word.as_bytes(), Path::new("/pub"), homes);
            assert_eq!(got, OsString::from(argument), "{word}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_pass() {
        let got = expand(b"\xff\xfe", Path::new("/pub"));
        assert_eq!(got.as_bytes(), b"\xff\xfe");
    }

    #[test]
    fn a_local_path_does_not_climb() {
        let public = Path::new("/pub");
        assert_eq!(
            local_path(b"~/a/b", public),
            Some(PathBuf::from("/pub/a/b"))
        );
        assert_eq!(local_path(b"a", public), Some(PathBuf::from("/pub/a")));
        assert_eq!(local_path(b"/x/y", public), Some(PathBuf::from("/x/y")));
        for bad in [&b"~/../etc/passwd"[..], b"../x", b"/pub/../etc/x", b"a\0b"] {
            assert_eq!(local_path(bad, public), None);
        }
    }

    #[test]
    fn a_run_name_is_one_component() {
        for bad in [&b""[..], b".", b"..", b"../x", b"/etc/x", b"a/b", b"a\0"] {
            assert_eq!(run_name(bad), None);
        }
        assert_eq!(run_name(b"qux"), Some(OsStr::new("qux")));
        assert_eq!(run_name(b"-rf"), Some(OsStr::new("-rf")));
    }
}
