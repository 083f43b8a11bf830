//! Arrays, which only the system catalogue has columns of. Clients get them as texts: `{a,b}`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, ListArray, ListBuilder, StringArray, StringBuilder, StructArray,
    new_empty_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Int32Type};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::functions_nested::array_transform::array_transform_higher_order_function;
use datafusion::functions_nested::expr_fn::{array_append, array_concat, array_prepend};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, HigherOrderUDF, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_types::{SqlError, SqlState};

use super::asks_catalog;
use crate::array_text::elements;
use crate::errors::external;

/// `or_empty(array)` is the array, and an empty one instead of NULL: what `ARRAY(SELECT ...)` makes of no rows.
pub(super) const OR_EMPTY: &str = "$or_empty";
const TEXT_OF_ARRAY: &str = "$text_of_array";
/// `subscripts(array, 1)` are the numbers of the elements.
pub(super) const SUBSCRIPTS: &str = "$subscripts";
/// The first and the last of them.
const LOWER: &str = "array_lower";
const UPPER: &str = "array_upper";
/// `expanded(array)` are the elements, `x`, with their numbers, `n`.
pub(super) const EXPANDED: &str = "$expanded";
/// DataFusion's name for the function that applies another one to every element.
pub(super) const TRANSFORM: &str = "array_transform";

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let of_one = [OR_EMPTY, TEXT_OF_ARRAY, EXPANDED].map(|name| function(name, 1));
    of_one.into_iter().chain([SUBSCRIPTS, LOWER, UPPER].map(|name| function(name, 2))).collect()
}

/// The function that [`rewrite`](super::rewrite) applies others by.
pub(crate) fn higher_order(name: &str) -> Option<Arc<HigherOrderUDF>> {
    (name == TRANSFORM).then(array_transform_higher_order_function)
}

fn function(name: &'static str, arguments: usize) -> Arc<ScalarUDF> {
    let signature = Signature::any(arguments, Volatility::Immutable);
    Arc::new(ScalarUDF::from(ArrayFunction { name, signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ArrayFunction {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for ArrayFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match self.name {
            TEXT_OF_ARRAY => DataType::Utf8,
            LOWER | UPPER => DataType::Int32,
            SUBSCRIPTS => DataType::List(Arc::new(Field::new_list_field(DataType::Int32, true))),
            EXPANDED => expanded_type(&types[0])?,
            _ => types[0].clone(),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = args.args[0].to_array(args.number_rows)?;
        let Some(lists) = array.as_list_opt::<i32>() else {
            let message = format!("{} of what is no array", self.name);
            return Err(external(SqlError::new(SqlState::DATATYPE_MISMATCH, message)));
        };
        let lengths = lists.iter().map(|list| list.map(|list| list.len() as i32));
        Ok(ColumnarValue::Array(match self.name {
            TEXT_OF_ARRAY => Arc::new(texts(lists)?),
            LOWER => Arc::new(
                lengths.map(|length| length.filter(|length| *length > 0).map(|_| 1)).collect::<Int32Array>(),
            ),
            UPPER => {
                Arc::new(lengths.map(|length| length.filter(|length| *length > 0)).collect::<Int32Array>())
            }
            SUBSCRIPTS => {
                let numbers = |length: i32| (1..=length).map(Some).collect::<Vec<_>>();
                Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(
                    lengths.map(|length| length.map(numbers)),
                ))
            }
            EXPANDED => expanded(lists)?,
            _ => or_empty(lists)?,
        }))
    }
}

fn expanded_type(array: &DataType) -> Result<DataType> {
    let DataType::List(item) = array else {
        let message = "a function of arrays is called with something else";
        return Err(external(SqlError::new(SqlState::DATATYPE_MISMATCH, message)));
    };
    let number = Field::new("n", DataType::Int32, true);
    let pair = Fields::from(vec![Field::new("x", item.data_type().clone(), true), number]);
    Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Struct(pair), true))))
}

fn expanded(lists: &ListArray) -> Result<ArrayRef> {
    let DataType::List(item) = expanded_type(lists.data_type())? else { return Ok(Arc::new(lists.clone())) };
    let DataType::Struct(pair) = item.data_type() else { return Ok(Arc::new(lists.clone())) };
    let numbers = lists.offsets().lengths().flat_map(|length| 1..=length as i32).collect::<Int32Array>();
    let first = lists.value_offsets()[0] as usize;
    let elements = lists.values().slice(first, numbers.len());
    let pairs = StructArray::new(pair.clone(), vec![elements, Arc::new(numbers)], None);
    let offsets = OffsetBuffer::from_lengths(lists.offsets().lengths());
    Ok(Arc::new(ListArray::new(item, offsets, Arc::new(pairs), lists.nulls().cloned())))
}

