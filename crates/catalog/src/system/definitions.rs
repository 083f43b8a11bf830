//! Objects as the SQL that would make them.

use super::names::quoted;
use super::oids::key_name;
use super::type_name;
use crate::{Function, Relation, RelationKind};

/// The query of a view, as it was written.
pub(super) fn view_definition(relation: &Relation) -> Option<String> {
    match &relation.kind {
        RelationKind::Table { .. } => None,
        RelationKind::View { query } | RelationKind::MaterializedView { query, .. } => {
            Some(format!(" {};", query.trim().trim_end_matches(';')))
        }
    }
}

/// The columns of the primary key, with commas between them.
pub(super) fn key_columns(table: &Relation) -> String {
    let key = table.primary_key().unwrap_or_default().iter();
    key.map(|column| quoted(&table.columns[*column].name)).collect::<Vec<_>>().join(", ")
}

/// CREATE INDEX for the primary key.
pub(super) fn index_definition(table: &Relation) -> String {
    let (index, name) = (quoted(&key_name(table)), quoted(&table.name));
    format!("CREATE UNIQUE INDEX {index} ON public.{name} USING btree ({})", key_columns(table))
}

/// The parameters of a function, as in its declaration.
pub(super) fn function_arguments(function: &Function) -> String {
    let parameters = function.parameters.iter().map(|parameter| match &parameter.name {
        Some(name) => format!("{} {}", quoted(name), type_name(parameter.sql_type)),
        None => type_name(parameter.sql_type),
    });
    parameters.collect::<Vec<_>>().join(", ")
}

/// CREATE FUNCTION.
pub(super) fn function_definition(function: &Function) -> String {
    let (name, arguments) = (quoted(&function.name), function_arguments(function));
    let (returns, strict) = (type_name(function.returns), if function.strict { "\n STRICT" } else { "" });
    format!(
        "CREATE OR REPLACE FUNCTION public.{name}({arguments})\n RETURNS {returns}\n LANGUAGE sql{strict}\n\
         AS $function${}$function$\n",
        function.body
    )
}
