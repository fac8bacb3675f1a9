use super::*;

#[test]
fn what_is_cut_anywhere_is_an_error() {
    let data = text(11, 700);
    for compression in ALL {
        let packed = compress(compression, &data);
        for length in 1..packed.len() {
            let error = error_of(read(&packed[..length]));
            assert!(
                matches!(error, CodecError::Truncated { .. }),
                "{compression} at {length}: {error}"
            );
            let text = error.to_string();
            assert!(text.contains(compression.name()), "{text}");
        }
    }
}

#[test]
fn a_second_member_that_is_cut_is_an_error() {
    for compression in ALL {
        let one = compress(compression, b"content\n");
        let packed = [&one[..], &one].concat();
        for length in one.len() + 1..packed.len() {
            // The first byte alone could be anything.
            let error = error_of(read(&packed[..length]));
            assert!(
                matches!(
                    error,
                    CodecError::Truncated { .. } | CodecError::Damaged { .. }
                ),
                "{compression} at {length}: {error}"
            );
        }
    }
}

/// A bit that flips is found by a check sum, or in bytes that say nothing; never is other data given as whole.
#[test]
fn a_flipped_bit_is_found_or_harmless() {
    let data = text(12, 150);
    for compression in ALL {
        let packed = compress(compression, &data);
        for at in 0..packed.len() * 8 {
            let mut damaged = packed.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            if let Ok(out) = read(&damaged) {
                // Without its first bytes it is plain, and nobody takes it for mail.
                let plain = out == damaged;
                assert!(out == data || plain, "{compression}: bit {at}");
                assert!(!plain || at < 48, "{compression}: bit {at}");
            }
        }
    }
}

#[test]
fn what_compress_wrote_and_was_cut_gives_no_other_data() {
    let data = text(1, 3_000);
    let packed = include_bytes!("ten.Z");
    let mut noticed = 0;
    for length in 1..packed.len() {
        match read(&packed[..length]) {
            Ok(out) => assert!(data.starts_with(&out)),
            Err(_) => noticed += 1,
        }
    }
    // Most cuts fall within a code.
    assert!(noticed > packed.len() / 2, "{noticed}");
}

#[test]
fn codes_that_stand_for_nothing_are_an_error() {
    // The first code is no byte.
    let damaged = [0x1f, 0x9d, 0x90, 0xff, 0xff];
    assert!(matches!(
        error_of(read(&damaged)),
        CodecError::Damaged {
            format: Format::Z,
            ..
        }
    ));
    // Codes of 17 bits.
    assert!(read(&[0x1f, 0x9d, 0x91, 0, 0]).is_err());
    let mut state = 1;
    for _ in 0..2_000 {
        let mut bytes = vec![0x1f, 0x9d, 0x80 | step(&mut state).to_le_bytes()[0] & 0x1f];
        bytes.extend(noise(step(&mut state), 300));
        let _ = read(&bytes);
    }
}

#[test]
fn noise_after_the_first_bytes_never_reads_well() {
    let mut state = 2;
    for compression in ALL {
        let packed = compress(compression, &text(3, 2_000));
        for _ in 0..300 {
            let number = usize::try_from(step(&mut state)).unwrap();
            let keep = (number % packed.len()).max(6);
            let mut damaged = packed[..keep].to_vec();
            damaged.extend(noise(step(&mut state), 200));
            assert!(read(&damaged).is_err(), "{compression} from {keep}");
        }
    }
}

