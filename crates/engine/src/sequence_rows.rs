//! Where sequences stand, as rows: in the contents that the log and checkpoints keep, and for queries.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use springtide_catalog::{Counter, Position, Relation, RelationKind, SequenceOptions};
use springtide_types::ZBatch;

/// The options and the counter of a sequence.
pub(crate) fn parts(relation: &Relation) -> Option<(&SequenceOptions, &Arc<Counter>)> {
    match &relation.kind {
        RelationKind::Sequence { options, counter, .. } => Some((options, counter)),
        _ => None,
    }
}

/// The row of a sequence.
pub(crate) fn row(relation: &Relation, position: Position, ahead: i64) -> ZBatch {
    let columns: [ArrayRef; 3] = [
        Arc::new(Int64Array::from(vec![position.last])),
        Arc::new(Int64Array::from(vec![ahead])),
        Arc::new(BooleanArray::from(vec![position.called])),
    ];
    let row = RecordBatch::try_new(relation.schema(), columns.into());
    ZBatch::inserts(row.expect("a sequence has these columns"))
}

/// What a row says; `None` if there is none.
pub(crate) fn position(rows: &[ZBatch]) -> Option<Position> {
    let row = rows.iter().find(|rows| !rows.is_empty())?;
    let last = row.columns()[0].as_primitive::<Int64Type>();
    let called = row.columns()[2].as_boolean();
    Some(Position { last: last.value(0), called: called.value(0) })
}
