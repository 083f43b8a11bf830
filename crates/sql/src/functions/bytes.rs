//! Functions of `bytea`.
//!
//! Some share their name with a function of text. The binder, which looks functions up by name alone, gets an
//! [`Overloaded`] one; the analyzer, which knows the types of the arguments, puts the right one in its place.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Int32Array, StringArray};
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::Result;
use datafusion::functions::{string, unicode};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_types::SqlType::{self, Bytea, Int4, Text};
use springtide_types::{SqlError, SqlState};

use super::arithmetic::external;
use super::regexp::substring_of_pattern;
use super::text::substr_of_text;
use crate::bytea::Encoding;

/// The functions whose names are theirs alone.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [
        ByteFunction::new("encode", Operation::Encode, &[Bytea, Text], Text),
        ByteFunction::new("decode", Operation::Decode, &[Text, Text], Bytea),
        ByteFunction::new("get_byte", Operation::GetByte, &[Bytea, Int4], Int4),
        ByteFunction::new("set_byte", Operation::SetByte, &[Bytea, Int4, Int4], Bytea),
        ByteFunction::new("convert_from", Operation::ConvertFrom, &[Bytea, Text], Text),
        ByteFunction::new("convert_to", Operation::ConvertTo, &[Text, Text], Bytea),
    ]
    .map(|function| Arc::new(ScalarUDF::from(function)))
    .into()
}

/// The functions of text or bytea, by name.
pub(super) fn overloads() -> Vec<(&'static str, Arc<ScalarUDF>)> {
    let overloaded = |name, text, operation| {
        let bytes = Arc::new(ScalarUDF::from(ByteFunction::new(name, operation, &[Bytea], Int4)));
        (name, Arc::new(ScalarUDF::from(Overloaded::new(text, bytes))))
    };
    vec![
        overloaded("length", unicode::character_length(), Operation::Length),
        overloaded("octet_length", string::octet_length(), Operation::Length),
        overloaded("bit_length", string::bit_length(), Operation::BitLength),
        ("substr", Arc::new(ScalarUDF::from(Overloaded::new(substr_of_text(), bytes_substring())))),
        ("substring", SUBSTRING.clone()),
    ]
}

static SUBSTRING: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let overloaded = Overloaded::new(substr_of_text(), bytes_substring());
    Arc::new(ScalarUDF::from(Overloaded { pattern: Some(substring_of_pattern()), ..overloaded }))
});

fn bytes_substring() -> Arc<ScalarUDF> {
    let parameters = &[Bytea, Int4, Int4];
    Arc::new(ScalarUDF::from(ByteFunction::new("substring", Operation::Substring, parameters, Bytea)))
}

/// `substring(value FROM start FOR length)`
pub(crate) fn substring(args: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(SUBSTRING.clone(), args))
}

/// The function that an overloaded name means for arguments of these types, if it is one.
pub(crate) fn overload(call: &ScalarFunction, types: &[Option<SqlType>]) -> Option<Arc<ScalarUDF>> {
    let overloaded = call.func.inner().as_ref().downcast_ref::<Overloaded>()?;
    let by_pattern = match (types, call.args.get(1)) {
        ([_, Some(Text | SqlType::Varchar(_))], _) => true,
        ([_, None], Some(Expr::Literal(value, _))) => !value.is_null(),
        _ => false,
    };
    Some(match &overloaded.pattern {
        _ if types.first() == Some(&Some(Bytea)) => overloaded.bytes.clone(),
        Some(pattern) if by_pattern => pattern.clone(),
        _ => overloaded.text.clone(),
    })
}

/// The types of the parameters, where the function takes no others, and how many there must be.
pub(crate) fn byte_parameters(call: &ScalarFunction) -> Option<(&'static [SqlType], usize)> {
    if let Some(function) = call.func.inner().as_ref().downcast_ref::<ByteFunction>() {
        let optional = usize::from(function.operation == Operation::Substring);
        return Some((function.parameters, function.parameters.len() - optional));
    }
    matches!(call.name(), "sha224" | "sha256" | "sha384" | "sha512").then_some((&[Bytea], 1))
}

/// A name of two functions. It is never run.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Overloaded {
    text: Arc<ScalarUDF>,
    bytes: Arc<ScalarUDF>,
    /// Of a text and a regular expression.
    pattern: Option<Arc<ScalarUDF>>,
    signature: Signature,
}

