//! Objects as the SQL that would make them.

use super::keys::IndexFacts;
use super::names::quoted;
use super::type_name;
use crate::{Catalog, Function, FunctionRows, Relation, RelationKind};

/// The query of a view, as it was written.
pub(super) fn view_definition(relation: &Relation) -> Option<String> {
    match &relation.kind {
        RelationKind::Table { .. } | RelationKind::Sequence { .. } | RelationKind::Source(_) => None,
        RelationKind::View { query } | RelationKind::MaterializedView { query, .. } => {
            Some(format!(" {};", query.trim().trim_end_matches(';')))
        }
    }
}

/// Columns of a relation by their positions, with commas between them.
pub(super) fn column_names(table: &Relation, columns: &[usize]) -> String {
    let names = columns.iter().map(|column| quoted(&table.columns[*column].name));
    names.collect::<Vec<_>>().join(", ")
}

/// CREATE INDEX.
pub(super) fn index_definition(catalog: &Catalog, index: &IndexFacts<'_>) -> String {
    let schema = quoted(catalog.schema_name(index.table.in_schema));
    let (unique, name) = (if index.unique { "UNIQUE " } else { "" }, quoted(&index.name));
    let (table, columns) = (quoted(&index.table.name), column_names(index.table, index.columns));
    format!("CREATE {unique}INDEX {name} ON {schema}.{table} USING btree ({columns})")
}

/// The parameters of a function, as in its declaration.
pub(super) fn function_arguments(function: &Function) -> String {
    let parameters = function.parameters.iter().map(|parameter| match &parameter.name {
        Some(name) => format!("{} {}", quoted(name), type_name(parameter.sql_type)),
        None => type_name(parameter.sql_type),
    });
    let row = function.rows.iter().filter(|rows| !rows.set).flat_map(|rows| &rows.columns);
    let out = row.map(|(name, sql_type)| format!("OUT {} {}", quoted(name), type_name(*sql_type)));
    parameters.chain(out).collect::<Vec<_>>().join(", ")
}

/// What a function returns, as in its declaration.
pub(super) fn function_result(function: &Function) -> String {
    let columns = |rows: &FunctionRows| {
        let columns = rows.columns.iter().map(|(name, of)| format!("{} {}", quoted(name), type_name(*of)));
        columns.collect::<Vec<_>>().join(", ")
    };
    match &function.rows {
        None => type_name(function.returns),
        Some(rows) if rows.set && rows.columns.len() == 1 => format!("SETOF {}", type_name(function.returns)),
        Some(rows) if rows.set => format!("TABLE({})", columns(rows)),
        Some(_) => "record".to_owned(),
    }
}

/// CREATE FUNCTION.
pub(super) fn function_definition(catalog: &Catalog, function: &Function) -> String {
    let schema = quoted(catalog.schema_name(function.in_schema));
    let (name, arguments) = (quoted(&function.name), function_arguments(function));
    let (returns, strict) = (function_result(function), if function.strict { "\n STRICT" } else { "" });
    format!(
        "CREATE OR REPLACE FUNCTION {schema}.{name}({arguments})\n RETURNS {returns}\n LANGUAGE sql{strict}\n\
         AS $function${}$function$\n",
        function.body
    )
}
