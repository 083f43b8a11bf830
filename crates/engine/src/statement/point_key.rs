use arrow::array::{ArrayRef, StringArray, new_null_array};
use datafusion::common::ScalarValue;
use springtide_catalog::{Catalog, Relation, RelationKind, Types};
use springtide_sql::relations_named;
use springtide_sql::sqlparser::ast::{
    BinaryOperator, CastKind, Expr, Query, SetExpr, TableFactor, UnaryOperator, Value, ValueWithSpan,
};
use springtide_types::{RelationId, Result, SqlError, SqlState, SqlType, ZBatch};

use super::ast;
use crate::transaction::Transaction;

/// The key that a query's WHERE pins to one value, so that at most one row of its relation can qualify: that is then looked up instead of scanned. The query still applies its whole WHERE.
#[derive(Clone)]
pub(super) struct PointKey {
    pub(super) relation: RelationId,
    is_view: bool,
    /// Positions of the columns of the key.
    pub(super) columns: Vec<usize>,
    values: Vec<KeyValue>,
    /// Whether the WHERE asks for nothing else.
    pub(super) is_whole_condition: bool,
}

#[derive(Clone)]
enum KeyValue {
    Constant(ArrayRef),
    /// A parameter, and the type of the column.
    Parameter(usize, SqlType),
}

impl PointKey {
    /// Finds the key in a query over one relation that is named nowhere else in it.
    pub(super) fn find(query: &Query, catalog: &Catalog, parameters: &[SqlType]) -> Option<PointKey> {
        let SetExpr::Select(select) = query.body.as_ref() else { return None };
        let [from] = select.from.as_slice() else { return None };
        let TableFactor::Table { name, alias, args: None, version: None, .. } = &from.relation else {
            return None;
        };
        let renames = alias.as_ref().is_some_and(|alias| !alias.columns.is_empty());
        if query.with.is_some() || renames || !from.joins.is_empty() || relations_named(query) != 1 {
            return None;
        }
        let relation = catalog.find(&springtide_sql::object_name(name).ok()?)?;
        let conditions = conjuncts(select.selection.as_ref()?);
        let equalities = equalities(&conditions);
        let keys = relation.lookup_key().into_iter().chain(relation.keys().map(|key| key.columns.to_vec()));
        let is_view = matches!(relation.kind, RelationKind::MaterializedView { .. });
        keys.into_iter().find_map(|columns| {
            let values = columns
                .iter()
                .map(|column| pinned(relation, *column, &equalities, (parameters, catalog.types())));
            let values = values.collect::<Option<_>>()?;
            let is_whole_condition = conditions.len() == columns.len();
            Some(PointKey { relation: relation.id, is_view, columns, values, is_whole_condition })
        })
    }

    /// The rows that have the key, as a transaction sees them.
    pub(super) async fn rows(
        &self,
        transaction: &mut Transaction,
        parameters: &[ScalarValue],
    ) -> Result<Vec<ZBatch>> {
        let keys = self.values(parameters)?;
        if self.is_view {
            return transaction.rows_of_view_by_key(self.relation, &keys).await;
        }
        transaction.rows_by_key(self.relation, &self.columns, keys)
    }

    /// The key, one column of one row each.
    pub(super) fn values(&self, parameters: &[ScalarValue]) -> Result<Vec<ArrayRef>> {
        self.values.iter().map(|value| value.array(parameters)).collect()
    }
}

impl KeyValue {
    /// The value, as one row of the column. What the column can't hold becomes NULL, which equals no row either.
    fn array(&self, parameters: &[ScalarValue]) -> Result<ArrayRef> {
        let (index, sql_type) = match self {
            KeyValue::Constant(array) => return Ok(array.clone()),
            KeyValue::Parameter(index, sql_type) => (*index, *sql_type),
        };
        let wanted = sql_type.arrow();
        let parameter = parameters.get(index).ok_or_else(|| {
            SqlError::new(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter ${}", index + 1))
        })?;
        let held = match parameter {
            parameter if parameter.data_type() == wanted => parameter.to_array(),
            parameter => match parameter.cast_to(&wanted) {
                Ok(value) => value.to_array(),
                Err(_) => Ok(new_null_array(&wanted, 1)),
            },
        };
        held.map_err(|error| springtide_plan::sql_error(&error))
    }
}

/// The terms of a conjunction.
fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Nested(inner) => conjuncts(inner),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let mut found = conjuncts(left);
            found.extend(conjuncts(right));
            found
        }
        other => vec![other],
    }
}

/// Those of the form `column = value`, both ways round.
fn equalities<'a>(conditions: &[&'a Expr]) -> Vec<(&'a Expr, &'a Expr)> {
    let sides = conditions.iter().filter_map(|condition| match condition {
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => Some((left.as_ref(), right.as_ref())),
        _ => None,
    });
    sides.flat_map(|(left, right)| [(left, right), (right, left)]).collect()
}

fn pinned(
    table: &Relation,
    column: usize,
    equalities: &[(&Expr, &Expr)],
    (parameters, types): (&[SqlType], &Types),
) -> Option<KeyValue> {
    let column = &table.columns[column];
    let names_column = |expr: &Expr| match expr {
        Expr::Identifier(ident) => ast::fold(ident) == column.name,
        // The query names one relation, so the qualifier can only be that.
        Expr::CompoundIdentifier(idents) => {
            idents.last().is_some_and(|ident| ast::fold(ident) == column.name)
        }
        _ => false,
    };
    equalities.iter().filter(|(left, _)| names_column(left)).find_map(|(_, value)| {
        parameter(value, column.sql_type, (parameters, types)).or_else(|| constant(value, column.sql_type))
    })
}

/// A parameter, perhaps cast to the type that it has anyway, whose values compare with those of a column as if they were of its type.
fn parameter(expr: &Expr, column: SqlType, (parameters, types): (&[SqlType], &Types)) -> Option<KeyValue> {
    let index = ast::placeholder(expr)?;
    let given = *parameters.get(index)?;
    match expr {
        Expr::Value(_) => {}
        Expr::Cast { expr, data_type, kind: CastKind::Cast | CastKind::DoubleColon, .. }
            if matches!(expr.as_ref(), Expr::Value(_))
                && springtide_sql::sql_type(data_type, types).is_ok_and(|cast| cast == given) => {}
        _ => return None,
    }
    let fits = given.arrow() == column.arrow() || (is_integer(given) && is_integer(column));
    fits.then_some(KeyValue::Parameter(index, column))
}

fn is_integer(sql_type: SqlType) -> bool {
    matches!(sql_type, SqlType::Int2 | SqlType::Int4 | SqlType::Int8)
}

fn constant(expr: &Expr, sql_type: SqlType) -> Option<KeyValue> {
    let is_integer = is_integer(sql_type);
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
