//! The rows of a relation with the time that each was there, from its changes.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema, TimestampMicrosecondType};
use arrow::error::ArrowError;
use springtide_state::KeyTable;
use springtide_types::ZBatch;

/// The end of the period of a row that is still there: 9999-12-31 23:59:59.999999 UTC, so that every moment is before it.
const STILL_THERE: i64 = 253_402_300_799_999_999;

/// A row that was there from one epoch until another, in so many copies.
struct Version {
    /// A change that holds the row.
    change: u32,
    from: i64,
    to: i64,
    copies: i64,
}

/// The versions of the rows of a relation. Its columns, and then the epoch, are those of `changes`, which has at most one
/// record of a row at an epoch, by ascending epoch. The versions have `valid_from`, inclusive, and `valid_to`, exclusive,
/// in the place of the epoch. Of equal rows, the one that came last goes first. O(changes).
pub(crate) fn versions(changes: &ZBatch) -> Result<ZBatch, ArrowError> {
    let (epochs, columns) = changes.columns().split_last().expect("the last column is the epoch");
    let positions = (0..columns.len()).collect::<Vec<_>>();
    let rows = changes.rows().project(&positions)?;
    let versions = periods(&rows, epochs, changes.weights());

    let records = versions.iter().map(|version| version.change).collect::<UInt32Array>();
    let mut columns =
        rows.columns().iter().map(|column| take(column, &records, None)).collect::<Result<Vec<_>, _>>()?;
    let moments = |moment: fn(&Version) -> i64| -> ArrayRef {
        let moments = TimestampMicrosecondArray::from_iter_values(versions.iter().map(moment));
        Arc::new(moments.with_data_type(epochs.data_type().clone()))
    };
    columns.extend([moments(|version| version.from), moments(|version| version.to)]);
    let added =
        ["valid_from", "valid_to"].map(|name| Arc::new(Field::new(name, epochs.data_type().clone(), false)));
    let fields = rows.schema().fields().iter().cloned().chain(added).collect::<Vec<_>>();
    let copies = versions.iter().map(|version| version.copies).collect::<Int64Array>();
    Ok(ZBatch::new(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?, copies))
}

fn periods(rows: &RecordBatch, epochs: &ArrayRef, weights: &Int64Array) -> Vec<Version> {
    let slots = KeyTable::new(rows.schema()).intern(rows);
    let epochs = epochs.as_primitive::<TimestampMicrosecondType>().values();
    let mut versions = Vec::new();
    // Of each row, what is there, the newest last.
    let mut there = Vec::<Vec<Version>>::new();
    for (change, (slot, epoch)) in slots.into_iter().zip(epochs).enumerate() {
        let slot = slot as usize;
        there.resize_with(there.len().max(slot + 1), Vec::new);
        let change = change as u32;
        let mut copies = weights.value(change as usize);
        if copies > 0 {
            there[slot].push(Version { change, from: *epoch, to: STILL_THERE, copies });
        }
        while copies < 0 {
            let Some(mut last) = there[slot].pop() else {
                debug_assert!(false, "what goes was there");
                break;
            };
            let gone = last.copies.min(-copies);
            versions.push(Version { to: *epoch, copies: gone, ..last });
            copies += gone;
            last.copies -= gone;
            there[slot].extend((last.copies > 0).then_some(last));
        }
    }
    versions.extend(there.into_iter().flatten());
    versions
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int32Array;

    #[test]
    fn copies_come_and_go() {
        let values: ArrayRef = Arc::new(Int32Array::from(vec![7, 8, 7, 7, 8, 7]));
        let epochs: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1, 1, 2, 3, 4, 5]));
        let changes = RecordBatch::try_from_iter([("a", values), ("_epoch", epochs)]).unwrap();
        let changes = ZBatch::new(changes, Int64Array::from(vec![2, 1, 3, -4, -1, 1]));
        let found = versions(&changes).unwrap();
        let column =
            |column: usize| found.columns()[column].as_primitive::<TimestampMicrosecondType>().clone();
        let values = found.columns()[0].as_primitive::<arrow::datatypes::Int32Type>().clone();
        let periods = (0..found.len()).map(|row| {
            (values.value(row), column(1).value(row), column(2).value(row), found.weights().value(row))
        });
        let expected =
            [(7, 2, 3, 3), (7, 1, 3, 1), (8, 1, 4, 1), (7, 1, STILL_THERE, 1), (7, 5, STILL_THERE, 1)];
        assert_eq!(periods.collect::<Vec<_>>(), expected);
    }
}
