use proptest::prelude::*;

use super::*;

fn hex(kind: Kind, position: u32) -> Vec<u8> {
    let mut out = Vec::new();
    Header::new(kind, position).emit_hex(&mut out);
    out
}

fn binary(position: u32, escapes: Escapes) -> Vec<u8> {
    let mut out = Vec::new();
    Header::new(Kind::Data, position).emit_binary(escapes, &mut out);
    out
}

fn data(data: &[u8], end: End, escapes: Escapes) -> Vec<u8> {
    let mut out = Vec::new();
    escapes.emit_data(data, end, &mut out);
    out
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[test]
fn headers_of_the_wire() {
    let mut init = Vec::new();
    Header::init(false).emit_hex(&mut init);
    let vectors: [(&[u8], Vec<u8>, Header); 8] = [
        (
            b"**\x18B00000000018bc725b1\r\x11",
            init,
            Header::init(false),
        ),
        (
            b"**\x18B0300000000cd8d8281\r",
            hex(Kind::Ack, 0),
            Header::new(Kind::Ack, 0),
        ),
        (
            b"**\x18B0600000000bd026249\r\x11",
            hex(Kind::InitEnd, 0),
            Header::new(Kind::InitEnd, 0),
        ),
        (
            b"**\x18B03450400001e8d412a\r",
            hex(Kind::Ack, 0x445),
            Header::new(Kind::Ack, 0x445),
        ),
        (
            b"**\x18B0200180000b556d7ae\r\x11",
            hex(Kind::Back, 0x1800),
            Header::new(Kind::Back, 0x1800),
        ),
        (
            b"**\x18B07000000000d2b0274\r",
            hex(Kind::Fin, 0),
            Header::new(Kind::Fin, 0),
        ),
        (
            b"*\x18A\x01\x00\x04\x00\x00qvK\xfc",
            binary(1024, Escapes::Few),
            Header::new(Kind::Data, 1024),
        ),
        // 0x18 within is escaped.
        (
            b"*\x18A\x01\x00\x18X\x00\x00e,w\xe9",
            binary(0x1800, Escapes::Few),
            Header::new(Kind::Data, 0x1800),
        ),
    ];
    for (bytes, emitted, header) in vectors {
        assert_eq!(show(&emitted), show(bytes));
        let (used, garbage, found) = scan_header(bytes, false);
        assert_eq!((garbage, found), (0, Found::Header(header)));
        let rest = &bytes[used..];
        assert!(rest.iter().all(|b| matches!(b, b'\r' | 0x11)));
        for cut in 0..used {
            let found = scan_header(&bytes[..cut], false);
            assert_eq!(found, (0, 0, Found::Incomplete), "{cut}");
        }
    }
    assert!(Header::init(true).wants_escapes() && !Header::init(false).wants_escapes());
}

#[test]
fn subpackets_of_the_wire() {
    let vectors: [(&[u8], &[u8], End); 4] = [
        (b"\x00\x18l\x8c?\xdd\x05\r\x11", b"\0", End::Message),
        (b"EY\x00\x18l_O\xe7\xaa\r\x11", b"EY\0", End::Message),
        (
            b"hello mail\n\x18i\xe4\x02\xa8\x1a",
            b"hello mail\n",
            End::More,
        ),
        (b"\x18l\xfe\xc2\x06\x96\r\x11", b"", End::Message),
    ];
    for (bytes, text, end) in vectors {
        assert_eq!(show(&data(text, end, Escapes::Few)), show(bytes));
        match parse_data(bytes) {
            Subpacket::Whole(read, how, used) => {
                assert_eq!((&read[..], how), (text, end));
                assert!(bytes[used..].iter().all(|b| matches!(b, b'\r' | 0x11)));
                for cut in 0..used {
                    assert_eq!(parse_data(&bytes[..cut]), Subpacket::Incomplete);
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_byte_passes_under_either_way_to_escape() {
    let every: Vec<u8> = (0..=255).cycle().take(LARGEST).collect();
    for escapes in [Escapes::Few, Escapes::Control] {
        for end in [
            End::Frame,
            End::More,
            End::MoreAck,
            End::FrameAck,
            End::Message,
        ] {
            let bytes = data(&every, end, escapes);
            let avoided = |byte: &u8| match escapes {
                Escapes::Few => matches!(byte, 0x10 | 0x13),
                Escapes::Control => byte & 0x60 == 0 && !matches!(byte, 0x18 | 0x11 | b'\r'),
            };
            assert!(!bytes.iter().any(avoided));
            match parse_data(&bytes) {
                Subpacket::Whole(read, how, _) => assert_eq!((read, how), (every.clone(), end)),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn garbage_is_counted_but_not_what_ends_packets() {
    let good = hex(Kind::Back, 5);
    let header = Found::Header(Header::new(Kind::Back, 5));
    for (before, garbage) in [
        (&b"\r\x11\x13\n\x8a"[..], 0),
        (b"xx\r", 2),
        // A star before the two of a header is one too many.
        (b"***", 3),
        (b"\x18B", 2),
        (b"\x10OO", 3),
    ] {
        let input = [before, &good].concat();
        let (used, count, found) = scan_header(&input, false);
        assert_eq!(found, header, "{}", show(before));
        assert_eq!(count, garbage);
        assert_eq!(used, input.len() - 2);
    }
    assert_eq!(scan_header(b"\x10OOOO", true), (0, 0, Found::Over));
    assert_eq!(scan_header(b"x\x10", true), (1, 1, Found::Incomplete));
}

#[test]
fn damaged_headers_are_told_from_garbage() {
    let mut bad = hex(Kind::Ack, 77);
    bad[9] ^= 1;
    assert_eq!(scan_header(&bad, false).2, Found::Damaged);
    let mut bad = binary(77, Escapes::Few);
    bad[5] ^= 1;
    assert_eq!(scan_header(&bad, false).2, Found::Damaged);
    // A kind that does not exist.
    let bytes = [5, 0, 0, 0, 0];
    let mut out = vec![PAD, ZDLE, b'A'];
    Escapes::Few.emit(&bytes, &mut out);
    Escapes::Few.emit(&hash(&bytes).to_le_bytes(), &mut out);
    assert_eq!(scan_header(&out, false), (3, 0, Found::Damaged));
}

#[test]
fn a_subpacket_without_an_end_is_not_waited_for() {
    assert_eq!(parse_data(&[b'x'; LARGEST]), Subpacket::Incomplete);
    assert_eq!(parse_data(&[b'x'; LARGEST + 1]), Subpacket::Damaged(1));
    assert_eq!(parse_data(&[XON; SUBPACKET_LIMIT]), Subpacket::Damaged(1));
    assert_eq!(parse_data(b"\x18\x01"), Subpacket::Damaged(1));
    assert_eq!(parse_data(b"x\x18ia\x18i"), Subpacket::Damaged(1));
}

proptest! {
    #[test]
    fn damage_is_seen(
        text in prop::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let mut bytes = data(&text, End::More, Escapes::Few);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Subpacket::Whole(read, ..) = parse_data(&bytes) {
            prop_assert_eq!(read, text);
        }
    }

    #[test]
    fn garbage_never_panics(
        input in prop::collection::vec(prop::sample::select(b"*\x18ABhijkl\x11\r\x10O0x".to_vec()), 0..200),
        closing in any::<bool>(),
    ) {
        let (used, garbage, _) = scan_header(&input, closing);
        prop_assert!(garbage <= used && used <= input.len());
        let _ = parse_data(&input);
    }
}
