//! The one place where errors of DataFusion and Arrow become what PostgreSQL would say.

use std::error::Error;

use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use springtide_types::{SqlError, SqlState, SqlType};

/// What a client is told of a failure inside DataFusion. A [`SqlError`] that travelled as an external
/// error comes out as it went in.
pub fn sql_error(error: &DataFusionError) -> SqlError {
    match error {
        DataFusionError::ArrowError(error, _) => arrow_error(error),
        DataFusionError::Context(_, error) | DataFusionError::Diagnostic(_, error) => sql_error(error),
        DataFusionError::Shared(error) => sql_error(error),
        DataFusionError::Collection(errors) => match errors.first() {
            Some(error) => sql_error(error),
            None => SqlError::internal("an empty collection of errors"),
        },
        DataFusionError::External(error) => external_error(error.as_ref()),
        DataFusionError::SQL(error, _) => SqlError::new(SqlState::SYNTAX_ERROR, error.to_string()),
        DataFusionError::NotImplemented(message) => {
            SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, without_backtrace(message))
        }
        DataFusionError::Plan(message) => SqlError::new(plan_state(message), without_backtrace(message)),
        DataFusionError::SchemaError(error, _) => schema_error(error),
        DataFusionError::Execution(message) => execution_error(message),
        DataFusionError::Configuration(message) => {
            SqlError::new(SqlState::INVALID_PARAMETER_VALUE, without_backtrace(message))
        }
        DataFusionError::ResourcesExhausted(message) => {
            SqlError::new(SqlState::OUT_OF_MEMORY, without_backtrace(message))
        }
        other => SqlError::internal(without_backtrace(&other.to_string())),
    }
}

/// [`sql_error`] for a failure of an Arrow kernel.
pub fn arrow_error(error: &ArrowError) -> SqlError {
    match error {
        ArrowError::ExternalError(error) => external_error(error.as_ref()),
        ArrowError::DivideByZero => SqlError::new(SqlState::DIVISION_BY_ZERO, "division by zero"),
        ArrowError::ArithmeticOverflow(message) => overflow(message),
        ArrowError::CastError(message) | ArrowError::ParseError(message) => cast_error(message),
        // Arrow reports a decimal that outgrows its precision as a bad argument.
        ArrowError::InvalidArgumentError(message) if message.contains("to store in a Decimal") => {
            SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow")
        }
        ArrowError::InvalidArgumentError(message) | ArrowError::ComputeError(message) => {
            execution_error(message)
        }
        ArrowError::NotYetImplemented(message) => {
            SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message.clone())
        }
        other => SqlError::internal(other.to_string()),
    }
}

fn external_error(error: &(dyn Error + Send + Sync + 'static)) -> SqlError {
    if let Some(error) = error.downcast_ref::<SqlError>() {
        error.clone()
    } else if let Some(error) = error.downcast_ref::<DataFusionError>() {
        sql_error(error)
    } else if let Some(error) = error.downcast_ref::<ArrowError>() {
        arrow_error(error)
    } else {
        SqlError::internal(error.to_string())
    }
}

fn schema_error(error: &SchemaError) -> SqlError {
    match error {
        SchemaError::FieldNotFound { field, .. } => SqlError::new(
            SqlState::UNDEFINED_COLUMN,
            match &field.relation {
                Some(relation) => format!("column {relation}.{} does not exist", field.name),
                None => format!("column \"{}\" does not exist", field.name),
            },
        ),
        SchemaError::AmbiguousReference { field } => SqlError::new(
            SqlState::AMBIGUOUS_COLUMN,
            format!("column reference \"{}\" is ambiguous", field.name),
        ),
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => {
            SqlError::new(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once"))
        }
    }
}

fn plan_state(message: &str) -> SqlState {
    let table = message.contains("table") && message.contains("not found");
    if table {
        SqlState::UNDEFINED_TABLE
    } else if message.contains("Invalid function") || message.contains("No function matches") {
        SqlState::UNDEFINED_FUNCTION
    } else if message.contains("must appear in the GROUP BY clause") {
        SqlState::GROUPING_ERROR
    } else if message.contains("Cannot coerce") || message.contains("type_coercion") {
        SqlState::DATATYPE_MISMATCH
    } else {
        SqlState::SYNTAX_ERROR_OR_ACCESS_RULE
    }
}

fn execution_error(message: &str) -> SqlError {
    let lower = message.to_lowercase();
    if lower.contains("divide by zero") || lower.contains("division by zero") {
        SqlError::new(SqlState::DIVISION_BY_ZERO, "division by zero")
    } else if lower.contains("overflow") || lower.contains("out of range") {
        overflow(message)
    } else if lower.contains("regex") || lower.contains("regular expression") {
        SqlError::new(SqlState::INVALID_REGULAR_EXPRESSION, without_backtrace(message))
    } else {
        SqlError::new(SqlState::DATA_EXCEPTION, without_backtrace(message))
    }
}

/// Arrow names the operands of an overflow but not their type: `Overflow happened on: 2147483647 + 1`.
/// The smallest type that cannot hold the exact result is the type that overflowed.
fn overflow(message: &str) -> SqlError {
    let message = match exact_result(message) {
        Some(result) if i32::try_from(result).is_ok() => "smallint out of range",
        Some(result) if i64::try_from(result).is_ok() => "integer out of range",
        Some(_) => "bigint out of range",
        None => "value out of range",
    };
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

fn exact_result(message: &str) -> Option<i128> {
    let (_, operation) = message.split_once("Overflow happened on: ")?;
    let tokens = operation.split_whitespace().collect::<Vec<_>>();
    match tokens.as_slice() {
        ["-", value] => value.parse::<i128>().ok()?.checked_neg(),
        [left, operator, right] => {
            let (left, right) = (left.parse::<i128>().ok()?, right.parse::<i128>().ok()?);
            match *operator {
                "+" => left.checked_add(right),
                "-" => left.checked_sub(right),
                "*" => left.checked_mul(right),
                "/" => left.checked_div(right),
                "^" => left.checked_pow(u32::try_from(right).ok()?),
                _ => None,
            }
        }
        _ => None,
    }
}

fn cast_error(message: &str) -> SqlError {
    if let Some((value, data_type)) = between(message, "Cannot cast string '", "' to value of ") {
        return bad_text(value, data_type);
    }
    if let Some((value, _)) = between(message, "Cannot cast value '", "' to value of Boolean type") {
        return bad_text(value, "Boolean type");
    }
    if let Some((_, data_type)) = between(message, "Can't cast value ", " to type ") {
        let message = format!("{} out of range", sql_name(data_type));
        return SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message);
    }
    if let Some((value, _)) = between(message, "Error parsing timestamp from '", "': ") {
        let message = format!("invalid input syntax for type timestamp: \"{value}\"");
        return SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message);
    }
    if let Some((_, value)) = between(message, "Invalid input syntax for type", "interval: ") {
        let message = format!("invalid input syntax for type interval: {value}");
        return SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message);
    }
    if let Some((_, value)) = between(message, "can't parse the", "string value ") {
        return bad_text(value.trim_end_matches(" to decimal"), "Decimal128");
    }
    let lower = message.to_lowercase();
    if lower.contains("overflow") || lower.contains("out of range") {
        let message =
            if message.contains("Decimal") { "numeric field overflow" } else { "value out of range" };
        return SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message);
    }
    SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
}

