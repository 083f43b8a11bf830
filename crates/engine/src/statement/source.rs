//! CREATE and DROP SOURCE, as the calls that stand for them.

use springtide_catalog::{
    Catalog, Column, Name, Relation, RelationKind, Retention, Rules, SchemaId, SourceDefinition,
    source_columns,
};
use springtide_connectors::{Connector, Options, Table, connector, names};
use springtide_sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName,
};
use springtide_types::{Result, SqlError, SqlState};

use super::{Context, ast, ddl};
use crate::response::Response;
use crate::sources::position_row;
use crate::transaction::Transaction;

/// The procedure that stands for CREATE SOURCE.
pub(crate) const CREATE: &str = "springtide.create_source";
/// The procedure that stands for DROP SOURCE.
pub(crate) const DROP: &str = "springtide.drop_source";

/// CREATE SOURCE: the source, as a relation that holds its position, and the tables that it fills.
pub(super) fn create(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    call: &Function,
) -> Result<Response> {
    let tag = "CREATE SOURCE";
    let arguments = arguments(call)?;
    let (name, rest) = arguments.split_first().ok_or_else(|| unknown(call))?;
    let name = relation_name(name).ok_or_else(|| unknown(call))??;
    let texts = rest.iter().map(ast::string_literal).collect::<Option<Vec<_>>>();
    let Some([if_not_exists, kind, options @ ..]) = texts.as_deref() else { return Err(unknown(call)) };
    let mut catalog = transaction.catalog();
    let in_schema = catalog.schema_of_new(&name)?;
    if *if_not_exists == "true" && catalog.has_relation(in_schema, &name.name) {
        context.notices.push(ddl::skipping_existing(&name.name));
        return Ok(Response::complete(tag));
    }
    let definition = SourceDefinition { connector: (*kind).to_owned(), options: read_options(options)? };
    let tables = known_connector(kind)?.tables(&definition.options)?;
    let source = create_relation(
        &mut catalog,
        (in_schema, name.name),
        source_columns(),
        RelationKind::Source(definition),
    )?;
    for Table { name, columns } in tables {
        let columns = columns.into_iter().map(|(name, sql_type)| Column {
            name: name.to_owned(),
            sql_type,
            nullable: false,
            default: None,
            domain: None,
        });
        let kind = RelationKind::Table { primary_key: None, append_only: true, rules: Rules::default() };
        let table = create_relation(&mut catalog, (in_schema, name), columns.collect(), kind)?;
        catalog.replace(Relation { depends_on: vec![source.id], ..table });
    }
    transaction.set_catalog(catalog);
    transaction.write(&source, position_row(&source, 0, "")?, false)?;
    Ok(Response::complete(tag))
}

/// DROP SOURCE: the tables that it fills go with it.
pub(super) fn drop(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    call: &Function,
) -> Result<Response> {
    let arguments = arguments(call)?;
    let [if_exists, cascade, sources @ ..] = arguments.as_slice() else { return Err(unknown(call)) };
    let is_true = |expr| ast::string_literal(expr) == Some("true");
    let sources = sources.iter().map(|source| relation_name(source).ok_or_else(|| unknown(call))?);
    let sources = sources.collect::<Result<Vec<_>>>()?;
    ddl::drop_relations(context, transaction, "source", &sources, (is_true(if_exists), is_true(cascade)))
}

fn create_relation(
    catalog: &mut Catalog,
    (in_schema, name): (SchemaId, String),
    columns: Vec<Column>,
    kind: RelationKind,
) -> Result<Relation> {
    let (id, history) = (catalog.next_id(), Retention::default());
    let (depends_on, functions, types) = (Vec::new(), Vec::new(), Vec::new());
    let relation = Relation { id, in_schema, name, columns, kind, depends_on, functions, types, history };
    let created = catalog.create(relation)?;
    Ok(created.as_ref().clone())
}

fn known_connector(name: &str) -> Result<&'static dyn Connector> {
    connector(name).ok_or_else(|| {
        let message = format!("there are no sources from \"{name}\"");
        let known = names().map(str::to_uppercase).collect::<Vec<_>>().join(", ");
        SqlError::new(SqlState::UNDEFINED_OBJECT, message)
            .with_hint(format!("There are sources from {known}."))
    })
}

/// Names and values, by turns. Fails with `42601` if a name comes twice.
fn read_options(texts: &[&str]) -> Result<Options> {
    let mut options = Options::new();
    for option in texts.chunks_exact(2) {
        if options.insert(option[0].to_owned(), option[1].to_owned()).is_some() {
            let message = format!("option \"{}\" provided more than once", option[0]);
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message).with_hint("Leave one of them out."));
        }
    }
    Ok(options)
}

fn arguments(call: &Function) -> Result<Vec<Expr>> {
    let FunctionArguments::List(list) = &call.args else { return Err(unknown(call)) };
    let expr = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    list.args.iter().map(expr).collect::<Option<Vec<_>>>().ok_or_else(|| unknown(call))
}

/// A name, perhaps with a schema; `None` if it is something else.
fn relation_name(expr: &Expr) -> Option<Result<Name>> {
    let idents = match expr {
        Expr::Identifier(name) => vec![name.clone()],
        Expr::CompoundIdentifier(names) => names.clone(),
        _ => return None,
    };
    Some(springtide_sql::object_name(&ObjectName::from(idents)))
}

fn unknown(call: &Function) -> SqlError {
    let message = format!("procedure {} does not exist", call.name);
    SqlError::new(SqlState::UNDEFINED_FUNCTION, message)
}
