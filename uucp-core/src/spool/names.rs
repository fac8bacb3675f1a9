//! Names that we give: unique without a lock, and not coming back for weeks.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::name::{Grade, SpoolKind, SpoolName, SystemName};

const BASE36: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const BASE62: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// How many characters make a name unique.
pub(super) const UNIQUE_LENGTH: usize = 13;

/// Thirteen of `0-9A-Z`: eight for the time in milliseconds, five at random.
///
/// Taylor's four characters from a file come back after 1.7 million files, and at once when the spool is made anew; its
/// receiver remembers a name for seven days. Here the time keeps names of different weeks apart, and where the clock is
/// set back 36^5 random values per millisecond do; within a process they follow each other, so that it never meets itself.
/// The first character is never `X`: `D.X` is another folder.
pub(super) fn unique() -> String {
    let milliseconds = u64::try_from(since_epoch().as_millis()).unwrap_or_default();
    let mut text = digits(milliseconds % 36u64.pow(8), BASE36, 8);
    text.push_str(&digits(serial() % 36u64.pow(5), BASE36, 5));
    if text.starts_with('X') {
        text.replace_range(..1, "0");
    }
    text
}

/// A number that begins at random in each process and grows by one with each call.
fn serial() -> u64 {
    static BEGIN: OnceLock<u64> = OnceLock::new();
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let begin = BEGIN.get_or_init(|| random() >> 1);
    begin.wrapping_add(COUNTER.fetch_add(1, Ordering::Relaxed))
}

fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// 64 random bits. The keys of the standard library's hasher come from the operating system once per thread; process,
/// time and a counter are mixed in, so that a forked child does not go on with its parent's numbers.
pub(super) fn random() -> u64 {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.write_u128(since_epoch().as_nanos());
    hasher.write_u64(COUNTER.fetch_add(1, Ordering::Relaxed));
    hasher.finish()
}

fn digits(mut value: u64, alphabet: &[u8], width: usize) -> String {
    let base = alphabet.len() as u64;
    let mut text = vec![b'0'; width];
    for slot in text.iter_mut().rev() {
        let digit = usize::try_from(value % base).unwrap_or_default();
        *slot = alphabet.get(digit).copied().unwrap_or(b'0');
        value /= base;
    }
    text.into_iter().map(char::from).collect()
}

/// A work file's name in exactly Taylor's shape, `C.gTTTMMMPPPPP`: grade, second of the day, microseconds / 5, process,
/// in base 62. `attempt` moves it on where another thread or container has taken the name.
pub(super) fn work_name(grade: Grade, attempt: u64) -> SpoolName {
    let now = since_epoch();
    let seconds = digits(now.as_secs() % 86_400, BASE62, 3);
    let fraction = (u64::from(now.subsec_micros()) / 5 + attempt) % 200_000;
    let fraction = digits(fraction, BASE62, 3);
    let process = digits(u64::from(std::process::id()), BASE62, 5);
    valid(&format!("C.{grade}{seconds}{fraction}{process}"))
}

/// Orders work files of one grade by the time in their names: the order of base 62, not of ASCII.
pub(super) fn work_order(name: &SpoolName) -> impl Iterator<Item = u8> + '_ {
    name.as_bytes().iter().skip(3).map(|byte| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        _ => 62,
    })
}

/// The name of a data file here: `D.` (or `D.X`) and something unique.
pub(super) fn data_name(for_execute_file: bool) -> SpoolName {
    let folder = if for_execute_file { "X" } else { "" };
    valid(&format!("D.{folder}{}", unique()))
}

/// What a file is called at a peer: the first seven characters of the sender's name, the grade, and something unique.
pub(super) fn peer_name(kind: SpoolKind, sender: &SystemName, grade: Grade) -> SpoolName {
    let letter = match kind {
        SpoolKind::Work => 'C',
        SpoolKind::Data => 'D',
        SpoolKind::Execute => 'X',
    };
    valid(&format!(
        "{letter}.{}{grade}{}",
        clean_short(sender),
        unique()
    ))
}

