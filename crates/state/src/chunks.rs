//! Append-only columnar storage of rows, named by their position.

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{concat_batches, filter_record_batch, interleave, take};
use arrow::datatypes::SchemaRef;

use crate::equality::{Location, retain_equal};

/// Rows per pushed chunk at most.
pub(crate) const MAX_CHUNK: usize = 1 << 17;
/// A chunk of so many rows is not merged any more,
const FULL_ROWS: usize = 1 << 15;
/// nor one of so many bytes, if they are not a few large rows,
const FULL_BYTES: usize = 1 << 20;
/// but at least so many.
const LEAST_ROWS: usize = 1 << 9;
/// So many chunks of one size class merge into one of the next.
const FANOUT: usize = 8;

/// A run of rows that share their column buffers.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    /// The rows.
    pub(crate) rows: RecordBatch,
    /// Position of the first row.
    pub(crate) start: u32,
    /// How many rows have a weight other than 1.
    pub(crate) odd: u32,
    /// Whether it is merged no more.
    full: bool,
}

impl Chunk {
    fn new(rows: RecordBatch, start: u32, odd: u32) -> Chunk {
        let full = rows.num_rows() >= FULL_ROWS
            || (rows.num_rows() >= LEAST_ROWS && slice_bytes(&rows) >= FULL_BYTES);
        Chunk { rows, start, odd, full }
    }
}

/// Bytes of the rows alone, without those of the buffers that they are a part of.
fn slice_bytes(rows: &RecordBatch) -> usize {
    let columns = rows.columns().iter();
    // Types whose size cannot be told count as nothing: their chunks are full by rows alone.
    columns.map(|column| column.to_data().get_slice_memory_size().unwrap_or(0)).sum()
}

/// Chunks of rows. Small neighbours merge, geometrically, so that n rows lie in O(n / chunk size + log n)
/// chunks at O(log n) copies of a row; a row keeps its position.
#[derive(Clone, Debug)]
pub(crate) struct Chunks {
    schema: SchemaRef,
    /// No rows, made once: look-ups that find nothing are many.
    empty: RecordBatch,
    parts: Vec<Chunk>,
    len: u32,
}

impl Chunks {
    pub(crate) fn new(schema: SchemaRef) -> Chunks {
        let empty = RecordBatch::new_empty(schema.clone());
        Chunks { schema, empty, parts: Vec::new(), len: 0 }
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) fn parts(&self) -> &[Chunk] {
        &self.parts
    }

