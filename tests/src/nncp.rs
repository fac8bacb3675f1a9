//! NNCP nodes: real programs of NNCP, and packets that go from one node to the other through a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Site;
use crate::node::walk;
use crate::peers::{Layer, Peers};
use crate::process::{self, Finished, Owner};
use crate::programs;

/// One node; it has one neighbour.
#[derive(Debug)]
pub struct Nncp {
    folder: PathBuf,
    programs: PathBuf,
    id: String,
    owner: Owner,
}

/// What `nncp-cfgnew` made for a node.
struct Keys {
    block: String,
    text: String,
}

impl Keys {
    fn value(&self, key: &str) -> &str {
        let line = self
            .text
            .lines()
            .find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {key} in:\n{}", self.text))
    }

    /// What a neighbour may know, and what it may have executed.
    fn public(&self, exec: &str) -> String {
        let mut text = String::new();
        for key in ["id", "exchpub", "signpub", "noisepub"] {
            text += &["      ", key, ": ", self.value(key), "\n"].concat();
        }
        text + exec
    }
}

impl Nncp {
    /// Two nodes that know each other. Each with its name, and with what the other may have executed there: an `exec: {...}`
    /// as it stands in the configuration.
    pub fn pair(site: &Site, peers: &Peers, nodes: [(&str, &str); 2]) -> [Self; 2] {
        let tree = peers.layer(Layer::Nncp).expect("NNCP's packages");
        let programs = programs::reachable(&tree.join("usr/bin"), "nncp");
        let made = nodes.map(|(name, _)| Self::make(site, name, &programs));
        let [(one, keys_of_one), (two, keys_of_two)] = made;
        let [(name_of_one, exec_at_one), (name_of_two, exec_at_two)] = nodes;
        one.configure(&keys_of_one, name_of_two, &keys_of_two.public(exec_at_one));
        two.configure(&keys_of_two, name_of_one, &keys_of_one.public(exec_at_two));
        [one, two]
    }

    fn make(site: &Site, name: &str, programs: &Path) -> (Self, Keys) {
        let folder = site.path().join(format!("{name}-nncp"));
        let owner = Owner::fitting();
        for part in ["", "spool"] {
            fs::create_dir_all(folder.join(part)).expect("a folder of NNCP");
            crate::open_to_all(&folder.join(part));
            owner.give(&folder.join(part));
        }
        let mut command = process::command_as(owner, &programs.join("nncp-cfgnew"));
        command.arg("-nocomments");
        let finished = process::run(command, &folder);
        finished.expect_success("nncp-cfgnew");
        let text = finished.output;
        let start = text.find("self: {").expect("its own keys");
        let end = start + text[start..].find("  }\n").expect("their end") + 4;
        let keys = Keys {
            block: text[start..end].to_owned(),
            text,
        };
        let node = Self {
            programs: programs.to_owned(),
            id: keys.value("id").to_owned(),
            folder,
            owner,
        };
        (node, keys)
    }

    fn configure(&self, keys: &Keys, neighbour: &str, about: &str) {
        let spool = self.folder.join("spool").display().to_string();
        let text = format!(
            "{{\n  spool: {spool}\n  log: {spool}/log\n  {}  neigh: {{\n    self: {{\n{}    }}\n    {neighbour}: {{\n{about}\n    }}\n  }}\n}}\n",
            keys.block,
            keys.public(""),
        );
        fs::write(self.config(), text).expect("nncp.hjson");
        self.owner.give(&self.config());
    }

    /// Its id, by which its neighbour's programs know it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where NNCP's programs are.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.join("nncp.hjson")
    }

    /// A command with one of NNCP's programs and this node's configuration.
    pub fn command(&self, program: &str) -> Command {
        let mut command = process::command_as(self.owner, &self.programs.join(program));
        command.arg("-cfg").arg(self.config());
        command
    }

    /// A script that is this node's `nncp-exec`.
    pub fn exec_script(&self) -> String {
        let (program, config) = (self.programs.join("nncp-exec"), self.config());
        let (program, config) = (program.display(), config.display());
        format!("#!/bin/sh\nexec '{program}' -cfg '{config}' \"$@\"\n")
    }

    /// Queues an execution at the neighbour.
    pub fn exec(&self, neighbour: &str, words: &[&str], input: &[u8]) {
        let mut command = self.command("nncp-exec");
        command.args(["-quiet", neighbour]).args(words);
        process::run_with_input(command, input, &self.folder).expect_success("nncp-exec");
    }

    /// Brings what is queued here to the other node.
    pub fn bring_to(&self, other: &Self) {
        let way = self.folder.join("way");
        fs::create_dir_all(&way).expect("a folder on the way");
        self.owner.give(&way);
        for (node, direction) in [(self, "-tx"), (other, "-rx")] {
            let mut command = node.command("nncp-xfer");
            command.args(["-quiet", "-mkdir", direction]).arg(&way);
            process::run(command, &self.folder).expect_success("nncp-xfer");
        }
    }

    /// Executes what has come; its status is not 0 when something stays.
    pub fn toss(&self) -> Finished {
        let mut command = self.command("nncp-toss");
        command.arg("-quiet");
        process::run(command, &self.folder)
    }

    /// How many packets have come and are not done.
    pub fn waiting(&self) -> usize {
        self.packets().len()
    }

    /// The packets that have come and are not done: their files.
    pub fn packets(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(&self.folder.join("spool"), &mut |path| {
            let folder = path.parent().unwrap_or(path);
            let is_packet =
                path.extension().is_none() && path.file_name().is_some_and(|name| name.len() == 52);
            if folder.ends_with("rx") && is_packet {
                found.push(path.to_owned());
            }
        });
        found
    }

    /// Has these packets come once more, as if it had not been seen how they ended.
    pub fn put_back(&self, packets: &[(PathBuf, Vec<u8>)]) {
        for (path, bytes) in packets.iter().filter(|(path, _)| !path.exists()) {
            fs::write(path, bytes).expect("a packet");
            self.owner.give(path);
        }
    }
}
