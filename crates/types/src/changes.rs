use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::{concat, take};
use arrow::datatypes::SchemaRef;

use crate::{Epoch, ZBatch};

/// What epochs are called in columns: `timestamptz` is microseconds since 1970, and so is an [`Epoch`].
const UTC: &str = "+00:00";

/// A piece of a change log: records of a relation, each with the epoch at which it happened. Epochs ascend.
#[derive(Clone, Debug)]
pub struct Changes {
    delta: ZBatch,
    epochs: TimestampMicrosecondArray,
}

impl Changes {
    /// Records and their epochs, which ascend.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn new(delta: ZBatch, epochs: TimestampMicrosecondArray) -> Changes {
        assert_eq!(delta.len(), epochs.len(), "one epoch per record");
        let changes = Changes { delta, epochs: epochs.with_timezone(UTC) };
        debug_assert!(changes.epochs.values().is_sorted(), "epochs ascend");
        changes
    }

    /// All records of one epoch.
    pub fn at(epoch: Epoch, delta: ZBatch) -> Changes {
        let epochs = TimestampMicrosecondArray::from_value(epoch as i64, delta.len());
        Changes::new(delta, epochs)
    }

    /// All records of several pieces, in the order of their epochs, and of the pieces within an epoch.
    pub fn merge(schema: SchemaRef, pieces: &[Changes]) -> Changes {
        if let [single] = pieces {
            return single.clone();
        }
        let deltas = pieces.iter().map(|piece| piece.delta.clone()).collect::<Vec<_>>();
        let delta = ZBatch::concat(schema, &deltas);
        let arrays = pieces.iter().map(|piece| &piece.epochs as &dyn Array).collect::<Vec<_>>();
        let epochs = match arrays.as_slice() {
            [] => TimestampMicrosecondArray::from(Vec::<i64>::new()),
            arrays => as_epochs(&concat(arrays).expect("epochs have one type")),
        };
        if epochs.values().is_sorted() {
            return Changes::new(delta, epochs);
        }
        let mut order = (0..epochs.len() as u32).collect::<Vec<_>>();
        order.sort_by_key(|row| epochs.value(*row as usize));
        let order = UInt32Array::from(order);
        let epochs = as_epochs(&take(&epochs, &order, None).expect("indices are in bounds"));
        Changes::new(delta.take(&order), epochs)
    }

    /// The records.
    pub fn delta(&self) -> &ZBatch {
        &self.delta
    }

    /// The epoch of each record, as `timestamptz`.
    pub fn epochs(&self) -> &TimestampMicrosecondArray {
        &self.epochs
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.delta.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.delta.is_empty()
    }

    /// The first and the last epoch; `None` if there are no records.
    pub fn span(&self) -> Option<(Epoch, Epoch)> {
        let epochs = self.epochs.values();
        Some((*epochs.first()? as Epoch, *epochs.last()? as Epoch))
    }

    /// The records of these rows. Copies nothing.
    pub fn slice(&self, rows: Range<usize>) -> Changes {
        let (offset, length) = (rows.start, rows.len());
        Changes { delta: self.delta.slice(offset, length), epochs: self.epochs.slice(offset, length) }
    }

    /// The records later than `after` and not later than `until`. Copies nothing.
    pub fn between(&self, after: Epoch, until: Epoch) -> Changes {
        let position = |epoch: Epoch| self.epochs.values().partition_point(|found| *found as Epoch <= epoch);
        let from = position(after);
        self.slice(from..position(until).max(from))
    }

    /// Bytes held by the buffers.
    pub fn memory_size(&self) -> usize {
        self.delta.memory_size() + self.epochs.get_array_memory_size()
    }
}

fn as_epochs(array: &Arc<dyn Array>) -> TimestampMicrosecondArray {
    array.as_any().downcast_ref::<TimestampMicrosecondArray>().expect("epochs are timestamps").clone()
}
