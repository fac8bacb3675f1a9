//! Compressed data between ours and the tools that neighbours have: Debian's gzip, zstd, xz, bzip2 and compress.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Stdio;

use suite_tests::payload::Random;
use suite_tests::peers::{Layer, Peers};
use suite_tests::peers_with_or_skip;
use uucp_core::codec::{Compression, Dictionaries, Encoder, Limits, decoder};

const ALL: [Compression; 4] = [
    Compression::Gzip,
    Compression::Zstd,
    Compression::Xz,
    Compression::Bzip2,
];

/// Words of mail, the same for the same seed.
fn text(seed: u64, length: usize) -> Vec<u8> {
    let words = [
        "mail ",
        "from ",
        "to ",
        "the ",
        "hub ",
        "leaf ",
        "batch ",
        "received\n",
    ];
    let mut random = Random::new(seed);
    let mut out = Vec::new();
    while out.len() < length {
        let choice = random.next_u64().to_be_bytes();
        let word = words[usize::from(choice[0]) % words.len()];
        write!(out, "{word}{} ", choice[1]).unwrap();
    }
    out.truncate(length);
    out
}

fn pack(compression: Compression, data: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), compression, None, None).unwrap();
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn unpack(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let none = Dictionaries::none();
    let mut decoder = decoder(Box::new(data), Limits::default(), &none).unwrap();
    decoder.read_to_end(&mut out).unwrap();
    out
}

/// Debian's tools.
struct Tools {
    peers: &'static Peers,
    tree: PathBuf,
}

impl Tools {
    fn new(test: &str) -> Option<Self> {
        let peers = peers_with_or_skip(test, &[Layer::Packers])?;
        let tree = peers.layer(Layer::Packers).unwrap();
        Some(Self { peers, tree })
    }

    /// What a tool makes of the data.
    fn run(&self, tool: &str, arguments: &[&str], data: &[u8]) -> Vec<u8> {
        let program = format!("usr/bin/{tool}");
        let mut child = self
            .peers
            .native(&self.tree, &program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(data).unwrap());
            child.wait_with_output().unwrap()
        });
        let status = output.status;
        // compress leaves 2 where what it wrote is not smaller.
        let is_larger = tool == "compress" && status.code() == Some(2);
        assert!(status.success() || is_larger, "{tool}: {status}");
        output.stdout
    }
}

#[test]
fn the_tools_read_what_we_write() {
    let Some(tools) = Tools::new("codec: the tools read what we write") else {
        return;
    };
    let data = text(21, 100_000);
    for compression in ALL {
        let out = tools.run(compression.name(), &["-dc"], &pack(compression, &data));
        assert!(out == data, "{compression}");
    }
}

#[test]
fn we_read_what_the_tools_write() {
    let Some(tools) = Tools::new("codec: we read what the tools write") else {
        return;
    };
    let data = [text(22, 100_000), Random::new(23).bytes(30_000)].concat();
    for (tool, arguments) in [
        ("gzip", &["-1c"][..]),
        ("gzip", &["-9c"]),
        ("zstd", &["-1c", "--no-check"]),
        ("zstd", &["-19c"]),
        ("zstd", &["-c", "--long=27"]),
        ("xz", &["-0c"]),
        ("xz", &["-9c"]),
        ("xz", &["-c", "--check=sha256", "--block-size=30000"]),
        ("xz", &["-c", "--check=crc32", "--x86", "--lzma2"]),
        ("bzip2", &["-1c"]),
        ("bzip2", &["-9c"]),
        ("compress", &["-cf"]),
        ("compress", &["-cf", "-b", "10"]),
        ("compress", &["-cf", "-b", "11"]),
        ("compress", &["-cf", "-b", "14"]),
    ] {
        let packed = tools.run(tool, arguments, &data);
        assert!(packed != data, "{tool} {arguments:?}");
        assert!(unpack(&packed) == data, "{tool} {arguments:?}");
    }
}

/// Any length ends well: the last byte of `compress` is filled with zero bits.
#[test]
fn what_compress_writes_of_any_length_ends_well() {
    let Some(tools) = Tools::new("codec: what compress writes ends well") else {
        return;
    };
    for length in (0..600).step_by(7) {
        let data = text(length as u64, length);
        let packed = tools.run("compress", &["-cf"], &data);
        assert!(unpack(&packed) == data, "{length}");
    }
}
