//! Input that is not, or not only, a batch.

use super::*;

#[test]
fn what_cannot_be_understood_is_set_aside_whole_and_told_once() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let garbage: Vec<u8> = (0..=255).rev().cycle().take(5000).collect();
    let bomb = compressed(&"\0".repeat(100 << 20), Compression::Zstd);
    let mut damaged = compressed(&framed(&three()), Compression::Gzip);
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x55;
    for (input, why) in [
        (garbage.clone(), "line 1: "),
        (bomb, "times as large"),
        (damaged, "damaged"),
        (b"".to_vec(), "empty"),
    ] {
        let run = site.rsmtp(&input);
        assert_eq!(run.status, 0, "{}", run.stderr);
        assert!(
            run.stderr.starts_with("5.6.0 rsmtp: set aside as") && run.stderr.contains(why),
            "{why}: {}",
            run.stderr
        );
    }
    assert_eq!(server.messages().len(), 0);
    let folder = site.path("spool/.Mail/aside/hub");
    let kept: Vec<Vec<u8>> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert_eq!(kept.len(), 4);
    assert!(kept.contains(&garbage));
    assert_eq!(site.contents("spool/.Bangpath/local-mail").len(), 1);
}

#[test]
fn what_stands_between_messages_does_not_cost_the_messages() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let batch = format!(
        "{}BOGUS command\n{}MAIL FROM:<x@y>\nRCPT TO:<alice@leaf.lab>\n{}",
        message("bob@far.example", &["alice@leaf.lab"], "1"),
        message("bob@far.example", &["alice@leaf.lab"], "2"),
        message("bob@far.example", &["alice@leaf.lab"], "3"),
    );
    let run = site.rsmtp(batch.as_bytes());
    assert_eq!(run.status, 0);
    assert!(
        run.stderr.contains("set aside") && run.stderr.contains("BOGUS"),
        "{}",
        run.stderr
    );
    assert_eq!(subjects(&server), ["1", "2", "3"]);
}

#[test]
fn no_dot_but_the_batchs_own_ends_a_message() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let evil = "MAIL FROM:<evil@x>\nRCPT TO:<victim@leaf.lab>\nDATA\nsmuggled\n.\n";
    for (eol, dots) in [
        ("\n", ["\r\n.\r\n", "\r.\r", "\r\n.\r"]),
        ("\r\n", ["\n.\n", "\n.\r\n", "\r\n.\n"]),
    ] {
        for dot in dots {
            let batch = format!(
                "MAIL FROM:<bob@far.example>{eol}RCPT TO:<alice@leaf.lab>{eol}DATA{eol}Message-ID: <{dot:?}@x>{eol}Subject: s{eol}{eol}x{dot}{evil}{eol}.{eol}"
            );
            site.rsmtp(batch.as_bytes());
        }
    }
    let messages = server.messages();
    assert!(messages.iter().all(|m| m.recipients == ["alice@leaf.lab"]));
    assert_eq!(messages.len(), 6);
}
