//! Statements about the session itself: transactions and parameters.

use springtide_sql::sqlparser::ast::{
    ContextModifier, DiscardObject, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    ObjectName, Reset, ResetStatement, Set, Statement, TransactionAccessMode, TransactionMode, Value,
    ValueWithSpan,
};
use springtide_types::{Result, SqlError, SqlState};

use crate::statement::fold;

/// What a statement asks of the session, if it is not about data.
#[derive(Debug, PartialEq)]
pub(crate) enum Control {
    Begin {
        read_only: bool,
    },
    Commit,
    Rollback,
    Set {
        name: String,
        /// `None` for the value at the start.
        value: Option<String>,
        /// For this transaction only.
        local: bool,
    },
    Reset {
        name: String,
    },
    ResetAll {
        tag: &'static str,
    },
    Show {
        name: String,
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

/// Reads a statement as one about the session.
pub(crate) fn control(statement: &Statement) -> Result<Option<Control>> {
    Ok(Some(match statement {
        Statement::StartTransaction { modes, .. } => Control::Begin { read_only: is_read_only(modes) },
        Statement::Commit { chain: true, .. } | Statement::Rollback { chain: true, .. } => {
            return Err(SqlError::unsupported("AND CHAIN"));
        }
        Statement::Commit { .. } => Control::Commit,
        Statement::Rollback { savepoint: None, .. } => Control::Rollback,
        Statement::Rollback { .. } | Statement::Savepoint { .. } | Statement::ReleaseSavepoint { .. } => {
            return Err(SqlError::unsupported("SAVEPOINT"));
        }
        Statement::Set(set) => return control_set(set).map(Some),
        Statement::Reset(ResetStatement { reset }) => match reset {
            Reset::ALL => Control::ResetAll { tag: "RESET" },
            Reset::ConfigurationParameter(name) => Control::Reset { name: parameter_name(name) },
        },
        Statement::ShowVariable { variable } => {
            let words = variable.iter().map(|ident| ident.value.to_lowercase()).collect::<Vec<_>>();
            Control::Show { name: show_name(&words) }
        }
        Statement::Call(call) => return control_call(call).map(Some),
        Statement::Discard { object_type: DiscardObject::ALL } => Control::ResetAll { tag: "DISCARD ALL" },
        Statement::Discard { .. } => Control::Ignore { tag: "DISCARD" },
        _ => return Ok(None),
    }))
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

/// An identifier, folded to lower case unless it was quoted, or a text.
fn object_name(expr: &Expr) -> Result<String> {
    match expr {
        Expr::Identifier(ident) => Ok(fold(ident)),
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Ok(text.clone()),
        other => {
            let message = format!("syntax error at or near \"{other}\"");
            Err(SqlError::new(SqlState::SYNTAX_ERROR, message))
        }
    }
}

fn control_set(set: &Set) -> Result<Control> {
    Ok(match set {
        Set::SingleAssignment { scope, variable, values, .. } => {
            let values = values.iter().map(setting_text).collect::<Vec<_>>().join(", ");
            let value = (!values.eq_ignore_ascii_case("default")).then_some(values);
            let local = *scope == Some(ContextModifier::Local);
            Control::Set { name: parameter_name(variable), value, local }
        }
        Set::SetTimeZone { value, .. } => {
            Control::Set { name: "timezone".to_owned(), value: Some(setting_text(value)), local: false }
        }
        Set::SetNames { charset_name, .. } => {
            let value = Some(charset_name.value.clone());
            Control::Set { name: "client_encoding".to_owned(), value, local: false }
        }
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
        ["transaction", "isolation", "level"] => "transaction_isolation".to_owned(),
        words => words.join("."),
    }
}

fn setting_text(value: &Expr) -> String {
    match value {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => text.clone(),
        other => other.to_string().replace('"', ""),
    }
}
