use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

/// A parameter of a compiled query: a column that holds one value in all rows, given to functions as the
/// constant that it is.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Parameter {
    column: Column,
}

impl Parameter {
    /// The parameter that the batches carry in this column.
    pub(crate) fn new(column: Column) -> Parameter {
        Parameter { column }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.column.name())
    }
}

impl PhysicalExpr for Parameter {
    fn data_type(&self, input_schema: &Schema) -> Result<DataType> {
        self.column.data_type(input_schema)
    }

    fn nullable(&self, _input_schema: &Schema) -> Result<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if batch.num_rows() == 0 {
            return self.column.evaluate(batch);
        }
        let value = ScalarValue::try_from_array(batch.column(self.column.index()), 0)?;
        Ok(ColumnarValue::Scalar(value))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(self)
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
