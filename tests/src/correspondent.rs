//! One end of a link that carries mail: a UUCP node, and a real MTA configured by the lines of `conf-snippets/` alone.
//!
//! In the snippets leaf sends to hub. For hub the two names are exchanged; for both, paths and ports are put right.

use std::path::PathBuf;
use std::process::Command;

use crate::Site;
use crate::letters::Letter;
use crate::mail_host::{Day, Exim, MailHost, Mta, OpenSmtpd, Postfix, Sendmail};
use crate::maildir::add_receivers;
use crate::node::{Node, walk};
use crate::peers::{Layer, Peers};
use crate::ports::free_port;
use crate::process;
use crate::programs;
use crate::smtp;

/// Which MTA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Postfix.
    Postfix,
    /// Exim.
    Exim,
    /// Sendmail.
    Sendmail,
    /// OpenSMTPD.
    OpenSmtpd,
}

impl Kind {
    /// The tree that it comes in.
    pub fn layer(self) -> Layer {
        match self {
            Self::Postfix => Layer::Postfix,
            Self::Exim => Layer::Exim,
            Self::Sendmail => Layer::Sendmail,
            Self::OpenSmtpd => Layer::OpenSmtpd,
        }
    }
}

/// One end.
pub struct Correspondent {
    /// Its UUCP system.
    pub node: Node,
    /// Its MTA.
    pub mail: MailHost,
    setup: Setup,
}

/// What its MTA is made from.
struct Setup {
    kind: Kind,
    exim_transport: String,
    /// The port for neighbours.
    listener: u16,
}

/// Where Exim leaves batches in files, in a node's folder.
const FILES: &str = "bsmtp";

/// The text of a file of `conf-snippets/`.
pub fn snippet(name: &str) -> String {
    let path = programs::workspace().join("conf-snippets").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Correspondent {
    /// Starts the MTA of `node`; Exim takes `exim_transport` of the snippet's, and mail.toml ends in `sending`.
    pub fn start(
        site: &Site,
        peers: &Peers,
        node: Node,
        (kind, exim_transport): (Kind, &str),
        sending: &str,
    ) -> Self {
        add_receivers(&node);
        let files = node.path(FILES);
        std::fs::create_dir_all(&files).expect("a folder for batches");
        node.owner().give(&files);
        let setup = Setup {
            kind,
            exim_transport: exim_transport.to_owned(),
            listener: free_port(),
        };
        for script in ["exim/exim-uucp", "opensmtpd/opensmtpd-uucp"] {
            let name = script.rsplit('/').next().unwrap_or(script);
            node.write_script(&format!("bin/{name}"), &setup.lines(&node, script));
        }
        let mail = setup.with_mta(&node, |mta| MailHost::start(site, peers, node.name(), mta));
        let listener = setup.listener;
        // Sendmail has no listener of its own for neighbours.
        let port = match kind {
            Kind::Sendmail => mail.port(),
            _ => listener,
        };
        let text = format!(
            "domain = \"{0}.example\"\npostmaster = \"postmaster@{0}.example\"\n\n\
             [delivery]\nsmtp = \"127.0.0.1:{port}\"\n\n[policy]\nreports-per-hour = 1000\n\n{sending}",
            node.name()
        );
        node.write("etc/mail.toml", &text);
        Self { node, mail, setup }
    }

    /// Kills the MTA with everything in its host; its queue stays.
    pub fn stop_mail(&mut self) {
        self.mail.stop();
    }

    /// Starts the MTA again, for a day of this kind.
    pub fn start_mail(&mut self, day: Day) {
        let mail = &mut self.mail;
        self.setup
            .with_mta(&self.node, |mta| mail.start_again(mta, day));
    }

    /// Hands letters to the MTA, and waits until it has passed all on.
    pub fn post(&self, letters: &[Letter]) {
        let messages: Vec<_> = letters
            .iter()
            .map(|letter| letter.message.clone())
            .collect();
        smtp::send_all(self.mail.port(), &messages, 4);
        self.settle();
    }

    /// Waits until the MTA has nothing in hand.
    pub fn settle(&self) {
        process::wait_for("the MTA's queue to be empty", process::PATIENCE, || {
            (self.mail.queued() == 0).then_some(())
        });
    }

    /// Exim's batches that are not collected, and whatever else is in their folder.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(&self.node.path(FILES), &mut |path| {
            found.push(path.to_owned());
        });
        found
    }

    /// The command that queues what Exim has left in files, for neighbours.
    pub fn collector(&self) -> Command {
        let mut command = self.node.command_of(&programs::bin("exim-bsmtp"));
        command.arg("--collect").arg(self.node.path(FILES));
        command
    }

    /// Runs the collector.
    pub fn collect(&self) {
        process::run(self.collector(), &self.node.path("log"))
            .expect_success("exim-bsmtp --collect");
    }

    /// Packs what waits in the outbox, for whatever carries it.
    pub fn flush(&self) {
        let mut command = self.node.command_of(&programs::bin("exim-bsmtp"));
        command.arg("--flush");
        process::run(command, &self.node.path("log")).expect_success("exim-bsmtp --flush");
    }

    /// Runs what came, and offers again what waits for the MTA, which need not run.
    pub fn run_what_came(&self) {
        self.node.run("uuxqt", &[]).expect_success("uuxqt");
        // What is kept is found by our uuxqt, and by nobody else's.
        let mut ours = self.node.command_of(&programs::bin("uuxqt"));
        ours.arg("--now");
        process::run(ours, &self.node.path("log")).expect_success("our uuxqt");
        let mut retry = self.node.command_of(&programs::bin("rsmtp"));
        retry.args(["--retry", "--now"]);
        process::run(retry, &self.node.path("log")).expect_success("rsmtp --retry");
    }

    /// As [`Self::run_what_came`], until the MTA has nothing in hand.
    pub fn execute(&self) {
        self.run_what_came();
        self.settle();
    }
}