    pub(crate) fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.rows.get_array_memory_size()).sum()
    }

    /// Appends rows, `odd(range)` of which have a weight other than 1.
    pub(crate) fn push(&mut self, rows: &RecordBatch, odd: impl Fn(std::ops::Range<usize>) -> u32) {
        assert!(self.len() + rows.num_rows() < u32::MAX as usize, "a shard holds at most 2^32 - 2 rows");
        let mut offset = 0;
        while offset < rows.num_rows() {
            let length = (rows.num_rows() - offset).min(MAX_CHUNK);
            let part = rows.slice(offset, length);
            self.parts.push(Chunk::new(part, self.len, odd(offset..offset + length)));
            self.len += length as u32;
            offset += length;
            while self.merge() {}
        }
    }

    /// Merges the longest run of trailing chunks that are no larger in class than the last, once there
    /// are enough of them. Returns whether it did.
    fn merge(&mut self) -> bool {
        let class = |part: &Chunk| part.rows.num_rows().ilog2() / FANOUT.ilog2();
        let mut length = 0;
        let mut largest = 0;
        while let Some(part) = self.parts.iter().rev().nth(length) {
            if part.full || (length > 0 && class(part) > largest) {
                break;
            }
            largest = class(part).max(largest);
            length += 1;
        }
        if length < FANOUT {
            return false;
        }
        let run = self.parts.split_off(self.parts.len() - length);
        let rows = concat_batches(&self.schema, run.iter().map(|part| &part.rows))
            .expect("chunks of one relation share a schema");
        let odd = run.iter().map(|part| part.odd).sum();
        self.parts.push(Chunk::new(rows, run[0].start, odd));
        true
    }

    fn part_of(&self, row: u32) -> usize {
        self.parts.partition_point(|part| part.start <= row) - 1
    }

    /// Notes that the weight of a row became 1, or became other than 1.
    pub(crate) fn mark(&mut self, row: u32, odd: bool) {
        let part = self.part_of(row);
        let count = &mut self.parts[part].odd;
        *count = if odd { *count + 1 } else { *count - 1 };
    }

    /// The chunk that holds a row, and where in it.
    pub(crate) fn row(&self, row: u32) -> (&RecordBatch, usize) {
        let part = &self.parts[self.part_of(row)];
        (&part.rows, (row - part.start) as usize)
    }

    /// The chunks that hold `rows`, and where in them each row is.
    fn locate(&self, rows: &[u32]) -> (Vec<&Chunk>, Vec<Location>) {
        const UNSEEN: u32 = u32::MAX;
        let mut dense = vec![UNSEEN; self.parts.len()];
        let mut used = Vec::new();
        let mut locations = Vec::with_capacity(rows.len());
        // Neighbours in `rows` often lie in one chunk.
        let mut last = (u32::MAX, 0, 0);
        for &row in rows {
            if row < last.0 || row >= last.1 {
                let part = self.part_of(row);
                if dense[part] == UNSEEN {
                    dense[part] = used.len() as u32;
                    used.push(&self.parts[part]);
                }
                let chunk = &self.parts[part];
                last = (chunk.start, chunk.start + chunk.rows.num_rows() as u32, dense[part]);
            }
            locations.push((last.2, row - last.0));
        }
        (used, locations)
    }

    /// The given columns of the given rows.
    pub(crate) fn gather(&self, columns: &[usize], rows: &[u32]) -> Vec<ArrayRef> {
        if columns.is_empty() {
            return Vec::new();
        }
        let (used, locations) = self.locate(rows);
        let Some(first) = used.first() else {
            return columns.iter().map(|column| self.empty.column(*column).clone()).collect();
        };
        if used.len() == 1 {
            let rows: UInt32Array = locations.iter().map(|(_, at)| *at).collect::<Vec<_>>().into();
            let take = |column: &usize| take(first.rows.column(*column), &rows, None);
            return columns.iter().map(take).collect::<Result<_, _>>().expect("rows are in bounds");
        }
        let locations = locations.iter().map(|(part, at)| (*part as usize, *at as usize)).collect::<Vec<_>>();
        let gather = |column: &usize| {
            let parts = used.iter().map(|part| part.rows.column(*column) as &dyn Array).collect::<Vec<_>>();
            interleave(&parts, &locations)
        };
        columns.iter().map(gather).collect::<Result<_, _>>().expect("rows are in bounds")
    }

    /// Whole rows.
    pub(crate) fn gather_rows(&self, rows: &[u32]) -> RecordBatch {
        if rows.is_empty() {
            return self.empty.clone();
        }
        let columns = (0..self.schema.fields().len()).collect::<Vec<_>>();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        RecordBatch::try_new_with_options(self.schema.clone(), self.gather(&columns, rows), &options)
            .expect("gathered columns have the schema's types")
    }

    /// For each pair of a row held here and a row of `others`, whether `columns` of the one equal the
    /// columns of the other.
    pub(crate) fn equal(
        &self,
        columns: &[usize],
        rows: &[u32],
        others: &[ArrayRef],
        at: &[u32],
    ) -> Vec<bool> {
        let (used, locations) = self.locate(rows);
        let mut equal = vec![true; rows.len()];
        for (column, other) in columns.iter().zip(others) {
            let parts = used.iter().map(|part| part.rows.column(*column)).collect::<Vec<_>>();
            retain_equal(&parts, &locations, other, at, &mut equal);
        }
        equal
    }

    /// Drops the rows whose bit is unset, so that the rows after them move up. `odd(range)` counts, by new
    /// positions, the rows whose weight is not 1.
    pub(crate) fn retain(&mut self, keep: &BooleanBuffer, odd: impl Fn(std::ops::Range<usize>) -> u32) {
        let parts = std::mem::take(&mut self.parts);
        self.len = 0;
        for part in parts {
            let mask = BooleanArray::new(keep.slice(part.start as usize, part.rows.num_rows()), None);
            let rows = if mask.true_count() == mask.len() {
                part.rows
            } else {
                filter_record_batch(&part.rows, &mask).expect("one bit per row")
            };
            let offset = self.len();
            self.push(&rows, |range| odd(offset + range.start..offset + range.end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};
    use std::sync::Arc;

    fn chunks(sizes: impl IntoIterator<Item = usize>) -> Chunks {
        let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Int64, false)]));
        let mut chunks = Chunks::new(schema.clone());
        for size in sizes {
            let from = chunks.len() as i64;
            let column = Int64Array::from_iter_values(from..from + size as i64);
            chunks.push(&RecordBatch::try_new(schema.clone(), vec![Arc::new(column)]).unwrap(), |_| 0);
        }
        chunks
    }

    #[test]
    fn positions_survive_merging() {
        let mut random = fastrand::Rng::with_seed(7);
        let chunks = chunks((0..5000).map(|_| if random.u8(..) < 3 { 10_000 } else { random.usize(1..4) }));
        assert!(chunks.parts().len() < 100, "{} chunks", chunks.parts().len());
        let rows = (0..1000).map(|_| random.u32(..chunks.len() as u32)).collect::<Vec<_>>();
        let column = chunks.gather(&[0], &rows);
        let values = column[0].as_primitive::<Int64Type>().values();
        assert!(values.iter().zip(&rows).all(|(value, row)| *value == i64::from(*row)));
    }

    #[test]
    fn retain_moves_rows_up() {
        let mut chunks = chunks([3, 200_000, 5]);
        let keep = BooleanBuffer::collect_bool(chunks.len(), |row| row % 2 == 1);
        chunks.retain(&keep, |_| 0);
        assert_eq!(chunks.len(), 100_004);
        let column = chunks.gather(&[0], &[0, 70_000, 100_003]);
        assert_eq!(column[0].as_primitive::<Int64Type>().values(), &[1, 140_001, 200_007]);
    }
}
