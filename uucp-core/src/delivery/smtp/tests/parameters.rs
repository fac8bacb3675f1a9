//! What is said beside the addresses: only what the server offers and the message needs.

use super::*;
use crate::bsmtp::By;

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

const EVERYTHING: [Step; 2] = [
    Say("220 hub ESMTP\r\n"),
    Hear(
        "EHLO leaf",
        "250-hub\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DELIVERBY 60\r\n250-MT-PRIORITY\r\n250 DSN\r\n",
    ),
];

fn wishes() -> Wishes {
    let value = |text: &str| Some(text.as_bytes().to_vec());
    Wishes {
        smtputf8: false,
        ret: value("HDRS"),
        envid: value("QQ314159"),
        by: Some(By {
            seconds: 120,
            returned: true,
            trace: false,
        }),
        mt_priority: Some(-3),
        recipients: vec![RecipientWishes {
            notify: value("SUCCESS,FAILURE"),
            orcpt: value("rfc822;Bob+40x"),
        }],
    }
}

#[test]
fn wishes_are_said_where_their_extension_is_offered() {
    for (hello, mail, rcpt) in [
        (
            EVERYTHING,
            "MAIL FROM:<bob@far.example> RET=HDRS ENVID=QQ314159 BY=120;R MT-PRIORITY=-3\\r",
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
