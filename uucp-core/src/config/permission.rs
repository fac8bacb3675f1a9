//! What a system may read, write and run: directory lists, command lists, forwarding.

use std::path::Path;

/// A list of directories, in the order written; the last that matches decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathRules {
    rules: Vec<PathRule>,
}

/// One word of a directory list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PathRule {
    allow: bool,
    directory: String,
}

impl PathRules {
    /// Whether a path is permitted. Both paths are absolute; `path` must have no `..` left, or it is refused.
    #[must_use]
    pub fn permits(&self, _path: &Path, _pubdir: &Path) -> bool {
        let _ = self.rules.iter().map(|r| (r.allow, &r.directory));
        todo!()
    }
}

/// The commands that a system may have executed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandRules {
    /// Every command.
    All,
    /// These: names, or absolute paths whose last part is the name.
    Listed(Vec<String>),
}

impl CommandRules {
    /// Whether a command, as it stands in the request, is permitted.
    #[must_use]
    pub fn permits(&self, _name: &[u8]) -> bool {
        todo!()
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
    pub fn permits(&self, _system: &str) -> bool {
        todo!()
    }
}
