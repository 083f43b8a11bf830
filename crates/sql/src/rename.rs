//! A relation gets another name: so it does in the queries that name it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, ObjectName, Query, Select, TableFactor, TableWithJoins, Visitor, VisitorMut,
};
use springtide_catalog::Name;
use springtide_types::{Result, SqlError};

use crate::names::{alias, fold, object_name, quoted};
use crate::walk::{Stop, flow, flow_until, walk, walk_mut};

/// Whether a query names a relation, or a query of WITH like it.
pub fn names_relation(query: &Query, name: &Name) -> bool {
    struct Find<'a>(&'a Name);
    impl Visitor for Find<'_> {
        type Break = Stop;
        fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Stop> {
            flow_until(is(relation, self.0))
        }
    }
    walk(query, &mut Find(name)).is_break()
}

/// Writes `FROM "to" AS "from"` for `FROM from`, so that columns which name the relation mean what they meant. Fails
/// with `0A000` where a query of WITH has one of the names. Not everything in which a relation can be named is
/// rewritten: who calls this sees by binding the query.
pub fn rename_relation(query: &mut Query, from: &Name, to: &Name) -> Result<()> {
    walk_mut(query, &mut Rename { from, to })
}

struct Rename<'a> {
    from: &'a Name,
    to: &'a Name,
}

impl VisitorMut for Rename<'_> {
    type Break = Stop;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Stop> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        let names = tables.map(|table| fold(&table.alias.name));
        flow(match names.into_iter().find(|name| *name == self.from.name || *name == self.to.name) {
            Some(name) => Err(SqlError::unsupported(format!("renaming beside a WITH query \"{name}\""))),
            None => Ok(()),
        })
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Stop> {
        select.from.iter_mut().for_each(|from| self.rename(from));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Stop> {
        // With its schema, a name would not be that of the alias.
        if let Expr::CompoundIdentifier(parts) = expr
            && let [schema, relation, _] = parts.as_slice()
            && is_same(&Name { schema: Some(fold(schema)), name: fold(relation) }, self.from)
        {
            parts.remove(0);
        }
        ControlFlow::Continue(())
    }
}

impl Rename<'_> {
    fn rename(&self, from: &mut TableWithJoins) {
        let joined = from.joins.iter_mut().map(|join| &mut join.relation);
        for factor in std::iter::once(&mut from.relation).chain(joined) {
            match factor {
                TableFactor::Table { name, alias: known, args: None, .. } if is(name, self.from) => {
                    *name = self.new_name();
                    known.get_or_insert_with(|| alias(&self.from.name));
                }
                TableFactor::NestedJoin { table_with_joins, .. } => self.rename(table_with_joins),
                _ => {}
            }
        }
    }

    fn new_name(&self) -> ObjectName {
        let parts = self.to.schema.iter().chain([&self.to.name]);
        ObjectName::from(parts.map(|part| quoted(part)).collect::<Vec<_>>())
    }
}

fn is(relation: &ObjectName, name: &Name) -> bool {
    object_name(relation).is_ok_and(|relation| is_same(&relation, name))
}

/// Whether two names in what is kept stand for one relation.
fn is_same(one: &Name, other: &Name) -> bool {
    let schema = |name: &'_ Name| name.schema.clone().unwrap_or_else(|| "public".to_owned());
    one.name == other.name && schema(one) == schema(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(sql: &str) -> String {
        let mut query = *crate::parser(sql).unwrap().parse_query().unwrap();
        match rename_relation(&mut query, &Name::bare("t"), &Name::bare("u")) {
            Ok(()) => query.to_string(),
            Err(error) => error.message,
        }
    }

    #[test]
    fn wherever_a_relation_is_named() {
        assert_eq!(renamed("SELECT t.a FROM t"), r#"SELECT t.a FROM "u" AS "t""#);
        assert_eq!(renamed("SELECT x.a FROM public.T AS x"), r#"SELECT x.a FROM "u" AS x"#);
        assert_eq!(
            renamed("SELECT public.t.a FROM s JOIN public.t USING (a) WHERE EXISTS (SELECT FROM t)"),
            r#"SELECT t.a FROM s JOIN "u" AS "t" USING(a) WHERE EXISTS (SELECT FROM "u" AS "t")"#
        );
        assert_eq!(
            renamed("WITH u AS (SELECT 1) SELECT * FROM t"),
            "renaming beside a WITH query \"u\" is not supported"
        );
        assert_eq!(renamed("SELECT a AS t FROM v"), "SELECT a AS t FROM v");
    }
}
