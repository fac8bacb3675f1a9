//! Scripts with a clock of their own: logins, what is late, what fails, echoes and pauses.

use super::*;
use crate::config::chat::Expect;

fn expect(pattern: &str, subsend: Option<&str>) -> Expect {
    Expect {
        pattern: pattern.into(),
        timeout: None,
        subsend: subsend.map(|text| vec![SendItem::Bytes(text.into())]),
    }
}

fn runner(script: Vec<Exchange>, fail: &[&str]) -> ChatRunner {
    let chat = Chat {
        script,
        timeout: Duration::from_secs(10),
        fail: fail.iter().map(|text| text.as_bytes().to_vec()).collect(),
        program: None,
        seven_bit: true,
    };
    let words = ChatWords {
        login: b"Ualpha".to_vec(),
        password: Secret::new(*b"xyzzy"),
        ..ChatWords::default()
    };
    ChatRunner::new(chat, words)
}

fn login_script() -> Vec<Exchange> {
    vec![
        Exchange {
            expect: vec![expect("", None)],
            send: vec![SendItem::Bytes(b"\r".to_vec())],
        },
        Exchange {
            expect: vec![expect("ogin:", Some("again\r")), expect("ogin:", None)],
            send: vec![SendItem::Login, SendItem::Bytes(b"\r".to_vec())],
        },
        Exchange {
            expect: vec![expect("word:", None)],
            send: vec![SendItem::Password, SendItem::Bytes(b"\r".to_vec())],
        },
    ]
}

#[test]
fn a_login_leaves_what_follows_to_the_handshake() {
    let now = Instant::now();
    let (mut chat, mut out) = (runner(login_script(), &[]), Vec::new());
    chat.start(now, &mut out);
    assert_eq!(out, b"\r");
    // Parity bits on the prompt, and the prompt in pieces.
    for byte in b"login: " {
        chat.handle_input(now, &[byte | 0x80], &mut out);
    }
    assert_eq!(out, b"\rUalpha\r");
    let used = chat.handle_input(now, b"Password:\x10Shere=", &mut out);
    assert_eq!(used, b"Password:".len());
    assert!(out.ends_with(b"xyzzy\r"));
    assert_eq!(chat.poll_step(), Some(ChatStep::Done));
}

#[test]
fn a_subsend_is_sent_when_the_prompt_is_late() {
    let mut now = Instant::now();
    let (mut chat, mut out) = (runner(login_script(), &[]), Vec::new());
    chat.start(now, &mut out);
    now = chat.poll_timeout().unwrap();
    chat.handle_timeout(now, &mut out);
    assert_eq!(out, b"\ragain\r");
    now = chat.poll_timeout().unwrap();
    chat.handle_timeout(now, &mut out);
    assert_eq!(
        chat.poll_step(),
        Some(ChatStep::Failed(
            "Timed out in chat script, looking for \"ogin:\"".into()
        ))
    );
}

/// An inetd line without `-l` at the other side, as an article of 2001 has it.
#[test]
fn a_greeting_where_a_prompt_was_expected_is_told() {
    let script = || {
        vec![Exchange {
            expect: vec![expect("ogin:", None)],
            send: vec![],
        }]
    };
    let told = |came: &[u8]| {
        let now = Instant::now();
        let (mut chat, mut out) = (runner(script(), &[]), Vec::new());
        chat.start(now, &mut out);
        for byte in came {
            chat.handle_input(now, &[*byte], &mut out);
        }
        chat.handle_timeout(chat.poll_timeout().unwrap(), &mut out);
        match chat.poll_step() {
            Some(ChatStep::Failed(reason)) => reason,
            other => panic!("{other:?}"),
        }
    };
    let no_login = "the other side asks for no login: start 'uucico -l' there";
    assert!(told(b"\x10Shere=hostpro\0").contains(no_login));
    assert!(told(b"hello\r\n\x10S\x10Shere\0 ").contains(no_login));
    for other in [&b""[..], b"\x10S", b"Shere=hostpro", b"Password:"] {
        let told = told(other);
        assert_eq!(told, "Timed out in chat script, looking for \"ogin:\"");
    }
}

#[test]
fn a_fail_string_ends_the_script() {
    let now = Instant::now();
    let (mut chat, mut out) = (runner(login_script(), &["BUSY"]), Vec::new());
    chat.start(now, &mut out);
    chat.handle_input(now, b"..BUSY and more", &mut out);
    assert_eq!(
        chat.poll_step(),
        Some(ChatStep::Failed("Chat script failed: Got \"BUSY\"".into()))
    );
}

#[test]
fn echoes_are_waited_for() {
    let now = Instant::now();
    let script = vec![Exchange {
        expect: vec![expect("", None)],
        send: vec![SendItem::EchoCheck(true), SendItem::Bytes(b"ab\r".to_vec())],
    }];
    let (mut chat, mut out) = (runner(script, &[]), Vec::new());
    chat.start(now, &mut out);
    assert_eq!(out, b"a");
    chat.handle_input(now, b"xa", &mut out);
    assert_eq!(out, b"ab");
    chat.handle_input(now, b"b", &mut out);
    assert_eq!(out, b"ab\r");
    assert_eq!(chat.poll_step(), Some(ChatStep::Done));
}

#[test]
fn a_program_runs_before_the_script_and_may_take_ten_timeouts() {
    let now = Instant::now();
    for (ended, after) in [
        (Ok(()), None),
        (Err("why".to_owned()), Some(ChatStep::Failed("why".into()))),
    ] {
        let mut chat = runner(login_script(), &[]);
        let program = vec![ProgramWord(Vec::new())];
        chat.chat.program = Some(program.clone());
        let mut out = Vec::new();
        chat.start(now, &mut out);
        let limit = Duration::from_secs(100);
        assert_eq!(chat.poll_step(), Some(ChatStep::Run(program, limit)));
        // The line is the program's: nothing is said or read meanwhile.
        assert_eq!(chat.handle_input(now, b"login:", &mut out), 0);
        assert!(out.is_empty() && chat.poll_timeout().is_none());
        chat.done(now, ended, &mut out);
        assert_eq!(chat.poll_step(), after);
        assert_eq!(out.is_empty(), after.is_some());
    }
}

#[test]
fn delays_hold_the_rest_back() {
    let mut now = Instant::now();
    let script = vec![Exchange {
        expect: vec![expect("", None)],
        send: vec![
            SendItem::Delay,
            SendItem::Break,
            SendItem::Bytes(b"x".to_vec()),
        ],
    }];
    let (mut chat, mut out) = (runner(script, &[]), Vec::new());
    chat.start(now, &mut out);
    assert!(out.is_empty());
    now += DELAY;
    chat.handle_timeout(now, &mut out);
    assert_eq!(chat.poll_step(), Some(ChatStep::Break));
    assert!(out.is_empty(), "it overtakes the break");
    chat.done(now, Ok(()), &mut out);
    assert_eq!(out, b"x");
}