/// The name of the execute file for the file of this number: offered again, it would get the same.
pub(super) fn execute_name(sender: &SystemName, grade: Grade, number: u64) -> SpoolName {
    let number = digits(number, BASE36, UNIQUE_LENGTH);
    valid(&format!("X.{}{grade}{number}", clean_short(sender)))
}

/// The first seven characters of a system's name, with a `-` for what cannot stand in a spool file's name.
fn clean_short(system: &SystemName) -> String {
    let clean = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
            c
        } else {
            '-'
        }
    };
    system.short().chars().map(clean).collect()
}

/// The grade that stands in a name made by [`peer_name`] or by Taylor (which has four characters after the grade).
pub(super) fn grade_of(name: &SpoolName, sender: &SystemName) -> Grade {
    let text = name.as_str().get(2..).unwrap_or_default();
    let after_system = text
        .strip_prefix(&clean_short(sender))
        .and_then(|rest| rest.bytes().next());
    let before_number = || {
        let bytes = text.as_bytes();
        let at = bytes.len().checked_sub(5)?;
        bytes.get(at).copied()
    };
    after_system
        .or_else(before_number)
        .and_then(|byte| Grade::parse(byte).ok())
        .unwrap_or(Grade::DEFAULT)
}

/// All names above are made of letters, digits and a cleaned system name.
#[allow(clippy::expect_used, reason = "the parts are valid by construction")]
fn valid(text: &str) -> SpoolName {
    SpoolName::parse(text.as_bytes()).expect("a name made here is a spool file's name")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn unique_names_are_unique_and_never_begin_with_x() {
        let names: HashSet<String> = (0..20_000).map(|_| unique()).collect();
        assert_eq!(names.len(), 20_000);
        for name in names {
            assert_eq!(name.len(), 13);
            assert!(!name.starts_with('X'));
        }
    }

    #[test]
    fn work_names_have_taylors_shape() {
        let name = work_name(Grade::DEFAULT, 0);
        assert_eq!(name.as_str().len(), "C.NLFVbaAAAGV6".len());
        assert!(name.as_str().starts_with("C.N"));
    }

    #[test]
    fn base_62_orders_as_time_does() {
        assert_eq!(digits(0, BASE62, 3), "AAA");
        assert_eq!(digits(61, BASE62, 3), "AA9");
        assert_eq!(digits(62, BASE62, 3), "ABA");
        let mut names: Vec<SpoolName> = ["C.NAAa", "C.NAA0", "C.NAAZ", "C.NABA"]
            .iter()
            .map(|n| SpoolName::parse(n.as_bytes()).unwrap())
            .collect();
        names.sort_by(|a, b| work_order(a).cmp(work_order(b)));
        let names: Vec<&str> = names.iter().map(SpoolName::as_str).collect();
        assert_eq!(names, ["C.NAAZ", "C.NAAa", "C.NAA0", "C.NABA"]);
    }

    #[test]
    fn grades_are_read_out_of_our_names_and_taylors() {
        let alpha: SystemName = "alpha".parse().unwrap();
        let long: SystemName = "station12".parse().unwrap();
        let odd: SystemName = "a+b".parse().unwrap();
        let grade = |name: &str, system| {
            grade_of(&SpoolName::parse(name.as_bytes()).unwrap(), system).byte()
        };
        assert_eq!(grade("X.alphaC0001", &alpha), b'C');
        assert_eq!(grade("X.stationZ0A1B", &long), b'Z');
        assert_eq!(grade("X.otherC0001", &alpha), b'C');
        assert_eq!(grade("X.x", &alpha), b'N');
        let ours = peer_name(SpoolKind::Execute, &odd, Grade::FIRST);
        assert_eq!(grade_of(&ours, &odd), Grade::FIRST);
    }
}
