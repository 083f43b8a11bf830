//! The log, and what may happen to its files.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use springtide_storage::{LocalFileSystem, Record, Replayed, StorageError, Wal};
use springtide_types::{RelationId, ZBatch};

use crate::memory::Memory;

fn record(epoch: u64) -> Record {
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![Some(epoch as i64), None]));
    let names: ArrayRef = Arc::new(StringArray::from(vec![None, Some("tide")]));
    let rows = RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("name", names, true)]).unwrap();
    let delta = ZBatch::new(rows, vec![1, -1].into());
    Record { epoch, catalog: format!("catalog {epoch}").into_bytes(), deltas: vec![(RelationId(7), delta)] }
}

fn open_after(files: &Memory, after: u64) -> Result<(Wal, Replayed, Vec<Record>), StorageError> {
    let mut records = Vec::new();
    let (wal, replayed) = Wal::open(Arc::new(files.clone()), Path::new("wal"), after, |record| {
        records.push(record);
        Ok(())
    })?;
    Ok((wal, replayed, records))
}

fn open(files: &Memory) -> Result<(Wal, Replayed, Vec<Record>), StorageError> {
    open_after(files, 0)
}

fn epochs(files: &Memory) -> Vec<u64> {
    open(files).expect("the log is intact").2.iter().map(|record| record.epoch).collect()
}

fn written(count: u64) -> Memory {
    let files = Memory::default();
    let (mut wal, ..) = open(&files).unwrap();
    (1..=count).for_each(|epoch| wal.append(&record(epoch)).unwrap());
    files
}

#[test]
fn what_was_appended_is_read_back() {
    let files = written(3);
    files.crash(0);
    let (mut wal, replayed, records) = open(&files).unwrap();
    assert_eq!(replayed, Replayed { records: 3, epoch: 3, torn_bytes: 0 });
    for (found, epoch) in records.iter().zip(1..) {
        let expected = record(epoch);
        assert_eq!((found.epoch, &found.catalog), (epoch, &expected.catalog));
        let ((relation, delta), (_, other)) = (&found.deltas[0], &expected.deltas[0]);
        assert_eq!(*relation, RelationId(7));
        assert_eq!((delta.rows(), delta.weights()), (other.rows(), other.weights()));
    }
    wal.append(&record(4)).unwrap();
    drop(wal);
    assert_eq!(epochs(&files), [1, 2, 3, 4]);
}

#[test]
fn a_torn_end_is_cut_at_every_length() {
    let whole = written(3);
    let two = written(2).length();
    for cut in 0..whole.length() {
        let files = written(3);
        files.edit(|bytes| bytes.truncate(cut));
        let expected = if cut >= two { vec![1, 2] } else { epochs(&files) };
        assert!(expected.len() < 3);
        let (mut wal, ..) = open(&files).unwrap();
        wal.append(&record(9)).unwrap();
        assert_eq!(epochs(&files), [expected, vec![9]].concat(), "cut at {cut}");
    }
}

#[test]
fn damage_before_the_end_is_refused_and_named() {
    let files = written(3);
    let second = written(1).length();
    let length = files.length();
    for offset in (0..written(2).length()).step_by(3) {
        files.edit(|bytes| bytes[offset] ^= 0x10);
        match open(&files) {
            Err(StorageError::Corrupt { path, offset: reported, .. }) => {
                assert_eq!(path, Path::new("wal/00000000000000000001.wal"));
                assert!(reported <= offset as u64, "{reported} for damage at {offset}");
                assert!(offset < second || reported >= second as u64);
            }
            Err(other) => panic!("damage at {offset}: {other}"),
            Ok(_) => panic!("damage at {offset} was not noticed"),
        }
        files.edit(|bytes| bytes[offset] ^= 0x10);
    }
    assert_eq!((epochs(&files), files.length()), (vec![1, 2, 3], length));
}

/// The first record is durable, those after it are not.
fn written_without_sync(count: u64) -> Memory {
    let files = written(1);
    let (mut wal, ..) = open(&files).unwrap();
    (2..=count).for_each(|epoch| wal.write(&record(epoch)).unwrap());
    assert!(!wal.is_durable());
    files
}

