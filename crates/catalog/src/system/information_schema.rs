//! The `information_schema`: the standard's view of what exists.

use springtide_types::SqlType;

use super::definitions::view_definition;
use super::keys::{ConstraintFacts, ConstraintKind, constraints, index_of};
use super::oids::of_function;
use super::rows::Row;
use super::types::{any_type_of, built_in_name, column_type};
use super::{DATABASE, ROLE, Rows, SystemRelation, namespaces, system_relations, type_name};
use crate::{Catalog, Column, DefaultKind, Function, Relation, RelationKind, Securable};

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
            Rows::Catalog(schemata),
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
            "information_schema.check_constraints",
            13_304,
            "constraint_catalog name, constraint_schema name, constraint_name name, check_clause text",
            Rows::Catalog(check_constraints),
        ),
        SystemRelation::new(
            "information_schema.referential_constraints",
            13_353,
            "constraint_catalog name, constraint_schema name, constraint_name name, \
                 unique_constraint_catalog name, unique_constraint_schema name, unique_constraint_name name, \
                 match_option text, update_rule text, delete_rule text",
            Rows::Catalog(referential_constraints),
        ),
        SystemRelation::new(
            "information_schema.sequences",
            13_387,
            "sequence_catalog name, sequence_schema name, sequence_name name, data_type text, \
                 numeric_precision int4, numeric_precision_radix int4, numeric_scale int4, start_value text, \
                 minimum_value text, maximum_value text, increment text, cycle_option text",
            Rows::Catalog(sequences),
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
            Rows::Catalog(|catalog| catalog.all_functions().map(|known| routine(catalog, known)).collect()),
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

/// Tables and plain views: the standard knows no materialized ones, and PostgreSQL does not list them either. Sequences
/// are listed apart.
fn standard(catalog: &Catalog) -> impl Iterator<Item = &Relation> {
    let known = |relation: &&Relation| {
        matches!(relation.kind, RelationKind::Table { .. } | RelationKind::View { .. })
    };
    catalog.relations().map(AsRef::as_ref).filter(known)
}

fn is_table(relation: &Relation) -> bool {
    matches!(relation.kind, RelationKind::Table { .. })
}

fn tables(catalog: &Catalog) -> Vec<Row> {
    let row = |(schema, name): (&str, &str), kind: &str, insertable: bool| {
        about(schema, name)
            .set("table_type", kind)
            .set("is_insertable_into", yes_or_no(insertable))
            .set("is_typed", "NO")
    };
    let own = standard(catalog).map(|it| {
        let kind = match it.in_schema.is_temporary() {
            _ if !is_table(it) => "VIEW",
            true => "LOCAL TEMPORARY",
            false => "BASE TABLE",
        };
        row((catalog.schema_name(it.in_schema), &it.name), kind, is_table(it))
    });
    let system = system_relations().iter().map(|it| {
        let kind = if it.kind == "r" { "BASE TABLE" } else { "VIEW" };
        row((it.schema, it.name), kind, false)
    });
    own.chain(system).collect()
}

fn columns(catalog: &Catalog) -> Vec<Row> {
    let own = standard(catalog).flat_map(|relation| {
        let columns = relation.columns.iter().enumerate();
        columns.map(|(position, found)| column(catalog, relation, position, found))
    });
    let system = system_relations().iter().flat_map(|relation| {
        let columns = relation.columns.iter().enumerate();
        columns.map(|(position, found)| {
            let known = column_type(found.type_name);
            let row = about(relation.schema, relation.name).set("column_name", found.name);
            any_column(row, position)
                .set("is_nullable", "YES")
                .set("is_identity", "NO")
                .set("is_updatable", "NO")
                .set("data_type", known.map(|known| built_in_name(known.oid, None)))
                .set("udt_name", known.map(|known| known.name.as_ref()))
        })
    });
    own.chain(system).collect()
}

fn column(catalog: &Catalog, relation: &Relation, position: usize, column: &Column) -> Row {
    let row = about(catalog.schema_name(relation.in_schema), &relation.name)
        .set("column_name", column.name.as_str());
    let row = match column.generated() {
        Some(expr) => row.set("is_generated", "ALWAYS").set("generation_expression", expr),
        None => row,
    };
    let row = any_column(row, position)
        .set("column_default", column.declared_default().map(|default| default.expr.as_str()))
        .set("is_nullable", yes_or_no(relation.is_nullable(position)))
        .set("is_updatable", yes_or_no(is_table(relation)));
    let row = match column.identity() {
        Some(DefaultKind::Always) => row.set("is_identity", "YES").set("identity_generation", "ALWAYS"),
        Some(_) => row.set("is_identity", "YES").set("identity_generation", "BY DEFAULT"),
        None => row.set("is_identity", "NO"),
    };
    typed(catalog, row, column.sql_type)
}

fn any_column(row: Row, position: usize) -> Row {
    row.set("ordinal_position", position as i64 + 1)
        .set("dtd_identifier", (position + 1).to_string())
        .set("udt_catalog", DATABASE)
        .set("udt_schema", "pg_catalog")
        .set("is_self_referencing", "NO")
        .set("identity_cycle", "NO")
        .set("is_generated", "NEVER")
}

/// What the standard says of a type: lengths in letters and bytes, precisions in their radix.
fn typed(catalog: &Catalog, row: Row, sql_type: SqlType) -> Row {
    let name = column_type_name(catalog, sql_type);
    let is_users = catalog.type_of(sql_type).is_some();
    let data_type = match sql_type {
        SqlType::Array(_) => "ARRAY".to_owned(),
        _ if is_users => "USER-DEFINED".to_owned(),
        _ => type_name(sql_type),
    };
    let row = row.set("data_type", data_type).set("udt_name", name);
    let row = if is_users { row.set("udt_schema", "public") } else { row };
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
        SqlType::Time | SqlType::Timetz | SqlType::Timestamp | SqlType::Timestamptz | SqlType::Interval => {
            row.set("datetime_precision", 6)
        }
        SqlType::Boolean
        | SqlType::Bytea
        | SqlType::Uuid
        | SqlType::Json
        | SqlType::Jsonb
        | SqlType::Jsonpath => row,
        SqlType::Enum(_) | SqlType::Array(_) => row,
    }
}

