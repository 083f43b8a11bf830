//! Statements about the session itself: transactions and parameters.

use springtide_sql::WriteOptions;
use springtide_sql::sqlparser::ast::{
    CloseCursor, ContextModifier, DataType, Declare, DiscardObject, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArguments, Ident, ObjectName, Query, Reset, ResetStatement, Set, Statement,
    TransactionAccessMode, TransactionMode, Value, ValueWithSpan,
};
use springtide_types::{Result, SqlError, SqlState};

use crate::session::Scope;
use crate::settings::{ROLE, SEARCH_PATH, SESSION_AUTHORIZATION};
use crate::statement::{CREATE_SOURCE, DOMAIN_CALLS, DROP_SOURCE, ROLE_CALLS, SCHEMA_CALLS, fold, texts};

/// What a statement asks of the session, if it is not about data.
#[derive(Debug, PartialEq)]
pub(crate) enum Control {
    Begin {
        read_only: bool,
    },
    Commit,
    Rollback,
    Savepoint(String),
    Release(String),
    RollbackTo(String),
    Prepare {
        name: String,
        types: Vec<DataType>,
        statement: Box<Statement>,
    },
    Execute(Call),
    /// One prepared statement, or all.
    Deallocate(Option<String>),
    Declare(Box<DeclareCursor>),
    /// FETCH, or MOVE, which only counts the rows.
    Fetch {
        cursor: String,
        motion: Motion,
        moves: bool,
    },
    /// One cursor, or all.
    Close(Option<String>),
    Set {
        name: String,
        value: String,
        local: bool,
    },
    Reset {
        name: String,
        local: bool,
    },
    /// Become another role: `role` or `session_authorization`; without a name, who it was at the start.
    SetRole {
        what: &'static str,
        scope: Scope,
        name: Option<String>,
    },
    ResetAll,
    DiscardAll,
    DiscardSequences,
    DiscardTemporary,
    Show {
        name: String,
    },
    ShowAll,
    /// Accepted where these relations, with these columns, exist; there is nothing to do.
    Maintain {
        tag: &'static str,
        relations: Vec<(ObjectName, Vec<Ident>)>,
    },
    /// Write a checkpoint.
    Checkpoint,
    /// Keep a moment by a name: that of an expression, or now.
    CreateSnapshot {
        name: String,
        as_of: Option<Box<Expr>>,
    },
    DropSnapshot {
        name: String,
        if_exists: bool,
    },
    /// Accepted, and without effect: `SET TRANSACTION` (always serializable), `DISCARD PLANS`.
    Ignore {
        tag: &'static str,
    },
}

/// EXECUTE
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) arguments: Vec<Expr>,
}

/// DECLARE
#[derive(Debug, PartialEq)]
pub(crate) struct DeclareCursor {
    pub(crate) name: String,
    /// Whether it was said to go backward, or not to.
    pub(crate) scroll: Option<bool>,
    pub(crate) hold: bool,
    pub(crate) query: Box<Query>,
}

impl DeclareCursor {
    /// The query, as a statement of its own.
    pub(crate) fn statement(&self, text: &str) -> springtide_sql::Statement {
        springtide_sql::Statement {
            ast: Statement::Query(self.query.clone()),
            text: text.to_owned(),
            copy_options: Vec::new(),
            write: WriteOptions::default(),
        }
    }
}

/// Where a cursor is to go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Motion {
    /// So many rows on, returning them; `i64::MAX` is all.
    Forward(i64),
    Backward(i64),
    /// To the row of this number, from the end if it is negative.
    Absolute(i64),
    /// To the row so many on.
    Relative(i64),
}

