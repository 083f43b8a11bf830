//! `pg_input_error_info(text, type)` in FROM, as a subquery with its columns in its list.

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, SelectItem, SetExpr, Statement, TableFactor, TableWithJoins, Value,
};

use crate::desugar::call;
use crate::functions::INPUT_ERROR;
use crate::names::{alias, object_name, quoted};

const ERROR_INFO: &str = "pg_input_error_info";

/// The columns.
const FIELDS: [&str; 4] = ["message", "detail", "hint", "sql_error_code"];

/// Rewrites what FROM says.
pub(crate) fn input_errors_in_lists(from: &mut [TableWithJoins]) {
    for table in from {
        let joined = table.joins.iter_mut().map(|join| &mut join.relation);
        for factor in std::iter::once(&mut table.relation).chain(joined) {
            if let Some(derived) = derived(factor) {
                *factor = derived;
            }
        }
    }
}

fn derived(factor: &TableFactor) -> Option<TableFactor> {
    let TableFactor::Table { name, args: Some(args), alias: given, .. } = factor else { return None };
    if !object_name(name).is_ok_and(|name| name.schema.is_none() && name.name == ERROR_INFO) {
        return None;
    }
    let args = args.args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) => Some(arg.clone()),
        _ => None,
    });
    let args = args.collect::<Option<Vec<_>>>()?;
    let Statement::Query(mut subquery) = crate::parse("SELECT 1").ok()?.pop()?.ast else { return None };
    let SetExpr::Select(select) = subquery.body.as_mut() else { return None };
    let item = |field: &&str| {
        let field_name = Expr::value(Value::SingleQuotedString((*field).to_owned()));
        let expr = call(INPUT_ERROR, args.iter().cloned().chain([field_name]).collect());
        SelectItem::ExprWithAlias { expr, alias: quoted(field) }
    };
    select.projection = FIELDS.iter().map(item).collect();
    let alias = Some(given.clone().unwrap_or_else(|| alias(ERROR_INFO)));
    Some(TableFactor::Derived { lateral: false, subquery, alias, sample: None })
}
