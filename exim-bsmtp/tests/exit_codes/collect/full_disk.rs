//! A disk that is full while batches are collected: nothing is lost, and when there is room again nothing is queued twice.

use std::fs;
use std::process::Command;

use serde_json::Value;
use suite_tests::is_root_or_skip;
use suite_tests::small_disk::SmallDisk;

use super::super::common::{PROGRAM, Site, exim};

/// For each of the two systems.
const MESSAGES: usize = 6;
/// In KiB: the messages, several times.
const DISK: u32 = 1024;
const PAGE: u64 = 4096;

fn mail(sender: &str) -> Vec<u8> {
    let content = format!("Subject: x\n\n{}", "x\n".repeat(3000));
    exim(sender, &["alice@hub.lab"], &content)
}

#[test]
fn with_so_much_room_or_none_each_message_is_queued_once_in_the_end() {
    if !is_root_or_skip("exim-bsmtp: a disk that is full while batches are collected") {
        return;
    }
    let mut put_off = 0;
    // From no room at all to enough for everything, past each thing that is written.
    for pages in (0..12).chain((12..60).step_by(6)) {
        let site = Site::new();
        let disk = SmallDisk::over(&site.root.join("spool"), DISK);
        let program = disk.program(PROGRAM);
        let run = |more: &[&str]| {
            let mut command = Command::new(&program);
            let output = command.args(site.arguments(more)).output().unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (
                output.status.code(),
                text(output.stdout),
                text(output.stderr),
            )
        };
        let inside = site.root.join("spool/drop");
        let collect = || run(&["--quiet", &format!("--collect={}", inside.display())]);
        let drop_box = disk.path("drop");
        fs::create_dir_all(drop_box.join("other")).unwrap();
        let senders: Vec<String> = (0..2 * MESSAGES)
            .map(|n| format!("u{n:02}@leaf.lab"))
            .collect();
        let (of_file, of_folder) = senders.split_at(MESSAGES);
        let batch: Vec<u8> = of_file.iter().flat_map(|sender| mail(sender)).collect();
        fs::write(drop_box.join("hub"), batch).unwrap();
        for sender in of_folder {
            fs::write(drop_box.join("other").join(sender), mail(sender)).unwrap();
        }
        disk.leave(pages * PAGE);
        for _ in 0..2 {
            let (status, _, told) = collect();
            assert!(matches!(status, Some(0 | 75)), "{pages}: {status:?} {told}");
            let is_put_off = status == Some(75);
            let names_the_file = told.lines().all(|line| line.contains("/spool/"));
            assert!(
                is_put_off != told.is_empty() && names_the_file,
                "{pages}: {told}"
            );
            put_off += usize::from(is_put_off);
        }
        disk.free();
        let (status, _, told) = collect();
        assert_eq!((status, told.as_str()), (Some(0), ""), "{pages}");
        let (_, listed, told) = run(&["--list", "--json"]);
        let listed: Vec<Value> = serde_json::from_str(&listed).expect(&told);
        let mut queued: Vec<&str> = listed
            .iter()
            .filter_map(|one| one["sender"].as_str())
            .collect();
        queued.sort_unstable();
        assert_eq!(queued, senders, "{pages}");
        let left = |folder| fs::read_dir(folder).unwrap().flatten().count();
        assert_eq!(
            (left(&drop_box), left(&drop_box.join("other"))),
            (1, 0),
            "{pages}"
        );
    }
    assert!(put_off > 10, "{put_off}: the disk was never full");
}
