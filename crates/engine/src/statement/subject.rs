//! What a statement changes, as the statement names it.

use springtide_catalog::Catalog;
use springtide_sql::Planner;
use springtide_sql::sqlparser::ast::{Expr, Ident, ObjectName, SelectItem, TableFactor, TableWithJoins};
use springtide_types::{Result, SqlError};

use super::assignments::aliased;
use super::ast;
use super::sides::Side;
use super::target::Target;

/// The column that tells the rows of a table apart that has no primary key.
pub(super) const NUMBER: &str = "?number";

/// A table under the name that a statement gives it.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) table: Target,
    pub(super) name: ObjectName,
    /// What qualifies its columns.
    pub(super) alias: Ident,
}

impl Subject {
    /// `verb` is what the messages say: `update`.
    pub(super) fn find(
        planner: &Planner,
        catalog: &Catalog,
        factor: &TableFactor,
        verb: &str,
    ) -> Result<Subject> {
        let TableFactor::Table { name, alias, args: None, version: None, .. } = factor else {
            return Err(SqlError::unsupported("changing anything but a table as it is now"));
        };
        let last = name.0.last().and_then(|part| part.as_ident()).cloned();
        let last = last.ok_or_else(|| SqlError::unsupported("this form of table name"))?;
        let alias = alias.as_ref().map_or(last, |alias| alias.name.clone());
        let table = Target::find(planner, catalog, name, verb)?;
        Ok(Subject { table, name: name.clone(), alias })
    }

    /// It as FROM has it.
    pub(super) fn plain(&self) -> Result<TableWithJoins> {
        from(&format!("{} AS {}", self.name, self.alias))
    }

    /// The same with a column [`NUMBER`] that tells its rows apart.
    pub(super) fn numbered(&self) -> Result<TableWithJoins> {
        let Subject { name, alias, .. } = self;
        from(&format!("(SELECT *, row_number() OVER () AS \"{NUMBER}\" FROM {name} AS {alias}) AS {alias}"))
    }

    /// A column of [`Subject::numbered`].
    pub(super) fn number(&self) -> SelectItem {
        aliased(Expr::CompoundIdentifier(vec![self.alias.clone(), ast::quoted(NUMBER)]), NUMBER.to_owned())
    }

    /// Its rows as RETURNING has them.
    pub(super) fn side(&self) -> Side {
        Side::new(self.alias.clone(), &self.table.columns, true)
    }
}

/// An item of FROM by its text.
pub(super) fn from(text: &str) -> Result<TableWithJoins> {
    let mut query = ast::parse_query(&format!("SELECT 1 FROM {text}"))?;
    let from = ast::body(&mut query).and_then(|select| select.from.pop());
    from.ok_or_else(|| SqlError::internal("a FROM has an item"))
}

/// What the relations of FROM are called.
pub(super) fn names(from: &[TableWithJoins]) -> Vec<Ident> {
    let mut found = Vec::new();
    for item in from {
        add_names(&item.relation, &mut found);
        item.joins.iter().for_each(|join| add_names(&join.relation, &mut found));
    }
    found
}

fn add_names(factor: &TableFactor, found: &mut Vec<Ident>) {
    match factor {
        TableFactor::NestedJoin { table_with_joins, alias: None } => {
            found.extend(names(std::slice::from_ref(table_with_joins)));
        }
        TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. }
        | TableFactor::Function { alias: Some(alias), .. }
        | TableFactor::TableFunction { alias: Some(alias), .. }
        | TableFactor::UNNEST { alias: Some(alias), .. }
        | TableFactor::NestedJoin { alias: Some(alias), .. } => found.push(alias.name.clone()),
        TableFactor::Table { name, .. } | TableFactor::Function { name, .. } => {
            found.extend(name.0.last().and_then(|part| part.as_ident()).cloned());
        }
        _ => {}
    }
}
