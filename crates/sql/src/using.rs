//! `JOIN ... USING` and NATURAL JOIN as joins ON a condition.
//!
//! ```text
//! SELECT * FROM t FULL JOIN u USING (a) WHERE a > 1
//! SELECT coalesce(t.a, u.a) AS a, t.b, u.c FROM t FULL JOIN u ON t.a = u.a WHERE coalesce(t.a, u.a) > 1
//! ```
//!
//! DataFusion's binder takes a column of the first table for the merged one, which is NULL where an outer join
//! found no partner, and calls a name ambiguous where the column has no table.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, OrderByKind, Query, Select, SelectItem, SetExpr,
    TableFactor, TableWithJoins, Value, Visitor, VisitorMut, With,
};
use springtide_catalog::Catalog;
use springtide_types::Result;

use crate::alias_columns;
use crate::names::fold;
use crate::output_names::output_name;
use crate::scope::{Environment, Offered, Scope, constraint, constraint_mut, renamed};
use crate::walk::{Stop, flow, flow_until, walk, walk_mut};

/// See the module.
pub(crate) fn merge_columns(query: &mut Query, catalog: &Catalog) -> Result<()> {
    if walk(query, &mut Search).is_continue() {
        return Ok(());
    }
    let mut merge = Merge { environments: vec![Environment::new(catalog)], withs: vec![], levels: vec![] };
    walk_mut(query, &mut merge)
}

/// Looks for a USING or NATURAL, or an alias with columns.
struct Search;

impl Visitor for Search {
    type Break = Stop;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Stop> {
        let mut tables = query.with.iter().flat_map(|with| &with.cte_tables);
        flow_until(tables.any(|table| !table.alias.columns.is_empty()))
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Stop> {
        let merged = select.from.iter().any(merges) || beside_wildcard(select).next().is_some();
        flow_until(merged || alias_columns::any_named(&select.from))
    }
}

/// Columns without a table in a projection that also names all columns of a table: whether they are among those
/// decides whether the output has two columns of one name.
fn beside_wildcard(select: &Select) -> impl Iterator<Item = usize> {
    let is_wildcard = |item: &SelectItem| matches!(item, SelectItem::QualifiedWildcard(..));
    let items = if select.projection.iter().any(is_wildcard) { select.projection.as_slice() } else { &[] };
    let is_bare = |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(Expr::Identifier(_)));
    items.iter().enumerate().filter(move |(_, item)| is_bare(item)).map(|(position, _)| position)
}

fn merges(table: &TableWithJoins) -> bool {
    let merging = |join: &Join| {
        matches!(constraint(&join.join_operator), Some(JoinConstraint::Using(_) | JoinConstraint::Natural))
    };
    let mut factors = std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation));
    table.joins.iter().any(merging)
        || factors.any(|factor| match factor {
            TableFactor::NestedJoin { table_with_joins, .. } => merges(table_with_joins),
            _ => false,
        })
}

struct Merge<'a> {
    /// Of the queries around, the innermost last.
    environments: Vec<Environment<'a>>,
    /// Visited already, and put aside until the rest of the query is.
    withs: Vec<Option<With>>,
    /// Of the SELECTs around, the innermost last; `None` where it is not known.
    levels: Vec<Option<Level>>,
}

/// What names without a table stand for.
struct Level {
    scope: Scope,
    /// Whether they are to be replaced, or only hide names further out.
    replace: bool,
}

