//! Files by a pattern: `*`, `?` and `[...]` in the last part of a path, as a shell reads them.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How many files one pattern may stand for.
const MATCHES: usize = 1000;

/// The files that a path with `*`, `?` and `[...]` in its last part stands for, in the order of their names.
pub(crate) fn matches(pattern: &Path) -> Vec<PathBuf> {
    let (Some(directory), Some(last)) = (pattern.parent(), pattern.file_name()) else {
        return Vec::new();
    };
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| {
            let name = entry.file_name();
            // As for a shell, a star does not mean the hidden files.
            let hidden = name.as_bytes().starts_with(b".") && !last.as_bytes().starts_with(b".");
            !hidden && fits(last.as_bytes(), name.as_bytes())
        })
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .take(MATCHES)
        .collect();
    found.sort();
    found
}

/// Whether a name fits a pattern. The last star is tried at every place, so the time is bounded by the product of the
/// lengths.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut rest, mut left) = (pattern, name);
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', after @ ..] = rest {
            star = Some((after, left));
            rest = after;
            continue;
        }
        let step = left
            .split_first()
            .and_then(|(byte, tail)| Some((one(rest, *byte)?, tail)));
        match (step, star) {
            (Some((pattern, tail)), _) => (rest, left) = (pattern, tail),
            (None, _) if rest.is_empty() && left.is_empty() => return true,
            (None, Some((after, [_, tail @ ..]))) => {
                star = Some((after, tail));
                (rest, left) = (after, tail);
            }
            _ => return false,
        }
    }
}

/// The rest of the pattern if its first part stands for this byte.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'[', set @ ..] => {
            let end = set.iter().skip(1).position(|b| *b == b']')? + 1;
            let (set, rest) = set.split_at_checked(end)?;
            in_set(set, byte).then(|| rest.get(1..)).flatten()
        }
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] if *literal == byte => Some(rest),
        _ => None,
    }
}

fn in_set(set: &[u8], byte: u8) -> bool {
    let (set, wanted) = match set {
        [b'!' | b'^', rest @ ..] => (rest, false),
        set => (set, true),
    };
    let mut rest = set;
    let mut found = false;
    loop {
        match rest {
            [low, b'-', high, tail @ ..] => {
                found |= (*low..=*high).contains(&byte);
                rest = tail;
            }
            [single, tail @ ..] => {
                found |= *single == byte;
                rest = tail;
            }
            [] => return found == wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_a_shell() {
        for (pattern, name) in [
            ("*", "anything"),
            ("f*", "f"),
            ("f*.t?t", "file.txt"),
            ("*a*b*", "xxaxxbxx"),
            ("[a-c]1", "b1"),
            ("[!a-c]1", "d1"),
            ("\\*", "*"),
            ("[]]", "]"),
        ] {
            assert!(
                fits(pattern.as_bytes(), name.as_bytes()),
                "{pattern} {name}"
            );
        }
        for (pattern, name) in [
            ("f*", "xf"),
            ("?", ""),
            ("[a-c]1", "d1"),
            ("[", "["),
            ("*a*b*", "xxbxxaxx"),
            ("", "x"),
        ] {
            assert!(
                !fits(pattern.as_bytes(), name.as_bytes()),
                "{pattern} {name}"
            );
        }
        // No blow-up.
        let name = vec![b'a'; 2000];
        assert!(!fits(&[b"*a".repeat(500), b"b".to_vec()].concat(), &name));
    }
}
