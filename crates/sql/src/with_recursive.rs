//! What WITH RECURSIVE may say: a query that PostgreSQL refuses might never come to an end.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Cte, Expr, Function, JoinOperator, ObjectName, Query, Select, SetExpr, SetOperator, TableWithJoins,
    Visit, Visitor, VisitorMut, With,
};
use springtide_catalog::Name;
use springtide_types::{Result, SqlError, SqlState};

use crate::names::{fold, object_name};
use crate::walk::{Stop, any_expr, flow, flow_until, walk, walk_mut};

/// Refuses what is malformed, and puts the queries of each WITH into an order in which each stands behind those that it names.
/// `is_aggregate` tells the functions that are aggregates.
pub(crate) fn check_recursion(query: &mut Query, is_aggregate: &dyn Fn(&str) -> bool) -> Result<()> {
    walk_mut(query, &mut Check { is_aggregate })
}

struct Check<'a> {
    is_aggregate: &'a dyn Fn(&str) -> bool,
}

impl VisitorMut for Check<'_> {
    type Break = Stop;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Stop> {
        let Some(with) = query.with.as_mut().filter(|with| with.recursive) else {
            return ControlFlow::Continue(());
        };
        let checked = with.cte_tables.iter().try_for_each(|cte| self.cte(cte));
        flow(checked.and_then(|()| in_order(with)))
    }
}

impl Check<'_> {
    fn cte(&self, cte: &Cte) -> Result<()> {
        let name = fold(&cte.alias.name);
        let query = cte.query.as_ref();
        if references(query, &name) == 0 {
            return Ok(());
        }
        let SetExpr::SetOperation { op: SetOperator::Union, left, right, .. } = query.body.as_ref() else {
            let message = format!(
                "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] recursive-term"
            );
            return Err(malformed(message));
        };
        let clauses = [
            (query.order_by.is_some(), "ORDER BY"),
            (query.limit_clause.is_some() || query.fetch.is_some(), "LIMIT"),
            (!query.locks.is_empty(), "FOR UPDATE/SHARE"),
        ];
        if let Some((_, clause)) = clauses.iter().find(|(is_there, _)| *is_there) {
            let message = format!("{clause} in a recursive query is not implemented");
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        if references(left.as_ref(), &name) > 0 {
            return Err(misplaced(&name, "within its non-recursive term"));
        }
        self.term(right, &name)
    }

    /// A term that may refer to the query once, where each row that it gives follows from one of those before.
    fn term(&self, term: &SetExpr, name: &str) -> Result<()> {
        let refers = |part: &SetExpr| references(part, name) > 0;
        match term {
            SetExpr::Select(select) => self.select(select, name),
            SetExpr::Query(query) => self.term(&query.body, name),
            SetExpr::SetOperation { op: SetOperator::Intersect, .. } if refers(term) => {
                Err(misplaced(name, "within INTERSECT"))
            }
            SetExpr::SetOperation { op: SetOperator::Except | SetOperator::Minus, right, .. }
                if refers(right) =>
            {
                Err(misplaced(name, "within EXCEPT"))
            }
            SetExpr::SetOperation { left, right, .. } => {
                if refers(left) && refers(right) {
                    return Err(misplaced(name, "more than once"));
                }
                self.term(left, name)?;
                self.term(right, name)
            }
            _ => Ok(()),
        }
    }

    fn select(&self, select: &Select, name: &str) -> Result<()> {
        let in_subquery = |expr: &Expr| match expr {
            Expr::Subquery(query)
            | Expr::Exists { subquery: query, .. }
            | Expr::InSubquery { subquery: query, .. } => references(query.as_ref(), name) > 0,
            _ => false,
        };
        match references(select, name) {
            0 => return Ok(()),
            _ if any_expr(select, in_subquery) => return Err(misplaced(name, "within a subquery")),
            1 => {}
            _ => return Err(misplaced(name, "more than once")),
        }
        if select.from.iter().any(|table| in_outer_join(table, name)) {
            return Err(misplaced(name, "within an outer join"));
        }
        let mut search = Aggregates { is_aggregate: self.is_aggregate, depth: 0 };
        if walk(&select.projection, &mut search).is_break() || walk(&select.having, &mut search).is_break() {
            let message = "aggregate functions are not allowed in a recursive query's recursive term";
            return Err(malformed(message.to_owned()));
        }
        Ok(())
    }
}

fn malformed(message: String) -> SqlError {
    SqlError::new(SqlState::from_code("42P19"), message)
}

fn misplaced(name: &str, place: &str) -> SqlError {
    malformed(format!("recursive reference to query \"{name}\" must not appear {place}"))
}

/// Whether the side of an outer join that may be missing refers to the query.
fn in_outer_join(table: &TableWithJoins, name: &str) -> bool {
    let mut left = references(&table.relation, name) > 0;
    for join in &table.joins {
        let right = references(&join.relation, name) > 0;
        let missing = match &join.join_operator {
            JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => right,
            JoinOperator::Right(_) | JoinOperator::RightOuter(_) => left,
            JoinOperator::FullOuter(_) => left || right,
            _ => false,
        };
        if missing {
            return true;
        }
        left |= right;
    }
    false
}

/// How often a relation is named.
fn references(node: &impl Visit, name: &str) -> usize {
    struct Count<'a>(&'a str, usize);
    impl Visitor for Count<'_> {
        type Break = Stop;
        fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Stop> {
            let is_it = object_name(relation).is_ok_and(|found| found == Name::bare(self.0));
            self.1 += usize::from(is_it);
            ControlFlow::Continue(())
        }
    }
    let mut count = Count(name, 0);
    // It never stops early.
    let _ = walk(node, &mut count);
    count.1
}

/// Looks for aggregates outside of subqueries.
struct Aggregates<'a> {
    is_aggregate: &'a dyn Fn(&str) -> bool,
    depth: usize,
}

impl Visitor for Aggregates<'_> {
    type Break = Stop;

    fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<Stop> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<Stop> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Stop> {
        let is_call = |function: &Function| {
            function.over.is_none()
                && object_name(&function.name).is_ok_and(|name| (self.is_aggregate)(&name.name))
        };
        flow_until(self.depth == 0 && matches!(expr, Expr::Function(function) if is_call(function)))
    }
}

/// Each query of a WITH behind those that it names.
fn in_order(with: &mut With) -> Result<()> {
    let mut rest = std::mem::take(&mut with.cte_tables);
    while !rest.is_empty() {
        let names = rest.iter().map(|cte| fold(&cte.alias.name)).collect::<Vec<_>>();
        let is_next = |(position, cte): (usize, &Cte)| {
            let mut others = names.iter().enumerate().filter(|(other, _)| *other != position);
            others.all(|(_, name)| references(cte.query.as_ref(), name) == 0)
        };
        let Some(next) = rest.iter().enumerate().position(is_next) else {
            let message = "mutual recursion between WITH items is not implemented";
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        };
        with.cte_tables.push(rest.remove(next));
    }
    Ok(())
}
