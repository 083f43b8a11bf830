//! What is kept of a query, and what is shown of it, names things with their schemas where their names alone would not do.
//!
//! A kept name without a schema stands for something in `public`, or of the system, whatever the `search_path` of whoever
//! reads it. So a view keeps its meaning.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Query,
    TableFactor, Value, VisitMut, VisitorMut,
};
use springtide_catalog::system::system_relation;
use springtide_catalog::{Catalog, Name, Relation, SchemaId};
use springtide_types::Result;

use crate::names::{fold, name_in_text, object_name, written, written_ident};
use crate::tables::each_table;
use crate::walk::{Stop, walk_mut};

/// The functions that take the name of a relation in a literal.
const OF_SEQUENCES: [&str; 3] = ["nextval", "currval", "setval"];

/// Other names for relations and functions; `None` leaves a name as it is.
pub struct Renaming<'a> {
    relation: Rename<'a>,
    function: Rename<'a>,
}

type Rename<'a> = Box<dyn Fn(&Name) -> Option<Name> + 'a>;

/// Names for what is to be kept, from those that hold along the path of a catalog.
pub fn qualified(catalog: &Catalog) -> Renaming<'_> {
    Renaming {
        relation: Box::new(|name| {
            if system_relation(name.schema.as_deref(), &name.name).is_some() {
                return None;
            }
            let relation = catalog.find(name).or_else(|| catalog.index(name))?;
            (relation.in_schema != SchemaId::PUBLIC)
                .then(|| in_schema(catalog, relation.in_schema, &name.name))
        }),
        function: Box::new(|name| {
            let functions = catalog.functions(name);
            let schema = functions.first()?.in_schema;
            (schema != SchemaId::PUBLIC).then(|| in_schema(catalog, schema, &name.name))
        }),
    }
}

/// Names to be shown along the path of a catalog, from those that are kept.
pub fn shown(catalog: &Catalog) -> Renaming<'_> {
    let stored = catalog.for_stored();
    let of_relations = stored.clone();
    Renaming {
        relation: Box::new(move |name| {
            let relation: &Relation = of_relations.find(name)?;
            Some(catalog.name_of(relation))
        }),
        function: Box::new(move |name| {
            let functions = stored.functions(name);
            let function = functions.first()?;
            let types = function.types().collect::<Vec<_>>();
            let is_visible = catalog.function(&name.name, &types).is_some_and(|it| it.id == function.id);
            match is_visible {
                true => Some(Name::bare(&name.name)),
                false => Some(in_schema(catalog, function.in_schema, &name.name)),
            }
        }),
    }
}

/// Names after a schema has got another one.
pub fn with_schema_renamed<'a>(from: &'a str, to: &'a str) -> Renaming<'a> {
    let renamed = move |name: &Name| {
        let is_in = name.schema.as_deref() == Some(from);
        is_in.then(|| Name { schema: Some(to.to_owned()), name: name.name.clone() })
    };
    Renaming { relation: Box::new(renamed), function: Box::new(renamed) }
}

fn in_schema(catalog: &Catalog, schema: SchemaId, name: &str) -> Name {
    Name { schema: Some(catalog.schema_name(schema).to_owned()), name: name.to_owned() }
}

