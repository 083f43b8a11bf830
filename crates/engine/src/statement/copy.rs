use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::{Field, Schema};
use springtide_catalog::{Catalog, Column};
use springtide_sql::Planner;
use springtide_sql::sqlparser::ast::{
    CopyLegacyCsvOption, CopyLegacyOption, CopyOption, CopySource, CopyTarget, Statement,
};
use springtide_types::{Result, SqlError, SqlState};

use super::target::Target;
use crate::copy_format::{Format, Line, Splitter};
use crate::transaction::Transaction;

/// Lines parsed into one batch.
const LINES_PER_BATCH: usize = 8192;

/// A bound `COPY … FROM STDIN`.
#[derive(Clone)]
pub(crate) struct Copy {
    table: Target,
    columns: Vec<usize>,
    format: Format,
}

impl Copy {
    pub(crate) fn bind(catalog: &Catalog, statement: &Statement) -> Result<Copy> {
        let Statement::Copy { source, to, target, options, legacy_options, .. } = statement else {
            return Err(SqlError::internal("not a COPY statement"));
        };
        if *to || !matches!(target, CopyTarget::Stdin) {
            return Err(SqlError::unsupported("COPY other than FROM STDIN"));
        }
        let CopySource::Table { table_name, columns } = source else {
            return Err(SqlError::unsupported("COPY of a query FROM STDIN"));
        };
        let table = Target::find(catalog, table_name, "insert into")?;
        let columns = match columns.as_slice() {
            [] => (0..table.columns.len()).collect(),
            names => super::column_positions(&table, names)?,
        };
        Ok(Copy { table, columns, format: format(options, legacy_options)? })
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns.len()
    }

    pub(crate) fn begin(&self) -> CopyIn {
        CopyIn {
            splitter: Splitter::new(self.format.clone()),
            line: Line::default(),
            fields: self.columns.iter().map(|_| StringBuilder::new()).collect(),
            lines: 0,
            batched_lines: 0,
            batches: Vec::new(),
            copy: self.clone(),
        }
    }
}

fn format(options: &[CopyOption], legacy: &[CopyLegacyOption]) -> Result<Format> {
    let is_csv = options
        .iter()
        .any(|option| matches!(option, CopyOption::Format(name) if name.value.eq_ignore_ascii_case("csv")))
        || legacy.iter().any(|option| matches!(option, CopyLegacyOption::Csv(_)));
    let mut format = if is_csv { Format::csv() } else { Format::text() };
    for option in options {
        match option {
            CopyOption::Format(name) => match name.value.to_lowercase().as_str() {
                "csv" | "text" => {}
                other => return Err(SqlError::unsupported(format!("COPY format \"{other}\""))),
            },
            CopyOption::Freeze(_) => {}
            CopyOption::Delimiter(delimiter) => format.delimiter = one_byte("delimiter", *delimiter)?,
            CopyOption::Null(null) => format.null = null.clone(),
            CopyOption::Header(header) => format.header = *header,
            CopyOption::Quote(quote) => format.quote = one_byte("quote", *quote)?,
            CopyOption::Escape(escape) => format.escape = one_byte("escape", *escape)?,
            CopyOption::Encoding(name) if name.to_lowercase().replace('-', "") == "utf8" => {}
            other => return Err(SqlError::unsupported(format!("COPY option {other}"))),
        }
    }
    for option in legacy {
        match option {
            CopyLegacyOption::Delimiter(delimiter) => format.delimiter = one_byte("delimiter", *delimiter)?,
            CopyLegacyOption::Null(null) => format.null = null.clone(),
            CopyLegacyOption::Header => format.header = true,
            CopyLegacyOption::Csv(options) => {
                for option in options {
                    match option {
                        CopyLegacyCsvOption::Header => format.header = true,
                        CopyLegacyCsvOption::Quote(quote) => format.quote = one_byte("quote", *quote)?,
                        CopyLegacyCsvOption::Escape(escape) => format.escape = one_byte("escape", *escape)?,
                        other => return Err(SqlError::unsupported(format!("COPY option {other}"))),
                    }
                }
            }
            other => return Err(SqlError::unsupported(format!("COPY option {other}"))),
        }
    }
    Ok(format)
}

