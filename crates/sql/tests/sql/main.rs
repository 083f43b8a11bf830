//! One `check` per way a query can go: to rows, to an error, to an incremental plan.

mod asof;
mod binding;
mod builtins;
mod execution;
mod functions;
mod lowering;
mod semantics;
mod time_travel;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, Int64Array, RecordBatch, StringArray};
use datafusion::common::ScalarValue;
use futures::TryStreamExt;
use springtide_catalog::{
    Catalog, Column, Function, Parameter, Relation, RelationKind, Retention, Rules, SchemaId,
};
use springtide_types::{Result, SqlError, SqlType, ZBatch};

use springtide_sql::sqlparser::ast;
use springtide_sql::{BoundQuery, Planner, Scan, Time, format_text, parse, parse_text, printable};

/// A few tables with a few rows.
struct Fixture {
    planner: Planner,
    catalog: Catalog,
    contents: HashMap<Scan, Vec<ZBatch>>,
}

impl Fixture {
    fn new() -> Fixture {
        use SqlType::*;
        let mut fixture =
            Fixture { planner: Planner::new(), catalog: Catalog::default(), contents: HashMap::new() };
        fixture.table("t", &[("a", Int4), ("b", Int4), ("s", Text)], None, "1,10,x|2,20,y|3,~,~|2,0,z");
        fixture.table(
            "u",
            &[("a", Int4), ("c", Int8), ("n", Numeric(10, 2))],
            None,
            "1,100,1.50|2,200,2.25|4,400,~",
        );
        fixture.table("k", &[("id", Int4), ("name", Varchar(Some(5)))], Some(vec![0]), "1,one|2,two");
        fixture.table("f", &[("x", Float8), ("r", Float4)], None, "0.5,1|1.5,2|~,~");
        fixture.table(
            "e",
            &[("ts", Timestamp), ("d", Date), ("iv", Interval)],
            None,
            "2024-01-31 10:30:00.5,2024-02-29,1 day 02:00:00",
        );
        fixture.table("empty", &[("a", Int4)], None, "");
        fixture
    }

    /// Rows are separated by `|`, values by `,`; `~` is NULL.
    fn table(
        &mut self,
        name: &str,
        columns: &[(&str, SqlType)],
        primary_key: Option<Vec<usize>>,
        rows: &str,
    ) {
        let column = |(name, sql_type): &(&str, SqlType)| Column {
            name: (*name).to_owned(),
            sql_type: *sql_type,
            nullable: true,
            default: None,
            domain: None,
        };
        let relation = self.catalog.create(Relation {
            id: self.catalog.next_id(),
            in_schema: SchemaId::PUBLIC,
            name: name.to_owned(),
            columns: columns.iter().map(column).collect(),
            kind: RelationKind::Table { primary_key, append_only: false, rules: Rules::default() },
            depends_on: vec![],
            functions: vec![],
            types: Vec::new(),
            history: Retention::default(),
        });
        let relation = relation.unwrap();
        let rows =
            rows.split('|').filter(|row| !row.is_empty()).map(|row| row.split(',').collect::<Vec<_>>());
        let rows = rows.collect::<Vec<_>>();
        let arrays = columns.iter().enumerate().map(|(position, (_, sql_type))| {
            let texts = rows.iter().map(|row| Some(row[position]).filter(|text| *text != "~"));
            parse_text(&texts.collect::<StringArray>(), *sql_type).unwrap()
        });
        let batch = RecordBatch::try_new(relation.schema(), arrays.collect()).unwrap();
        self.contents.insert(Scan::present(relation.id), vec![ZBatch::inserts(batch)]);
    }

    fn view(&mut self, name: &str, query: &str) {
        let bound = self.bind(query).unwrap();
        let relation = Relation {
            id: self.catalog.next_id(),
            in_schema: SchemaId::PUBLIC,
            name: name.to_owned(),
            columns: bound.columns(),
            kind: RelationKind::View { query: query.to_owned() },
            depends_on: bound.depends_on().to_vec(),
            functions: bound.functions().to_vec(),
            types: Vec::new(),
            history: Retention::default(),
        };
        self.catalog.create(relation).unwrap();
    }

    fn function(
        &mut self,
        name: &str,
        parameters: &[(&str, SqlType)],
        returns: SqlType,
        body: &str,
    ) -> Result<()> {
        let parameters = parameters.iter().map(|(name, sql_type)| Parameter {
            name: Some((*name).to_owned()).filter(|name| !name.is_empty()),
            sql_type: *sql_type,
        });
        let function = Function {
            id: self.catalog.next_function_id(),
            in_schema: SchemaId::PUBLIC,
            name: name.to_owned(),
            parameters: parameters.collect(),
            returns,
            rows: None,
            strict: false,
            body: body.to_owned(),
        };
        self.catalog.create_function(function.clone())?;
        self.planner.check_function(&function, &self.catalog)
    }

