//! The frames of protocol `t`: commands in blocks of 512 bytes, file data in blocks with a length before them. Nothing
//! tells the two apart, and nothing protects them; that is TCP's work.

use super::Malformed;
use super::command::COMMAND_LIMIT;

/// Commands are padded with NUL to a multiple of this that is greater than their length.
pub const COMMAND_BLOCK: usize = 512;

/// How much data goes into one block of ours. Taylor wants a whole block in its ring of 16,384 bytes, of which one byte
/// stays free and four are the length.
pub const DATA_BLOCK: usize = 15_872;

/// The greatest length taken: Taylor reads it into a signed int.
pub const LENGTH_LIMIT: u32 = 0x7fff_ffff;

/// The end of a file: a block of no data.
pub const FILE_END: [u8; 4] = [0; 4];

/// Appends a command with its padding.
pub fn emit_command(text: &[u8], out: &mut Vec<u8>) {
    let padding = COMMAND_BLOCK - text.len() % COMMAND_BLOCK;
    out.extend_from_slice(text);
    out.resize(out.len() + padding, 0);
}

/// The command at the head of the input, and how many bytes it takes with its padding; `None` while it is incomplete.
///
/// # Errors
/// When there is no end within [`COMMAND_LIMIT`].
pub fn parse_command(input: &[u8]) -> Result<Option<(&[u8], usize)>, Malformed> {
    let Some(length) = input.iter().take(COMMAND_LIMIT).position(|b| *b == 0) else {
        return if input.len() >= COMMAND_LIMIT {
            Err(Malformed("a command without an end"))
        } else {
            Ok(None)
        };
    };
    let used = (length / COMMAND_BLOCK + 1) * COMMAND_BLOCK;
    if input.len() < used {
        return Ok(None);
    }
    Ok(input.get(..length).map(|text| (text, used)))
}

/// Appends file data as blocks.
pub fn emit_data(data: &[u8], out: &mut Vec<u8>) {
    for block in data.chunks(DATA_BLOCK) {
        let length = u32::try_from(block.len()).unwrap_or(LENGTH_LIMIT);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(block);
    }
}

/// The length at the head of a block; 0 ends the file.
///
/// # Errors
/// When it is negative, as Taylor would see it.
pub fn parse_length(header: [u8; 4]) -> Result<u32, Malformed> {
    let length = u32::from_be_bytes(header);
    if length > LENGTH_LIMIT {
        return Err(Malformed("a data block of more than 2^31 bytes"));
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_fills_whole_blocks_and_has_a_nul() {
        for (length, padded) in [(0, 512), (2, 512), (511, 512), (512, 1024), (1000, 1024)] {
            let text = vec![b'x'; length];
            let mut out = vec![0xa5; 3];
            emit_command(&text, &mut out);
            let emitted = out.strip_prefix(&[0xa5; 3]).unwrap();
            assert_eq!(emitted.len(), padded);
            assert_eq!(parse_command(emitted), Ok(Some((&text[..], padded))));
            for cut in [0, 1, padded - 1] {
                assert_eq!(parse_command(&emitted[..cut]), Ok(None));
            }
        }
    }

    #[test]
    fn bytes_of_the_wire() {
        let mut out = vec![0xa5];
        emit_data(b"hello mail\n", &mut out);
        out.extend_from_slice(&FILE_END);
        emit_command(b"CY", &mut out);
        assert_eq!(&out[..20], b"\xa5\0\0\0\x0bhello mail\n\0\0\0\0");
        assert_eq!(&out[20..], [&b"CY"[..], &[0; 510]].concat());
    }

    #[test]
    fn long_data_goes_in_blocks_that_fit_taylors_ring() {
        let mut out = Vec::new();
        emit_data(&[7; DATA_BLOCK + 1], &mut out);
        assert_eq!(out[..4], [0, 0, 0x3e, 0]);
        assert_eq!(out[4 + DATA_BLOCK..], [0, 0, 0, 1, 7]);
        const { assert!(DATA_BLOCK + 4 < 16_384) };
    }

    #[test]
    fn lengths() {
        assert_eq!(parse_length([0, 0, 0, 11]), Ok(11));
        assert_eq!(parse_length([0x7f, 0xff, 0xff, 0xff]), Ok(LENGTH_LIMIT));
        assert!(parse_length([0x80, 0, 0, 0]).is_err());
        assert!(parse_length([0xff, 0xff, 0xff, 0xf0]).is_err());
    }

    #[test]
    fn a_command_without_end_is_refused() {
        assert_eq!(parse_command(&[b'x'; COMMAND_LIMIT - 1]), Ok(None));
        assert!(parse_command(&[b'x'; COMMAND_LIMIT]).is_err());
    }
}
