use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{filter, filter_record_batch, take, take_arrays};
use arrow::datatypes::SchemaRef;

/// Rows in columns: a batch, or columns of batches at positions that are chosen, which others may share. Of the latter a
/// column is gathered when somebody first looks at it, so that wide rows that are dealt out, joined and filtered are only
/// copied where they are needed.
///
/// Source: late materialization, as in Abadi et al., *Materialization Strategies in a Column-Oriented DBMS*, ICDE 2007.
#[derive(Clone, Debug)]
pub struct Rows(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Batch(RecordBatch),
    Selected(Arc<Selected>),
}

#[derive(Debug)]
struct Selected {
    schema: SchemaRef,
    len: usize,
    parts: Vec<Part>,
    /// Where each column lies.
    places: Vec<Place>,
    /// What has been gathered.
    columns: Vec<OnceLock<ArrayRef>>,
    batch: OnceLock<RecordBatch>,
}

/// Columns of the rows at these positions of a batch, or of all of them.
#[derive(Clone, Debug)]
struct Part {
    source: RecordBatch,
    positions: Option<UInt32Array>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    part: usize,
    column: usize,
}

impl From<RecordBatch> for Rows {
    fn from(batch: RecordBatch) -> Rows {
        Rows(Repr::Batch(batch))
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Rows) -> bool {
        self.batch() == other.batch()
    }
}

impl Part {
    fn map(&self, positions: impl FnOnce(Option<&UInt32Array>) -> UInt32Array) -> Part {
        Part { source: self.source.clone(), positions: Some(positions(self.positions.as_ref())) }
    }

    /// Which part of its source the rows are.
    fn share(&self) -> f64 {
        let all = self.source.num_rows().max(1) as f64;
        self.positions.as_ref().map_or(1.0, |positions| (positions.len() as f64 / all).min(1.0))
    }

    /// The same with no other columns than these, gathered if the rows are less than one in so many of their source.
    fn to_keep(&self, columns: &[usize], share: usize) -> Part {
        let source = self.source.project(columns).expect("columns are in bounds");
        match &self.positions {
            Some(positions) if positions.len() * share < source.num_rows() => {
                Part { source: take_rows(&source, positions), positions: None }
            }
            positions => Part { source, positions: positions.clone() },
        }
    }
}

impl Rows {
    fn of_parts(schema: SchemaRef, len: usize, parts: Vec<Part>, places: Vec<Place>) -> Rows {
        let columns = places.iter().map(|_| OnceLock::new()).collect();
        Rows(Repr::Selected(Arc::new(Selected {
            schema,
            len,
            parts,
            places,
            columns,
            batch: OnceLock::new(),
        })))
    }