    fn bind(&self, sql: &str) -> Result<BoundQuery> {
        self.planner.bind(&query(sql)?, &self.catalog, &[])
    }

    fn rows_with(&self, sql: &str, parameters: &[ScalarValue]) -> Result<Vec<String>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let bound = self.bind(sql)?;
        let batches = runtime.block_on(async {
            let stream = self.planner.execute(&bound, &self.contents, parameters).await?;
            stream.try_collect::<Vec<_>>().await
        })?;
        for batch in &batches {
            let types =
                batch.schema().fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
            let promised = bound.columns().iter().map(|column| column.sql_type.arrow()).collect::<Vec<_>>();
            assert_eq!(types, promised, "{sql}");
        }
        Ok(batches.iter().flat_map(render).collect())
    }

    fn rows(&self, sql: &str) -> Result<Vec<String>> {
        self.rows_with(sql, &[])
    }

    fn explain(&self, sql: &str) -> Result<String> {
        Ok(springtide_plan::explain(&self.planner.lower(&self.bind(sql)?, &self.catalog)?))
    }
}

fn query(sql: &str) -> Result<ast::Query> {
    match parse(sql)?.remove(0).ast {
        ast::Statement::Query(query) => Ok(*query),
        other => Err(SqlError::internal(format!("{other} is no query"))),
    }
}

fn render(batch: &RecordBatch) -> Vec<String> {
    let texts = batch.columns().iter().map(|column| format_text(column).unwrap()).collect::<Vec<_>>();
    let value = |texts: &StringArray, row: usize| {
        if texts.is_null(row) { "NULL".to_owned() } else { texts.value(row).to_owned() }
    };
    (0..batch.num_rows())
        .map(|row| texts.iter().map(|texts| value(texts, row)).collect::<Vec<_>>().join("|"))
        .collect()
}

/// The rows of a query, in order.
#[track_caller]
fn check(sql: &str, expected: &[&str]) {
    match Fixture::new().rows(sql) {
        Ok(rows) => assert_eq!(rows, expected, "{sql}"),
        Err(error) => panic!("{sql}: {error:?}"),
    }
}

/// The error of a query: SQLSTATE, then the message.
#[track_caller]
fn fails(sql: &str, expected: &str) {
    match Fixture::new().rows(sql) {
        Ok(rows) => panic!("{sql}: {rows:?}"),
        Err(error) => assert_eq!(format!("{} {}", error.sqlstate.code(), error.message), expected, "{sql}"),
    }
}

/// The names and types of the columns of a query.
#[track_caller]
fn columns(sql: &str, expected: &str) {
    let bound = match Fixture::new().bind(sql) {
        Ok(bound) => bound,
        Err(error) => panic!("{sql}: {error:?}"),
    };
    let columns = bound.columns().into_iter().map(|column| format!("{} {}", column.name, column.sql_type));
    assert_eq!(columns.collect::<Vec<_>>().join(", "), expected, "{sql}");
}

/// The incremental plan of a query, without the notes on cost and keys.
#[track_caller]
fn plan(sql: &str, expected: &str) {
    let text = match Fixture::new().explain(sql) {
        Ok(text) => text,
        Err(error) => panic!("{sql}: {error:?}"),
    };
    let found = text.lines().map(|line| line.rsplit_once("  (").map_or(line, |(line, _)| line));
    let found = found.collect::<Vec<_>>().join("\n");
    let expected = expected.lines().map(str::trim_end).collect::<Vec<_>>();
    let indent = expected
        .iter()
        .filter(|line| !line.is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min();
    let strip = |line: &&str| line.get(indent.unwrap_or(0)..).unwrap_or("").to_owned();
    let expected = expected.iter().map(strip).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    assert_eq!(found, expected, "{sql}\n{text}");
}

/// The message with which a view is refused.
#[track_caller]
fn refused(sql: &str, expected: &str) {
    match Fixture::new().explain(sql) {
        Ok(text) => panic!("{sql}\n{text}"),
        Err(error) => {
            assert_eq!((error.sqlstate.code(), error.message.as_str()), ("0A000", expected), "{sql}");
            assert!(error.hint.is_some(), "{sql}: a hint says what to do instead");
        }
    }
}

/// A batch of single weights, for tests of multiplicity.
fn weighted(fixture: &mut Fixture, name: &str, weights: Vec<i64>) {
    let scan = Scan::present(fixture.catalog.get(name).unwrap().id);
    let rows = fixture.contents[&scan][0].rows().clone();
    fixture.contents.insert(scan, vec![ZBatch::new(rows, Int64Array::from(weights))]);
}

#[test]
fn plans_are_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Planner>();
    shared::<BoundQuery>();
    shared::<Arc<Planner>>();
}
