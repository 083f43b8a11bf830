//! The log, and what may happen to its files.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use springtide_storage::{Record, Replayed, StorageError, Wal};
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
            wal.rotate();
        }
    }
    wal.forget(5).unwrap();
    drop(wal);
    let (mut wal, replayed, records) = open_after(&files, 5).unwrap();
    assert_eq!(records.iter().map(|record| record.epoch).collect::<Vec<_>>(), [6, 7, 8, 9]);
    assert_eq!((replayed.records, replayed.epoch), (4, 9));
    wal.rotate();
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
        wal.rotate();
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
    wal.rotate();
    wal.append(&record(100)).unwrap();
    drop(wal);
    files.edit(|segment| segment.truncate(30));
    let (mut wal, replayed, _) = open(&files).unwrap();
    assert_eq!(replayed, Replayed { records: 1, epoch: 1, torn_bytes: 6 });
    for epoch in [2, 3] {
        wal.append(&record(epoch)).unwrap();
        wal.rotate();
    }
    assert_eq!(epochs(&files), [1, 2, 3]);
}

/// The length of a file may be durable before its contents, which then read as zeros.
#[test]
fn a_header_that_was_torn_holds_nothing() {
    for torn in [0..4, 3..24, 20..24, 0..24] {
        let files = written(1);
        let (mut wal, ..) = open(&files).unwrap();
        wal.rotate();
        wal.append(&record(2)).unwrap();
        drop(wal);
        files.edit(|segment| {
            segment.truncate(24);
            segment[torn.clone()].fill(0);
        });
        let (mut wal, ..) = open(&files).unwrap();
        wal.append(&record(2)).unwrap();
        assert_eq!(epochs(&files), [1, 2], "with zeros at {torn:?}");
    }
}
