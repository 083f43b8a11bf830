use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use springtide_catalog::Relation;
use springtide_types::{Result, SqlError, ZBatch};

use crate::reads::ReadPoint;

/// The row of a source: how many events it has brought, and the position after them, empty at the beginning.
pub(crate) fn position_row(source: &Relation, events: u64, position: &str) -> Result<ZBatch> {
    let columns: [ArrayRef; 2] =
        [Arc::new(Int64Array::from(vec![events as i64])), Arc::new(StringArray::from(vec![position]))];
    let row = RecordBatch::try_new(source.schema(), columns.into());
    row.map(ZBatch::inserts).map_err(|error| SqlError::internal(error.to_string()))
}

/// What the row of a source says at a read point; `None` if the source was not there yet.
pub(super) fn committed(point: &ReadPoint, source: &Relation) -> Result<Option<(u64, String)>> {
    let Some(contents) = point.objects.contents.get(&source.id) else { return Ok(None) };
    let rows = contents.snapshot(point.epoch)?;
    let Some(row) = rows.iter().find(|rows| !rows.is_empty()) else { return Ok(None) };
    let events = row.columns()[0].as_primitive::<Int64Type>().value(0);
    Ok(Some((events as u64, row.columns()[1].as_string::<i32>().value(0).to_owned())))
}
