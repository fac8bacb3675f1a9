//! Batches that receivers lose mail over: bad commands, cuts, and content that plays at being a command.

use super::*;

const GOOD: &[u8] = b"MAIL FROM:<a@leaf.lab>\nRCPT TO:<b@hub.lab>\nDATA\nSubject: x\n\ngood\n.\n";

fn good() -> (String, Vec<String>, Vec<u8>) {
    message("a@leaf.lab", &["b@hub.lab"], b"Subject: x\n\ngood\n")
}

/// A bad piece between two good messages, which must both come through.
fn between(bad: &[u8]) -> (Vec<Found>, End) {
    let (found, end) = read(&[b"HELO leaf\n", GOOD, bad, GOOD, b"QUIT\n"].concat());
    let whole = messages(&found);
    assert_eq!(whole.first(), Some(&good()), "{}", bad.escape_ascii());
    assert_eq!(whole.last(), Some(&good()), "{}", bad.escape_ascii());
    assert!(end.quit && end.cut.is_none());
    (found, end)
}

#[test]
fn unknown_commands_are_told_once_and_passed_over() {
    let (found, _) = between(b"XFOO bar\nSTARTTLS\n.\nAUTH x\n");
    assert_eq!(messages(&found).len(), 2);
    assert_eq!(
        faults(&found),
        ["line 9: 'XFOO bar' is not a command of SMTP"]
    );
    let (found, _) = between(b"MAIL FROM:<c@x>\nXFOO\nRCPT TO:<d@y>\nBOO\nDATA\nz\n.\n");
    assert_eq!(messages(&found)[1], message("c@x", &["d@y"], b"z\n"));
    assert_eq!(faults(&found).len(), 2);
}

#[test]
fn a_bad_recipient_takes_nothing_with_it() {
    let (found, _) =
        between(b"MAIL FROM:<c@x>\nRCPT TO:<\"open@y>\nRCPT TO:<d@y>\nRCPT e@y\nDATA\nbody\n.\n");
    let Found::Message(transaction, content) = &found[2] else {
        panic!("{found:?}");
    };
    assert_eq!(recipients(transaction), ["d@y"]);
    assert_eq!(content, b"body\n");
    let refused: Vec<(&[u8], u64)> = transaction
        .refused
        .iter()
        .map(|r| (&r.text[..], r.line))
        .collect();
    assert_eq!(refused, [(&b"<\"open@y>"[..], 10), (b"e@y", 12)]);
    assert_eq!(transaction.refused[1].reason, Reason::Syntax);
}

#[test]
fn a_body_after_refused_commands_is_still_a_body() {
    for envelope in [
        &b"MAIL FROM:<c@x>\nRCPT TO:<>\nDATA\n"[..],
        b"MAIL FROM:<c\nRCPT TO:<d@y>\nDATA\n",
        b"MAIL FROM <c@x>\nRCPT TO:<d@y>\nDATA\n",
        b"RCPT TO:<d@y>\nDATA\n",
        b"MAIL FROM:<c@x>\nDATA\n",
        b"DATA\n",
    ] {
        let body = b"From: x\nMAIL FROM:<evil@x>\nRCPT TO:<victim@y>\nDATA\nevil\nQUIT\n";
        let (found, _) = between(&[envelope, body, b".\n"].concat());
        let Found::Message(transaction, content) = &found[2] else {
            panic!("{found:?}");
        };
        assert_eq!(content, body);
        assert!(transaction.recipients.len() <= 1);
        let complete = !transaction.sender.is_null() && !transaction.recipients.is_empty();
        assert!(!complete, "{}", envelope.escape_ascii());
        assert_eq!(messages(&found).len(), 3);
    }
}

#[test]
fn an_envelope_without_content_is_named_and_gives_its_sender_to_nobody() {
    let (found, _) =
        between(b"MAIL FROM:<cut@x>\nRCPT TO:<d@y>\nMAIL FROM:<e@x>\nRCPT TO:<f@y>\nDATA\nz\n.\n");
    assert_eq!(messages(&found)[1], message("e@x", &["f@y"], b"z\n"));
    assert_eq!(
        faults(&found),
        ["line 9: the message from cut@x to d@y has no content"]
    );
    for next in ["HELO again\n", "QUIT\n", "EHLO again\n"] {
        let (found, _) =
            between(&[b"MAIL FROM:<cut@x>\nRCPT TO:<d@y>\n", next.as_bytes()].concat());
        assert_eq!(faults(&found).len(), 1, "{next}");
    }
    let (found, _) = between(b"MAIL FROM:<cut@x>\nRCPT TO:<d@y>\nRSET\n");
    assert!(faults(&found).is_empty());
}

