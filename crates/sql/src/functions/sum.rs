//! `sum` with PostgreSQL's types, checked, and exact for floats: the same value to the last bit as the
//! incremental sum, whatever the order of the rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use springtide_types::{SqlError, SqlState, SqlType};

use super::arithmetic::external;
use super::distinct_sum::DistinctSum;
use super::totals::{Kind, Totals};

/// The aggregate function `sum`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Sum {
    signature: Signature,
}

impl Sum {
    pub(super) fn new() -> Sum {
        Sum { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [argument] = types else { return Err(no_function(types)) };
        Ok(vec![match argument {
            DataType::Int8 | DataType::UInt8 => DataType::Int16,
            DataType::UInt16 => DataType::Int32,
            DataType::UInt32 | DataType::Null => DataType::Int64,
            DataType::UInt64 => DataType::Decimal128(20, 0),
            DataType::Decimal32(p, s) | DataType::Decimal64(p, s) => DataType::Decimal128(*p, *s),
            DataType::Decimal256(_, s) => DataType::Decimal128(DECIMAL128_MAX_PRECISION, *s),
            DataType::Int16 | DataType::Int32 | DataType::Int64 => argument.clone(),
            DataType::Decimal128(..) | DataType::Float32 | DataType::Float64 => argument.clone(),
            DataType::Interval(_) | DataType::Duration(_) => SqlType::Interval.arrow(),
            _ => return Err(no_function(types)),
        }])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match self.coerce_types(types)?.remove(0) {
            DataType::Int16 | DataType::Int32 => DataType::Int64,
            DataType::Int64 => DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0),
            DataType::Decimal128(_, scale) => DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale),
            DataType::Float32 => DataType::Float64,
            other => other,
        })
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let kind = Kind::of(args.return_type())?;
        if args.is_distinct {
            Ok(Box::new(DistinctSum::new(kind)?))
        } else {
            Ok(Box::new(Total(Totals::new(kind, 1))))
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let kind = Kind::of(args.return_type())?;
        let field =
            |name: &str, data_type| Arc::new(Field::new(format_state_name(args.name, name), data_type, true));
        if args.is_distinct {
            return Ok(vec![field("values", DistinctSum::state_type(kind)?)]);
        }
        Ok(vec![field("sum", kind.state_type()), field("count", DataType::Int64)])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Totals::new(Kind::of(args.return_type())?, 0)))
    }
}

fn no_function(types: &[DataType]) -> datafusion::common::DataFusionError {
    let names = types.iter().map(|data_type| match SqlType::from_arrow(data_type) {
        Some(sql_type) => sql_type.to_string(),
        None => data_type.to_string(),
    });
    let names = names.collect::<Vec<_>>().join(", ");
    let message = format!("function sum({names}) does not exist");
    external(SqlError::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(
        "No function matches the given name and argument types. You might need to add explicit type casts.",
    ))
}

/// The total of one group.
#[derive(Debug)]
struct Total(Totals);

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.add(&values[0], |_| Some(0), 1)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.add(&values[0], |_| Some(0), -1)
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.0.results()?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.heap_bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.states()?.iter().map(|state| ScalarValue::try_from_array(state, 0)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge(&states[0], states[1].as_primitive::<Int64Type>(), |_| 0)
    }
}

impl GroupsAccumulator for Totals {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.resize(total_groups);
        match filter {
            None => self.add(&values[0], |row| Some(groups[row]), 1),
            Some(filter) => {
                let passes = |row: usize| arrow::array::Array::is_valid(filter, row) && filter.value(row);
                self.add(&values[0], |row| passes(row).then(|| groups[row]), 1)
            }
        }
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.take(emit_to).results()
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.take(emit_to).states()
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total_groups: usize) -> Result<()> {
        self.resize(total_groups);
        self.merge(&states[0], states[1].as_primitive::<Int64Type>(), |row| groups[row])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values[0].len();
        let mut alone = Totals::new(self.kind(), rows);
        let groups = (0..rows).collect::<Vec<_>>();
        alone.update_batch(values, &groups, filter, rows)?;
        alone.states()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.heap_bytes()
    }
}
