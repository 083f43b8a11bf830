//! The statements: each is bound once under a catalog, then run in a transaction, perhaps many times.

mod alter;
mod assignments;
mod ast;
mod call;
mod checks;
mod comment;
mod copy;
mod copy_in;
mod ddl;
mod declaration;
mod default_privileges;
mod domain;
mod drop_type;
mod explain;
mod foreign_key;
mod function;
mod function_result;
mod generated;
mod grant;
mod indexes;
mod insert;
mod matching;
mod merge;
mod modify;
mod ownership;
mod permission;
mod point_key;
mod point_read;
mod query;
mod references;
mod rename_type;
mod replace_view;
mod reshape;
mod returning;
mod role;
mod rules;
mod schema;
mod sequence;
mod sides;
mod source;
mod storage_options;
mod subject;
mod substitute;
mod target;
mod upsert;
mod user_type;

use std::borrow::Cow;

use datafusion::common::ScalarValue;
use springtide_catalog::{Catalog, Privilege, Relation};
use springtide_sql::sqlparser::ast as sql;
use springtide_sql::{Planner, Statement};
use springtide_types::{RelationId, Result, SqlError, SqlState, SqlType};

use crate::notice::Notice;
use crate::response::{Column, Response};
use crate::settings::AS_OF;
use crate::transaction::Transaction;

pub(crate) use ast::{assigned, cast_to, fold, parse_query, select};
pub(crate) use call::texts;
pub(crate) use copy_in::CopyIn;
pub(crate) use domain::DOMAIN_CALLS;
pub(crate) use permission::check;
pub(crate) use point_read::PointRead;
pub(crate) use references::follow;
pub(crate) use source::{CREATE as CREATE_SOURCE, DROP as DROP_SOURCE};
pub(crate) use target::{Target, filled};

/// The procedures that stand for statements about roles, owners and privileges.
pub(crate) const ROLE_CALLS: [&str; 12] = [
    "springtide.create_role",
    "springtide.alter_role",
    "springtide.rename_role",
    "springtide.drop_role",
    "springtide.grant_role",
    "springtide.revoke_role",
    "springtide.grant",
    "springtide.revoke",
    "springtide.alter_default",
    "springtide.alter_owner",
    "springtide.reassign_owned",
    "springtide.drop_owned",
];

/// The procedures that stand for statements about schemas.
pub(crate) const SCHEMA_CALLS: [&str; 3] = [schema::CREATE, schema::RENAME, schema::SET];

/// A statement bound under one catalog.
#[derive(Clone)]
pub(crate) enum Bound {
    Query(query::Select),
    Insert(Box<insert::Insert>),
    Update(modify::Update),
    Delete(modify::Delete),
    Merge(Box<merge::Merge>),
    Copy(copy_in::Copy),
    CopyOut(copy::CopyOut),
    /// Nothing to bind: it runs from its text.
    Text,
}

impl Bound {
    /// Types of the parameters, in order.
    pub(crate) fn parameters(&self) -> Vec<SqlType> {
        match self {
            Bound::Query(select) => select.parameters(),
            Bound::Insert(insert) => insert.parameters(),
            Bound::Update(update) => update.parameters(),
            Bound::Delete(delete) => delete.parameters(),
            Bound::Merge(merge) => merge.parameters(),
            Bound::Copy(_) | Bound::CopyOut(_) | Bound::Text => Vec::new(),
        }
    }

