//! Looking for bytes. The standard library asks the C library for it, which knows the processor since the process began; a search
//! of our own, or a crate's, would ask the processor once more, which on a virtual machine takes longer than most messages.

use std::io::BufRead;

/// Where the first such byte is.
pub(super) fn find_byte(wanted: u8, bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    // Reading from memory does not fail.
    let behind = rest.skip_until(wanted).unwrap_or_default();
    let at = behind.checked_sub(1)?;
    (bytes.get(at) == Some(&wanted)).then_some(at)
}

/// Where the first LF is that has a dot behind it.
pub(super) fn find_dotted(bytes: &[u8]) -> Option<usize> {
    let mut begin = 0;
    loop {
        let at = begin + find_byte(b'\n', bytes.get(begin..)?)?;
        if bytes.get(at + 1) == Some(&b'.') {
            return Some(at);
        }
        begin = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_found_is_the_first(bytes in proptest::collection::vec(proptest::sample::select(b"\n.x\r".to_vec()), 0..40)) {
            for wanted in *b"\n.q" {
                let first = bytes.iter().position(|byte| *byte == wanted);
                proptest::prop_assert_eq!(find_byte(wanted, &bytes), first);
            }
            let first = bytes.windows(2).position(|pair| pair == b"\n.");
            proptest::prop_assert_eq!(find_dotted(&bytes), first);
        }
    }
}
