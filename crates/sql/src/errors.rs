//! What DataFusion's binder and planner say, as PostgreSQL says it.

use datafusion::common::{Column, DataFusionError, SchemaError};
use springtide_plan::sql_error;
use springtide_types::{SqlError, SqlState, SqlType};

/// Lets one of our errors travel through DataFusion.
pub(crate) fn external(error: SqlError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// What a client is told when binding or planning fails.
pub(crate) fn plan_error(error: &DataFusionError) -> SqlError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => plan_error(inner),
        DataFusionError::Shared(inner) => plan_error(inner),
        DataFusionError::Collection(errors) if !errors.is_empty() => plan_error(&errors[0]),
        DataFusionError::SchemaError(schema_error, _) => match schema_error.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => column_not_found(field, valid_fields),
            SchemaError::AmbiguousReference { field } => SqlError::new(
                SqlState::AMBIGUOUS_COLUMN,
                format!("column reference \"{}\" is ambiguous", field.name),
            ),
            _ => sql_error(error),
        },
        DataFusionError::Plan(message)
        | DataFusionError::NotImplemented(message)
        | DataFusionError::Execution(message) => {
            let message = message.split("\n\nbacktrace").next().unwrap_or(message);
            planning_message(message).unwrap_or_else(|| sql_error(error))
        }
        other => sql_error(other),
    }
}

fn column_not_found(field: &Column, valid: &[Column]) -> SqlError {
    let name = &field.name;
    let Some(relation) = &field.relation else {
        let message = format!("column \"{name}\" does not exist");
        let error = SqlError::new(SqlState::UNDEFINED_COLUMN, message);
        return match nearest(name, valid) {
            Some(near) => error.with_hint(format!("Perhaps you meant to reference the column \"{near}\".")),
            None => error,
        };
    };
    let known = valid.iter().any(|column| column.relation.as_ref() == Some(relation));
    if known || valid.is_empty() {
        let message = format!("column {relation}.{name} does not exist");
        return SqlError::new(SqlState::UNDEFINED_COLUMN, message);
    }
    let message = format!("missing FROM-clause entry for table \"{relation}\"");
    SqlError::new(SqlState::UNDEFINED_TABLE, message)
}

/// The column whose name differs least, if by less than half.
fn nearest(name: &str, valid: &[Column]) -> Option<String> {
    let distance =
        |column: &Column| datafusion::common::utils::datafusion_strsim::levenshtein(&column.name, name);
    let best = valid.iter().min_by_key(|column| distance(column))?;
    (distance(best) * 2 <= name.chars().count()).then(|| best.flat_name())
}

