//! CREATE and DROP. They change the catalog of the transaction; the sequencer makes it so at the commit.

use std::sync::Arc;

use arrow::array::new_empty_array;
use springtide_catalog::{
    Catalog, Column, DefaultKind, Name, OnCommit, Relation, RelationKind, Rules, SchemaId,
};
use springtide_datetime::within;
use springtide_sql::sqlparser::ast as sql;
use springtide_sql::sqlparser::ast::{
    CreateTable, CreateTableOptions, CreateView, ObjectName, ObjectType, Query, SetExpr, ViewColumnDef,
};
use springtide_sql::{BoundQuery, Planner};
use springtide_types::{RelationId, Result, SqlError, SqlState};

use super::query::Select;
use super::storage_options::StorageOptions;
use super::target::Target;
use super::{Context, ast, declaration, indexes, permission, replace_view, schema};
use crate::notice::Notice;
use crate::response::Response;
use crate::transaction::Transaction;

/// CREATE TABLE, with a column list or AS a query.
pub(super) async fn create_table(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    create: &CreateTable,
) -> Result<Response> {
    let name = springtide_sql::object_name(&create.name)?;
    let mut catalog = transaction.catalog();
    refuse_unsupported(create)?;
    let in_schema = place(&mut catalog, &name, create.temporary)?;
    let name = name.name;
    let exists = catalog.has_relation(in_schema, &name);
    if create.if_not_exists && exists {
        context.notices.push(skipping_existing(&name));
        let tag = if create.query.is_some() { "CREATE TABLE AS" } else { "CREATE TABLE" };
        return Ok(Response::complete(tag));
    }
    catalog.check_name_is_free(in_schema, &name)?;
    let options = StorageOptions::of_table(&create.table_options)?;
    let Some(query) = &create.query else {
        let history = options.history.unwrap_or_default();
        let declared = declaration::declared(context, &mut catalog, (in_schema, &name), create)?;
        let append_only = options.append_only.unwrap_or(false);
        let id = declaration::create(
            context.planner,
            &mut catalog,
            (in_schema, name),
            declared,
            (append_only, history),
        )?;
        catalog.set_on_commit(id, on_commit(create)?);
        transaction.set_catalog(catalog);
        return Ok(Response::complete("CREATE TABLE"));
    };
    let select = Select::bind(context.planner, &transaction.query_catalog(), query, &[])?;
    permission::may_read_all(&catalog, transaction.identity().current, select.depends_on())?;
    let columns = select.table_columns();
    check_column_names(&columns)?;
    let append_only = options.append_only.unwrap_or(false);
    let kind = RelationKind::Table { primary_key: None, append_only, rules: Rules::default() };
    let (id, history) = (catalog.next_id(), options.history.unwrap_or_default());
    let (depends_on, functions, types) = (Vec::new(), Vec::new(), Vec::new());
    let table = Relation { id, in_schema, name, columns, kind, depends_on, functions, types, history };
    let table = catalog.create(table)?;
    catalog.set_on_commit(table.id, on_commit(create)?);
    let batches = select.collect(context.planner, transaction, &[]).await?;
    let table = Target::new(context.planner, &catalog, table)?;
    transaction.set_catalog(catalog);
    let count = super::insert::write_all(context.planner, transaction, &table, &batches).await?;
    Ok(Response::complete(format!("SELECT {count}")))
}

/// What becomes of a temporary table at the end of a transaction. Fails with `42P16` if that is said of another one.
fn on_commit(create: &CreateTable) -> Result<OnCommit> {
    let said = match &create.on_commit {
        None => return Ok(OnCommit::PreserveRows),
        Some(sql::OnCommit::PreserveRows) => OnCommit::PreserveRows,
        Some(sql::OnCommit::DeleteRows) => OnCommit::DeleteRows,
        Some(sql::OnCommit::Drop) => OnCommit::Drop,
    };
    let in_temporary = springtide_sql::object_name(&create.name)?.schema.as_deref() == Some("pg_temp");
    if !create.temporary && !in_temporary {
        let message = "ON COMMIT can only be used on temporary tables";
        return Err(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message));
    }
    Ok(said)
}

