//! Mailboxes of a node that has no MTA: our `rmail`, delivering into Maildirs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::node::{Node, walk};
use crate::programs::bin;

/// The Maildirs under one folder.
#[derive(Debug)]
pub struct Mailboxes {
    folder: PathBuf,
}

impl Mailboxes {
    /// Sets `node` to deliver into a Maildir per user of `domain`; [`add_rmail`] gives it the command.
    pub fn new(node: &Node, domain: &str) -> Self {
        let folder = node.path("mail");
        fs::create_dir_all(&folder).expect("a folder for mail");
        node.owner().give(&folder);
        node.write(
            "etc/mail.toml",
            &format!(
                "# How mail that comes from neighbours is delivered.\ndomain = \"{domain}\"\n\n\
                 [delivery]\nmethod = \"maildir\"\nmaildir = \"{}/%u\"\n",
                folder.display()
            ),
        );
        Self { folder }
    }

    /// Where they lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files of all messages that were delivered.
    pub fn messages(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(&self.folder, &mut |path| {
            if path.parent().is_some_and(|folder| folder.ends_with("new")) {
                found.push(path.to_owned());
            }
        });
        found.sort();
        found
    }
}

/// Puts the command `rmail` where the node's `uuxqt` finds it: ours, with the node's configuration.
pub fn add_rmail(node: &Node) {
    add_command(node, "rmail");
}

/// Puts every command there that receives mail.
pub fn add_receivers(node: &Node) {
    add_rmail(node);
    add_command(node, "rsmtp");
}

/// It is a script for the sake of nodes with the peer's `uuxqt`, which does not name the configuration as ours does, and of
/// NNCP, which names none.
fn add_command(node: &Node, name: &str) {
    let text = format!(
        "#!/bin/sh\nBANGPATH_CONFIG='{}' exec '{}' \"$@\"\n",
        node.config().display(),
        bin(name).display()
    );
    node.write_script(&format!("bin/{name}"), &text);
}
