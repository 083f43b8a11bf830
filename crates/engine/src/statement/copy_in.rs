//! The data of a COPY FROM STDIN: from bytes to rows of a table.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::{Field, Schema};
use datafusion::common::ScalarValue;
use springtide_catalog::Column;
use springtide_sql::Planner;
use springtide_types::{RelationId, Result, SqlError, SqlState};

use super::insert;
use super::sides::{Others, OverSides};
use super::target::Target;
use crate::binary_format::from_binary;
use crate::copy_format::{Encoding, Format, Lines, Tuples};
use crate::transaction::Transaction;

/// Rows parsed into one batch.
const ROWS_PER_BATCH: usize = 8192;

/// A bound `COPY … FROM STDIN`.
#[derive(Clone)]
pub(crate) struct Copy {
    table: Target,
    columns: Vec<usize>,
    names: Vec<String>,
    format: Format,
    /// Returns the rows that WHERE lets in.
    filter: Option<OverSides>,
}

impl Copy {
    /// Into the columns of a table of these positions and names.
    pub(super) fn new(
        table: Target,
        columns: Vec<usize>,
        names: Vec<String>,
        format: Format,
        filter: Option<OverSides>,
    ) -> Copy {
        Copy { table, columns, names, format, filter }
    }

    pub(super) fn table(&self) -> RelationId {
        self.table.id
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns.len()
    }

    pub(crate) fn is_binary(&self) -> bool {
        self.format.encoding == Encoding::Binary
    }

    pub(crate) fn begin(&self) -> CopyIn {
        let rows = if self.is_binary() {
            Rows::Binary { tuples: Tuples::default(), values: vec![Vec::new(); self.columns.len()] }
        } else {
            Rows::Text {
                lines: Lines::new(self.format.clone(), self.names.clone()),
                fields: self.columns.iter().map(|_| StringBuilder::new()).collect(),
            }
        };
        CopyIn { copy: self.clone(), rows, count: 0, batched: 0, batches: Vec::new() }
    }

    fn column(&self, position: usize) -> &Column {
        &self.table.columns[self.columns[position]]
    }

    fn wrong_width(&self, width: usize) -> SqlError {
        let message = match self.columns.get(width) {
            Some(missing) => format!("missing data for column \"{}\"", self.table.columns[*missing].name),
            None => "extra data after last expected column".to_owned(),
        };
        SqlError::new(SqlState::BAD_COPY_FILE_FORMAT, message)
    }

    /// The values of a column from their texts, the first of which stands in line `first`.
    fn parse(&self, texts: &StringArray, column: &Column, first: usize) -> Result<ArrayRef> {
        springtide_sql::parse_text(texts, column.sql_type).map_err(|error| {
            let bad = (0..texts.len())
                .find(|row| springtide_sql::parse_text(&texts.slice(*row, 1), column.sql_type).is_err());
            let Some(row) = bad else { return error };
            let (line, value) = (first + row, texts.value(row));
            let (table, column) = (&self.table.name, &column.name);
            error.with_detail(format!("COPY {table}, line {line}, column {column}: \"{value}\""))
        })
    }
}

/// A COPY whose data is arriving. Lines are parsed as they come; the rows are written at its end.
pub(crate) struct CopyIn {
    copy: Copy,
    rows: Rows,
    /// Rows that have come.
    count: usize,
    /// Those that are in batches.
    batched: usize,
    batches: Vec<RecordBatch>,
}

/// The rows that are not in a batch yet, by column, and where they come from.
enum Rows {
    Text { lines: Lines, fields: Vec<StringBuilder> },
    Binary { tuples: Tuples, values: Vec<Vec<ScalarValue>> },
}

impl CopyIn {
    pub(crate) fn data(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.rows {
            Rows::Text { lines, .. } => lines.push(bytes),
            Rows::Binary { tuples, .. } => tuples.push(bytes),
        }
        self.take_rows()
    }

