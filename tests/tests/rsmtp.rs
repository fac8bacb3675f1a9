//! rsmtp into each real MTA, by SMTP and by its `sendmail`, run by uuxqt and by nncp-toss: every letter of a batch once, with
//! its exact envelope; who cannot have it is reported once; what the MTA refuses for now is kept, alone, and offered again.
//!
//! ```text
//! an execute file ─ uuxqt ─────────┐
//!                                  ├─ rsmtp ─ SMTP, or sendmail ─ Postfix, Exim, Sendmail, OpenSMTPD
//! a packet of NNCP ─ nncp-toss x 3 ┘
//! ```

use std::collections::HashSet;

use suite_tests::letters::{self, FROM_HOME, Fate, Letter, judge};
use suite_tests::mail_host::{Day, Exim, Mta, OpenSmtpd, Postfix, Sendmail};
use suite_tests::peers::Layer;
use suite_tests::peers_with_or_skip;
use suite_tests::receiving::{Carrier, Scene, Way};

fn every_letter_once(test: &str, mta: &dyn Mta) {
    let Some(peers) = peers_with_or_skip(test, &[mta.layer(), Layer::Nncp]) else {
        return;
    };
    let scene = Scene::new(peers, mta);
    let mut all = Vec::new();
    for way in [Way::Smtp, Way::Command] {
        scene.hand_over_by(way);
        for carrier in [Carrier::Uucp, Carrier::Nncp] {
            let letters = letters::of_every_kind(&format!("{way:?}-{carrier:?}"), FROM_HOME);
            scene.queue_batch(carrier, &letters);
            all.extend(letters);
        }
        scene.run();
        scene.expect_done();
    }
    assert_eq!(scene.kept(), 0, "kept");
    scene.wait_for_deliveries(&all);
    judge(&all, &scene.host.arrivals()).expect_good(test);
}

/// Nobody gets what is for somebody else, and what one recipient is costs no other one anything.
fn awkward_addresses(test: &str, mta: &dyn Mta) {
    let Some(peers) = peers_with_or_skip(test, &[mta.layer(), Layer::Nncp]) else {
        return;
    };
    let scene = Scene::new(peers, mta);
    let mut all = Vec::new();
    for (way, carrier) in [(Way::Smtp, Carrier::Nncp), (Way::Command, Carrier::Uucp)] {
        scene.hand_over_by(way);
        let (letters, batch) = letters::awkward(&format!("{way:?}"), FROM_HOME);
        scene.queue_text(carrier, &batch);
        all.extend(letters);
        scene.run();
        scene.expect_done();
    }
    assert_eq!(scene.kept(), 0, "kept");
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
    let recipients = [
        ("bob", Fate::Arrives),
        ("later", Fate::Silent),
        ("carl", Fate::Arrives),
    ];
    let mut letters = Vec::new();
    for carrier in [Carrier::Uucp, Carrier::Nncp] {
        let number = format!("later-{carrier:?}");
        let later = Letter::new(&number, FROM_HOME, "ann", &recipients, b"patience\n");
        let plain = Letter::new(
            &format!("{number}-not"),
            FROM_HOME,
            "ann",
            &recipients[..1],
            b"now\n",
        );
        scene.queue_batch(carrier, &[later.clone(), plain.clone()]);
        letters.extend([later, plain]);
    }
    scene.run_outside();
    scene.expect_done();
    scene.wait_for_deliveries(&letters);
    judge(&letters, &scene.host.arrivals()).expect_good("one of three later");
    let of_the_others = scene.kept();
    assert_ne!(of_the_others, 0, "who shall come again is kept");
    scene.take_down();
    for carrier in [Carrier::Uucp, Carrier::Nncp] {
        let some = letters::of_every_kind(&format!("down-{carrier:?}"), FROM_HOME);
        scene.queue_batch(carrier, &some);
        letters.extend(some);
    }
    scene.run_outside();
    assert!(
        scene.kept() > of_the_others || scene.waiting() == 2,
        "nothing is kept"
    );
    scene.bring_up(Day::Full);
    scene.run_outside();
    scene.retry();
    scene.take_down();
    scene.bring_up(Day::Usual);
    scene.run_outside();
    scene.retry();
    scene.expect_done();
    assert_eq!(
        scene.kept(),
        of_the_others,
        "only who shall come again is kept"
    );
    scene.wait_for_deliveries(&letters);
    judge(&letters, &scene.host.arrivals()).expect_good(test);
}

/// One message of the batch of giants, in lines.
const GIANT: usize = 100_000_000;

fn giant(number: usize) -> Vec<u8> {
    let line = format!("{number}: {}\n", "giant ".repeat(12));
    line.as_bytes().repeat(GIANT / line.len())
}

