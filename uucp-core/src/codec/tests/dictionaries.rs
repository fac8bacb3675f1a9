use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::codec::dictionary::{self, Training};
use crate::name::SystemName;

use super::*;

fn mail(number: u64) -> Vec<u8> {
    let mut mail = format!(
        "Received: from leaf.example by hub.example with ESMTP id {number}\n\
         Message-ID: <{number}@leaf.example>\nMIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\nFrom: ann@leaf.example\nTo: bob@hub.example\n\n"
    )
    .into_bytes();
    mail.extend(text(number, 900));
    mail
}

fn trained(seed: u64) -> Dictionary {
    let mut training = Training::default();
    for number in 0..200 {
        assert!(training.add(&mail(seed + number)));
    }
    assert_eq!(training.count(), 200);
    training.finish(Some(8192)).unwrap()
}

fn compress_with(dictionary: &Dictionary, data: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), Compression::Zstd, None, Some(dictionary)).unwrap();
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

struct Kept {
    _directory: tempfile::TempDir,
    dictionaries: Dictionaries,
}

impl Kept {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let dictionaries = Dictionaries::in_directory(&directory.path().join("state/dictionaries"));
        Self {
            _directory: directory,
            dictionaries,
        }
    }

    fn store(&self, dictionary: &Dictionary) -> std::path::PathBuf {
        let system: SystemName = "leaf.b".parse().unwrap();
        self.dictionaries.store(&system, dictionary).unwrap()
    }
}

#[test]
fn a_single_mail_becomes_small_with_a_dictionary() {
    let kept = Kept::new();
    let dictionary = trained(1);
    let path = kept.store(&dictionary);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o660
    );
    let data = mail(9_999);
    let packed = compress_with(&dictionary, &data);
    let without = compress(Compression::Zstd, &data);
    assert!(
        packed.len() < without.len() * 8 / 10,
        "{} {}",
        packed.len(),
        without.len()
    );
    let limits = Limits::default();
    assert_eq!(
        read_with(&packed, limits, &kept.dictionaries).unwrap(),
        data
    );
    // Another one is there too, and frames with and without follow one another.
    let other = trained(5_000);
    assert_ne!(other.id(), dictionary.id());
    kept.store(&other);
    let mixed = [packed, without, compress_with(&other, &data)].concat();
    let all = read_with(&mixed, limits, &kept.dictionaries).unwrap();
    assert!(all == [&data[..], &data, &data].concat());
    assert_eq!(kept.dictionaries.list().unwrap().len(), 2);
}

#[test]
fn a_dictionary_that_is_not_here_is_named() {
    let dictionary = trained(1);
    let packed = compress_with(&dictionary, b"content");
    for dictionaries in [Dictionaries::none(), Kept::new().dictionaries] {
        let error = error_of(read_with(&packed, Limits::default(), &dictionaries));
        assert_eq!(
            error,
            CodecError::NoDictionary {
                id: dictionary.id()
            }
        );
        assert!(error.is_temporary());
        assert!(
            error
                .to_string()
                .contains(&format!("{:08x}", dictionary.id()))
        );
    }
}

#[test]
fn a_dictionary_that_others_can_read_or_that_was_changed_is_refused() {
    let kept = Kept::new();
    let dictionary = trained(1);
    let path = kept.store(&dictionary);
    let packed = compress_with(&dictionary, b"content");
    let refusal = || {
        let error = read_with(&packed, Limits::default(), &kept.dictionaries).unwrap_err();
        assert!(CodecError::of(&error).is_none(), "{error}");
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
        error.to_string()
    };
    fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
    assert!(refusal().contains("chmod 660"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(refusal().contains("import it again"));
    // Another whole one under its name.
    fs::write(&path, trained(5_000).bytes()).unwrap();
    assert!(refusal().contains("not that of its name"));
}

#[test]
fn a_dictionary_goes_to_the_other_end_like_a_key() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hub.zdict");
    let dictionary = trained(3);
    dictionary::write(&file, &dictionary).unwrap();
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(dictionary::write(&file, &dictionary).is_err());
    let there = dictionary::read(&file).unwrap();
    assert_eq!(there, dictionary);
    assert_eq!(there.bytes(), dictionary.bytes());
    assert!(dictionary::read(&directory.path().join("none")).is_err());
    assert!(dictionary::read(directory.path()).is_err());
    fs::write(&file, b"no dictionary").unwrap();
    let error = dictionary::read(&file).unwrap_err().to_string();
    assert!(error.contains("hub.zdict"), "{error}");
    // What it holds is mail, and is not shown.
    assert_eq!(
        format!("{there:?}"),
        format!("Dictionary({:08x})", there.id())
    );
}

#[test]
fn too_little_mail_is_said() {
    let mut training = Training::default();
    assert!(training.add(b""));
    training.add(b"one small mail\n");
    let error = training.finish(None).unwrap_err().to_string();
    assert!(error.contains("1 messages of 15 bytes"), "{error}");
}

#[test]
fn training_takes_no_more_than_it_needs() {
    let mut training = Training::default();
    let large = vec![b'x'; 1 << 20];
    let mut added = 0;
    while training.add(&large) {
        added += 1;
    }
    // Of each only the beginning, 64 KiB; of all 16 MiB.
    assert_eq!(added, 256);
    assert!(training.is_full());
}

#[test]
fn only_zstd_knows_dictionaries() {
    let dictionary = trained(1);
    for compression in [Compression::Gzip, Compression::Xz, Compression::Bzip2] {
        let error = Encoder::new(Vec::new(), compression, None, Some(&dictionary)).unwrap_err();
        assert!(error.to_string().contains("only zstd"), "{error}");
    }
}
