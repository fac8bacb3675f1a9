use proptest::prelude::*;

use super::*;

fn usual() -> Avoid {
    Avoid::parse(br"\021\023").unwrap()
}

fn emitted(packet: &[u8], avoid: &Avoid) -> Vec<u8> {
    let mut out = vec![0xa5];
    emit(packet, avoid, &mut out);
    out.split_off(1)
}

#[test]
fn packets_of_the_wire() {
    let vectors: [(&[u8], &[u8]); 4] = [
        (
            b"^ 6= .@\x07\x00\x000\x044\x04\x00\x10\x07\x85\x7f0F~",
            b"\x07\x00\x000\x044\x04\x00\x10\x07\x85\x7f0F",
        ),
        (
            b"^ 5= -@\x07(\t\x00\x03\"EY\x00\x1d\x96\x8f\xdb~",
            b"\x07(\t\x00\x03\"EY\x00\x1d\x96\x8f\xdb",
        ),
        (
            b"^ 7= -@\x07HX\x00\x033HY\x00\x15N\x1c\x88 E~",
            b"\x07HX\x00\x03\x13HY\x00\x15N\x1c\x88",
        ),
        (b"^ .= &@\x07XX\xa0\x00\xa0~", b"\x07XX\xa0\x00\xa0"),
    ];
    for (bytes, packet) in vectors {
        let emitted = emitted(packet, &usual());
        assert_eq!(
            emitted.escape_ascii().to_string(),
            bytes.escape_ascii().to_string()
        );
        let found = Found::Packet(packet.to_vec());
        assert_eq!(scan(bytes, false), (bytes.len(), found));
    }
    let mut out = Vec::new();
    usual().emit(&mut out);
    assert_eq!(out, br"^\021\023~");
    assert_eq!(scan(&out, false), (out.len(), Found::Avoid(usual())));
}

#[test]
fn characters_to_avoid() {
    for (text, also) in [
        (r"\r\n\t\b\e\N", r"\015\012\011\010\033\000"),
        (r"\21\377\0", r"\021\377\000"),
    ] {
        assert_eq!(Avoid::parse(text.as_bytes()), Avoid::parse(also.as_bytes()));
        assert!(Avoid::parse(text.as_bytes()).is_some());
    }
    for bad in [r"\101", r"\x", "a", r"\400", "\\", r"\021 ", r"\176"] {
        assert_eq!(Avoid::parse(bad.as_bytes()), None, "{bad}");
    }
    let both = usual().and(&Avoid::parse(br"\015").unwrap());
    assert_eq!(both, Avoid::parse(br"\015\021\023").unwrap());
}

#[test]
fn every_byte_can_be_avoided_everywhere() {
    let unprintable = (0..=255_u8).filter(|byte| !matches!(byte, b' '..=b'~'));
    let text: Vec<String> = unprintable.map(|byte| format!("\\{byte:03o}")).collect();
    let avoid = Avoid::parse(text.concat().as_bytes()).unwrap();
    for shift in 0..32 {
        let packet: Vec<u8> = (0..ALWAYS_FITS)
            .map(|at| u8::try_from((at / 7 + shift + at % 5) % 256).unwrap())
            .collect();
        let bytes = emitted(&packet, &avoid);
        assert!(bytes.iter().all(|byte| matches!(byte, b' '..=b'~')));
        assert_eq!(scan(&bytes, false), (bytes.len(), Found::Packet(packet)));
    }
    // A packet in which every byte is changed has the greatest length that can be told.
    let bytes = emitted(&[0xff; ALWAYS_FITS], &avoid);
    assert_eq!(bytes.len(), ALWAYS_FITS * 3 + AROUND);
    let found = Found::Packet(vec![0xff; ALWAYS_FITS]);
    assert_eq!(scan(&bytes, false), (bytes.len(), found));
}

#[test]
fn what_is_no_packet_is_passed_over() {
    let good = emitted(b"abc", &usual());
    for bad in [
        &b"^^^"[..],
        b"^ 0= #@abc!",
        b"^ 0= #@a",
        b"^ -= #@abc %~",
        b"^ -= #@abc$!~",
        b"^ -= #@abc \x7f~",
        b"^ ,= #@abc ~",
        b"^\\101~",
        b"^\\021 ~",
        b"noise",
        b"\x10OOOOOO\0",
    ] {
        let input = [bad, &good, b"^"].concat();
        let used = bad.len() + good.len();
        let found = Found::Packet(b"abc".to_vec());
        // What cannot be the beginning of a packet is given up at once; the rest when more comes.
        match scan(&input, false) {
            (at, Found::Incomplete) => assert!(at <= bad.len(), "{}", bad.escape_ascii()),
            other => assert_eq!(other, (used, found), "{}", bad.escape_ascii()),
        }
    }
    assert_eq!(scan(b"x\x10OOO", true), (1, Found::Over));
    assert_eq!(scan(b"x\x10", true), (1, Found::Incomplete));
    for cut in 0..good.len() {
        assert_eq!(scan(&good[..cut], false).1, Found::Incomplete);
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(input in prop::collection::vec(prop::sample::select(b"^~=@\\ 0A!\x10O\xff".to_vec()), 0..200)) {
        let (used, _) = scan(&input, input.len() % 2 == 0);
        prop_assert!(used <= input.len());
    }
}
