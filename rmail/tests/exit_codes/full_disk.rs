//! A disk that is full while rmail works.

use suite_tests::alone::Home;
use suite_tests::is_root_or_skip;
use suite_tests::sink::Server;
use suite_tests::small_disk::SmallDisk;

const PAGE: u64 = 4096;

#[test]
fn with_so_much_room_or_none_a_message_comes_once_to_each() {
    if !is_root_or_skip("rmail: a disk that is full") {
        return;
    }
    let message = format!("{}{}", super::MESSAGE, "more\n".repeat(3000));
    let mut put_off = 0;
    for pages in 0..16 {
        // One takes it, one does later, one never: the record, the message and a report want room.
        let server = Server::start(|line| {
            let answer = |text: &str| Some(text.to_owned());
            match line {
                _ if line.contains("grey") => answer("451 4.7.1 come back"),
                _ if line.contains("nobody") => answer("550 5.1.1 nobody"),
                _ => None,
            }
        });
        let site = Home::with_smtp(&server);
        let disk = SmallDisk::over(&site.path("spool"), 256);
        let program = disk.program(env!("CARGO_BIN_EXE_rmail"));
        let environment = [
            ("UU_MACHINE", "hub"),
            ("UU_USER", "uucp"),
            ("UU_JOB", "X.hubN0001"),
        ];
        let recipients = ["alice@leaf.lab", "nobody@leaf.lab", "grey@leaf.lab"];
        let rmail = || site.receive(&program, &environment, &recipients, message.as_bytes());
        disk.leave(pages * PAGE);
        for _ in 0..2 {
            let run = rmail();
            // Who is to come back keeps it from being done in any case.
            assert_eq!(run.status, 75, "{pages}: {}", run.stderr);
            put_off += usize::from(server.messages().is_empty());
        }
        disk.free();
        assert_eq!(rmail().status, 75);
        server.answer(|line| {
            let is_nobody = line.contains("nobody");
            is_nobody.then(|| "550 5.1.1 nobody".to_owned())
        });
        let run = rmail();
        assert_eq!(run.status, 0, "{pages}: {}", run.stderr);
        assert_eq!(rmail().status, 0);
        let mut got: Vec<String> = server
            .messages()
            .into_iter()
            .flat_map(|message| message.recipients)
            .collect();
        // The report may wait in the spool, too.
        let waiting = std::fs::read_dir(disk.path(".Bangpath/local-mail"));
        let waiting = waiting.into_iter().flatten();
        got.extend(waiting.map(|_| "bob@far.example".to_owned()));
        got.sort();
        let each_once = ["alice@leaf.lab", "bob@far.example", "grey@leaf.lab"];
        assert_eq!(got, each_once, "{pages}");
    }
    assert!(put_off > 0, "the disk was never full");
}
