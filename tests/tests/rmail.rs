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

use suite_tests::letters::{self, FROM_HOME, Fate, Letter, judge};
use suite_tests::mail_host::{Day, Exim, Mta, OpenSmtpd, Postfix, Sendmail};
use suite_tests::peers::Layer;
use suite_tests::peers_with_or_skip;
use suite_tests::receiving::{Carrier, Scene, Way};

/// NNCP's handle and arguments have 255 bytes in all.
const MOST_RECIPIENTS_OVER_NNCP: usize = 5;

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
    scene.take_down();
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
    scene.bring_up(Day::Full);
    scene.run_outside();
    assert_eq!(
        scene.waiting(),
        letters.len(),
        "all wait for an MTA that is full"
    );
    scene.take_down();
    scene.bring_up(Day::Usual);
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
