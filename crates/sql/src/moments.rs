//! The moments that a query names: expressions without columns, computed once before the query reads anything.

use std::cell::RefCell;
use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{CastKind, DataType, Expr, Query, SelectItem, SetExpr, TimezoneInfo};
use futures::TryStreamExt;
use springtide_types::{Result, SqlError, SqlState};

use crate::bind::scans;
use crate::names::quoted;
use crate::scan::Time;
use crate::{BoundQuery, Planner};

/// What users call a moment by.
pub(crate) const AS_OF: &str = "FOR SYSTEM_TIME AS OF";

/// The moments of a query and of the views and functions in it, numbered from 0.
#[derive(Debug, Default)]
pub(crate) struct Moments(RefCell<Vec<Expr>>);

impl Moments {
    /// The number of a moment, which is that of an equal one if there is one.
    pub(crate) fn add(&self, moment: Expr) -> usize {
        let mut moments = self.0.borrow_mut();
        moments.iter().position(|known| *known == moment).unwrap_or_else(|| {
            moments.push(moment);
            moments.len() - 1
        })
    }

    /// Whether the moments of a time are among them.
    pub(crate) fn include(&self, time: Time) -> bool {
        let known = self.0.borrow().len();
        let [one, other] = match time {
            Time::Present => [None, None],
            Time::At(moment) => [Some(moment), None],
            Time::Changes { after, until } => [after, until],
            Time::Versions { until } => [None, until],
        };
        one.into_iter().chain(other).all(|moment| moment < known)
    }

    /// The query whose one row is the moments; `None` if there are none.
    pub(crate) fn query(&self) -> Result<Option<Query>> {
        let moments = self.0.borrow();
        if moments.is_empty() {
            return Ok(None);
        }
        let parsed = crate::parser("SELECT 1")?.parse_query();
        let mut query = *parsed.map_err(|error| SqlError::internal(error.to_string()))?;
        if let SetExpr::Select(select) = query.body.as_mut() {
            let items = moments.iter().enumerate().map(|(number, moment)| item(number, moment));
            select.projection = items.collect();
        }
        Ok(Some(query))
    }
}

fn item(number: usize, moment: &Expr) -> SelectItem {
    let expr = Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(moment.clone()),
        data_type: DataType::Timestamp(None, TimezoneInfo::Tz),
        array: false,
        format: None,
    };
    SelectItem::ExprWithAlias { expr, alias: quoted(&number.to_string()) }
}

/// Refuses moments that are more than expressions over constants.
pub(crate) fn check(plan: &LogicalPlan) -> Result<()> {
    if !scans(plan).is_empty() {
        let error = SqlError::unsupported(format!("a subquery in {AS_OF}"));
        return Err(error.with_hint("Read the moment first, and pass it in as a parameter."));
    }
    match plan {
        LogicalPlan::Projection(projection)
            if matches!(projection.input.as_ref(), LogicalPlan::EmptyRelation(_)) =>
        {
            Ok(())
        }
        _ => {
            let message = format!("aggregate and window functions are not allowed in {AS_OF}");
            Err(SqlError::new(SqlState::GROUPING_ERROR, message))
        }
    }
}

impl Planner {
    /// The moments that a query reads at, in microseconds since 1970. The parameters are those of the query, and
    /// `now()` is the same in all. Fails with `22004` if one is NULL.
    pub async fn moments(&self, query: &BoundQuery, parameters: &[ScalarValue]) -> Result<Vec<i64>> {
        let Some(moments) = &query.moments else { return Ok(Vec::new()) };
        let rows = self.execute(moments, &HashMap::new(), parameters).await?;
        let rows: Vec<RecordBatch> = rows.try_collect().await?;
        let columns = rows.iter().flat_map(RecordBatch::columns);
        let values = columns.map(|column| column.as_primitive::<TimestampMicrosecondType>());
        values.map(|value| value.is_valid(0).then(|| value.value(0)).ok_or_else(null_moment)).collect()
    }
}

fn null_moment() -> SqlError {
    let message = format!("the moment of {AS_OF} must not be null");
    SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message)
}
