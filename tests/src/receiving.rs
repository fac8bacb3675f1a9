//! A hub that receives: our receivers into a real MTA, run by uuxqt and by nncp-toss.

use std::fs;
use std::path::Path;

use crate::Site;
use crate::correspondent::snippet;
use crate::letters::{Fate, Letter};
use crate::mail_host::{Day, MailHost, Mta};
use crate::maildir::add_receivers;
use crate::nncp::Nncp;
use crate::node::{Node, Reach, walk};
use crate::peers::Peers;
use crate::process::{self, Finished};
use crate::programs::{Side, bin};
use crate::queue::HandQueue;

/// What brings mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// An execute file, run by uuxqt.
    Uucp,
    /// A packet, run by nncp-toss.
    Nncp,
}

/// How it is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By SMTP to the MTA's port.
    Smtp,
    /// By the MTA's own `sendmail`.
    Command,
}

/// A hub whose programs run inside the MTA's host, and its neighbour leaf, by UUCP and by NNCP.
pub struct Scene<'m> {
    /// The node.
    pub hub: Node,
    mta: &'m dyn Mta,
    /// The MTA's host.
    pub host: MailHost,
    nncp_hub: Nncp,
    nncp_leaf: Nncp,
    _site: Site,
}

impl<'m> Scene<'m> {
    /// Starts the MTA, and introduces the neighbour.
    pub fn new(peers: &Peers, mta: &'m dyn Mta) -> Self {
        let site = Site::new("rmail");
        let hub = Node::new(&site, "hub", Side::Ours);
        hub.add_neighbour("leaf", "", &Reach::Never, "");
        add_receivers(&hub);
        let exec = nncp_exec(&hub);
        let [nncp_hub, nncp_leaf] = Nncp::pair(&site, peers, [("hub", &exec), ("leaf", "")]);
        let host = MailHost::start_seeing(&[nncp_hub.programs()], &site, peers, "hub", mta);
        Self {
            hub,
            mta,
            host,
            nncp_hub,
            nncp_leaf,
            _site: site,
        }
    }

    /// Configures how mail is handed over from now on.
    pub fn hand_over_by(&self, way: Way) {
        let delivery = match way {
            Way::Smtp => format!("smtp = \"127.0.0.1:{}\"", self.host.port()),
            Way::Command => "sendmail = \"/usr/sbin/sendmail\"".to_owned(),
        };
        let text = format!(
            "domain = \"hub.example\"\npostmaster = \"postmaster@home.example\"\n\n[delivery]\n{delivery}\n\n\
             [policy]\nreports-per-hour = 1000\n"
        );
        self.hub.write("etc/mail.toml", &text);
    }

    /// As [`Scene::run`], without entering the MTA's host, which need not run.
    pub fn run_outside(&self) {
        for _ in 0..3 {
            self.hub.run("uuxqt", &["--now"]).expect_success("uuxqt");
            self.nncp_hub.toss();
        }
    }

    fn uuxqt(&self) -> Finished {
        let mut command = self.host.host().node_command(&self.hub, "uuxqt");
        command.arg("--now");
        process::run(command, &self.hub.path("log"))
    }

    fn toss(&self) -> Finished {
        let host = self.host.host();
        let toss = self.nncp_hub.programs().join("nncp-toss");
        let mut command = host.command_as(Some(self.hub.owner()), &toss, &["-quiet", "-cfg"]);
        command.arg(self.nncp_hub.config());
        process::run(command, self.nncp_hub.folder())
    }

    /// Makes a request for rmail of each letter, come and not yet run.
    pub fn queue(&self, carrier: Carrier, letters: &[Letter]) {
        let mut queue = HandQueue::new(&self.hub, "leaf").after(self.hub.count("leaf/X."));
        for letter in letters {
            let recipients = &letter.message.recipients;
            let input = letter.with_from_line();
            match carrier {
                Carrier::Uucp => {
                    let command = format!("rmail {}", recipients.join(" "));
                    queue.received("leaf", &command, &input);
                }
                Carrier::Nncp => {
                    let mut words = vec!["rmail"];
                    words.extend(recipients.iter().map(String::as_str));
                    self.nncp_leaf.exec("hub", &words, &input);
                }
            }
        }
        if carrier == Carrier::Nncp {
            self.nncp_leaf.bring_to(&self.nncp_hub);
        }
    }

    /// Makes one request for rsmtp of all letters, a batch as Exim writes it.
    pub fn queue_batch(&self, carrier: Carrier, letters: &[Letter]) {
        let batch: Vec<u8> = letters.iter().flat_map(Letter::in_batch).collect();
        self.queue_text(carrier, &batch);
    }

    /// Makes one request for rsmtp of a batch.
    pub fn queue_text(&self, carrier: Carrier, batch: &[u8]) {
        match carrier {
            Carrier::Uucp => HandQueue::new(&self.hub, "leaf")
                .after(self.hub.count("leaf/X."))
                .received("leaf", "rsmtp", batch),
            Carrier::Nncp => {
                self.nncp_leaf.exec("hub", &["rsmtp"], batch);
                self.nncp_leaf.bring_to(&self.nncp_hub);
            }
        }
    }

