//! A relation gets another name: so it does in the queries that name it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, ObjectName, Query, TableFactor, Visitor};
use springtide_catalog::{Name, NameRef};
use springtide_types::Result;

use crate::names::{alias, fold, object_name, written};
use crate::tables::each_table;
use crate::walk::{Stop, change_exprs, flow_until, walk};

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

/// Writes `FROM to AS "from"` for `FROM from`, so that columns which name the relation mean what they meant. Not everything
/// in which a relation can be named is rewritten: who calls this sees by binding the query.
pub fn rename_relation(query: &mut Query, from: &Name, to: &Name) -> Result<()> {
    each_table(query, &mut |factor, queries| {
        if let TableFactor::Table { name, alias: known, args: None, .. } = factor
            && is(name, from)
            && !queries.contain(name)
        {
            *name = written(to);
            if queries.contain(name) {
                *name = written(NameRef { schema: Some("public"), name: &to.name });
            }
            known.get_or_insert_with(|| alias(&from.name));
        }
        Ok(())
    })?;
    // With its schema, a name would not be that of the alias.
    change_exprs(query, |expr| {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [schema, relation, _] = parts.as_slice()
            && is_same(&Name { schema: Some(fold(schema)), name: fold(relation) }, from)
        {
            parts.remove(0);
        }
    });
    Ok(())
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
        rename_relation(&mut query, &Name::bare("t"), &Name::bare("u")).unwrap();
        query.to_string()
    }

    #[test]
    fn wherever_a_relation_is_named() {
        assert_eq!(renamed("SELECT t.a FROM t"), r#"SELECT t.a FROM u AS "t""#);
        assert_eq!(renamed("SELECT x.a FROM public.T AS x"), r#"SELECT x.a FROM u AS x"#);
        assert_eq!(
            renamed("SELECT public.t.a FROM s JOIN public.t USING (a) WHERE EXISTS (SELECT FROM t)"),
            r#"SELECT t.a FROM s JOIN u AS "t" USING(a) WHERE EXISTS (SELECT FROM u AS "t")"#
        );
        assert_eq!(
            renamed("WITH u AS (SELECT 1) SELECT * FROM t"),
            r#"WITH u AS (SELECT 1) SELECT * FROM public.u AS "t""#
        );
        assert_eq!(renamed("SELECT a AS t FROM v"), "SELECT a AS t FROM v");
    }
}
