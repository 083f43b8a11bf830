//! Rows as text, for the DETAIL of errors.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use springtide_state::normalize_floats;

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
    let formatter = match ArrayFormatter::try_new(&column, &options) {
        Ok(formatter) => formatter,
        Err(_) => return "...".to_owned(),
    };
    let text = formatter.value(0).to_string();
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
