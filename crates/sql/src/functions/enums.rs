//! Functions over the labels of an enum type: `enum_first`, `enum_last` and `enum_range`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, TimestampSecondArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, TimestampSecondType};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use springtide_types::{EnumType, SqlError, SqlState, SqlType};

use super::typed::argument_types;
use crate::errors::external;
use crate::overload::no_function;

/// The names of the functions. What they give changes with the labels of the type.
pub(crate) const ENUM_FUNCTIONS: [&str; 3] = ["enum_first", "enum_last", "enum_range"];

pub(super) fn functions() -> [Arc<ScalarUDF>; 3] {
    let signature = Signature::one_of(vec![TypeSignature::VariadicAny], Volatility::Stable);
    ENUM_FUNCTIONS.map(|name| Arc::new(ScalarUDF::from(OfLabels { name, signature: signature.clone() })))
}

/// The keys of labels as a column of the enum.
pub(crate) fn enum_column(sql_type: SqlType, keys: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(TimestampSecondArray::from(keys).with_data_type(sql_type.arrow()))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfLabels {
    name: &'static str,
    signature: Signature,
}

impl OfLabels {
    /// The enum that the arguments are of.
    fn of(&self, given: &[Option<SqlType>]) -> springtide_types::Result<SqlType> {
        let most = if self.name == "enum_range" { 2 } else { 1 };
        let mut known = given.iter().flatten();
        match known.next() {
            None if given.len() <= most => {
                let message = "could not determine polymorphic type because input has type unknown";
                Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message))
            }
            Some(sql_type @ SqlType::Enum(_))
                if given.len() <= most && known.all(|other| other == sql_type) =>
            {
                Ok(*sql_type)
            }
            _ => Err(no_function(self.name, given)),
        }
    }

    fn result(&self, given: &[Option<SqlType>]) -> Result<DataType> {
        let sql_type = self.of(given).map_err(external)?;
        Ok(match self.name {
            "enum_range" => DataType::List(Arc::new(Field::new_list_field(sql_type.arrow(), true))),
            _ => sql_type.arrow(),
        })
    }

    /// The keys between two bounds, both included; one that is NULL is none.
    fn keys(&self, known: &EnumType, lower: Option<i64>, upper: Option<i64>) -> Vec<Option<i64>> {
        let keys = known.labels.labels().iter().map(|label| label.key);
        let within = |key: &i64| lower.is_none_or(|it| it <= *key) && upper.is_none_or(|it| *key <= it);
        match self.name {
            "enum_first" => vec![keys.min()],
            "enum_last" => vec![keys.max()],
            _ => keys.filter(within).map(Some).collect(),
        }
    }
}

impl ScalarUDFImpl for OfLabels {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.result(&super::typed::known_types(types))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name, self.result(&argument_types(&args))?, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let element = match args.return_field.data_type() {
            DataType::List(item) => item.data_type(),
            other => other,
        };
        let Some(sql_type @ SqlType::Enum(id)) = SqlType::from_arrow(element) else {
            return datafusion::common::internal_err!("{} of no enum", self.name);
        };
        let known = id.definition().map_err(external)?;
        let columns = args.args.iter().map(|arg| arg.to_array(args.number_rows));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let bound = |position: usize, row: usize| {
            let column = columns.get(position)?.as_primitive_opt::<TimestampSecondType>()?;
            column.is_valid(row).then(|| column.value(row))
        };
        // A single argument says nothing but the type.
        let bound = |position, row| if columns.len() == 2 { bound(position, row) } else { None };
        let rows = (0..args.number_rows).map(|row| self.keys(&known, bound(0, row), bound(1, row)));
        let rows = rows.collect::<Vec<_>>();
        let keys = enum_column(sql_type, rows.concat());
        if !matches!(args.return_field.data_type(), DataType::List(_)) {
            return Ok(ColumnarValue::Array(keys));
        }
        let lengths = OffsetBuffer::from_lengths(rows.iter().map(Vec::len));
        let field = Arc::new(Field::new_list_field(sql_type.arrow(), true));
        Ok(ColumnarValue::Array(Arc::new(ListArray::try_new(field, lengths, keys, None)?)))
    }
}
