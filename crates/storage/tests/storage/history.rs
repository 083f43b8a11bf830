//! The history, and what may happen to its files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int16Array, Int64Array, IntervalMonthDayNanoArray, RecordBatch, RecordBatchOptions, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{IntervalMonthDayNano, Schema};
use springtide_storage::{Base, FILE_ROWS, History, Manifest, RelationHistory, StorageError};
use springtide_types::{Changes, Epoch, RelationId, ZBatch};

use crate::memory::Memory;

fn open(files: &Memory) -> Result<(History, Option<Manifest>), StorageError> {
    History::open(Arc::new(files.clone()), Path::new("tide"))
}

fn numbers(values: impl IntoIterator<Item = i64>) -> ZBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    ZBatch::inserts(RecordBatch::try_from_iter([("a", column)]).unwrap())
}

/// A manifest with one relation, which has one row for each of these epochs.
fn install(history: &History, epochs: &[Epoch]) -> Manifest {
    let mut relation = RelationHistory::new(RelationId(3), "so so", 1);
    for epoch in epochs {
        let changes = Changes::at(*epoch, numbers([*epoch as i64]));
        relation.changes.extend(history.write(&relation.directory, &epoch.to_string(), &changes).unwrap());
    }
    let newest = *epochs.last().unwrap();
    let manifest = Manifest { relations: vec![relation], ..Manifest::new(newest) };
    history.install(&manifest).unwrap();
    manifest
}

fn rows(history: &History, manifest: &Manifest) -> Result<Vec<i64>, StorageError> {
    let relation = &manifest.relations[0];
    let schema = numbers([]).schema();
    let mut rows = Vec::new();
    for file in &relation.changes {
        for piece in history.read(&relation.directory, file, &schema)? {
            rows.extend(piece.epochs().values());
        }
    }
    Ok(rows)
}

#[test]
fn every_type_comes_back() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("b", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("s", Arc::new(Int16Array::from(vec![None, Some(-3)]))),
        ("r", Arc::new(Float32Array::from(vec![Some(f32::NAN), Some(-0.0)]))),
        ("f", Arc::new(Float64Array::from(vec![Some(0.1), None]))),
        (
            "n",
            Arc::new(
                Decimal128Array::from(vec![Some(-1234), None]).with_precision_and_scale(38, 10).unwrap(),
            ),
        ),
        ("t", Arc::new(StringArray::from(vec![Some("tide"), None]))),
        ("y", Arc::new(BinaryArray::from_opt_vec(vec![Some(b"\x00\xff"), None]))),
        ("d", Arc::new(Date32Array::from(vec![Some(-1), None]))),
        ("ts", Arc::new(TimestampMicrosecondArray::from(vec![None, Some(7)]))),
        ("tz", Arc::new(TimestampMicrosecondArray::from(vec![Some(1), None]).with_timezone("+00:00"))),
        (
            "i",
            Arc::new(IntervalMonthDayNanoArray::from(vec![
                Some(IntervalMonthDayNano::new(-1, 2, 3_000)),
                None,
            ])),
        ),
        ("_epoch", Arc::new(StringArray::from(vec!["a", "user's"]))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    );
    let delta = ZBatch::new(batch.unwrap(), vec![1, -2].into());
    let changes = Changes::new(delta, vec![5, 9].into());
    let (history, _) = open(&Memory::default()).unwrap();
    let files = history.write("all.1", "x", &changes).unwrap();
    assert_eq!((files[0].rows, files[0].first, files[0].last), (2, 5, 9));
    let read = history.read("all.1", &files[0], &changes.delta().schema()).unwrap();
    let read = Changes::merge(changes.delta().schema(), &read);
    assert_eq!(read.delta().weights(), changes.delta().weights());
    assert_eq!(read.epochs(), changes.epochs());
    assert_eq!(format!("{:?}", read.delta().rows()), format!("{:?}", changes.delta().rows()));
}

#[test]
fn rows_without_columns_come_back() {
    let options = RecordBatchOptions::new().with_row_count(Some(3));
    let schema = Arc::new(Schema::empty());
    let batch = RecordBatch::try_new_with_options(schema.clone(), vec![], &options).unwrap();
    let (history, _) = open(&Memory::default()).unwrap();
    let files = history.write("none.1", "x", &Changes::at(4, ZBatch::inserts(batch))).unwrap();
    let read = history.read("none.1", &files[0], &schema).unwrap();
    assert_eq!(read.iter().map(Changes::len).sum::<usize>(), 3);
}

#[test]
fn many_rows_become_several_files() {
    let (history, _) = open(&Memory::default()).unwrap();
    let count = FILE_ROWS + 10;
    let files = history.write("many.1", "x", &Changes::at(4, numbers(0..count as i64))).unwrap();
    assert_eq!(files.iter().map(|file| file.rows as usize).collect::<Vec<_>>(), [FILE_ROWS, 10]);
    assert!(history.write("many.1", "y", &Changes::at(5, numbers([]))).unwrap().is_empty());
}

