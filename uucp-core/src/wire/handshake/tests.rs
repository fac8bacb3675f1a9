use proptest::prelude::*;

use super::*;
use crate::wire::command::Features;

fn framed(emit: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = b"dirt".to_vec();
    emit(&mut out);
    out.strip_prefix(b"dirt")
        .unwrap()
        .escape_ascii()
        .to_string()
}

/// All strings of the input, read in pieces of `chunk` bytes.
fn strings(input: &[u8], chunk: usize, strip: bool) -> Vec<String> {
    let mut reader = StringReader::new(strip);
    let mut found = Vec::new();
    for mut piece in input.chunks(chunk) {
        while !piece.is_empty() {
            let (used, text) = reader.read(piece).unwrap();
            piece = &piece[used..];
            found.extend(text.map(|text| text.escape_ascii().to_string()));
        }
    }
    found
}

#[test]
fn strings_are_found_among_junk_in_any_pieces() {
    let input = b"\r\nWelcome\0\x10Sh\x10Shere=beta\0\r\n\x10ROK\r\n\x10Pt\n\0\x10\0rest";
    for chunk in 1..=input.len() {
        assert_eq!(
            strings(input, chunk, true),
            ["Shere=beta", "ROK", "Pt", ""],
            "pieces of {chunk}"
        );
    }
}

#[test]
fn a_reader_stops_at_the_end_of_the_string() {
    let mut reader = StringReader::new(true);
    let (used, text) = reader.read(b"\x10Ug\0\x10\x09\x6b").unwrap();
    assert_eq!((used, text.as_deref()), (4, Some(&b"Ug"[..])));
}

#[test]
fn parity_is_stripped_on_request() {
    let even = b"\x90\xd3here\xbdx\x80";
    assert_eq!(strings(even, 3, true), ["Shere=x"]);
    assert_eq!(strings(even, 3, false), [""; 0]);
}

#[test]
fn endless_strings_and_endless_junk_are_refused() {
    let mut reader = StringReader::new(true);
    assert_eq!(
        reader.read(&vec![b'x'; JUNK_LIMIT + 1]),
        Err(HandshakeError::TooMuchJunk)
    );
    let mut reader = StringReader::new(true);
    assert!(reader.read(b"\x10").is_ok());
    assert!(reader.read(&[b'x'; STRING_LIMIT]).is_ok());
    assert_eq!(reader.read(b"x"), Err(HandshakeError::TooLong));
}

#[test]
fn greetings() {
    for (text, name) in [
        (&b"Shere=beta"[..], Some(&b"beta"[..])),
        (b"Shere", None),
        (b"Shere=", Some(b"")),
    ] {
        let greeting = Greeting::parse(text).unwrap();
        assert_eq!(greeting.name.as_deref(), name);
        let expected = format!("\\x10{}\\x00", text.escape_ascii());
        assert_eq!(framed(|out| greeting.emit(out)), expected);
    }
    assert!(Greeting::parse(b"ROK").is_err());
    let fits = |greeted: &str, name: &str| {
        let greeting = Greeting {
            name: Some(greeted.as_bytes().to_vec()),
        };
        greeting.fits(&name.parse().unwrap())
    };
    assert!(fits("beta", "beta"));
    assert!(!fits("bet", "beta"));
    assert!(!fits("beta", "bet"));
    assert!(fits("station", "station12"));
    assert!(!fits("statio", "station12"));
    assert!(fits("station12345ab", "station12345abcdef"));
    assert!(!fits("station", "stat"));
}

#[test]
fn callers_lines() {
    let plain = CallerLine {
        name: b"alpha".to_vec(),
        restart: true,
        announced: Announced::Bits(Features(0o47)),
        ..CallerLine::default()
    };
    let lines = [
        ("Salpha -R -N047", plain.clone()),
        (
            "Salpha -Q1 -R -N047",
            CallerLine {
                sequence: Some(1),
                ..plain.clone()
            },
        ),
        (
            "Salpha -Q12 -pC -vgrade=C -R -N047",
            CallerLine {
                sequence: Some(12),
                grade: Some(b'C'),
                ..plain.clone()
            },
        ),
        (
            "Salpha",
            CallerLine {
                restart: false,
                announced: Announced::Nothing,
                ..plain.clone()
            },
        ),
        (
            "Salpha -R -x9 -U0x800 -N",
            CallerLine {
                debug: Some(9),
                size_limit: Some(1 << 20),
                announced: Announced::Bare,
                ..plain
            },
        ),
    ];
    for (text, line) in lines {
        assert_eq!(CallerLine::parse(text.as_bytes()).as_ref(), Ok(&line));
        assert_eq!(framed(|out| line.emit(out)), format!("\\x10{text}\\x00"));
    }
}

