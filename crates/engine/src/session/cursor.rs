//! A query whose rows are fetched a few at a time.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use futures::StreamExt;
use futures::stream::BoxStream;
use springtide_types::{Result, SqlError, SqlState};

use crate::control::Motion;
use crate::response::Column;

/// Bytes of rows that a cursor of which nothing was said keeps, so that it can go backward in small results.
const KEPT_BYTES: usize = 16 << 20;

/// An open cursor. Rows count from 1; it stands on one, before the first (0), or after the last.
pub(super) struct Cursor {
    columns: Arc<[Column]>,
    /// The rest of the rows.
    batches: BoxStream<'static, Result<RecordBatch>>,
    ended: bool,
    /// Rows that were read, without those before `dropped`.
    kept: Vec<RecordBatch>,
    /// How many of the first rows are no longer there.
    dropped: usize,
    /// How many rows were read.
    read: usize,
    position: usize,
    scroll: Option<bool>,
}

/// Rows that a motion passes over.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Passed {
    rows: Range<usize>,
    backward: bool,
}

impl Passed {
    pub(super) fn count(&self) -> usize {
        self.rows.len()
    }
}

impl Cursor {
    /// `scroll`: whether it was said to be able to go backward.
    pub(super) fn new(
        columns: Arc<[Column]>,
        batches: BoxStream<'static, Result<RecordBatch>>,
        scroll: Option<bool>,
    ) -> Cursor {
        Cursor {
            columns,
            // A stream may not be polled after its end, a fused one may.
            batches: batches.fuse().boxed(),
            ended: false,
            kept: Vec::new(),
            dropped: 0,
            read: 0,
            position: 0,
            scroll,
        }
    }

    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Moves, as FETCH of PostgreSQL does. Fails with `55000` if that would be backward and the cursor can't.
    pub(super) async fn go(&mut self, motion: Motion) -> Result<Passed> {
        match motion {
            Motion::Forward(count) if count < 0 => self.backward(count.unsigned_abs()),
            Motion::Backward(count) if count < 0 => self.forward(count.unsigned_abs()).await,
            Motion::Forward(0) | Motion::Backward(0) | Motion::Relative(0) => self.stay(),
            Motion::Forward(count) => self.forward(count.unsigned_abs()).await,
            Motion::Backward(count) => self.backward(count.unsigned_abs()),
            Motion::Absolute(row) if row >= 0 => self.to(row as usize).await,
            Motion::Absolute(row) => {
                self.read_to(usize::MAX).await?;
                let row = (self.read + 1).saturating_sub(row.unsigned_abs() as usize);
                self.to(row).await
            }
            Motion::Relative(count) if count > 0 => {
                self.to(self.position.saturating_add(count as usize)).await
            }
            Motion::Relative(count) => {
                self.to(self.position.saturating_sub(count.unsigned_abs() as usize)).await
            }
        }
    }

    /// The rows that a motion passed over, in its order.
    pub(super) fn rows(&self, passed: &Passed) -> Result<Vec<RecordBatch>> {
        let mut taken = Vec::new();
        let mut first = self.dropped + 1;
        for batch in &self.kept {
            let start = passed.rows.start.max(first);
            let end = passed.rows.end.min(first + batch.num_rows());
            if start < end {
                taken.push(batch.slice(start - first, end - start));
            }
            first += batch.num_rows();
        }
        if !passed.backward {
            return Ok(taken);
        }
        taken.iter().rev().map(reversed).collect()
    }

    /// Forgets rows that it can't return to.
    pub(super) fn forget(&mut self) {
        let bytes = || self.kept.iter().map(RecordBatch::get_array_memory_size).sum::<usize>();
        let keeps = match self.scroll {
            Some(scroll) => scroll,
            None => bytes() <= KEPT_BYTES,
        };
        if keeps {
            return;
        }
        // The row on which it stands stays.
        let passed = self.kept.iter().scan(self.dropped, |last, batch| {
            *last += batch.num_rows();
            Some(*last)
        });
        let gone = passed.take_while(|last| *last < self.position).count();
        self.dropped += self.kept.drain(..gone).map(|batch| batch.num_rows()).sum::<usize>();
    }

    async fn forward(&mut self, count: u64) -> Result<Passed> {
        let target = self.position.saturating_add(usize::try_from(count).unwrap_or(usize::MAX));
        let first = self.position + 1;
        self.read_to(target).await?;
        let last = target.min(self.read);
        self.position = if last < target { self.read + 1 } else { target };
        Ok(Passed { rows: first..(last + 1).max(first), backward: false })
    }

