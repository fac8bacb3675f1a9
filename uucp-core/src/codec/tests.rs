use std::io::{self, BufReader, Cursor, Read, Write};

use super::*;

mod damage;
mod dictionaries;

const ALL: [Compression; 4] = [
    Compression::Gzip,
    Compression::Zstd,
    Compression::Xz,
    Compression::Bzip2,
];

fn step(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// Words of mail, the same for the same seed.
fn text(seed: u64, length: usize) -> Vec<u8> {
    let words = [
        "mail", "from", "to", "the", "hub", "leaf", "uucp", "batch", "received", "by", "with", "id",
    ];
    let (mut out, mut state) = (Vec::new(), seed);
    while out.len() < length {
        let number = step(&mut state);
        if number.is_multiple_of(7) {
            write!(out, "{} ", number % 10_007).unwrap();
        } else if number.is_multiple_of(11) {
            out.push(b'\n');
        } else {
            write!(out, "{} ", words[(number % 12) as usize]).unwrap();
        }
    }
    out.truncate(length);
    out
}

/// What does not compress.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    (0..length)
        .map(|_| step(&mut state).to_le_bytes()[0])
        .collect()
}

fn compress(compression: Compression, data: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), compression, None, None).unwrap();
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn read_with(data: &[u8], limits: Limits, dictionaries: &Dictionaries) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    decoder(Box::new(data), limits, dictionaries)?.read_to_end(&mut out)?;
    Ok(out)
}

fn read(data: &[u8]) -> io::Result<Vec<u8>> {
    read_with(data, Limits::default(), &Dictionaries::none())
}

fn error_of(result: io::Result<Vec<u8>>) -> CodecError {
    let error = result.unwrap_err();
    CodecError::of(&error)
        .unwrap_or_else(|| panic!("{error}"))
        .clone()
}

/// A reader that gives its bytes one by one.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.len().min(buffer.len()).min(1);
        self.0.read(&mut buffer[..length])
    }
}

#[test]
fn what_is_written_is_read() {
    for compression in ALL {
        for data in [vec![], b"x".to_vec(), text(7, 100_000), noise(8, 100_000)] {
            let packed = compress(compression, &data);
            assert!(read(&packed).unwrap() == data, "{compression}");
        }
    }
}

#[test]
fn how_the_input_comes_does_not_matter() {
    let data = text(9, 20_000);
    let mut inputs: Vec<Vec<u8>> = ALL.iter().map(|c| compress(*c, &data)).collect();
    inputs.push(data.clone());
    for input in inputs {
        let line = [b"#! cunbatch\n", &input[..]].concat();
        for bytes in [&input, &line] {
            let none = Dictionaries::none();
            let trickle = BufReader::with_capacity(1, Trickle(bytes));
            let mut decoder = decoder(Box::new(trickle), Limits::default(), &none).unwrap();
            let mut out = Vec::new();
            let mut byte = [0];
            assert_eq!(decoder.read(&mut []).unwrap(), 0);
            while decoder.read(&mut byte).unwrap() == 1 {
                out.push(byte[0]);
            }
            assert!(out == data);
            assert_eq!(decoder.read(&mut byte).unwrap(), 0);
        }
    }
}

#[test]
fn plain_data_passes_through() {
    for data in [
        &b""[..],
        b"HELO leaf\nMAIL FROM:<>\n",
        b"\n",
        b"BZhello, this is no bzip2",
        &[0x1f, 0x1e, 0xa0, 0],
        &[0xff; 9],
    ] {
        assert_eq!(read(data).unwrap(), data);
    }
    // A line that is too long to be a word is content.
    let long = [b"#! ", &[b'x'; 400][..], b"\nHELO leaf\n"].concat();
    assert_eq!(read(&long).unwrap(), long);
    assert_eq!(read(b"#! rsmtp\nHELO leaf\n").unwrap(), b"HELO leaf\n");
}

