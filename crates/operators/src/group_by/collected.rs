//! Aggregates that need all rows of a group: `array_agg`, and whatever is computed anew when its group changes.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, NullBufferBuilder, RecordBatch, StructArray, UInt32Array,
    new_empty_array, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use springtide_plan::{Aggregate, AggregateFunction};
use springtide_state::{OrderedZSet, unfit};
use springtide_types::{Result, SortColumn, ZBatch};

use super::accumulator::{Accumulator, Evaluation};

/// The rows of each group, NULLs too, in their order, and those that tie by their own. O(log group) per changed row, and O(group)
/// for the result of a touched group.
pub(super) struct Collected {
    /// The group, then the kept columns.
    rows: OrderedZSet,
    schema: SchemaRef,
    /// Equal values come once.
    distinct: bool,
    result: Outcome,
    groups: Vec<Group>,
}

/// What is made of the rows of a group.
enum Outcome {
    /// The values of the last column.
    Array,
    /// What a function gives, over the columns after the first few, by which the rows are ordered.
    Call { call: Arc<AggregateFunctionExpr>, sorted_by: usize, output: DataType },
}

#[derive(Clone, Copy, Default)]
struct Group {
    /// How many values it has.
    values: i64,
    /// Its number in `rows`, if it has any.
    number: u32,
}

impl Collected {
    /// Of an aggregate that keeps these columns of rows of this schema.
    pub(super) fn new(aggregate: &Aggregate, columns: &[usize], input: &Schema) -> Collected {
        let group = Arc::new(Field::new("group", DataType::UInt32, false));
        let fields = columns.iter().enumerate().map(|(position, column)| {
            Arc::new(Field::new(position.to_string(), input.field(*column).data_type().clone(), true))
        });
        let schema = Arc::new(Schema::new(std::iter::once(group).chain(fields).collect::<Vec<_>>()));
        let order = (1..).zip(&aggregate.order).map(|(column, sort)| SortColumn { column, ..*sort });
        let rows = OrderedZSet::new(schema.clone(), vec![0], order.collect(), None);
        let result = match &aggregate.function {
            AggregateFunction::Computed(computed) => Outcome::Call {
                call: computed.call.clone(),
                sorted_by: aggregate.order.len(),
                output: aggregate.output.clone(),
            },
            _ => Outcome::Array,
        };
        Collected { rows, schema, distinct: aggregate.distinct, result, groups: Vec::new() }
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

impl Accumulator for Collected {
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
        match &self.result {
            Outcome::Array => Evaluation::of(arrays(&rows, &lengths)),
            Outcome::Call { call, sorted_by, output } => {
                let arguments = (1 + sorted_by..rows.num_columns()).collect::<Vec<_>>();
                let rows = rows.project(&arguments).expect("the arguments are among the columns");
                results(call, &rows, &lengths, output)
            }
        }
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
        let lists = column.as_list_opt::<i32>().ok_or_else(|| unfit("the rows of a group are no lists"))?;
        let of_type = lists.values().data_type() == &DataType::Struct(self.fields());
        if !of_type || lists.len() != groups.len() {
            return Err(unfit("the rows of a group are of another type"));
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

/// The values of the last column, an array for each group.
fn arrays(rows: &RecordBatch, lengths: &[usize]) -> ArrayRef {
    let values = rows.columns().last().expect("there is an argument").clone();
    let mut nulls = NullBufferBuilder::new(lengths.len());
    lengths.iter().for_each(|length| nulls.append(*length > 0));
    let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    Arc::new(ListArray::new(item, offsets, values, nulls.finish()))
}

/// What a function gives for each group.
fn results(
    call: &AggregateFunctionExpr,
    rows: &RecordBatch,
    lengths: &[usize],
    output: &DataType,
) -> Evaluation {
    let (mut values, mut errors, mut start) = (Vec::with_capacity(lengths.len()), Vec::new(), 0);
    for (position, length) in lengths.iter().enumerate() {
        let value = result(call, &rows.slice(start, *length)).and_then(|value| value.cast_to(output));
        start += length;
        values.push(value.unwrap_or_else(|error| {
            errors.push((position, springtide_plan::sql_error(&error)));
            ScalarValue::try_new_null(output).unwrap_or(ScalarValue::Null)
        }));
    }
    let column = match values.is_empty() {
        true => Ok(new_empty_array(output)),
        false => ScalarValue::iter_to_array(values),
    };
    let column = column.unwrap_or_else(|error| {
        errors.extend((0..lengths.len()).map(|position| (position, springtide_plan::sql_error(&error))));
        new_null_array(output, lengths.len())
    });
    Evaluation { column, errors }
}

fn result(call: &AggregateFunctionExpr, rows: &RecordBatch) -> datafusion::common::Result<ScalarValue> {
    let mut accumulator = call.create_accumulator()?;
    let order = call.order_bys().iter().map(|sort| sort.expr.clone());
    let values = call.expressions().into_iter().chain(order);
    let values = values.map(|expr| expr.evaluate(rows)?.into_array(rows.num_rows()));
    let values = values.collect::<datafusion::common::Result<Vec<_>>>()?;
    if rows.num_rows() > 0 {
        accumulator.update_batch(&values)?;
    }
    accumulator.evaluate()
}
