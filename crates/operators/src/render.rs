//! Rows as text, for the DETAIL of errors.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use springtide_datetime::{TimeTz, write_timetz};
use springtide_state::normalize_floats;
use springtide_types::{SqlType, array_text, bytea_text, uuid_text};

/// PostgreSQL cuts longer values, too.
const MAX_VALUE: usize = 64;

/// One row as `(1, x, null)`. Equal rows give equal text.
pub(crate) fn row_text(columns: &[ArrayRef], row: usize) -> String {
    let values = columns.iter().map(|column| value_text(column, row)).collect::<Vec<_>>();
    format!("({})", values.join(", "))
}

/// What a client is told of the row that an expression failed for.
pub(crate) fn failing_row(rows: &RecordBatch, row: usize) -> String {
    format!("Failing row contains {}.", row_text(rows.columns(), row))
}

fn value_text(column: &ArrayRef, row: usize) -> String {
    let options = FormatOptions::new()
        .with_null("null")
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f%:z"));
    let column = normalize_floats(&column.slice(row, 1));
    if let Some(lists) = column.as_list_opt::<i32>().filter(|lists| lists.is_valid(0)) {
        let elements = lists.value(0);
        let texts = (0..elements.len()).map(|at| elements.is_valid(at).then(|| value_text(&elements, at)));
        let texts = texts.collect::<Vec<_>>();
        return cut(array_text(texts.iter().map(Option::as_deref)));
    }
    let text = match ArrayFormatter::try_new(&column, &options) {
        _ if *column.data_type() == DataType::Binary && column.is_valid(0) => {
            bytea_text(column.as_binary::<i32>().value(0))
        }
        _ if *column.data_type() == SqlType::Uuid.arrow() && column.is_valid(0) => {
            uuid_text(column.as_fixed_size_binary().value(0))
        }
        _ if *column.data_type() == SqlType::Timetz.arrow() && column.is_valid(0) => {
            let mut text = String::new();
            write_timetz(TimeTz::from_bytes(column.as_fixed_size_binary().value(0)), &mut text);
            text
        }
        // The text of a json.
        _ if *column.data_type() == SqlType::Json.arrow() && column.is_valid(0) => {
            String::from_utf8_lossy(column.as_binary::<i64>().value(0)).into_owned()
        }
        Ok(formatter) => formatter.value(0).to_string(),
        Err(_) => return "...".to_owned(),
    };
    cut(text)
}

fn cut(text: String) -> String {
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
