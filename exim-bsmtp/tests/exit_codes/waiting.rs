//! What waits, looked at and taken out one by one; and batches of thousands.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::common::{HEADER, Site, exim};

fn numbered(number: usize) -> Vec<u8> {
    let content = format!("{HEADER}X-Number: {number}\n\nhello\n");
    exim("bob@leaf.lab", &["alice@hub.lab"], &content)
}

#[test]
fn what_waits_is_listed_for_people_and_for_programs() {
    let site = Site::new();
    assert_eq!(site.run(&["--list"], b"").said, "");
    assert_eq!(site.queue("1", &numbered(1)).status, Some(0));
    let many: Vec<String> = (0..5).map(|n| format!("u{n}@other.lab")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let batch = exim("", &many, "Subject: x\n\nhello\n");
    assert_eq!(site.run(&["--id=2", "other"], &batch).status, Some(0));
    let listed = site.run(&["--list"], b"");
    assert_eq!(listed.status, Some(0), "{listed:?}");
    let lines: Vec<&str> = listed.said.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("hub C"), "{lines:?}");
    assert!(lines[0].ends_with(" bob@leaf.lab -> alice@hub.lab"));
    assert!(
        lines[1].ends_with("-> u0@other.lab u1@other.lab u2@other.lab and 2 more"),
        "{lines:?}"
    );
    let read = |arguments: &[&str]| -> Value {
        let json = site.run(arguments, b"").said;
        serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"))
    };
    let all = read(&["--list", "--json"]);
    let systems: Vec<&Value> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["system"])
        .collect();
    assert_eq!(systems, ["hub", "other"]);
    assert_eq!(all[1]["recipients"], json!(many));
    assert_eq!(all[1]["sender"], "<>");
    let name = lines[0].split(' ').nth(1).unwrap();
    let mut of_hub = read(&["--list", "--json", "hub"]);
    let message = of_hub[0].as_object_mut().unwrap();
    let (queued, bytes) = (message.remove("queued"), message.remove("bytes"));
    assert!(queued.is_some_and(|time| time.as_str().unwrap().starts_with("20")));
    assert!(bytes.is_some_and(|bytes| bytes.as_u64().unwrap() > 20));
    let hub = json!([{
        "system": "hub",
        "name": name,
        "grade": "C",
        "sender": "bob@leaf.lab",
        "recipients": ["alice@hub.lab"],
    }]);
    assert_eq!(of_hub, hub);
    // Nothing is an empty list, not nothing.
    assert_eq!(site.run(&["--cancel=hub", name], b"").status, Some(0));
    assert_eq!(read(&["--list", "--json", "hub"]), json!([]));
}

/// The power fails before it is on the disk that the message has left `pending/`: its record promises it all the same.
#[test]
fn what_a_power_failure_has_left_pending_is_listed() {
    let site = Site::new();
    assert_eq!(site.queue("1", &numbered(1)).status, Some(0));
    let listed = site.run(&["--list"], b"").said;
    let name = listed.split(' ').nth(1).unwrap();
    let own = site.root.join("spool/.Bangpath");
    let files = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let weeks = files(&own.join("submissions"));
    let [records] = &files(&weeks[0])[..] else {
        panic!("one record");
    };
    let record = std::fs::read_to_string(records).unwrap();
    let key = record.lines().find_map(|line| line.strip_prefix("key "));
    let outbox = own.join("outbox/hub");
    let pending = outbox
        .join("pending")
        .join(format!("{}.{name}", key.unwrap()));
    std::fs::rename(outbox.join("queue").join(name), pending).unwrap();
    assert_eq!(site.run(&["--list"], b"").said, listed);
}