fn bad_text(value: &str, data_type: &str) -> SqlError {
    let name = sql_name(data_type);
    let is_time = name == "date" || name.starts_with("time") || name == "interval";
    let state =
        if is_time { SqlState::INVALID_DATETIME_FORMAT } else { SqlState::INVALID_TEXT_REPRESENTATION };
    SqlError::new(state, format!("invalid input syntax for type {name}: \"{value}\""))
}

/// The SQL name of an Arrow type that a message spells out, such as `Int32 type`.
fn sql_name(data_type: &str) -> String {
    let data_type = data_type.trim().trim_end_matches(" type");
    if data_type.starts_with("Decimal") {
        return "numeric".to_owned();
    }
    let parsed = data_type.parse::<DataType>().ok();
    match parsed.as_ref().and_then(SqlType::from_arrow) {
        Some(sql_type) => sql_type.to_string(),
        None => data_type.to_lowercase(),
    }
}

/// The text between `prefix` and the last `middle`, and the text after it.
fn between<'a>(message: &'a str, prefix: &str, middle: &str) -> Option<(&'a str, &'a str)> {
    let (_, rest) = message.split_once(prefix)?;
    rest.rsplit_once(middle)
}

fn without_backtrace(message: &str) -> String {
    message.split("\n\nbacktrace").next().unwrap_or(message).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn check(error: ArrowError, state: SqlState, message: &str) {
        let found = sql_error(&DataFusionError::ArrowError(Box::new(error), None));
        assert_eq!((found.sqlstate, found.message.as_str()), (state, message));
    }

    #[test]
    fn arithmetic_fails_as_in_postgres() {
        let overflow = |text: &str| ArrowError::ArithmeticOverflow(format!("Overflow happened on: {text}"));
        let state = SqlState::NUMERIC_VALUE_OUT_OF_RANGE;
        check(ArrowError::DivideByZero, SqlState::DIVISION_BY_ZERO, "division by zero");
        check(overflow("32767 + 1"), state, "smallint out of range");
        check(overflow("2147483647 + 1"), state, "integer out of range");
        check(overflow("9223372036854775807 * 2"), state, "bigint out of range");
        check(overflow("- -2147483648"), state, "integer out of range");
    }

    #[test]
    fn casts_fail_as_in_postgres() {
        let cast = |text: &str| ArrowError::CastError(text.to_owned());
        check(
            cast("Cannot cast string 'x' to value of Int32 type"),
            SqlState::INVALID_TEXT_REPRESENTATION,
            "invalid input syntax for type integer: \"x\"",
        );
        check(
            cast("Cannot cast string 'x' to value of Date32 type"),
            SqlState::INVALID_DATETIME_FORMAT,
            "invalid input syntax for type date: \"x\"",
        );
        check(
            cast("Can't cast value 3000000000 to type Int32"),
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            "integer out of range",
        );
        check(
            ArrowError::ParseError("Error parsing timestamp from 'noon': too short".to_owned()),
            SqlState::INVALID_DATETIME_FORMAT,
            "invalid input syntax for type timestamp: \"noon\"",
        );
    }

    #[test]
    fn our_own_errors_pass_through() {
        let own = SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range").with_detail("x");
        let external = DataFusionError::External(Box::new(own.clone()));
        let wrapped = DataFusionError::Shared(Arc::new(external.context("while casting")));
        assert_eq!(sql_error(&wrapped), own);
        let arrow = ArrowError::ExternalError(Box::new(wrapped));
        assert_eq!(sql_error(&DataFusionError::ArrowError(Box::new(arrow), None)), own);
    }
}
