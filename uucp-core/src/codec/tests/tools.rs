//! Against the tools themselves, where they are installed.

use std::process::{Command, Stdio};

use super::*;

/// What the tool makes of the data; `None` when it is not installed.
fn run(tool: &str, arguments: &[&str], data: &[u8]) -> Option<Vec<u8>> {
    let mut command = Command::new(tool);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("skipped: {tool}: {error}");
            return None;
        }
    };
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(data).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{tool}: {}", output.status);
    Some(output.stdout)
}

#[test]
fn the_tools_read_what_we_write() {
    let data = text(21, 100_000);
    for compression in ALL {
        let packed = compress(compression, &data);
        if let Some(out) = run(compression.name(), &["-dc"], &packed) {
            assert!(out == data, "{compression}");
        }
    }
}

#[test]
fn we_read_what_the_tools_write() {
    let data = [text(22, 100_000), noise(23, 30_000)].concat();
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
        if let Some(packed) = run(tool, arguments, &data) {
            assert!(read(&packed).unwrap() == data, "{tool} {arguments:?}");
        }
    }
}

/// Any length ends well: the last byte of `compress` is filled with zero bits.
#[test]
fn what_compress_writes_of_any_length_ends_well() {
    for length in (0..600).step_by(7) {
        let data = text(length as u64, length);
        let Some(packed) = run("compress", &["-cf"], &data) else {
            return;
        };
        assert!(read(&packed).unwrap() == data, "{length}");
    }
}
