//! JSON as rows of columns that the query names, as subqueries:
//!
//! ```text
//! json_to_recordset(j) AS t(a int)                 is (SELECT field(unnest(records(j)), 'a', 'int') AS a) AS t
//! json_populate_recordset(NULL::some_table, j) t   is json_to_recordset(j) AS t(columns of the table)
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, Query, SelectItem, TableAlias,
    TableAliasColumnDef, TableFactor, TableFunctionArgs, TableWithJoins, Value, VisitorMut,
};
use springtide_catalog::Catalog;
use springtide_types::Result;

use crate::desugar::call;
use crate::functions::FIELD;
use crate::names::{alias, fold, object_name, quoted};
use crate::sql_json::TABLE;
use crate::unnest::select;
use crate::walk::{Stop, any_expr, flow, walk_mut};

/// Functions of records, and what makes an array of their objects.
const FUNCTIONS: [(&str, &str); 4] = [
    ("json_to_record", "$json_record"),
    ("jsonb_to_record", "$jsonb_record"),
    ("json_to_recordset", "$json_records"),
    ("jsonb_to_recordset", "$jsonb_records"),
];

/// A call in FROM.
struct Call<'a> {
    name: String,
    args: Vec<Expr>,
    alias: &'a mut Option<TableAlias>,
}

fn call_of<'a>(
    name: &ObjectName,
    args: &[FunctionArg],
    alias: &'a mut Option<TableAlias>,
) -> Option<Call<'a>> {
    let args = args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    Some(Call { name: object_name(name).ok()?.name, args: args.collect::<Option<Vec<_>>>()?, alias })
}

fn call_in(factor: &mut TableFactor) -> Option<Call<'_>> {
    match factor {
        TableFactor::Table { name, args: Some(args), alias, .. } => call_of(name, &args.args, alias),
        TableFactor::Function { name, args, alias, .. } => call_of(name, args, alias),
        _ => None,
    }
}

/// Rewrites the functions of records in FROM whose columns are named.
pub(crate) fn records_in_from(from: &mut [TableWithJoins]) {
    let mut is_first = true;
    for table in from {
        let joined = table.joins.iter_mut().map(|join| &mut join.relation);
        for factor in std::iter::once(&mut table.relation).chain(joined) {
            if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
                records_in_from(std::slice::from_mut(&mut **table_with_joins));
            } else if let Some(derived) = call_in(factor).and_then(|call| derived(&call, is_first)) {
                *factor = derived;
            }
            is_first = false;
        }
    }
}

fn text(text: &str) -> Expr {
    Expr::value(Value::SingleQuotedString(text.to_owned()))
}

fn derived(record: &Call<'_>, is_first: bool) -> Option<TableFactor> {
    let names_column = |expr: &Expr| matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
    let lateral = !is_first && record.args.iter().any(|arg| any_expr(arg, names_column));
    if let (TABLE, [Expr::Subquery(subquery)]) = (record.name.as_str(), record.args.as_slice()) {
        let alias = Some(record.alias.clone().unwrap_or_else(|| alias("json_table")));
        return Some(TableFactor::Derived { lateral, subquery: subquery.clone(), alias, sample: None });
    }
    let (_, objects) = FUNCTIONS.iter().find(|(name, _)| *name == record.name)?;
    let given = record.alias.as_ref()?;
    let objects = call("unnest", vec![call(objects, record.args.clone())]);
    let column = |column: &TableAliasColumnDef| {
        let declared = column.data_type.as_ref()?.to_string();
        let value = call(FIELD, vec![objects.clone(), text(&fold(&column.name)), text(&declared)]);
        Some(SelectItem::ExprWithAlias { expr: value, alias: column.name.clone() })
    };
    let projection = given.columns.iter().map(column).collect::<Option<Vec<_>>>()?;
    let alias = Some(TableAlias { columns: Vec::new(), ..given.clone() });
    (!projection.is_empty()).then_some(())?;
    Some(TableFactor::Derived { lateral, subquery: Box::new(select(projection)?), alias, sample: None })
}

/// Gives `json_populate_record(NULL::some_table, j)` the columns of the table.
pub(crate) fn name_record_columns(query: &mut Query, catalog: &Catalog) -> Result<()> {
    walk_mut(query, &mut Named(catalog))
}

struct Named<'a>(&'a Catalog);

impl VisitorMut for Named<'_> {
    type Break = Stop;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Stop> {
        if let Some(named) = call_in(factor).and_then(|call| self.with_columns(call)) {
            *factor = named;
        }
        flow(Ok(()))
    }
}

impl Named<'_> {
    fn with_columns(&self, call: Call<'_>) -> Option<TableFactor> {
        let (function, rest) = call.name.split_once("_populate_record")?;
        let name = format!("{function}_to_record{rest}");
        FUNCTIONS.iter().find(|(known, _)| *known == name)?;
        let [row, json] = call.args.as_slice() else { return None };
        let mut named = call.alias.clone().unwrap_or_else(|| alias(&call.name));
        if named.columns.iter().all(|column| column.data_type.is_none()) {
            let columns = self.columns(row)?;
            let given = named.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
            named.columns = columns
                .into_iter()
                .enumerate()
                .map(|(at, column)| TableAliasColumnDef {
                    name: given.get(at).cloned().unwrap_or(column.0),
                    data_type: Some(column.1),
                })
                .collect();
        }
        Some(TableFactor::Table {
            name: ObjectName::from(vec![Ident::new(name)]),
            alias: Some(named),
            args: Some(TableFunctionArgs {
                args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(json.clone()))],
                settings: None,
            }),
            with_hints: Vec::new(),
            version: None,
            with_ordinality: false,
            partitions: Vec::new(),
            json_path: None,
            sample: None,
            index_hints: Vec::new(),
        })
    }

    /// The columns of the table that NULL is cast to the row type of.
    fn columns(&self, row: &Expr) -> Option<Vec<(Ident, DataType)>> {
        let Expr::Cast { expr, data_type: DataType::Custom(name, _), .. } = row else { return None };
        if !matches!(expr.as_ref(), Expr::Value(value) if value.value == Value::Null) {
            return None;
        }
        let relation = self.0.find(&object_name(name).ok()?)?;
        let columns = relation.columns.iter().map(|column| {
            let declared = crate::parser(&column.sql_type.to_string()).ok()?.parse_data_type().ok()?;
            Some((quoted(&column.name), declared))
        });
        columns.collect()
    }
}
