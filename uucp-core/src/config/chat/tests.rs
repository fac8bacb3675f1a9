use proptest::prelude::*;

use super::parse::{parse_expect, parse_send};
use super::*;

fn bytes(text: &str) -> SendItem {
    SendItem::Bytes(text.as_bytes().to_vec())
}

fn expect(pattern: &str, subsend: Option<Vec<SendItem>>) -> Expect {
    Expect {
        pattern: pattern.as_bytes().to_vec(),
        timeout: None,
        subsend,
    }
}

fn script(text: &str) -> Vec<Exchange> {
    let words: Vec<_> = text.split(' ').map(str::as_bytes).collect();
    parse_script(&words)
}

#[test]
fn the_default_login_chat_is_taylors() {
    let breaking = || Some(vec![SendItem::Break]);
    assert_eq!(
        Chat::login().script,
        [
            Exchange {
                expect: vec![expect("", None)],
                send: vec![bytes("\r")],
            },
            Exchange {
                expect: vec![
                    expect("ogin:", breaking()),
                    expect("ogin:", breaking()),
                    expect("ogin:", None),
                ],
                send: vec![SendItem::Login, bytes("\r")],
            },
            Exchange {
                expect: vec![expect("word:", None)],
                send: vec![SendItem::Password, bytes("\r")],
            },
        ]
    );
    assert_eq!(Chat::login().timeout, Duration::from_secs(10));
    assert_eq!(Chat::none().timeout, Duration::from_mins(1));
}

#[test]
fn send_strings_are_what_taylor_was_seen_to_send() {
    use SendItem::{Break, Delay, EchoCheck, Eot, Login, Password, Pause, RequireCarrier};
    for (word, wanted) in [
        ("hi", vec![bytes("hi\r")]),
        ("", vec![bytes("\r")]),
        ("\"\"", vec![]),
        ("\\c", vec![]),
        ("hi\\c", vec![bytes("hi")]),
        ("\\chi", vec![bytes("hi")]),
        ("BREAK", vec![Break]),
        ("BREAKx", vec![Break, bytes("x")]),
        ("xBREAK\\Kx", vec![bytes("x"), Break, Break, bytes("x")]),
        ("\\K", vec![Break, bytes("\r")]),
        ("EOT", vec![Eot]),
        ("xEOT", vec![bytes("x"), Eot]),
        ("EOT\\r", vec![Eot, bytes("\r")]),
        ("\\L\\s\\x41", vec![Login, bytes(" A\r")]),
        ("\\P", vec![Password, bytes("\r")]),
        ("\\q", vec![bytes("q\r")]),
        ("\\d\\p\\c", vec![Delay, Pause]),
        (
            "\\Ea\\e\\c",
            vec![EchoCheck(true), bytes("a"), EchoCheck(false)],
        ),
        (
            "\\M\\m\\c",
            vec![RequireCarrier(false), RequireCarrier(true)],
        ),
        ("ATDT\\D", vec![bytes("ATDT"), SendItem::Phone, bytes("\r")]),
        ("\\T\\c", vec![SendItem::TranslatedPhone]),
        ("a\\-b\\\\c", vec![bytes("a-b\\c\r")]),
    ] {
        assert_eq!(parse_send(word.as_bytes()), wanted, "{word}");
    }
}

#[test]
fn escapes_of_bytes() {
    for (word, wanted) in [
        (&b"\\b\\n\\N\\r\\s\\t\\\\\\-"[..], &b"\x08\n\0\r \t\\-"[..]),
        (b"\\101\\0011\\08", b"A\x011\x008"),
        (b"\\400", b"\0"),
        (b"\\x41g\\xg\\x", b"Agxgx"),
        (b"\\x4142", b"\x42"),
        (b"secr\\s3t", b"secr 3t"),
        (b"\\q\\", b"q\\"),
    ] {
        assert_eq!(unescape(word), wanted, "{}", word.escape_ascii());
    }
}

#[test]
fn expect_strings_have_subsends_and_timeouts() {
    assert_eq!(
        parse_expect(b"x/1-sub-y\\W1--z\\055/1-\"\"-w"),
        [
            expect("x/1", Some(vec![bytes("sub\r")])),
            Expect {
                timeout: Some(Duration::from_secs(1)),
                ..expect("y", Some(vec![bytes("\r")]))
            },
            expect("z-/1", Some(vec![])),
            expect("w", None),
        ]
    );
    assert_eq!(
        parse_expect(b"a\\-b-c"),
        [expect("a-b", Some(vec![bytes("c\r")])), expect("", None),]
    );
    assert_eq!(parse_expect(b"\"\""), [expect("", None)]);
    // Only digits after it make it a timeout.
    assert_eq!(parse_expect(b"login\\W"), [expect("loginW", None)]);
}

#[test]
fn a_script_may_end_with_an_expect_string() {
    let parsed = script("\"\" ATZ OK-ATZ-OK");
    assert_eq!(parsed.len(), 2);
    assert_eq!(parsed[1].send, []);
    assert_eq!(
        parsed[1].expect,
        [expect("OK", Some(vec![bytes("ATZ\r")])), expect("OK", None)]
    );
}

#[test]
fn program_words_keep_what_they_do_not_know() {
    let text = |text: &str| ProgramItem::Text(text.as_bytes().to_vec());
    for (word, wanted) in [
        ("/bin/x", vec![text("/bin/x")]),
        (
            "-l\\L:\\P",
            vec![
                text("-l"),
                ProgramItem::Login,
                text(":"),
                ProgramItem::Password,
            ],
        ),
        ("\\Y", vec![ProgramItem::Port]),
        ("\\Z\\S", vec![ProgramItem::System, ProgramItem::Speed]),
        (
            "\\D\\T",
            vec![ProgramItem::Phone, ProgramItem::TranslatedPhone],
        ),
        ("a\\\\b\\q\\", vec![text("a\\b\\q\\")]),
        ("", vec![]),
    ] {
        assert_eq!(parse_program_word(word.as_bytes()).0, wanted, "{word}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_chat(words in proptest::collection::vec(any::<Vec<u8>>(), 0..6)) {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(parse_script(&words).len(), words.len().div_ceil(2));
        for word in words {
            let _ = parse_program_word(word);
            prop_assert!(unescape(word).len() <= word.len());
        }
    }

    #[test]
    fn an_expect_string_ends_without_a_subsend(word: Vec<u8>) {
        let expect = parse_expect(&word);
        prop_assert!(expect.last().is_some_and(|last| last.subsend.is_none()));
    }
}
