//! A host with a real MTA, whichever: [`Postfix`], [`Exim`], [`Sendmail`] or [`OpenSmtpd`].
//!
//! All do the same for a scenario. They take mail from anybody on this machine, on one port. Every mailbox of `NAME.example`
//! and of `home.example` is theirs, but `unknown@` is refused for good and `later@` until a [`Day::Generous`]; where else mail
//! goes is the scenario's word. What was delivered is read back with its envelope.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Site;
use crate::host::{Host, Plan, Sign};
use crate::node::walk;
use crate::peers::{self, Layer, Peers};
use crate::ports::free_port;
use crate::process;
use crate::programs;

mod exim;
mod opensmtpd;
mod postfix;
mod sendmail;

pub use exim::Exim;
pub use opensmtpd::OpenSmtpd;
pub use postfix::{Postfix, Postfix as Setup};
pub use sendmail::Sendmail;

/// What an MTA needs to be one of these hosts.
pub trait Mta {
    /// The tree that it comes in.
    fn layer(&self) -> Layer;

    /// Writes its configuration.
    fn configure(&self, host: &Host, circumstances: &Circumstances<'_>);

    /// Shell commands that put right what maintainer scripts would have.
    fn prepare(&self) -> &'static str;

    /// Shell commands that end in the server, in the foreground.
    fn serve(&self) -> &'static str;

    /// Folders of the machine that are seen under the same path, beside the scenario's own.
    fn binds(&self) -> &[&Path] {
        &[]
    }

    /// Header field in which a mailbox's file names the recipient; the sender is always in `Return-Path`.
    fn recipient_field(&self) -> &'static str;

    /// Its log, under `/var/log`.
    fn log(&self) -> &'static str;

    /// A shell command that prints how many messages wait in its queues.
    fn queued(&self) -> &'static str;
}

/// What the configuration depends on beside the MTA's own settings.
#[derive(Debug)]
pub struct Circumstances<'a> {
    /// The host's name.
    pub name: &'a str,
    /// The domains whose mailboxes it has.
    pub domains: &'a [String],
    /// The port that takes mail from this machine.
    pub port: u16,
    /// The tree of its layer.
    pub tree: &'a Path,
    /// What kind of day it has.
    pub day: Day,
}

/// What kind of day an MTA has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// It takes mail, but not for `later@`.
    Usual,
    /// It has no room for more mail.
    Full,
    /// It takes mail, even for `later@`.
    Generous,
    /// It does not run; its commands are there.
    Down,
}

/// A host with an MTA that runs.
pub struct MailHost {
    name: String,
    port: u16,
    host: Host,
    /// Folders that it sees: the scenario's, our programs', and what was asked for.
    binds: Vec<PathBuf>,
    facts: Facts,
}

/// What is asked of the MTA while it runs.
struct Facts {
    recipient_field: &'static str,
    log: &'static str,
    queued: &'static str,
}

/// A message that was delivered to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The reverse path; empty for the null sender.
    pub sender: String,
    /// The recipient that the MTA was given.
    pub recipient: String,
    /// The whole file.
    pub content: Vec<u8>,
}

impl Arrival {
    /// The value of a header field.
    pub fn field(&self, name: &str) -> Option<String> {
        field(&self.content, name)
    }

    /// What follows the header.
    pub fn body(&self) -> &[u8] {
        let end = self.content.windows(2).position(|pair| pair == b"\n\n");
        end.map_or(&[], |end| &self.content[end + 2..])
    }
}

impl MailHost {
    /// Starts an MTA that takes every mailbox of `NAME.example` and `home.example`.
    pub fn start(site: &Site, peers: &Peers, name: &str, mta: &dyn Mta) -> Self {
        Self::start_seeing(&[], site, peers, name, mta)
    }

    /// As [`MailHost::start`]; the host sees these folders of the machine as well.
    pub fn start_seeing(
        folders: &[&Path],
        site: &Site,
        peers: &Peers,
        name: &str,
        mta: &dyn Mta,
    ) -> Self {
        Self::start_first_on(free_port(), folders, site, peers, name, mta)
    }

    /// As [`MailHost::start_seeing`], and this port is the first to be tried.
    pub fn start_first_on(
        port: u16,
        folders: &[&Path],
        site: &Site,
        peers: &Peers,
        name: &str,
        mta: &dyn Mta,
    ) -> Self {
        const TRIES: usize = 10;
        let mut binds = vec![site.path().to_owned(), programs::build().to_owned()];
        binds.extend(folders.iter().map(|folder| (*folder).to_owned()));
        let mut host = Self {
            name: name.to_owned(),
            port,
            host: Host::new(site, &format!("{name}-mail")),
            binds,
            facts: Facts {
                recipient_field: mta.recipient_field(),
                log: mta.log(),
                queued: mta.queued(),
            },
        };
        for _ in 0..TRIES {
            if host.try_start(peers, mta, Day::Usual) {
                return host;
            }
            println!("{name}: somebody else has port {}", host.port);
            host.port = free_port();
        }
        panic!("no port for the MTA of {name}");
    }

