//! `format = "bsmtp"`: messages wait in the outbox, with as much as pipe(8) tells of them.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use suite_tests::alone::Moments;
use uucp_core::bsmtp::{Body, Transaction};
use uucp_core::config::Config;
use uucp_core::name::SystemName;
use uucp_core::outbox::Outbox;
use uucp_core::spool::{EntryName, Spool};

use super::common::{MESSAGE, Site};
use super::{assert_queued, assert_refused};

/// A message that waits.
struct Waiting {
    name: EntryName,
    envelope: Transaction,
    content: Vec<u8>,
}

impl Waiting {
    fn recipients(&self) -> Vec<String> {
        let all = self.envelope.recipients.iter();
        all.map(|recipient| recipient.address.to_string()).collect()
    }
}

fn site() -> Site {
    let site = Site::new();
    write_toml(&site, "[neighbour.leaf.sending]\nformat = \"bsmtp\"\n");
    site
}

fn write_toml(site: &Site, text: &str) {
    let path = site.root.join("etc/mail.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
}

fn leaf() -> SystemName {
    "leaf".parse().unwrap()
}

fn spool(site: &Site) -> Spool {
    Spool::open(&Config::load(Some(&site.root.join("etc/config"))).unwrap()).unwrap()
}

fn waiting(site: &Site) -> Vec<Waiting> {
    let spool = spool(site);
    let outbox = Outbox::new(&spool, &leaf());
    let names = outbox.list().unwrap().into_iter();
    names
        .map(|name| {
            let mut entry = outbox.open(&name).unwrap().unwrap();
            let mut content = Vec::new();
            entry.content.read_to_end(&mut content).unwrap();
            Waiting {
                name,
                envelope: entry.head.transaction,
                content,
            }
        })
        .collect()
}

/// Everybody who is to get a message that waits, sorted.
fn everybody(site: &Site) -> Vec<String> {
    let mut all: Vec<String> = waiting(site).iter().flat_map(Waiting::recipients).collect();
    all.sort();
    all
}

#[test]
fn a_message_waits_with_its_envelope_and_makes_no_job() {
    let site = site();
    let recipients = ["\"a b\"@leaf.lab", "-x@leaf.lab", "\u{17e}ofie@leaf.lab"];
    let mut arguments = site.arguments("B1", "bob@hub.lab", &recipients);
    for original in ["\"a b\"@leaf.lab", "all+x@leaf.lab", ""].iter().rev() {
        arguments.insert(0, format!("--original-recipient={original}"));
    }
    assert_queued(&site.run(&arguments, &[MESSAGE, b"\xff\n.\n"].concat()));
    assert!(site.jobs().is_empty());
    let [message] = &waiting(&site)[..] else {
        panic!("not one message");
    };
    assert_eq!(message.content, [MESSAGE, b"\xff\n.\n"].concat());
    assert_eq!(message.recipients(), recipients);
    assert_eq!(message.envelope.sender.as_bytes(), b"bob@hub.lab");
    let parameters = &message.envelope.parameters;
    assert_eq!(parameters.size, Some(message.content.len() as u64));
    assert_eq!(parameters.body, Some(Body::EightBitMime));
    assert!(parameters.smtputf8);
    let originals: Vec<Option<&[u8]>> = message
        .envelope
        .recipients
        .iter()
        .map(|recipient| recipient.orcpt.as_deref())
        .collect();
    let quoted = &b"rfc822;\"a+20b\"@leaf.lab"[..];
    assert_eq!(
        originals,
        [Some(quoted), Some(b"rfc822;all+2Bx@leaf.lab"), None]
    );
    assert_eq!(message.name.grade().byte(), b'C');
    let path = spool(&site).message_path(&leaf(), &message.name);
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660, "whatever the umask");
}

#[test]
fn what_is_wrong_with_the_packing_is_no_matter_of_the_queue() {
    let site = site();
    let sending = "[neighbour.leaf.sending]\nformat = \"bsmtp\"\ncompression = \"zstd\"\n";
    for wrong in ["dictionary = \"0badc0de\"", "compression-level = 99"] {
        write_toml(&site, &format!("{sending}{wrong}\n"));
        let arguments = site.arguments(wrong, "", &["alice@leaf.lab"]);
        assert_queued(&site.run(&arguments, MESSAGE));
    }
    assert_eq!(waiting(&site).len(), 2);
}

#[test]
fn plain_mail_has_no_parameter_but_its_size() {
    let site = site();
    let arguments = site.arguments("B1", "", &["alice@leaf.lab"]);
    assert_queued(&site.run(&arguments, MESSAGE));
    let message = waiting(&site).remove(0);
    assert!(message.envelope.sender.is_null());
    assert_eq!(message.envelope.recipients[0].orcpt, None);
    let parameters = message.envelope.parameters;
    assert_eq!((parameters.body, parameters.smtputf8), (None, false));
}