    /// The parts that the rows are made of, and where each column lies.
    fn parts(&self) -> (Vec<Part>, Vec<Place>) {
        let whole = |batch: &RecordBatch| {
            let places = (0..batch.num_columns()).map(|column| Place { part: 0, column }).collect();
            (vec![Part { source: batch.clone(), positions: None }], places)
        };
        match &self.0 {
            Repr::Batch(batch) => whole(batch),
            Repr::Selected(rows) => match rows.batch.get() {
                Some(batch) => whole(batch),
                None => (rows.parts.clone(), rows.places.clone()),
            },
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Batch(batch) => batch.num_rows(),
            Repr::Selected(rows) => rows.len,
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The schema.
    pub fn schema(&self) -> SchemaRef {
        match &self.0 {
            Repr::Batch(batch) => batch.schema(),
            Repr::Selected(rows) => rows.schema.clone(),
        }
    }

    /// Whether some column is not gathered, and lies in a batch that others may share.
    pub fn is_selection(&self) -> bool {
        match &self.0 {
            Repr::Batch(_) => false,
            Repr::Selected(rows) => {
                rows.batch.get().is_none() && rows.parts.iter().any(|part| part.positions.is_some())
            }
        }
    }

    /// A column as it lies: the values, and the positions in them that the rows have unless these are all of them.
    #[inline]
    pub fn source(&self, column: usize) -> (&ArrayRef, Option<&UInt32Array>) {
        match &self.0 {
            Repr::Batch(batch) => (batch.column(column), None),
            Repr::Selected(rows) => {
                let place = rows.places[column];
                let part = &rows.parts[place.part];
                (part.source.column(place.column), part.positions.as_ref())
            }
        }
    }

    /// Where a value lies: in which array, and where in it.
    #[inline]
    pub fn cell(&self, column: usize, row: usize) -> (&ArrayRef, usize) {
        let (values, positions) = self.source(column);
        (values, positions.map_or(row, |positions| positions.values()[row] as usize))
    }

    /// One column.
    pub fn column(&self, column: usize) -> &ArrayRef {
        match (self.source(column), &self.0) {
            ((values, Some(positions)), Repr::Selected(rows)) => {
                let gather = || take(values, positions, None).expect("positions are in bounds");
                rows.columns[column].get_or_init(gather)
            }
            ((values, _), _) => values,
        }
    }

    /// All columns.
    pub fn batch(&self) -> &RecordBatch {
        match &self.0 {
            Repr::Batch(batch) => batch,
            Repr::Selected(rows) => rows.batch.get_or_init(|| {
                let columns = (0..rows.places.len()).map(|column| self.column(column).clone()).collect();
                batch_of(rows.schema.clone(), columns, rows.len)
            }),
        }
    }

    /// The rows at these positions, in this order. Copies nothing yet.
    #[must_use]
    pub fn select(&self, indices: &UInt32Array) -> Rows {
        let (parts, places) = self.parts();
        let select =
            |part: &Part| part.map(|positions| positions.map_or(indices.clone(), |p| at(p, indices)));
        Rows::of_parts(self.schema(), indices.len(), parts.iter().map(select).collect(), places)
    }

    /// The rows at these positions, in this order, gathered.
    pub fn take(&self, indices: &UInt32Array) -> RecordBatch {
        match &self.0 {
            Repr::Batch(batch) => take_rows(batch, indices),
            Repr::Selected(_) => self.select(indices).batch().clone(),
        }
    }

    /// The rows for which `mask` is true. Of a batch they are gathered.
    #[must_use]
    pub fn filter(&self, mask: &BooleanArray) -> Rows {
        let Repr::Selected(_) = &self.0 else {
            return filter_record_batch(self.batch(), mask).expect("one mask bit per row").into();
        };
        let all = UInt32Array::from_iter_values(0..mask.len() as u32);
        let kept = |positions: &UInt32Array| {
            let kept = filter(positions, mask).expect("one mask bit per row");
            kept.as_primitive().clone()
        };
        let (parts, places) = self.parts();
        let parts = parts.iter().map(|part| part.map(|positions| kept(positions.unwrap_or(&all))));
        Rows::of_parts(self.schema(), mask.true_count(), parts.collect(), places)
    }

    /// A view of `length` rows from `offset`. Copies nothing.
    #[must_use]
    pub fn slice(&self, offset: usize, length: usize) -> Rows {
        let Repr::Selected(_) = &self.0 else { return self.batch().slice(offset, length).into() };
        let slice = |part: &Part| match &part.positions {
            Some(positions) => part.map(|_| positions.slice(offset, length)),
            None => Part { source: part.source.slice(offset, length), positions: None },
        };
        let (parts, places) = self.parts();
        Rows::of_parts(self.schema(), length, parts.iter().map(slice).collect(), places)
    }

    /// The columns at these places, in this order, under a schema. Copies nothing.
    #[must_use]
    pub fn project(&self, columns: &[usize], schema: SchemaRef) -> Rows {
        let Repr::Selected(rows) = &self.0 else {
            let columns = columns.iter().map(|column| self.column(*column).clone()).collect();
            return batch_of(schema, columns, self.len()).into();
        };
        let places = columns.iter().map(|column| rows.places[*column]).collect();
        let gathered = columns.iter().map(|column| rows.columns[*column].clone()).collect();
        let (len, parts) = (rows.len, rows.parts.clone());
        Rows(Repr::Selected(Arc::new(Selected {
            schema,
            len,
            parts,
            places,
            columns: gathered,
            batch: OnceLock::new(),
        })))
    }

    /// The columns of these rows, then those of as many others, under a schema. Copies nothing.
    #[must_use]
    pub fn beside(&self, others: &Rows, schema: SchemaRef) -> Rows {
        assert_eq!(self.len(), others.len(), "one row beside each");
        if let (Repr::Batch(left), Repr::Batch(right)) = (&self.0, &others.0) {
            return batch_of(schema, [left.columns(), right.columns()].concat(), left.num_rows()).into();
        }
        let (mut parts, mut places) = self.parts();
        let (more_parts, more_places) = others.parts();
        let before = parts.len();
        parts.extend(more_parts);
        places.extend(more_places.into_iter().map(|place| Place { part: place.part + before, ..place }));
        Rows::of_parts(schema, self.len(), parts, places)
    }

    /// The same rows to be kept: nothing that was gathered is kept with them, no column that is not theirs, and what is less
    /// than one in `share` rows of its source is gathered, for it would hold more memory than it needs.
    #[must_use]
    pub fn to_keep(&self, share: usize) -> Rows {
        if !self.is_selection() {
            return self.batch().clone().into();
        }
        let (parts, mut places) = self.parts();
        let mut kept = Vec::with_capacity(parts.len());
        for (number, part) in parts.iter().enumerate() {
            let mut columns = Vec::new();
            for place in places.iter_mut().filter(|place| place.part == number) {
                let known = columns.iter().position(|column| *column == place.column);
                place.column = known.unwrap_or_else(|| {
                    columns.push(place.column);
                    columns.len() - 1
                });
            }
            kept.push(part.to_keep(&columns, share));
        }
        let rows = Rows::of_parts(self.schema(), self.len(), kept, places);
        if rows.is_selection() { rows } else { rows.batch().clone().into() }
    }

    /// The same rows, of which nothing is gathered yet.
    #[must_use]
    pub fn ungathered(&self) -> Rows {
        let (parts, places) = self.parts();
        match &self.0 {
            Repr::Batch(_) => self.clone(),
            Repr::Selected(_) => Rows::of_parts(self.schema(), self.len(), parts, places),
        }
    }

    /// Bytes of the buffers that the rows lie in: of a batch that is shared, their part.
    pub fn memory_size(&self) -> usize {
        self.size(|source| source.get_array_memory_size())
    }

    /// Bytes of the rows alone, without those of the buffers that they are a part of.
    pub fn slice_size(&self) -> usize {
        // Types whose size cannot be told count as nothing.
        let bytes = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or(0);
        self.size(|source| source.columns().iter().map(bytes).sum())
    }

    fn size(&self, of_source: impl Fn(&RecordBatch) -> usize) -> usize {
        match &self.0 {
            Repr::Batch(batch) => of_source(batch),
            Repr::Selected(rows) => {
                let positions = |part: &Part| 4 * part.positions.as_ref().map_or(0, UInt32Array::len);
                let parts = rows.parts.iter();
                parts
                    .map(|part| positions(part) + (of_source(&part.source) as f64 * part.share()) as usize)
                    .sum()
            }
        }
    }
}

fn batch_of(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> RecordBatch {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options).expect("columns of the schema's types")
}

/// Those of the positions that these indices name.
fn at(positions: &UInt32Array, indices: &UInt32Array) -> UInt32Array {
    UInt32Array::from_iter_values(indices.values().iter().map(|index| positions.values()[*index as usize]))
}

/// The rows at these positions, in this order; unlike Arrow's kernel, also of batches without columns.
pub fn take_rows(rows: &RecordBatch, indices: &UInt32Array) -> RecordBatch {
    let columns = take_arrays(rows.columns(), indices, None).expect("indices are in bounds");
    batch_of(rows.schema(), columns, indices.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int64Array;
    use arrow::datatypes::Int64Type;

    fn numbers(name: &str, values: impl IntoIterator<Item = i64>) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
        RecordBatch::try_from_iter([(name, column)]).unwrap()
    }

    fn values(rows: &Rows) -> Vec<Vec<i64>> {
        let columns = rows.batch().columns().iter();
        columns.map(|column| column.as_primitive::<Int64Type>().values().to_vec()).collect()
    }

    #[test]
    fn selected_rows_are_as_gathered_ones() {
        let rows = Rows::from(numbers("n", 10..20)).select(&vec![7, 1, 3, 4].into());
        assert_eq!(values(&rows.slice(1, 2)), [[11, 13]]);
        assert_eq!(values(&rows.select(&vec![3, 0, 0].into())), [[14, 17, 17]]);
        assert_eq!(values(&rows.filter(&vec![true, false, false, true].into())), [[17, 14]]);
        assert_eq!(rows.cell(0, 2).1, 3);
        assert!(rows.is_selection(), "nothing is gathered yet");
        assert_eq!(values(&rows), [[17, 11, 13, 14]]);
        assert!(!rows.is_selection(), "all is gathered");
        assert!(!rows.ungathered().is_selection());
    }

    #[test]
    fn columns_of_several_sources_lie_side_by_side() {
        let left = Rows::from(numbers("a", 0..10)).select(&vec![9, 8, 7].into());
        let right = Rows::from(numbers("b", [100, 200, 300]));
        let (a, b) = (left.schema().field(0).clone(), right.schema().field(0).clone());
        let schema = |fields: Vec<_>| Arc::new(arrow::datatypes::Schema::new(fields));
        let both = left.beside(&right, schema(vec![a.clone(), b.clone()]));
        let turned = both.project(&[1, 0, 1], schema(vec![b.clone(), a, b]));
        assert_eq!(values(&turned.slice(1, 2)), [[200, 300], [8, 7], [200, 300]]);
        let kept = turned.filter(&vec![true, false, true].into());
        assert_eq!(values(&kept.to_keep(1)), [[100, 300], [9, 7], [100, 300]]);
        assert_eq!(values(&kept.to_keep(100)), [[100, 300], [9, 7], [100, 300]]);
        assert!(kept.to_keep(100).is_selection() && !kept.to_keep(1).is_selection());
    }
}
