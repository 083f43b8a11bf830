//! What the condition of an ASOF JOIN demands, part by part.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Between, BinaryExpr, Expr, ExprSchemable, Operator, lit};
use springtide_types::{SqlError, SqlState};

use super::USAGE;
use crate::errors::external;
use crate::operators::{describe, guarded, known_type};

/// The parts of a condition.
#[derive(Debug)]
pub(super) struct Conditions {
    /// Pairs of expressions that must be equal, each of the left side and of the right; never empty.
    pub on: Vec<(Expr, Expr)>,
    /// The comparison of a left with a right expression that decides which row is nearest.
    pub nearest: (Expr, Operator, Expr),
    /// What rows of the right side must fulfil to be considered at all.
    pub candidates: Option<Expr>,
    /// What the nearest row must fulfil, or there is no match.
    pub of_match: Option<Expr>,
}

/// Whose columns an expression reads.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Neither,
    Left,
    Right,
    Both,
}

/// The two inputs.
pub(super) struct Sides<'a> {
    pub left: &'a DFSchema,
    pub right: &'a DFSchema,
}

impl Sides<'_> {
    fn of(&self, expr: &Expr) -> Side {
        let columns = expr.column_refs();
        let left = columns.iter().any(|column| self.left.has_column(column));
        let right = columns.iter().any(|column| self.right.has_column(column));
        match (left, right) {
            (false, false) => Side::Neither,
            (true, false) => Side::Left,
            (false, true) => Side::Right,
            (true, true) => Side::Both,
        }
    }

    /// A comparison of the sides with each other, the left one first.
    fn comparison(&self, expr: &Expr) -> Option<(Expr, Operator, Expr)> {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else { return None };
        let (left, right) = (left.as_ref().clone(), right.as_ref().clone());
        match (self.of(&left), self.of(&right)) {
            (Side::Left, Side::Right) => Some((left, *op, right)),
            (Side::Right, Side::Left) => Some((right, op.swap()?, left)),
            _ => None,
        }
    }

    /// Whether it compares something that depends on both sides, such as the time between them.
    fn is_tolerance(&self, expr: &Expr) -> bool {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_inequality(*op) => {
                self.of(left) == Side::Both || self.of(right) == Side::Both
            }
            Expr::Between(Between { expr, negated: false, .. }) => self.of(expr) == Side::Both,
            _ => false,
        }
    }

    /// The parts of what ON says. With MATCH_CONDITION, ON may say anything of the match.
    pub(super) fn conditions(&self, on: &[Expr], match_condition: Option<&Expr>) -> Result<Conditions> {
        let (mut keys, mut inequalities) = (Vec::new(), Vec::new());
        let (mut candidates, mut of_match) = (Vec::new(), Vec::new());
        for part in on {
            self.check(part)?;
            match self.comparison(part) {
                Some((left, Operator::Eq, right)) => keys.push((left, right)),
                Some(inequality) if match_condition.is_none() && is_inequality(inequality.1) => {
                    inequalities.push(inequality);
                }
                _ if self.of(part) == Side::Right => candidates.push(part.clone()),
                _ if match_condition.is_some() || self.of(part) != Side::Both || self.is_tolerance(part) => {
                    of_match.push(part.clone());
                }
                _ => return Err(external(not_allowed())),
            }
        }
        let nearest = match match_condition {
            Some(condition) => self.nearest(condition)?,
            None => only(inequalities)?,
        };
        if keys.is_empty() {
            // Then all rows have the same key.
            keys.push((lit(true), lit(true)));
        }
        Ok(Conditions { on: keys, nearest, candidates: all(candidates)?, of_match: all(of_match)? })
    }

    /// What MATCH_CONDITION says.
    fn nearest(&self, condition: &Expr) -> Result<(Expr, Operator, Expr)> {
        self.check(condition)?;
        let inequality = self.comparison(condition).filter(|(_, op, _)| is_inequality(*op));
        inequality.ok_or_else(|| {
            let message = "MATCH_CONDITION must compare the two sides of the ASOF JOIN by >=, >, <= or <";
            let hint = "Write MATCH_CONDITION (l.time >= r.time), and all other conditions after ON.";
            external(SqlError::new(SqlState::SYNTAX_ERROR, message).with_hint(hint))
        })
    }

    fn check(&self, condition: &Expr) -> Result<()> {
        let schema = self.left.join(self.right)?;
        if condition.get_type(&schema)? != DataType::Boolean {
            let found = describe(known_type(condition, &schema)?);
            let message = format!("argument of JOIN/ON must be type boolean, not type {found}");
            return Err(external(SqlError::new(SqlState::DATATYPE_MISMATCH, message)));
        }
        if has_query(condition)? {
            let error = SqlError::unsupported("a subquery in the condition of an ASOF JOIN");
            return Err(external(error.with_hint("Compute it in a subquery in FROM, or in WHERE.")));
        }
        Ok(())
    }
}

/// The conjunction of conditions: one does not fail where those before it do not hold.
fn all(conditions: Vec<Expr>) -> Result<Option<Expr>> {
    conditions.into_iter().try_fold(None, |before: Option<Expr>, condition| {
        let Some(before) = before else { return Ok(Some(condition)) };
        let condition = guarded(condition, Expr::IsNotFalse(Box::new(before.clone())))?;
        Ok(Some(before.and(condition)))
    })
}

/// Whether there is a subquery in an expression.
pub(super) fn has_query(expr: &Expr) -> Result<bool> {
    expr.exists(|expr| {
        Ok(matches!(
            expr,
            Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) | Expr::ScalarSubquery(_)
        ))
    })
}

fn is_inequality(op: Operator) -> bool {
    matches!(op, Operator::GtEq | Operator::Gt | Operator::LtEq | Operator::Lt)
}

fn only(mut inequalities: Vec<(Expr, Operator, Expr)>) -> Result<(Expr, Operator, Expr)> {
    match (inequalities.pop(), inequalities.is_empty()) {
        (Some(inequality), true) => Ok(inequality),
        (None, _) => {
            let message = "ASOF JOIN needs an inequality (>=, >, <= or <) between its two sides";
            Err(external(SqlError::new(SqlState::SYNTAX_ERROR, message).with_hint(USAGE)))
        }
        (Some(_), false) => {
            let message = "ASOF JOIN takes one inequality between its two sides";
            let hint = "Write the one that decides which row is nearest as MATCH_CONDITION (l.time >= r.time) before ON: \
                        what ON says else is checked of that row. A tolerance is l.time - r.time <= INTERVAL '1 hour'.";
            Err(external(SqlError::new(SqlState::SYNTAX_ERROR, message).with_hint(hint)))
        }
    }
}

fn not_allowed() -> SqlError {
    SqlError::unsupported("such a condition between the two sides of an ASOF JOIN").with_hint(
        "ON takes equalities, one inequality, and a tolerance such as l.time - r.time <= INTERVAL '1 hour'. \
         With the inequality in MATCH_CONDITION (...) before it, ON takes any condition, and checks it of the nearest row.",
    )
}
