//! `quote_literal`, `quote_nullable` and `format`, which take values of all types as the texts that clients see.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_catalog::system::quoted;
use springtide_types::{SqlError, SqlState};

use crate::errors::external;

/// `format(template, VARIADIC array)`
pub(crate) const FORMAT_OF_ARRAY: &str = "format of array";

/// Whether arguments of other types are to be texts.
pub(crate) fn takes_texts(name: &str) -> bool {
    matches!(name, "concat" | "concat_ws" | "quote_literal" | "quote_nullable" | "format")
}

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [
        Quoting::new("quote_literal", Operation::Literal),
        Quoting::new("quote_nullable", Operation::Nullable),
        Quoting::new("format", Operation::Format),
        Quoting::new(FORMAT_OF_ARRAY, Operation::FormatOfArray),
    ]
    .map(|function| Arc::new(ScalarUDF::from(function)))
    .into()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Operation {
    Literal,
    Nullable,
    Format,
    FormatOfArray,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Quoting {
    name: &'static str,
    operation: Operation,
    signature: Signature,
}

impl Quoting {
    fn new(name: &'static str, operation: Operation) -> Quoting {
        let signature = match operation {
            Operation::Literal | Operation::Nullable => Signature::any(1, Volatility::Immutable),
            Operation::Format => Signature::variadic_any(Volatility::Immutable),
            Operation::FormatOfArray => Signature::any(2, Volatility::Immutable),
        };
        Quoting { name, operation, signature }
    }
}

impl ScalarUDFImpl for Quoting {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let as_text = |arg: ColumnarValue| match arg.data_type() {
            DataType::Utf8 | DataType::List(_) => arg.into_array(rows),
            // Of no type, or a text in another form, which aggregates of texts have.
            _ => arg.cast_to(&DataType::Utf8, None)?.into_array(rows),
        };
        let columns = args.args.into_iter().map(as_text).collect::<Result<Vec<_>>>()?;
        let values = match self.operation {
            Operation::Literal => each(rows, |row| Ok(text(&columns[0], row).map(quote_literal))),
            Operation::Nullable => each(rows, |row| {
                Ok(Some(text(&columns[0], row).map_or_else(|| "NULL".to_owned(), quote_literal)))
            }),
            Operation::Format => each(rows, |row| {
                let values = columns[1..].iter().map(|column| text(column, row)).collect::<Vec<_>>();
                text(&columns[0], row).map(|template| format(template, &values)).transpose()
            }),
            Operation::FormatOfArray => each(rows, |row| {
                let array = columns[1].as_list_opt::<i32>().filter(|array| array.is_valid(row));
                let elements = array.map(|array| array.value(row));
                let values = elements.iter().flat_map(|elements| elements.as_string::<i32>());
                let values = values.collect::<Vec<_>>();
                text(&columns[0], row).map(|template| format(template, &values)).transpose()
            }),
        };
        Ok(ColumnarValue::Array(values.map_err(external)?))
    }
}

fn each(
    rows: usize,
    value: impl Fn(usize) -> springtide_types::Result<Option<String>>,
) -> springtide_types::Result<ArrayRef> {
    Ok(Arc::new((0..rows).map(value).collect::<springtide_types::Result<StringArray>>()?))
}

fn text(column: &ArrayRef, row: usize) -> Option<&str> {
    let texts = column.as_string::<i32>();
    texts.is_valid(row).then(|| texts.value(row))
}

/// A string literal that stands for the text.
fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    match quoted.contains('\\') {
        true => format!("E'{}'", quoted.replace('\\', "\\\\")),
        false => format!("'{quoted}'"),
    }
}