    /// Has these inputs for rsmtp come, by either carrier, and be run three times each: as if how they ended had got lost every
    /// time.
    pub fn bring_three_times(&self, by_uucp: &[&[u8]], by_nncp: &[&[u8]]) {
        for input in by_nncp {
            self.nncp_leaf.exec("hub", &["rsmtp"], input);
        }
        if !by_nncp.is_empty() {
            self.nncp_leaf.bring_to(&self.nncp_hub);
        }
        let packets = self.nncp_hub.packets().into_iter();
        let packets: Vec<_> = packets
            .map(|path| (path.clone(), fs::read(&path).expect("a packet")))
            .collect();
        for _ in 0..3 {
            self.nncp_hub.put_back(&packets);
            let mut queue = HandQueue::new(&self.hub, "leaf");
            for input in by_uucp {
                queue.received("leaf", "rsmtp", input);
            }
            self.run_once();
        }
    }

    /// The inputs that uuxqt is to run again.
    pub fn inputs_that_stay(&self) -> Vec<Vec<u8>> {
        contents(&self.hub.spool().join("leaf/D."), "")
    }

    /// How many packets nncp-toss is to run again.
    pub fn packets_that_stay(&self) -> usize {
        self.nncp_hub.waiting()
    }

    /// What rsmtp has set aside and came by this carrier: whole inputs (`batch`), or messages (`eml`).
    pub fn set_aside(&self, carrier: Carrier, kind: &str) -> Vec<Vec<u8>> {
        let neighbour = match carrier {
            Carrier::Uucp => "leaf",
            Carrier::Nncp => self.nncp_leaf.id(),
        };
        contents(&self.hub.spool().join(".Mail/aside").join(neighbour), kind)
    }

    /// From now on no input is waited for.
    pub fn lose_patience(&self) {
        let text = process::lossy(&self.hub.path("etc/mail.toml"));
        let text = format!("{text}\n[execution]\nage-limit = 0\n");
        self.hub.write("etc/mail.toml", &text);
    }

    /// Offers the messages again that rsmtp keeps.
    pub fn retry(&self) {
        let mut command = self.hub.command_of(&bin("rsmtp"));
        command.args(["--retry", "--now"]);
        process::run(command, &self.hub.path("log")).expect_success("rsmtp --retry");
    }

    /// How many messages rsmtp keeps.
    pub fn kept(&self) -> usize {
        let mut count = 0;
        walk(&self.hub.spool().join(".Mail/kept"), &mut |_| count += 1);
        count
    }

    /// The MTA is killed.
    pub fn take_down(&mut self) {
        self.host.stop();
    }

    /// The MTA is started again.
    pub fn bring_up(&mut self, day: Day) {
        self.host.start_again(self.mta, day);
    }

    /// Runs what has come: uuxqt and nncp-toss, three times, since neither may do harm by coming again.
    pub fn run(&self) {
        for _ in 0..3 {
            self.run_once();
        }
    }

    /// Runs what has come.
    pub fn run_once(&self) {
        self.uuxqt().expect_success("uuxqt");
        self.toss();
    }

    /// Nothing is left to run.
    pub fn expect_done(&self) {
        assert_eq!(self.hub.leftovers(), Vec::<String>::new());
        assert_eq!(self.nncp_hub.waiting(), 0, "packets stay");
    }

    /// How many requests wait to be run again.
    pub fn waiting(&self) -> usize {
        self.hub.count("leaf/X.") + self.nncp_hub.waiting()
    }

    /// Waits until the MTA has delivered these, and what is due to be told about them.
    pub fn wait_for_deliveries(&self, letters: &[Letter]) {
        let files = |fate: &Fate| match fate {
            Fate::Silent | Fate::Aside => 0,
            Fate::Arrives | Fate::Refused | Fate::Either => 1,
            Fate::Confirmed => 2,
        };
        let fates = letters.iter().flat_map(|letter| &letter.fates);
        self.host.wait_for_deliveries(fates.map(files).sum());
    }
}

/// The contents of the files of a folder whose names end with `suffix`, sorted.
fn contents(folder: &Path, suffix: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    walk(folder, &mut |path| {
        if path.to_string_lossy().ends_with(suffix) {
            found.push(fs::read(path).expect("a file of the spool"));
        }
    });
    found.sort();
    found
}

/// What a neighbour may have executed, as `conf-snippets/nncp/nncp.hjson` says, with the commands of this node.
pub fn nncp_exec(node: &Node) -> String {
    let text = snippet("nncp/nncp.hjson");
    let start = text.find("      exec: {").expect("its exec");
    let length = text[start..].find("\n      }").expect("its end") + "\n      }".len();
    let bin = node.path("bin").display().to_string();
    text[start..start + length].replace("/usr/lib/bangpath", &bin)
}
