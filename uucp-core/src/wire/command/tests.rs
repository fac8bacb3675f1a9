use proptest::prelude::*;

use super::*;

const AGREED: Features = Features(0o47);

fn send() -> SendRequest {
    SendRequest {
        from: b"D.0001".to_vec(),
        to: b"D.alphaN0001".to_vec(),
        user: b"uucp".to_vec(),
        options: RequestOptions::new(b"C"),
        temp: b"D.0001".to_vec(),
        mode: 0o666,
        notify: Vec::new(),
        size: Some(0xb),
    }
}

fn execute() -> ExecuteRequest {
    ExecuteRequest {
        file: send(),
        command: b"rmail joe@x.example".to_vec(),
    }
}

/// Parses to the value and emits to the bytes.
fn both_ways(bytes: &[u8], command: impl Into<Command>, features: Features) {
    let command = command.into();
    assert_eq!(Command::parse(bytes).as_ref(), Ok(&command));
    let mut out = vec![0xa5; 5];
    command.emit(features, &mut out).unwrap();
    let (dirt, emitted) = out.split_at(5);
    assert_eq!(dirt, [0xa5; 5]);
    assert_eq!(
        emitted.escape_ascii().to_string(),
        bytes.escape_ascii().to_string()
    );
}

#[test]
fn requests_as_seen_on_the_wire() {
    both_ways(
        br#"E D.0001 D.alphaN0001 uucp -C D.0001 0666 "" 0xb rmail joe@x.example"#,
        Request::Execute(execute()),
        AGREED,
    );
    both_ways(
        br#"S /home/alpha/box/small ~/s uucp -Cd D.0002 0644 "" 0xe"#,
        Request::Send(SendRequest {
            from: b"/home/alpha/box/small".to_vec(),
            to: b"~/s".to_vec(),
            options: RequestOptions::new(b"Cd"),
            temp: b"D.0002".to_vec(),
            mode: 0o644,
            size: Some(0xe),
            ..send()
        }),
        AGREED,
    );
    both_ways(
        b"R ~/f /home/alpha/pub/ uucp -d 0x1000",
        Request::Receive(ReceiveRequest {
            from: b"~/f".to_vec(),
            to: b"/home/alpha/pub/".to_vec(),
            user: b"uucp".to_vec(),
            options: RequestOptions::new(b"d"),
            size: Some(4096),
        }),
        AGREED,
    );
    both_ways(
        b"X ~/f* alpha!/home/alpha/pub/ uucp -d",
        Request::Expand(ExpandRequest {
            pattern: b"~/f*".to_vec(),
            destination: b"alpha!/home/alpha/pub/".to_vec(),
            user: b"uucp".to_vec(),
            options: RequestOptions::new(b"d"),
        }),
        AGREED,
    );
    both_ways(b"H", Command::HangUp, AGREED);
    both_ways(b"HY", Command::HangUpYes, AGREED);
    both_ways(b"HN", Command::HangUpNo, AGREED);
}

#[test]
fn answers_as_seen_on_the_wire() {
    let no = |to, refusal| Reply::No { to, refusal };
    both_ways(b"SY", Reply::SendYes { position: 0 }, AGREED);
    both_ways(b"SY 0xe", Reply::SendYes { position: 14 }, AGREED);
    both_ways(b"EY 0xb", Reply::ExecuteYes { position: 11 }, AGREED);
    both_ways(b"SN2", no(RequestKind::Send, Refusal::NotPermitted), AGREED);
    both_ways(
        b"EN8",
        no(RequestKind::Execute, Refusal::AlreadyReceived),
        AGREED,
    );
    both_ways(b"XN", no(RequestKind::Expand, Refusal::Unexplained), AGREED);
    both_ways(b"XY", Reply::ExpandYes, AGREED);
    both_ways(
        b"RY 0666M 0x10M",
        Reply::ReceiveYes {
            mode: 0o666,
            size: Some(16),
            version: None,
            more_work: true,
        },
        AGREED,
    );
    both_ways(
        b"RY 0755",
        Reply::ReceiveYes {
            mode: 0o755,
            size: None,
            version: None,
            more_work: false,
        },
        Features::NONE,
    );
    let resumed = Features(AGREED.0 | Features::RESUMED.0);
    let of_version = |version| Reply::ReceiveYes {
        mode: 0o644,
        size: Some(16),
        version: Some(version),
        more_work: false,
    };
    both_ways(b"RY 0644 0x10 0xfedc", of_version(0xfedc), resumed);
    let told = of_version(u64::MAX);
    both_ways(b"RY 0644 0x10 0xffffffffffffffff", told, resumed);
    let mut untold = Vec::new();
    told.emit(AGREED, &mut untold);
    assert_eq!(untold, b"RY 0644 0x10");
    both_ways(b"RG", Reply::GoOn { position: 0 }, AGREED);
    both_ways(b"RG 0xe", Reply::GoOn { position: 14 }, AGREED);
    both_ways(b"CY", Reply::FileYes { more_work: false }, AGREED);
    both_ways(b"CYM", Reply::FileYes { more_work: true }, AGREED);
    both_ways(b"CN5", Reply::FileNo(Refusal::NotPlaced), AGREED);
}

