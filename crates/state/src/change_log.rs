use std::collections::VecDeque;

use springtide_types::{Changes, Epoch, ErrorDelta, ZBatch};

/// Small deltas are put together once there are so many, or so many rows of them.
const PENDING: usize = 256;
const PENDING_ROWS: usize = 8192;

/// The changes of one shard that are later than an epoch, for whoever writes them down elsewhere.
#[derive(Debug)]
pub(crate) struct ChangeLog {
    after: Epoch,
    pieces: VecDeque<Changes>,
    pending: Vec<Changes>,
    pending_rows: usize,
    bytes: usize,
    errors: Vec<(Epoch, ErrorDelta)>,
}

impl ChangeLog {
    pub(crate) fn new(after: Epoch) -> ChangeLog {
        ChangeLog {
            after,
            pieces: VecDeque::new(),
            pending: Vec::new(),
            pending_rows: 0,
            bytes: 0,
            errors: Vec::new(),
        }
    }

    /// Changes up to here are not in it.
    pub(crate) fn after(&self) -> Epoch {
        self.after
    }

    /// Rows that changed.
    pub(crate) fn len(&self) -> usize {
        self.pieces.iter().map(Changes::len).sum::<usize>() + self.pending_rows
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.errors.capacity() * size_of::<(Epoch, ErrorDelta)>()
    }

    /// Adds a delta, at an epoch not less than any before it. Shares its buffers.
    pub(crate) fn push(&mut self, epoch: Epoch, delta: &ZBatch) {
        if epoch <= self.after || delta.is_empty() {
            return;
        }
        let changes = Changes::at(epoch, delta.clone());
        self.bytes += changes.memory_size();
        self.pending_rows += changes.len();
        self.pending.push(changes);
        if self.pending.len() >= PENDING || self.pending_rows >= PENDING_ROWS {
            let pending = std::mem::take(&mut self.pending);
            let small = pending.iter().map(Changes::memory_size).sum::<usize>();
            let piece = Changes::merge(delta.schema(), &pending);
            self.bytes = self.bytes + piece.memory_size() - small;
            self.pending_rows = 0;
            self.pieces.push_back(piece);
        }
    }

    pub(crate) fn push_errors(&mut self, epoch: Epoch, errors: &[ErrorDelta]) {
        if epoch > self.after {
            self.errors.extend(errors.iter().map(|delta| (epoch, delta.clone())));
        }
    }

    /// The rows that changed up to an epoch.
    pub(crate) fn rows(&self, until: Epoch) -> impl Iterator<Item = Changes> {
        let pieces = self.pieces.iter().chain(&self.pending).map(move |piece| piece.between(0, until));
        pieces.filter(|piece| !piece.is_empty())
    }

    /// The errors that changed up to an epoch.
    pub(crate) fn errors(&self, until: Epoch) -> impl Iterator<Item = (Epoch, ErrorDelta)> {
        self.errors.iter().take_while(move |(epoch, _)| *epoch <= until).cloned()
    }

    /// Forgets what changed up to an epoch.
    pub(crate) fn forget(&mut self, until: Epoch) {
        self.after = self.after.max(until);
        let later = |piece: &Changes| {
            let piece = piece.between(until, Epoch::MAX);
            (!piece.is_empty()).then_some(piece)
        };
        self.pieces = self.pieces.iter().filter_map(later).collect();
        self.pending = self.pending.iter().filter_map(later).collect();
        self.pending_rows = self.pending.iter().map(Changes::len).sum();
        self.bytes = self.pieces.iter().chain(&self.pending).map(Changes::memory_size).sum();
        self.errors.retain(|(epoch, _)| *epoch > until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use std::sync::Arc;

    fn delta(value: i64) -> ZBatch {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![value]));
        ZBatch::inserts(RecordBatch::try_from_iter([("a", column)]).unwrap())
    }

    fn epochs(log: &ChangeLog, until: Epoch) -> Vec<i64> {
        log.rows(until).flat_map(|piece| piece.epochs().values().to_vec()).collect()
    }

    #[test]
    fn keeps_what_is_later_and_forgets_what_is_told() {
        let mut log = ChangeLog::new(10);
        for epoch in 1..=1000 {
            log.push(epoch, &delta(epoch as i64));
        }
        assert_eq!(epochs(&log, 1000), (11..=1000).collect::<Vec<_>>());
        assert_eq!(epochs(&log, 300), (11..=300).collect::<Vec<_>>());
        log.forget(700);
        assert_eq!(log.after(), 700);
        assert_eq!(epochs(&log, 1000), (701..=1000).collect::<Vec<_>>());
        log.forget(1000);
        assert_eq!((epochs(&log, 2000), log.bytes()), (vec![], 0));
    }
}