    /// Writes all rows. Returns how many.
    pub(crate) async fn finish(mut self, planner: &Planner, transaction: &mut Transaction) -> Result<usize> {
        if let Rows::Text { lines, .. } = &mut self.rows {
            lines.end();
        }
        self.take_rows()?;
        if let Rows::Binary { tuples, .. } = &self.rows {
            tuples.end()?;
        }
        self.finish_batch()?;
        let Copy { table, columns, filter, .. } = &self.copy;
        let rows = match filter {
            None => insert::write_batches(planner, transaction, table, columns, &self.batches).await?,
            Some(filter) => {
                let rows = self.filtered(filter, planner, transaction).await?;
                insert::write_all(planner, transaction, table, &rows).await?
            }
        };
        super::references::follow(planner, transaction).await?;
        Ok(rows)
    }

    /// The rows that a filter lets in, with their defaults.
    async fn filtered(
        &self,
        filter: &OverSides,
        planner: &Planner,
        transaction: &Transaction,
    ) -> Result<Vec<RecordBatch>> {
        let Copy { table, columns, .. } = &self.copy;
        let mut kept = Vec::new();
        for batch in &self.batches {
            let (catalog, rows) = (transaction.visible_catalog(), batch.num_rows());
            let all = insert::all_columns(planner, catalog, table, columns, batch.columns(), rows).await?;
            kept.extend(filter.run(planner, Others::new(), vec![all], rows, &[]).await?);
        }
        Ok(kept)
    }

    fn take_rows(&mut self) -> Result<()> {
        loop {
            let line = self.count + 1;
            let taken = self.take_row();
            if !taken.map_err(|error| self.at_line(error, line))? {
                return Ok(());
            }
            self.count = line;
            if self.count - self.batched >= ROWS_PER_BATCH {
                self.finish_batch()?;
            }
        }
    }

    /// Takes a row, if one has arrived.
    fn take_row(&mut self) -> Result<bool> {
        let copy = &self.copy;
        match &mut self.rows {
            Rows::Text { lines, fields } => {
                let Some(line) = lines.next_line()? else { return Ok(false) };
                if line.len() != fields.len() {
                    return Err(copy.wrong_width(line.len()));
                }
                for (builder, field) in fields.iter_mut().zip(&line) {
                    builder.append_option(field.as_deref());
                }
            }
            Rows::Binary { tuples, values } => {
                let Some(tuple) = tuples.next_tuple()? else { return Ok(false) };
                if tuple.len() != values.len() {
                    let (got, expected) = (tuple.len(), values.len());
                    let message = format!("row field count is {got}, expected {expected}");
                    return Err(SqlError::new(SqlState::BAD_COPY_FILE_FORMAT, message));
                }
                for (position, (values, field)) in values.iter_mut().zip(tuple).enumerate() {
                    let column = copy.column(position);
                    let value = match field {
                        None => ScalarValue::try_new_null(&column.sql_type.arrow())
                            .map_err(|error| springtide_plan::sql_error(&error))?,
                        Some(bytes) => from_binary(column.sql_type, &bytes)?.ok_or_else(wrong_binary)?,
                    };
                    values.push(value);
                }
            }
        }
        Ok(true)
    }

    fn at_line(&self, error: SqlError, line: usize) -> SqlError {
        match error.detail {
            Some(_) => error,
            None => error.with_detail(format!("COPY {}, line {line}", self.copy.table.name)),
        }
    }

    fn finish_batch(&mut self) -> Result<()> {
        if self.count == self.batched {
            return Ok(());
        }
        let (copy, first) = (&self.copy, self.batched + 1);
        let columns = (0..copy.columns.len()).map(|position| match &mut self.rows {
            Rows::Text { fields, .. } => copy.parse(&fields[position].finish(), copy.column(position), first),
            Rows::Binary { values, .. } => {
                let array = ScalarValue::iter_to_array(std::mem::take(&mut values[position]));
                array.map_err(|error| springtide_plan::sql_error(&error))
            }
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let fields = (0..copy.columns.len()).map(|position| {
            let column = copy.column(position);
            Field::new(&column.name, column.sql_type.arrow(), true)
        });
        let schema = Schema::new(fields.collect::<Vec<_>>());
        let batch = RecordBatch::try_new(Arc::new(schema), columns).map_err(super::internal)?;
        self.batches.push(batch);
        self.batched = self.count;
        Ok(())
    }
}

fn wrong_binary() -> SqlError {
    SqlError::new(SqlState::INVALID_BINARY_REPRESENTATION, "incorrect binary data format")
}
