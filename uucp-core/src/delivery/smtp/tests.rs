use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::config::mail::HostPort;

/// One step of a server's script.
#[derive(Debug, Clone)]
enum Step {
    /// Says this at once.
    Say(&'static str),
    /// Reads a line that begins so, then says this.
    Hear(&'static str, &'static str),
    /// Reads content to the lone dot, then says this.
    Content(&'static str),
    /// Closes the connection.
    HangUp,
    /// Reads until the client goes away.
    Silence,
}
use Step::{Content, HangUp, Hear, Say, Silence};

const PLAIN: [Step; 2] = [Say("220 hub ESMTP\r\n"), Hear("EHLO leaf", "250 hub\r\n")];
const PIPELINED: [Step; 2] = [
    Say("220 hub ESMTP\r\n"),
    Hear(
        "EHLO leaf",
        "250-hub\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
    ),
];

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

/// Serves one connection per script; what was heard comes through the channel.
fn serve(scripts: Vec<Vec<Step>>) -> (ServerAddress, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, heard) = channel();
    std::thread::spawn(move || {
        for script in scripts {
            let (stream, _) = listener.accept().unwrap();
            play(&stream, script, &sender);
        }
    });
    let host = "127.0.0.1".to_owned();
    (ServerAddress::Tcp(HostPort { host, port }), heard)
}

fn play<'s, S>(stream: &'s S, script: Vec<Step>, sender: &std::sync::mpsc::Sender<String>)
where
    &'s S: Read + Write,
{
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    let mut line = || {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).unwrap_or(0);
        line.escape_ascii().to_string()
    };
    for step in script {
        match step {
            Say(text) => writer.write_all(text.as_bytes()).unwrap_or(()),
            Hear(start, answer) => {
                let heard = line();
                let wrong = !heard.starts_with(start);
                let _ = sender.send(heard);
                if wrong {
                    return;
                }
                let _ = writer.write_all(answer.as_bytes());
            }
            Content(answer) => {
                let mut content = String::new();
                while !content.ends_with("\\r\\n.\\r\\n") && content != ".\\r\\n" {
                    let next = line();
                    if next.is_empty() {
                        break;
                    }
                    content.push_str(&next);
                }
                let _ = sender.send(content);
                let _ = writer.write_all(answer.as_bytes());
            }
            HangUp => return,
            Silence => while !line().is_empty() {},
        }
    }
}

fn script(hello: &[Step], steps: &[Step]) -> Vec<Step> {
    [hello, steps].concat()
}

fn client(target: ServerAddress) -> Smtp {
    Smtp::new(settings(Peer::Server(target)))
}

fn settings(peer: Peer) -> Client {
    Client {
        peer,
        is_lmtp: false,
        hello: "leaf".to_owned(),
        limit: Duration::from_secs(20),
        session_messages: None,
        scratch: std::env::temp_dir(),
    }
}

fn offer(smtp: &mut Smtp, recipients: &[&str], content: &[u8]) -> Vec<String> {
    offer_as_wished(smtp, recipients, content, &Wishes::default())
}

fn offer_as_wished(
    smtp: &mut Smtp,
    recipients: &[&str],
    content: &[u8],
    wishes: &Wishes,
) -> Vec<String> {
    let message = Message::from_bytes(content.to_vec());
    let recipients: Vec<Recipient<'_>> = recipients
        .iter()
        .enumerate()
        .map(|(index, recipient)| Recipient {
            address: recipient.as_bytes().to_vec(),
            wishes: wishes.of(index),
        })
        .collect();
    let transaction = Transaction {
        sender: b"bob@far.example",
        recipients: &recipients,
        wishes,
        message: &message,
    };
    let told = |outcome| match outcome {
        None => "again".to_owned(),
        Some(Outcome::Delivered) => "delivered".to_owned(),
        Some(Outcome::Refused(reply)) => format!("refused {} {}", reply.status, reply.text),
        Some(Outcome::Deferred(reply)) => format!("deferred {} {}", reply.status, reply.text),
    };
    match smtp.transact(&transaction, &mut || Ok(())) {
        Transacted::Outcomes { outcomes, .. } => outcomes.into_iter().map(told).collect(),
        Transacted::NoSession(reply) => {
            vec![told(Some(Outcome::Deferred(reply))); recipients.len()]
        }
    }
}

