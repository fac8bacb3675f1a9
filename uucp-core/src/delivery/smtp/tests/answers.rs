//! What the server says to a transaction, and what that means.

use super::*;

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
fn a_thousand_recipients_go_in_groups() {
    let mut steps = vec![Hear("MAIL", "250 ok\r\n")];
    steps.extend((0..450).map(|_| Hear("RCPT", "250 ok\r\n")));
    steps.extend([Hear("DATA", "354 go\r\n"), Content("250 ok\r\n")]);
    let (target, _heard) = serve(vec![script(&PIPELINED, &steps)]);
    let outcomes = offer(&mut client(target), &["a@x"; 450], b"x\n");
    assert_eq!(outcomes, vec!["delivered"; 450]);
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
fn what_a_server_says_before_the_message_is_not_its_answer_to_it() {
    for hello in [&PLAIN, &PIPELINED] {
        for early in ["354 go\r\n250 ok\r\n", "354 go\r\n2"] {
            let steps = [
                Hear("MAIL", "250 ok\r\n"),
                Hear("RCPT", "250 ok\r\n"),
                Hear("DATA", early),
            ];
            let told = one(hello, &steps);
            assert!(!told.starts_with("delivered"), "{early:?}: {told}");
        }
    }
}
