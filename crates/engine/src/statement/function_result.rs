//! What a function is declared to return.

use springtide_catalog::{Catalog, FunctionRows};
use springtide_sql::sqlparser::ast::{ArgMode, DataType, FunctionReturnType, OperateFunctionArg};
use springtide_types::{Result, SqlError, SqlState, SqlType};

use super::ast;
use super::function::{parameter_name, unconstrained};

/// The type of the result of a function, of rows that of their first column, and the rows. The column of values is named like
/// the function.
pub(super) fn declared(
    returns: Option<&FunctionReturnType>,
    arguments: &[OperateFunctionArg],
    catalog: &Catalog,
    name: &str,
) -> Result<(SqlType, Option<FunctionRows>)> {
    let given = out_columns(arguments, catalog)?;
    let (columns, set) = match returns {
        None if given.is_empty() => return Err(invalid("function result type must be specified")),
        None => (given, false),
        Some(FunctionReturnType::DataType(DataType::Table(columns))) => {
            let columns = columns
                .iter()
                .flatten()
                .map(|column| Ok((ast::fold(&column.name), unconstrained(&column.data_type, catalog)?)));
            (columns.collect::<Result<Vec<_>>>()?, true)
        }
        Some(FunctionReturnType::DataType(data_type)) => match columns_of(data_type, given, catalog)? {
            Ok(sql_type) => return Ok((sql_type, None)),
            Err(columns) => (columns, false),
        },
        Some(FunctionReturnType::SetOf(data_type)) => match columns_of(data_type, given, catalog)? {
            Ok(sql_type) => {
                let rows = FunctionRows { columns: vec![(name.to_owned(), sql_type)], set: true };
                return Ok((sql_type, Some(rows)));
            }
            Err(columns) => (columns, true),
        },
    };
    let Some((_, first)) = columns.first() else { return Err(invalid("a function returns some column")) };
    match (columns.len(), set) {
        // One OUT parameter is the value.
        (1, false) => Ok((*first, None)),
        _ => Ok((*first, Some(FunctionRows { columns: columns.clone(), set }))),
    }
}

/// The type, or the columns that a type of rows has.
fn columns_of(
    data_type: &DataType,
    given: Vec<(String, SqlType)>,
    catalog: &Catalog,
) -> Result<std::result::Result<SqlType, Vec<(String, SqlType)>>> {
    if let DataType::Custom(name, _) = data_type
        && let Ok(name) = springtide_sql::object_name(name)
    {
        match name.name.as_str() {
            "record" if !given.is_empty() => return Ok(Err(given)),
            "void" | "record" | "trigger" => {
                return Err(SqlError::unsupported(format!("a function that returns {name}")));
            }
            _ => {}
        }
        if let Some(relation) = catalog.find(&name) {
            let columns = relation.columns.iter();
            let columns = columns.map(|column| (column.name.clone(), column.sql_type.unconstrained()));
            return Ok(Err(columns.collect()));
        }
    }
    match given.len() {
        0 | 1 => unconstrained(data_type, catalog).map(Ok),
        _ => Err(invalid("function result type must be record because of OUT parameters")),
    }
}

fn out_columns(arguments: &[OperateFunctionArg], catalog: &Catalog) -> Result<Vec<(String, SqlType)>> {
    let is_out =
        |argument: &&OperateFunctionArg| matches!(argument.mode, Some(ArgMode::Out | ArgMode::InOut));
    let columns = arguments.iter().filter(is_out).enumerate().map(|(position, argument)| {
        let name = argument.name.as_ref().map(parameter_name);
        Ok((
            name.unwrap_or_else(|| format!("column{}", position + 1)),
            unconstrained(&argument.data_type, catalog)?,
        ))
    });
    columns.collect()
}

fn invalid(message: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_FUNCTION_DEFINITION, message)
}
