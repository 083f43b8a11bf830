//! Frames: how a segment of the log is cut.
//!
//! ```text
//! length of the payload   u32, little endian
//! checksum of the header  u32: XXH3 of the length and of the frame's own offset in the file, lower half
//! checksum of the payload u64: XXH3
//! payload
//! ```
//!
//! The header has a checksum of its own, so that a damaged length is not taken for the end of the log.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Bytes before the payload.
const HEADER: usize = 16;

/// What stands at an offset of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A payload, and the offset of the next frame.
    Intact(&'a [u8], usize),
    /// The segment ends here.
    End,
    /// Something else.
    Broken(&'static str),
}

/// Appends a frame that begins at `offset` of its file.
pub(crate) fn write(payload: &[u8], offset: u64, out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).expect("a record is shorter than 4 GiB");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&header_checksum(length, offset).to_le_bytes());
    out.extend_from_slice(&xxh3_64(payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// Reads the frame at `offset` of a segment.
pub(crate) fn read(segment: &[u8], offset: usize) -> Frame<'_> {
    let rest = &segment[offset..];
    if rest.is_empty() {
        return Frame::End;
    }
    let Some((header, rest)) = rest.split_first_chunk::<HEADER>() else {
        return Frame::Broken("it ends in the middle of a frame's header");
    };
    let length = u32::from_le_bytes(*header.first_chunk().expect("a header has 16 bytes"));
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if word(4) != header_checksum(length, offset as u64) {
        return Frame::Broken("the checksum of a frame's header is wrong");
    }
    let Some(payload) = rest.get(..length as usize) else {
        return Frame::Broken("it ends in the middle of a frame");
    };
    if xxh3_64(payload) != u64::from(word(8)) | u64::from(word(12)) << 32 {
        return Frame::Broken("the checksum of a frame is wrong");
    }
    Frame::Intact(payload, offset + HEADER + length as usize)
}

/// Whether an intact frame begins anywhere after `offset`. O(bytes).
pub(crate) fn any_after(segment: &[u8], offset: usize) -> bool {
    (offset + 1..segment.len()).any(|offset| matches!(read(segment, offset), Frame::Intact(..)))
}

fn header_checksum(length: u32, offset: u64) -> u32 {
    xxh3_64_with_seed(&length.to_le_bytes(), offset) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut segment = Vec::new();
        write(b"one", 0, &mut segment);
        let second = segment.len();
        write(b"two", second as u64, &mut segment);
        assert_eq!(read(&segment, 0), Frame::Intact(b"one", second));
        assert_eq!(read(&segment, second), Frame::Intact(b"two", segment.len()));
        assert_eq!(read(&segment, segment.len()), Frame::End);
        for bit in 0..second * 8 {
            let mut damaged = segment.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(read(&damaged, 0), Frame::Broken(_)), "bit {bit}");
            assert!(any_after(&damaged, 0), "the second frame is found");
        }
        for length in second + 1..segment.len() {
            assert!(matches!(read(&segment[..length], second), Frame::Broken(_)), "cut at {length}");
            assert!(!any_after(&segment[..length], second));
        }
    }
}