fn or_empty(lists: &ListArray) -> Result<ArrayRef> {
    let DataType::List(field) = lists.data_type() else { return Ok(Arc::new(lists.clone())) };
    let present = lists.iter().flatten().collect::<Vec<_>>();
    let present = present.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>();
    let values = match present.as_slice() {
        [] => new_empty_array(field.data_type()),
        present => arrow::compute::concat(present)?,
    };
    let lengths = (0..lists.len()).map(|row| if lists.is_null(row) { 0 } else { lists.value(row).len() });
    Ok(Arc::new(ListArray::new(field.clone(), OffsetBuffer::from_lengths(lengths), values, None)))
}

/// As PostgreSQL writes arrays.
fn texts(lists: &ListArray) -> Result<StringArray> {
    let text = |list: Option<ArrayRef>| {
        let Some(list) = list else { return Ok(None) };
        let items = cast(&list, &DataType::Utf8)?;
        let items =
            items.as_string::<i32>().iter().map(|item| item.map_or_else(|| "NULL".to_owned(), quoted));
        Ok(Some(format!("{{{}}}", items.collect::<Vec<_>>().join(","))))
    };
    lists.iter().map(text).collect()
}

/// An element as it stands in the text of an array.
fn quoted(item: &str) -> String {
    let special = |letter: char| "{},\"\\".contains(letter) || letter.is_whitespace();
    if item.is_empty() || item.contains(special) || item.eq_ignore_ascii_case("null") {
        format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        item.to_owned()
    }
}

/// Whether an expression is an array.
pub(crate) fn is_array(expr: &Expr, schema: &DFSchema) -> bool {
    matches!(expr.get_type(schema), Ok(DataType::List(_)))
}

/// Two operands of which one is an array: a literal next to it is one too.
pub(crate) fn with_array(left: Expr, right: Expr, schema: &DFSchema) -> Result<(Expr, Expr)> {
    let (left_type, right_type) = (left.get_type(schema)?, right.get_type(schema)?);
    Ok((as_array(left, &right_type)?, as_array(right, &left_type)?))
}

fn as_array(expr: Expr, other: &DataType) -> Result<Expr> {
    let (Expr::Literal(ScalarValue::Utf8(Some(text)), _), DataType::List(_)) = (&expr, other) else {
        return Ok(expr);
    };
    let mut list = ListBuilder::new(StringBuilder::new());
    list.append_value(elements(text).map_err(external)?);
    let list = cast(&list.finish(), other)?;
    Ok(Expr::Literal(ScalarValue::try_from_array(&list, 0)?, None))
}

/// Operands of which one is an array: literals next to it are arrays too.
pub(crate) fn unify_arrays(operands: Vec<Expr>, schema: &DFSchema) -> Result<Vec<Expr>> {
    let types = operands.iter().map(|operand| operand.get_type(schema)).collect::<Result<Vec<_>>>()?;
    let list = types.into_iter().find(|data_type| matches!(data_type, DataType::List(_)));
    let list = list.unwrap_or(DataType::Null);
    operands.into_iter().map(|operand| as_array(operand, &list)).collect()
}

/// `||` of operands of which one is an array.
pub(crate) fn concat_arrays(left: Expr, right: Expr, schema: &DFSchema) -> Result<Expr> {
    let (left, right) = with_array(left, right, schema)?;
    Ok(match (is_array(&left, schema), is_array(&right, schema)) {
        (true, true) => array_concat(vec![left, right]),
        (true, false) => array_append(left, right),
        _ => array_prepend(left, right),
    })
}

/// The plan with texts instead of arrays, if it asks the system catalogue.
pub(crate) fn texts_of_arrays(plan: LogicalPlan) -> Result<LogicalPlan> {
    let is_list = |data_type: &DataType| matches!(data_type, DataType::List(_));
    let fields = plan.schema().fields();
    if !fields.iter().any(|field| is_list(field.data_type())) || !asks_catalog(&plan)? {
        return Ok(plan);
    }
    let function = function(TEXT_OF_ARRAY, 1);
    let columns = plan.schema().columns().into_iter().zip(fields).map(|(column, field)| {
        let (name, expr) = (column.name.clone(), Expr::Column(column));
        if is_list(field.data_type()) {
            Expr::ScalarFunction(ScalarFunction::new_udf(function.clone(), vec![expr])).alias(name)
        } else {
            expr.alias(name)
        }
    });
    let columns = columns.collect::<Vec<_>>();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_read_and_written_as_postgres_does() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(elements("{}").unwrap(), []);
        assert_eq!(elements("{r, p}").unwrap(), [some("r"), some("p")]);
        assert_eq!(
            elements(r#"{"a,b",NULL,"null","\\"}"#).unwrap(),
            [some("a,b"), None, some("null"), some("\\")]
        );
        assert!(elements("r,p").is_err());
        assert!(elements("{{1}}").is_err());
        assert_eq!(
            ["a", "a b", "", "NULL", "\""].map(quoted),
            ["a", "\"a b\"", "\"\"", "\"NULL\"", r#""\"""#]
        );
    }
}
