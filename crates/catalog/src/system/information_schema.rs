//! The `information_schema`: the standard's view of what exists.

use springtide_types::SqlType;

use super::definitions::view_definition;
use super::oids::{key_name, of_function};
use super::rows::Row;
use super::types::{column_type, format_type};
use super::{DATABASE, ROLE, Rows, SystemRelation, class, system_relations, type_name};
use crate::{Catalog, Column, Function, Relation, RelationKind};

pub(super) fn relations() -> Vec<SystemRelation> {
    vec![
        SystemRelation::new(
            "information_schema.tables",
            13_425,
            "table_catalog name, table_schema name, table_name name, table_type text, \
                 self_referencing_column_name name, reference_generation text, user_defined_type_catalog \
                 name, user_defined_type_schema name, user_defined_type_name name, is_insertable_into text, \
                 is_typed text, commit_action text",
            Rows::Catalog(tables),
        ),
        SystemRelation::new(
            "information_schema.columns",
            13_295,
            "table_catalog name, table_schema name, table_name name, column_name name, ordinal_position \
                 int4, column_default text, is_nullable text, data_type text, character_maximum_length \
                 int4, character_octet_length int4, numeric_precision int4, numeric_precision_radix int4, \
                 numeric_scale int4, datetime_precision int4, interval_type text, interval_precision int4, \
                 character_set_catalog name, character_set_schema name, character_set_name name, \
                 collation_catalog name, collation_schema name, collation_name name, domain_catalog name, \
                 domain_schema name, domain_name name, udt_catalog name, udt_schema name, udt_name name, \
                 scope_catalog name, scope_schema name, scope_name name, maximum_cardinality int4, \
                 dtd_identifier name, is_self_referencing text, is_identity text, identity_generation text, \
                 identity_start text, identity_increment text, identity_maximum text, identity_minimum \
                 text, identity_cycle text, is_generated text, generation_expression text, is_updatable \
                 text",
            Rows::Catalog(columns),
        ),
        SystemRelation::new(
            "information_schema.schemata",
            13_382,
            "catalog_name name, schema_name name, schema_owner name, default_character_set_catalog \
                 name, default_character_set_schema name, default_character_set_name name, sql_path text",
            Rows::Catalog(|_| schemata()),
        ),
        SystemRelation::new(
            "information_schema.views",
            13_483,
            "table_catalog name, table_schema name, table_name name, view_definition text, check_option \
                 text, is_updatable text, is_insertable_into text, is_trigger_updatable text, \
                 is_trigger_deletable text, is_trigger_insertable_into text",
            Rows::Catalog(views),
        ),
        SystemRelation::new(
            "information_schema.table_constraints",
            13_411,
            "constraint_catalog name, constraint_schema name, constraint_name name, table_catalog name, \
                 table_schema name, table_name name, constraint_type text, is_deferrable text, \
                 initially_deferred text, enforced text, nulls_distinct text",
            Rows::Catalog(table_constraints),
        ),
        SystemRelation::new(
            "information_schema.key_column_usage",
            13_329,
            "constraint_catalog name, constraint_schema name, constraint_name name, table_catalog name, \
                 table_schema name, table_name name, column_name name, ordinal_position int4, \
                 position_in_unique_constraint int4",
            Rows::Catalog(key_columns),
        ),
        SystemRelation::new(
            "information_schema.constraint_column_usage",
            13_300,
            "table_catalog name, table_schema name, table_name name, column_name name, \
                 constraint_catalog name, constraint_schema name, constraint_name name",
            Rows::Catalog(constraint_columns),
        ),
        SystemRelation::new(
            "information_schema.routines",
            13_377,
            "specific_catalog name, specific_schema name, specific_name name, routine_catalog name, \
                 routine_schema name, routine_name name, routine_type text, module_catalog name, \
                 module_schema name, module_name name, udt_catalog name, udt_schema name, udt_name name, \
                 data_type text, character_maximum_length int4, character_octet_length int4, \
                 character_set_catalog name, character_set_schema name, character_set_name name, \
                 collation_catalog name, collation_schema name, collation_name name, numeric_precision \
                 int4, numeric_precision_radix int4, numeric_scale int4, datetime_precision int4, \
                 interval_type text, interval_precision int4, type_udt_catalog name, type_udt_schema name, \
                 type_udt_name name, scope_catalog name, scope_schema name, scope_name name, \
                 maximum_cardinality int4, dtd_identifier name, routine_body text, routine_definition text, \
                 external_name text, external_language text, parameter_style text, is_deterministic text, \
                 sql_data_access text, is_null_call text, sql_path text, schema_level_routine text, \
                 max_dynamic_result_sets int4, is_user_defined_cast text, is_implicitly_invocable text, \
                 security_type text, to_sql_specific_catalog name, to_sql_specific_schema name, \
                 to_sql_specific_name name, as_locator text, created timestamptz, last_altered timestamptz, \
                 new_savepoint_level text, is_udt_dependent text, result_cast_from_data_type text, \
                 result_cast_as_locator text, result_cast_char_max_length int4, \
                 result_cast_char_octet_length int4, result_cast_char_set_catalog name, \
                 result_cast_char_set_schema name, result_cast_char_set_name name, \
                 result_cast_collation_catalog name, result_cast_collation_schema name, \
                 result_cast_collation_name name, result_cast_numeric_precision int4, \
                 result_cast_numeric_precision_radix int4, result_cast_numeric_scale int4, \
                 result_cast_datetime_precision int4, result_cast_interval_type text, \
                 result_cast_interval_precision int4, result_cast_type_udt_catalog name, \
                 result_cast_type_udt_schema name, result_cast_type_udt_name name, \
                 result_cast_scope_catalog name, result_cast_scope_schema name, result_cast_scope_name \
                 name, result_cast_maximum_cardinality int4, result_cast_dtd_identifier name",
            Rows::Catalog(|catalog| catalog.all_functions().map(routine).collect()),
        ),
        SystemRelation::new(
            "information_schema.table_privileges",
            13_416,
            "grantor name, grantee name, table_catalog name, table_schema name, table_name name, \
                 privilege_type text, is_grantable text, with_hierarchy text",
            Rows::Catalog(table_privileges),
        ),
    ]
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "YES" } else { "NO" }
}

