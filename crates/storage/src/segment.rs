//! The header of a segment of the log.
//!
//! ```text
//! magic     8 bytes: `tidewal`, and the version of the format, `1` or `2`
//! previous  u64, little endian; from format 2 on: the last epoch before the segment, 0 if there is none
//! checksum  u64; from format 2 on: XXH3 of the 16 bytes before it
//! ```

use springtide_types::Epoch;
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"tidewal2";
const MAGIC_1: &[u8; 8] = b"tidewal1";
/// Bytes of a header as they are written now.
const LENGTH: usize = 24;

/// What a segment begins with.
pub(crate) enum Header {
    /// A header of so many bytes, and the last epoch before the segment, where the format says it.
    Whole { previous: Option<Epoch>, length: usize },
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
        return Header::Whole { previous: None, length: MAGIC_1.len() };
    }
    if let Some(header) = segment.first_chunk::<LENGTH>() {
        let word = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("8 bytes were taken"));
        if header.starts_with(MAGIC) && word(16) == xxh3_64(&header[..16]) {
            return Header::Whole { previous: Some(word(8)), length: LENGTH };
        }
    }
    // A header is durable before anything comes after it. What was not written reads as zeros.
    let begins = segment.iter().zip(MAGIC).all(|(byte, magic)| byte == magic || *byte == 0);
    if segment.len() <= LENGTH && begins { Header::Torn } else { Header::Other }
}
