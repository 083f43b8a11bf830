use arrow::array::{ArrayRef, StringArray};
use datafusion::common::ScalarValue;
use springtide_catalog::{Catalog, Relation};
use springtide_sql::relations_named;
use springtide_sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, SetExpr, TableFactor, UnaryOperator, Value, ValueWithSpan,
};
use springtide_types::{RelationId, SqlType};

use super::ast;

/// The key that a query's WHERE pins to one value, so that at most one row of its table can qualify: the table is then looked up instead of scanned. The query still applies its whole WHERE.
#[derive(Clone)]
pub(super) struct PointKey {
    pub(super) relation: RelationId,
    /// Positions of the columns of the key.
    pub(super) key: Vec<usize>,
    values: Vec<KeyValue>,
}

#[derive(Clone)]
enum KeyValue {
    Constant(ArrayRef),
    Parameter(usize, SqlType),
}

impl PointKey {
    /// Finds the key in a query over one table that is named nowhere else in it.
    pub(super) fn find(query: &Query, catalog: &Catalog) -> Option<PointKey> {
        let SetExpr::Select(select) = query.body.as_ref() else { return None };
        let [from] = select.from.as_slice() else { return None };
        let TableFactor::Table { name, args: None, version: None, .. } = &from.relation else { return None };
        if query.with.is_some() || !from.joins.is_empty() || relations_named(query) != 1 {
            return None;
        }
        let table = catalog.find(&springtide_sql::object_name(name).ok()?)?;
        let equalities = equalities(select.selection.as_ref()?);
        table.keys().find_map(|key| {
            let values = key.columns.iter().map(|column| pinned(table, *column, &equalities));
            let values = values.collect::<Option<_>>()?;
            Some(PointKey { relation: table.id, key: key.columns.to_vec(), values })
        })
    }

    /// The key, one column of one row each; `None` if a parameter is not of the column's type.
    pub(super) fn keys(&self, parameters: &[ScalarValue]) -> Option<Vec<ArrayRef>> {
        let values = self.values.iter().map(|value| match value {
            KeyValue::Constant(array) => Some(array.clone()),
            KeyValue::Parameter(index, sql_type) => {
                let parameter = parameters.get(*index)?;
                let fits = !parameter.is_null() && parameter.data_type() == sql_type.arrow();
                if fits { parameter.to_array().ok() } else { None }
            }
        });
        values.collect()
    }
}

/// The `column = value` terms of a conjunction.
fn equalities(expr: &Expr) -> Vec<(&Expr, &Expr)> {
    match expr {
        Expr::Nested(inner) => equalities(inner),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let mut found = equalities(left);
            found.extend(equalities(right));
            found
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => vec![(left, right), (right, left)],
        _ => Vec::new(),
    }
}

fn pinned(table: &Relation, column: usize, equalities: &[(&Expr, &Expr)]) -> Option<KeyValue> {
    let column = &table.columns[column];
    let names_column = |expr: &Expr| match expr {
        Expr::Identifier(ident) => ast::fold(ident) == column.name,
        // The query names one relation, so the qualifier can only be that.
        Expr::CompoundIdentifier(idents) => {
            idents.last().is_some_and(|ident| ast::fold(ident) == column.name)
        }
        _ => false,
    };
    equalities
        .iter()
        .filter(|(left, _)| names_column(left))
        .find_map(|(_, value)| key_value(value, column.sql_type))
}

fn key_value(expr: &Expr, sql_type: SqlType) -> Option<KeyValue> {
    if let Expr::Value(_) = expr
        && let Some(index) = ast::placeholder(expr)
    {
        return Some(KeyValue::Parameter(index, sql_type));
    }
    let is_integer = matches!(sql_type, SqlType::Int2 | SqlType::Int4 | SqlType::Int8);
    let text = match expr {
        literal if ast::string_literal(literal).is_some() => ast::string_literal(literal)?.to_owned(),
        Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) if is_integer => digits.clone(),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } if is_integer => match expr.as_ref() {
            Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) => format!("-{digits}"),
            _ => return None,
        },
        _ => return None,
    };
    // A literal that the type cannot hold is left to the query, which reports it or finds nothing.
    let array = springtide_sql::parse_text(&StringArray::from(vec![text]), sql_type).ok()?;
    Some(KeyValue::Constant(array))
}