#[test]
fn callers_options_in_any_form() {
    let parse = |text: &str| CallerLine::parse(text.as_bytes()).unwrap();
    let line = parse("Salpha word -zRyQ 0017 -p C -U 02000 -x0x1f -N0x27 -- -p0");
    assert_eq!(line.sequence, Some(17));
    assert_eq!(line.grade, Some(b'C'));
    assert_eq!(line.size_limit, Some(512 * 1024));
    assert_eq!(line.debug, Some(31));
    assert!(line.restart);
    assert_eq!(line.features(), Features(0o47));
    assert_eq!(parse("Sa -vlevel=3 -Qx -p").sequence, None);
    assert_eq!(parse("Sa").features(), Features::NONE);
    assert_eq!(parse("Sa -R").features(), Features(0o23));
    assert_eq!(parse("Sa -N").features(), Features(0o11));
    assert_eq!(parse("Sa -RN").features(), Features(0o13));
    for bad in [&b""[..], b"S", b"S -R", b"X"] {
        assert!(CallerLine::parse(bad).is_err());
    }
}

#[test]
fn answers() {
    let ours = Features(0o147);
    for (line, answer, features) in [
        ("Sa -R -N047", "ROKN0147", 0o147),
        ("Sa -R -N", "ROKN", 0o11),
        ("Sa -R -N011", "ROKN", 0o11),
        ("Sa -R", "ROK -R", 0o23),
        ("Sa", "ROK", 0),
    ] {
        let line = CallerLine::parse(line.as_bytes()).unwrap();
        let accepted = Answer::accepting(&line, ours);
        assert_eq!(
            framed(|out| accepted.emit(out)),
            format!("\\x10{answer}\\x00")
        );
        let Ok(Answer::Accepted(parsed)) = Answer::parse(answer.as_bytes()) else {
            panic!("{answer} is a yes");
        };
        assert_eq!(parsed.features(), Features(features), "{answer}");
    }
    for (text, answer) in [
        ("RLCK", Answer::Locked),
        ("RLOGIN", Answer::WrongLogin),
        ("RCB", Answer::CallBack),
        ("RBADSEQ", Answer::BadSequence),
        ("RYou are unknown to me", Answer::Unknown),
        ("Rgo away", Answer::Other(b"go away".to_vec())),
    ] {
        assert_eq!(Answer::parse(text.as_bytes()).as_ref(), Ok(&answer));
        assert_eq!(framed(|out| answer.emit(out)), format!("\\x10{text}\\x00"));
    }
    let Ok(Answer::Accepted(svr4)) = Answer::parse(b"ROK -R -U0x2") else {
        panic!("a yes");
    };
    assert_eq!((svr4.restart, svr4.size_limit), (true, Some(1024)));
    assert!(Answer::parse(b"Pt").is_err());
}

#[test]
fn offers_and_choices() {
    assert_eq!(parse_offer(b"Ptigg"), Ok(&b"tigg"[..]));
    assert!(parse_offer(b"ROK").is_err());
    assert_eq!(framed(|out| emit_offer(b"ti", out)), "\\x10Pti\\x00");
    assert_eq!(choose(b"tig", b"gi"), Some(b'i'));
    assert_eq!(choose(b"tig", b"xy"), None);
    for (text, choice) in [(&b"Ug"[..], Some(b'g')), (b"UN", None)] {
        assert_eq!(parse_choice(text), Ok(choice));
        let expected = format!("\\x10{}\\x00", text.escape_ascii());
        assert_eq!(framed(|out| emit_choice(choice, out)), expected);
    }
    assert!(parse_choice(b"U").is_err());
}

#[test]
fn the_end_of_a_call() {
    assert_eq!(
        framed(|out| emit_over(true, out)),
        "\\x10OOOOOO\\x00\\x10OOOOOO\\x00"
    );
    assert_eq!(
        framed(|out| emit_over(false, out)),
        "\\x10OOOOOOO\\x00\\x10OOOOOOO\\x00"
    );
    assert!(is_over(b"OOOOOO") && is_over(b"xOOOOOOO"));
    assert!(!is_over(b"OOOOO"));
}

proptest! {
    #[test]
    fn any_chunking_reads_the_same(
        input in proptest::collection::vec(prop_oneof![Just(0u8), Just(0o20), Just(b'\r'), any::<u8>()], 0..60),
        chunk in 1..20_usize,
        strip in any::<bool>(),
    ) {
        prop_assert_eq!(strings(&input, chunk, strip), strings(&input, 60, strip));
    }

    #[test]
    fn garbage_never_panics(text in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = (Greeting::parse(&text), CallerLine::parse(&text), Answer::parse(&text));
        let _ = (parse_offer(&text).is_ok(), parse_choice(&text), is_over(&text));
    }
}