    fn backward(&mut self, count: u64) -> Result<Passed> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if self.position == 0 {
            return Ok(Passed::default());
        }
        let first = self.position.saturating_sub(count).max(1);
        let rows = first..self.position;
        self.check_backward(first)?;
        self.position = self.position.saturating_sub(count);
        Ok(Passed { rows, backward: true })
    }

    /// The row on which it stands, again.
    fn stay(&mut self) -> Result<Passed> {
        if self.position == 0 || self.position > self.read {
            return Ok(Passed::default());
        }
        self.check_backward(self.position)?;
        Ok(Passed { rows: self.position..self.position + 1, backward: false })
    }

    /// To a row, which it returns; to none if there is no such row.
    async fn to(&mut self, row: usize) -> Result<Passed> {
        if row <= self.position && self.position > 0 {
            self.check_backward(row)?;
        }
        self.read_to(row).await?;
        self.position = row.min(self.read + 1);
        let end = if row == 0 || row > self.read { row } else { row + 1 };
        Ok(Passed { rows: row..end, backward: false })
    }

    /// Fails with `55000` if it can't go back to a row.
    fn check_backward(&self, row: usize) -> Result<()> {
        if self.scroll != Some(false) && row.max(1) > self.dropped {
            return Ok(());
        }
        let message = "cursor can only scan forward";
        Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
            .with_hint("Declare it with SCROLL option to enable backward scan."))
    }

    /// Reads on until there are so many rows, or no more.
    async fn read_to(&mut self, count: usize) -> Result<()> {
        while self.read < count && !self.ended {
            match self.batches.next().await.transpose()? {
                Some(batch) => {
                    self.read += batch.num_rows();
                    self.kept.push(batch);
                }
                None => self.ended = true,
            }
        }
        Ok(())
    }
}

fn reversed(batch: &RecordBatch) -> Result<RecordBatch> {
    let rows = UInt32Array::from_iter_values((0..batch.num_rows() as u32).rev());
    take_record_batch(batch, &rows).map_err(|error| springtide_plan::arrow_error(&error))
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use futures::{FutureExt, stream};

    use super::*;

    /// A cursor over 1, 2, … `rows`, in batches of two.
    fn cursor(rows: i64, scroll: Option<bool>) -> Cursor {
        let numbers = (1..=rows).collect::<Vec<_>>();
        let batches = numbers.chunks(2).map(|chunk| {
            let array: ArrayRef = Arc::new(Int64Array::from(chunk.to_vec()));
            Ok(RecordBatch::try_from_iter([("n", array)]).unwrap())
        });
        Cursor::new(Arc::default(), stream::iter(batches.collect::<Vec<_>>()).boxed(), scroll)
    }

    fn go(cursor: &mut Cursor, motion: Motion) -> Result<Vec<i64>> {
        let passed = cursor.go(motion).now_or_never().unwrap()?;
        let rows = cursor.rows(&passed)?;
        cursor.forget();
        let values = |batch: &RecordBatch| batch.column(0).as_primitive::<Int64Type>().values().to_vec();
        let rows = rows.iter().flat_map(values).collect::<Vec<_>>();
        assert_eq!(rows.len(), passed.count());
        Ok(rows)
    }

    #[test]
    fn there_and_back() {
        use Motion::{Absolute, Backward, Forward, Relative};
        let mut cursor = cursor(5, Some(true));
        let mut check = |motion, expected: &[i64]| assert_eq!(go(&mut cursor, motion).unwrap(), expected);
        check(Backward(1), &[]);
        check(Forward(0), &[]);
        check(Forward(2), &[1, 2]);
        check(Forward(0), &[2]);
        check(Forward(3), &[3, 4, 5]);
        check(Forward(1), &[]);
        check(Backward(2), &[5, 4]);
        check(Forward(i64::MAX), &[5]);
        check(Backward(i64::MAX), &[5, 4, 3, 2, 1]);
        check(Backward(1), &[]);
        check(Absolute(3), &[3]);
        check(Relative(1), &[4]);
        check(Relative(-3), &[1]);
        check(Relative(-3), &[]);
        check(Absolute(-1), &[5]);
        check(Absolute(-9), &[]);
        check(Absolute(9), &[]);
        check(Relative(-1), &[5]);
        check(Forward(-1), &[4]);
        check(Backward(-2), &[5]);
    }

    #[test]
    fn forward_only() {
        use Motion::{Absolute, Backward, Forward, Relative};
        let mut cursor = cursor(6, Some(false));
        assert_eq!(go(&mut cursor, Forward(3)).unwrap(), [1, 2, 3]);
        for motion in [Backward(1), Absolute(1), Relative(-1), Relative(0), Absolute(0)] {
            let error = go(&mut cursor, motion).unwrap_err();
            assert_eq!(error.sqlstate, SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "{motion:?}");
        }
        assert_eq!(cursor.kept.len(), 1);
        assert_eq!(go(&mut cursor, Absolute(5)).unwrap(), [5]);
        assert_eq!(go(&mut cursor, Forward(5)).unwrap(), [6]);
        assert_eq!(go(&mut cursor, Forward(5)).unwrap(), Vec::<i64>::new());
    }
}