impl VisitorMut for Merge<'_> {
    type Break = Stop;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Stop> {
        flow(self.enter_query(query))
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Stop> {
        self.environments.pop();
        query.with = self.withs.pop().flatten();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Stop> {
        flow(self.enter_select(select))
    }

    fn post_visit_select(&mut self, _select: &mut Select) -> ControlFlow<Stop> {
        self.levels.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Stop> {
        if let Expr::Identifier(ident) = expr
            && let Some(column) = self.resolve(&fold(ident))
        {
            *expr = column.value.clone();
        }
        ControlFlow::Continue(())
    }
}

impl Merge<'_> {
    /// The column to put in place of a name, if that is to be replaced.
    fn resolve(&self, name: &str) -> Option<&Offered> {
        for level in self.levels.iter().rev() {
            let Level { scope, replace } = level.as_ref()?;
            let mut found = scope.find(name);
            match (found.next(), found.next()) {
                (None, _) => {}
                (Some(column), None) => return replace.then_some(column),
                (Some(_), Some(_)) => return None,
            }
        }
        None
    }

    fn enter_query(&mut self, query: &mut Query) -> Result<()> {
        let mut with = query.with.take();
        let recursive = with.as_ref().is_some_and(|with| with.recursive);
        let Some(outer) = self.environments.last() else { return Ok(()) };
        let mut environment = outer.clone();
        for cte in with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            let columns = environment.outputs(&cte.query)?;
            if let Some(names) = &columns {
                let names = renamed(names.clone(), Some(&cte.alias));
                alias_columns::name_all(&mut cte.alias, &names)?;
            }
            let before = environment.clone();
            environment.define(&cte.alias, columns);
            self.environments.push(if recursive { environment.clone() } else { before });
            walk_mut(&mut cte.query, self)?;
            self.environments.pop();
        }
        self.order_by(query, &environment)?;
        self.environments.push(environment);
        self.withs.push(with);
        Ok(())
    }

    /// A name alone in ORDER BY is that of an output column first, which its position says as well.
    fn order_by(&mut self, query: &mut Query, environment: &Environment<'_>) -> Result<()> {
        let (SetExpr::Select(select), Some(order_by)) = (query.body.as_ref(), &mut query.order_by) else {
            return Ok(());
        };
        let OrderByKind::Expressions(exprs) = &mut order_by.kind else { return Ok(()) };
        let Some(scope) = environment.from(&select.from)?.filter(Scope::has_merged) else { return Ok(()) };
        let outputs = environment.select_outputs(select)?.unwrap_or_default();
        self.levels.push(Some(Level { scope, replace: true }));
        for by in exprs {
            let position = match &by.expr {
                Expr::Identifier(name) => outputs.iter().position(|output| *output == fold(name)),
                _ => None,
            };
            match position {
                Some(position) => by.expr = Expr::value(Value::Number((position + 1).to_string(), false)),
                None => walk_mut(&mut by.expr, self)?,
            }
        }
        self.levels.pop();
        Ok(())
    }

    fn enter_select(&mut self, select: &mut Select) -> Result<()> {
        let Some(environment) = self.environments.last() else { return Ok(()) };
        alias_columns::complete(&mut select.from, environment)?;
        let scope = environment.from(&select.from)?;
        let replace = scope.as_ref().is_some_and(Scope::has_merged);
        for position in beside_wildcard(select).collect::<Vec<_>>() {
            qualify(&mut select.projection[position], scope.as_ref());
        }
        if let (true, Some(scope)) = (replace, &scope) {
            name_outputs(&mut select.projection, scope);
            for table in &mut select.from {
                self.merge(table)?;
            }
        }
        self.levels.push(scope.map(|scope| Level { scope, replace }));
        Ok(())
    }

    /// Puts conditions in the place of USING and NATURAL. The columns of the join, if they are known.
    fn merge(&mut self, table: &mut TableWithJoins) -> Result<Option<Scope>> {
        let Some(mut scope) = self.merge_factor(&mut table.relation)? else { return Ok(None) };
        for join in &mut table.joins {
            let Some(right) = self.merge_factor(&mut join.relation)? else { return Ok(None) };
            let (joined, condition) = scope.join(right, &join.join_operator)?;
            scope = joined;
            // What a name means here, a later join may change.
            self.levels.push(Some(Level { scope: scope.clone(), replace: true }));
            if let JoinOperator::AsOf { match_condition, .. } = &mut join.join_operator {
                walk_mut(match_condition, self)?;
            }
            match (constraint_mut(&mut join.join_operator), condition) {
                (Some(constraint), Some(condition)) => *constraint = JoinConstraint::On(condition),
                (Some(JoinConstraint::On(condition)), None) => walk_mut(condition, self)?,
                _ => {}
            }
            self.levels.pop();
        }
        Ok(Some(scope))
    }

    fn merge_factor(&mut self, factor: &mut TableFactor) -> Result<Option<Scope>> {
        match factor {
            TableFactor::NestedJoin { table_with_joins, alias: None } => self.merge(table_with_joins),
            factor => self.environments.last().map_or(Ok(None), |environment| environment.factor(factor)),
        }
    }
}

/// Gives a column the table that it is of, if there is one such table.
fn qualify(item: &mut SelectItem, scope: Option<&Scope>) {
    let SelectItem::UnnamedExpr(expr) = item else { return };
    let (Expr::Identifier(name), Some(scope)) = (&*expr, scope) else { return };
    let name = fold(name);
    let mut found = scope.find(&name);
    if let (Some(column), None) = (found.next(), found.next()) {
        *expr = column.value.clone();
    }
}

/// Spells out `*`, and keeps the names of outputs whose columns are replaced.
fn name_outputs(projection: &mut Vec<SelectItem>, scope: &Scope) {
    let named =
        |expr: Expr, name: &str| SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', name) };
    let items = std::mem::take(projection).into_iter().flat_map(|item| match item {
        SelectItem::Wildcard(_) => {
            scope.0.iter().map(|column| named(column.value.clone(), &column.name)).collect()
        }
        SelectItem::UnnamedExpr(expr) => {
            let name = output_name(&expr);
            vec![named(expr, &name)]
        }
        other => vec![other],
    });
    *projection = items.collect();
}