fn one_byte(option: &str, value: char) -> Result<u8> {
    u8::try_from(value).ok().filter(u8::is_ascii).ok_or_else(|| {
        let message = format!("COPY {option} must be a single one-byte character");
        SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
    })
}

/// A COPY whose data is arriving. Lines are parsed as they come; the rows are written at its end.
pub(crate) struct CopyIn {
    copy: Copy,
    splitter: Splitter,
    /// The line at hand.
    line: Line,
    /// The fields of the lines that are not in a batch yet, by column.
    fields: Vec<StringBuilder>,
    lines: usize,
    batched_lines: usize,
    batches: Vec<RecordBatch>,
}

impl CopyIn {
    pub(crate) fn data(&mut self, bytes: &[u8]) -> Result<()> {
        self.splitter.push(bytes);
        self.take_lines()
    }

    /// Writes all rows. Returns how many.
    pub(crate) async fn finish(mut self, planner: &Planner, transaction: &mut Transaction) -> Result<usize> {
        self.splitter.end();
        self.take_lines()?;
        self.finish_batch()?;
        let Copy { table, columns, .. } = &self.copy;
        super::insert::write_batches(planner, transaction, table, columns, &self.batches).await
    }

    fn take_lines(&mut self) -> Result<()> {
        loop {
            let line = self.lines + 1;
            let next = self.splitter.next_line(&mut self.line);
            if !next.map_err(|error| self.at_line(error, line))? {
                return Ok(());
            }
            self.lines = line;
            if self.line.width() != self.fields.len() {
                return Err(self.at_line(self.wrong_width(self.line.width()), line));
            }
            let fields = self.fields.iter_mut().zip(self.line.fields());
            let appended = fields.map(|(builder, field)| field.map(|field| builder.append_option(field)));
            appended.collect::<Result<()>>().map_err(|error| self.at_line(error, line))?;
            if self.lines - self.batched_lines >= LINES_PER_BATCH {
                self.finish_batch()?;
            }
        }
    }

    fn wrong_width(&self, width: usize) -> SqlError {
        let message = match self.copy.columns.get(width) {
            Some(missing) => {
                format!("missing data for column \"{}\"", self.copy.table.columns[*missing].name)
            }
            None => "extra data after last expected column".to_owned(),
        };
        SqlError::new(SqlState::BAD_COPY_FILE_FORMAT, message)
    }

    fn at_line(&self, error: SqlError, line: usize) -> SqlError {
        error.with_detail(format!("COPY {}, line {line}", self.copy.table.name))
    }

    fn finish_batch(&mut self) -> Result<()> {
        if self.lines == self.batched_lines {
            return Ok(());
        }
        let mut columns = Vec::new();
        let mut schema = Vec::new();
        for position in 0..self.fields.len() {
            let texts = self.fields[position].finish();
            let column = &self.copy.table.columns[self.copy.columns[position]];
            columns.push(self.parse(&texts, column)?);
            schema.push(Field::new(&column.name, column.sql_type.arrow(), true));
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(schema)), columns).map_err(super::internal)?;
        self.batches.push(batch);
        self.batched_lines = self.lines;
        Ok(())
    }

    fn parse(&self, texts: &StringArray, column: &Column) -> Result<ArrayRef> {
        springtide_sql::parse_text(texts, column.sql_type).map_err(|error| {
            let bad = (0..texts.len())
                .find(|row| springtide_sql::parse_text(&texts.slice(*row, 1), column.sql_type).is_err());
            let Some(row) = bad else { return error };
            let line = self.batched_lines + row + 1;
            let value = texts.value(row);
            error.with_detail(format!(
                "COPY {}, line {line}, column {}: \"{value}\"",
                self.copy.table.name, column.name
            ))
        })
    }
}