#[test]
fn every_refusal_has_its_digit() {
    for digit in b'0'..=b'9' {
        let bytes = [b'R', b'N', digit];
        let Ok(Command::Reply(Reply::No { to, refusal })) = Command::parse(&bytes) else {
            panic!("RN{} did not parse", char::from(digit));
        };
        assert_eq!(to, RequestKind::Receive);
        let expected: &[u8] = if matches!(digit, b'0' | b'1' | b'3') {
            b"RN"
        } else {
            &bytes
        };
        let again = Command::from(Reply::No { to, refusal });
        assert_eq!(again.to_bytes(AGREED).unwrap(), expected);
        assert_eq!(refusal.is_temporary(), matches!(digit, b'4' | b'6' | b'9'));
    }
}

#[test]
fn names_with_blanks_are_quoted_where_the_peer_can_read_it() {
    let request = Request::Send(SendRequest {
        from: b"/home/alpha/sp ace\\\xe9".to_vec(),
        to: b"~/f".to_vec(),
        options: RequestOptions::new(b"Cd"),
        ..send()
    });
    both_ways(
        br#"S /home/alpha/sp\040ace\\\351 ~/f uucp -Cdq D.0001 0666 "" 0xb"#,
        request.clone(),
        AGREED,
    );
    let mut out = b"dirt".to_vec();
    assert_eq!(
        request.emit(Features(0o7), &mut out),
        Err(CommandError::NotAgreed(
            "quoted fields (a name holds a blank)"
        ))
    );
    assert_eq!(out, b"dirt");
}

#[test]
fn a_quoted_command_line_only_doubles_its_backslashes() {
    let mut request = execute();
    request.file.from = b"a b".to_vec();
    request.command = br"rmail a\101 (x  y)".to_vec();
    both_ways(
        br#"E a\040b D.alphaN0001 uucp -Cq D.0001 0666 "" 0xb rmail a\\101 (x  y)"#,
        Request::Execute(request),
        AGREED,
    );
}

