//! CREATE and ALTER SEQUENCE, and the sequences of serial columns and identities.

use std::sync::Arc;

use springtide_catalog::{
    Catalog, Counter, Name, Position, Relation, RelationKind, Retention, SchemaId, SequenceOptions,
    SequenceOwner, Types, sequence_columns, type_limits,
};
use springtide_sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName,
    SequenceOptions as SequenceOption, UnaryOperator, Value, ValueWithSpan,
};
use springtide_types::{RelationId, Result, SqlError, SqlState, SqlType};

use super::{Context, ast};
use crate::notice::Notice;
use crate::response::Response;
use crate::transaction::Transaction;

/// What a statement says of a sequence.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Type(SqlType),
    Increment(i64),
    /// `None` is the default.
    Min(Option<i64>),
    Max(Option<i64>),
    Start(i64),
    /// At the start if no number is said.
    Restart(Option<i64>),
    Cache(i64),
    Cycle(bool),
    /// By a column, or by none.
    Owned(Option<Vec<Ident>>),
    /// It goes with the session.
    Temporary,
}

fn is_temporary(said: &[Said]) -> bool {
    said.contains(&Said::Temporary)
}

/// Runs `CALL springtide.create_sequence(...)` and `CALL springtide.alter_sequence(...)`, which stand for the statements.
pub(super) fn run(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    call: &Function,
) -> Result<Response> {
    let (name, exists, said) = arguments(call)?;
    let mut catalog = transaction.catalog();
    let tag = match call.name.to_string().as_str() {
        "springtide.create_sequence" => {
            let tag = "CREATE SEQUENCE";
            let in_schema = super::ddl::place(&mut catalog, &name, is_temporary(&said))?;
            if exists && catalog.has_relation(in_schema, &name.name) {
                context.notices.push(super::ddl::skipping_existing(&name.name));
                return Ok(Response::complete(tag));
            }
            let id = create(&mut catalog, (in_schema, name.name), &said)?;
            own(&mut catalog, id, &said)?;
            tag
        }
        _ => {
            let tag = "ALTER SEQUENCE";
            if exists && catalog.find(&name).is_none() {
                let message = format!("relation \"{name}\" does not exist, skipping");
                context.notices.push(Notice::new(message));
                return Ok(Response::complete(tag));
            }
            alter(&mut catalog, &name, &said)?;
            tag
        }
    };
    transaction.set_catalog(catalog);
    Ok(Response::complete(tag))
}

/// Makes a sequence for a column that is being declared: `table_column_seq`. Returns its identity and name.
pub(super) fn create_for_column(
    catalog: &mut Catalog,
    in_schema: SchemaId,
    (table, column): (&str, &str),
    sql_type: SqlType,
    options: &[SequenceOption],
) -> Result<(RelationId, String)> {
    let mut said = vec![Said::Type(sql_type)];
    said.extend(options.iter().map(said_of).collect::<Result<Vec<_>>>()?);
    let name = Catalog::free_name(&[table, column], "seq", |name| catalog.has_relation(in_schema, name));
    Ok((create(catalog, (in_schema, name.clone()), &said)?, name))
}

/// Lets a sequence go with a column.
pub(super) fn set_owner(catalog: &mut Catalog, sequence: RelationId, owner: Option<SequenceOwner>) {
    let Some(relation) = catalog.by_id(sequence).cloned() else { return };
    if let RelationKind::Sequence { options, counter, .. } = &relation.kind {
        let (options, counter) = (options.clone(), counter.clone());
        let kind = RelationKind::Sequence { options, owner, counter };
        catalog.replace(Relation { kind, ..relation.as_ref().clone() });
    }
}

/// The sequences that go with columns of a table begin again.
pub(super) fn restart_owned(catalog: &mut Catalog, table: RelationId) {
    for relation in catalog.relations().cloned().collect::<Vec<_>>() {
        if let RelationKind::Sequence { options, owner: Some(owner), .. } = &relation.kind
            && owner.table == table
        {
            let counter = Arc::new(Counter::new(options));
            let kind = RelationKind::Sequence { options: options.clone(), owner: Some(*owner), counter };
            catalog.replace(Relation { kind, ..relation.as_ref().clone() });
        }
    }
}

fn create(catalog: &mut Catalog, (in_schema, name): (SchemaId, String), said: &[Said]) -> Result<RelationId> {
    let options = options(None, said)?;
    let counter = Arc::new(Counter::new(&options));
    let id = catalog.next_id();
    catalog.create(Relation {
        id,
        in_schema,
        name,
        columns: sequence_columns(),
        kind: RelationKind::Sequence { options, owner: None, counter },
        depends_on: Vec::new(),
        functions: Vec::new(),
        types: Vec::new(),
        history: Retention::default(),
    })?;
    Ok(id)
}

