//! JSON_TABLE, as a subquery whose columns are what JSON_VALUE, JSON_QUERY and JSON_EXISTS find in the items of its rows:
//!
//! ```text
//! JSON_TABLE(j, '$[*]' COLUMNS (n FOR ORDINALITY, a int, NESTED PATH '$.b[*]' COLUMNS (c text PATH '$')))
//! SELECT (r -> 0 ->> 'n')::int AS n, JSON_VALUE(r -> 0 -> 'v', '$."a"' RETURNING int) AS a,
//!        JSON_VALUE(r -> 1 -> 'v', '$') AS c
//! ```
//!
//! where `r` is `unnest(rows(j))`: for each row an array with an item for each path, and the number of that.

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr, Ident, Query, SelectItem, Value};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;
use serde::{Deserialize, Serialize};

use super::parse::{Parsed, clauses, eat, expect, format, formatted, passing, text};
use super::{Behavior, EXISTS, Options, QUERY, VALUE};
use crate::desugar::{call, cast};
use crate::json::quoted;
use crate::names::fold;
use crate::unnest::select;

/// Stands for JSON_TABLE in FROM; its argument is the subquery.
pub(crate) const TABLE: &str = "$json_table";
/// Makes an array of the rows of a document.
pub(crate) const ROWS: &str = "$json_table_rows";

/// A path, those nested in it, and the place of its items in a row.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Level {
    pub path: String,
    pub place: usize,
    pub nested: Vec<Level>,
}

/// What makes the rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rows {
    pub root: Level,
    /// How many places there are.
    pub places: usize,
    /// `ERROR ON ERROR`
    pub fails: bool,
}

/// A column, where its item is.
struct Column {
    name: Ident,
    place: usize,
    kind: Kind,
}

enum Kind {
    Ordinality,
    Exists {
        data_type: DataType,
        path: Expr,
        options: Options,
    },
    Value {
        function: &'static str,
        data_type: DataType,
        path: Expr,
        options: Options,
        defaults: Box<[Option<Expr>; 2]>,
    },
}

/// `JSON_TABLE(...)` behind its parenthesis, as a subquery.
pub(super) fn parse_table(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let document = formatted(parser)?;
    parser.expect_token(&Token::Comma)?;
    let path = literal_path(parser)?;
    path_name(parser)?;
    let mut options = Options::default();
    let variables = passing(parser, &mut options)?;
    let mut rows = Rows { places: 1, ..Rows::default() };
    let mut found = Vec::new();
    let nested = columns(parser, 0, &mut rows.places, &mut found)?;
    rows.root = Level { path, place: 0, nested };
    rows.fails = eat(parser, &["error", "on", "error"]);
    if !rows.fails && eat(parser, &["empty"]) {
        eat(parser, &["array"]);
        expect(parser, &["on", "error"])?;
    }
    parser.expect_token(&Token::RParen)?;
    let spec = serde_json::to_string(&rows).map_err(|error| ParserError::ParserError(error.to_string()))?;
    let names = serde_json::to_string(&options.names).unwrap_or_default();
    let mut args = vec![document, text(spec), text(names)];
    args.extend(variables.iter().cloned());
    let row = call("unnest", vec![call(ROWS, args)]);
    let items = found.into_iter().map(|column| item(column, &row, &variables, &options.names, rows.fails));
    let query = select(items.collect()).ok_or_else(|| ParserError::ParserError("no query".to_owned()))?;
    Ok(Expr::Subquery(Box::<Query>::new(query)))
}

fn literal_path(parser: &mut Parser<'_>) -> Parsed<String> {
    match parser.parse_expr()? {
        Expr::Value(value) => match value.value {
            Value::SingleQuotedString(path) => Ok(path),
            _ => parser.expected("a path", parser.peek_token()),
        },
        _ => parser.expected("a path", parser.peek_token()),
    }
}

fn path_name(parser: &mut Parser<'_>) -> Parsed<()> {
    if parser.parse_keyword(Keyword::AS) {
        parser.parse_identifier()?;
    }
    Ok(())
}

