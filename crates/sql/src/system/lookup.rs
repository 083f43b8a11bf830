use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, ListBuilder, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use springtide_catalog::system::{Argument, Facts, Kind, Lookup};

use crate::errors::external;

/// A [`Lookup`] at one moment, as DataFusion calls it.
#[derive(Debug)]
pub(super) struct LookupFunction {
    lookup: &'static Lookup,
    facts: Facts,
    signature: Signature,
}

impl LookupFunction {
    pub(super) fn new(lookup: &'static Lookup, facts: Facts) -> LookupFunction {
        let volatility = if lookup.volatile { Volatility::Volatile } else { Volatility::Stable };
        LookupFunction { lookup, facts, signature: Signature::user_defined(volatility) }
    }
}

impl PartialEq for LookupFunction {
    fn eq(&self, other: &LookupFunction) -> bool {
        self.lookup.name == other.lookup.name && self.facts.is_same(&other.facts)
    }
}

impl Eq for LookupFunction {}

impl Hash for LookupFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.lookup.name.hash(state);
    }
}

impl ScalarUDFImpl for LookupFunction {
    fn name(&self) -> &str {
        self.lookup.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let parameters = self.lookup.parameters;
        if !(self.lookup.required..=parameters.len()).contains(&given.len()) {
            let types = given.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let call = format!("{}({types})", self.lookup.name);
            return plan_err!("No function matches the given name and argument types '{call}'");
        }
        Ok(parameters.iter().zip(given).map(|(kind, given)| taken_as(*kind, given)).collect())
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok(data_type(self.lookup.returns))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = args.args.iter().map(|arg| arg.to_array(args.number_rows));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let row = |row: usize| {
            let arguments = columns.iter().map(|column| argument(column, row)).collect::<Vec<_>>();
            self.lookup.evaluate(&self.facts, &arguments).map_err(external)
        };
        let results = (0..args.number_rows).map(row).collect::<Result<Vec<_>>>()?;
        Ok(ColumnarValue::Array(array(self.lookup.returns, results)?))
    }
}

fn taken_as(kind: Kind, given: &DataType) -> DataType {
    match kind {
        Kind::Either if given.is_integer() => DataType::Int64,
        Kind::Either => DataType::Utf8,
        kind => data_type(kind),
    }
}

fn data_type(kind: Kind) -> DataType {
    let list = |item| DataType::List(Arc::new(Field::new_list_field(item, true)));
    match kind {
        Kind::Bool => DataType::Boolean,
        Kind::Int => DataType::Int64,
        Kind::Text | Kind::Either => DataType::Utf8,
        Kind::Texts => list(DataType::Utf8),
        Kind::Ints => list(DataType::Int64),
    }
}

fn argument(column: &ArrayRef, row: usize) -> Argument {
    if column.is_null(row) {
        return Argument::Null;
    }
    match column.data_type() {
        DataType::Boolean => Argument::Bool(column.as_boolean().value(row)),
        DataType::Int64 => Argument::Int(column.as_primitive::<Int64Type>().value(row)),
        DataType::Utf8 => Argument::Text(column.as_string::<i32>().value(row).to_owned()),
        _ => Argument::Null,
    }
}

fn array(kind: Kind, results: Vec<Argument>) -> Result<ArrayRef> {
    let results = results.into_iter();
    Ok(match kind {
        Kind::Bool => Arc::new(BooleanArray::from_iter(results.map(|result| match result {
            Argument::Bool(value) => Some(value),
            _ => None,
        }))),
        Kind::Int => Arc::new(Int64Array::from_iter(results.map(|result| match result {
            Argument::Int(value) => Some(value),
            _ => None,
        }))),
        Kind::Text | Kind::Either => Arc::new(StringArray::from_iter(results.map(|result| match result {
            Argument::Text(value) => Some(value),
            _ => None,
        }))),
        Kind::Texts | Kind::Ints => {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for result in results {
                let texts = match result {
                    Argument::Texts(texts) => Some(texts),
                    Argument::Ints(ints) => Some(ints.iter().map(ToString::to_string).collect()),
                    _ => None,
                };
                lists.append_option(texts.map(|texts| texts.into_iter().map(Some)));
            }
            cast(&lists.finish(), &data_type(kind))?
        }
    })
}
