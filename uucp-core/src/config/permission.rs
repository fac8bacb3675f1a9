//! What a system may read, write and run: directory lists, command lists, forwarding.
//!
//! Taylor UUCP manual, *File Transfer Control* and *Miscellaneous sys File Commands*.

use std::path::{Component, Path, PathBuf};

use nix::unistd::User;

/// A list of directories, in the order written; the last that matches decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathRules {
    rules: Vec<PathRule>,
}

/// One word of a directory list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PathRule {
    allow: bool,
    directory: PathBuf,
}

impl PathRules {
    /// Reads the words of a directory list: `/usr/ftp !/usr/ftp/private ~`.
    #[must_use]
    pub fn new<W: AsRef<Path>>(words: impl IntoIterator<Item = W>) -> Self {
        use std::os::unix::ffi::OsStrExt;
        let rules = words.into_iter().map(|word| {
            let bytes = word.as_ref().as_os_str().as_bytes();
            let excluded = bytes.strip_prefix(b"!");
            PathRule {
                allow: excluded.is_none(),
                directory: std::ffi::OsStr::from_bytes(excluded.unwrap_or(bytes)).into(),
            }
        });
        Self {
            rules: rules.collect(),
        }
    }

    /// The words of the list.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let word = |rule: &PathRule| {
            let mark = if rule.allow { "" } else { "!" };
            format!("{mark}{}", rule.directory.display())
        };
        self.rules.iter().map(word).collect()
    }

    /// The directories in which something is permitted.
    pub(crate) fn permitted(&self, pubdir: &Path) -> Vec<PathBuf> {
        let allowed = self.rules.iter().filter(|rule| rule.allow);
        let directories = allowed.filter_map(|rule| expand_tilde(&rule.directory, pubdir));
        directories.filter(|path| path.is_absolute()).collect()
    }

    /// The directory, all links resolved, because of which a real path is permitted; nothing if it is not. What the rules name is
    /// found by its real name, too.
    pub(crate) fn granting(&self, real: &Path, pubdir: &Path) -> Option<PathBuf> {
        let rules = self.rules.iter().rev().filter_map(|rule| {
            let directory = expand_tilde(&rule.directory, pubdir)?;
            let directory = directory.is_absolute().then_some(directory)?;
            Some((rule.allow, directory.canonicalize().unwrap_or(directory)))
        });
        let (allow, directory) = rules
            .into_iter()
            .find(|(_, directory)| real.starts_with(directory))?;
        allow.then_some(directory)
    }

    /// Whether a path is permitted. Both paths are absolute. A path that still has `..` in it never is.
    ///
    /// This looks at names only; whoever opens the file must see to it that no symbolic link leads elsewhere.
    #[must_use]
    pub fn permits(&self, path: &Path, pubdir: &Path) -> bool {
        if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
            return false;
        }
        self.rules
            .iter()
            .rev()
            .find(|rule| rule.covers(path, pubdir))
            .is_some_and(|rule| rule.allow)
    }
}

impl PathRule {
    /// Whether the path is the directory or in it. A directory that is not absolute covers nothing.
    fn covers(&self, path: &Path, pubdir: &Path) -> bool {
        expand_tilde(&self.directory, pubdir)
            .is_some_and(|directory| directory.is_absolute() && path.starts_with(directory))
    }
}

/// A path with its `~`, `~/` or `~user/` replaced; `None` for a user that this machine does not know.
#[must_use]
pub fn expand_tilde(path: &Path, pubdir: &Path) -> Option<PathBuf> {
    let mut parts = path.components();
    let Some(Component::Normal(first)) = parts.next() else {
        return Some(path.to_owned());
    };
    let Some(user) = first.to_str().and_then(|first| first.strip_prefix('~')) else {
        return Some(path.to_owned());
    };
    let base = if user.is_empty() {
        pubdir.to_owned()
    } else {
        User::from_name(user).ok().flatten()?.dir
    };
    Some(base.join(parts.as_path()))
}

/// The commands that a system may have executed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandRules {
    /// Every command.
    All,
    /// These: names, or absolute paths whose last part is the name.
    Listed(Vec<String>),
}

/// A command that is permitted, and where to find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PermittedCommand<'a> {
    /// Along the command path.
    Search,
    /// This very file: the list names it by its path.
    At(&'a Path),
}