/// `COLUMNS (...)` of a path; those of nested paths come where they stand.
fn columns(
    parser: &mut Parser<'_>,
    place: usize,
    places: &mut usize,
    found: &mut Vec<Column>,
) -> Parsed<Vec<Level>> {
    expect(parser, &["columns"])?;
    parser.expect_token(&Token::LParen)?;
    let (mut nested, mut numbered) = (Vec::new(), false);
    loop {
        if eat(parser, &["nested"]) {
            eat(parser, &["path"]);
            let path = literal_path(parser)?;
            path_name(parser)?;
            let own = *places;
            *places += 1;
            let inner = columns(parser, own, places, found)?;
            nested.push(Level { path, place: own, nested: inner });
        } else {
            let column = column(parser, place)?;
            if matches!(column.kind, Kind::Ordinality) && std::mem::replace(&mut numbered, true) {
                return parser.expected("one column FOR ORDINALITY", parser.peek_token());
            }
            found.push(column);
        }
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    parser.expect_token(&Token::RParen)?;
    Ok(nested)
}

fn column(parser: &mut Parser<'_>, place: usize) -> Parsed<Column> {
    let name = parser.parse_identifier()?;
    if eat(parser, &["for", "ordinality"]) {
        return Ok(Column { name, place, kind: Kind::Ordinality });
    }
    let data_type = parser.parse_data_type()?;
    let exists = eat(parser, &["exists"]);
    let is_formatted = format(parser)?.is_some();
    let path = match eat(parser, &["path"]) {
        true => parser.parse_expr()?,
        false => text(format!("$.{}", quoted(&fold(&name)))),
    };
    let mut options = Options::default();
    if exists {
        clauses(parser, EXISTS, &mut options)?;
        return Ok(Column { name, place, kind: Kind::Exists { data_type, path, options } });
    }
    let clauses_begin = ["with", "without", "keep", "omit"];
    let shapes = clauses_begin.iter().any(|word| super::parse::is_at(parser, 0, word));
    let is_json = matches!(data_type, DataType::JSON | DataType::JSONB | DataType::Array(_));
    let function = if is_formatted || shapes || is_json { QUERY } else { VALUE };
    options.on_error = Behavior::Null;
    let defaults = Box::new(clauses(parser, function, &mut options)?);
    options.returning = Some(data_type.to_string());
    Ok(Column { name, place, kind: Kind::Value { function, data_type, path, options, defaults } })
}

fn step(value: Expr, op: BinaryOperator, key: Expr) -> Expr {
    let inside = Expr::BinaryOp { left: Box::new(value), op, right: Box::new(key) };
    Expr::Nested(Box::new(inside))
}

/// A column of the subquery.
fn item(column: Column, row: &Expr, variables: &[Expr], names: &[String], fails: bool) -> SelectItem {
    let place = Expr::value(Value::Number(column.place.to_string(), false));
    let level = step(row.clone(), BinaryOperator::Arrow, place);
    let document = step(level.clone(), BinaryOperator::Arrow, text("v"));
    let search = |function: &str, path, mut options: Options, defaults: [Expr; 2]| {
        options.names = names.to_vec();
        if fails && options.on_error == Behavior::Null && function != EXISTS {
            options.on_error = Behavior::Error;
        }
        let [on_empty, on_error] = defaults;
        let mut args = vec![document, path, text(options.to_text()), on_empty, on_error];
        args.extend(variables.iter().cloned());
        call(function, args)
    };
    let null = || Expr::value(Value::Null);
    let expr = match column.kind {
        Kind::Ordinality => cast(step(level, BinaryOperator::LongArrow, text("n")), DataType::Int(None)),
        Kind::Exists { data_type, path, options } => {
            let found = search(EXISTS, path, options, [null(), null()]);
            match data_type {
                DataType::JSON | DataType::JSONB => cast(call("to_jsonb", vec![found]), data_type),
                other => cast(found, other),
            }
        }
        Kind::Value { function, data_type, path, options, defaults } => {
            let defaults = (*defaults)
                .map(|default| default.map_or_else(null, |default| cast(default, data_type.clone())));
            search(function, path, options, defaults)
        }
    };
    SelectItem::ExprWithAlias { expr, alias: column.name }
}