/// Recognises messages by their wording, which is all that DataFusion gives.
fn planning_message(message: &str) -> Option<SqlError> {
    let after = |marker: &str| message.split_once(marker).map(|(_, rest)| rest);
    let quoted = |rest: &str, end: char| rest.split(end).next().unwrap_or(rest).to_owned();
    for clause in ["LIMIT", "OFFSET"] {
        if message.contains(&format!("{clause} must be >= 0")) {
            let state = SqlState::from_code(if clause == "LIMIT" { "2201W" } else { "2201X" });
            return Some(SqlError::new(state, format!("{clause} must not be negative")));
        }
    }
    if let Some(rest) = after("Invalid function '") {
        return Some(no_function(&format!("{}()", quoted(rest, '\'')), false));
    }
    if let Some(rest) = after("No function matches the given name and argument types '") {
        return Some(no_function(&quoted(rest, '\''), true));
    }
    if let Some(rest) = after("expanding wildcard, column \"") {
        let column = rest.split_once("\" must appear").map_or(rest, |(column, _)| column);
        let message = format!(
            "column \"{}\" must appear in the GROUP BY clause or be used in an aggregate function",
            unquote(column)
        );
        return Some(SqlError::new(SqlState::GROUPING_ERROR, message));
    }
    if let Some(rest) = after("HAVING clause references: ") {
        let column = rest.split_once(" must appear").map_or(rest, |(column, _)| column);
        let message = format!(
            "column \"{}\" must appear in the GROUP BY clause or be used in an aggregate function",
            unquote(column)
        );
        return Some(SqlError::new(SqlState::GROUPING_ERROR, message));
    }
    if let Some(rest) = after("non-boolean predicate ") {
        let data_type = rest.rsplit_once("returning ").map_or(rest, |(_, data_type)| data_type);
        let message = format!("argument of WHERE must be type boolean, not type {}", type_name(data_type));
        return Some(SqlError::new(SqlState::DATATYPE_MISMATCH, message));
    }
    for kind in ["Aggregate", "Window"] {
        let Some(rest) = after(&format!("{kind} functions are not allowed in the ")) else { continue };
        let clause = rest.split_once(" clause").map_or(rest, |(clause, _)| clause);
        let state = if kind == "Window" { SqlState::from_code("42P20") } else { SqlState::GROUPING_ERROR };
        let message = format!("{} functions are not allowed in {clause}", kind.to_lowercase());
        return Some(SqlError::new(state, message));
    }
    if message.contains("Aggregate function calls cannot be nested") {
        return Some(SqlError::new(SqlState::GROUPING_ERROR, "aggregate function calls cannot be nested"));
    }
    if let Some(rest) = after("Order by column out of bounds, specified: ") {
        let message = format!("ORDER BY position {} is not in select list", quoted(rest, ','));
        return Some(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message));
    }
    if let Some(rest) = after("Cannot find column with position ") {
        let message = format!("GROUP BY position {} is not in select list", quoted(rest, ' '));
        return Some(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message));
    }
    if message.contains("different number of columns") {
        let operator = ["UNION", "INTERSECT", "EXCEPT"].into_iter().find(|name| message.contains(name));
        let operator = operator.unwrap_or("UNION");
        let message = format!("each {operator} query must have the same number of columns");
        return Some(SqlError::new(SqlState::SYNTAX_ERROR, message));
    }
    if message.contains("subquery should only return one column")
        || message.contains("subquery must return one column")
        || message.contains("Too many columns! The subquery")
    {
        return Some(SqlError::new(SqlState::SYNTAX_ERROR, "subquery must return only one column"));
    }
    if message.contains("returned more than one row") || message.contains("more than one row") {
        let message = "more than one row returned by a subquery used as an expression";
        return Some(SqlError::new(SqlState::CARDINALITY_VIOLATION, message));
    }
    if message.contains("OuterReferenceColumn")
        || message.contains("Correlated scalar subquery")
        || message.contains("does not support logical expression ScalarSubquery")
    {
        return Some(
            SqlError::unsupported("this kind of correlated subquery")
                .with_hint("Write it as a join, or compute it in a subquery with GROUP BY in FROM."),
        );
    }
    if let Some(rest) = after("Source table contains ") {
        let (available, given) =
            (quoted(rest, ' '), after("but only ").map_or(String::new(), |rest| quoted(rest, ' ')));
        let message = format!("a table has {available} columns available but {given} columns specified");
        return Some(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message));
    }
    if message.contains("only support Literal types") {
        return Some(SqlError::unsupported("an offset of lag or lead that is no constant"));
    }
    if message.contains("Unnest should be rewritten") {
        return Some(
            SqlError::unsupported("a set-returning function in this place")
                .with_hint("You might be able to move the set-returning function into a LATERAL FROM item."),
        );
    }
    if let Some(rest) = after("Unsupported ast node in sqltorel: ") {
        let node = rest.split([' ', '(', '{']).next().unwrap_or(rest);
        return Some(SqlError::unsupported(format!("expression {node}")));
    }
    None
}

fn no_function(call: &str, typed: bool) -> SqlError {
    let call = match call.split_once('(') {
        Some((name, types)) if typed => {
            let types =
                types.trim_end_matches(')').split(", ").filter(|name| !name.is_empty()).map(type_name);
            format!("{}({})", name.to_lowercase(), types.collect::<Vec<_>>().join(", "))
        }
        _ => call.trim_end_matches("()").to_owned(),
    };
    let message = format!("function {call} does not exist");
    SqlError::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(
        "No function matches the given name and argument types. You might need to add explicit type casts.",
    )
}

fn type_name(data_type: &str) -> String {
    let parsed = data_type.trim().parse::<arrow::datatypes::DataType>().ok();
    match parsed.as_ref().and_then(SqlType::from_arrow) {
        Some(SqlType::Numeric(..)) => "numeric".to_owned(),
        Some(sql_type) => sql_type.to_string(),
        None => data_type.to_lowercase(),
    }
}

fn unquote(name: &str) -> String {
    name.replace('"', "")
}
