//! Which function of a name a call means: PostgreSQL's choice by the types of the arguments.

use std::cmp::Reverse;

use springtide_types::{Result, SqlError, SqlState, SqlType};

use crate::convert::{Family, family};
use crate::operators::describe;

/// The position of the candidate, given by the types of its parameters, that PostgreSQL picks for arguments of
/// these types, of which open ones fit every type. Fails with `42883` if none fits and with `42725` if several
/// fit alike.
pub(crate) fn choose(name: &str, candidates: &[Vec<SqlType>], given: &[Option<SqlType>]) -> Result<usize> {
    let fits = |parameters: &[SqlType]| {
        let mut pairs = given.iter().zip(parameters);
        parameters.len() == given.len()
            && pairs.all(|(given, declared)| given.is_none_or(|given| implicit(given, *declared)))
    };
    let mut fitting = (0..candidates.len()).filter(|at| fits(&candidates[*at])).collect::<Vec<_>>();
    let closeness = |at: &usize| closeness(&candidates[*at], given);
    fitting.sort_by_key(|at| Reverse(closeness(at)));
    match fitting.as_slice() {
        [] => Err(no_function(name, given)),
        [best, next, ..] if closeness(best) == closeness(next) => {
            let (call, why) = (signature(name, given), "Could not choose a best candidate function.");
            Err(error(SqlState::AMBIGUOUS_FUNCTION, format!("function {call} is not unique"), why))
        }
        [best, ..] => Ok(*best),
    }
}

/// The error for a call that no function of the name fits.
pub(crate) fn no_function(name: &str, given: &[Option<SqlType>]) -> SqlError {
    let why = "No function matches the given name and argument types.";
    let message = format!("function {} does not exist", signature(name, given));
    error(SqlState::UNDEFINED_FUNCTION, message, why)
}

fn error(state: SqlState, message: String, why: &str) -> SqlError {
    SqlError::new(state, message).with_hint(format!("{why} You might need to add explicit type casts."))
}

fn signature(name: &str, given: &[Option<SqlType>]) -> String {
    let types = given.iter().map(|sql_type| describe(*sql_type)).collect::<Vec<_>>().join(", ");
    format!("{name}({types})")
}

/// How well the parameters of a function fit: those that need no conversion, then those of the type that
/// its family prefers, then, where the argument is open, those of text and those that families prefer.
fn closeness(parameters: &[SqlType], given: &[Option<SqlType>]) -> (usize, usize, usize, usize) {
    let pairs = || given.iter().zip(parameters.iter().copied());
    let exact = |(given, declared): &(&Option<SqlType>, SqlType)| {
        given.is_some_and(|given| unlimited(given) == unlimited(*declared))
    };
    let is_preferred = |declared: SqlType| {
        use SqlType::{Boolean, Float8, Interval, Text, Timestamptz};
        matches!(declared, Boolean | Float8 | Interval | Text | Timestamptz)
    };
    let preferred =
        |(given, declared): &(&Option<SqlType>, SqlType)| given.is_some() && is_preferred(*declared);
    let open = |(given, declared): &(&Option<SqlType>, SqlType)| given.is_none() && is_preferred(*declared);
    let text = |(given, declared): &(&Option<SqlType>, SqlType)| {
        given.is_none() && family(*declared) == Family::Text
    };
    let close = pairs().filter(|pair| exact(pair) || preferred(pair)).count();
    let texts = pairs().filter(text).count();
    (pairs().filter(exact).count(), close, texts, pairs().filter(open).count())
}

/// The type as overloads tell it from others: without length or precision, and texts as one.
fn unlimited(sql_type: SqlType) -> SqlType {
    match sql_type {
        SqlType::Varchar(_) => SqlType::Text,
        SqlType::Array(element) => unlimited(element.sql_type()).array().unwrap_or(sql_type),
        other => other.unconstrained(),
    }
}

/// Whether PostgreSQL converts without being asked to.
fn implicit(from: SqlType, to: SqlType) -> bool {
    use SqlType::{Date, Float4, Float8, Int2, Int4, Int8, Numeric, Timestamp, Timestamptz};
    let rank = |sql_type| match sql_type {
        Int2 | Date => 0,
        Int4 | Timestamp => 1,
        Int8 | Timestamptz => 2,
        Numeric(..) => 3,
        Float4 => 4,
        Float8 => 5,
        _ => 0,
    };
    match (from.element(), to.element()) {
        (Some(from), Some(to)) => implicit(from, to),
        _ if family(from) == Family::Enum => from == to,
        _ => family(from) == family(to) && rank(from) <= rank(to),
    }
}