/// CREATE \[MATERIALIZED\] VIEW.
pub(super) fn create_view(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    create: &CreateView,
) -> Result<Response> {
    let tag = if create.materialized { "CREATE MATERIALIZED VIEW" } else { "CREATE VIEW" };
    let name = springtide_sql::object_name(&create.name)?;
    let mut catalog = transaction.catalog();
    if create.temporary && create.materialized {
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"MATERIALIZED\""));
    }
    let mut in_schema = place(&mut catalog, &name, create.temporary)?;
    let name = name.name;
    if create.if_not_exists && catalog.has_relation(in_schema, &name) {
        context.notices.push(skipping_existing(&name));
        return Ok(Response::complete(tag));
    }
    if create.or_alter {
        return Err(SqlError::unsupported("CREATE OR ALTER VIEW"));
    }
    let made = view(context, &catalog, create)?;
    if !in_schema.is_temporary() && names_temporary(&catalog, &made.depends_on) {
        if create.materialized {
            let message = "materialized views must not use temporary tables or views";
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        in_schema = catalog.temporary_schema()?;
        context.notices.push(Notice::new(format!("view \"{name}\" will be a temporary view")));
    }
    let mut made = Relation { in_schema, name, ..made };
    if let Some(known) = catalog.find_in(in_schema, &made.name).filter(|_| create.or_replace).cloned() {
        made.history = view_options(create)?.history.unwrap_or(known.history);
        replace_view::replace(context.planner, &mut catalog, &known, made)?;
        transaction.set_catalog(catalog);
        return Ok(Response::complete(tag));
    }
    catalog.create(made)?;
    transaction.set_catalog(catalog);
    Ok(Response::complete(tag))
}

/// A view, but for its name. What its query reads and writes of moments does not depend on the settings of a session.
fn view(context: &Context<'_>, catalog: &Catalog, create: &CreateView) -> Result<Relation> {
    within(&Arc::default(), || settled_view(context, catalog, create))
}

fn settled_view(context: &Context<'_>, catalog: &Catalog, create: &CreateView) -> Result<Relation> {
    let mut query = springtide_sql::printable(create.query.as_ref().clone())?;
    refuse_changes(&query)?;
    let mut bound = context.planner.bind(&query, catalog, &[])?;
    if !bound.parameters().is_empty() {
        let message = "there is no parameter $1";
        return Err(SqlError::new(SqlState::UNDEFINED_PARAMETER, message));
    }
    if !create.columns.is_empty() {
        query = renamed(&query, &create.columns, &bound.columns())?;
        bound = context.planner.bind(&query, catalog, &[])?;
    }
    let columns = bound.columns();
    check_column_names(&columns)?;
    springtide_sql::qualified(catalog).query(&mut query)?;
    let text = springtide_sql::query_text(&query);
    let (depends_on, functions) = (bound.depends_on().to_vec(), bound.functions().to_vec());
    let types = bound.types().to_vec();
    let kind = if create.materialized {
        if columns.is_empty() {
            return Err(SqlError::unsupported("a materialized view without columns")
                .with_hint("Count the rows instead: SELECT count(*) FROM ..."));
        }
        let plan = Arc::new(context.planner.lower(&bound, catalog)?);
        RelationKind::MaterializedView { query: text, plan }
    } else {
        RelationKind::View { query: text }
    };
    let history = view_options(create)?.history.unwrap_or_default();
    let (id, in_schema, name) = (catalog.next_id(), SchemaId::PUBLIC, String::new());
    Ok(Relation { id, in_schema, name, columns, kind, depends_on, functions, types, history })
}

/// The schema in which something new comes to be. Fails with `42P16` if it is to be temporary somewhere else.
pub(super) fn place(catalog: &mut Catalog, name: &Name, temporary: bool) -> Result<SchemaId> {
    match name.schema.as_deref() {
        Some("pg_temp") => catalog.temporary_schema(),
        None if temporary => catalog.temporary_schema(),
        Some(schema) if temporary && catalog.schema(schema) != catalog.path().temporary() => {
            let message = "cannot create temporary relation in non-temporary schema";
            Err(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message))
        }
        _ => catalog.schema_of_new(name),
    }
}