#[test]
fn what_comes_after_quit_is_read() {
    let (found, end) = read(&[GOOD, b"QUIT\n", GOOD].concat());
    assert_eq!(messages(&found), [good(), good()]);
    assert!(!end.quit);
}

#[test]
fn cuts_are_named_and_cost_only_the_cut_message() {
    let second = b"MAIL FROM:<c@leaf.lab>\nRCPT TO:<d@hub.lab>\nDATA\nSubject: y\n\nlong text\n";
    let (found, end) = read(&[GOOD, second].concat());
    assert_eq!(messages(&found), [good()]);
    assert!(matches!(found.last(), Some(Found::Cut(t, _)) if t.sender.to_string() == "c@leaf.lab"));
    assert_eq!(end.cut, Some(Cut::Content { line: 8 }));
    // A dot without its line end may be the beginning of a stuffed one.
    let (_, end) = read(&[GOOD, second, b"."].concat());
    assert_eq!(end.cut, Some(Cut::Content { line: 8 }));

    let (found, end) = read(&[GOOD, &second[..30]].concat());
    assert_eq!(messages(&found), [good()]);
    let cut = end.cut.unwrap();
    assert_eq!(
        cut.to_string(),
        "line 8: the batch is cut in the envelope of the message from c@leaf.lab"
    );
    let (_, end) = read(&[GOOD, &second[..7]].concat());
    assert_eq!(
        end.cut,
        Some(Cut::Command {
            line: 8,
            text: b"MAIL FR".to_vec()
        })
    );
    let (_, end) = read(&[GOOD, b"QUIT"].concat());
    assert_eq!((end.cut, end.quit), (None, true));
}

#[test]
fn nothing_and_noise() {
    let (found, end) = read(b"");
    assert!(found.is_empty());
    assert_eq!(
        end,
        End {
            messages: 0,
            quit: false,
            ours: false,
            cut: None
        }
    );
    let noise: Vec<u8> = (0..=255)
        .map(|n: u8| n.wrapping_mul(7))
        .cycle()
        .take(4000)
        .collect();
    let (found, end) = read(&noise);
    assert_eq!((messages(&found).len(), faults(&found).len()), (0, 1));
    assert_eq!(end.messages, 0);
}

/// The content of the one message that a batch in CRLF must have, whatever dots are hidden in it.
#[test]
fn only_a_dot_between_line_ends_of_the_batch_ends_content() {
    let hidden = b"MAIL FROM:<evil@x>\r\nRCPT TO:<victim@y>\r\nDATA\r\nevil\r\n";
    let house = b"MAIL FROM:<evil@x>\nRCPT TO:<victim@y>\nDATA\nevil\n";
    for (end, text) in [
        (&b"\n.\r\n"[..], &b"\n.\n"[..]),
        (b"\r.\r", b"\r.\r"),
        (b"\r\n.\n", b"\n\n"),
        (b"\n.\n", b"\n.\n"),
        (b"\r.\r\n", b"\r.\n"),
        (b"\r\n.\r", b"\n\r"),
        (b"\r\n.\0\r\n", b"\n\0\n"),
        (b"\r\r\n.\r\r\n", b"\r\n\r\n"),
    ] {
        let batch = [
            b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhead",
            end,
            hidden,
            b".\r\nQUIT\r\n",
        ]
        .concat();
        let (found, _) = read(&batch);
        let content = [b"head", text, house].concat();
        assert_eq!(
            messages(&found),
            [message("a@b", &["c@d"], &content)],
            "{}",
            end.escape_ascii()
        );
    }
    let hidden = b"MAIL FROM:<evil@x>\nRCPT TO:<victim@y>\nDATA\nevil\n";
    for (end, text) in [
        (&b"\r\n.\r\n"[..], &b"\r\n\r\n"[..]),
        (b"\n.\r\n", b"\n\r\n"),
        (b"\r.\r", b"\r.\r"),
        (b"\r.\n", b"\r.\n"),
        (b"\n..\n", b"\n.\n"),
    ] {
        let batch = [
            b"MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nhead",
            end,
            hidden,
            b".\nQUIT\n",
        ]
        .concat();
        let (found, _) = read(&batch);
        let content = [b"head", text, hidden].concat();
        assert_eq!(
            messages(&found),
            [message("a@b", &["c@d"], &content)],
            "{}",
            end.escape_ascii()
        );
    }
}