/// Bytes that PostgreSQL says a text may have, and that a letter may take.
const LONGEST_TEXT: i64 = 1 << 30;
const BYTES_OF_LETTER: i64 = 4;

fn column_type_name(catalog: &Catalog, sql_type: SqlType) -> Option<String> {
    any_type_of(catalog, i64::from(sql_type.oid())).map(|known| known.name.to_string())
}

fn schemata(catalog: &Catalog) -> Vec<Row> {
    let row = |name: &str, owner: String| {
        let row = Row::null().set("catalog_name", DATABASE);
        row.set("schema_name", name).set("schema_owner", owner)
    };
    let of_system = namespaces::OF_SYSTEM.iter().map(|(name, _)| row(name, ROLE.to_owned()));
    let owner = |id| catalog.roles().name(catalog.owner(Securable::Schema(id)));
    of_system.chain(catalog.schemas().map(|schema| row(&schema.name, owner(schema.id)))).collect()
}

fn views(catalog: &Catalog) -> Vec<Row> {
    let of_kind = standard(catalog).filter(|relation| !is_table(relation));
    let never = ["is_updatable", "is_insertable_into", "is_trigger_updatable", "is_trigger_deletable"];
    let row = |view: &Relation| {
        let row = about(catalog.schema_name(view.in_schema), &view.name)
            .set("view_definition", view_definition(view));
        let row = row.set("check_option", "NONE").set("is_trigger_insertable_into", "NO");
        never.into_iter().fold(row, |row, column| row.set(column, "NO"))
    };
    of_kind.map(row).collect()
}

fn all_constraints(catalog: &Catalog) -> impl Iterator<Item = ConstraintFacts<'_>> {
    catalog.relations().flat_map(|relation| constraints(catalog, relation))
}

fn constraint(catalog: &Catalog, constraint: &ConstraintFacts<'_>) -> Row {
    let schema = catalog.schema_name(constraint.table.in_schema);
    about(schema, &constraint.table.name)
        .set("constraint_catalog", DATABASE)
        .set("constraint_schema", schema)
        .set("constraint_name", constraint.name.as_str())
}

fn table_constraints(catalog: &Catalog) -> Vec<Row> {
    let row = |row: Row, kind: &str| {
        row.set("constraint_type", kind)
            .set("is_deferrable", "NO")
            .set("initially_deferred", "NO")
            .set("enforced", "YES")
    };
    let declared = all_constraints(catalog).map(|it| {
        let nulls = matches!(it.kind, ConstraintKind::Unique).then_some("YES");
        row(constraint(catalog, &it), it.kind.words()).set("nulls_distinct", nulls)
    });
    declared.collect()
}

fn key_columns(catalog: &Catalog) -> Vec<Row> {
    let rows = all_constraints(catalog).flat_map(|it| {
        let is_key = !matches!(it.kind, ConstraintKind::Check(_));
        let columns = if is_key { it.columns } else { &[] };
        let rows = columns.iter().enumerate().map(|(position, column)| {
            let row = constraint(catalog, &it)
                .set("column_name", it.table.columns[*column].name.as_str())
                .set("ordinal_position", position as i64 + 1);
            row.set("position_in_unique_constraint", position_in_referenced(&it.kind, position))
        });
        rows.collect::<Vec<_>>()
    });
    rows.collect()
}