#[test]
fn an_error_is_said_again() {
    let packed = compress(Compression::Gzip, &text(4, 100_000));
    let none = Dictionaries::none();
    let cut = &packed[..packed.len() / 2];
    let mut decoder = decoder(Box::new(cut), Limits::default(), &none).unwrap();
    let mut out = Vec::new();
    let first = decoder.read_to_end(&mut out).unwrap_err();
    assert!(!out.is_empty());
    let second = decoder.read(&mut [0; 10]).unwrap_err();
    assert_eq!(CodecError::of(&first), CodecError::of(&second));
    assert_eq!(second.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn output_is_limited() {
    let limits = Limits {
        output: 1_000,
        ..Limits::default()
    };
    let none = Dictionaries::none();
    for compression in ALL {
        let fits = compress(compression, &[0; 1_000]);
        assert_eq!(read_with(&fits, limits, &none).unwrap().len(), 1_000);
        let packed = compress(compression, &[0; 1_001]);
        let error = error_of(read_with(&packed, limits, &none));
        assert!(matches!(error, CodecError::TooLarge { limit: 1_000, .. }));
    }
    assert!(read_with(&[b'x'; 1_001], limits, &none).is_err());
}

#[test]
fn bombs_are_noticed_by_their_ratio() {
    let none = Dictionaries::none();
    for compression in [Compression::Gzip, Compression::Zstd] {
        let mut encoder = Encoder::new(Vec::new(), compression, Some(1), None).unwrap();
        let zeros = vec![0; 1 << 20];
        for _ in 0..66 {
            encoder.write_all(&zeros).unwrap();
        }
        let bomb = encoder.finish().unwrap();
        let limits = Limits {
            ratio: 100,
            ..Limits::default()
        };
        let mut decoder = decoder(Box::new(&bomb[..]), limits, &none).unwrap();
        let error = io::copy(&mut decoder, &mut io::sink()).unwrap_err();
        let known = CodecError::of(&error).unwrap();
        assert!(
            matches!(known, CodecError::Bomb { ratio: 100, .. }),
            "{known}"
        );
        assert!(!known.is_temporary());
    }
}

/// A piece without content costs a decoder: what is nothing but these takes minutes.
#[test]
fn floods_of_pieces_are_noticed() {
    let none = Dictionaries::none();
    for compression in [Compression::Gzip, Compression::Zstd, Compression::Bzip2] {
        let piece = |text: &[u8]| {
            let mut encoder = Encoder::new(Vec::new(), compression, Some(1), None).unwrap();
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        };
        let read = |text: &[u8], count: usize| {
            let flood = piece(text).repeat(count);
            let mut decoder = decoder(Box::new(&flood[..]), Limits::default(), &none)?;
            io::copy(&mut decoder, &mut io::sink())
        };
        for text in [&b""[..], b"x"] {
            let error = read(text, 12_000).unwrap_err();
            let known = CodecError::of(&error).unwrap();
            assert!(matches!(known, CodecError::Pieces { .. }), "{known}");
            assert!(!known.is_temporary());
            assert_eq!(read(text, 9_000).unwrap(), 9_000 * text.len() as u64);
        }
        // Messages one by one are no flood.
        assert_eq!(read(&[b'x'; 1024], 12_000).unwrap(), 12_000 * 1024);
    }
}

#[test]
fn windows_are_limited() {
    let limits = Limits {
        window: 1 << 20,
        ..Limits::default()
    };
    let none = Dictionaries::none();
    for (compression, level) in [(Compression::Zstd, 19), (Compression::Xz, 6)] {
        let mut encoder = Encoder::new(Vec::new(), compression, Some(level), None).unwrap();
        encoder.write_all(&text(6, 10_000)).unwrap();
        let packed = encoder.finish().unwrap();
        assert!(read(&packed).is_ok());
        let error = error_of(read_with(&packed, limits, &none));
        assert!(
            matches!(
                error,
                CodecError::Window {
                    limit: 0x10_0000,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn a_frame_that_asks_for_gigabytes_is_refused_before_it_gets_them() {
    // Window descriptor 0xa8: 2^31 bytes.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, 0xa8, 1, 0, 0];
    assert!(matches!(error_of(read(&frame)), CodecError::Window { .. }));
    // One segment of 2^60 bytes.
    let frame = [
        0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x10, 1, 0, 0,
    ];
    assert!(matches!(error_of(read(&frame)), CodecError::Window { .. }));
}

#[test]
fn what_was_dropped_before_its_end_is_visibly_cut() {
    for compression in ALL {
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out, compression, None, None).unwrap();
        encoder.write_all(&noise(5, 1_200_000)).unwrap();
        drop(encoder);
        assert!(!out.is_empty(), "{compression}");
        let error = error_of(read(&out));
        assert!(
            matches!(error, CodecError::Truncated { .. }),
            "{compression}: {error}"
        );
    }
}
