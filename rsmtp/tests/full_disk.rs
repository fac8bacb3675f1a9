//! A disk that is full while rsmtp works: nothing is lost, and when there is room again nothing is handed over twice.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what is not as expected fails the test"
)]

use suite_tests::alone::{Home, Run};
use suite_tests::is_root_or_skip;
use suite_tests::sink::Server;
use suite_tests::small_disk::SmallDisk;

const MESSAGES: usize = 12;
/// In KiB: the messages, several times.
const DISK: u32 = 1024;
const PAGE: u64 = 4096;

fn batch() -> String {
    let body = "x\n".repeat(3000);
    let messages: Vec<String> = (0..MESSAGES)
        .map(|n| {
            format!(
                "MAIL FROM:<bob@far.example> XBPID={n}\nRCPT TO:<alice@leaf.lab>\nRCPT TO:<grey@leaf.lab>\nDATA\nSubject: {n}.\n\n{body}.\n"
            )
        })
        .collect();
    format!("EHLO hub\nNOOP bangpath\n{}QUIT\n", messages.concat())
}

#[test]
fn with_so_much_room_or_none_each_message_comes_once_in_the_end() {
    if !is_root_or_skip("rsmtp: a disk that is full") {
        return;
    }
    let mut put_off = 0;
    // From no room at all to enough for everything, past each thing that is written.
    for pages in (0..12).chain((12..60).step_by(6)) {
        let server = Server::answering("grey", "451 4.7.1 come back");
        let site = Home::with_smtp(&server);
        let disk = SmallDisk::over(&site.path("spool"), DISK);
        let program = disk.program(env!("CARGO_BIN_EXE_rsmtp"));
        let rsmtp = |arguments: &[&str], input: &str| -> Run {
            let environment = [("UU_MACHINE", "hub"), ("UU_JOB", "X.hubN0001")];
            site.receive(&program, &environment, arguments, input.as_bytes())
        };
        disk.leave(pages * PAGE);
        // As often as uuxqt likes: the disk stays full.
        for _ in 0..2 {
            let run = rsmtp(&[], &batch());
            assert!(matches!(run.status, 0 | 75), "{pages}: {}", run.stderr);
            put_off += usize::from(run.status == 75);
            let told = run.stderr.lines().count();
            assert!(told <= 1, "{pages}: {}", run.stderr);
        }
        disk.free();
        let run = rsmtp(&[], &batch());
        assert_eq!(run.status, 0, "{pages}: {}", run.stderr);
        server.answer(|_| None);
        let run = site.receive(&program, &[], &["--retry", "--now"], b"");
        assert_eq!(run.status, 0, "{pages}: {}", run.stderr);
        let counts = server.counts();
        assert_eq!(counts.len(), 2 * MESSAGES, "{pages}: something is lost");
        let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "{pages}: {twice:?}");
    }
    assert!(put_off > 10, "{put_off}: the disk was never full");
}