/// Where in the key that it references the column of a foreign key stands.
fn position_in_referenced(kind: &ConstraintKind<'_>, position: usize) -> Option<i64> {
    let ConstraintKind::Foreign(key, referenced) = kind else { return None };
    let index = index_of(referenced, &key.referenced)?;
    let column = key.referenced.get(position)?;
    index.columns.iter().position(|known| known == column).map(|position| position as i64 + 1)
}

fn constraint_columns(catalog: &Catalog) -> Vec<Row> {
    let rows = all_constraints(catalog).flat_map(|it| {
        // A foreign key is said to use what it references.
        let (table, columns) = match &it.kind {
            ConstraintKind::Foreign(key, referenced) => (*referenced, key.referenced.as_slice()),
            _ => (it.table, it.columns),
        };
        let rows = columns.iter().map(|column| {
            let row = constraint(catalog, &it).set("column_name", table.columns[*column].name.as_str());
            row.set("table_name", table.name.as_str())
        });
        rows.collect::<Vec<_>>()
    });
    rows.collect()
}

fn check_constraints(catalog: &Catalog) -> Vec<Row> {
    let row = |constraint: ConstraintFacts<'_>| match constraint.kind {
        ConstraintKind::Check(expr) => Some(
            Row::null()
                .set("constraint_catalog", DATABASE)
                .set("constraint_schema", catalog.schema_name(constraint.table.in_schema))
                .set("constraint_name", constraint.name.as_str())
                .set("check_clause", format!("(({expr}))")),
        ),
        _ => None,
    };
    all_constraints(catalog).filter_map(row).collect()
}

fn referential_constraints(catalog: &Catalog) -> Vec<Row> {
    let row = |constraint: ConstraintFacts<'_>| match constraint.kind {
        ConstraintKind::Foreign(key, referenced) => Some(
            Row::null()
                .set("constraint_catalog", DATABASE)
                .set("constraint_schema", catalog.schema_name(constraint.table.in_schema))
                .set("constraint_name", constraint.name.as_str())
                .set("unique_constraint_catalog", DATABASE)
                .set("unique_constraint_schema", catalog.schema_name(referenced.in_schema))
                .set("unique_constraint_name", index_of(referenced, &key.referenced).map(|index| index.name))
                .set("match_option", "NONE")
                .set("update_rule", key.on_update.words())
                .set("delete_rule", key.on_delete.words()),
        ),
        _ => None,
    };
    all_constraints(catalog).filter_map(row).collect()
}

fn sequences(catalog: &Catalog) -> Vec<Row> {
    let row = |relation: &Relation| {
        let RelationKind::Sequence { options, owner, .. } = &relation.kind else { return None };
        if owner.is_some_and(|owner| owner.identity) {
            return None;
        }
        let bits = match options.sql_type {
            SqlType::Int2 => 16,
            SqlType::Int4 => 32,
            _ => 64,
        };
        Some(
            Row::null()
                .set("sequence_catalog", DATABASE)
                .set("sequence_schema", catalog.schema_name(relation.in_schema))
                .set("sequence_name", relation.name.as_str())
                .set("data_type", type_name(options.sql_type))
                .set("numeric_precision", bits)
                .set("numeric_precision_radix", 2)
                .set("numeric_scale", 0)
                .set("start_value", options.start.to_string())
                .set("minimum_value", options.min.to_string())
                .set("maximum_value", options.max.to_string())
                .set("increment", options.increment.to_string())
                .set("cycle_option", yes_or_no(options.cycle)),
        )
    };
    catalog.relations().filter_map(|relation| row(relation)).collect()
}

fn routine(catalog: &Catalog, function: &Function) -> Row {
    Row::null()
        .set("specific_catalog", DATABASE)
        .set("specific_schema", catalog.schema_name(function.in_schema))
        .set("specific_name", format!("{}_{}", function.name, of_function(function)))
        .set("routine_catalog", DATABASE)
        .set("routine_schema", catalog.schema_name(function.in_schema))
        .set("routine_name", function.name.as_str())
        .set("routine_type", "FUNCTION")
        .set("data_type", type_name(function.returns))
        .set("type_udt_catalog", DATABASE)
        .set("type_udt_schema", "pg_catalog")
        .set("type_udt_name", column_type_name(catalog, function.returns))
        .set("dtd_identifier", "0")
        .set("routine_body", "SQL")
        .set("routine_definition", function.body.as_str())
        .set("external_language", "SQL")
        .set("is_null_call", yes_or_no(function.strict))
        .set("security_type", "INVOKER")
}