/// Reads a statement as one about the session.
pub(crate) fn control(statement: &Statement) -> Result<Option<Control>> {
    Ok(Some(match statement {
        Statement::StartTransaction { modes, .. } => Control::Begin { read_only: is_read_only(modes) },
        Statement::Commit { chain: true, .. } | Statement::Rollback { chain: true, .. } => {
            return Err(SqlError::unsupported("AND CHAIN"));
        }
        Statement::Commit { .. } => Control::Commit,
        Statement::Rollback { savepoint: None, .. } => Control::Rollback,
        Statement::Rollback { savepoint: Some(name), .. } => Control::RollbackTo(fold(name)),
        Statement::Savepoint { name } => Control::Savepoint(fold(name)),
        Statement::ReleaseSavepoint { name } => Control::Release(fold(name)),
        Statement::Prepare { name, data_types, statement } => {
            check_preparable(statement)?;
            Control::Prepare { name: fold(name), types: data_types.clone(), statement: statement.clone() }
        }
        Statement::Execute { name: Some(name), parameters, immediate: false, into, using, .. }
            if into.is_empty() && using.is_empty() =>
        {
            let name = springtide_sql::object_name(name)?.name;
            Control::Execute(Call { name, arguments: parameters.clone() })
        }
        Statement::Deallocate { name, .. } if is_all(name) => Control::Deallocate(None),
        Statement::Deallocate { name, .. } => Control::Deallocate(Some(fold(name))),
        Statement::Declare { stmts } => control_declare(stmts)?,
        Statement::Close { cursor: CloseCursor::All } => Control::Close(None),
        Statement::Close { cursor: CloseCursor::Specific { name } } => Control::Close(Some(fold(name))),
        Statement::Fetch { .. } => {
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, "syntax error in FETCH"));
        }
        Statement::LISTEN { .. } => return Err(no_notifications("LISTEN")),
        Statement::NOTIFY { .. } => return Err(no_notifications("NOTIFY")),
        // There is nothing to stop listening to.
        Statement::UNLISTEN { .. } => Control::Ignore { tag: "UNLISTEN" },
        Statement::Set(set) => return control_set(set).map(Some),
        Statement::Reset(ResetStatement { reset }) => match reset {
            Reset::ALL => Control::ResetAll,
            Reset::ConfigurationParameter(name) => {
                Control::Reset { name: parameter_name(name), local: false }
            }
        },
        Statement::ShowVariable { variable } => {
            let words = variable.iter().map(|ident| ident.value.to_lowercase()).collect::<Vec<_>>();
            match words.as_slice() {
                [all] if all == "all" => Control::ShowAll,
                words => Control::Show { name: show_name(words) },
            }
        }
        Statement::Call(call) if is_about_data(call) => return Ok(None),
        Statement::Call(call) => return control_call(call).map(Some),
        Statement::Discard { object_type } => match object_type {
            DiscardObject::ALL => Control::DiscardAll,
            DiscardObject::PLANS => Control::Ignore { tag: "DISCARD PLANS" },
            DiscardObject::SEQUENCES => Control::DiscardSequences,
            DiscardObject::TEMP => Control::DiscardTemporary,
        },
        _ => return Ok(None),
    }))
}

/// Only what reads or writes tables can be prepared.
fn check_preparable(statement: &Statement) -> Result<()> {
    use Statement::{Delete, Insert, Merge, Query, Update};
    if matches!(statement, Query(_) | Insert(_) | Update(_) | Delete(_) | Merge(_)) {
        return Ok(());
    }
    let text = statement.to_string();
    Err(syntax_error(text.split_whitespace().next().unwrap_or_default()))
}

fn control_declare(declarations: &[Declare]) -> Result<Control> {
    let [declared] = declarations else { return Err(SqlError::unsupported("DECLARE of several things")) };
    let ([name], Some(query)) = (declared.names.as_slice(), &declared.for_query) else {
        return Err(SqlError::unsupported("DECLARE of anything but a cursor"));
    };
    if declared.binary == Some(true) {
        return Err(SqlError::unsupported("a BINARY cursor"));
    }
    Ok(Control::Declare(Box::new(DeclareCursor {
        name: fold(name),
        scroll: declared.scroll,
        hold: declared.hold == Some(true),
        query: query.clone(),
    })))
}

fn no_notifications(what: &str) -> SqlError {
    SqlError::unsupported(what).with_hint("A materialized view shows what has changed; read it again.")
}

fn is_all(name: &Ident) -> bool {
    name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all")
}

fn syntax_error(near: &str) -> SqlError {
    SqlError::new(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{near}\""))
}

/// SET ROLE and SET SESSION AUTHORIZATION.
fn control_role(texts: &[&str]) -> Result<Control> {
    let [what, scope, name @ ..] = texts else { return Err(syntax_error("ROLE")) };
    let what = if *what == ROLE { ROLE } else { SESSION_AUTHORIZATION };
    let scope = if *scope == "local" { Scope::Local } else { Scope::Session };
    Ok(Control::SetRole { what, scope, name: name.first().map(|name| (*name).to_owned()) })
}

/// Whether a procedure is a statement that takes part in transactions.
fn is_about_data(call: &Function) -> bool {
    let name = call.name.to_string();
    let sequences = ["springtide.create_sequence", "springtide.alter_sequence"];
    let sequences = sequences.into_iter().chain(DOMAIN_CALLS);
    let known = sequences.chain([CREATE_SOURCE, DROP_SOURCE]).chain(ROLE_CALLS).chain(SCHEMA_CALLS);
    known.into_iter().any(|known| known == name)
}

