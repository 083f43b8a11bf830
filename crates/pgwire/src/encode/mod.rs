//! Arrow columns → the bytes of `DataRow` messages, exactly as PostgreSQL 15 writes them.
//!
//! Each column of a batch is downcast once; rows are then written straight into the output buffer of
//! the connection. The crate arrow-pg is not used: it goes through `rust_decimal`, which holds 28 digits
//! where ours have 38, and through one `dyn` dispatch and one `Option` of a converted value per field.

mod binary;
mod calendar;
mod copy;
mod float;
mod numeric;
mod text;
mod texts;

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array,
    FixedSizeBinaryArray, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array,
    IntervalMonthDayNanoArray, LargeBinaryArray, LargeStringArray, ListArray, RecordBatch, StringArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::TimestampSecondType;
use bytes::{BufMut, BytesMut};
use pgwire::api::results::FieldFormat;
use pgwire::messages::data::MESSAGE_TYPE_BYTE_DATA_ROW;
use springtide_datetime::Style;
use springtide_types::{EnumId, Result, SqlError, SqlType};

pub(crate) use copy::CopyWriter;
pub use texts::texts;

/// A batch made ready to be written row by row.
pub(crate) struct Rows {
    columns: Vec<Column>,
    len: usize,
}

struct Column {
    values: Values,
    nulls: Option<NullBuffer>,
    format: FieldFormat,
    style: Arc<Style>,
}

/// A column, downcast. One variant per SQL type; arrays of other Arrow types are cast to these first.
enum Values {
    Boolean(BooleanArray),
    Int2(Int16Array),
    Int4(Int32Array),
    Int8(Int64Array),
    Float4(Float32Array),
    Float8(Float64Array),
    Numeric(Decimal128Array),
    Text(StringArray),
    Date(Date32Array),
    Timestamp(TimestampMicrosecondArray),
    Timestamptz(TimestampMicrosecondArray),
    Interval(IntervalMonthDayNanoArray),
    Bytea(BinaryArray),
    Time(Time64MicrosecondArray),
    Timetz(FixedSizeBinaryArray),
    Uuid(FixedSizeBinaryArray),
    Json(LargeBinaryArray),
    Jsonb(LargeStringArray),
    Jsonpath(BinaryViewArray),
    Array(Arrays),
}

/// A column of arrays.
struct Arrays {
    lists: ListArray,
    /// All elements, one array after the other.
    elements: Box<Column>,
    element_oid: u32,
}

impl Arrays {
    fn new(lists: &ListArray, element: SqlType, style: &Arc<Style>) -> Result<Arrays> {
        // Each element is written in the format of the array.
        let elements = Box::new(Column::new(lists.values(), element, FieldFormat::Binary, style)?);
        Ok(Arrays { lists: lists.clone(), elements, element_oid: element.oid() })
    }

    /// Where the elements of a row are.
    fn range(&self, row: usize) -> Range<usize> {
        self.lists.value_offsets()[row] as usize..self.lists.value_offsets()[row + 1] as usize
    }
}