#[test]
fn a_crash_leaves_a_beginning_of_what_was_not_synced() {
    let (one, whole) = (written(1).length(), written_without_sync(4).length());
    for torn in 0..=whole - one {
        let files = written_without_sync(4);
        files.crash(torn);
        let found = epochs(&files);
        assert!(
            found.iter().copied().eq(1..=found.len() as u64) && !found.is_empty(),
            "{found:?} after {torn}"
        );
    }
    let files = written_without_sync(3);
    let (mut wal, ..) = open(&files).unwrap();
    wal.write(&record(4)).unwrap();
    wal.sync().unwrap();
    wal.write(&record(5)).unwrap();
    files.crash(0);
    assert_eq!(epochs(&files), [1, 2, 3, 4], "opening makes durable what was read");
}

/// Blocks of a file that were not synced reach the disk in any order.
#[test]
fn intact_frames_behind_a_broken_one_that_was_not_synced_go_with_it() {
    let ends = (1..=4).map(|count| written(count).length()).collect::<Vec<_>>();
    for broken in 1..4 {
        for part in [0..1, 0..24, 10..40] {
            let files = written_without_sync(4);
            let part = ends[broken - 1] + part.start..ends[broken - 1] + part.end;
            files.edit(|segment| segment[part.clone()].iter_mut().for_each(|byte| *byte = !*byte));
            let (mut wal, replayed, records) = open(&files).unwrap();
            assert_eq!(records.len(), broken);
            assert!((1..=(ends[3] - ends[broken - 1]) as u64).contains(&replayed.torn_bytes));
            wal.append(&record(9)).unwrap();
            assert_eq!(epochs(&files), (1..=broken as u64).chain([9]).collect::<Vec<_>>());
        }
    }
}

#[test]
fn damage_to_what_was_synced_is_refused_whatever_follows_unsynced() {
    let ends = (0..=4).map(|count| if count == 0 { 24 } else { written(count).length() }).collect::<Vec<_>>();
    let files = written(3);
    let (mut wal, ..) = open(&files).unwrap();
    wal.write(&record(4)).unwrap();
    drop(wal);
    for (record, bounds) in (1_u64..).zip(ends.windows(2)) {
        for offset in (bounds[0]..bounds[1]).step_by(5) {
            files.edit(|bytes| bytes[offset] ^= 0x10);
            if record <= 3 {
                let opened = open(&files);
                let Err(StorageError::Corrupt { offset: named, .. }) = opened else {
                    panic!("byte {offset}")
                };
                assert_eq!(named, bounds[0] as u64);
            }
            files.edit(|bytes| bytes[offset] ^= 0x10);
        }
    }
    files.edit(|bytes| bytes[ends[3] + 30] ^= 0x10);
    assert_eq!(epochs(&files), [1, 2, 3]);
}

#[test]
fn what_was_not_synced_is_durable_before_another_segment_begins() {
    let files = written_without_sync(3);
    let (mut wal, ..) = open(&files).unwrap();
    wal.write(&record(4)).unwrap();
    wal.rotate().unwrap();
    wal.write(&record(5)).unwrap();
    files.crash(0);
    assert_eq!(epochs(&files), [1, 2, 3, 4]);
    let (mut wal, ..) = open(&files).unwrap();
    wal.write(&record(5)).unwrap();
    files.fail_after(Some(0));
    assert!(wal.rotate().is_err() && wal.is_poisoned());
    files.fail_after(None);
    assert!(matches!(wal.append(&record(6)), Err(StorageError::Poisoned)));
}