#[test]
fn repeats_regrouped_or_after_it_was_sent_queue_nobody_twice() {
    let site = site();
    for group in [&["a@x", "b@x"][..], &["b@x", "c@x"], &["a@x"]] {
        assert_queued(&site.deliver("B1", group));
    }
    assert_eq!(everybody(&site), ["a@x", "b@x", "c@x"]);
    let spool = spool(&site);
    let outbox = Outbox::new(&spool, &leaf());
    for message in waiting(&site) {
        outbox
            .cancel(&message.name, std::time::Instant::now())
            .unwrap();
    }
    assert_queued(&site.deliver("B1", &["a@x", "b@x", "c@x", "d@x"]));
    assert_eq!(everybody(&site), ["d@x"]);
}

#[test]
fn who_cannot_be_said_in_smtp_is_reported_and_the_others_are_queued() {
    let site = site();
    for _ in 0..2 {
        assert_queued(&site.deliver("B1", &["a@x", "b\tb@x"]));
        assert_eq!(everybody(&site), ["a@x"]);
        assert_eq!(site.reports().len(), 1);
    }
    assert_refused(&site.deliver("B2", &["b\tb@x"]), 67, "5.1.3 ");
    let mut small = site.arguments("B3", "bob@hub.lab", &["a@x"]);
    small.insert(0, "--size-limit=20".to_owned());
    assert_refused(&site.run(&small, MESSAGE), 65, "5.3.4 ");
    assert_eq!(everybody(&site), ["a@x"]);
}

#[test]
fn local_trouble_is_75_and_leaves_nothing() {
    let site = site();
    assert_refused(
        &site.run(&site.arguments("B1", "b@x", &["a@x"]), b""),
        75,
        "4.3.0 ",
    );
    fs::create_dir_all(site.root.join("spool/.Bangpath/outbox")).unwrap();
    fs::write(site.root.join("spool/.Bangpath/outbox/leaf"), "in the way").unwrap();
    assert_refused(&site.deliver("B1", &["a@x"]), 75, "4.3.0 ");
    fs::remove_file(site.root.join("spool/.Bangpath/outbox/leaf")).unwrap();
    write_toml(&site, "[sending]\nformat = \"uux\"\n");
    assert_refused(&site.deliver("B1", &["a@x"]), 75, "4.3.5 ");
    site.assert_clean();
    write_toml(&site, "[sending]\nformat = \"bsmtp\"\n");
    assert_queued(&site.deliver("B1", &["a@x"]));
    assert_eq!(everybody(&site), ["a@x"]);
}

#[test]
fn a_dry_run_shows_the_envelope_and_queues_nothing() {
    let site = site();
    let mut arguments = site.arguments("B1", "bob@hub.lab", &["a b@x", "b\tb@x"]);
    arguments.insert(0, "--dry-run".to_owned());
    let outcome = site.run(&arguments, MESSAGE);
    assert_eq!(outcome.status, Some(0));
    let bytes = MESSAGE.len();
    assert!(
        outcome.said.starts_with(&format!(
            "leaf C\nMAIL FROM:<bob@hub.lab> SIZE={bytes}\nRCPT TO:<\"a b\"@x>\n"
        )),
        "{outcome:?}"
    );
    assert!(outcome.said.contains("refused b\\tb@x: "), "{outcome:?}");
    assert!(waiting(&site).is_empty());
}

/// Killed at a random moment and delivered again, half of the time regrouped: everybody has it once in the end.
#[test]
fn killed_anywhere_and_repeated() {
    let mut moments = Moments::new(0x9e37_79b9_7f4a_7c15, Duration::from_millis(12));
    let mut cut = 0;
    for round in 0..40 {
        let site = site();
        let id = format!("K{round}");
        let all = ["a@x", "b@x", "c\tc@x"];
        let arguments = site.arguments(&id, "bob@hub.lab", &all);
        let command = site.command("exec \"$@\" 2>&1", &arguments);
        cut += usize::from(moments.cut(command, MESSAGE));
        if round % 2 == 0 {
            assert_queued(&site.deliver(&id, &all));
        } else {
            assert_queued(&site.deliver(&id, &["b@x", "c\tc@x"]));
            assert_queued(&site.deliver(&id, &["a@x", "c\tc@x"]));
        }
        assert_eq!(everybody(&site), ["a@x", "b@x"], "round {round}");
        assert_eq!(site.reports().len(), 1, "round {round}");
        for message in waiting(&site) {
            assert_eq!(message.content, MESSAGE, "round {round}");
        }
    }
    assert!(cut > 0, "no run was cut");
}
