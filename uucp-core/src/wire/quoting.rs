//! How names with blanks and other bytes stand in commands and execute files (`q` and `Q`).

/// Appends a value: what is not graphic becomes `\ooo`, the backslash is doubled.
pub(crate) fn quote(value: &[u8], out: &mut Vec<u8>) {
    for &byte in value {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b if b.is_ascii_graphic() => out.push(b),
            b => out.extend_from_slice(format!("\\{b:03o}").as_bytes()),
        }
    }
}

/// Undoes [`quote`]. A backslash before anything else stands for what follows.
pub(crate) fn unquote(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    loop {
        match rest {
            [] => return out,
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                tail @ ..,
            ] => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = tail;
            }
            [b'\\', other, tail @ ..] => {
                out.push(*other);
                rest = tail;
            }
            [byte, tail @ ..] => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
}

/// Blank, tab and newline are what Taylor quotes; the other controls, which end a line or a string somewhere on the way,
/// are quoted too.
pub(crate) fn must_be_quoted(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_backslash_before_anything_else_stands_for_what_follows() {
        assert_eq!(unquote(b"a\\040b\\\\\\x\\9\\400\\"), b"a b\\x9400\\");
    }

    proptest! {
        #[test]
        fn what_was_quoted_has_no_blanks_and_comes_back(value: Vec<u8>) {
            let mut quoted = Vec::new();
            quote(&value, &mut quoted);
            prop_assert!(!quoted.iter().any(|b| must_be_quoted(*b)));
            prop_assert_eq!(unquote(&quoted), value);
        }
    }
}