fn alter(catalog: &mut Catalog, name: &Name, said: &[Said]) -> Result<()> {
    let relation = catalog.get(name)?.clone();
    let RelationKind::Sequence { options: known, owner, counter } = &relation.kind else {
        let message = format!("\"{}\" is not a sequence", name.name);
        return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
    };
    let options = options(Some(known), said)?;
    let restart = said.iter().find_map(|said| match said {
        Said::Restart(at) => Some(at.unwrap_or(options.start)),
        _ => None,
    });
    let last = restart.unwrap_or(counter.position().last);
    check_within("RESTART", last, &options)?;
    let counter = match restart {
        Some(last) => Arc::new(Counter::at(Position { last, called: false })),
        None => counter.clone(),
    };
    let kind = RelationKind::Sequence { options, owner: *owner, counter };
    catalog.replace(Relation { kind, ..relation.as_ref().clone() });
    own(catalog, relation.id, said)
}

/// OWNED BY
fn own(catalog: &mut Catalog, sequence: RelationId, said: &[Said]) -> Result<()> {
    let owned = said.iter().find_map(|said| match said {
        Said::Owned(by) => Some(by),
        _ => None,
    });
    let Some(by) = owned else { return Ok(()) };
    if let Some(RelationKind::Sequence { owner: Some(SequenceOwner { identity: true, table, .. }), .. }) =
        catalog.by_id(sequence).map(|relation| &relation.kind)
    {
        let name = |id: RelationId| catalog.by_id(id).map_or_else(String::new, |it| it.name.clone());
        let detail = format!("Sequence \"{}\" is linked to table \"{}\".", name(sequence), name(*table));
        let message = "cannot change ownership of identity sequence";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_detail(detail));
    }
    let Some(names) = by else {
        set_owner(catalog, sequence, None);
        return Ok(());
    };
    let Some((column, table)) = names.split_last().filter(|(_, table)| !table.is_empty()) else {
        let message = "invalid OWNED BY option";
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, message)
            .with_hint("Specify OWNED BY table.column or OWNED BY NONE."));
    };
    let table = catalog.get(&springtide_sql::object_name(&ObjectName::from(table.to_vec()))?)?.clone();
    if !matches!(table.kind, RelationKind::Table { .. }) {
        let message = format!("sequence cannot be owned by relation \"{}\"", table.name);
        return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
    }
    let position = table.columns.iter().position(|known| known.name == ast::fold(column));
    let column = position.ok_or_else(|| {
        let message =
            format!("column \"{}\" of relation \"{}\" does not exist", ast::fold(column), table.name);
        SqlError::new(SqlState::UNDEFINED_COLUMN, message)
    })?;
    set_owner(catalog, sequence, Some(SequenceOwner { table: table.id, column, identity: false }));
    Ok(())
}

/// The options of a sequence, which has others already if it is changed.
fn options(known: Option<&SequenceOptions>, said: &[Said]) -> Result<SequenceOptions> {
    for (position, one) in said.iter().enumerate() {
        let is_same = |other: &Said| std::mem::discriminant(other) == std::mem::discriminant(one);
        if said[..position].iter().any(is_same) {
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options"));
        }
    }
    let mut options = known.cloned().unwrap_or_else(|| SequenceOptions::of_type(SqlType::Int8));
    let (before_min, before_max) = type_limits(options.sql_type);
    // What the statement says, or what goes back to the default with the type.
    let (mut min, mut max, mut start) = (None, None, None);
    let mut is_default = (known.is_none(), known.is_none());
    for said in said {
        match said {
            Said::Type(sql_type) => {
                check_type(*sql_type)?;
                options.sql_type = *sql_type;
                is_default.0 |= options.min == before_min;
                is_default.1 |= options.max == before_max;
            }
            Said::Increment(0) => return Err(invalid("INCREMENT must not be zero")),
            Said::Increment(increment) => options.increment = *increment,
            Said::Min(said) => (min, is_default.0) = (*said, said.is_none()),
            Said::Max(said) => (max, is_default.1) = (*said, said.is_none()),
            Said::Start(said) => start = Some(*said),
            Said::Cache(..=0) => {
                return Err(invalid(format!("CACHE ({}) must be greater than zero", cache(said))));
            }
            Said::Cache(cache) => options.cache = *cache,
            Said::Cycle(cycle) => options.cycle = *cycle,
            Said::Restart(_) | Said::Owned(_) | Said::Temporary => {}
        }
    }
    let (least, greatest) = type_limits(options.sql_type);
    let rises = options.increment > 0;
    options.min = match min {
        Some(min) => min,
        None if is_default.0 => {
            if rises {
                1
            } else {
                least
            }
        }
        None => options.min,
    };
    options.max = match max {
        Some(max) => max,
        None if is_default.1 => {
            if rises {
                greatest
            } else {
                -1
            }
        }
        None => options.max,
    };
    let limits = least..=greatest;
    for (name, limit) in [("MINVALUE", options.min), ("MAXVALUE", options.max)] {
        if !limits.contains(&limit) {
            let sql_type = options.sql_type;
            return Err(invalid(format!(
                "{name} ({limit}) is out of range for sequence data type {sql_type}"
            )));
        }
    }
    if options.min >= options.max {
        let message = format!("MINVALUE ({}) must be less than MAXVALUE ({})", options.min, options.max);
        return Err(invalid(message));
    }
    options.start = match start {
        Some(start) => start,
        None if known.is_none() => {
            if rises {
                options.min
            } else {
                options.max
            }
        }
        None => options.start,
    };
    check_within("START", options.start, &options)?;
    Ok(options)
}