/// The procedures, which have statements of their own as well: `CHECKPOINT` is `CALL springtide.checkpoint()`.
fn control_call(call: &Function) -> Result<Control> {
    let arguments = match &call.args {
        FunctionArguments::List(list) => list.args.iter().map(argument).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    Ok(match (call.name.to_string().as_str(), arguments.as_deref()) {
        ("springtide.checkpoint", Some([])) => Control::Checkpoint,
        ("springtide.create_snapshot", Some([name, as_of @ ..])) if as_of.len() < 2 => {
            Control::CreateSnapshot { name: object_name(name)?, as_of: as_of.first().cloned().map(Box::new) }
        }
        ("springtide.fetch", Some([name, direction, count])) => {
            Control::Fetch { cursor: object_name(name)?, motion: motion(direction, count)?, moves: false }
        }
        ("springtide.move", Some([name, direction, count])) => {
            Control::Fetch { cursor: object_name(name)?, motion: motion(direction, count)?, moves: true }
        }
        ("springtide.set_role", Some(_)) => return control_role(&texts(call)?),
        ("springtide.vacuum", Some(relations)) => Control::Maintain {
            tag: "VACUUM",
            relations: relations.iter().map(maintained).collect::<Result<_>>()?,
        },
        ("springtide.analyze", Some(relations)) => Control::Maintain {
            tag: "ANALYZE",
            relations: relations.iter().map(maintained).collect::<Result<_>>()?,
        },
        ("springtide.drop_snapshot", Some([name, if_exists @ ..])) if if_exists.len() < 2 => {
            Control::DropSnapshot { name: object_name(name)?, if_exists: !if_exists.is_empty() }
        }
        _ => {
            let message = format!("procedure {} does not exist", call.name);
            return Err(SqlError::new(SqlState::UNDEFINED_FUNCTION, message));
        }
    })
}

fn argument(argument: &FunctionArg) -> Option<Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    }
}

fn motion(direction: &Expr, count: &Expr) -> Result<Motion> {
    let word = object_name(direction)?;
    let count = match object_name(count)?.as_str() {
        "all" => i64::MAX,
        number => number.parse().map_err(|_| syntax_error(number))?,
    };
    Ok(match word.as_str() {
        "forward" => Motion::Forward(count),
        "backward" => Motion::Backward(count),
        "absolute" => Motion::Absolute(count),
        "relative" => Motion::Relative(count),
        other => return Err(syntax_error(other)),
    })
}

/// `name`, or `name(columns)`, as an expression.
fn maintained(expr: &Expr) -> Result<(ObjectName, Vec<Ident>)> {
    let column = |expr: Expr| match expr {
        Expr::Identifier(ident) => Some(ident),
        _ => None,
    };
    match expr {
        Expr::Identifier(name) => Ok((ObjectName::from(vec![name.clone()]), Vec::new())),
        Expr::CompoundIdentifier(name) => Ok((ObjectName::from(name.clone()), Vec::new())),
        Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) => {
            let columns = list.args.iter().map(|arg| argument(arg).and_then(column));
            let columns = columns.collect::<Option<Vec<_>>>().ok_or_else(|| syntax_error("("))?;
            Ok((name.clone(), columns))
        }
        other => Err(syntax_error(&other.to_string())),
    }
}

/// An identifier, folded to lower case unless it was quoted, or a text.
fn object_name(expr: &Expr) -> Result<String> {
    match expr {
        Expr::Identifier(ident) => Ok(fold(ident)),
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Ok(text.clone()),
        other => Err(syntax_error(&other.to_string())),
    }
}

fn control_set(set: &Set) -> Result<Control> {
    Ok(match set {
        Set::SingleAssignment { scope, variable, values, .. } => {
            let name = parameter_name(variable);
            let local = *scope == Some(ContextModifier::Local);
            let text = |value: &Expr| match name.as_str() {
                SEARCH_PATH => listed(value),
                _ => setting_text(value),
            };
            let values = values.iter().map(text).collect::<Vec<_>>().join(", ");
            match values.as_str() {
                "default" | "DEFAULT" => Control::Reset { name, local },
                _ => Control::Set { name, value: values, local },
            }
        }
        Set::SetTimeZone { local, value } => {
            Control::Set { name: "timezone".to_owned(), value: setting_text(value), local: *local }
        }
        Set::SetNames { charset_name, .. } => Control::Set {
            name: "client_encoding".to_owned(),
            value: charset_name.value.clone(),
            local: false,
        },
        Set::SetTransaction { .. } => Control::Ignore { tag: "SET" },
        other => return Err(SqlError::unsupported(format!("SET {other}"))),
    })
}

fn is_read_only(modes: &[TransactionMode]) -> bool {
    modes.contains(&TransactionMode::AccessMode(TransactionAccessMode::ReadOnly))
}

fn parameter_name(name: &ObjectName) -> String {
    name.to_string().replace('"', "").to_lowercase()
}

fn show_name(words: &[String]) -> String {
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["time", "zone"] => "timezone".to_owned(),
        ["session", "authorization"] => SESSION_AUTHORIZATION.to_owned(),
        ["transaction", "isolation", "level"] => "transaction_isolation".to_owned(),
        words => words.join("."),
    }
}

/// A value of a parameter that is a list of names, as it stands in the list.
fn listed(value: &Expr) -> String {
    let name = match value {
        Expr::Identifier(ident) => fold(ident),
        other => setting_text(other),
    };
    springtide_sql::written(&name).to_string()
}

fn setting_text(value: &Expr) -> String {
    match value {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => text.clone(),
        Expr::Interval(interval) => match interval.value.as_ref() {
            // As hours.
            Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => {
                let length = springtide_datetime::parse_interval(text);
                length.map_or_else(|_| text.clone(), |length| (length.micros as f64 / 3.6e9).to_string())
            }
            other => other.to_string(),
        },
        other => other.to_string().replace('"', ""),
    }
}
