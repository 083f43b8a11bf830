//! Statements about the session itself: transactions and parameters.

use springtide_sql::sqlparser::ast::{
    ContextModifier, DiscardObject, Expr, ObjectName, Reset, ResetStatement, Set, Statement,
    TransactionAccessMode, TransactionMode, Value, ValueWithSpan,
};
use springtide_types::{Result, SqlError};

use crate::settings::AS_OF;

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
        value: String,
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
        Statement::Discard { object_type: DiscardObject::ALL } => Control::ResetAll { tag: "DISCARD ALL" },
        Statement::Discard { .. } => Control::Ignore { tag: "DISCARD" },
        _ => return Ok(None),
    }))
}

fn control_set(set: &Set) -> Result<Control> {
    Ok(match set {
        Set::SingleAssignment { scope, variable, values, .. } => {
            let name = parameter_name(variable);
            if name == AS_OF && *scope == Some(ContextModifier::Local) {
                return Err(SqlError::unsupported(format!("SET LOCAL {AS_OF}"))
                    .with_hint(format!("SET it, and RESET {AS_OF} to return to the present.")));
            }
            let values = values.iter().map(setting_text).collect::<Vec<_>>().join(", ");
            match values.as_str() {
                "default" | "DEFAULT" => Control::Reset { name },
                _ => Control::Set { name, value: values },
            }
        }
        Set::SetTimeZone { value, .. } => {
            Control::Set { name: "timezone".to_owned(), value: setting_text(value) }
        }
        Set::SetNames { charset_name, .. } => {
            Control::Set { name: "client_encoding".to_owned(), value: charset_name.value.clone() }
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