#[test]
fn zeros_after_the_end_are_room() {
    for zeros in [1, 16, 40, 5000] {
        for whole in [true, false] {
            let files = written(2);
            let end = files.length();
            files.edit(|segment| {
                segment.truncate(if whole { end } else { end - 7 });
                segment.resize(end + zeros, 0);
            });
            let (mut wal, replayed, records) = open(&files).unwrap();
            let torn = if whole { 0 } else { (end - 7 - written(1).length()) as u64 };
            assert_eq!((records.len(), replayed.torn_bytes <= torn), (1 + usize::from(whole), true));
            assert_eq!(replayed.torn_bytes > 0, !whole);
            wal.append(&record(3)).unwrap();
            wal.rotate().unwrap();
            wal.append(&record(4)).unwrap();
            let expected: &[u64] = if whole { &[1, 2, 3, 4] } else { &[1, 3, 4] };
            assert_eq!(epochs(&files), expected);
        }
    }
}

#[test]
fn the_file_system_of_the_machine_keeps_what_is_appended() {
    let directory = std::env::temp_dir().join(format!("springtide-wal-{}", std::process::id()));
    let files = Arc::new(LocalFileSystem);
    let mut expected = Vec::new();
    for epoch in 1..=40 {
        let mut found = Vec::new();
        let opened = Wal::open(files.clone(), &directory, 0, |record| {
            found.push(record.epoch);
            Ok(())
        });
        let (mut wal, replayed) = opened.unwrap();
        assert_eq!((&found, replayed.torn_bytes), (&expected, 0));
        for epoch in [2 * epoch, 2 * epoch + 1] {
            wal.append(&record(epoch)).unwrap();
            expected.push(epoch);
        }
        if epoch % 7 == 0 {
            wal.rotate().unwrap();
        }
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

/// A frame as formats 1 and 2 had it.
#[test]
fn a_log_in_an_older_format_goes_on_in_another_segment() {
    let payload_at = 24 + 24;
    let mut old = Vec::new();
    let files = written(1);
    files.edit(|segment| {
        let payload = segment.split_off(payload_at);
        segment[..8].copy_from_slice(b"tidewal2");
        let sum = xxhash_rust::xxh3::xxh3_64(&segment[..16]).to_le_bytes();
        segment[16..24].copy_from_slice(&sum);
        let length = (payload.len() as u32).to_le_bytes();
        let checksum = xxhash_rust::xxh3::xxh3_64_with_seed(&length, 24) as u32;
        segment.truncate(24);
        segment.extend_from_slice(&length);
        segment.extend_from_slice(&checksum.to_le_bytes());
        segment.extend_from_slice(&xxhash_rust::xxh3::xxh3_64(&payload).to_le_bytes());
        segment.extend_from_slice(&payload);
        old.clone_from(segment);
        segment.extend_from_slice(&length);
    });
    let (mut wal, replayed, _) = open(&files).unwrap();
    assert_eq!((replayed.records, replayed.torn_bytes > 0), (1, true));
    wal.append(&record(2)).unwrap();
    assert_eq!(epochs(&files), [1, 2]);
    assert_eq!((files.paths().len(), files.length() > old.len()), (2, true));
    drop(wal);
    let (mut wal, ..) = open(&files).unwrap();
    wal.append(&record(3)).unwrap();
    assert_eq!((epochs(&files), files.paths().len()), (vec![1, 2, 3], 2));
}

#[test]
fn after_a_failed_write_nothing_is_accepted_until_the_log_is_opened_again() {
    // The first record creates the segment: a write, a sync and a sync of the directory before its own two.
    for operations in 0..8 {
        let files = Memory::default();
        let (mut wal, ..) = open(&files).unwrap();
        files.fail_after(Some(operations));
        let results = (1..=4).map(|epoch| wal.append(&record(epoch))).collect::<Vec<_>>();
        let acknowledged = results.iter().take_while(|result| result.is_ok()).count();
        assert!(acknowledged < 3, "{operations} operations");
        assert!(matches!(&results[acknowledged], Err(error) if error.is_disk_full()));
        assert!(
            results[acknowledged + 1..].iter().all(|result| matches!(result, Err(StorageError::Poisoned)))
        );
        files.fail_after(None);
        for torn in [0, 1, 20, 10_000] {
            files.crash(torn);
            let found = epochs(&files);
            assert!(found.len() >= acknowledged && found.len() <= acknowledged + 1);
        }
    }
}

#[test]
fn a_record_that_is_refused_on_replay_is_named() {
    let files = Arc::new(written(3));
    let second = written(1).length() as u64;
    let refuse = |record: Record| if record.epoch == 2 { Err("no such table".to_owned()) } else { Ok(()) };
    let opened = Wal::open(files, Path::new("wal"), 0, refuse);
    let Err(StorageError::Corrupt { offset, reason, .. }) = opened else { panic!("it was not refused") };
    assert_eq!((offset, reason.as_str()), (second, "no such table"));
}

#[test]
fn segments_that_hold_nothing_later_are_forgotten() {
    let files = Memory::default();
    let (mut wal, ..) = open(&files).unwrap();
    for epoch in 1..=9 {
        wal.append(&record(epoch)).unwrap();
        if epoch % 3 == 0 {
            wal.rotate().unwrap();
        }
    }
    wal.forget(5).unwrap();
    drop(wal);
    let (mut wal, replayed, records) = open_after(&files, 5).unwrap();
    assert_eq!(records.iter().map(|record| record.epoch).collect::<Vec<_>>(), [6, 7, 8, 9]);
    assert_eq!((replayed.records, replayed.epoch), (4, 9));
    wal.rotate().unwrap();
    wal.forget(9).unwrap();
    assert_eq!(files.length(), 0);
    wal.append(&record(10)).unwrap();
    drop(wal);
    assert_eq!(open_after(&files, 9).unwrap().1.epoch, 10);
    assert_eq!(open_after(&files, 12).unwrap().1.epoch, 12);
}

#[test]
fn a_segment_that_is_missing_is_noticed() {
    let files = Memory::default();
    let (mut wal, ..) = open(&files).unwrap();
    for epoch in 1..=3 {
        wal.append(&record(epoch)).unwrap();
        wal.rotate().unwrap();
    }
    drop(wal);
    assert!(matches!(open_after(&files, 1), Ok((_, Replayed { records: 2, .. }, _))));
    files.lose(Path::new("wal/00000000000000000002.wal"));
    assert!(matches!(open_after(&files, 1), Err(StorageError::Corrupt { offset: 0, .. })));
    assert!(matches!(open_after(&files, 2), Ok((_, Replayed { records: 1, .. }, _))));
    files.lose(Path::new("wal/00000000000000000001.wal"));
    assert!(matches!(open(&files), Err(StorageError::Corrupt { offset: 0, .. })));
}

/// The clock may have been set back while the database was down.
#[test]
fn a_segment_whose_first_record_was_torn_does_not_outlive_the_crash() {
    let files = written(1);
    let (mut wal, ..) = open(&files).unwrap();
    wal.rotate().unwrap();
    wal.append(&record(100)).unwrap();
    drop(wal);
    files.edit(|segment| segment.truncate(30));
    let (mut wal, replayed, _) = open(&files).unwrap();
    assert_eq!(replayed, Replayed { records: 1, epoch: 1, torn_bytes: 6 });
    for epoch in [2, 3] {
        wal.append(&record(epoch)).unwrap();
        wal.rotate().unwrap();
    }
    assert_eq!(epochs(&files), [1, 2, 3]);
}

/// The length of a file may be durable before its contents, which then read as zeros.
#[test]
fn a_header_that_was_torn_holds_nothing() {
    for (torn, room) in [(0..4, 24), (3..24, 24), (20..24, 24), (0..24, 24), (3..24, 5000), (0..24, 5000)] {
        let files = written(1);
        let (mut wal, ..) = open(&files).unwrap();
        wal.rotate().unwrap();
        wal.append(&record(2)).unwrap();
        drop(wal);
        files.edit(|segment| {
            segment.truncate(24);
            segment[torn.clone()].fill(0);
            segment.resize(room, 0);
        });
        let (mut wal, ..) = open(&files).unwrap();
        wal.append(&record(2)).unwrap();
        assert_eq!(epochs(&files), [1, 2], "with zeros at {torn:?}");
    }
}
