//! What is kept per slot of a [`KeyTable`], as Arrow batches: the key columns, then columns of values.

use arrow::array::{ArrayRef, RecordBatch};
use springtide_state::{KeyTable, frozen_batch, thaw_rows, unfit};
use springtide_types::Result;

/// Slots per batch.
const SLOTS: usize = 1 << 16;

/// One section: the keys of these slots, with what `values` says of the slots. O(slots).
pub(crate) fn freeze_slots(
    keys: &KeyTable,
    slots: &[u32],
    values: impl Fn(&[u32]) -> Vec<ArrayRef>,
) -> Vec<RecordBatch> {
    let batch = |slots: &[u32]| {
        let columns = keys.keys(slots).columns().iter().cloned().chain(values(slots)).collect();
        frozen_batch(columns, slots.len())
    };
    slots.chunks(SLOTS).map(batch).collect()
}

/// Gives the keys of a batch their slots, in order, in a table that has none of them. Returns the slots and the columns
/// of values.
pub(crate) fn restore_slots(keys: &mut KeyTable, batch: &RecordBatch) -> Result<(Vec<u32>, Vec<ArrayRef>)> {
    let before = keys.slots();
    let schema = keys.schema().clone();
    let slots = keys.intern(&thaw_rows(batch, &schema)?);
    if !slots.iter().copied().eq(before as u32..(before + batch.num_rows()) as u32) {
        return Err(unfit("a key is there twice"));
    }
    Ok((slots, batch.columns()[schema.fields().len()..].to_vec()))
}