    /// Starts it again after [`MailHost::stop`], on the same port.
    pub fn start_again(&mut self, mta: &dyn Mta, day: Day) {
        let peers = peers::peers().expect("the peers");
        let is_up = self.try_start(peers, mta, day);
        assert!(is_up, "somebody has taken port {}", self.port);
    }

    /// Whether it is up; if not, somebody else has taken its port meanwhile.
    fn try_start(&mut self, peers: &Peers, mta: &dyn Mta, day: Day) -> bool {
        const PREPARED: &str = "prepared";
        let tree = peers.layer(mta.layer()).expect("the MTA's packages");
        let name = &self.name;
        let domains = [
            format!("{name}.example"),
            format!("mail.{name}.example"),
            "home.example".to_owned(),
        ];
        let circumstances = Circumstances {
            name,
            domains: &domains,
            port: self.port,
            tree: &tree,
            day,
        };
        mta.configure(&self.host, &circumstances);
        let own = self.binds.iter().map(PathBuf::as_path);
        let binds: Vec<&Path> = own.chain(mta.binds().iter().copied()).collect();
        let (serve, sign) = if day == Day::Down {
            (
                format!(": >/var/log/{PREPARED}; exec sleep infinity"),
                Sign::Makes(PREPARED),
            )
        } else {
            (mta.serve().to_owned(), Sign::Listens(self.port))
        };
        let plan = Plan {
            trees: &[&tree, peers.base()],
            start: &format!("{}\n{serve}", mta.prepare()),
            binds: &binds,
            sign,
        };
        self.host.start(&plan)
    }

    /// Kills it with everything in it; its queue stays.
    pub fn stop(&mut self) {
        self.host.stop();
    }

    /// The port that takes mail from anybody on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host that it runs in.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// A command that runs inside, as root.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        self.host.command(Path::new(program), arguments)
    }

    /// Its log.
    pub fn log(&self) -> String {
        process::lossy(&self.host.folder().join("log").join(self.facts.log))
    }

    /// Every file in its mailboxes, one per message and recipient.
    pub fn delivered(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(&self.host.folder().join("mail"), &mut |path| {
            if path.parent().is_some_and(|folder| folder.ends_with("new")) {
                found.push(path.to_owned());
            }
        });
        found
    }

    /// What was delivered, with its envelopes.
    pub fn arrivals(&self) -> Vec<Arrival> {
        let read = |path: &PathBuf| {
            let content = std::fs::read(path).expect("a message");
            let address = |name| field(&content, name).map(|text| bare(&text).to_owned());
            Arrival {
                // OpenSMTPD writes none for the null sender.
                sender: address("Return-Path").unwrap_or_default(),
                recipient: address(self.facts.recipient_field).expect("a recipient"),
                content,
            }
        };
        self.delivered().iter().map(read).collect()
    }

    /// How many messages wait in its queues.
    pub fn queued(&self) -> usize {
        let command = self.command("/bin/sh", &["-c", self.facts.queued]);
        let finished = process::run(command, self.host.folder());
        let count = finished.output.trim().parse();
        count.unwrap_or_else(|_| panic!("the queue of {}: {}", self.name, finished.output))
    }

    /// Waits until nothing is on its way inside: `count` files in the mailboxes, and an empty queue.
    pub fn wait_for_deliveries(&self, count: usize) {
        process::wait_for("the MTA to deliver", process::PATIENCE, || {
            (self.delivered().len() >= count && self.queued() == 0).then_some(())
        });
    }
}

impl Drop for MailHost {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            println!("---- mail host {} (its last lines)", self.name);
            println!("{}", lines[lines.len().saturating_sub(40)..].join("\n"));
            println!("{}", self.host.printed());
        }
    }
}

/// The first field of this name in the header, unfolded.
fn field(content: &[u8], name: &str) -> Option<String> {
    let mut found: Option<String> = None;
    for line in content.split(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        match &mut found {
            Some(value) if text.starts_with([' ', '\t']) => value.push_str(&text),
            Some(_) => break,
            None if line.is_empty() => break,
            None => {
                found = text
                    .split_once(':')
                    .filter(|(field, _)| field.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.trim_start().to_owned());
            }
        }
    }
    found
}

/// An address without the angle brackets around it.
fn bare(text: &str) -> &str {
    text.strip_prefix('<')
        .and_then(|inner| inner.strip_suffix('>'))
        .unwrap_or(text)
}