#[test]
fn the_first_bytes_tell_what_it_is() {
    let none = Dictionaries::none();
    let known = [
        (compress(Compression::Gzip, b"x"), Format::Gzip),
        (compress(Compression::Zstd, b"x"), Format::Zstd),
        (compress(Compression::Xz, b"x"), Format::Xz),
        (compress(Compression::Bzip2, b"x"), Format::Bzip2),
        (vec![0x1f, 0x9d, 0x90], Format::Z),
        (b"HELO x\n".to_vec(), Format::Plain),
    ];
    for (data, expected) in known {
        let (format, _) = recognise(Box::new(&data[..]), Limits::default(), &none).unwrap();
        assert_eq!(format, expected);
    }
}

#[test]
fn all_members_are_read() {
    for compression in ALL {
        let (one, other) = (text(1, 5_000), text(2, 7_000));
        let packed = [
            compress(compression, &one),
            compress(compression, b""),
            compress(compression, &other),
        ]
        .concat();
        assert!(
            read(&packed).unwrap() == [one, other].concat(),
            "{compression}"
        );
    }
}

#[test]
fn zeros_after_the_end_are_no_content_and_anything_else_is_an_error() {
    for compression in ALL {
        let packed = compress(compression, b"content\n");
        let padded = [&packed[..], &[0; 8192]].concat();
        assert_eq!(read(&padded).unwrap(), b"content\n", "{compression}");
        let trailed = [&packed[..], b"HELO more\n"].concat();
        assert!(
            matches!(error_of(read(&trailed)), CodecError::Damaged { .. }),
            "{compression}"
        );
    }
}

#[test]
fn frames_to_be_passed_over_are() {
    let frame = [0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let packed = compress(Compression::Zstd, b"content\n");
    let all = [&frame[..], &packed, &frame, &packed].concat();
    assert_eq!(read(&all).unwrap(), b"content\ncontent\n");
}

#[test]
fn what_compress_wrote_is_read() {
    let twelve = [text(2, 20_000), noise(3, 6_000), text(4, 6_000)].concat();
    for (packed, expected) in [
        (&include_bytes!("tests/ten.Z")[..], text(1, 3_000)),
        // Its table is emptied once.
        (include_bytes!("tests/twelve.Z"), twelve),
        (include_bytes!("tests/sixteen.Z"), text(5, 12_000)),
        (&[0x1f, 0x9d, 0x90], vec![]),
    ] {
        assert!(read(packed).unwrap() == expected);
    }
}

#[test]
fn levels_are_checked() {
    for (compression, level) in [
        (Compression::Gzip, 0),
        (Compression::Gzip, 10),
        (Compression::Zstd, 20),
        (Compression::Zstd, -1),
        (Compression::Xz, 10),
        (Compression::Bzip2, 0),
    ] {
        let error = Encoder::new(Vec::new(), compression, Some(level), None).unwrap_err();
        assert!(error.to_string().contains(compression.name()), "{error}");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
    for compression in ALL {
        for level in [*compression.levels().start(), *compression.levels().end()] {
            let mut encoder = Encoder::new(Vec::new(), compression, Some(level), None).unwrap();
            encoder.write_all(b"content").unwrap();
            assert_eq!(read(&encoder.finish().unwrap()).unwrap(), b"content");
        }
        assert_eq!(compression.name().parse(), Ok(compression));
    }
    assert!(
        "lzma"
            .parse::<Compression>()
            .unwrap_err()
            .to_string()
            .contains("xz")
    );
}

#[test]
fn the_inputs_own_error_is_not_the_datas() {
    struct Broken(Cursor<Vec<u8>>);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::Error::from_raw_os_error(nix::libc::EIO)),
                length => Ok(length),
            }
        }
    }
    for compression in ALL {
        let mut packed = compress(compression, &text(3, 10_000));
        packed.truncate(packed.len() / 2);
        let none = Dictionaries::none();
        let input = BufReader::new(Broken(Cursor::new(packed)));
        let mut decoder = decoder(Box::new(input), Limits::default(), &none).unwrap();
        let error = decoder.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(nix::libc::EIO), "{compression}");
        assert!(CodecError::of(&error).is_none());
        assert!(decoder.read(&mut [0]).is_err(), "{compression}");
    }
}
