//! ASOF JOINs as inner and left joins whose condition is a call of [`ASOF`], for DataFusion's binder.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Result as BoundResult, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Join, JoinConstraint, JoinOperator, Query, Select, TableFactor, TableWithJoins,
    VisitorMut,
};
use springtide_types::{Result, SqlError, SqlState};

use super::{ASOF, ASOF_NEAREST, KINDS};
use crate::desugar::{call, unnamed_arguments};
use crate::walk::{Stop, flow, walk_mut};

/// See the module. USING has become ON before.
pub(crate) fn mark(query: &mut Query) -> Result<()> {
    walk_mut(query, &mut Mark)
}

struct Mark;

impl VisitorMut for Mark {
    type Break = Stop;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Stop> {
        flow(select.from.iter_mut().try_for_each(mark_table))
    }
}

fn mark_table(table: &mut TableWithJoins) -> Result<()> {
    mark_factor(&mut table.relation)?;
    for join in &mut table.joins {
        mark_factor(&mut join.relation)?;
        mark_join(join)?;
    }
    Ok(())
}

fn mark_factor(factor: &mut TableFactor) -> Result<()> {
    match factor {
        TableFactor::NestedJoin { table_with_joins, .. } => mark_table(table_with_joins),
        _ => Ok(()),
    }
}

fn mark_join(join: &mut Join) -> Result<()> {
    let JoinOperator::AsOf { match_condition, constraint } = &mut join.join_operator else { return Ok(()) };
    let Some((keeps_left, mut parts)) = kind(match_condition) else { return Err(neither_left_nor_inner()) };
    let function = if parts.is_empty() { ASOF } else { ASOF_NEAREST };
    match constraint {
        JoinConstraint::On(on) => split(on, &mut parts),
        JoinConstraint::None => {}
        JoinConstraint::Using(_) | JoinConstraint::Natural => {
            let what = "USING in an ASOF JOIN beside a function in FROM";
            return Err(SqlError::unsupported(what).with_hint(super::USAGE));
        }
    }
    let marked = JoinConstraint::On(call(function, parts));
    join.join_operator = if keeps_left { JoinOperator::Left(marked) } else { JoinOperator::Inner(marked) };
    Ok(())
}

/// The parts of a condition that AND connects. The binder would make each depend on those before it.
fn split(condition: &Expr, parts: &mut Vec<Expr>) {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            split(left, parts);
            split(right, parts);
        }
        Expr::Nested(inner) => split(inner, parts),
        part => parts.push(part.clone()),
    }
}

/// Whether a join keeps rows without a match, and the comparison that MATCH_CONDITION states.
fn kind(match_condition: &Expr) -> Option<(bool, Vec<Expr>)> {
    let Expr::Function(function) = match_condition else { return None };
    let name = function.name.0.first()?.as_ident()?;
    let (_, keeps_left) = KINDS.into_iter().find(|(kind, _)| *kind == name.value)?;
    Some((keeps_left, unnamed_arguments(function)?))
}

/// Whether MATCH_CONDITION leaves it to ON or USING to say what is nearest.
pub(crate) fn says_nearest_in_on(match_condition: &Expr) -> bool {
    kind(match_condition).is_some_and(|(_, nearest)| nearest.is_empty())
}

fn neither_left_nor_inner() -> SqlError {
    let message = "ASOF JOIN with MATCH_CONDITION must say what becomes of rows without a match";
    SqlError::new(SqlState::SYNTAX_ERROR, message)
        .with_hint("Write ASOF LEFT JOIN to keep them, as Snowflake does, or ASOF INNER JOIN to drop them.")
}

/// The functions that mark the condition.
pub(crate) fn functions() -> [Arc<ScalarUDF>; 2] {
    [ASOF, ASOF_NEAREST].map(|name| {
        let signature = Signature::variadic_any(Volatility::Immutable);
        Arc::new(ScalarUDF::from(Asof { name, signature }))
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Asof {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for Asof {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> BoundResult<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> BoundResult<ColumnarValue> {
        internal_err!("the condition of an ASOF JOIN stands elsewhere")
    }
}