fn one(hello: &[Step], steps: &[Step]) -> String {
    let (target, _heard) = serve(vec![script(hello, steps)]);
    offer(&mut client(target), &["a@x"], b"Subject: s\n\nbody\n").remove(0)
}

#[test]
fn a_message_goes_over_dot_stuffed_with_an_outcome_for_each() {
    for hello in [PLAIN, PIPELINED] {
        let (target, heard) = serve(vec![script(
            &hello,
            &[
                Hear("MAIL FROM:<bob@far.example>", "250 2.1.0 ok\r\n"),
                Hear("RCPT TO:<a@x>", "250 2.1.5 ok\r\n"),
                Hear("RCPT TO:<b@x>", "550 5.1.1 no such user\r\n"),
                Hear("RCPT TO:<c@x>", "450 4.2.0 greylisted\r\n"),
                Hear("RCPT TO:<\\\"d e\\\"@x>", "251 will forward\r\n"),
                Hear("DATA", "354 go\r\n"),
                Content("250 2.0.0 queued\r\n"),
                Hear("QUIT", ""),
            ],
        )]);
        let mut smtp = client(target);
        let outcomes = offer(
            &mut smtp,
            &["a@x", "b@x", "c@x", "\"d e\"@x"],
            b"S: x\n\n.\n\n.\r\nMAIL FROM:<e>\n",
        );
        drop(smtp);
        assert_eq!(
            outcomes,
            [
                "delivered",
                "refused 5.1.1 550 5.1.1 no such user",
                "deferred 4.2.0 450 4.2.0 greylisted",
                "delivered"
            ]
        );
        let heard: Vec<String> = heard.iter().collect();
        assert_eq!(
            heard[7],
            "S: x\\r\\n\\r\\n..\\r\\n\\r\\n..\\r\\nMAIL FROM:<e>\\r\\n.\\r\\n"
        );
        assert_eq!(heard[8], "QUIT\\r\\n");
    }
}

