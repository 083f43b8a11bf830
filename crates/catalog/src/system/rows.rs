//! Rows by the names of their columns, and batches of them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Int16Array, Int32Array, Int64Array, ListBuilder, RecordBatch,
    RecordBatchOptions, StringArray, StringBuilder, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};

use super::columns::{SystemColumn, arrow_schema};

/// A value of a system relation.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// An integer of any width, an OID, or a moment in microseconds since 1970.
    Int(i64),
    Float(f32),
    Text(String),
    /// An array of integers of any width, or of OIDs.
    Ints(Vec<i64>),
    Texts(Vec<String>),
}

/// What is known of a row; the other columns hold [`Row::rest`].
#[derive(Clone, Debug)]
pub(super) struct Row {
    values: Vec<(&'static str, Value)>,
    rest: Rest,
}

/// What a column holds of which a row says nothing.
#[derive(Clone, Copy, Debug)]
enum Rest {
    /// Zero, false or no character; NULL in columns of text and arrays.
    Zero,
    Null,
}

impl Row {
    /// A row of `pg_catalog`: what does not apply is zero there.
    pub(super) fn zero() -> Row {
        Row { values: Vec::new(), rest: Rest::Zero }
    }

    /// A row of which everything else is NULL.
    pub(super) fn null() -> Row {
        Row { values: Vec::new(), rest: Rest::Null }
    }

    /// The row with this value in this column.
    pub(super) fn set(mut self, column: &'static str, value: impl Into<Value>) -> Row {
        self.values.push((column, value.into()));
        self
    }

    fn value(&self, column: &SystemColumn) -> Value {
        match self.values.iter().find(|(name, _)| *name == column.name) {
            Some((_, value)) => value.clone(),
            None => match (self.rest, &column.data_type) {
                (Rest::Zero, DataType::Boolean) => Value::Bool(false),
                (Rest::Zero, data_type) if data_type.is_numeric() => Value::Int(0),
                (Rest::Zero, DataType::Utf8) if column.type_name == "char" => Value::Text(String::new()),
                _ => Value::Null,
            },
        }
    }
}

/// Rows of these columns, in Arrow's form.
pub(super) fn batch(columns: &[SystemColumn], rows: &[Row]) -> RecordBatch {
    for (name, _) in rows.iter().flat_map(|row| &row.values) {
        debug_assert!(columns.iter().any(|column| column.name == *name), "no column {name}");
    }
    let arrays = columns.iter().map(|column| {
        array(&column.data_type, &rows.iter().map(|row| row.value(column)).collect::<Vec<_>>())
    });
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(arrow_schema(columns), arrays.collect(), &options)
        .expect("each array has the type of its column")
}

fn array(data_type: &DataType, values: &[Value]) -> ArrayRef {
    let ints = values.iter().map(|value| match value {
        Value::Int(int) => Some(*int),
        _ => None,
    });
    match data_type {
        DataType::Boolean => {
            let values = values.iter().map(|value| match value {
                Value::Bool(bool) => Some(*bool),
                _ => None,
            });
            Arc::new(values.collect::<BooleanArray>())
        }
        DataType::Int16 => Arc::new(ints.map(|int| int.map(|int| int as i16)).collect::<Int16Array>()),
        DataType::Int32 => Arc::new(ints.map(|int| int.map(|int| int as i32)).collect::<Int32Array>()),
        DataType::Int64 => Arc::new(ints.collect::<Int64Array>()),
        DataType::Float32 => {
            let values = values.iter().map(|value| match value {
                Value::Int(int) => Some(*int as f32),
                Value::Float(float) => Some(*float),
                _ => None,
            });
            Arc::new(values.collect::<Float32Array>())
        }
        DataType::Utf8 => {
            let values = values.iter().map(|value| match value {
                Value::Text(text) => Some(text.as_str()),
                _ => None,
            });
            Arc::new(values.collect::<StringArray>())
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Arc::new(ints.collect::<TimestampMicrosecondArray>().with_data_type(data_type.clone()))
        }
        DataType::List(_) => lists(data_type, values),
        other => new_null_array(other, values.len()),
    }
}

/// Arrays of anything, by way of texts.
fn lists(data_type: &DataType, values: &[Value]) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for value in values {
        match value {
            Value::Ints(ints) => ints.iter().for_each(|int| builder.values().append_value(int.to_string())),
            Value::Texts(texts) => texts.iter().for_each(|text| builder.values().append_value(text)),
            _ => {}
        }
        builder.append(matches!(value, Value::Ints(_) | Value::Texts(_)));
    }
    cast(&builder.finish(), data_type).expect("the texts are numbers where numbers are wanted")
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Value {
        Value::Int(i64::from(value))
    }
}

impl From<f32> for Value {
    fn from(value: f32) -> Value {
        Value::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(value)
    }
}

impl From<Vec<i64>> for Value {
    fn from(value: Vec<i64>) -> Value {
        Value::Ints(value)
    }
}

impl From<Vec<String>> for Value {
    fn from(value: Vec<String>) -> Value {
        Value::Texts(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}