impl Overloaded {
    fn new(text: Arc<ScalarUDF>, bytes: Arc<ScalarUDF>) -> Overloaded {
        Overloaded { text, bytes, pattern: None, signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Overloaded {
    fn name(&self) -> &str {
        self.text.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::Binary, ..] => self.bytes.return_type(types),
            [_, DataType::Utf8] if self.pattern.is_some() => Ok(DataType::Utf8),
            [_, rest @ ..] => self.text.return_type(&[&[DataType::Utf8], rest].concat()),
            [] => self.text.return_type(types),
        }
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        datafusion::common::internal_err!("the analyzer chooses which {} is meant", self.name())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Operation {
    Length,
    BitLength,
    Substring,
    Encode,
    Decode,
    GetByte,
    SetByte,
    ConvertFrom,
    ConvertTo,
}

/// A function whose arguments the analyzer has brought to the types of its parameters.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ByteFunction {
    name: &'static str,
    operation: Operation,
    parameters: &'static [SqlType],
    result: SqlType,
    signature: Signature,
}

impl ByteFunction {
    fn new(
        name: &'static str,
        operation: Operation,
        parameters: &'static [SqlType],
        result: SqlType,
    ) -> ByteFunction {
        let signature = Signature::variadic_any(Volatility::Immutable);
        ByteFunction { name, operation, parameters, result, signature }
    }
}

impl ScalarUDFImpl for ByteFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(self.result.arrow())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let columns = args.args.into_iter().map(|arg| arg.into_array(rows)).collect::<Result<Vec<_>>>()?;
        Ok(ColumnarValue::Array(compute(self.operation, &columns, rows).map_err(external)?))
    }

    fn is_strict(&self) -> bool {
        true
    }
}

fn compute(operation: Operation, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, SqlError> {
    let bytes = |row| columns[0].as_binary::<i32>().value(row);
    let text = |column: usize, row| columns[column].as_string::<i32>().value(row);
    let integer = |column: usize, row| columns[column].as_primitive::<Int32Type>().value(row);
    match operation {
        Operation::Length => each::<_, Int32Array>(columns, rows, |row| Ok(bytes(row).len() as i32)),
        Operation::BitLength => each::<_, Int32Array>(columns, rows, |row| Ok(bytes(row).len() as i32 * 8)),
        Operation::Substring => each::<_, BinaryArray>(columns, rows, |row| {
            slice(bytes(row), integer(1, row), (columns.len() > 2).then(|| integer(2, row)))
        }),
        Operation::Encode => each::<_, StringArray>(columns, rows, |row| {
            Ok(Encoding::from_name(text(1, row))?.encode(bytes(row)))
        }),
        Operation::Decode => each::<_, BinaryArray>(columns, rows, |row| {
            Encoding::from_name(text(1, row))?.decode(text(0, row))
        }),
        Operation::GetByte => each::<_, Int32Array>(columns, rows, |row| {
            let at = position(bytes(row), integer(1, row))?;
            Ok(i32::from(bytes(row)[at]))
        }),
        Operation::SetByte => each::<_, BinaryArray>(columns, rows, |row| {
            let mut changed = bytes(row).to_vec();
            changed[position(bytes(row), integer(1, row))?] = integer(2, row) as u8;
            Ok(changed)
        }),
        Operation::ConvertFrom => each::<_, StringArray>(columns, rows, |row| {
            check_utf8("source", text(1, row))?;
            utf8(bytes(row))
        }),
        Operation::ConvertTo => each::<_, BinaryArray>(columns, rows, |row| {
            check_utf8("destination", text(1, row))?;
            Ok(text(0, row).as_bytes())
        }),
    }
}

/// One value per row, NULL where an argument is.
fn each<T, A>(
    columns: &[ArrayRef],
    rows: usize,
    value: impl Fn(usize) -> Result<T, SqlError>,
) -> Result<ArrayRef, SqlError>
where
    A: Array + FromIterator<Option<T>> + 'static,
{
    let value = |row| columns.iter().all(|column| column.is_valid(row)).then(|| value(row)).transpose();
    let values = (0..rows).map(value).collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(values.into_iter().collect::<A>()))
}

/// The bytes from position `start` (from 1, and it may lie before the first), at most `length`.
fn slice(bytes: &[u8], start: i32, length: Option<i32>) -> Result<&[u8], SqlError> {
    if length.is_some_and(|length| length < 0) {
        return Err(SqlError::new(SqlState::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let clamp = |position: i64| position.clamp(0, bytes.len() as i64) as usize;
    let start = i64::from(start) - 1;
    let end = length.map_or(bytes.len(), |length| clamp(start + i64::from(length)));
    Ok(&bytes[clamp(start).min(end)..end])
}

fn position(bytes: &[u8], index: i32) -> Result<usize, SqlError> {
    usize::try_from(index).ok().filter(|at| *at < bytes.len()).ok_or_else(|| {
        let last = bytes.len() as i64 - 1;
        let message = format!("index {index} out of valid range, 0..{last}");
        SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message)
    })
}

/// UTF-8 is the one encoding of text here.
fn check_utf8(role: &str, name: &str) -> Result<(), SqlError> {
    match name.to_lowercase().replace(['-', '_'], "").as_str() {
        "utf8" | "unicode" => Ok(()),
        _ => {
            let message = format!("invalid {role} encoding name \"{name}\"");
            Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
                .with_hint("The one encoding is UTF8."))
        }
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, SqlError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let bad = &bytes[error.valid_up_to()..];
        let bad = &bad[..error.error_len().unwrap_or(bad.len())];
        let bad = bad.iter().map(|byte| format!("{byte:#04x}")).collect::<Vec<_>>().join(" ");
        let message = format!("invalid byte sequence for encoding \"UTF8\": {bad}");
        SqlError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
    })
}
