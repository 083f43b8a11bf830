//! Which window functions are computed for all touched rows together.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{NullTreatment, WindowFunction as Call};
use datafusion::logical_expr::{Expr, ExprSchemable, WindowFrame, WindowFrameBound, WindowFrameUnits};
use springtide_plan::{Bound, Frame, Ranking, WindowFunction};

/// The function that a call means, if it is one of those; `place` is where its argument is found.
pub(super) fn batched(
    call: &Call,
    schema: &DFSchema,
    place: impl Fn(&Expr) -> Option<usize>,
) -> Option<WindowFunction> {
    if !is_plain(call) {
        return None;
    }
    let argument = || place(call.params.args.first()?);
    let frame = || frame(&call.params.window_frame);
    Some(match call.fun.name() {
        "row_number" => WindowFunction::Rank(Ranking::RowNumber),
        "rank" => WindowFunction::Rank(Ranking::Rank),
        "dense_rank" => WindowFunction::Rank(Ranking::DenseRank),
        "lag" => WindowFunction::Shift { column: argument()?, before: offset(call)? },
        "lead" => WindowFunction::Shift { column: argument()?, before: offset(call)?.checked_neg()? },
        "first_value" => WindowFunction::First(argument()?, frame()?),
        "last_value" => WindowFunction::Last(argument()?, frame()?),
        "count" if counts_rows(call) => WindowFunction::Count(None, frame()?),
        "count" if call.params.args.len() == 1 => WindowFunction::Count(Some(argument()?), frame()?),
        "sum" if is_exact(&call.params.args[0].get_type(schema).ok()?) => {
            WindowFunction::Sum(argument()?, frame()?)
        }
        name @ ("min" | "max") if is_ordered(&call.params.args[0].get_type(schema).ok()?) => {
            let (greatest, frame) = (name == "max", frame()?);
            let is_running = [frame.start, frame.end].contains(&Bound::Partition);
            WindowFunction::Extreme { column: argument().filter(|_| is_running)?, greatest, frame }
        }
        _ => return None,
    })
}

/// What [`batched`] wants to find as a column, if it knows the function.
pub(super) fn argument<'a>(call: &'a Call, schema: &DFSchema) -> Option<&'a Expr> {
    batched(call, schema, |_| Some(0)).filter(|_| !counts_rows(call))?;
    call.params.args.first()
}

fn is_plain(call: &Call) -> bool {
    let params = &call.params;
    params.filter.is_none() && !params.distinct && params.null_treatment != Some(NullTreatment::IgnoreNulls)
}

fn counts_rows(call: &Call) -> bool {
    let is_value = |expr: &Expr| expr.as_literal().is_some_and(|value| !value.is_null());
    call.fun.name() == "count" && call.params.args.iter().all(is_value)
}

fn is_exact(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Decimal128(..))
}

/// Whether values that compare equal are the same.
fn is_ordered(data_type: &DataType) -> bool {
    use DataType::{Date32, Time64, Timestamp, Utf8};
    is_exact(data_type) || matches!(data_type, Date32 | Time64(_) | Timestamp(..) | Utf8)
}

/// By how many rows `lag` and `lead` look away, if what is not there is NULL.
fn offset(call: &Call) -> Option<i64> {
    match call.params.args.as_slice() {
        [_] => Some(1),
        [_, offset] => rows(offset.as_literal()?),
        [_, offset, default] if default.as_literal()?.is_null() => rows(offset.as_literal()?),
        _ => None,
    }
}

fn rows(number: &ScalarValue) -> Option<i64> {
    match number.cast_to(&DataType::Int64).ok()? {
        // More than a partition has rows, and still without overflow.
        ScalarValue::Int64(Some(rows)) => Some(rows.clamp(-(1 << 40), 1 << 40)),
        _ => None,
    }
}

fn frame(frame: &WindowFrame) -> Option<Frame> {
    let bound = |bound: &WindowFrameBound| match (bound, frame.units) {
        (bound, _) if bound.is_unbounded() => Some(Bound::Partition),
        (WindowFrameBound::CurrentRow, WindowFrameUnits::Rows) => Some(Bound::Rows(0)),
        (WindowFrameBound::CurrentRow, _) => Some(Bound::Peers),
        (WindowFrameBound::Preceding(number), WindowFrameUnits::Rows) => Some(Bound::Rows(-rows(number)?)),
        (WindowFrameBound::Following(number), WindowFrameUnits::Rows) => Some(Bound::Rows(rows(number)?)),
        _ => None,
    };
    Some(Frame { start: bound(&frame.start_bound)?, end: bound(&frame.end_bound)? })
}
