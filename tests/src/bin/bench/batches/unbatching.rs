//! rsmtp: a batch into real MTAs beside sessions driven by hand, and its memory in front of a server that keeps nothing.

use std::time::Instant;

use suite_tests::Site;
use suite_tests::blackhole::Blackhole;
use suite_tests::mail_host::{Exim, MailHost, Mta, Postfix, Sendmail};
use suite_tests::payload::Random;
use suite_tests::peers::Peers;
use suite_tests::process::{self, Running};
use suite_tests::programs;
use suite_tests::smtp;

use super::{batch, node, transactions};
use crate::calls::{peak_kilobytes, per_second};
use crate::mail::messages;
use crate::table::{self, Better, Table};

/// One session, and four. What is delivered later is not waited for: each measurement has an MTA of its own, which ends with it.
pub(crate) fn into_mtas(table: &mut Table, peers: &Peers, count: usize) {
    // The MTAs only take mail, so that what they deliver does not count on either side, more on the slower. (Postfix cannot.)
    let exim = Exim {
        main: "queue_only\n",
        leaves_queue: true,
        ..Exim::default()
    };
    let sendmail = Sendmail {
        features: "define(`confDELIVERY_MODE',`queueonly')\n",
        leaves_queue: true,
        ..Sendmail::default()
    };
    let mtas: [(&str, &dyn Mta); 3] = [
        ("Postfix", &Postfix::default()),
        ("Exim", &exim),
        ("Sendmail", &sendmail),
    ];
    for (name, mta) in mtas {
        for sessions in [1, 4] {
            let plural = if sessions == 1 { "" } else { "s" };
            let name = format!(
                "batches: rsmtp into {name}, {sessions} session{plural}, against as many by hand"
            );
            table.compare(
                &name,
                "/s",
                Better::More,
                || by_rsmtp(peers, mta, sessions, count),
                || by_hand(peers, mta, sessions, count),
            );
        }
    }
}

fn by_rsmtp(peers: &Peers, mta: &dyn Mta, sessions: usize, count: usize) -> f64 {
    let folder = Site::new("bench");
    let hub = node(&folder, "hub", "leaf");
    let host = MailHost::start(&folder, peers, "hub", mta);
    hub.write("etc/mail.toml", &delivery(host.port(), sessions));
    let input = folder.path().join("batch");
    std::fs::write(&input, batch(count)).expect("the batch");
    let mut command = hub.command_of(&programs::bin("rsmtp"));
    command
        .env("UU_MACHINE", "leaf")
        .env("BANGPATH_CONFIG", hub.config())
        .stdin(std::fs::File::open(&input).expect("the batch"))
        .stdout(std::process::Stdio::null());
    let start = Instant::now();
    let status = command.status().expect("rsmtp");
    let seconds = start.elapsed().as_secs_f64();
    assert!(status.success(), "rsmtp: {status}");
    let all = format!("{count} delivered");
    assert!(hub.log().contains(&all), "{}", hub.log());
    drop(host);
    table::keep(folder);
    per_second(count, seconds)
}

fn by_hand(peers: &Peers, mta: &dyn Mta, sessions: usize, count: usize) -> f64 {
    let folder = Site::new("bench");
    let host = MailHost::start(&folder, peers, "hub", mta);
    let messages = messages(count);
    let start = Instant::now();
    smtp::send_all_pipelined(host.port(), &messages, sessions);
    let seconds = start.elapsed().as_secs_f64();
    drop(host);
    table::keep(folder);
    per_second(count, seconds)
}

/// `mail.toml` of a hub that hands mail over to this port.
pub(super) fn delivery(port: u16, sessions: usize) -> String {
    format!("[delivery]\nsmtp = \"127.0.0.1:{port}\"\nsessions = {sessions}\n")
}

/// Resident memory of rsmtp at its highest, with a batch of `kilobytes`, plain and compressed.
pub(crate) fn memory(table: &mut Table, kilobytes: usize) {
    for packed in [false, true] {
        let kind = if packed { ", zstd" } else { "" };
        let name = format!(
            "batches: memory of rsmtp, a batch of {} MB{kind}",
            kilobytes / 1000
        );
        if table.wants(&name) {
            let highest = peak(kilobytes, packed);
            table.row(&name, "MiB", Better::Less, highest, None);
        }
    }
}

fn peak(kilobytes: usize, packed: bool) -> f64 {
    let folder = Site::new("bench");
    let hub = node(&folder, "hub", "leaf");
    let sink = Blackhole::new();
    hub.write("etc/mail.toml", &delivery(sink.port(), 4));
    let mut messages = messages(kilobytes / 100);
    // What is the same over and over would be taken for a bomb, and set aside.
    let mut random = Random::new(11);
    for message in &mut messages {
        for bytes in random.bytes(48_000).chunks(35) {
            let line = hexadecimal(bytes);
            message.content.extend(line.into_bytes());
            message.content.push(b'\n');
        }
    }
    let mut text = transactions(&messages);
    let count = messages.len();
    drop(messages);
    text.extend_from_slice(b"QUIT\n");
    if packed {
        text = compressed(&text);
    }
    let input = folder.path().join("batch");
    std::fs::write(&input, text).expect("the batch");
    let mut command = hub.command_of(&programs::bin("rsmtp"));
    command
        .env("UU_MACHINE", "leaf")
        .env("BANGPATH_CONFIG", hub.config())
        .stdin(std::fs::File::open(&input).expect("the batch"));
    let mut running = Running::start(command, &folder.path().join("rsmtp.out"));
    let status = format!("/proc/{}/status", running.pid());
    let mut highest = 0.0;
    while !running.has_ended() {
        let now = peak_kilobytes(&process::lossy(std::path::Path::new(&status)));
        highest = f64::max(highest, now / 1024.0);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    running.finish(process::PATIENCE).expect_success("rsmtp");
    assert_eq!(sink.taken(), count, "not all came");
    table::keep(folder);
    highest
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    use uucp_core::codec::{Compression, Encoder};
    let mut encoder = Encoder::new(Vec::new(), Compression::Zstd, None, None).expect("an encoder");
    encoder.write_all(bytes).expect("what fits in memory");
    encoder.finish().expect("its end")
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
