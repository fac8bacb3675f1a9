//! Where everything lies: Taylor's layout (`SPOOLDIR_TAYLOR`), and our dot-folder beside it.

use std::path::PathBuf;

use super::Spool;
use crate::name::{SpoolKind, SpoolName, SystemName};

/// Our own folder in the spool. Taylor's programs pass over names that begin with a dot.
pub(super) const DOT_FOLDER: &str = ".Bangpath";

impl Spool {
    /// The folder of a system.
    pub(super) fn system_folder(&self, system: &SystemName) -> PathBuf {
        self.paths.root.join(system.as_str())
    }

    /// The folder of a system's work files.
    pub(super) fn work_folder(&self, system: &SystemName) -> PathBuf {
        self.system_folder(system).join("C.")
    }

    /// The folder of a system's execute files.
    pub(super) fn execute_folder(&self, system: &SystemName) -> PathBuf {
        self.system_folder(system).join("X.")
    }

    /// The path of a spool file of a system. `D.X...` are data files that become execute files at the peer.
    #[must_use]
    pub fn data_path(&self, system: &SystemName, name: &SpoolName) -> PathBuf {
        let folder = match name.kind() {
            SpoolKind::Work => "C.",
            SpoolKind::Execute => "X.",
            SpoolKind::Data if name.as_str().starts_with("D.X") => "D.X",
            SpoolKind::Data => "D.",
        };
        self.system_folder(system).join(folder).join(name.as_str())
    }

    /// A folder of our own.
    pub(super) fn own_folder(&self, name: &str) -> PathBuf {
        self.paths.root.join(DOT_FOLDER).join(name)
    }

    /// Where files are made before they get their names.
    pub(super) fn new_folder(&self) -> PathBuf {
        self.own_folder("new")
    }

    /// A fresh path in [`Spool::new_folder`].
    pub(super) fn new_path(&self) -> PathBuf {
        self.new_folder().join(super::names::unique())
    }

    /// One of Taylor's folders for files that need a person's eye: `.Preserve`, `.Corrupt`, `.Failed/SYSTEM/X.`.
    pub(super) fn taylor_folder(&self, name: &str) -> PathBuf {
        self.paths.root.join(name)
    }
}
