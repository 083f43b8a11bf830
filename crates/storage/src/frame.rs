//! Frames: how a segment of the log is cut.
//!
//! ```text
//! length of the payload   u32, little endian, as all numbers
//! checksum of the header  u32: XXH3 of the length and of `durable`, seeded with the frame's own offset in the file, lower half
//! durable                 u64: up to this offset the file was known to be durable when the frame was written
//! checksum of the payload u64: XXH3
//! payload
//! ```
//!
//! The header has a checksum of its own, so that a damaged length is not taken for the end of the log. `durable` tells damage
//! from what a crash leaves of frames that were not synced yet, which may be anything: a later frame may be intact where
//! an earlier one is not. Before format 3 each frame was durable before the next was written, and there was no `durable`.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Bytes before the payload, as frames are written now.
pub(crate) const HEADER: usize = 24;

/// What a frame looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// That of formats 1 and 2.
    WithoutDurable,
    /// That of today.
    WithDurable,
}

/// What stands at an offset of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    Intact(Intact<'a>),
    /// The segment ends here, but for zeros.
    End,
    /// Something else.
    Broken(&'static str),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Intact<'a> {
    pub(crate) payload: &'a [u8],
    /// Up to this offset everything was durable when the frame was written.
    pub(crate) durable: u64,
    /// The offset of the next frame.
    pub(crate) next: usize,
}

/// Appends a frame that begins at `offset` of its file, of which the bytes before `durable` are known to be durable.
pub(crate) fn write(payload: &[u8], offset: u64, durable: u64, out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).expect("a record is shorter than 4 GiB").to_le_bytes();
    let durable = durable.to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&header_checksum(&[&length[..], &durable].concat(), offset).to_le_bytes());
    out.extend_from_slice(&durable);
    out.extend_from_slice(&xxh3_64(payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// Reads the frame at `offset` of a segment.
pub(crate) fn read(segment: &[u8], offset: usize, layout: Layout) -> Frame<'_> {
    let is_end = segment[offset..].iter().all(|byte| *byte == 0);
    if is_end { Frame::End } else { read_frame(segment, offset, layout) }
}

fn read_frame(segment: &[u8], offset: usize, layout: Layout) -> Frame<'_> {
    let mut rest = &segment[offset..];
    let mut take = |bytes: usize| {
        let (taken, left) = rest.split_at_checked(bytes)?;
        rest = left;
        Some(taken)
    };
    let (length, checksum) = (take(4), take(4));
    let durable = if layout == Layout::WithDurable { take(8) } else { Some(&[][..]) };
    let (Some(length), Some(checksum), Some(durable), Some(sum)) = (length, checksum, durable, take(8))
    else {
        return Frame::Broken("it ends in the middle of a frame's header");
    };
    if checksum != header_checksum(&[length, durable].concat(), offset as u64).to_le_bytes() {
        return Frame::Broken("the checksum of a frame's header is wrong");
    }
    let length = u32::from_le_bytes(length.try_into().expect("4 bytes were taken")) as usize;
    let Some(payload) = take(length) else { return Frame::Broken("it ends in the middle of a frame") };
    if sum != xxh3_64(payload).to_le_bytes() {
        return Frame::Broken("the checksum of a frame is wrong");
    }
    let durable = durable.try_into().map_or(offset as u64, u64::from_le_bytes);
    Frame::Intact(Intact { payload, durable, next: segment.len() - rest.len() })
}

/// Whether an intact frame after `offset` says that what is there was durable. O(bytes).
pub(crate) fn was_durable(segment: &[u8], offset: usize, layout: Layout) -> bool {
    (offset + 1..segment.len()).any(
        |later| matches!(read_frame(segment, later, layout), Frame::Intact(frame) if frame.durable > offset as u64),
    )
}

fn header_checksum(header: &[u8], offset: u64) -> u32 {
    xxh3_64_with_seed(header, offset) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_now(segment: &[u8], offset: usize) -> Frame<'_> {
        read(segment, offset, Layout::WithDurable)
    }

    /// Two frames, of which the second says that so much was durable, and where it begins.
    fn two(durable: u64) -> (Vec<u8>, usize) {
        let mut segment = Vec::new();
        write(b"one", 0, 0, &mut segment);
        let second = segment.len();
        write(b"two", second as u64, durable, &mut segment);
        (segment, second)
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let (_, second) = two(0);
        let (segment, _) = two(second as u64);
        let intact = |payload, durable, next| Frame::Intact(Intact { payload, durable, next });
        assert_eq!(read_now(&segment, 0), intact(&b"one"[..], 0, second));
        assert_eq!(read_now(&segment, second), intact(b"two", second as u64, segment.len()));
        assert_eq!(read_now(&segment, segment.len()), Frame::End);
        let roomy = [&segment[..], &[0; 100]].concat();
        assert_eq!(read_now(&roomy, segment.len()), Frame::End);
        for bit in 0..second * 8 {
            let mut damaged = segment.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(read_now(&damaged, 0), Frame::Broken(_)), "bit {bit}");
            assert!(was_durable(&damaged, 0, Layout::WithDurable), "the second frame is found");
        }
        for length in second + 1..segment.len() {
            assert!(matches!(read_now(&segment[..length], second), Frame::Broken(_)), "cut at {length}");
            assert!(!was_durable(&segment[..length], second, Layout::WithDurable));
        }
    }

    #[test]
    fn a_later_frame_tells_what_was_durable() {
        let (segment, second) = two(0);
        assert!(!was_durable(&segment, 0, Layout::WithDurable), "neither was");
        let (segment, _) = two(second as u64);
        assert!(was_durable(&segment, 0, Layout::WithDurable));
        assert!(!was_durable(&segment, second, Layout::WithDurable), "it says nothing of itself");
    }
}
