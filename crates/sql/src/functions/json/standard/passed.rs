//! The values of PASSING.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Date32Type, Time64MicrosecondType, TimestampMicrosecondType};
use serde_json::Value;
use springtide_types::Result;

use super::super::build::Values;
use crate::json::parse;
use crate::jsonpath::{Datetime, Item};

/// A column of values.
pub(super) struct Passed {
    column: ArrayRef,
    values: Values,
}

impl Passed {
    pub(super) fn new(column: ArrayRef) -> Result<Passed> {
        Ok(Passed { values: Values::new(&column)?, column })
    }

    /// The value in a row, for a path.
    pub(super) fn item(&self, row: usize) -> Result<Item<'static>> {
        if self.column.is_null(row) || self.column.data_type().is_null() {
            return Ok(Item::owned(Value::Null));
        }
        Ok(match self.column.data_type() {
            DataType::Date32 => {
                Item::Datetime(Datetime::Date(self.column.as_primitive::<Date32Type>().value(row)))
            }
            DataType::Time64(_) => {
                let micros = self.column.as_primitive::<Time64MicrosecondType>().value(row);
                Item::Datetime(Datetime::Time(micros))
            }
            DataType::Timestamp(_, zone) => {
                let micros = self.column.as_primitive::<TimestampMicrosecondType>().value(row);
                Item::Datetime(match zone {
                    Some(_) => Datetime::zoned(micros),
                    None => Datetime::Timestamp(micros),
                })
            }
            _ => {
                let text = self.values.json(row).unwrap_or_else(|| "null".to_owned());
                Item::Json(Cow::Owned(parse(&text)?))
            }
        })
    }
}