/// Whether something of these goes with the session.
fn names_temporary(catalog: &Catalog, relations: &[RelationId]) -> bool {
    let relations = relations.iter().filter_map(|id| catalog.by_id(*id));
    relations.into_iter().any(|relation| relation.in_schema.is_temporary())
}

fn view_options(create: &CreateView) -> Result<StorageOptions> {
    match &create.options {
        CreateTableOptions::None => Ok(StorageOptions::default()),
        CreateTableOptions::With(options) if create.materialized => StorageOptions::of_history(options),
        _ => Err(SqlError::unsupported("an option of a plain view")),
    }
}

/// `AS INSERT …` parses as a query, but none that a view can have.
fn refuse_changes(query: &Query) -> Result<()> {
    let word = match query.body.as_ref() {
        SetExpr::Insert(_) => "INSERT",
        SetExpr::Update(_) => "UPDATE",
        SetExpr::Delete(_) => "DELETE",
        SetExpr::Merge(_) => "MERGE",
        _ => return Ok(()),
    };
    Err(SqlError::new(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{word}\"")))
}

/// The query under the column names that the view gives it; columns without a new name keep theirs.
fn renamed(query: &Query, names: &[ViewColumnDef], columns: &[Column]) -> Result<Query> {
    if names.len() > columns.len() {
        let message = "CREATE VIEW specifies more column names than columns";
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
    }
    let given = names.iter().map(|column| ast::fold(&column.name));
    let kept = columns[names.len()..].iter().map(|column| column.name.clone());
    let names = given.chain(kept).map(|name| ast::quoted(&name).to_string());
    let names = names.collect::<Vec<_>>().join(", ");
    ast::parse_query(&format!("SELECT * FROM ({query}) AS \"?view?\" ({names})"))
}

/// DROP TABLE, VIEW and MATERIALIZED VIEW.
pub(super) fn drop(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    object_type: &ObjectType,
    if_exists: bool,
    names: &[ObjectName],
    cascade: bool,
) -> Result<Response> {
    let kind = match object_type {
        ObjectType::Table => "table",
        ObjectType::View => "view",
        ObjectType::MaterializedView => "materialized view",
        ObjectType::Sequence => "sequence",
        ObjectType::Schema => return schema::drop(context, transaction, names, (if_exists, cascade)),
        ObjectType::Index => return drop_indexes(context, transaction, names, (if_exists, cascade)),
        other => return Err(SqlError::unsupported(format!("DROP {other}"))),
    };
    let names = names.iter().map(springtide_sql::object_name).collect::<Result<Vec<_>>>()?;
    drop_relations(context, transaction, kind, &names, (if_exists, cascade))
}

/// Drops relations, which have to be of this kind.
pub(super) fn drop_relations(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    kind: &str,
    names: &[Name],
    (if_exists, cascade): (bool, bool),
) -> Result<Response> {
    let mut catalog = transaction.catalog();
    let mut ids = Vec::new();
    for name in names {
        match catalog.find(name) {
            Some(relation) => {
                check_kind(relation, kind)?;
                ids.push(relation.id);
            }
            None if if_exists => {
                let missing = catalog.check_schema(name).err().map(|error| error.message);
                let missing = missing.unwrap_or_else(|| format!("{kind} \"{}\" does not exist", name.name));
                context.notices.push(Notice::new(format!("{missing}, skipping")));
            }
            None => {
                catalog.check_schema(name)?;
                let message = format!("{kind} \"{}\" does not exist", name.name);
                return Err(SqlError::new(SqlState::UNDEFINED_TABLE, message));
            }
        }
    }
    if !ids.is_empty() {
        let dropped = catalog.drop(&ids, cascade)?;
        context.notices.extend(Notice::of_cascade(&dropped.cascaded));
        transaction.set_catalog(catalog);
    }
    Ok(Response::complete(format!("DROP {}", kind.to_uppercase())))
}

