//! rmail into each real MTA, by SMTP and by its `sendmail`, run by uuxqt and by nncp-toss: every letter once, with its exact
//! envelope; who cannot have it is reported once; an MTA that is down or full delays mail and nothing else.
//!
//! ```text
//! an execute file ─ uuxqt ─────────┐
//!                                  ├─ rmail ─ SMTP, or sendmail -i -f ─ Postfix, Exim, Sendmail, OpenSMTPD
//! a packet of NNCP ─ nncp-toss x 3 ┘
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use suite_tests::correspondent::snippet;
use suite_tests::letters::{self, FROM_HOME, Fate, Letter, judge};
use suite_tests::mail_host::{Exim, MailHost, Mta, OpenSmtpd, Postfix, Sendmail};
use suite_tests::maildir::add_rmail;
use suite_tests::nncp::Nncp;
use suite_tests::node::{Node, Reach};
use suite_tests::peers::{Layer, Peers};
use suite_tests::process::{self, Finished};
use suite_tests::programs::Side;
use suite_tests::queue::HandQueue;
use suite_tests::{Site, peers_with_or_skip};

/// NNCP's handle and arguments have 255 bytes in all.
const MOST_RECIPIENTS_OVER_NNCP: usize = 5;

/// What brings mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Uucp,
    Nncp,
}

/// How rmail hands it over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Smtp,
    Command,
}

/// A hub whose programs run inside the MTA's host, and its neighbour leaf, by UUCP and by NNCP.
struct Scene<'m> {
    hub: Node,
    mta: &'m dyn Mta,
    host: MailHost,
    nncp_hub: Nncp,
    nncp_leaf: Nncp,
    _site: Site,
}

