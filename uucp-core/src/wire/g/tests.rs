use hex_literal::hex;

use super::*;

fn parse(bytes: &[u8]) -> Option<Header> {
    Header::parse(*bytes.first_chunk().unwrap())
}

fn data_header(bytes: &[u8]) -> DataHeader {
    match parse(bytes) {
        Some(Header::Data(header)) => header,
        other => panic!("{other:?}"),
    }
}

fn emitted(body: &Body, sequence: u8, acknowledged: u8) -> Vec<u8> {
    let mut out = vec![0xa5];
    body.emit(
        Sequence::new(sequence),
        Sequence::new(acknowledged),
        false,
        &mut out,
    );
    out.split_off(1)
}

#[test]
fn control_packets_of_the_wire() {
    for (bytes, control) in [
        (hex!("10 09 6b aa 3f f7"), Control::InitA(7)),
        (hex!("10 09 79 aa 31 eb"), Control::InitB(1)),
        (hex!("10 09 7b aa 2f f7"), Control::InitC(7)),
        (hex!("10 09 89 aa 21 0b"), Control::Rr(Sequence::new(1))),
        (hex!("10 09 85 aa 25 03"), Control::Rr(Sequence::new(5))),
    ] {
        assert_eq!(Header::parse(bytes), Some(Header::Control(control)));
        let mut out = vec![0xa5; 2];
        control.emit(false, &mut out);
        assert_eq!(out, [&[0xa5, 0xa5], &bytes[..]].concat());
    }
    for control in [
        Control::Close,
        Control::Rj(Sequence::new(3)),
        Control::Srj(Sequence::new(7)),
    ] {
        let mut out = Vec::new();
        control.emit(false, &mut out);
        assert_eq!(parse(&out), Some(Header::Control(control)));
    }
}

#[test]
fn a_command_packet_of_the_wire() {
    let text = br#"E D.0001 D.alphaN0001 uucp -C D.0001 0666 "" 0xb rmail joe@x.exa"#;
    let bytes = emitted(&Body::command(64, text), 1, 0);
    assert_eq!(bytes[..6], hex!("10 02 71 b2 88 49"));
    let header = data_header(&bytes);
    assert_eq!(
        (header.sequence, header.acknowledged),
        (Sequence::new(1), Sequence::new(0))
    );
    assert!(header.is_intact(&bytes[6..], false));
    assert_eq!(header.used(&bytes[6..]), Some(&text[..]));

    let rest = emitted(&Body::command(64, b"mple"), 2, 0);
    assert_eq!(rest[..6], hex!("10 02 16 cf 90 4b"));
    assert_eq!(rest[6..], [&b"mple"[..], &[0; 60]].concat());
}

#[test]
fn short_packets_of_the_wire() {
    let bytes = emitted(&Body::file(64, b"hello mail\n"), 3, 1);
    assert_eq!(bytes[..7], hex!("10 02 af e4 d9 90 35"));
    let header = data_header(&bytes);
    assert!(header.short && header.is_intact(&bytes[6..], false));
    assert_eq!(header.used(&bytes[6..]), Some(&b"hello mail\n"[..]));

    let end = emitted(&Body::file(64, b""), 4, 1);
    assert_eq!(end[..7], hex!("10 02 f8 ce e1 d5 40"));
    assert_eq!(data_header(&end).used(&end[6..]), Some(&b""[..]));
}

#[test]
fn every_size_and_every_fill_reads_as_it_was_written() {
    for size in (5..=12).map(|n| 1_usize << n) {
        let text: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect();
        for length in [
            0,
            1,
            2,
            31,
            size / 2,
            size.saturating_sub(129),
            size.saturating_sub(128),
            size.saturating_sub(127),
            size - 2,
            size - 1,
            size,
        ] {
            let length = length.min(size);
            let bytes = emitted(&Body::file(size, &text[..length]), 5, 6);
            let header = data_header(&bytes);
            assert_eq!((header.size, bytes.len()), (size, size + HEADER));
            assert!(header.is_intact(&bytes[6..], false));
            assert_eq!(
                header.used(&bytes[6..]),
                Some(&text[..length]),
                "{length} of {size}"
            );
        }
        assert_eq!(size_of_code(code_of_size(size)), size);
    }
}

#[test]
fn damage_is_seen() {
    let good = emitted(&Body::file(32, b"x"), 1, 0);
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            if let Some(Header::Data(header)) = parse(&bad) {
                assert!(
                    at >= HEADER && !header.is_intact(&bad[6..], false),
                    "byte {at}"
                );
            }
        }
    }
    // The alternate channel, an unknown control packet, sizes that do not exist.
    for (k, byte) in [
        (1, 0x40),
        (9, 0x07),
        (9, 0x88),
        (0, 0x80),
        (10, 0x80),
        (9, 0xc0),
    ] {
        let mut out = Vec::new();
        out.extend_from_slice(&header(k, MAGIC.wrapping_sub(byte.into()), byte));
        assert_eq!(parse(&out), None);
    }
    // A count of unused bytes beyond the packet.
    let mut out = Vec::new();
    Body {
        short: true,
        k: 1,
        data: Vec::new(),
    }
    .emit(Sequence::new(1), Sequence::new(0), false, &mut out);
    let header = data_header(&out);
    for bad in [[33; 32], [0xff; 32], [0; 32]] {
        assert_eq!(header.used(&bad), None);
    }
}

#[test]
fn a_sealed_packet_ends_in_a_crc() {
    let mut out = vec![0xa5];
    Control::Rr(Sequence::new(1)).emit(true, &mut out);
    let crc = crc32fast::hash(&hex!("09 89 aa 21 0b")).to_be_bytes();
    assert_eq!(out[1..], [&hex!("10 09 89 aa 21 0b")[..], &crc].concat());

    let (mut out, data) = (Vec::new(), [0x5a; 32]);
    Body::file(32, &data).emit(Sequence::new(3), Sequence::new(1), true, &mut out);
    let crc = crc32fast::hash(&[&hex!("01 11 aa 99 23")[..], &data].concat());
    let whole = [&hex!("10 01 11 aa 99 23")[..], &data, &crc.to_be_bytes()];
    assert_eq!(out, whole.concat());
    let header = data_header(&out);
    assert!(header.is_intact(&data, true) && !header.is_intact(&data, false));
}

#[test]
fn numbers_wrap() {
    assert_eq!(Sequence::new(7).next(), Sequence::new(0));
    assert_eq!(Sequence::new(1).since(Sequence::new(6)), 3);
    assert_eq!(Sequence::new(6).since(Sequence::new(6)), 0);
}
