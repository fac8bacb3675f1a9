//! The check sums of the link protocols.

/// The sum of `g`, `G` and `v` over a packet's data.
#[must_use]
pub fn g(data: &[u8]) -> u16 {
    let (mut a, mut b) = (0xffff_u16, 0_u16);
    // The counter is the number of bytes left; only its low 16 bits matter.
    let mut left = data.len();
    for &byte in data {
        let [low, high, ..] = left.to_le_bytes();
        let turned = a.rotate_left(1);
        a = turned.wrapping_add(u16::from(byte));
        b = b.wrapping_add(a ^ u16::from_le_bytes([low, high]));
        if a <= turned {
            a ^= b;
        }
        left -= 1;
    }
    a
}

/// The sum of `f` over a file's data before encoding, and of `y` over a packet's data.
#[must_use]
pub fn rotating(data: &[u8]) -> u16 {
    rotating_more(0xffff, data)
}

/// Goes on with a sum of [`rotating`] that was begun over the data before.
#[must_use]
pub fn rotating_more(sum: u16, data: &[u8]) -> u16 {
    data.iter().fold(sum, |sum, byte| {
        sum.rotate_left(1).wrapping_add(u16::from(*byte))
    })
}

/// CRC-32 as everywhere.
///
/// Short data goes bit by bit: to ask the processor what it can do, as the fast way does once in a process, takes a program
/// that lives for a few milliseconds longer than that, above all in a virtual machine.
#[must_use]
pub fn crc32(data: &[u8]) -> u32 {
    const SHORT: usize = 4096;
    /// The polynomial, lowest bit first.
    const POLYNOMIAL: u32 = 0xedb8_8320;
    if data.len() > SHORT {
        return crc32fast::hash(data);
    }
    let bit = |crc: u32| (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
    !data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc))
    })
}

/// The CRC of `i` and `j`: CRC-32 as everywhere, but without the inversion at the end.
#[must_use]
pub fn i(data: &[u8]) -> u32 {
    !crc32fast::hash(data)
}

/// The CRC behind a sealed packet of `g` or `i`: over its header but for the first byte, and its data.
#[must_use]
pub fn seal(header: &[u8], data: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header.get(1..).unwrap_or_default());
    hasher.update(data);
    hasher.finalize().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_data_have_the_same_crc() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let data: Vec<u8> = (0..5000).map(|n: u32| n.to_le_bytes()[0]).collect();
        for length in [0, 1, 300, 4096, 4097, 5000] {
            assert_eq!(crc32(&data[..length]), crc32fast::hash(&data[..length]));
        }
    }

    #[test]
    fn sums_as_seen_on_the_wire() {
        let command = br#"E D.0001 D.alphaN0001 uucp -C D.0001 0666 "" 0xb rmail joe@x.exa"#;
        assert_eq!(0xaaaa_u16.wrapping_sub(g(command) ^ 0x88), 0xb271);
        let mut short = [0; 64];
        short[0] = 0x35;
        short[1..12].copy_from_slice(b"hello mail\n");
        assert_eq!(0xaaaa_u16.wrapping_sub(g(&short) ^ 0xd9), 0xe4af);
        assert_eq!(rotating(b"hello mail\n"), 0x3421);
        assert_eq!(rotating_more(rotating(b"file con"), b"tents\n"), 0x3519);
        assert_eq!(rotating(b"back\n"), 0x0b84);
        assert_eq!(i(b"\x04\x00\x10\x07"), 0x857f_3046);
        assert_eq!(i(b"EY\0"), 0x1d96_8fdb);
        assert_eq!(i(b"CY\0"), 0x191b_f369);
        assert_eq!(i(b"HY\0"), 0x154e_1c88);
        assert_eq!(i(b"H\0"), 0x8686_280d);
    }

    #[test]
    fn flipped_bits_are_seen() {
        let data: Vec<u8> = (0..=255).collect();
        let mut missed = 0;
        for at in 0..data.len() {
            for bit in 0..8 {
                let mut other = data.clone();
                other[at] ^= 1 << bit;
                missed += usize::from(g(&other) == g(&data));
                assert_ne!(rotating(&other), rotating(&data));
                assert_ne!(i(&other), i(&data));
            }
        }
        // The sum of `g` has 16 bits and mixes them in its own way: it is not sure to see even a single flipped bit.
        assert!(missed < 8, "{missed} of 2048");
    }
}
