//! What producers write, byte for byte.

use super::*;

/// Exim 4.96, `use_bsmtp`: no HELO, no QUIT, LF, dots stuffed, addresses raw.
const EXIM: &[u8] = b"MAIL FROM:<bob@leaf.lab>\n\
RCPT TO:<alice@hub.lab>\n\
RCPT TO:<\"a b\"@hub.lab>\n\
RCPT TO:<-x@hub.lab>\n\
RCPT TO:<\xc5\xbeofie@hub.lab>\n\
DATA\n\
Received: from root by leaf.lab with local (Exim 4.96)\n\
\n\
..dot line\n\
From at start\n\
.\n";

const EXIM_CONTENT: &[u8] = b"Received: from root by leaf.lab with local (Exim 4.96)\n\
\n\
.dot line\n\
From at start\n";

#[test]
fn exim_with_line_feeds_and_with_use_crlf() {
    let to = [
        "alice@hub.lab",
        "\"a b\"@hub.lab",
        "-x@hub.lab",
        "\u{17e}ofie@hub.lab",
    ];
    let bounce = b"MAIL FROM:<>\nRCPT TO:<bob@leaf.lab>\nDATA\n\n.\n";
    let batch = [EXIM, bounce].concat();
    for batch in [batch.clone(), crlf(&batch)] {
        let (found, end) = read(&batch);
        assert_eq!(
            messages(&found),
            [
                message("bob@leaf.lab", &to, EXIM_CONTENT),
                message("<>", &["bob@leaf.lab"], b"\n"),
            ]
        );
        assert!(faults(&found).is_empty());
        let whole = End {
            messages: 2,
            quit: false,
            ours: false,
            cut: None,
        };
        assert_eq!(end, whole);
    }
}

#[test]
fn half_baked_files_of_smail_between_helo_and_quit() {
    // Its script writes the first and the last line, its transport the rest: the line ends need not be the same.
    let batch = [
        b"HELO leaf\n".to_vec(),
        crlf(EXIM),
        EXIM.to_vec(),
        b"QUIT\n".to_vec(),
    ]
    .concat();
    let (found, end) = read(&batch);
    assert_eq!(found[0], Found::Hello("leaf".to_owned(), false));
    let contents: Vec<Vec<u8>> = messages(&found).into_iter().map(|m| m.2).collect();
    assert_eq!(contents, [EXIM_CONTENT, EXIM_CONTENT]);
    assert_eq!(found.last(), Some(&Found::Quit));
    assert!(end.quit && !end.ours && end.cut.is_none());
}

#[test]
fn rfc_2442_with_parameters_and_chunks() {
    let batch = b"EHLO hub.lab\r\n\
        MAIL FROM:<bob@hub.lab> SIZE=200 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ314\r\n\
        RCPT TO:<alice@leaf.lab> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Alice@leaf.lab\r\n\
        BDAT 9\r\n\
        .\r\n\
        abc\r\n\
        \r\
        BDAT 6 LAST\r\n\
        \nab\r\n\r\
        RSET\r\n\
        QUIT\r\n";
    let (found, end) = read(batch);
    let Found::Message(transaction, content) = &found[1] else {
        panic!("{found:?}");
    };
    // A CR LF that two chunks share is one line end; a CR at the very end is content.
    assert_eq!(content, b".\nabc\n\nab\n\r");
    assert_eq!(transaction.parameters.size, Some(200));
    assert_eq!(transaction.parameters.body, Some(Body::EightBitMime));
    assert_eq!(transaction.parameters.envid.as_deref(), Some(&b"QQ314"[..]));
    let recipient = &transaction.recipients[0];
    assert!(recipient.notify.unwrap().success && !recipient.notify.unwrap().failure);
    assert_eq!(
        recipient.orcpt.as_deref(),
        Some(&b"rfc822;Alice@leaf.lab"[..])
    );
    assert!(end.quit && end.messages == 1);
}

#[test]
fn routes_paths_and_bare_names_of_old_mailers() {
    let batch =
        b"#! rsmtp 12\nHELO ulm\nVERB ON\nTICK 12\nMAIL FROM:<@a,@b:carl@c>\nRCPT TO: d!e!frank\n\
        rcpt to:<postmaster>\nRCPT TO:<u%h@dom>\nVRFY bob\nNOOP\ndata\nx\n.\nRSET\n\nQUIT\n\0\0";
    let (found, end) = read(batch);
    assert_eq!(
        messages(&found),
        [message(
            "carl@c",
            &["d!e!frank", "postmaster", "u%h@dom"],
            b"x\n"
        )]
    );
    // Padding behind the end is not understood, and is told as such.
    assert!(faults(&found).is_empty(), "{:?}", faults(&found));
    assert!(end.quit);
}

#[test]
fn several_batches_in_a_row_are_all_read() {
    let batch = b"HELO a\nMAIL FROM:<x@a>\nRCPT TO:<y@b>\nDATA\none\n.\nQUIT\n\
        HELO b\nMAIL FROM:<x@b>\nRCPT TO:<y@b>\nDATA\ntwo\n.\nQUIT\n";
    let (found, end) = read(batch);
    assert_eq!(messages(&found).len(), 2);
    assert_eq!(found.iter().filter(|f| **f == Found::Quit).count(), 2);
    assert!(end.quit && end.messages == 2);
}

#[test]
fn ours_ends_with_quit_or_is_cut() {
    let mut writer = Writer::new(Vec::new(), Style::plain("leaf")).unwrap();
    let sender = crate::address::ReversePath::parse(b"bob@leaf.lab").unwrap();
    let to = crate::address::Address::parse(b"alice@hub.lab").unwrap();
    let transaction = Transaction::new(sender, vec![to.into()]);
    writer
        .message(&transaction, &mut &b".\nno last line end"[..])
        .unwrap();
    let batch = writer.finish().unwrap();
    assert_eq!(
        batch,
        b"HELO leaf\nNOOP bangpath\nMAIL FROM:<bob@leaf.lab>\nRCPT TO:<alice@hub.lab>\nDATA\n..\nno last line end\n.\nQUIT\n"
    );
    let (found, end) = read(&batch);
    let want = message("bob@leaf.lab", &["alice@hub.lab"], b".\nno last line end\n");
    assert_eq!(messages(&found), std::slice::from_ref(&want));
    assert_eq!((end.quit, end.ours, end.cut), (true, true, None));
    let (_, end) = read(&[&batch[..], b"HELO other\nQUIT\n"].concat());
    assert!(!end.ours);

    let without_quit = &batch[..batch.len() - 5];
    let (found, end) = read(without_quit);
    assert_eq!(messages(&found), std::slice::from_ref(&want));
    assert!(end.ours && end.cut == Some(Cut::Quit { line: 1 }));

    let (found, end) = read(&[without_quit, &batch].concat());
    assert_eq!(messages(&found).len(), 2);
    assert_eq!(
        faults(&found),
        ["line 1: the batch that begins here has no QUIT: it was cut"]
    );
    assert_eq!(end.cut, None);
}
