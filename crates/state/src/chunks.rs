//! Append-only columnar storage of rows, named by their position.

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{concat_batches, interleave};
use arrow::datatypes::SchemaRef;
use springtide_types::Rows;

use crate::equality::{Location, retain_equal};

/// Rows per pushed chunk at most.
pub(crate) const MAX_CHUNK: usize = 1 << 17;
/// A chunk of so many rows is not merged any more,
const FULL_ROWS: usize = 1 << 15;
/// nor one of so many bytes, if they are not a few large rows,
const FULL_BYTES: usize = 1 << 20;
/// but at least so many,
const LEAST_ROWS: usize = 1 << 9;
/// nor one of so many rows of a shared batch, which to merge is to copy for the first time.
const FULL_SHARED_ROWS: usize = 1 << 12;
/// Rows of a shared batch stay where they are if they are at least one in so many of it: fewer would hold more memory than
/// they need.
const SHARED: usize = 8;
/// So many chunks of one size class merge into one of the next.
const FANOUT: usize = 8;

/// A run of rows that share their column buffers.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    /// As they were pushed: perhaps positions in batches that others hold, too.
    rows: Rows,
    /// Position of the first row.
    pub(crate) start: u32,
    /// How many rows have a weight other than 1.
    pub(crate) odd: u32,
    /// Whether it is merged no more.
    full: bool,
}

impl Chunk {
    fn new(rows: &Rows, start: u32, odd: u32) -> Chunk {
        let rows = rows.to_keep(SHARED);
        let full_rows = if rows.is_selection() { FULL_SHARED_ROWS } else { FULL_ROWS };
        let full = rows.len() >= full_rows || (rows.len() >= LEAST_ROWS && rows.slice_size() >= FULL_BYTES);
        Chunk { rows, start, odd, full }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows. What is gathered of them is not kept here.
    pub(crate) fn rows(&self) -> Rows {
        self.rows.ungathered()
    }
}

/// Rows by the chunk that holds them, and where in it.
struct Located<'a> {
    chunks: Vec<&'a Chunk>,
    rows: Vec<Location>,
    /// Where the rows lie in the sources of a column, and for which positions of the chunks in them.
    in_sources: (Vec<Option<&'a [u32]>>, Vec<Location>),
}

impl<'a> Located<'a> {
    /// The arrays of a column, one a chunk, and where in them the rows lie.
    fn column(&mut self, column: usize) -> (Vec<&'a ArrayRef>, &[Location]) {
        let sources = self.chunks.iter().map(|chunk| chunk.rows.source(column));
        let (arrays, positions): (Vec<_>, Vec<_>) = sources
            .map(|(array, positions)| (array, positions.map(|positions| &**positions.values())))
            .unzip();
        if positions.iter().all(Option::is_none) {
            return (arrays, &self.rows);
        }
        let is_same = |(one, other): (&Option<&[u32]>, &Option<&[u32]>)| match (one, other) {
            (Some(one), Some(other)) => std::ptr::eq(*one, *other),
            (one, other) => one.is_none() && other.is_none(),
        };
        let (known, in_sources) = &mut self.in_sources;
        if known.len() != positions.len() || !known.iter().zip(&positions).all(is_same) {
            let locate = |(chunk, at): &Location| {
                (*chunk, positions[*chunk as usize].map_or(*at, |positions| positions[*at as usize]))
            };
            *in_sources = self.rows.iter().map(locate).collect();
            *known = positions;
        }
        (arrays, in_sources)
    }
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
        self.parts.iter().map(|part| part.rows.memory_size()).sum()
    }

    /// Appends rows, `odd(range)` of which have a weight other than 1.
    pub(crate) fn push(&mut self, rows: &Rows, odd: impl Fn(std::ops::Range<usize>) -> u32) {
        assert!(self.len() + rows.len() < u32::MAX as usize, "a shard holds at most 2^32 - 2 rows");
        let mut offset = 0;
        while offset < rows.len() {
            let length = (rows.len() - offset).min(MAX_CHUNK);
            let part = if length == rows.len() { rows.clone() } else { rows.slice(offset, length) };
            self.parts.push(Chunk::new(&part, self.len, odd(offset..offset + length)));
            self.len += length as u32;
            offset += length;
            while self.merge() {}
        }
    }

