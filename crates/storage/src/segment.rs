//! The header of a segment of the log.
//!
//! ```text
//! magic     8 bytes: `tidewal`, and the version of the format, `1` to `3`
//! previous  u64, little endian; from format 2 on: the last epoch before the segment, 0 if there is none
//! checksum  u64; from format 2 on: XXH3 of the 16 bytes before it
//! ```

use springtide_types::Epoch;
use xxhash_rust::xxh3::xxh3_64;

use crate::frame::Layout;

const MAGIC: &[u8; 8] = b"tidewal3";
const MAGIC_2: &[u8; 8] = b"tidewal2";
const MAGIC_1: &[u8; 8] = b"tidewal1";
/// Bytes of a header as they are written now.
const LENGTH: usize = 24;

/// What a segment begins with.
pub(crate) enum Header {
    /// A header of so many bytes, the last epoch before the segment, where the format says it, and what the frames of the
    /// format look like.
    Whole { previous: Option<Epoch>, length: usize, layout: Layout },
    /// The beginning of one, or nothing.
    Torn,
    /// Something else.
    Other,
}

/// The header of a segment that comes after this epoch.
pub(crate) fn header(previous: Epoch) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&previous.to_le_bytes());
    bytes.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
    bytes
}

/// Reads the header of a segment.
pub(crate) fn read_header(segment: &[u8]) -> Header {
    if segment.starts_with(MAGIC_1) {
        return Header::Whole { previous: None, length: MAGIC_1.len(), layout: Layout::WithoutDurable };
    }
    if let Some(header) = segment.first_chunk::<LENGTH>() {
        let word = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("8 bytes were taken"));
        let layout = match header.first_chunk() {
            Some(MAGIC) => Some(Layout::WithDurable),
            Some(MAGIC_2) => Some(Layout::WithoutDurable),
            _ => None,
        };
        if let Some(layout) = layout.filter(|_| word(16) == xxh3_64(&header[..16])) {
            return Header::Whole { previous: Some(word(8)), length: LENGTH, layout };
        }
    }
    // A header is durable before anything but room comes after it. What was not written reads as zeros.
    let (head, rest) = segment.split_at(segment.len().min(LENGTH));
    let begins_as = |magic: &[u8; 8]| head.iter().zip(magic).all(|(byte, magic)| byte == magic || *byte == 0);
    let begins = begins_as(MAGIC) || begins_as(MAGIC_2);
    if begins && rest.iter().all(|byte| *byte == 0) { Header::Torn } else { Header::Other }
}