/// A row about a relation.
fn about(schema: &str, relation: &str) -> Row {
    let row = Row::null().set("table_catalog", DATABASE);
    row.set("table_schema", schema).set("table_name", relation)
}

/// Tables and plain views: the standard knows no materialized ones, and PostgreSQL does not list them either.
fn standard(catalog: &Catalog) -> impl Iterator<Item = &Relation> {
    let known = |relation: &&Relation| !matches!(relation.kind, RelationKind::MaterializedView { .. });
    catalog.relations().map(AsRef::as_ref).filter(known)
}

fn is_table(relation: &Relation) -> bool {
    matches!(relation.kind, RelationKind::Table { .. })
}

fn tables(catalog: &Catalog) -> Vec<Row> {
    let row = |schema: &str, name: &str, is_table: bool, insertable: bool| {
        about(schema, name)
            .set("table_type", if is_table { "BASE TABLE" } else { "VIEW" })
            .set("is_insertable_into", yes_or_no(insertable))
            .set("is_typed", "NO")
    };
    let own = standard(catalog).map(|it| row("public", &it.name, is_table(it), is_table(it)));
    let system = system_relations().iter().map(|it| row(it.schema, it.name, it.kind == "r", false));
    own.chain(system).collect()
}

fn columns(catalog: &Catalog) -> Vec<Row> {
    let own = standard(catalog).flat_map(|relation| {
        let columns = relation.columns.iter().enumerate();
        columns.map(|(position, found)| column(relation, position, found))
    });
    let system = system_relations().iter().flat_map(|relation| {
        let columns = relation.columns.iter().enumerate();
        columns.map(|(position, found)| {
            let known = column_type(found.type_name);
            let row = about(relation.schema, relation.name).set("column_name", found.name);
            any_column(row, position)
                .set("is_nullable", "YES")
                .set("is_updatable", "NO")
                .set("data_type", known.map(|known| format_type(known.oid, None)))
                .set("udt_name", known.map(|known| known.name))
        })
    });
    own.chain(system).collect()
}

fn column(relation: &Relation, position: usize, column: &Column) -> Row {
    let row = about("public", &relation.name).set("column_name", column.name.as_str());
    let row = any_column(row, position)
        .set("column_default", column.default.as_ref().map(|default| default.expr.as_str()))
        .set("is_nullable", yes_or_no(column.nullable))
        .set("is_updatable", yes_or_no(is_table(relation)));
    typed(row, column.sql_type)
}

fn any_column(row: Row, position: usize) -> Row {
    row.set("ordinal_position", position as i64 + 1)
        .set("dtd_identifier", (position + 1).to_string())
        .set("udt_catalog", DATABASE)
        .set("udt_schema", "pg_catalog")
        .set("is_self_referencing", "NO")
        .set("is_identity", "NO")
        .set("identity_cycle", "NO")
        .set("is_generated", "NEVER")
}

/// What the standard says of a type: lengths in letters and bytes, precisions in their radix.
fn typed(row: Row, sql_type: SqlType) -> Row {
    let name = column_type_name(sql_type);
    let row = row.set("data_type", type_name(sql_type)).set("udt_name", name);
    let integer = |row: Row, bits: i64| {
        row.set("numeric_precision", bits).set("numeric_precision_radix", 2).set("numeric_scale", 0)
    };
    let float = |row: Row, bits: i64| row.set("numeric_precision", bits).set("numeric_precision_radix", 2);
    match sql_type {
        SqlType::Int2 => integer(row, 16),
        SqlType::Int4 => integer(row, 32),
        SqlType::Int8 => integer(row, 64),
        SqlType::Float4 => float(row, 24),
        SqlType::Float8 => float(row, 53),
        SqlType::Numeric(precision, scale) => {
            let declared = sql_type.modifier() >= 0;
            row.set("numeric_precision_radix", 10)
                .set("numeric_precision", declared.then_some(i64::from(precision)))
                .set("numeric_scale", declared.then_some(i64::from(scale)))
        }
        SqlType::Varchar(limit) => {
            let limit = limit.map(i64::from);
            row.set("character_maximum_length", limit)
                .set("character_octet_length", limit.map_or(LONGEST_TEXT, |limit| limit * BYTES_OF_LETTER))
        }
        SqlType::Text => row.set("character_octet_length", LONGEST_TEXT),
        SqlType::Date => row.set("datetime_precision", 0),
        SqlType::Time | SqlType::Timestamp | SqlType::Timestamptz | SqlType::Interval => {
            row.set("datetime_precision", 6)
        }
        SqlType::Boolean | SqlType::Bytea | SqlType::Uuid | SqlType::Json | SqlType::Jsonb => row,
    }
}

