//! What was read of the past last, for whoever asks several things of one moment.

use parking_lot::Mutex;
use springtide_types::{Epoch, RelationId, ZBatch};

/// Bytes that are kept, at most.
const MOST_BYTES: usize = 64 << 20;

/// The rows of relations at some epochs, as far as they take little room. The past does not change, so they stay right.
#[derive(Default)]
pub(crate) struct Recent {
    /// What was asked for last is at the end.
    kept: Mutex<Vec<Kept>>,
}

struct Kept {
    of: (RelationId, Epoch),
    rows: Vec<ZBatch>,
    bytes: usize,
}

impl Recent {
    /// The rows of a relation at an epoch, if they are kept.
    pub(crate) fn get(&self, relation: RelationId, epoch: Epoch) -> Option<Vec<ZBatch>> {
        let mut kept = self.kept.lock();
        let found = kept.iter().position(|kept| kept.of == (relation, epoch))?;
        kept[found..].rotate_left(1);
        kept.last().map(|kept| kept.rows.clone())
    }

    /// Keeps them until others have taken their room.
    pub(crate) fn put(&self, relation: RelationId, epoch: Epoch, rows: &[ZBatch]) {
        let of = (relation, epoch);
        let bytes = rows.iter().map(ZBatch::memory_size).sum();
        let mut kept = self.kept.lock();
        kept.retain(|kept| kept.of != of);
        kept.push(Kept { of, rows: rows.to_vec(), bytes });
        let mut total = kept.iter().map(|kept| kept.bytes).sum::<usize>();
        while total > MOST_BYTES {
            total -= kept.remove(0).bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use std::sync::Arc;

    fn rows(count: usize) -> Vec<ZBatch> {
        let column: ArrayRef = Arc::new(Int64Array::from_value(7, count));
        vec![ZBatch::inserts(RecordBatch::try_from_iter([("a", column)]).unwrap())]
    }

    #[test]
    fn keeps_what_was_asked_for_last_as_far_as_there_is_room() {
        let recent = Recent::default();
        let quarter = rows(MOST_BYTES / 4 / 17);
        for epoch in 1..=3 {
            recent.put(RelationId(1), epoch, &quarter);
        }
        assert_eq!(recent.get(RelationId(1), 1).map(|rows| rows[0].len()), Some(quarter[0].len()));
        assert!(recent.get(RelationId(2), 1).is_none());
        recent.put(RelationId(1), 1, &quarter);
        recent.put(RelationId(1), 4, &rows(MOST_BYTES / 2 / 17));
        let there = (1..=4).filter(|epoch| recent.get(RelationId(1), *epoch).is_some());
        assert_eq!(there.collect::<Vec<_>>(), [1, 3, 4]);
        recent.put(RelationId(1), 5, &rows(MOST_BYTES));
        assert!((1..=5).all(|epoch| recent.get(RelationId(1), epoch).is_none()), "it is too large by itself");
    }
}
