//! Values of the senders' options.

use std::time::Duration;

/// A number of bytes: `4096`, `100K`, `10M`, `1G`.
///
/// # Errors
/// When it is none.
pub fn byte_count(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.as_bytes() {
        [.., b'k' | b'K'] => (text.get(..text.len() - 1), 1 << 10),
        [.., b'm' | b'M'] => (text.get(..text.len() - 1), 1 << 20),
        [.., b'g' | b'G'] => (text.get(..text.len() - 1), 1 << 30),
        _ => (Some(text), 1),
    };
    digits
        .and_then(|d| d.parse::<u64>().ok())
        .and_then(|count| count.checked_mul(factor))
        .ok_or_else(|| format!("'{text}' is not a number of bytes"))
}

/// A time limit in seconds, a day at most.
///
/// # Errors
/// When it is none.
pub fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(count @ 1..=86_400) => Ok(Duration::from_secs(count)),
        _ => Err(format!("'{text}' is not a number of seconds, 1 to 86400")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_seconds() {
        assert_eq!(byte_count("10"), Ok(10));
        assert_eq!(byte_count("10K"), Ok(10_240));
        assert_eq!(byte_count("1g"), Ok(1 << 30));
        for bad in ["", "K", "-1", "1T", "99999999999999999999"] {
            assert!(byte_count(bad).is_err(), "{bad}");
        }
        assert_eq!(seconds("60"), Ok(Duration::from_mins(1)));
        for bad in ["", "0", "-1", "1.5", "86401"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