#[test]
fn other_spellings_of_the_same_request() {
    let expected = Ok(Command::from(Request::Send(send())));
    for bytes in [
        &br#"S D.0001 D.alphaN0001 uucp -C D.0001 0666 "" 0xb"#[..],
        br#"S  D.0001	D.alphaN0001 uucp  -C D.0001 666 "" 11 "#,
        br#"S D.0001 D.alphaN0001 uucp -C D.0001 0666 "" dummy 013"#,
        b"S D.0001 D.alphaN0001 uucp -C D.0001 0x1b6 \"\" 0XB\n",
    ] {
        assert_eq!(Command::parse(bytes), expected, "{}", bytes.escape_ascii());
    }
    for garbage in ["", "0x", "0xg", "08", "+1", "-1", "99999999999999999999"] {
        let bytes = format!(r#"S D.0001 D.alphaN0001 uucp -C D.0001 0666 "" {garbage}"#);
        let Ok(Command::Request(Request::Send(parsed))) = Command::parse(bytes.as_bytes()) else {
            panic!("{bytes} did not parse");
        };
        assert_eq!(parsed.size, None, "{garbage}");
    }
}

#[test]
fn forms_for_older_peers() {
    let request = Command::from(Request::Send(send()));
    let form = |features| String::from_utf8(request.to_bytes(Features(features)).unwrap()).unwrap();
    assert_eq!(form(0), "S D.0001 D.alphaN0001 uucp -C D.0001 0666 ");
    assert_eq!(
        form(0o11),
        r#"S D.0001 D.alphaN0001 uucp -C D.0001 0666 "" 11"#
    );
    assert_eq!(
        form(0o23),
        r#"S D.0001 D.alphaN0001 uucp -C D.0001 0666 "" dummy 0xb"#
    );
    assert!(matches!(
        Request::Execute(execute()).emit(Features(0o43), &mut Vec::new()),
        Err(CommandError::NotAgreed(_))
    ));
    let pair = [
        execute().data_request(),
        execute().execute_file_request(b"D.X0002", b"X.alphaN0002", 80),
    ];
    let lines = pair.map(|r| Command::from(Request::Send(r)).to_bytes(Features(0o1)));
    assert_eq!(
        lines.map(|l| String::from_utf8(l.unwrap()).unwrap()),
        [
            r#"S D.0001 D.alphaN0001 uucp - D.0001 0666 "" 0xb"#,
            r#"S D.X0002 X.alphaN0002 uucp -C D.X0002 0666 "" 0x50"#,
        ]
    );
}

#[test]
fn work_files_of_the_real_thing() {
    for line in [
        &br#"E D.0001 D.alphaN0001 uucp -C D.0001 0666 "" 0 rmail joe@x.example"#[..],
        b"E D.0001 D.alphaC0001 uucp -CNR D.0001 0666 boss@x 0 rmail joe@x.example",
        br#"E D.0001 D.alphaN0001 uucp -CZe D.0001 0666 "" 0 rmail joe@x.example ann;b@y"#,
        b"S /home/alpha/f1m D.alphaN0001 uucp -c D.0001 0666 ",
        b"S D.X0002 X.alphaN0002 uucp -C D.X0002 0666 ",
        b"S /home/alpha/f1m ~/f uucp -Cdmn D.0001 0644 ann",
        br"S /home/alpha/sp\040ace ~/f uucp -Cdq D.0001 0644 ",
        b"R ~/f /home/alpha/pub/ uucp -d",
        b"X ~/f* alpha!/home/alpha/pub/ uucp -d",
    ] {
        let request = Request::parse_work_line(line).unwrap();
        let mut out = b"dirt".to_vec();
        request.emit_work_line(&mut out).unwrap();
        let expected = [b"dirt", line, b"\n"].concat();
        assert_eq!(
            out.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
    }
}

#[test]
fn what_is_no_command() {
    for garbage in [
        &b""[..],
        b" ",
        b"Q",
        b"SX",
        b"S",
        b"S a",
        b"S a b",
        b"S a b c",
        b"S a b c d e f",
        b"S a b c -",
        b"S a b c - D.0",
        b"S a b c - D.0 rw",
        b"E a b c - D.0 0666 \"\" 0xb",
        b"E a b c - D.0 0666 \"\" 0xb  ",
        b"R a b",
        b"HX",
        b"C",
        b"\0\0",
        b"\xff\xfe",
    ] {
        assert!(
            matches!(Command::parse(garbage), Err(CommandError::Garbled(_))),
            "{}",
            garbage.escape_ascii()
        );
    }
    let long = vec![b'S'; COMMAND_LIMIT + 1];
    assert_eq!(
        Command::parse(&long),
        Err(CommandError::TooLong(COMMAND_LIMIT + 1))
    );
}

#[test]
fn what_cannot_be_carried_is_refused() {
    let mut out = Vec::new();
    for command in [&b""[..], b" x", b"a\nb", b"a\0b", b"a\rb"] {
        let request = Request::Execute(ExecuteRequest {
            command: command.to_vec(),
            ..execute()
        });
        assert!(request.emit(AGREED, &mut out).is_err());
        assert!(request.emit_work_line(&mut out).is_err());
    }
    for (from, temp) in [(&b""[..], &b"D.0"[..]), (b"x", b""), (b"x", b"D.0 1")] {
        let request = Request::Send(SendRequest {
            from: from.to_vec(),
            temp: temp.to_vec(),
            ..send()
        });
        assert!(request.emit(AGREED, &mut out).is_err());
        assert!(request.emit_work_line(&mut out).is_err());
    }
    let request = Request::Execute(ExecuteRequest {
        command: vec![b'x'; COMMAND_LIMIT],
        ..execute()
    });
    assert!(matches!(
        request.emit(AGREED, &mut out),
        Err(CommandError::TooLong(_))
    ));
    assert_eq!(out, b"");
}

fn field() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 1..12)
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = Command::parse(&bytes);
        let _ = Request::parse_work_line(&bytes);
    }

    #[test]
    fn what_is_emitted_parses_to_the_same(
        from in field(),
        to in field(),
        user in field(),
        notify in proptest::collection::vec(any::<u8>(), 0..12),
        mode in 0..0o10000_u32,
        size in any::<u64>(),
        command in "[!-~][ -~]{0,30}",
    ) {
        // Two quotes stand for "nobody".
        prop_assume!(notify != b"\"\"");
        let file = SendRequest { from, to, user, notify, mode, size: Some(size), ..send() };
        for request in [
            Request::Send(file.clone()),
            Request::Execute(ExecuteRequest { file, command: command.into_bytes() }),
        ] {
            let command = Command::from(request.clone());
            let bytes = command.to_bytes(AGREED).unwrap();
            prop_assert_eq!(Command::parse(&bytes), Ok(command));
            let mut line = Vec::new();
            request.emit_work_line(&mut line).unwrap();
            let parsed = Request::parse_work_line(line.strip_suffix(b"\n").unwrap()).unwrap();
            let mut again = Vec::new();
            parsed.emit_work_line(&mut again).unwrap();
            prop_assert_eq!(line, again);
        }
    }
}