impl Setup {
    fn lines(&self, node: &Node, name: &str) -> String {
        adapted(node, self.listener, &snippet(name))
    }

    /// Calls `act` with the MTA as the snippets configure it.
    fn with_mta<T>(&self, node: &Node, act: impl FnOnce(&dyn Mta) -> T) -> T {
        let lines = |name: &str| self.lines(node, name);
        match self.kind {
            Kind::Postfix => act(&Postfix {
                main: &lines("postfix/main.cf"),
                master: &lines("postfix/master.cf"),
                transport: &lines("postfix/transport"),
                ..Postfix::default()
            }),
            Kind::Exim => act(&Exim {
                main: &lines("exim/main"),
                acl: &lines("exim/acl"),
                routers: &lines("exim/routers").replace("uucp_pipe", &self.exim_transport),
                transports: &lines("exim/transports"),
                ..Exim::default()
            }),
            Kind::Sendmail => act(&Sendmail {
                mailers: &lines("sendmail/sendmail.mc"),
                mailertable: &lines("sendmail/mailertable"),
                ..Sendmail::default()
            }),
            Kind::OpenSmtpd => {
                let all = lines("opensmtpd/smtpd.conf");
                let (rules, actions): (Vec<&str>, Vec<&str>) =
                    all.lines().partition(|line| line.starts_with("match"));
                act(&OpenSmtpd {
                    actions: &actions.join("\n"),
                    rules: &rules.join("\n"),
                })
            }
        }
    }
}

/// The snippet as this node's administrator would have it.
fn adapted(node: &Node, listener: u16, text: &str) -> String {
    let text = if node.name() == "hub" {
        exchanged(text)
    } else {
        text.to_owned()
    };
    let config = node.config().display().to_string();
    let program = |text: String, name: &str| {
        let installed = format!("/usr/lib/bangpath/{name}");
        if !text.contains(&installed) {
            return text;
        }
        let here = programs::build().join(name).display().to_string();
        // Sendmail names the program and its words apart.
        text.replace(&format!("P={installed}"), &format!("P={here}"))
            .replace(&format!("A={name} "), &format!("A={name} -I {config} "))
            .replace(&installed, &format!("{here} -I {config}"))
    };
    let mut text = program(program(text, "postfix-uucp"), "exim-bsmtp");
    for script in ["exim-uucp", "opensmtpd-uucp"] {
        let here = node.path("bin").join(script).display().to_string();
        text = text.replace(&format!("/usr/lib/bangpath/{script}"), &here);
    }
    text.replace("/var/spool/bsmtp", &node.path(FILES).display().to_string())
        .replace("127.0.0.1:10026", &format!("127.0.0.1:{listener}"))
        .replace("10026", &listener.to_string())
        .replace("0.0.0.0.25", "127.0.0.1.{port}")
}

/// The snippet as hub would have it for leaf.
fn exchanged(text: &str) -> String {
    text.replace("leaf", "\u{1}")
        .replace("hub", "leaf")
        .replace('\u{1}', "hub")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hub_and_leaf_are_exchanged() {
        assert_eq!(exchanged("leaf.example uucp:hub"), "hub.example uucp:leaf");
    }
}
