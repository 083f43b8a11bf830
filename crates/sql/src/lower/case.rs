//! `CASE subject WHEN constant THEN constant ... ELSE expression END`. DataFusion looks the constants up in a table if ELSE gives
//! a constant too; otherwise it copies, branch by branch, the rows that have not found theirs.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::is_null;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CaseExpr, Literal};

/// The expression, in which the constants of such a CASE have become a table.
pub(super) fn with_tables(expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
    let divided = expr.transform_up(|expr| {
        Ok(match divide(&expr)? {
            Some(divided) => Transformed::yes(Arc::new(divided) as Arc<dyn PhysicalExpr>),
            None => Transformed::no(expr),
        })
    });
    Ok(divided?.data)
}

fn divide(expr: &Arc<dyn PhysicalExpr>) -> Result<Option<TableOrElse>> {
    let expr: &dyn std::any::Any = expr.as_ref();
    let Some(case) = expr.downcast_ref::<CaseExpr>() else { return Ok(None) };
    let (Some(subject), Some(other)) = (case.expr(), case.else_expr()) else { return Ok(None) };
    let branches = case.when_then_expr();
    let suits = |(when, then): &(Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>)| {
        constant(when).is_some_and(has_one_form) && constant(then).is_some()
    };
    if branches.len() < 2 || constant(other).is_some() || !branches.iter().all(suits) {
        return Ok(None);
    }
    let table = CaseExpr::try_new(Some(subject.clone()), branches.to_vec(), None)?;
    Ok(Some(TableOrElse { table: Arc::new(table), other: other.clone() }))
}

/// The value of a constant that is not NULL.
fn constant(expr: &Arc<dyn PhysicalExpr>) -> Option<&ScalarValue> {
    let expr: &dyn std::any::Any = expr.as_ref();
    expr.downcast_ref::<Literal>().map(Literal::value).filter(|value| !value.is_null())
}

/// Whether values are equal only if they are the same: no table knows that 0.0 is −0.0.
fn has_one_form(value: &ScalarValue) -> bool {
    let data_type = value.data_type();
    data_type.is_integer() || matches!(data_type, DataType::Utf8 | DataType::Date32 | DataType::Timestamp(..))
}

/// What a table has for a row, else the value of an expression, which is computed for no other rows.
#[derive(Debug)]
struct TableOrElse {
    /// NULL for what it does not have.
    table: Arc<dyn PhysicalExpr>,
    other: Arc<dyn PhysicalExpr>,
}

impl PartialEq for TableOrElse {
    fn eq(&self, other: &TableOrElse) -> bool {
        self.table.eq(&other.table) && self.other.eq(&other.other)
    }
}

impl Eq for TableOrElse {}

impl Hash for TableOrElse {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.table.hash(state);
        self.other.hash(state);
    }
}

impl fmt::Display for TableOrElse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table.to_string();
        write!(f, "{} ELSE {} END", table.strip_suffix(" END").unwrap_or(&table).trim_end(), self.other)
    }
}

impl PhysicalExpr for TableOrElse {
    fn data_type(&self, input: &Schema) -> Result<DataType> {
        self.table.data_type(input)
    }

    fn nullable(&self, input: &Schema) -> Result<bool> {
        self.other.nullable(input)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let found = self.table.evaluate(batch)?.into_array(batch.num_rows())?;
        if found.logical_null_count() == 0 {
            return Ok(ColumnarValue::Array(found));
        }
        let missing = is_null(&found)?;
        let others = self.other.evaluate_selection(batch, &missing)?.into_array(batch.num_rows())?;
        Ok(ColumnarValue::Array(zip(&missing, &others, &found)?))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.table, &self.other]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let Ok([table, other]) = <[_; 2]>::try_from(children) else {
            return internal_err!("a table and what else there is");
        };
        Ok(Arc::new(TableOrElse { table, other }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