    /// The stored relations that it scans.
    pub(crate) fn scanned(&self) -> Cow<'_, [RelationId]> {
        match self {
            Bound::Query(select) => select.scanned().into(),
            Bound::Insert(insert) => insert.scanned().into(),
            Bound::Update(update) => update.scanned().into(),
            Bound::Delete(delete) => delete.scanned().into(),
            Bound::Merge(merge) => merge.scanned().into(),
            Bound::CopyOut(copy) => copy.select.scanned().into(),
            Bound::Copy(_) | Bound::Text => Cow::default(),
        }
    }

    /// The relations that it names, with what its role must be allowed to do with them.
    pub(crate) fn needs(&self, statement: &sql::Statement) -> Vec<(RelationId, Privilege)> {
        match (self, statement) {
            (Bound::Query(select), _) => read(select.depends_on()).collect(),
            (Bound::CopyOut(copy), _) => read(copy.select.depends_on()).collect(),
            (Bound::Insert(insert), _) => insert.needs(),
            (Bound::Update(update), sql::Statement::Update(ast)) => update.needs(ast),
            (Bound::Delete(delete), sql::Statement::Delete(ast)) => delete.needs(ast),
            (Bound::Merge(merge), _) => merge.needs(),
            (Bound::Copy(copy), _) => vec![(copy.table(), Privilege::Insert)],
            _ => Vec::new(),
        }
    }

    /// Whether its plan holds parameters of the session, and so is good for one execution alone.
    pub(crate) fn beyond_catalog(&self) -> bool {
        match self {
            Bound::Query(select) => select.beyond_catalog(),
            Bound::CopyOut(copy) => copy.select.beyond_catalog(),
            _ => false,
        }
    }

    /// Columns of the rows it returns, if it returns rows.
    pub(crate) fn columns(&self) -> Option<Vec<Column>> {
        match self {
            Bound::Query(select) => Some(select.columns()),
            Bound::Insert(insert) => insert.columns(),
            Bound::Update(update) => update.columns(),
            Bound::Delete(delete) => delete.columns(),
            Bound::Merge(merge) => merge.columns(),
            Bound::Copy(_) | Bound::CopyOut(_) | Bound::Text => None,
        }
    }

    /// The read by a key that it is, and nothing else.
    pub(crate) fn point_read(&self) -> Option<&PointRead> {
        match self {
            Bound::Query(select) => select.point_read(),
            _ => None,
        }
    }

    /// Whether rows that it returns may hold numbers of sequences, taken as they are computed.
    pub(crate) fn draws(&self) -> bool {
        match self {
            Bound::Query(select) => select.draws(),
            Bound::CopyOut(copy) => copy.select.draws(),
            _ => false,
        }
    }

    /// Whether it is known to do nothing but read.
    pub(crate) fn only_reads(&self) -> bool {
        matches!(self, Bound::Query(_) | Bound::CopyOut(_))
    }

    /// Whether it may change a table.
    pub(crate) fn writes(&self) -> bool {
        matches!(
            self,
            Bound::Insert(_) | Bound::Update(_) | Bound::Delete(_) | Bound::Merge(_) | Bound::Copy(_)
        )
    }

    /// Fails with `25006` unless it only reads: nothing can be changed in the past.
    pub(crate) fn check_past(&self, statement: &Statement) -> Result<()> {
        let explains =
            matches!(statement.ast, sql::Statement::Explain { .. } | sql::Statement::ExplainTable { .. });
        if explains || self.only_reads() {
            return Ok(());
        }
        let message = format!("cannot execute {} while {AS_OF} is set", statement_name(&statement.ast));
        Err(SqlError::new(SqlState::READ_ONLY_SQL_TRANSACTION, message)
            .with_hint(format!("RESET {AS_OF} to return to the present.")))
    }
}

/// The relations, each to be read.
fn read(relations: &[RelationId]) -> impl Iterator<Item = (RelationId, Privilege)> {
    relations.iter().map(|relation| (*relation, Privilege::Select))
}

/// What statements need of the session that runs them.
pub(crate) struct Context<'a> {
    pub(crate) planner: &'a Planner,
    pub(crate) notices: &'a mut Vec<Notice>,
}