#[test]
fn the_newest_intact_manifest_counts() {
    let files = Memory::default();
    let (history, none) = open(&files).unwrap();
    assert_eq!(none, None);
    let old = install(&history, &[1]);
    let newer = install(&history, &[1, 2]);
    assert_eq!(open(&files).unwrap().1, Some(newer.clone()));
    let newest = install(&history, &[1, 2, 3]);
    assert_eq!(open(&files).unwrap().1, Some(newest.clone()));
    assert_eq!(rows(&history, &newest).unwrap(), [1, 2, 3]);
    let manifests = files.paths().into_iter().filter(|path| path.starts_with("tide/manifest"));
    let manifests = manifests.collect::<Vec<PathBuf>>();
    assert_eq!(manifests.len(), 2, "{old:?} is gone");
    for offset in [0, 10, 200] {
        files.flip(&manifests[1], offset);
        assert_eq!(open(&files).unwrap().1, Some(newer.clone()), "with damage at {offset}");
        files.flip(&manifests[1], offset);
    }
    manifests.iter().for_each(|manifest| files.flip(manifest, 5));
    assert!(matches!(open(&files), Err(StorageError::Corrupt { .. })));
}

#[test]
fn a_manifest_of_another_version_is_refused_and_left_alone() {
    let files = Memory::default();
    let (history, _) = open(&files).unwrap();
    install(&history, &[1]);
    let newer = Manifest { format: 2, ..install(&history, &[1, 2]) };
    history.install(&newer).unwrap();
    let Err(StorageError::Corrupt { path, reason, .. }) = open(&files) else { panic!("it was not refused") };
    assert_eq!(path, Path::new("tide/manifest/00000000000000000002.json"));
    assert!(reason.contains("format is 2"), "{reason}");
}

#[test]
fn a_flipped_bit_in_a_data_file_is_noticed_and_named() {
    let files = Memory::default();
    let (history, _) = open(&files).unwrap();
    let manifest = install(&history, &[1, 2]);
    let path = Path::new("tide/history/so_so.3/2-0.parquet");
    for offset in (0..manifest.relations[0].changes[1].bytes as usize).step_by(7) {
        files.flip(path, offset);
        let Err(StorageError::Corrupt { path: named, .. }) = rows(&history, &manifest) else {
            panic!("damage at {offset} was not noticed")
        };
        assert_eq!(named, path);
        files.flip(path, offset);
    }
    assert_eq!(rows(&history, &manifest).unwrap(), [1, 2]);
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let files = Memory::default();
    let (history, _) = open(&files).unwrap();
    let manifest = install(&history, &[1, 2]);
    files.fail_after(Some(0));
    let error = history.write("so_so.3", "3", &Changes::at(3, numbers([3]))).unwrap_err();
    assert!(error.is_disk_full());
    let next = Manifest { relations: manifest.relations.clone(), ..Manifest::new(3) };
    assert!(history.install(&next).unwrap_err().is_disk_full());
    files.fail_after(None);
    let (history, found) = open(&files).unwrap();
    assert_eq!(found, Some(manifest.clone()));
    history.collect_garbage(&[]).unwrap();
    assert_eq!(rows(&history, &manifest).unwrap(), [1, 2]);
}

#[test]
fn only_files_that_nobody_lists_are_removed() {
    let files = Memory::default();
    let (history, _) = open(&files).unwrap();
    let held = Arc::new(install(&history, &[1, 2]));
    install(&history, &[3]);
    let mut newest = install(&history, &[3, 4]);
    let base = history.write("so_so.3", "base", &Changes::at(4, numbers([7]))).unwrap();
    history.write("so_so.3", "lost", &Changes::at(4, numbers([7]))).unwrap();
    newest.relations[0].bases.push(Base { epoch: 4, files: base });
    let count = || files.paths().iter().filter(|path| path.starts_with("tide/history")).count();
    history.collect_garbage(&[held.clone(), Arc::new(newest.clone())]).unwrap();
    assert_eq!((count(), rows(&history, &held).unwrap()), (5, vec![1, 2]));
    history.collect_garbage(&[Arc::new(newest.clone())]).unwrap();
    assert_eq!((count(), rows(&history, &newest).unwrap()), (3, vec![3, 4]));
    history.collect_garbage(&[]).unwrap();
    assert_eq!(count(), 2);
}

#[test]
fn a_damaged_manifest_is_not_kept_for_want_of_a_better_one() {
    let files = Memory::default();
    let (history, _) = open(&files).unwrap();
    let first = install(&history, &[1]);
    install(&history, &[1, 2]);
    files.flip(Path::new("tide/manifest/00000000000000000002.json"), 5);
    let newest = Manifest { relations: first.relations.clone(), ..Manifest::new(3) };
    assert_eq!(history.install(&newest).unwrap(), 1, "the log after the first manifest is needed");
    assert_eq!(open(&files).unwrap().1, Some(newest));
    files.flip(Path::new("tide/manifest/00000000000000000003.json"), 5);
    assert_eq!(open(&files).unwrap().1, Some(first));
}