impl CommandRules {
    /// Whether a command, as it stands in the request, is permitted.
    #[must_use]
    pub fn permits(&self, name: &[u8]) -> bool {
        self.lookup(name).is_some()
    }

    /// As [`Self::permits`], and where the command is to be found.
    ///
    /// A listed path permits its last part as well as the whole path; a listed name permits just itself.
    #[must_use]
    pub fn lookup(&self, name: &[u8]) -> Option<PermittedCommand<'_>> {
        match self {
            Self::All => (!name.is_empty()).then_some(PermittedCommand::Search),
            Self::Listed(entries) => entries.iter().find_map(|entry| {
                let path = Path::new(entry);
                if !path.is_absolute() {
                    return (entry.as_bytes() == name).then_some(PermittedCommand::Search);
                }
                let base = path.file_name().map(std::ffi::OsStr::as_encoded_bytes);
                (entry.as_bytes() == name || base == Some(name))
                    .then_some(PermittedCommand::At(path))
            }),
        }
    }
}

/// The systems from or to which files may be forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardRules {
    /// Every system (`ANY`).
    Any,
    /// These; none if empty.
    Listed(Vec<String>),
}

impl ForwardRules {
    /// Whether forwarding from or to a system is permitted.
    #[must_use]
    pub fn permits(&self, system: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(systems) => systems.iter().any(|listed| listed == system),
        }
    }

    pub(super) fn new(words: Vec<String>) -> Self {
        if words.iter().any(|word| word == "ANY") {
            Self::Any
        } else {
            Self::Listed(words)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(list: &str, path: &str) -> bool {
        PathRules::new(list.split(' ')).permits(Path::new(path), Path::new("/pub"))
    }

    #[test]
    fn the_last_directory_that_matches_decides() {
        for (list, path, wanted) in [
            ("/", "/etc/passwd", true),
            ("~", "/pub/x", true),
            ("~", "/pub", true),
            ("~", "/public/x", false),
            ("~", "/etc/passwd", false),
            ("~/up", "/pub/up/x", true),
            ("~/up", "/pub/x", false),
            ("~ !~/up", "/pub/up/x", false),
            ("!~/up ~", "/pub/up/x", true),
            ("/usr/ftp !/usr/ftp/private ~", "/usr/ftp/private/x", false),
            ("/usr/ftp !/usr/ftp/private ~", "/usr/ftp/x", true),
            ("~ !/pub/a /pub/a/b", "/pub/a/b/c", true),
            ("", "/pub/x", false),
            ("pub", "/pub/x", false),
            ("~root", "/root/x", true),
            ("~no-such-user", "/pub/x", false),
        ] {
            assert_eq!(permits(list, path), wanted, "{list}: {path}");
        }
    }

    #[test]
    fn a_path_that_climbs_is_never_permitted() {
        for path in ["/pub/../etc/passwd", "/pub/..", "pub/x", ""] {
            assert!(!permits("/ ~", path), "{path}");
        }
    }

    #[test]
    fn commands_are_permitted_by_name_or_by_path() {
        let list = ["rmail", "/opt/bin/rnews"].map(str::to_owned).to_vec();
        let rules = CommandRules::Listed(list);
        assert_eq!(rules.lookup(b"rmail"), Some(PermittedCommand::Search));
        let at = Some(PermittedCommand::At(Path::new("/opt/bin/rnews")));
        assert_eq!(rules.lookup(b"rnews"), at);
        assert_eq!(rules.lookup(b"/opt/bin/rnews"), at);
        for bad in [
            &b"/bin/rmail"[..],
            b"RMAIL",
            b"",
            b"rmail;id",
            b"bin/rnews",
            b"/tmp/rnews",
        ] {
            assert!(!rules.permits(bad), "{}", bad.escape_ascii());
        }
        assert!(CommandRules::All.permits(b"id"));
        assert!(!CommandRules::All.permits(b""));
    }

    #[test]
    fn forwarding_is_to_the_listed_or_to_any() {
        let rules =
            |words: &[&str]| ForwardRules::new(words.iter().map(|w| (*w).to_owned()).collect());
        assert!(rules(&["ANY"]).permits("x"));
        assert!(rules(&["a", "x"]).permits("x"));
        assert!(!rules(&[]).permits("x"));
        assert!(!rules(&["any"]).permits("x"));
    }
}