#[test]
fn answers_to_each_command_mean_what_they_say() {
    let mail = Hear("MAIL", "250 ok\r\n");
    let rcpt = Hear("RCPT", "250 ok\r\n");
    let data = Hear("DATA", "354 go\r\n");
    for (steps, expected) in [
        (
            vec![Hear("MAIL", "552 5.3.4 too big\r\n")],
            "refused 5.3.4 552 5.3.4 too big",
        ),
        (
            vec![Hear("MAIL", "451 4.7.1 later\r\n")],
            "deferred 4.7.1 451 4.7.1 later",
        ),
        (
            vec![Hear("MAIL", "503 polite people say EHLO\r\n")],
            "deferred 4.5.0 503 polite",
        ),
        (
            vec![Hear("MAIL", "530 5.7.0 authenticate\r\n")],
            "deferred 4.5.0 530",
        ),
        (
            vec![mail.clone(), Hear("RCPT", "554 no\r\n")],
            "refused 5.0.0 554 no",
        ),
        (
            vec![mail.clone(), Hear("RCPT", "504 5.5.2 not qualified\r\n")],
            "refused 5.5.2 504",
        ),
        (
            vec![mail.clone(), Hear("RCPT", "452 4.5.3 too many\r\n")],
            "deferred 4.5.3 452",
        ),
        (
            vec![mail.clone(), rcpt.clone(), Hear("DATA", "554 5.7.1 no\r\n")],
            "refused 5.7.1 554",
        ),
        (
            vec![mail.clone(), rcpt.clone(), Hear("DATA", "250 what?\r\n")],
            "deferred 4.5.0 250 what?",
        ),
        (
            vec![
                mail.clone(),
                rcpt.clone(),
                data.clone(),
                Content("554 5.6.0 no\r\n"),
            ],
            "refused 5.6.0 554",
        ),
        (
            vec![
                mail.clone(),
                rcpt.clone(),
                data,
                Content("452 4.3.1 disk\r\n"),
            ],
            "deferred 4.3.1 452",
        ),
        (
            vec![
                mail.clone(),
                rcpt.clone(),
                Hear("DATA", "421 4.3.2 bye\r\n"),
            ],
            "deferred 4.4.2 421 4.3.2 bye",
        ),
        (vec![mail, rcpt, HangUp], "deferred 4.4.2"),
        (
            vec![Hear("MAIL", "HTTP/1.1 400 Bad Request\r\n")],
            "deferred 4.4.2 'HTTP/1.1",
        ),
    ] {
        let outcome = one(&PLAIN, &steps);
        assert!(outcome.starts_with(expected), "{steps:?}: {outcome}");
    }
}

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
fn a_hang_up_after_the_dot_leaves_everything_in_doubt() {
    for hello in [PLAIN, PIPELINED] {
        let outcome = one(
            &hello,
            &[
                Hear("MAIL", "250 ok\r\n"),
                Hear("RCPT", "250 ok\r\n"),
                Hear("DATA", "354 go\r\n"),
                Content(""),
                HangUp,
            ],
        );
        assert!(
            outcome.starts_with("deferred 4.4.2 after the message was sent, so nobody knows"),
            "{outcome}"
        );
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
fn parameters_are_said_only_when_offered_and_needed() {
    let rest = |mail| {
        vec![
            Hear(mail, "250 ok\r\n"),
            Hear("RCPT", "250 ok\r\n"),
            Hear("DATA", "354 go\r\n"),
            Content("250 ok\r\n"),
        ]
    };
    let large = vec![b'x'; 70_000];
    for (hello, content, recipient, mail) in [
        (
            PIPELINED,
            &b"x\n"[..],
            "a@x",
            "MAIL FROM:<bob@far.example>\\r",
        ),
        (
            PIPELINED,
            b"\xe9\n",
            "a@x",
            "MAIL FROM:<bob@far.example> BODY=8BITMIME\\r",
        ),
        (
            PIPELINED,
            b"x\n",
            "\u{17e}@x",
            "MAIL FROM:<bob@far.example> BODY=8BITMIME SMTPUTF8\\r",
        ),
        (
            PIPELINED,
            &large,
            "a@x",
            "MAIL FROM:<bob@far.example> SIZE=70000\\r",
        ),
        (PLAIN, b"\xe9\n", "a@x", "MAIL FROM:<bob@far.example>\\r"),
        (PLAIN, &large, "a@x", "MAIL FROM:<bob@far.example>\\r"),
    ] {
        let (target, _heard) = serve(vec![script(&hello, &rest(mail))]);
        assert_eq!(
            offer(&mut client(target), &[recipient], content),
            ["delivered"],
            "{mail}"
        );
    }
}

#[test]
fn nobody_accepted_is_nothing_sent() {
    // Pipelined, the server may ask for content all the same: it gets none.
    let (target, heard) = serve(vec![script(
        &PIPELINED,
        &[
            Hear("MAIL", "250 ok\r\n"),
            Hear("RCPT", "550 no\r\n"),
            Hear("DATA", "354 go\r\n"),
            Content("554 no valid recipients\r\n"),
            Hear("MAIL", "250 ok\r\n"),
            Hear("RCPT", "250 ok\r\n"),
            Hear("DATA", "354 go\r\n"),
            Content("250 ok\r\n"),
        ],
    )]);
    let mut smtp = client(target);
    assert_eq!(
        offer(&mut smtp, &["a@x"], b"secret\n"),
        ["refused 5.0.0 550 no"]
    );
    assert_eq!(offer(&mut smtp, &["b@x"], b"next\n"), ["delivered"]);
    let heard: Vec<String> = heard.iter().take(9).collect();
    assert_eq!(heard[4], ".\\r\\n");
    assert_eq!(heard[8], "next\\r\\n.\\r\\n");
}

#[test]
fn too_many_recipients_are_offered_again_when_others_got_it() {
    let (target, _heard) = serve(vec![script(
        &PIPELINED,
        &[
            Hear("MAIL", "250 ok\r\n"),
            Hear("RCPT", "250 ok\r\n"),
            Hear("RCPT", "452 4.5.3 too many\r\n"),
            Hear("DATA", "354 go\r\n"),
            Content("250 ok\r\n"),
        ],
    )]);
    assert_eq!(
        offer(&mut client(target), &["a@x", "b@x"], b"x\n"),
        ["delivered", "again"]
    );
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
fn a_thousand_recipients_go_in_groups() {
    let mut steps = vec![Hear("MAIL", "250 ok\r\n")];
    steps.extend((0..450).map(|_| Hear("RCPT", "250 ok\r\n")));
    steps.extend([Hear("DATA", "354 go\r\n"), Content("250 ok\r\n")]);
    let (target, _heard) = serve(vec![script(&PIPELINED, &steps)]);
    let outcomes = offer(&mut client(target), &["a@x"; 450], b"x\n");
    assert_eq!(outcomes, vec!["delivered"; 450]);
}

#[test]
fn a_port_where_nobody_listens_is_for_now() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let host = "127.0.0.1".to_owned();
    let mut smtp = client(ServerAddress::Tcp(HostPort { host, port }));
    assert!(!smtp.connect());
    assert!(offer(&mut smtp, &["a@x"], b"x")[0].starts_with("deferred 4.4.1 cannot connect"));
}

const EVERYTHING: [Step; 2] = [
    Say("220 hub ESMTP\r\n"),
    Hear(
        "EHLO leaf",
        "250-hub\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n",
    ),
];

/// A transaction with these commands that is taken.
fn taken(mail: &'static str, rcpt: &'static str) -> Vec<Step> {
    vec![
        Hear(mail, "250 ok\r\n"),
        Hear(rcpt, "250 ok\r\n"),
        Hear("DATA", "354 go\r\n"),
        Content("250 ok\r\n"),
    ]
}

fn wishes() -> Wishes {
    let value = |text: &str| Some(text.as_bytes().to_vec());
    Wishes {
        smtputf8: false,
        ret: value("HDRS"),
        envid: value("QQ314159"),
        recipients: vec![RecipientWishes {
            notify: value("SUCCESS,FAILURE"),
            orcpt: value("rfc822;Bob+40x"),
        }],
    }
}

#[test]
fn wishes_about_reports_are_said_where_dsn_is_offered() {
    for (hello, mail, rcpt) in [
        (
            EVERYTHING,
            "MAIL FROM:<bob@far.example> RET=HDRS ENVID=QQ314159\\r",
            "RCPT TO:<a@x> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bob+40x\\r",
        ),
        (
            PIPELINED,
            "MAIL FROM:<bob@far.example>\\r",
            "RCPT TO:<a@x>\\r",
        ),
    ] {
        let (target, _heard) = serve(vec![script(&hello, &taken(mail, rcpt))]);
        let mut smtp = client(target);
        let outcomes = offer_as_wished(&mut smtp, &["a@x"], b"x\n", &wishes());
        assert_eq!(outcomes, ["delivered"], "{mail}");
        assert_eq!(smtp.passes_dsn(), mail.contains("RET"));
    }
}

#[test]
fn no_wish_can_begin_another_command() {
    let value = |text: &str| Some(text.as_bytes().to_vec());
    let wishes = Wishes {
        ret: value("FULL\r\nRCPT TO:<evil@x>"),
        envid: value(""),
        recipients: vec![RecipientWishes {
            notify: value("NEVER SIZE=1"),
            orcpt: value("utf-8;\u{17e}"),
        }],
        ..Wishes::default()
    };
    let plain = "250-hub\r\n250 DSN\r\n";
    let hello = [Say("220 hub\r\n"), Hear("EHLO", plain)];
    let steps = taken("MAIL FROM:<bob@far.example>\\r", "RCPT TO:<a@x>\\r");
    let (target, _heard) = serve(vec![script(&hello, &steps)]);
    let outcomes = offer_as_wished(&mut client(target), &["a@x"], b"x\n", &wishes);
    assert_eq!(outcomes, ["delivered"]);
}

#[test]
fn what_needs_smtputf8_goes_only_where_it_is_offered() {
    let utf8 = Wishes {
        smtputf8: true,
        ..Wishes::default()
    };
    let header = "Subject: \u{17e}\n\nbody\n".as_bytes();
    let body = "Subject: z\n\n\u{17e}\n".as_bytes();
    let with = "MAIL FROM:<bob@far.example> BODY=8BITMIME SMTPUTF8\\r";
    let without = "MAIL FROM:<bob@far.example>\\r";
    for (hello, wishes, content, mail) in [
        (EVERYTHING, &utf8, header, with),
        (EVERYTHING, &utf8, body, with),
        (PLAIN, &utf8, body, without),
        (PLAIN, &Wishes::default(), header, without),
    ] {
        let (target, _heard) = serve(vec![script(&hello, &taken(mail, "RCPT TO:<a@x>\\r"))]);
        let outcomes = offer_as_wished(&mut client(target), &["a@x"], content, wishes);
        assert_eq!(outcomes, ["delivered"], "{mail}");
    }
    // One recipient alone needs it: the other gets the message. Then the header needs it: nobody does.
    let (target, _heard) = serve(vec![script(&PLAIN, &taken("MAIL", "RCPT TO:<a@x>\\r"))]);
    let mut smtp = client(target);
    let recipients = ["\u{17e}@x", "a@x", "b@\u{17e}"];
    let outcomes = offer_as_wished(&mut smtp, &recipients[..2], b"x\n", &utf8);
    assert!(
        outcomes[0].starts_with("refused 5.6.7 the recipient's"),
        "{outcomes:?}"
    );
    assert_eq!(outcomes[1], "delivered");
    let outcomes = offer_as_wished(&mut smtp, &["a@x"], header, &utf8);
    assert!(
        outcomes[0].starts_with("refused 5.6.9 the message's header"),
        "{outcomes:?}"
    );
}

#[test]
fn postfix_is_never_told_a_size_but_its_limit_is_heeded() {
    let hello = [
        Say("220 mail.example ESMTP Postfix (Debian/GNU)\r\n"),
        Hear("EHLO", "250-hub\r\n250 SIZE 80000\r\n"),
    ];
    let steps = taken("MAIL FROM:<bob@far.example>\\r", "RCPT");
    let (target, _heard) = serve(vec![script(&hello, &steps)]);
    let mut smtp = client(target);
    assert_eq!(
        offer(&mut smtp, &["a@x"], &vec![b'x'; 80_000]),
        ["delivered"]
    );
    let outcome = offer(&mut smtp, &["a@x"], &vec![b'x'; 80_001]).remove(0);
    assert!(
        outcome.starts_with("refused 5.3.4 the message has 80001 bytes"),
        "{outcome}"
    );
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

#[test]
fn a_unix_socket_that_is_not_there_is_for_now() {
    let mut smtp = client(ServerAddress::Unix("/nonexistent/lmtp".into()));
    let outcome = offer(&mut smtp, &["a@x"], b"x").remove(0);
    assert!(
        outcome.starts_with("deferred 4.4.1 cannot connect to /nonexistent/lmtp: No such file"),
        "{outcome}"
    );
}

#[test]
fn after_the_content_every_5xx_is_about_the_message() {
    // OpenSMTPD says 500 to a line that is too long.
    let steps = [
        Hear("MAIL", "250 ok\r\n"),
        Hear("RCPT", "250 ok\r\n"),
        Hear("DATA", "354 go\r\n"),
        Content("500 5.0.0 Line too long\r\n"),
    ];
    assert_eq!(one(&PLAIN, &steps), "refused 5.0.0 500 5.0.0 Line too long");
}

#[test]
fn a_server_that_refuses_content_and_hangs_up_is_heard() {
    for (said, expected) in [
        ("552 5.3.4 too big\r\n", "refused 5.3.4 552 5.3.4 too big"),
        (
            "421 4.3.0 out of memory\r\n",
            "deferred 4.3.0 421 4.3.0 out of memory",
        ),
    ] {
        let steps = [
            Hear("MAIL", "250 ok\r\n"),
            Hear("RCPT", "250 ok\r\n"),
            Hear("DATA", "354 go\r\n"),
            Say(said),
            HangUp,
        ];
        let (target, _heard) = serve(vec![script(&PLAIN, &steps)]);
        // More than any socket's buffers hold.
        let large = vec![b'x'; 32 << 20];
        assert_eq!(offer(&mut client(target), &["a@x"], &large), [expected]);
    }
}

#[test]
fn a_421_amid_the_recipients_goes_on_in_a_new_session_with_the_rest() {
    let mail = Hear("MAIL", "250 ok\r\n");
    let too_often = [
        mail.clone(),
        Hear("RCPT TO:<a@x>", "550 nobody\r\n"),
        Hear("RCPT TO:<b@x>", "421 4.7.0 too many errors\r\n"),
        HangUp,
    ];
    let (target, _heard) = serve(vec![script(&PLAIN, &too_often)]);
    let outcomes = offer(&mut client(target), &["a@x", "b@x", "c@x"], b"x\n");
    assert_eq!(outcomes, ["refused 5.0.0 550 nobody", "again", "again"]);
    // Nobody was settled: asking again would lead nowhere.
    let at_once = [
        mail,
        Hear("RCPT TO:<a@x>", "421 4.3.2 going down\r\n"),
        HangUp,
    ];
    let (target, _heard) = serve(vec![script(&PLAIN, &at_once)]);
    let outcomes = offer(&mut client(target), &["a@x"], b"x\n");
    assert_eq!(outcomes, ["deferred 4.4.2 421 4.3.2 going down"]);
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

/// A program that says `script`, a shell script, where a real one would speak SMTP.
fn program(folder: &std::path::Path, script: &str) -> Peer {
    let command = folder.join("sendmail");
    std::fs::write(
        &command,
        format!("#!/bin/sh\n[ \"$*\" = -bs ] || exit 64\n{script}"),
    )
    .unwrap();
    std::fs::set_permissions(&command, PermissionsExt::from_mode(0o755)).unwrap();
    Peer::Program {
        command,
        flavour: Flavour::Postfix,
    }
}

/// A shell's SMTP server: it says yes, and keeps what it hears in `heard`.
const SHELL_SERVER: &str = r#"
say() { printf '%s\r\n' "$1"; }
exec 3>"$(dirname "$0")/heard"
hear() { IFS= read -r line || exit 1; printf '%s\n' "$line" >&3; }
say '220 x ESMTP Postfix'
hear; say '250-x'; say '250-PIPELINING'; say '250 SIZE 0'
while hear; do
    case $line in
        QUIT*) say '221 bye'; exit 0 ;;
        DATA*) say '354 go'
            while hear; do case $line in .?) break ;; esac; done
            say '250 queued' ;;
        *) say '250 ok' ;;
    esac