    /// Merges the longest run of trailing chunks that are no larger in class than the last, once there
    /// are enough of them. Returns whether it did.
    fn merge(&mut self) -> bool {
        let class = |part: &Chunk| part.len().ilog2() / FANOUT.ilog2();
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
        let rows = run.iter().map(Chunk::rows).collect::<Vec<_>>();
        let rows = concat_batches(&self.schema, rows.iter().map(Rows::batch))
            .expect("chunks of one relation share a schema");
        let odd = run.iter().map(|part| part.odd).sum();
        self.parts.push(Chunk::new(&rows.into(), run[0].start, odd));
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

    /// The chunk's rows among which a row is, and where.
    pub(crate) fn row(&self, row: u32) -> (&Rows, usize) {
        let part = &self.parts[self.part_of(row)];
        (&part.rows, (row - part.start) as usize)
    }

    /// The chunks that hold `rows`, and where in them each row is.
    fn locate(&self, rows: &[u32]) -> Located<'_> {
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
                last = (chunk.start, chunk.start + chunk.len() as u32, dense[part]);
            }
            locations.push((last.2, row - last.0));
        }
        Located { chunks: used, rows: locations, in_sources: Default::default() }
    }

    /// The given columns of the given rows.
    pub(crate) fn gather(&self, columns: &[usize], rows: &[u32]) -> Vec<ArrayRef> {
        if columns.is_empty() {
            return Vec::new();
        }
        let mut located = self.locate(rows);
        match located.chunks.as_slice() {
            [] => columns.iter().map(|column| self.empty.column(*column).clone()).collect(),
            [single] => {
                let rows: UInt32Array = located.rows.iter().map(|(_, at)| *at).collect::<Vec<_>>().into();
                let rows = single.rows.select(&rows);
                columns.iter().map(|column| rows.column(*column).clone()).collect()
            }
            _ => {
                let mut gather = |column: &usize| {
                    let (arrays, locations) = located.column(*column);
                    let arrays = arrays.iter().map(|array| *array as &dyn Array).collect::<Vec<_>>();
                    let locations = locations.iter().map(|(part, at)| (*part as usize, *at as usize));
                    interleave(&arrays, &locations.collect::<Vec<_>>())
                };
                let columns = columns.iter().map(&mut gather).collect::<Result<_, _>>();
                columns.expect("rows are in bounds")
            }
        }
    }

    /// Rows, which ascend, in pieces: where many follow each other in one chunk they are selected, others are gathered.
    pub(crate) fn pieces(&self, rows: &[u32]) -> Vec<Rows> {
        let mut pieces = Vec::new();
        let (mut from, mut at) = (0, 0);
        while at < rows.len() {
            let part = &self.parts[self.part_of(rows[at])];
            let end = part.start + part.len() as u32;
            let length = rows[at..].partition_point(|row| *row < end);
            if length >= LEAST_ROWS {
                if from < at {
                    pieces.push(self.gather_rows(&rows[from..at]).into());
                }
                let selected = rows[at..at + length].iter().map(|row| row - part.start);
                pieces.push(part.rows.select(&UInt32Array::from_iter_values(selected)));
                from = at + length;
            }
            at += length;
        }
        if from < rows.len() {
            pieces.push(self.gather_rows(&rows[from..]).into());
        }
        pieces
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
        let mut located = self.locate(rows);
        let mut equal = vec![true; rows.len()];
        for (column, other) in columns.iter().zip(others) {
            let (arrays, locations) = located.column(*column);
            retain_equal(&arrays, locations, other, at, &mut equal);
        }
        equal
    }

    /// Drops the rows whose bit is unset, so that the rows after them move up. `odd(range)` counts, by new
    /// positions, the rows whose weight is not 1.
    pub(crate) fn retain(&mut self, keep: &BooleanBuffer, odd: impl Fn(std::ops::Range<usize>) -> u32) {
        let parts = std::mem::take(&mut self.parts);
        self.len = 0;
        for part in parts {
            let mask = BooleanArray::new(keep.slice(part.start as usize, part.len()), None);
            let all = mask.true_count() == mask.len();
            let rows = if all { part.rows() } else { part.rows().filter(&mask) };
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
            let rows = RecordBatch::try_new(schema.clone(), vec![Arc::new(column)]).unwrap();
            chunks.push(&rows.into(), |_| 0);
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

    #[test]
    fn a_selection_is_shared_until_it_merges() {
        let mut chunks = chunks([]);
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..40_000));
        let source = RecordBatch::try_new(chunks.schema().clone(), vec![column]).unwrap();
        let every = |n: usize| UInt32Array::from_iter_values((0..40_000).step_by(n));
        let source = Rows::from(source);
        chunks.push(&source.select(&every(2)), |_| 0);
        chunks.push(&source.select(&every(100)), |_| 0);
        assert!(chunks.parts()[0].rows.is_selection());
        assert!(!chunks.parts()[1].rows.is_selection(), "a few rows do not hold on to many");
        let values = |chunks: &Chunks, rows: &[u32]| {
            chunks.gather(&[0], rows)[0].as_primitive::<Int64Type>().values().to_vec()
        };
        assert_eq!(values(&chunks, &[3, 20_001, 19_999]), [6, 100, 39_998]);
        assert_eq!(chunks.row(3).0.cell(0, 3).1, 6);
        let others: ArrayRef = Arc::new(Int64Array::from(vec![6, 100]));
        assert_eq!(chunks.equal(&[0], &[3, 3, 20_001], &[others], &[0, 1, 1]), [true, false, true]);
        chunks.retain(&BooleanBuffer::collect_bool(chunks.len(), |row| row % 3 == 0), |_| 0);
        assert_eq!(values(&chunks, &[1]), [6]);
        let small = (0..8).map(|_| chunks.parts()[0].rows().slice(0, 10)).collect::<Vec<_>>();
        small.iter().for_each(|rows| chunks.push(rows, |_| 0));
        assert_eq!(values(&chunks, &[chunks.len() as u32 - 9]), [6]);
    }
}