/// Binds a statement under a catalog. Parameter types that are not given are inferred.
pub(crate) fn bind(
    planner: &Planner,
    catalog: &Catalog,
    statement: &Statement,
    parameters: &[Option<SqlType>],
) -> Result<Bound> {
    Ok(match &statement.ast {
        sql::Statement::Query(query) => {
            if let sql::SetExpr::Merge(sql::Statement::Merge(merge)) = query.body.as_ref() {
                let with = query.with.as_ref();
                let bound = merge::Merge::bind(planner, catalog, merge, with, &statement.write, parameters)?;
                return Ok(Bound::Merge(Box::new(bound)));
            }
            Bound::Query(query::Select::bind(planner, catalog, query, parameters)?)
        }
        sql::Statement::Insert(insert) => {
            let bound = insert::Insert::bind(planner, catalog, insert, &statement.write, parameters)?;
            Bound::Insert(Box::new(bound))
        }
        sql::Statement::Update(update) => Bound::Update(modify::Update::bind(
            planner,
            catalog,
            update,
            &statement.write.returning,
            parameters,
        )?),
        sql::Statement::Delete(delete) => Bound::Delete(modify::Delete::bind(
            planner,
            catalog,
            delete,
            &statement.write.returning,
            parameters,
        )?),
        sql::Statement::Merge(merge) => {
            let bound = merge::Merge::bind(planner, catalog, merge, None, &statement.write, parameters)?;
            Bound::Merge(Box::new(bound))
        }
        sql::Statement::Copy { .. } => copy::bind(planner, catalog, statement)?,
        _ => Bound::Text,
    })
}

/// Runs a bound statement in a transaction.
pub(crate) async fn run(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    statement: &Statement,
    bound: &Bound,
    parameters: &[ScalarValue],
) -> Result<Response> {
    let planner = context.planner;
    check(transaction.visible_catalog(), transaction.identity().current, statement, bound)?;
    // Those of a statement that failed in the middle, from which the transaction has gone back.
    transaction.take_changes();
    let response = match bound {
        Bound::Query(select) => select.respond(planner, transaction, parameters).await?,
        Bound::Insert(insert) => insert.run(planner, transaction, parameters).await?,
        Bound::Update(update) => update.run(planner, transaction, parameters).await?,
        Bound::Delete(delete) => delete.run(planner, transaction, parameters).await?,
        Bound::Merge(merge) => merge.run(planner, transaction, parameters).await?,
        Bound::Copy(copy) => Response::CopyIn { columns: copy.columns(), binary: copy.is_binary() },
        Bound::CopyOut(copy) => {
            let batches = copy.select.stream(planner, transaction, parameters).await?;
            Response::CopyOut { columns: copy.select.columns(), batches, format: copy.format.clone() }
        }
        Bound::Text => {
            let (before, role) = (transaction.kept_catalog(), transaction.identity().current);
            let response = run_text(context, transaction, statement).await?;
            permission::check_new(&before, transaction.visible_catalog(), role)?;
            response
        }
    };
    references::follow(planner, transaction).await?;
    Ok(response)
}