impl Renaming<'_> {
    /// Puts the names into a query. Returns whether that has changed it.
    pub fn query(&self, query: &mut Query) -> Result<bool> {
        let mut changed = false;
        each_table(query, &mut |factor, queries| {
            if let TableFactor::Table { name, args, .. } = factor {
                match args {
                    None if !queries.contain(name) => changed |= self.put(name, &self.relation),
                    None => {}
                    Some(args) => {
                        let relation = args.args.first_mut().filter(|_| is_of_history(name));
                        changed |= relation.is_some_and(|relation| self.put_argument(relation));
                    }
                }
            }
            Ok(())
        })?;
        Ok(self.exprs(query)? || changed)
    }

    /// Puts the names into an expression that has no queries in it. Returns whether that has changed it.
    pub fn expr(&self, expr: &mut Expr) -> Result<bool> {
        self.exprs(expr)
    }

    fn exprs(&self, node: &mut impl VisitMut) -> Result<bool> {
        struct Visit<'a, 'b>(&'a Renaming<'b>, bool);
        impl VisitorMut for Visit<'_, '_> {
            type Break = Stop;
            fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Stop> {
                self.1 |= self.0.in_expr(expr);
                ControlFlow::Continue(())
            }
        }
        let mut visit = Visit(self, false);
        walk_mut(node, &mut visit)?;
        Ok(visit.1)
    }

    fn in_expr(&self, expr: &mut Expr) -> bool {
        match expr {
            Expr::CompoundIdentifier(parts) if parts.len() == 3 => self.put_column(parts),
            Expr::Function(function) => {
                let named = self.put(&mut function.name, &self.function);
                self.put_sequence(function) || named
            }
            Expr::Cast { expr, data_type, .. } if is_regclass(data_type) => self.put_literal(expr),
            _ => false,
        }
    }

    fn put(&self, name: &mut ObjectName, renaming: &dyn Fn(&Name) -> Option<Name>) -> bool {
        let Ok(known) = object_name(name) else { return false };
        match renaming(&known).filter(|new| *new != known) {
            Some(new) => {
                *name = written(&new);
                true
            }
            None => false,
        }
    }

    /// `schema.table.column`
    fn put_column(&self, parts: &mut Vec<Ident>) -> bool {
        let known = Name { schema: Some(fold(&parts[0])), name: fold(&parts[1]) };
        let Some(new) = (self.relation)(&known).filter(|new| *new != known) else { return false };
        let table = new.schema.iter().chain([&new.name]).map(|part| written_ident(part));
        parts.splice(..2, table);
        true
    }

    /// The relation whose history a function in FROM reads.
    fn put_argument(&self, argument: &mut FunctionArg) -> bool {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument else { return false };
        let parts = match expr {
            Expr::Identifier(name) => vec![name.clone()],
            Expr::CompoundIdentifier(parts) => parts.clone(),
            _ => return false,
        };
        let mut name = ObjectName::from(parts);
        let changed = self.put(&mut name, &self.relation);
        if changed {
            let parts = name.0.iter().filter_map(|part| part.as_ident().cloned()).collect::<Vec<_>>();
            *expr = match parts.as_slice() {
                [only] => Expr::Identifier(only.clone()),
                _ => Expr::CompoundIdentifier(parts),
            };
        }
        changed
    }

    /// The sequence in a call of [`OF_SEQUENCES`].
    fn put_sequence(&self, function: &mut Function) -> bool {
        let name = function.name.0.last().and_then(|part| part.as_ident()).map(fold);
        if !name.is_some_and(|name| OF_SEQUENCES.contains(&name.as_str())) {
            return false;
        }
        let FunctionArguments::List(list) = &mut function.args else { return false };
        match list.args.first_mut() {
            Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))) => self.put_literal(expr),
            _ => false,
        }
    }

    /// The name of a relation in a literal.
    fn put_literal(&self, expr: &mut Expr) -> bool {
        let Expr::Value(value) = expr else { return false };
        let Value::SingleQuotedString(text) = &mut value.value else { return false };
        let Some(known) = name_in_text(text) else { return false };
        match (self.relation)(&known).filter(|new| *new != known) {
            Some(new) => {
                *text = written(&new).to_string();
                true
            }
            None => false,
        }
    }
}

fn is_regclass(data_type: &DataType) -> bool {
    data_type.to_string().eq_ignore_ascii_case("regclass")
}

/// Whether a function in FROM reads the history of the relation that it names.
fn is_of_history(name: &ObjectName) -> bool {
    object_name(name)
        .is_ok_and(|name| name.schema.is_none() && ["changes", "versions"].contains(&name.name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_gets_another_name_wherever_it_stands() {
        let sql = "SELECT s.t.a, s.f(1), nextval('s.q'), 's.t'::regclass \
                   FROM s.t JOIN u ON u.s = t.s JOIN changes(s.t) ON true \
                   WHERE EXISTS (WITH t AS (SELECT * FROM s.t) SELECT * FROM t)";
        let mut query = *crate::parser(sql).unwrap().parse_query().unwrap();
        assert!(with_schema_renamed("s", "R").query(&mut query).unwrap());
        assert_eq!(
            query.to_string(),
            "SELECT \"R\".t.a, \"R\".f(1), nextval('\"R\".q'), '\"R\".t'::REGCLASS \
             FROM \"R\".t JOIN u ON u.s = t.s JOIN changes(\"R\".t) ON true \
             WHERE EXISTS (WITH t AS (SELECT * FROM \"R\".t) SELECT * FROM t)"
        );
        assert!(!with_schema_renamed("s", "R").query(&mut query).unwrap());
    }
}