fn cache(said: &Said) -> i64 {
    match said {
        Said::Cache(cache) => *cache,
        _ => 0,
    }
}

fn check_within(what: &str, value: i64, options: &SequenceOptions) -> Result<()> {
    if value < options.min {
        let min = options.min;
        return Err(invalid(format!("{what} value ({value}) cannot be less than MINVALUE ({min})")));
    }
    if value > options.max {
        let max = options.max;
        return Err(invalid(format!("{what} value ({value}) cannot be greater than MAXVALUE ({max})")));
    }
    Ok(())
}

fn check_type(sql_type: SqlType) -> Result<()> {
    match sql_type {
        SqlType::Int2 | SqlType::Int4 | SqlType::Int8 => Ok(()),
        _ => Err(invalid("sequence type must be smallint, integer, or bigint")),
    }
}

fn invalid(message: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// An option of an identity.
fn said_of(option: &SequenceOption) -> Result<Said> {
    Ok(match option {
        SequenceOption::IncrementBy(number, _) => Said::Increment(number_of(number)?),
        SequenceOption::MinValue(number) => Said::Min(number.as_ref().map(number_of).transpose()?),
        SequenceOption::MaxValue(number) => Said::Max(number.as_ref().map(number_of).transpose()?),
        SequenceOption::StartWith(number, _) => Said::Start(number_of(number)?),
        SequenceOption::Cache(number) => Said::Cache(number_of(number)?),
        // sqlparser has it the other way round.
        SequenceOption::Cycle(no) => Said::Cycle(!no),
    })
}

fn number_of(expr: &Expr) -> Result<i64> {
    match expr {
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => parsed(&format!("-{expr}")),
        Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) => parsed(digits),
        other => parsed(&other.to_string()),
    }
}

fn parsed(digits: &str) -> Result<i64> {
    digits.parse().map_err(|_| {
        let message = format!("value \"{digits}\" is out of range for type bigint");
        SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
    })
}

/// The name of the sequence, whether IF \[NOT\] EXISTS was said, and the options.
fn arguments(call: &Function) -> Result<(Name, bool, Vec<Said>)> {
    let unknown = || {
        let message = format!("procedure {} does not exist", call.name);
        SqlError::new(SqlState::UNDEFINED_FUNCTION, message)
    };
    let FunctionArguments::List(list) = &call.args else { return Err(unknown()) };
    let expr = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    let arguments = list.args.iter().map(expr).collect::<Option<Vec<_>>>().ok_or_else(unknown)?;
    let (name, options) = arguments.split_first().ok_or_else(unknown)?;
    let name = match name {
        Expr::Identifier(name) => ObjectName::from(vec![name.clone()]),
        Expr::CompoundIdentifier(names) => ObjectName::from(names.clone()),
        _ => return Err(unknown()),
    };
    let texts = options.iter().map(ast::string_literal).collect::<Option<Vec<_>>>().ok_or_else(unknown)?;
    let (exists, options) = texts.split_first().ok_or_else(unknown)?;
    let said = options.chunks(2).map(|option| match option {
        [name, value] => said(name, value),
        _ => Err(unknown()),
    });
    Ok((springtide_sql::object_name(&name)?, *exists == "true", said.collect::<Result<_>>()?))
}

fn said(name: &str, value: &str) -> Result<Said> {
    let limit = |value: &str| if value == "none" { Ok(None) } else { parsed(value).map(Some) };
    Ok(match name {
        "as" => Said::Type(springtide_sql::sql_type(&ast::parse_type(value)?, &Types::default())?),
        "increment" => Said::Increment(parsed(value)?),
        "minvalue" => Said::Min(limit(value)?),
        "maxvalue" => Said::Max(limit(value)?),
        "start" => Said::Start(parsed(value)?),
        "restart" if value.is_empty() => Said::Restart(None),
        "restart" => Said::Restart(Some(parsed(value)?)),
        "cache" => Said::Cache(parsed(value)?),
        "cycle" => Said::Cycle(value != "none"),
        "temporary" => Said::Temporary,
        "owned" if value == "none" => Said::Owned(None),
        "owned" => match ast::parse_expr(value)? {
            Expr::CompoundIdentifier(names) => Said::Owned(Some(names)),
            Expr::Identifier(name) => Said::Owned(Some(vec![name])),
            _ => return Err(SqlError::new(SqlState::SYNTAX_ERROR, "invalid OWNED BY option")),
        },
        other => return Err(SqlError::internal(format!("an option of a sequence called {other}"))),
    })
}
