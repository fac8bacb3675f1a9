//! LMTP: an answer for each recipient.

use super::*;

/// Serves one connection on a unix socket.
fn serve_unix(folder: &std::path::Path, script: Vec<Step>) -> (ServerAddress, Receiver<String>) {
    let path = folder.join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let (sender, heard) = channel();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        play(&stream, script, &sender);
    });
    (ServerAddress::Unix(path), heard)
}

#[test]
fn lmtp_tells_what_became_of_each_recipient() {
    let folder = tempfile::tempdir().unwrap();
    let steps = [
        Say("220 lmtp\r\n"),
        Hear("LHLO leaf", "250-lmtp\r\n250 PIPELINING\r\n"),
        Hear("MAIL", "250 ok\r\n"),
        Hear("RCPT TO:<a@x>", "250 ok\r\n"),
        Hear("RCPT TO:<b@x>", "550 5.1.1 nobody\r\n"),
        Hear("RCPT TO:<c@x>", "250 ok\r\n"),
        Hear("RCPT TO:<d@x>", "250 ok\r\n"),
        Hear("RCPT TO:<e@x>", "250 ok\r\n"),
        Hear("DATA", "354 go\r\n"),
        Content("250 2.0.0 a\r\n452 4.2.2 full\r\n552 5.2.2 full for good\r\n"),
        HangUp,
    ];
    let (target, _heard) = serve_unix(folder.path(), steps.to_vec());
    let mut lmtp = Smtp::new(Client {
        is_lmtp: true,
        ..settings(Peer::Server(target))
    });
    let outcomes = offer(&mut lmtp, &["a@x", "b@x", "c@x", "d@x", "e@x"], b"x\n");
    assert_eq!(
        outcomes[..4],
        [
            "delivered",
            "refused 5.1.1 550 5.1.1 nobody",
            "deferred 4.2.2 452 4.2.2 full",
            "refused 5.2.2 552 5.2.2 full for good",
        ]
    );
    let doubt = "deferred 4.4.2 after the message was sent, so nobody knows";
    assert!(outcomes[4].starts_with(doubt), "{outcomes:?}");
}

#[test]
fn an_lmtp_server_that_asks_for_a_message_for_nobody_says_nothing_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let steps = [
        Say("220 lmtp\r\n"),
        Hear("LHLO", "250-lmtp\r\n250 PIPELINING\r\n"),
        Hear("MAIL", "250 ok\r\n"),
        Hear("RCPT", "550 nobody\r\n"),
        Hear("DATA", "354 go\r\n"),
        Content(""),
        Hear("MAIL", "250 ok\r\n"),
        Hear("RCPT", "250 ok\r\n"),
        Hear("DATA", "354 go\r\n"),
        Content("250 ok\r\n"),
    ];
    let (target, _heard) = serve_unix(folder.path(), steps.to_vec());
    let mut lmtp = Smtp::new(Client {
        is_lmtp: true,
        ..settings(Peer::Server(target))
    });
    assert_eq!(
        offer(&mut lmtp, &["b@x"], b"x\n"),
        ["refused 5.0.0 550 nobody"]
    );
    assert_eq!(offer(&mut lmtp, &["a@x"], b"x\n"), ["delivered"]);
}
