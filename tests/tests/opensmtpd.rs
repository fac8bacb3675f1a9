//! Mail for an OpenSMTPD that does not run, by its command: that stores it for the next start, and exits with 75 as if it had not.
//! What it has stored is not offered again, what it could not store is, and every letter arrives once.
//!
//! ```text
//! uuxqt, nncp-toss x 3 ─ rmail, rsmtp ─ sendmail -i -f ─ /var/spool/smtpd/offline ─ smtpd, when it runs ─ its mailboxes
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use suite_tests::letters::{FROM_HOME, Fate, Letter, judge};
use suite_tests::mail_host::{Day, OpenSmtpd};
use suite_tests::peers::Layer;
use suite_tests::receiving::{Carrier, Scene, Way};
use suite_tests::{peers_with_or_skip, process};

const OPENSMTPD: OpenSmtpd<'static> = OpenSmtpd {
    actions: "",
    rules: "",
};

/// What looks like the end of a message, a separator of mailboxes, or a line that is cut.
const BODY: &[u8] = b"\n.\n..\nFrom ann\n\xe4\xf6\n.end\n";

/// A hub whose OpenSMTPD is installed, and does not run.
fn hub_that_is_down(test: &str) -> Option<Scene<'static>> {
    let peers = peers_with_or_skip(test, &[Layer::OpenSmtpd, Layer::Nncp])?;
    let mut scene = Scene::new(peers, &OPENSMTPD);
    scene.hand_over_by(Way::Command);
    scene.take_down();
    scene.bring_up(Day::Down);
    Some(scene)
}

/// Two letters of somebody and of nobody, for rmail and for rsmtp by each carrier.
fn queue(scene: &Scene<'_>, recipients: &[(&str, Fate)]) -> Vec<Letter> {
    let mut all = Vec::new();
    for carrier in [Carrier::Uucp, Carrier::Nncp] {
        for program in ["rmail", "rsmtp"] {
            let letters = ["ann", ""].map(|sender| {
                let number = format!("{carrier:?}-{program}-{}-{sender}", recipients.len());
                Letter::new(&number, FROM_HOME, sender, recipients, BODY)
            });
            match program {
                "rmail" => scene.queue(carrier, &letters),
                _ => scene.queue_batch(carrier, &letters),
            }
            all.extend(letters);
        }
    }
    all
}

/// Runs a shell command inside, and gives what it printed.
fn inside(scene: &Scene<'_>, line: &str) -> String {
    let command = scene.host.command("/bin/sh", &["-c", line]);
    let finished = process::run(command, scene.hub.folder());
    finished.expect_success(line);
    finished.output.trim().to_owned()
}

/// How many messages its command has stored. What it could not store leaves a line without recipients.
fn stored(scene: &Scene<'_>) -> usize {
    let count = inside(scene, "grep -rlF '|--|' /var/spool/smtpd/offline | wc -l");
    count.parse().unwrap()
}

fn start_smtpd(scene: &mut Scene<'_>) {
    scene.take_down();
    scene.bring_up(Day::Usual);
}

/// Offers what rsmtp keeps.
fn retry(scene: &Scene<'_>) {
    let mut command = scene.host.host().node_command(&scene.hub, "rsmtp");
    command.args(["--retry", "--now"]);
    process::run(command, scene.hub.folder()).expect_success("rsmtp --retry");
}

fn every_letter_arrives_once(scene: &Scene<'_>, letters: &[Letter], test: &str) {
    scene.expect_done();
    assert_eq!(scene.kept(), 0, "kept");
    scene.wait_for_deliveries(letters);
    assert_eq!(stored(scene), 0, "still not with smtpd");
    judge(letters, &scene.host.arrivals()).expect_good(test);
}

#[test]
fn what_its_command_has_stored_is_handed_over() {
    let test = "OpenSMTPD is down: its command stores mail";
    let Some(mut scene) = hub_that_is_down(test) else {
        return;
    };
    let recipients = [("bob", Fate::Arrives), ("carl", Fate::Arrives)];
    let letters = queue(&scene, &recipients);
    scene.run();
    scene.expect_done();
    assert_eq!(scene.kept(), 0, "kept, and stored by OpenSMTPD as well");
    assert_eq!(stored(&scene), letters.len() * recipients.len());
    start_smtpd(&mut scene);
    scene.run();
    every_letter_arrives_once(&scene, &letters, test);
}

#[test]
fn what_its_command_could_not_store_waits() {
    let test = "OpenSMTPD is down: its command cannot store mail";
    let Some(mut scene) = hub_that_is_down(test) else {
        return;
    };
    // It stores no mail for such an address, and exits with the status that means "no such user" while smtpd runs.
    let mut letters = queue(&scene, &[("a|b", Fate::Arrives)]);
    scene.run();
    assert_eq!(stored(&scene), 0);
    // And none at all where it may not write.
    inside(&scene, "chmod 700 /var/spool/smtpd/offline");
    let recipients = [("bob", Fate::Arrives), ("carl", Fate::Arrives)];
    letters.extend(queue(&scene, &recipients));
    scene.run();
    assert!(scene.waiting() > 0 && scene.kept() > 0, "nothing waits");
    start_smtpd(&mut scene);
    assert_eq!(stored(&scene), 0);
    scene.run();
    retry(&scene);
    every_letter_arrives_once(&scene, &letters, test);
}

#[test]
fn what_its_server_cannot_store_waits() {
    let test = "OpenSMTPD is full: its command";
    let Some(mut scene) = hub_that_is_down(test) else {
        return;
    };
    scene.take_down();
    scene.bring_up(Day::Full);
    let letters = queue(&scene, &[("bob", Fate::Arrives)]);
    scene.run();
    assert!(scene.waiting() > 0 && scene.kept() > 0, "nothing waits");
    start_smtpd(&mut scene);
    scene.run();
    retry(&scene);
    every_letter_arrives_once(&scene, &letters, test);
}
