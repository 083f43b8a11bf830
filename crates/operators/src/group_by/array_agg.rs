//! `array_agg`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, NullBufferBuilder, RecordBatch, StructArray, UInt32Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use springtide_plan::Aggregate;
use springtide_state::{OrderedZSet, unfit};
use springtide_types::{Result, SortColumn, ZBatch};

use super::accumulator::{Accumulator, Evaluation};

/// The columns of the input that go in, in this order: those that the aggregate is ordered by, then its argument.
pub(super) fn columns(aggregate: &Aggregate) -> Vec<usize> {
    aggregate.order.iter().map(|sort| sort.column).chain(aggregate.argument).collect()
}

/// The values of each group, NULLs too, in their order, and those that tie by their own. O(log group) per changed row, and O(group)
/// for the result of a touched group.
pub(super) struct ArrayAgg {
    /// The group, then what [`columns`] says.
    rows: OrderedZSet,
    schema: SchemaRef,
    /// Equal values come once.
    distinct: bool,
    groups: Vec<Group>,
}

#[derive(Clone, Copy, Default)]
struct Group {
    /// How many values it has.
    values: i64,
    /// Its number in `rows`, if it has any.
    number: u32,
}

impl ArrayAgg {
    /// Of an aggregate over rows of this schema.
    pub(super) fn new(aggregate: &Aggregate, input: &Schema) -> ArrayAgg {
        let group = Arc::new(Field::new("group", DataType::UInt32, false));
        let fields = columns(aggregate).into_iter().enumerate().map(|(position, column)| {
            Arc::new(Field::new(position.to_string(), input.field(column).data_type().clone(), true))
        });
        let schema = Arc::new(Schema::new(std::iter::once(group).chain(fields).collect::<Vec<_>>()));
        let order = (1..).zip(&aggregate.order).map(|(column, sort)| SortColumn { column, ..*sort });
        let rows = OrderedZSet::new(schema.clone(), vec![0], order.collect(), None);
        ArrayAgg { rows, schema, distinct: aggregate.distinct, groups: Vec::new() }
    }

    fn fields(&self) -> Fields {
        self.schema.fields()[1..].iter().cloned().collect()
    }

    /// The rows of these groups, one group after the other, and how many each has.
    fn listed(&self, groups: &[u32], distinct: bool) -> (RecordBatch, Vec<usize>) {
        let (mut rows, mut lengths) = (Vec::new(), Vec::new());
        let columns = self.schema.fields().len() - 1;
        for group in groups.iter().map(|group| self.groups[*group as usize]) {
            let before = rows.len();
            let own = (group.values > 0).then(|| self.rows.rows_of(group.number));
            // Equal rows of one delta may be stored apart.
            for (row, weight) in own.into_iter().flatten() {
                let is_new = rows.len() == before || !self.rows.tie(rows[rows.len() - 1], row, columns);
                let times = if distinct { usize::from(is_new) } else { weight.max(0) as usize };
                rows.extend(std::iter::repeat_n(row, times));
            }
            lengths.push(rows.len() - before);
        }
        (self.rows.gather(&rows), lengths)
    }
}

impl Accumulator for ArrayAgg {
    fn resize(&mut self, groups: usize) {
        self.groups.resize(groups, Group::default());
    }

    fn update(&mut self, groups: &[u32], values: &ArrayRef, weights: &[i64]) {
        let group_column: ArrayRef = Arc::new(UInt32Array::from(groups.to_vec()));
        let columns = std::iter::once(group_column).chain(values.as_struct().columns().iter().cloned());
        let rows = RecordBatch::try_new(self.schema.clone(), columns.collect())
            .expect("the columns are those that the aggregate reads");
        let rows = ZBatch::new(rows, weights.to_vec().into());
        let numbers = self.rows.groups_of(rows.selected_rows());
        for ((group, number), weight) in groups.iter().zip(&numbers).zip(weights) {
            let group = &mut self.groups[*group as usize];
            (group.number, group.values) = (*number, group.values + weight);
        }
        self.rows.apply(&rows, &numbers);
        let mut touched = numbers;
        touched.sort_unstable();
        touched.dedup();
        self.rows.tidy(&touched);
    }

    fn evaluate(&self, groups: &[u32]) -> Evaluation {
        let (rows, lengths) = self.listed(groups, self.distinct);
        let values = rows.columns().last().expect("there is an argument").clone();
        let mut nulls = NullBufferBuilder::new(groups.len());
        lengths.iter().for_each(|length| nulls.append(*length > 0));
        let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        let offsets = OffsetBuffer::from_lengths(lengths);
        Evaluation::of(Arc::new(ListArray::new(item, offsets, values, nulls.finish())))
    }

    /// The rows of each group, one as often as it is there.
    fn freeze(&self, groups: &[u32]) -> Vec<ArrayRef> {
        let (rows, lengths) = self.listed(groups, false);
        let rows = StructArray::new(self.fields(), rows.columns()[1..].to_vec(), None);
        let item = Arc::new(Field::new_list_field(rows.data_type().clone(), false));
        vec![Arc::new(ListArray::new(item, OffsetBuffer::from_lengths(lengths), Arc::new(rows), None))]
    }

    fn restore(&mut self, groups: &[u32], columns: &mut dyn Iterator<Item = ArrayRef>) -> Result<()> {
        let column = columns.next().ok_or_else(|| unfit("a column is missing"))?;
        let lists =
            column.as_list_opt::<i32>().ok_or_else(|| unfit("the values of array_agg are no lists"))?;
        let of_type = lists.values().data_type() == &DataType::Struct(self.fields());
        if !of_type || lists.len() != groups.len() {
            return Err(unfit("the values of array_agg are of another type"));
        }
        let of_row = groups
            .iter()
            .enumerate()
            .flat_map(|(row, group)| std::iter::repeat_n(*group, lists.value_length(row) as usize));
        let of_row = of_row.collect::<Vec<_>>();
        let first = lists.value_offsets()[0] as usize;
        let rows = lists.values().slice(first, of_row.len());
        if !of_row.is_empty() {
            self.update(&of_row, &rows, &vec![1; of_row.len()]);
        }
        Ok(())
    }

    fn clear(&mut self, group: u32) {
        self.groups[group as usize] = Group::default();
    }

    fn bytes(&self) -> usize {
        self.rows.bytes() + self.groups.capacity() * size_of::<Group>()
    }
}