/// Ten thousand messages in one batch, one message for ten thousand, and 300 MB in three messages.
#[test]
fn crowds_and_giants_into_postfix() {
    let postfix = Postfix {
        main: "transport_maps = texthash:/etc/postfix/transport\n",
        transport: "crowd.example discard:\n",
        ..Postfix::default()
    };
    let test = "rsmtp: Postfix, crowds and giants";
    let Some(peers) = peers_with_or_skip(test, &[postfix.layer(), Layer::Nncp]) else {
        return;
    };
    let scene = Scene::new(peers, &postfix);
    scene.hand_over_by(Way::Smtp);
    let bob = [("bob", Fate::Arrives)];
    let mut letters: Vec<Letter> = (0..10_000)
        .map(|n| {
            Letter::new(
                &format!("many-{n}"),
                FROM_HOME,
                "ann",
                &bob,
                b"one of many\n",
            )
        })
        .collect();
    scene.queue_batch(Carrier::Uucp, &letters);
    let for_bob = Letter::new("crowd", FROM_HOME, "ann", &bob, b"for all\n");
    let crowd: Vec<String> = (0..10_000)
        .map(|n| format!("r{n:05}@crowd.example"))
        .collect();
    let mut for_all = for_bob.clone();
    for_all.message.recipients.extend_from_slice(&crowd);
    scene.queue_batch(Carrier::Nncp, &[for_all]);
    letters.push(for_bob);
    scene.run();
    scene.expect_done();
    scene.wait_for_deliveries(&letters);
    judge(&letters, &scene.host.arrivals()).expect_good(test);
    let log = scene.host.log();
    let lines = log.lines().filter(|line| line.contains("status=sent"));
    let to = lines.filter_map(|line| line.split_once("to=<")?.1.split_once('>'));
    let mut told: Vec<&str> = to.map(|(to, _)| to).collect();
    told.retain(|to| to.ends_with("@crowd.example"));
    told.sort_unstable();
    assert_eq!(told, crowd, "the crowd, each once");
    let before: HashSet<_> = scene.host.delivered().into_iter().collect();
    let giants =
        (0..3).map(|n| Letter::new(&format!("giant-{n}"), FROM_HOME, "ann", &bob, &giant(n)));
    let batch: Vec<u8> = giants.flat_map(|giant| giant.in_batch()).collect();
    scene.queue_text(Carrier::Uucp, &batch);
    drop(batch);
    scene.run();
    scene.expect_done();
    assert_eq!(scene.kept(), 0, "kept");
    scene.host.wait_for_deliveries(before.len() + 3);
    let mut came = Vec::new();
    for path in scene
        .host
        .delivered()
        .iter()
        .filter(|path| !before.contains(*path))
    {
        let content = std::fs::read(path).expect("a giant");
        let number = (0..3).find(|n| content.ends_with(&giant(*n)));
        came.push(number.expect("a whole giant"));
    }
    came.sort_unstable();
    assert_eq!(came, [0, 1, 2]);
}

#[test]
fn every_letter_once_into_postfix() {
    every_letter_once("rsmtp: Postfix", &Postfix::default());
}

/// Exim lets nobody else say who the sender is.
fn trusting_exim() -> Exim<'static> {
    Exim {
        main: "trusted_users = uucp\n",
        ..Exim::default()
    }
}

#[test]
fn every_letter_once_into_exim() {
    every_letter_once("rsmtp: Exim", &trusting_exim());
}

#[test]
fn every_letter_once_into_sendmail() {
    every_letter_once("rsmtp: Sendmail", &Sendmail::default());
}

#[test]
fn every_letter_once_into_opensmtpd() {
    every_letter_once("rsmtp: OpenSMTPD", &OpenSmtpd::default());
}

#[test]
fn nobody_else_gets_what_is_for_awkward_addresses_from_postfix() {
    awkward_addresses("rsmtp: Postfix, awkward", &Postfix::default());
}

#[test]
fn nobody_else_gets_what_is_for_awkward_addresses_from_exim() {
    awkward_addresses("rsmtp: Exim, awkward", &trusting_exim());
}

#[test]
fn nobody_else_gets_what_is_for_awkward_addresses_from_sendmail() {
    awkward_addresses("rsmtp: Sendmail, awkward", &Sendmail::default());
}

#[test]
fn nobody_else_gets_what_is_for_awkward_addresses_from_opensmtpd() {
    awkward_addresses("rsmtp: OpenSMTPD, awkward", &OpenSmtpd::default());
}

#[test]
fn postfix_has_bad_days() {
    bad_days("rsmtp: Postfix's bad days", &Postfix::default());
}

#[test]
fn exim_has_bad_days() {
    bad_days("rsmtp: Exim's bad days", &Exim::default());
}

#[test]
fn sendmail_has_bad_days() {
    bad_days("rsmtp: Sendmail's bad days", &Sendmail::default());
}

#[test]
fn opensmtpd_has_bad_days() {
    bad_days("rsmtp: OpenSMTPD's bad days", &OpenSmtpd::default());
}
