//! The tables in the FROM clauses of a query, with the queries of WITH that are in scope there.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ObjectName, Query, Select, TableFactor, TableWithJoins, VisitorMut, With,
};
use springtide_types::Result;

use crate::names::fold;
use crate::walk::{Stop, flow, walk_mut};

/// Names of the queries of WITH that are in scope.
#[derive(Default)]
pub(crate) struct Queries(Vec<String>);

impl Queries {
    /// Whether a name is that of one of them.
    pub(crate) fn contain(&self, name: &ObjectName) -> bool {
        match name.0.as_slice() {
            [name] => name.as_ident().is_some_and(|name| self.0.contains(&fold(name))),
            _ => false,
        }
    }
}

type Change<'a> = &'a mut dyn FnMut(&mut TableFactor, &Queries) -> Result<()>;

/// Calls `change` for every relation, function and subquery in FROM anywhere in a query.
pub(crate) fn each_table(query: &mut Query, change: Change<'_>) -> Result<()> {
    walk_mut(query, &mut Visit { change, queries: Queries::default(), withs: Vec::new() })
}

struct Visit<'a> {
    change: Change<'a>,
    queries: Queries,
    /// Visited already, and put aside until the rest of the query is; with the number of names in scope before.
    withs: Vec<(Option<With>, usize)>,
}

impl VisitorMut for Visit<'_> {
    type Break = Stop;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Stop> {
        let before = self.queries.0.len();
        let mut with = query.with.take();
        let recursive = with.as_ref().is_some_and(|with| with.recursive);
        for cte in with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            let name = fold(&cte.alias.name);
            // Only a recursive query is in the scope of its own name.
            let own = recursive.then(|| name.clone());
            self.queries.0.extend(own.clone());
            flow(walk_mut(&mut cte.query, self))?;
            self.queries.0.extend(own.is_none().then_some(name));
        }
        self.withs.push((with, before));
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Stop> {
        if let Some((with, before)) = self.withs.pop() {
            query.with = with;
            self.queries.0.truncate(before);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Stop> {
        let Visit { change, queries, .. } = self;
        flow(each_factor(&mut select.from, &mut |factor| change(factor, queries)))
    }
}

/// Calls `change` for every relation, function and subquery of a FROM clause.
pub(crate) fn each_factor(
    from: &mut [TableWithJoins],
    change: &mut dyn FnMut(&mut TableFactor) -> Result<()>,
) -> Result<()> {
    for table in from {
        let joined = table.joins.iter_mut().map(|join| &mut join.relation);
        for factor in std::iter::once(&mut table.relation).chain(joined) {
            match factor {
                TableFactor::NestedJoin { table_with_joins, .. } => {
                    each_factor(std::slice::from_mut(table_with_joins), change)?;
                }
                factor => change(factor)?,
            }
        }
    }
    Ok(())
}
