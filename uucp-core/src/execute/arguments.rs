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

/// The arguments of `uucp` as a job of `user` at `system` may have them: no configuration of its own choice, nobody else's
/// name, no debugging, and the name of who asked, as the peer's `uuxqt` does it.
#[must_use]
pub fn for_uucp(words: &[Vec<u8>], system: &str, user: &[u8]) -> Vec<Vec<u8>> {
    let mut out = vec![[b"-u", system.as_bytes(), b"!", user].concat()];
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (kept, value) = match word.as_slice() {
            b"--" => {
                out.push(word.clone());
                out.extend(words.cloned());
                return out;
            }
            [b'-', b'-', name @ ..] => long_option(word, name),
            [b'-', letters @ ..] if !letters.is_empty() => short_options(letters),
            _ => (Some(word.clone()), Value::None),
        };
        out.extend(kept);
        match value {
            Value::None => {}
            Value::Keep => out.extend(words.next().cloned()),
            Value::Drop => {
                words.next();
            }
        }
    }
    out
}

/// The files of a `uucp` command that was made by [`for_uucp`]: what it copies, and where to at the end. `None` where an
/// option is not known by its whole name: then it is not known either which words are files.
#[must_use]
pub fn files_of_uucp(words: &[Vec<u8>]) -> Option<Vec<&[u8]>> {
    let mut files = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_slice() {
            b"--" => {
                files.extend(words.map(Vec::as_slice));
                break;
            }
            [b'-', b'-', name @ ..] => {
                let equals = name.iter().position(|b| *b == b'=');
                let whole = name.get(..equals.unwrap_or(name.len()))?;
                if VALUES.contains(&whole) {
                    if equals.is_none() {
                        words.next()?;
                    }
                } else if equals.is_some() || !FLAGS.contains(&whole) {
                    return None;
                }
            }
            [b'-', letters @ ..] if !letters.is_empty() => {
                let takes = letters.iter().position(|b| b"ugns".contains(b));
                let flags = letters.get(..takes.unwrap_or(letters.len()))?;
                if flags.iter().any(|b| !b"cCpdfmrRjWt".contains(b)) {
                    return None;
                }
                if takes == letters.len().checked_sub(1) {
                    words.next()?;
                }
            }
            file => files.push(file),
        }
    }
    Some(files)
}

/// Long options of `uucp` with a value.
const VALUES: [&[u8]; 3] = [b"grade", b"notify", b"status"];
/// Long options of `uucp` without one.
const FLAGS: [&[u8]; 10] = [
    b"nocopy",
    b"copy",
    b"directories",
    b"nodirectories",
    b"mail",
    b"recursive",
    b"nouucico",
    b"jobid",
    b"noexpand",
    b"uuto",
];

/// What is to become of the word after an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// It is not the option's.
    None,
    Keep,
    Drop,
}

/// Long options may be shortened, so every beginning of a forbidden one is forbidden.
fn long_option(word: &[u8], name: &[u8]) -> (Option<Vec<u8>>, Value) {
    let equals = name.iter().position(|b| *b == b'=');
    let short = name.get(..equals.unwrap_or(name.len())).unwrap_or_default();
    let begins = |option: &[u8]| option.starts_with(short);
    if [&b"config"[..], b"user", b"debug"].into_iter().any(begins) {
        let value = if equals.is_some() {
            Value::None
        } else {
            Value::Drop
        };
        return (None, value);
    }
    let takes = [&b"grade"[..], b"notify", b"status"]
        .into_iter()
        .any(begins);
    let value = if takes && equals.is_none() {
        Value::Keep
    } else {
        Value::None
    };
    (Some(word.to_vec()), value)
}

/// Letters behind one `-`, up to the first that takes a value.
fn short_options(letters: &[u8]) -> (Option<Vec<u8>>, Value) {
    let takes = |letter: &u8| b"Iuxgns".contains(letter);
    let Some(at) = letters.iter().position(takes) else {
        return (Some([b"-", letters].concat()), Value::None);
    };
    let (before, rest) = letters.split_at_checked(at).unwrap_or((letters, b""));
    let forbidden = matches!(rest, [b'I' | b'u' | b'x', ..]);
    let kept = if forbidden { before } else { letters };
    let value = match (rest.len(), forbidden) {
        (1, true) => Value::Drop,
        (1, false) => Value::Keep,
        _ => Value::None,
    };
    ((!kept.is_empty()).then(|| [b"-", kept].concat()), value)
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
    fn uucp_is_told_who_asks_and_not_how_it_is_configured() {
        for (words, wanted) in [
            ("f alpha!g", "-ubeta!joe f alpha!g"),
            ("-C -W -d -g N f b!g", "-ubeta!joe -C -W -d -g N f b!g"),
            ("-I /tmp/evil f b!g", "-ubeta!joe f b!g"),
            ("-I/tmp/evil f b!g", "-ubeta!joe f b!g"),
            ("-CdI /tmp/evil -uroot -x9 f b!g", "-ubeta!joe -Cd f b!g"),
            ("f -u root b!g -x 9", "-ubeta!joe f b!g"),
            (
                "--config=/tmp/evil --con /tmp/evil --user root f g",
                "-ubeta!joe f g",
            ),
            ("--debug 9 --u=root --jobid f g", "-ubeta!joe --jobid f g"),
            // A value that looks like one of them is none.
            ("-g -I -nxu f g", "-ubeta!joe -g -I -nxu f g"),
            ("--status -u f g", "-ubeta!joe --status -u f g"),
            ("-C -- -I f", "-ubeta!joe -C -- -I f"),
            ("- f", "-ubeta!joe - f"),
            ("-I", "-ubeta!joe"),
        ] {
            let words: Vec<Vec<u8>> = words.split(' ').map(Into::into).collect();
            let got = for_uucp(&words, "beta", b"joe").join(&b' ');
            assert_eq!(got.escape_ascii().to_string(), wanted);
        }
    }

    #[test]
    fn files_of_uucp_are_told_from_options_and_their_values() {
        for (line, files) in [
            ("-ub!joe f a!g", Some("f a!g")),
            ("-ub!joe -C -d -g N -m -n x!ann -W f a!g", Some("f a!g")),
            ("f -gN a!g -rj h", Some("f a!g h")),
            ("--notify x!ann --grade=N --copy f g", Some("f g")),
            ("-- -f --g", Some("-f --g")),
            ("- g", Some("- g")),
            ("-z f g", None),
            ("-n", None),
            ("--not x!ann f g", None),
            ("--copy=x f g", None),
            ("--unheard f g", None),
        ] {
            let words: Vec<Vec<u8>> = line.split(' ').map(Into::into).collect();
            let got = files_of_uucp(&words).map(|files| files.join(&b' '));
            let wanted = files.map(|files| files.as_bytes().to_vec());
            assert_eq!(got, wanted, "{line}");
        }
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