async fn run_text(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    statement: &Statement,
) -> Result<Response> {
    match &statement.ast {
        sql::Statement::CreateTable(create) => ddl::create_table(context, transaction, create).await,
        sql::Statement::CreateView(create) => ddl::create_view(context, transaction, create),
        sql::Statement::CreateType { name, representation } => {
            user_type::create(transaction, name, representation.as_ref())
        }
        sql::Statement::AlterType(alter) => user_type::alter(context, transaction, alter),
        sql::Statement::Drop { object_type: sql::ObjectType::Type, if_exists, names, cascade, .. } => {
            drop_type::drop(context, transaction, (names, "type"), (*if_exists, *cascade)).await
        }
        sql::Statement::DropDomain(drop) => {
            let cascade = drop.drop_behavior == Some(sql::DropBehavior::Cascade);
            let names = std::slice::from_ref(&drop.name);
            drop_type::drop(context, transaction, (names, "domain"), (drop.if_exists, cascade)).await
        }
        sql::Statement::Drop { object_type, if_exists, names, cascade, .. } => {
            ddl::drop(context, transaction, object_type, *if_exists, names, *cascade)
        }
        sql::Statement::AlterTable(alter) => alter::alter(context, transaction, alter).await,
        sql::Statement::CreateFunction(create) => function::create(context, transaction, create),
        sql::Statement::DropFunction(drop) => function::drop(context, transaction, drop),
        sql::Statement::Truncate(truncate) => modify::truncate(context, transaction, truncate).await,
        sql::Statement::Call(call) => match call.name.to_string().as_str() {
            source::CREATE => source::create(context, transaction, call),
            source::DROP => source::drop(context, transaction, call),
            name if DOMAIN_CALLS.contains(&name) => domain::run(context, transaction, call).await,
            schema::CREATE => schema::create(context, transaction, call).await,
            schema::RENAME => schema::rename(transaction, call),
            schema::SET => schema::set(context, transaction, call),
            name if ROLE_CALLS.contains(&name) => run_of_roles(context, transaction, call),
            _ => sequence::run(context, transaction, call),
        },
        sql::Statement::CreateIndex(create) => indexes::create(context, transaction, create).await,
        sql::Statement::Explain { statement, analyze, format, options, .. } => {
            let options = options.as_deref().unwrap_or_default();
            let options = explain::Options::new(*analyze, format.as_ref(), options)?;
            explain::explain(context.planner, transaction, statement, &options).await
        }
        sql::Statement::Comment { object_type, object_name, comment, if_exists } => {
            comment::comment(context, transaction, *object_type, object_name, comment.as_deref(), *if_exists)
        }
        sql::Statement::ExplainTable { table_name, hive_format, .. } => {
            // What EXPLAIN ANALYZE is written as.
            let analyze = matches!(hive_format, Some(sql::HiveDescribeFormat::Extended));
            explain::explain_relation(context.planner, transaction, table_name, analyze).await
        }
        other => Err(SqlError::unsupported(statement_name(other))),
    }
}

/// Runs a statement about roles, owners or privileges.
fn run_of_roles(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    call: &sql::Function,
) -> Result<Response> {
    let runs = [role::run, grant::run, default_privileges::run, ownership::run];
    for run in runs {
        if let Some(response) = run(context, transaction, call)? {
            return Ok(response);
        }
    }
    Err(call::unknown(call))
}

/// The first words of a statement, for messages: `ALTER TABLE`.
fn statement_name(statement: &sql::Statement) -> String {
    let text = statement.to_string();
    let words = text.split_whitespace().take_while(|word| word.chars().all(|c| c.is_ascii_uppercase()));
    let words = words.take(2).collect::<Vec<_>>();
    if words.is_empty() { "this statement".to_owned() } else { words.join(" ") }
}

/// Position of a column of a table, or `42703`.
fn column_position(table: &Relation, name: &sql::Ident) -> Result<usize> {
    let name = ast::fold(name);
    table.columns.iter().position(|column| column.name == name).ok_or_else(|| {
        let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
        SqlError::new(SqlState::UNDEFINED_COLUMN, message)
    })
}

/// Position of a column that an index is to be over, or `42703`.
fn column_position_of_key(table: &Relation, name: &sql::Ident) -> Result<usize> {
    let name = ast::fold(name);
    table.columns.iter().position(|column| column.name == name).ok_or_else(|| {
        let message = format!("column \"{name}\" does not exist");
        SqlError::new(SqlState::UNDEFINED_COLUMN, message)
    })
}

/// Positions of several columns of a table, each once.
pub(crate) fn column_positions(table: &Relation, names: &[sql::Ident]) -> Result<Vec<usize>> {
    let mut positions = Vec::new();
    for name in names {
        let position = column_position(table, name)?;
        if positions.contains(&position) {
            let message = format!("column \"{}\" specified more than once", ast::fold(name));
            return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message));
        }
        positions.push(position);
    }
    Ok(positions)
}

fn internal(error: arrow::error::ArrowError) -> SqlError {
    SqlError::internal(error.to_string())
}