/// Bytes that PostgreSQL says a text may have, and that a letter may take.
const LONGEST_TEXT: i64 = 1 << 30;
const BYTES_OF_LETTER: i64 = 4;

fn column_type_name(sql_type: SqlType) -> Option<&'static str> {
    super::types::type_of(i64::from(sql_type.oid())).map(|known| known.name)
}

fn schemata() -> Vec<Row> {
    let row = |(name, _): (&str, i64)| {
        let row = Row::null().set("catalog_name", DATABASE);
        row.set("schema_name", name).set("schema_owner", ROLE)
    };
    class::NAMESPACES.map(row).into()
}

fn views(catalog: &Catalog) -> Vec<Row> {
    let of_kind = standard(catalog).filter(|relation| !is_table(relation));
    let never = ["is_updatable", "is_insertable_into", "is_trigger_updatable", "is_trigger_deletable"];
    let row = |view: &Relation| {
        let row = about("public", &view.name).set("view_definition", view_definition(view));
        let row = row.set("check_option", "NONE").set("is_trigger_insertable_into", "NO");
        never.into_iter().fold(row, |row, column| row.set(column, "NO"))
    };
    of_kind.map(row).collect()
}

fn keyed(catalog: &Catalog) -> impl Iterator<Item = (&Relation, &[usize])> {
    let relations = catalog.relations().map(AsRef::as_ref);
    relations.filter_map(|relation: &Relation| Some((relation, relation.primary_key()?)))
}

fn constraint(relation: &Relation) -> Row {
    about("public", &relation.name)
        .set("constraint_catalog", DATABASE)
        .set("constraint_schema", "public")
        .set("constraint_name", key_name(relation))
}

fn table_constraints(catalog: &Catalog) -> Vec<Row> {
    let row = |(relation, _): (&Relation, &[usize])| {
        constraint(relation)
            .set("constraint_type", "PRIMARY KEY")
            .set("is_deferrable", "NO")
            .set("initially_deferred", "NO")
            .set("enforced", "YES")
    };
    keyed(catalog).map(row).collect()
}

fn key_columns(catalog: &Catalog) -> Vec<Row> {
    let rows = keyed(catalog).flat_map(|(relation, key)| {
        key.iter().enumerate().map(|(position, column)| {
            constraint(relation)
                .set("column_name", relation.columns[*column].name.as_str())
                .set("ordinal_position", position as i64 + 1)
        })
    });
    rows.collect()
}

fn constraint_columns(catalog: &Catalog) -> Vec<Row> {
    let rows = keyed(catalog).flat_map(|(relation, key)| {
        let columns = key.iter().map(|column| relation.columns[*column].name.as_str());
        columns.map(|column| constraint(relation).set("column_name", column))
    });
    rows.collect()
}

fn routine(function: &Function) -> Row {
    Row::null()
        .set("specific_catalog", DATABASE)
        .set("specific_schema", "public")
        .set("specific_name", format!("{}_{}", function.name, of_function(function)))
        .set("routine_catalog", DATABASE)
        .set("routine_schema", "public")
        .set("routine_name", function.name.as_str())
        .set("routine_type", "FUNCTION")
        .set("data_type", type_name(function.returns))
        .set("type_udt_catalog", DATABASE)
        .set("type_udt_schema", "pg_catalog")
        .set("type_udt_name", column_type_name(function.returns))
        .set("dtd_identifier", "0")
        .set("routine_body", "SQL")
        .set("routine_definition", function.body.as_str())
        .set("external_language", "SQL")
        .set("is_null_call", yes_or_no(function.strict))
        .set("security_type", "INVOKER")
}

fn table_privileges(catalog: &Catalog) -> Vec<Row> {
    let rights = |relation: &Relation| match relation.kind {
        RelationKind::Table { .. } => ["INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE"].as_slice(),
        _ => &["SELECT"],
    };
    let rows = standard(catalog).flat_map(|relation| {
        rights(relation).iter().map(|right| {
            about("public", &relation.name)
                .set("grantor", ROLE)
                .set("grantee", ROLE)
                .set("privilege_type", *right)
                .set("is_grantable", "YES")
                .set("with_hierarchy", yes_or_no(*right == "SELECT"))
        })
    });
    rows.collect()
}