impl Rows {
    /// The rows of `batch`, whose columns have these SQL types and go out in these formats.
    pub(crate) fn new(
        batch: &RecordBatch,
        types: &[SqlType],
        formats: &[FieldFormat],
        style: &Arc<Style>,
    ) -> Result<Rows> {
        assert_eq!(batch.num_columns(), types.len(), "one SQL type per column");
        assert_eq!(batch.num_columns(), formats.len(), "one format per column");
        let columns = batch
            .columns()
            .iter()
            .zip(types)
            .zip(formats)
            .map(|((array, sql_type), format)| Column::new(array, *sql_type, *format, style))
            .collect::<Result<Vec<_>>>()?;
        Ok(Rows { columns, len: batch.num_rows() })
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Appends row `row` as one `DataRow` message.
    pub(crate) fn write(&self, row: usize, out: &mut BytesMut) {
        out.put_u8(MESSAGE_TYPE_BYTE_DATA_ROW);
        let start = out.len();
        out.put_i32(0);
        self.write_fields(row, out);
        let length = (out.len() - start) as i32;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    /// Appends the number of fields and the fields of row `row`, each with its length.
    fn write_fields(&self, row: usize, out: &mut BytesMut) {
        out.put_u16(self.columns.len() as u16);
        for column in &self.columns {
            column.write(row, out);
        }
    }
}

impl Column {
    fn new(array: &ArrayRef, sql_type: SqlType, format: FieldFormat, style: &Arc<Style>) -> Result<Column> {
        let values = Values::new(array, sql_type, style)?;
        Ok(Column { values, nulls: array.logical_nulls(), format, style: style.clone() })
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// Appends a value with its length before it.
    fn write(&self, row: usize, out: &mut BytesMut) {
        if self.is_null(row) {
            return out.put_i32(-1);
        }
        let start = out.len();
        out.put_i32(0);
        match self.format {
            FieldFormat::Text => text::write(&self.values, row, &self.style, out),
            FieldFormat::Binary => binary::write(&self.values, row, out),
        }
        let length = (out.len() - start - 4) as i32;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

impl Values {
    fn new(array: &ArrayRef, sql_type: SqlType, style: &Arc<Style>) -> Result<Values> {
        let wanted = sql_type.arrow();
        let array = if *array.data_type() == wanted {
            array.clone()
        } else {
            cast(array, &wanted)
                .map_err(|error| SqlError::internal(format!("cannot send {sql_type}: {error}")))?
        };
        Ok(match sql_type {
            SqlType::Boolean => Values::Boolean(array.as_boolean().clone()),
            SqlType::Int2 => Values::Int2(array.as_primitive().clone()),
            SqlType::Int4 => Values::Int4(array.as_primitive().clone()),
            SqlType::Int8 => Values::Int8(array.as_primitive().clone()),
            SqlType::Float4 => Values::Float4(array.as_primitive().clone()),
            SqlType::Float8 => Values::Float8(array.as_primitive().clone()),
            SqlType::Numeric(..) => Values::Numeric(array.as_primitive().clone()),
            SqlType::Text | SqlType::Varchar(_) => Values::Text(array.as_string().clone()),
            SqlType::Date => Values::Date(array.as_primitive().clone()),
            SqlType::Timestamp => Values::Timestamp(array.as_primitive().clone()),
            SqlType::Timestamptz => Values::Timestamptz(array.as_primitive().clone()),
            SqlType::Interval => Values::Interval(array.as_primitive().clone()),
            SqlType::Bytea => Values::Bytea(array.as_binary().clone()),
            SqlType::Time => Values::Time(array.as_primitive().clone()),
            SqlType::Timetz => Values::Timetz(array.as_fixed_size_binary().clone()),
            SqlType::Uuid => Values::Uuid(array.as_fixed_size_binary().clone()),
            SqlType::Json => Values::Json(array.as_binary().clone()),
            SqlType::Jsonb => Values::Jsonb(array.as_string().clone()),
            SqlType::Jsonpath => Values::Jsonpath(array.as_binary_view().clone()),
            SqlType::Enum(id) => Values::Text(labels(&array, id)?),
            SqlType::Array(element) => {
                Values::Array(Arrays::new(array.as_list(), element.sql_type(), style)?)
            }
        })
    }
}

/// The labels of an enum's keys; both formats have them as texts.
fn labels(array: &ArrayRef, id: EnumId) -> Result<StringArray> {
    let known = id.definition()?;
    let keys = array.as_primitive::<TimestampSecondType>().iter();
    Ok(keys.map(|key| key.and_then(|key| known.label(key))).collect())
}

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, LargeStringArray, NullArray, TimestampNanosecondArray, UInt64Array};
    use arrow::datatypes::Int32Type;

    use super::*;

    fn row(columns: Vec<(ArrayRef, SqlType)>, row: usize) -> Vec<Option<String>> {
        let types = columns.iter().map(|(_, sql_type)| *sql_type).collect::<Vec<_>>();
        let batch = RecordBatch::try_from_iter(
            columns.into_iter().enumerate().map(|(i, (array, _))| (format!("c{i}"), array)),
        )
        .unwrap();
        let mut out = BytesMut::new();
        Rows::new(&batch, &types, &vec![FieldFormat::Text; types.len()], &Arc::default())
            .unwrap()
            .write(row, &mut out);
        assert_eq!(out[0], b'D');
        assert_eq!(i32::from_be_bytes(out[1..5].try_into().unwrap()) as usize, out.len() - 1);
        assert_eq!(u16::from_be_bytes(out[5..7].try_into().unwrap()) as usize, types.len());
        let mut rest = &out[7..];
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let (length, tail) = rest.split_at(4);
            let length = i32::from_be_bytes(length.try_into().unwrap());
            let (value, tail) = tail.split_at(length.max(0) as usize);
            fields.push((length >= 0).then(|| String::from_utf8(value.to_vec()).unwrap()));
            rest = tail;
        }
        fields
    }

    #[test]
    fn a_row_holds_every_column_and_nulls() {
        let columns = || -> Vec<(ArrayRef, SqlType)> {
            vec![
                (Arc::new(BooleanArray::from(vec![Some(true), None])), SqlType::Boolean),
                (Arc::new(Int64Array::from(vec![None, Some(-7)])), SqlType::Int8),
                (Arc::new(StringArray::from(vec![Some(""), Some("naïve")])), SqlType::Text),
                (Arc::new(BinaryArray::from(vec![Some(&b"\x00A\xff"[..]), Some(b"")])), SqlType::Bytea),
            ]
        };
        assert_eq!(
            row(columns(), 0),
            [Some("t".into()), None, Some(String::new()), Some("\\x0041ff".into())]
        );
        assert_eq!(row(columns(), 1), [None, Some("-7".into()), Some("naïve".into()), Some("\\x".into())]);
    }

    #[test]
    fn other_arrow_types_are_cast() {
        let dictionary: DictionaryArray<Int32Type> = vec![Some("x"), None].into_iter().collect();
        let columns = || -> Vec<(ArrayRef, SqlType)> {
            vec![
                (Arc::new(dictionary.clone()), SqlType::Text),
                (Arc::new(LargeStringArray::from(vec!["a", "b"])), SqlType::Text),
                (Arc::new(UInt64Array::from(vec![u64::MAX, 0])), SqlType::Numeric(20, 0)),
                (Arc::new(TimestampNanosecondArray::from(vec![1_500_000, 0])), SqlType::Timestamp),
                (Arc::new(NullArray::new(2)), SqlType::Text),
            ]
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            row(columns(), 0),
            [some("x"), some("a"), some("18446744073709551615"), some("1970-01-01 00:00:00.0015"), None]
        );
        assert_eq!(row(columns(), 1), [None, some("b"), some("0"), some("1970-01-01 00:00:00"), None]);
    }
}