#[test]
fn what_is_cancelled_is_gone_and_nothing_else() {
    let site = Site::new();
    for number in 0..3 {
        assert_eq!(
            site.queue(&number.to_string(), &numbered(number)).status,
            Some(0)
        );
    }
    let listed = site.run(&["--list"], b"").said;
    let names: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    let cancel = |name: &str| site.run(&["--cancel=hub", name], b"");
    assert_eq!(cancel(names[1]).status, Some(0));
    let again = cancel(names[1]);
    assert_eq!(again.status, Some(1), "{again:?}");
    assert!(again.said.contains("does not wait"), "{again:?}");
    assert_eq!(cancel("nonsense").status, Some(64));
    let nothing = site.run(&["--cancel=hub"], b"");
    assert_eq!(nothing.status, Some(64));
    assert!(
        nothing.said.contains("wants the names of messages"),
        "{nothing:?}"
    );
    assert_eq!(
        site.run(&["--cancel=nowhere", names[0]], b"").status,
        Some(68)
    );
    assert_eq!(site.outbox("hub").len(), 2);
    // Cancelled, it does not come back when the MTA repeats it.
    assert_eq!(site.queue("1", &numbered(1)).status, Some(0));
    assert_eq!(site.outbox("hub").len(), 2);
}

#[test]
fn what_waits_too_long_goes_back_to_its_sender() {
    let site = Site::new();
    assert_eq!(site.queue("1", &numbered(1)).status, Some(0));
    let bounce = exim("", &["alice@hub.lab"], "Subject: x\n\nhello\n");
    assert_eq!(site.queue("2", &bounce).status, Some(0));
    assert_eq!(site.run(&["--expire"], b"").said, "");
    assert_eq!(site.outbox("hub").len(), 2);
    site.mail_toml("[neighbour.hub.sending]\nage-limit = \"0s\"\n");
    let expired = site.run(&["--expire"], b"");
    assert_eq!(expired.said, "returned messages: 2\n", "{expired:?}");
    assert_eq!(site.outbox("hub").len(), 0);
    let reports = site.reports();
    assert_eq!(reports.len(), 1);
    for part in [
        "Status: 5.4.7",
        "rfc822; alice@hub.lab",
        "for a call with hub",
    ] {
        assert!(reports[0].contains(part), "{part}");
    }
    // The null sender is told nothing; the log is.
    let log = std::fs::read_to_string(site.root.join("Log")).unwrap();
    assert!(log.contains("nobody is to be told"), "{log}");
    assert_eq!(site.run(&["--flush"], b"").said, "nothing to pack\n");
}

#[test]
fn ten_thousand_messages_of_one_batch_are_queued_once_and_packed() {
    const MESSAGES: usize = 10_000;
    let site = Site::new();
    let batch: Vec<u8> = (0..MESSAGES).flat_map(numbered).collect();
    let arguments = ["--deadline=3600", "--id=all", "hub"];
    assert_eq!(site.run(&arguments, &batch).status, Some(0));
    assert_eq!(site.outbox("hub").len(), MESSAGES);
    // Repeated with one message more: only that is new.
    let more = [batch, numbered(MESSAGES)].concat();
    assert_eq!(site.run(&arguments, &more).status, Some(0));
    let outbox = site.outbox("hub");
    assert_eq!(outbox.len(), MESSAGES + 1);
    let flushed = site.run(&["--flush"], b"");
    assert!(
        flushed
            .said
            .starts_with("packed 10001 messages for 1 system into 11 batches"),
        "{flushed:?}"
    );
    assert_eq!((site.outbox("hub").len(), site.jobs("hub").len()), (0, 11));
}

#[test]
fn ten_thousand_recipients_of_one_message_are_queued_once() {
    let site = Site::new();
    let all: Vec<String> = (0..10_000).map(|n| format!("u{n:05}@hub.lab")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let content = format!("{HEADER}\nhello\n");
    for part in [&all[..], &all[5000..]] {
        let outcome = site.queue("1", &exim("bob@leaf.lab", part, &content));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
    }
    assert_eq!(site.outbox("hub").len(), 1);
    assert_eq!(site.recipients(), all);
}