done
"#;

#[test]
fn a_program_is_talked_to_like_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut smtp = Smtp::new(settings(program(folder.path(), SHELL_SERVER)));
    let large = b"123456789 123456789\n".repeat(4000);
    assert_eq!(offer(&mut smtp, &["a@x"], &large), ["delivered"]);
    assert_eq!(offer(&mut smtp, &["b@x"], b".\n"), ["delivered"]);
    // It is waited for, so what it heard is complete.
    drop(smtp);
    let heard = std::fs::read_to_string(folder.path().join("heard")).unwrap();
    let ends = "MAIL FROM:<bob@far.example>\r\nRCPT TO:<b@x>\r\nDATA\r\n..\r\n.\r\nQUIT\r\n";
    assert!(heard.ends_with(ends), "{}", heard.escape_debug());
    assert!(!heard.contains("SIZE"));
}

#[test]
fn a_program_that_dies_says_why() {
    for (script, expected) in [
        (
            "echo 'sendmail: fatal: no such user' >&2; exit 75\n",
            "deferred 4.4.1 the server hung up: sendmail: fatal: no such user",
        ),
        (
            "printf '220 x\\r\\n'; read a; printf '250 x\\r\\n'; read b; kill -9 $$\n",
            "deferred 4.4.2 the server hung up",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut smtp = Smtp::new(settings(program(folder.path(), script)));
        assert_eq!(offer(&mut smtp, &["a@x"], b"x\n"), [expected]);
    }
}

#[test]
fn a_program_that_hangs_is_killed_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let mut smtp = Smtp::new(Client {
        limit: Duration::from_millis(50),
        ..settings(program(folder.path(), "sleep 1000 & wait\n"))
    });
    let outcome = offer(&mut smtp, &["a@x"], b"x\n").remove(0);
    assert!(
        outcome.starts_with("deferred 4.4.1 the server has not answered"),
        "{outcome}"
    );
}