fn invalid(message: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// One specifier of a template: `%[position$][-][width]type`.
struct Specifier {
    position: Option<usize>,
    left: bool,
    width: Option<Width>,
    kind: char,
}

enum Width {
    Given(i32),
    /// The value of the next argument, or of one by its position.
    Argument(Option<usize>),
}

/// What `format(template, values...)` is.
fn format(template: &str, values: &[Option<&str>]) -> springtide_types::Result<String> {
    let (mut out, mut rest) = (String::with_capacity(template.len()), template);
    // The position of the last argument that was used.
    let mut last = 0;
    let mut argument = |position: Option<usize>| {
        last = position.unwrap_or(last + 1);
        values.get(last - 1).copied().ok_or_else(|| invalid("too few arguments for format()"))
    };
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (specifier, after) = specifier(rest)?;
        rest = after;
        let width = match specifier.width {
            None => 0,
            Some(Width::Given(width)) => width,
            Some(Width::Argument(position)) => match argument(position)? {
                None => 0,
                Some(width) => width.trim().parse().map_err(|_| {
                    let message = format!("invalid input syntax for type integer: \"{width}\"");
                    SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
                })?,
            },
        };
        let value = written(specifier.kind, argument(specifier.position)?)?;
        let missing = (width.unsigned_abs() as usize).saturating_sub(value.chars().count());
        if missing > MOST_WIDTH {
            return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "requested length too large"));
        }
        let left = specifier.left || width < 0;
        let blanks = " ".repeat(missing);
        let (before, after) = if left { ("", blanks.as_str()) } else { (blanks.as_str(), "") };
        out.extend([before, &value, after]);
    }
    out.push_str(rest);
    Ok(out)
}

const MOST_WIDTH: usize = 1 << 29;

/// The specifier at the start of a text, and the text after it.
fn specifier(text: &str) -> springtide_types::Result<(Specifier, &str)> {
    let unterminated =
        || invalid("unterminated format() type specifier").with_hint("For a single \"%\" use \"%%\".");
    let mut rest = text;
    let mut position = None;
    let (number, after) = digits(rest)?;
    if let (Some(number), Some(after)) = (number, after.strip_prefix('$')) {
        position = Some(argument_position(number)?);
        rest = after;
    }
    let left = rest.starts_with('-');
    rest = rest.trim_start_matches('-');
    let width = if let Some(after) = rest.strip_prefix('*') {
        let (number, after_number) = digits(after)?;
        match number {
            None => {
                rest = after;
                Some(Width::Argument(None))
            }
            Some(number) => {
                rest = after_number
                    .strip_prefix('$')
                    .ok_or_else(|| invalid("width argument position must be ended by \"$\""))?;
                Some(Width::Argument(Some(argument_position(number)?)))
            }
        }
    } else {
        let (number, after) = digits(rest)?;
        rest = after;
        number.map(Width::Given)
    };
    let mut chars = rest.chars();
    let kind = chars.next().ok_or_else(unterminated)?;
    if !matches!(kind, 's' | 'I' | 'L') {
        let message = format!("unrecognized format() type specifier \"{kind}\"");
        return Err(invalid(message).with_hint("For a single \"%\" use \"%%\"."));
    }
    Ok((Specifier { position, left, width, kind }, chars.as_str()))
}

fn argument_position(number: i32) -> springtide_types::Result<usize> {
    match number {
        0 => Err(invalid("format specifies argument 0, but arguments are numbered from 1")),
        number => Ok(number as usize),
    }
}

fn digits(text: &str) -> springtide_types::Result<(Option<i32>, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let number = (!digits.is_empty()).then(|| digits.parse()).transpose();
    let number =
        number.map_err(|_| SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "number is out of range"))?;
    Ok((number, rest))
}

fn written(kind: char, value: Option<&str>) -> springtide_types::Result<String> {
    Ok(match (kind, value) {
        ('s', value) => value.unwrap_or("").to_owned(),
        ('L', Some(value)) => quote_literal(value),
        ('L', None) => "NULL".to_owned(),
        (_, Some(value)) => quoted(value),
        (_, None) => {
            let message = "null values cannot be formatted as an SQL identifier";
            return Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
        }
    })
}
