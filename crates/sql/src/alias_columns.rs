//! Aliases that name fewer columns than there are: the others keep their names, which DataFusion's binder wants to be told.

use datafusion::sql::sqlparser::ast::{TableAlias, TableAliasColumnDef, TableFactor, TableWithJoins};
use springtide_types::{Result, SqlError, SqlState};

use crate::names::{fold, quoted};
use crate::scope::Environment;

/// Whether any item of a FROM clause names its columns.
pub(crate) fn any_named(from: &[TableWithJoins]) -> bool {
    let factors = |table: &TableWithJoins| {
        let joined = table.joins.iter().map(|join| join.relation.clone());
        std::iter::once(table.relation.clone()).chain(joined).collect::<Vec<_>>()
    };
    from.iter().flat_map(factors).any(|factor| match &factor {
        TableFactor::NestedJoin { table_with_joins, .. } => any_named(std::slice::from_ref(table_with_joins)),
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            !alias.columns.is_empty()
        }
        _ => false,
    })
}

/// Adds the names that the aliases of a FROM clause leave out.
pub(crate) fn complete(from: &mut [TableWithJoins], environment: &Environment<'_>) -> Result<()> {
    for table in from {
        let joined = table.joins.iter_mut().map(|join| &mut join.relation);
        for factor in std::iter::once(&mut table.relation).chain(joined) {
            if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
                complete(std::slice::from_mut(&mut **table_with_joins), environment)?;
                continue;
            }
            let Some(scope) = environment.factor(factor)? else { continue };
            if let TableFactor::Table { alias: Some(alias), .. }
            | TableFactor::Derived { alias: Some(alias), .. } = factor
            {
                name_all(alias, &scope.names())?;
            }
        }
    }
    Ok(())
}

/// Lets an alias name all columns, which are called so under it.
pub(crate) fn name_all(alias: &mut TableAlias, names: &[String]) -> Result<()> {
    let given = alias.columns.len();
    if given > names.len() {
        return Err(too_many(&fold(&alias.name), names.len(), given));
    }
    if given > 0 {
        let rest = names[given..].iter();
        alias.columns.extend(rest.map(|name| TableAliasColumnDef { name: quoted(name), data_type: None }));
    }
    Ok(())
}

fn too_many(table: &str, available: usize, given: usize) -> SqlError {
    let message =
        format!("table \"{table}\" has {available} columns available but {given} columns specified");
    SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message)
}