fn drop_indexes(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    names: &[ObjectName],
    how: (bool, bool),
) -> Result<Response> {
    let mut catalog = transaction.catalog();
    for name in names {
        indexes::drop(context, &mut catalog, &springtide_sql::object_name(name)?, how)?;
    }
    transaction.set_catalog(catalog);
    Ok(Response::complete("DROP INDEX"))
}

fn check_kind(relation: &Relation, kind: &str) -> Result<()> {
    if relation.kind_name() == kind {
        return Ok(());
    }
    let article = |kind: &str| format!("a {kind}");
    let message = format!("\"{}\" is not {}", relation.name, article(kind));
    let hint = format!(
        "Use DROP {} to remove {}.",
        relation.kind_name().to_uppercase(),
        article(relation.kind_name())
    );
    Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).with_hint(hint))
}

pub(super) fn skipping_existing(name: &str) -> Notice {
    let mut notice = Notice::new(format!("relation \"{name}\" already exists, skipping"));
    notice.error.sqlstate = SqlState::DUPLICATE_TABLE;
    notice
}

fn refuse_unsupported(create: &CreateTable) -> Result<()> {
    let construct = if create.or_replace {
        "CREATE OR REPLACE TABLE"
    } else if create.external {
        "CREATE EXTERNAL TABLE"
    } else if create.inherits.is_some() {
        "CREATE TABLE ... INHERITS"
    } else if create.partition_by.is_some() || create.partition_of.is_some() {
        "CREATE TABLE ... PARTITION"
    } else if create.query.is_some() && !create.columns.is_empty() {
        "CREATE TABLE ... AS with a column list"
    } else {
        return Ok(());
    };
    Err(SqlError::unsupported(construct))
}

pub(super) fn check_column_names(columns: &[Column]) -> Result<()> {
    for (position, column) in columns.iter().enumerate() {
        if columns[..position].iter().any(|other| other.name == column.name) {
            let message = format!("column \"{}\" specified more than once", column.name);
            return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message));
        }
    }
    Ok(())
}

/// Fails with `42804` unless the column can take values of the type of its DEFAULT.
pub(super) fn check_default_type(bound: &BoundQuery, column: &Column) -> Result<()> {
    let given =
        bound.columns().iter().map(|given| new_empty_array(&given.sql_type.arrow())).collect::<Vec<_>>();
    springtide_sql::assign(&given, &[column]).map(|_| ()).map_err(|error| SqlError {
        message: error.message.replacen(" but expression ", " but default expression ", 1),
        ..error
    })
}

/// A DEFAULT must be an expression without columns whose value the column can take. Notes the functions
/// that it calls.
pub(super) fn check_defaults(planner: &Planner, catalog: &Catalog, columns: &mut [Column]) -> Result<()> {
    for column in columns {
        name_sequences(catalog, column)?;
        let bound = super::insert::bind_default(planner, catalog, column)?;
        let Some(bound) = bound else { continue };
        check_default_type(&bound, column)?;
        if let Some(default) = &mut column.default {
            default.functions = bound.functions().to_vec();
        }
    }
    Ok(())
}

/// Notes which sequences a DEFAULT takes numbers of.
fn name_sequences(catalog: &Catalog, column: &mut Column) -> Result<()> {
    let Some(default) = column.default.as_mut().filter(|default| !default.kind.is_identity()) else {
        return Ok(());
    };
    let mut expr = ast::parse_expr(&default.expr)?;
    if springtide_sql::qualified(catalog).expr(&mut expr)? {
        default.expr = expr.to_string();
    }
    let names = springtide_sql::name_sequences(&mut expr);
    if names.is_empty() {
        return Ok(());
    }
    default.sequences.clear();
    for name in &names {
        let name = springtide_sql::object_name(&ast::parse_name(name)?)?;
        let sequence = catalog.for_stored().get(&name)?.clone();
        default.sequences.push(sequence.id);
    }
    if springtide_sql::is_next_number(&expr) {
        default.kind = DefaultKind::Next;
    }
    default.expr = expr.to_string();
    Ok(())
}
