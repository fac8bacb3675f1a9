//! How a session begins, how long it is used, and servers that are not there.

use super::*;
use crate::port::closed::closed_port;

#[test]
fn greetings_and_hellos_of_every_kind() {
    let rest = [
        Hear("MAIL FROM:<bob@far.example>\\r", "250 ok\r\n"),
        Hear("RCPT", "250 ok\r\n"),
        Hear("DATA", "354 go\r\n"),
        Content("250 ok\r\n"),
    ];
    let old = [
        Say("220-old\r\n220 server\r\n"),
        Hear("EHLO", "500 what?\r\n"),
        Hear("HELO leaf", "250 hi\r\n"),
    ];
    assert_eq!(one(&old, &rest), "delivered");
    for (hello, expected) in [
        (
            vec![Say("554 5.7.1 not you\r\n")],
            "deferred 4.4.1 the greeting is 554",
        ),
        (
            vec![Say("SSH-2.0-OpenSSH_9.2\r\n")],
            "deferred 4.4.1 'SSH-2.0",
        ),
        (vec![HangUp], "deferred 4.4.1"),
        (
            vec![
                Say("220 x\r\n"),
                Hear("EHLO", "500 no\r\n"),
                Hear("HELO", "550 no\r\n"),
            ],
            "deferred 4.4.1 HELO",
        ),
        (vec![Say("421 busy\r\n")], "deferred 4.4.1 421 busy"),
    ] {
        let outcome = one(&hello, &[]);
        assert!(outcome.starts_with(expected), "{hello:?}: {outcome}");
    }
}

#[test]
fn a_server_that_says_nothing_is_left_when_the_time_is_over() {
    for steps in [vec![Silence], vec![Say("220 hub\r\n250-part"), Silence]] {
        let (target, _heard) = serve(vec![steps]);
        let mut smtp = Smtp::new(Client {
            limit: Duration::from_millis(40),
            ..settings(Peer::Server(target))
        });
        let outcome = offer(&mut smtp, &["a@x"], b"x").remove(0);
        assert!(
            outcome.starts_with("deferred 4.4.1 the server has not answered"),
            "{outcome}"
        );
    }
}

#[test]
fn the_session_is_used_again_and_a_closed_one_replaced() {
    let transaction = [
        Hear("MAIL", "250 ok\r\n"),
        Hear("RCPT", "250 ok\r\n"),
        Hear("DATA", "354 go\r\n"),
        Content("250 ok\r\n"),
    ];
    let refused = [Hear("MAIL", "550 no\r\n"), Hear("RSET", "250 ok\r\n")];
    let (target, _heard) = serve(vec![
        script(
            &PLAIN,
            &[&refused[..], &transaction, &transaction, &[HangUp]].concat(),
        ),
        script(&PLAIN, &transaction),
    ]);
    let mut smtp = client(target);
    assert_eq!(offer(&mut smtp, &["a@x"], b"x\n"), ["refused 5.0.0 550 no"]);
    for _ in 0..3 {
        assert_eq!(offer(&mut smtp, &["a@x"], b"x\n"), ["delivered"]);
    }
}

#[test]
fn a_port_where_nobody_listens_is_for_now() {
    let (host, port) = ("127.0.0.1".to_owned(), closed_port());
    let mut smtp = client(ServerAddress::Tcp(HostPort { host, port }));
    assert!(!smtp.connect());
    assert!(offer(&mut smtp, &["a@x"], b"x")[0].starts_with("deferred 4.4.1 cannot connect: "));
}

#[test]
fn a_unix_socket_that_is_not_there_is_for_now() {
    let mut smtp = client(ServerAddress::Unix("/nonexistent/lmtp".into()));
    let outcome = offer(&mut smtp, &["a@x"], b"x").remove(0);
    assert!(
        outcome.starts_with("deferred 4.4.1 cannot connect: No such file"),
        "{outcome}"
    );
}

#[test]
fn a_session_is_left_after_many_refusals_or_messages() {
    let refused = [
        Hear("MAIL", "250 ok\r\n"),
        Hear("RCPT", "550 nobody\r\n"),
        Hear("RSET", "250 ok\r\n"),
    ];
    let mut steps: Vec<Step> = refused.iter().cloned().cycle().take(24).collect();
    steps.pop();
    steps.push(Hear("QUIT", ""));
    let (target, _heard) = serve(vec![
        script(&PLAIN, &steps),
        script(
            &PLAIN,
            &[&taken("MAIL", "RCPT")[..], &[Hear("QUIT", "")]].concat(),
        ),
        script(&PLAIN, &taken("MAIL", "RCPT")),
    ]);
    let mut smtp = client(target.clone());
    for _ in 0..8 {
        assert_eq!(
            offer(&mut smtp, &["a@x"], b"x\n"),
            ["refused 5.0.0 550 nobody"]
        );
    }
    drop(smtp);
    let mut smtp = Smtp::new(Client {
        session_messages: NonZeroU32::new(1),
        ..settings(Peer::Server(target))
    });
    for _ in 0..2 {
        assert_eq!(offer(&mut smtp, &["a@x"], b"x\n"), ["delivered"]);
    }
}
