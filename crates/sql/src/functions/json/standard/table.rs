//! The rows of JSON_TABLE: for each an array with an item for each path, and the number of that.

use std::sync::Arc;

use arrow::array::{ArrayRef, LargeStringBuilder, ListBuilder};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use serde_json::Value;
use springtide_types::{SqlError, SqlType};

use super::passed::Passed;
use super::text::{check_type, text_at};
use crate::errors::external;
use crate::json::{parse, text_of};
use crate::jsonpath::{Evaluation, Item, JsonPath, Variables};
use crate::sql_json::{Level, ROWS, Rows};

pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(TableRows { signature: Signature::variadic_any(Volatility::Immutable) }))
}

/// The arguments: the document, the paths, the names and the values of PASSING.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TableRows {
    signature: Signature,
}

/// A level with its path parsed.
struct Parsed {
    path: JsonPath,
    place: usize,
    nested: Vec<Parsed>,
}

impl Parsed {
    fn new(level: &Level) -> springtide_types::Result<Parsed> {
        let nested = level.nested.iter().map(Parsed::new).collect::<springtide_types::Result<_>>()?;
        Ok(Parsed { path: JsonPath::parse(&level.path)?, place: level.place, nested })
    }

    /// The rows of a document, where those of the levels around hold `around`.
    fn rows(
        &self,
        document: &Value,
        around: &[Value],
        variables: &Variables<'_>,
        fails: bool,
        out: &mut Vec<Value>,
    ) -> springtide_types::Result<usize> {
        let (items, failure) = Evaluation::new(&self.path, document, variables, true).all();
        match failure {
            Some(failure) if fails || failure.fatal => return Err(failure.error),
            Some(_) => return Ok(0),
            None => {}
        }
        let count = items.len();
        for (number, item) in items.into_iter().map(Item::into_json).enumerate() {
            let mut row = around.to_vec();
            let mut inside = 0;
            let members = [("v".to_owned(), item.clone()), ("n".to_owned(), Value::from(number + 1))];
            row[self.place] = Value::Object(members.into_iter().collect());
            for nested in &self.nested {
                inside += nested.rows(&item, &row, variables, fails, out)?;
            }
            if inside == 0 {
                out.push(Value::Array(row));
            }
        }
        Ok(count)
    }
}

fn constant(value: Option<&ScalarValue>) -> springtide_types::Result<&str> {
    let text = value.and_then(|value| value.try_as_str().flatten());
    text.ok_or_else(|| SqlError::internal("the paths of JSON_TABLE are constant"))
}

impl ScalarUDFImpl for TableRows {
    fn name(&self) -> &str {
        ROWS
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::new_list(SqlType::Jsonb.arrow(), true))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        check_type(args.arg_fields[0].data_type()).map_err(external)?;
        Ok(Arc::new(Field::new(ROWS, self.return_type(&[])?, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let literal = |position: usize| match &args.args[position] {
            ColumnarValue::Scalar(value) => constant(Some(value)).map(str::to_owned),
            ColumnarValue::Array(_) => constant(None).map(str::to_owned),
        };
        let columns =
            args.args.iter().map(|arg| arg.to_array(args.number_rows)).collect::<Result<Vec<_>>>()?;
        let lists = || {
            let rows = serde_json::from_str::<Rows>(&literal(1)?);
            let rows = rows.map_err(|error| SqlError::internal(error.to_string()))?;
            let names = serde_json::from_str::<Vec<String>>(&literal(2)?);
            let names = names.map_err(|error| SqlError::internal(error.to_string()))?;
            lists(&columns, args.number_rows, &rows, &names)
        };
        lists().map(ColumnarValue::Array).map_err(external)
    }
}

fn lists(
    columns: &[ArrayRef],
    length: usize,
    rows: &Rows,
    names: &[String],
) -> springtide_types::Result<ArrayRef> {
    let root = Parsed::new(&rows.root)?;
    let passed = columns[3..].iter().map(|column| Passed::new(column.clone()));
    let passed = passed.collect::<springtide_types::Result<Vec<_>>>()?;
    let around = vec![Value::Null; rows.places];
    let mut lists = ListBuilder::new(LargeStringBuilder::new());
    for row in 0..length {
        let Some(document) = text_at(&columns[0], row)? else {
            lists.append_null();
            continue;
        };
        let variables = names.iter().zip(&passed);
        let variables = variables.map(|(name, values)| Ok((name.as_str(), values.item(row)?)));
        let variables = variables.collect::<springtide_types::Result<Variables<'_>>>()?;
        let mut found = Vec::new();
        root.rows(&parse(&document)?, &around, &variables, rows.fails, &mut found)?;
        let texts =
            found.iter().map(|row| text_of(row).map(Some)).collect::<springtide_types::Result<Vec<_>>>()?;
        lists.append_value(texts);
    }
    Ok(Arc::new(lists.finish()))
}