impl<'m> Scene<'m> {
    fn new(peers: &Peers, mta: &'m dyn Mta) -> Self {
        let site = Site::new("rmail");
        let hub = Node::new(&site, "hub", Side::Ours);
        hub.add_neighbour("leaf", "", &Reach::Never, "");
        add_rmail(&hub);
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

    fn hand_over_by(&self, way: Way) {
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
    fn run_outside(&self) {
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

    fn queue(&self, carrier: Carrier, letters: &[Letter]) {
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

    /// Runs what has come: uuxqt and nncp-toss, three times, since neither may do harm by coming again.
    fn run(&self) {
        for _ in 0..3 {
            self.uuxqt().expect_success("uuxqt");
            self.toss();
        }
    }

    fn expect_done(&self) {
        assert_eq!(self.hub.leftovers(), Vec::<String>::new());
        assert_eq!(self.nncp_hub.waiting(), 0, "packets stay");
    }

    fn waiting(&self) -> usize {
        self.hub.count("leaf/X.") + self.nncp_hub.waiting()
    }

    fn wait_for_deliveries(&self, letters: &[Letter]) {
        let recipients = letters.iter().flat_map(|letter| &letter.fates);
        let expected = recipients.filter(|fate| **fate != Fate::Silent).count();
        self.host.wait_for_deliveries(expected);
    }
}

/// What leaf may have executed, as `conf-snippets/nncp/nncp.hjson` says, with the commands of this node.
fn nncp_exec(hub: &Node) -> String {
    let text = snippet("nncp/nncp.hjson");
    let start = text.find("      exec: {").expect("its exec");
    let length = text[start..].find("\n      }").expect("its end") + "\n      }".len();
    let bin = hub.path("bin").display().to_string();
    text[start..start + length].replace("/usr/lib/bangpath", &bin)
}

/// Those that NNCP can carry at all.
fn for_nncp(letters: Vec<Letter>) -> Vec<Letter> {
    let fits = |letter: &Letter| letter.fates.len() <= MOST_RECIPIENTS_OVER_NNCP;
    letters.into_iter().filter(fits).collect()
}

fn every_letter_once(test: &str, mta: &dyn Mta) {
    let Some(peers) = peers_with_or_skip(test, &[mta.layer(), Layer::Nncp]) else {
        return;
    };
    let scene = Scene::new(peers, mta);
    let mut all = Vec::new();
    for way in [Way::Smtp, Way::Command] {
        scene.hand_over_by(way);
        let by_uucp = letters::of_every_kind(&format!("{way:?}-uucp"), FROM_HOME);
        let by_nncp = for_nncp(letters::of_every_kind(&format!("{way:?}-nncp"), FROM_HOME));
        scene.queue(Carrier::Uucp, &by_uucp);
        scene.queue(Carrier::Nncp, &by_nncp);
        scene.run();
        scene.expect_done();
        all.extend(by_uucp);
        all.extend(by_nncp);
    }
    scene.wait_for_deliveries(&all);
    judge(&all, &scene.host.arrivals()).expect_good(test);
}

/// Down, full, and up again; and all the time one recipient who shall come again.
fn bad_days(test: &str, mta: &dyn Mta) {
    let Some(peers) = peers_with_or_skip(test, &[mta.layer(), Layer::Nncp]) else {
        return;
    };
    let mut scene = Scene::new(peers, mta);
    scene.hand_over_by(Way::Smtp);
    let mut letters = Vec::new();
    for carrier in [Carrier::Uucp, Carrier::Nncp] {
        let recipients = [
            ("bob", Fate::Arrives),
            ("later", Fate::Silent),
            ("carl", Fate::Arrives),
        ];
        let letter = Letter::new(
            &format!("later-{carrier:?}"),
            FROM_HOME,
            "ann",
            &recipients,
            b"patience\n",
        );
        scene.queue(carrier, std::slice::from_ref(&letter));
        letters.push(letter);
    }
    scene.run_outside();
    assert_eq!(scene.waiting(), 2, "who shall come again waits");
    scene.wait_for_deliveries(&letters);
    judge(&letters, &scene.host.arrivals()).expect_good("one of three later");
    scene.host.stop();
    for carrier in [Carrier::Uucp, Carrier::Nncp] {
        let some = for_nncp(letters::of_every_kind(
            &format!("down-{carrier:?}"),
            FROM_HOME,
        ));
        // An MTA that is full may still know whom it does not know.
        let is_plain = |letter: &Letter| letter.fates.iter().all(|fate| *fate == Fate::Arrives);
        let some: Vec<Letter> = some.into_iter().filter(is_plain).take(6).collect();
        scene.queue(carrier, &some);
        letters.extend(some);
    }
    scene.run_outside();
    assert_eq!(
        scene.waiting(),
        letters.len(),
        "all wait for an MTA that is down"
    );
    scene.host.start_again(scene.mta, true);
    scene.run_outside();
    assert_eq!(
        scene.waiting(),
        letters.len(),
        "all wait for an MTA that is full"
    );
    scene.host.stop();
    scene.host.start_again(scene.mta, false);
    scene.run_outside();
    assert_eq!(scene.waiting(), 2, "only who shall come again waits");
    scene.wait_for_deliveries(&letters);
    judge(&letters, &scene.host.arrivals()).expect_good(test);
}

#[test]
fn postfix_has_bad_days() {
    bad_days("rmail: Postfix's bad days", &Postfix::default());
}

#[test]
fn exim_has_bad_days() {
    bad_days("rmail: Exim's bad days", &Exim::default());
}

#[test]
fn sendmail_has_bad_days() {
    bad_days("rmail: Sendmail's bad days", &Sendmail::default());
}

#[test]
fn opensmtpd_has_bad_days() {
    bad_days("rmail: OpenSMTPD's bad days", &OpenSmtpd::default());
}

#[test]
fn every_letter_once_into_postfix() {
    every_letter_once("rmail: Postfix", &Postfix::default());
}

#[test]
fn every_letter_once_into_exim() {
    every_letter_once(
        "rmail: Exim",
        &Exim {
            main: "trusted_users = uucp\n",
            ..Exim::default()
        },
    );
}

#[test]
fn every_letter_once_into_sendmail() {
    every_letter_once("rmail: Sendmail", &Sendmail::default());
}

#[test]
fn every_letter_once_into_opensmtpd() {
    every_letter_once("rmail: OpenSMTPD", &OpenSmtpd::default());
}
