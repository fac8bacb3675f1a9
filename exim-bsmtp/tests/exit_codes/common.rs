//! A configured system called leaf with a neighbour called hub, and ways to look into its outbox.

use std::fs;
use std::io::Read;
use std::ops::Deref;
use std::process::{Command, Stdio};

use suite_tests::alone::{self, Home, Outcome};
use uucp_core::config::Config;
use uucp_core::outbox::Outbox;
use uucp_core::spool::Spool;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_exim-bsmtp");

pub(crate) const HEADER: &str = "Received: from root by leaf.lab with local (Exim 4.96)\n\tid 1xULd9-000064-31; Fri, 20 Nov 2026\n";

/// A message of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Queued {
    pub(crate) grade: char,
    pub(crate) sender: String,
    pub(crate) recipients: Vec<String>,
    pub(crate) content: Vec<u8>,
}

pub(crate) struct Site(Home);

impl Deref for Site {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.0
    }
}

/// One message as Exim's `use_bsmtp` writes it, with LF.
pub(crate) fn exim(sender: &str, recipients: &[&str], content: &str) -> Vec<u8> {
    let mut batch = format!("MAIL FROM:<{sender}>\n");
    for recipient in recipients {
        batch.push_str("RCPT TO:<");
        batch.push_str(recipient);
        batch.push_str(">\n");
    }
    batch.push_str("DATA\n");
    for line in content.split_inclusive('\n') {
        let dot = if line.starts_with('.') { "." } else { "" };
        batch.push_str(dot);
        batch.push_str(line);
    }
    batch.push_str(".\n");
    batch.into_bytes()
}

impl Site {
    pub(crate) fn new() -> Self {
        Self(Home::new("leaf", "time any\nsystem hub\nsystem other\n"))
    }

    /// The arguments of the recommended transport, and then these.
    pub(crate) fn arguments(&self, more: &[&str]) -> Vec<String> {
        let config = format!("--config={}/etc/config", self.root.display());
        let more = more.iter().map(ToString::to_string);
        std::iter::once(config).chain(more).collect()
    }

    /// Queues a batch for hub, with this id of Exim's.
    pub(crate) fn queue(&self, id: &str, batch: &[u8]) -> Outcome {
        self.run(&[&format!("--id={id}"), "hub"], batch)
    }

    pub(crate) fn run(&self, arguments: &[&str], batch: &[u8]) -> Outcome {
        self.run_in_shell("exec \"$@\" 2>&1", arguments, batch)
    }

    pub(crate) fn run_in_shell(&self, script: &str, arguments: &[&str], batch: &[u8]) -> Outcome {
        alone::run(self.command(script, arguments), batch)
    }

    /// The program in the environment that Exim's pipe transport gives it.
    pub(crate) fn command(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", script, "sh", PROGRAM])
            .args(self.arguments(arguments))
            .env_clear()
            .env("PATH", "/bin:/usr/bin")
            .env("MESSAGE_ID", "1xULd9-000064-31")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }

    /// What waits for a system, in order.
    pub(crate) fn outbox(&self, system: &str) -> Vec<Queued> {
        let config = Config::load(Some(&self.root.join("etc/config"))).unwrap();
        let spool = Spool::open(&config).unwrap();
        let outbox = Outbox::new(&spool, &system.parse().unwrap());
        let names = outbox.list().unwrap();
        let entries = names.iter().map(|name| {
            let mut entry = outbox.open(name).unwrap().unwrap();
            let mut content = Vec::new();
            entry.content.read_to_end(&mut content).unwrap();
            let transaction = entry.head.transaction;
            let recipients = transaction.recipients.iter();
            Queued {
                grade: name.grade().to_string().chars().next().unwrap(),
                sender: transaction.sender.to_string(),
                recipients: recipients.map(|r| r.address.to_string()).collect(),
                content,
            }
        });
        entries.collect()
    }

    /// All recipients of all messages for hub, sorted.
    pub(crate) fn recipients(&self) -> Vec<String> {
        let queued = self.outbox("hub");
        let mut all: Vec<String> = queued.into_iter().flat_map(|q| q.recipients).collect();
        all.sort();
        all
    }

    /// The jobs for a system: command and data.
    pub(crate) fn jobs(&self, system: &str) -> Vec<(String, Vec<u8>)> {
        let folder = self.root.join("spool").join(system);
        let Ok(entries) = fs::read_dir(folder.join("C.")) else {
            return Vec::new();
        };
        let jobs = entries.map(|entry| {
            let line = fs::read_to_string(entry.unwrap().path()).unwrap();
            assert_eq!(line.lines().count(), 1, "{line}");
            let data = fs::read(folder.join("D.").join(line.split(' ').nth(1).unwrap()));
            let command = line.trim_end().rsplit(' ').next().unwrap().to_owned();
            (command, data.unwrap())
        });
        jobs.collect()
    }
}