#[test]
fn a_line_feed_inside_a_command_hides_no_command() {
    let batch =
        b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d\nDATA\nevil\n.\n>\r\nRCPT TO:<e@f>\r\nDATA\r\nx\r\n.\r\n";
    let (found, _) = read(batch);
    assert_eq!(messages(&found), [message("a@b", &["e@f"], b"x\n")]);
}

#[test]
fn chunks_that_lack_their_end_break_one_message() {
    let chunk = b"MAIL FROM:<c@x>\nRCPT TO:<d@y>\nBDAT 4\n.\nab";
    for (next, told) in [
        (&b""[..], 1),
        (b"RSET\n", 1),
        (b"XFOO\n", 2),
        (b"DATA\ntext\n.\n", 1),
    ] {
        let (found, _) = between(&[&chunk[..], next].concat());
        assert_eq!(faults(&found).len(), told, "{}", next.escape_ascii());
        let broken = found
            .iter()
            .any(|f| matches!(f, Found::Broken(_, content, _) if content == b".\nab"));
        assert!(broken, "{found:?}");
    }
    let (found, end) = read(&[GOOD, b"MAIL FROM:<c@x>\nBDAT x LAST\n", GOOD].concat());
    assert_eq!(messages(&found), [good()]);
    assert_eq!(faults(&found).len(), 2);
    assert_eq!(end.cut, Some(Cut::Unreadable { line: 9 }));
    let (_, end) = read(&[GOOD, chunk].concat());
    assert_eq!(end.cut, Some(Cut::Content { line: 8 }));
}

#[test]
fn memory_is_bounded_and_what_does_not_fit_is_counted() {
    let limits = Limits {
        line: 40,
        recipients: 3,
        envelope: 1000,
    };
    let long = vec![b'x'; 100_000];
    let batch = [
        b"RCPT TO:<",
        &long[..],
        b"@y>\n",
        GOOD,
        b"MAIL FROM:<",
        &long,
        b"@y>\n",
        b"DATA\nx\n.\n",
        &long,
        b"\n",
        b"MAIL FROM:<a@b>\n",
        &b"RCPT TO:<c@d>\n".repeat(5),
        b"DATA\nx\n.\n",
    ]
    .concat();
    let (found, end) = read_in(&batch, &[1000, 17], limits);
    assert_eq!(end.messages, 3);
    let transactions: Vec<&Transaction> = found
        .iter()
        .filter_map(|f| match f {
            Found::Message(transaction, _) => Some(&**transaction),
            _ => None,
        })
        .collect();
    assert_eq!(transactions[0].recipients.len(), 1);
    assert_eq!(transactions[1].refused[0].reason, Reason::TooLong);
    assert_eq!(transactions[1].refused[0].text.len(), 40 - 10);
    assert_eq!(
        (transactions[2].recipients.len(), transactions[2].unlisted),
        (3, 2)
    );
    let limits = Limits {
        envelope: 30,
        ..Limits::default()
    };
    let (found, _) = read_in(
        &[
            &b"MAIL FROM:<a@b>\n"[..],
            &b"RCPT TO:<c@d>\n".repeat(5),
            b"DATA\n.\n",
        ]
        .concat(),
        &[9],
        limits,
    );
    let Found::Message(transaction, _) = &found[0] else {
        panic!("{found:?}")
    };
    assert_eq!((transaction.recipients.len(), transaction.unlisted), (2, 3));
}

#[test]
fn ten_thousand_recipients_and_megabytes_of_header() {
    let mut batch = b"MAIL FROM:<a@b>\n".to_vec();
    for number in 0..10_000 {
        batch.extend_from_slice(format!("RCPT TO:<user{number}@hub.lab>\n").as_bytes());
    }
    batch.extend_from_slice(b"DATA\n");
    let header = b"X-Long: header\n".repeat(200_000);
    batch.extend_from_slice(&header);
    batch.extend_from_slice(b".\n");
    let (found, _) = read_in(&batch, &[65_536], Limits::default());
    let Found::Message(transaction, content) = &found[0] else {
        panic!("no message")
    };
    assert_eq!(
        (transaction.recipients.len(), transaction.unlisted),
        (10_000, 0)
    );
    assert!(*content == header);
}
