//! The names of what stands in FROM and makes rows of one column.

use datafusion::sql::sqlparser::ast::{TableAlias, TableAliasColumnDef, TableFactor, TableWithJoins};

use springtide_catalog::Name;

use crate::names::{alias, object_name};

/// Names the columns of `generate_series` as PostgreSQL does: as its alias, if it has one without columns, or as itself.
pub(crate) fn name_series(from: &mut [TableWithJoins]) {
    for table in from {
        let joined = table.joins.iter_mut().map(|join| &mut join.relation);
        std::iter::once(&mut table.relation).chain(joined).for_each(name_one);
    }
}

fn name_one(factor: &mut TableFactor) {
    match factor {
        TableFactor::NestedJoin { table_with_joins, .. } => {
            name_series(std::slice::from_mut(&mut **table_with_joins))
        }
        TableFactor::Table { name, args: Some(_), alias: given, .. }
            if object_name(name).is_ok_and(|name| name == Name::bare(SERIES)) =>
        {
            let TableAlias { name, columns, .. } = given.get_or_insert_with(|| alias(SERIES));
            if columns.is_empty() {
                columns.push(TableAliasColumnDef { name: name.clone(), data_type: None });
            }
        }
        _ => {}
    }
}

const SERIES: &str = "generate_series";
