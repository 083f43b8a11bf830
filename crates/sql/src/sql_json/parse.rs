//! The grammar.

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, Query,
    SetExpr, TableAlias, TableAliasColumnDef, TableFactor, TableWithJoins, UnaryOperator, Value, WindowType,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::table::parse_table;
use super::{
    ARRAY, ARRAYAGG, Behavior, EXISTS, IS_JSON, JSON, OBJECT, OBJECTAGG, Options, QUERY, SCALAR, SERIALIZE,
    VALUE, Wrapper,
};
use crate::desugar::{call, cast};
use crate::names::{fold, quoted};
use crate::unnest::select;

pub(super) type Parsed<T> = Result<T, ParserError>;

pub(super) fn is_at(parser: &Parser<'_>, position: usize, word: &str) -> bool {
    let token = parser.peek_nth_token(position).token;
    matches!(token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

/// Takes these words if they come next.
pub(super) fn eat(parser: &mut Parser<'_>, words: &[&str]) -> bool {
    let found = words.iter().enumerate().all(|(position, word)| is_at(parser, position, word));
    if found {
        words.iter().for_each(|_| drop(parser.next_token()));
    }
    found
}

pub(super) fn expect(parser: &mut Parser<'_>, words: &[&str]) -> Parsed<()> {
    if eat(parser, words) { Ok(()) } else { parser.expected(&words.join(" "), parser.peek_token()) }
}

pub(super) fn text(text: impl Into<String>) -> Expr {
    Expr::value(Value::SingleQuotedString(text.into()))
}

fn null() -> Expr {
    Expr::value(Value::Null)
}

/// A call of one of the functions, if the next tokens begin one.
pub(crate) fn parse_call(parser: &mut Parser<'_>) -> Option<Parsed<Expr>> {
    let Token::Word(word) = parser.peek_token().token else { return None };
    if word.quote_style.is_some() || parser.peek_nth_token(1).token != Token::LParen {
        return None;
    }
    let parse: fn(&mut Parser<'_>) -> Parsed<Expr> = match word.value.to_ascii_lowercase().as_str() {
        "json_value" => |parser| query_function(parser, VALUE),
        "json_query" => |parser| query_function(parser, QUERY),
        "json_exists" => |parser| query_function(parser, EXISTS),
        "json" => json,
        "json_scalar" => scalar,
        "json_serialize" => serialize,
        "json_object" if !is_plain_object(parser) => object,
        "json_array" => array,
        "json_table" => parse_table,
        "json_objectagg" => |parser| aggregate(parser, OBJECTAGG),
        "json_arrayagg" => |parser| aggregate(parser, ARRAYAGG),
        _ => return None,
    };
    parser.next_token();
    parser.next_token();
    Some(parse(parser))
}

/// Whether a call of `json_object` is one of the function of arrays: neither a colon nor VALUE follows its first argument.
fn is_plain_object(parser: &mut Parser<'_>) -> bool {
    if parser.peek_nth_token(2).token == Token::RParen
        || is_at(parser, 2, "returning")
        || is_at(parser, 2, "key")
    {
        return false;
    }
    let mut plain = false;
    // It looks ahead alone: what fails is taken back.
    let _ = parser.maybe_parse(|parser| -> Parsed<()> {
        parser.next_token();
        parser.next_token();
        parser.parse_expr()?;
        plain = matches!(parser.peek_token().token, Token::Comma | Token::RParen);
        parser.expected("another way", parser.peek_token())
    });
    plain
}

/// `FORMAT JSON [ENCODING UTF8]`, and whether it is there. Other encodings, and one for what is no bytea, fail later.
pub(super) fn format(parser: &mut Parser<'_>) -> Parsed<Option<Option<String>>> {
    if !eat(parser, &["format", "json"]) {
        return Ok(None);
    }
    if !eat(parser, &["encoding"]) {
        return Ok(Some(None));
    }
    let encoding = parser.parse_identifier()?;
    Ok(Some(Some(fold(&encoding))))
}

/// A value of JSON: a text with FORMAT JSON is read as such.
pub(super) fn formatted(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let value = parser.parse_expr()?;
    Ok(match format(parser)? {
        None => value,
        Some(encoding) => call("$json_formatted", vec![value, text(encoding.unwrap_or_default())]),
    })
}

/// `RETURNING type [FORMAT JSON]`
fn returning(parser: &mut Parser<'_>, options: &mut Options) -> Parsed<Option<DataType>> {
    if !eat(parser, &["returning"]) {
        return Ok(None);
    }
    let data_type = parser.parse_data_type()?;
    options.returning = Some(data_type.to_string());
    if let Some(Some(encoding)) = format(parser)? {
        // The type is checked together with it.
        options.returning = Some(format!("{data_type} FORMAT JSON ENCODING {encoding}"));
    }
    Ok(Some(data_type))
}

fn query_function(parser: &mut Parser<'_>, function: &str) -> Parsed<Expr> {
    let context = formatted(parser)?;
    parser.expect_token(&Token::Comma)?;
    let path = parser.parse_expr()?;
    let mut options = Options::default();
    let variables = passing(parser, &mut options)?;
    let data_type = match function {
        EXISTS => None,
        // Scalars have no format.
        VALUE if eat(parser, &["returning"]) => {
            let data_type = parser.parse_data_type()?;
            options.returning = Some(data_type.to_string());
            Some(data_type)
        }
        VALUE => None,
        _ => returning(parser, &mut options)?,
    };
    let [on_empty, on_error] = clauses(parser, function, &mut options)?;
    parser.expect_token(&Token::RParen)?;
    let declared = match (data_type, function) {
        (Some(data_type), _) => data_type,
        (None, VALUE) => DataType::Text,
        (None, _) => DataType::JSONB,
    };
    let default = |default: Option<Expr>| default.map_or_else(null, |expr| cast(expr, declared.clone()));
    let mut args = vec![context, path, text(options.to_text()), default(on_empty), default(on_error)];
    args.extend(variables);
    Ok(call(function, args))
}

/// `PASSING value AS name, ...`
pub(super) fn passing(parser: &mut Parser<'_>, options: &mut Options) -> Parsed<Vec<Expr>> {
    let mut values = Vec::new();
    if eat(parser, &["passing"]) {
        loop {
            values.push(formatted(parser)?);
            expect(parser, &["as"])?;
            options.names.push(fold(&parser.parse_identifier()?));
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
    }
    Ok(values)
}

/// The wrapper, the quotes, and what comes of nothing and of errors; with the values of their DEFAULTs.
pub(super) fn clauses(
    parser: &mut Parser<'_>,
    function: &str,
    options: &mut Options,
) -> Parsed<[Option<Expr>; 2]> {
    if function == QUERY {
        wrapper(parser, options)?;
        quotes(parser, options)?;
    }
    if function == EXISTS {
        options.on_error = Behavior::False;
    }
    let (mut on_empty, mut on_error) = (None, None);
    let mut seen = [false; 2];
    while let Some((behavior, default)) = behavior(parser, function)? {
        expect(parser, &["on"])?;
        let at_empty = function != EXISTS && eat(parser, &["empty"]);
        if !at_empty {
            expect(parser, &["error"])?;
        }
        // An ON EMPTY comes first.
        if std::mem::replace(&mut seen[usize::from(!at_empty)], true) || (at_empty && seen[1]) {
            return parser.expected("one ON EMPTY and one ON ERROR clause", parser.peek_token());
        }
        if at_empty {
            (options.on_empty, on_empty) = (behavior, default);
        } else {
            (options.on_error, on_error) = (behavior, default);
        }
    }
    Ok([on_empty, on_error])
}

fn wrapper(parser: &mut Parser<'_>, options: &mut Options) -> Parsed<()> {
    let with = if is_at(parser, 0, "with") || is_at(parser, 0, "without") {
        let with = eat(parser, &["with"]) || !eat(parser, &["without"]);
        Some(with)
    } else {
        None
    };
    let Some(with) = with else { return Ok(()) };
    options.wrapper = match (with, eat(parser, &["conditional"])) {
        (false, _) => Wrapper::Without,
        (true, true) => Wrapper::Conditional,
        (true, false) => {
            eat(parser, &["unconditional"]);
            Wrapper::Always
        }
    };
    eat(parser, &["array"]);
    expect(parser, &["wrapper"])
}

fn quotes(parser: &mut Parser<'_>, options: &mut Options) -> Parsed<()> {
    let omit = eat(parser, &["omit"]);
    if !omit && !eat(parser, &["keep"]) {
        return Ok(());
    }
    options.omit_quotes = omit;
    expect(parser, &["quotes"])?;
    if eat(parser, &["on"]) {
        expect(parser, &["scalar", "string"])?;
    }
    match options.wrapper {
        Wrapper::Always | Wrapper::Conditional if omit => {
            parser.expected("no QUOTES with a wrapper", parser.peek_token())
        }
        _ => Ok(()),
    }
}

fn behavior(parser: &mut Parser<'_>, function: &str) -> Parsed<Option<(Behavior, Option<Expr>)>> {
    let plain = [
        (&["error"][..], Behavior::Error, true),
        (&["null"], Behavior::Null, function != EXISTS),
        (&["empty", "array"], Behavior::EmptyArray, function == QUERY),
        (&["empty", "object"], Behavior::EmptyObject, function == QUERY),
        (&["empty"], Behavior::EmptyArray, function == QUERY),
        (&["true"], Behavior::True, function == EXISTS),
        (&["false"], Behavior::False, function == EXISTS),
        (&["unknown"], Behavior::Null, function == EXISTS),
    ];
    for (words, behavior, fits) in plain {
        if fits && eat(parser, words) {
            return Ok(Some((behavior, None)));
        }
    }
    if function != EXISTS && eat(parser, &["default"]) {
        return Ok(Some((Behavior::Default, Some(parser.parse_expr()?))));
    }
    Ok(None)
}

/// `[WITH | WITHOUT] UNIQUE [KEYS]`
fn unique(parser: &mut Parser<'_>) -> bool {
    let unique = eat(parser, &["with", "unique"]);
    if unique || eat(parser, &["without", "unique"]) {
        eat(parser, &["keys"]);
    }
    unique
}

/// `NULL ON NULL` or `ABSENT ON NULL`
fn nulls(parser: &mut Parser<'_>, absent: bool) -> bool {
    if eat(parser, &["absent", "on", "null"]) {
        return true;
    }
    !eat(parser, &["null", "on", "null"]) && absent
}

fn json(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let value = formatted(parser)?;
    let options = Options { unique: unique(parser), ..Options::default() };
    parser.expect_token(&Token::RParen)?;
    Ok(call(JSON, vec![value, text(options.to_text())]))
}

fn scalar(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let value = parser.parse_expr()?;
    parser.expect_token(&Token::RParen)?;
    Ok(call(SCALAR, vec![value]))
}

fn serialize(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let value = formatted(parser)?;
    let mut options = Options::default();
    if returning(parser, &mut options)?.is_none() {
        options.returning = Some("text".to_owned());
    }
    parser.expect_token(&Token::RParen)?;
    Ok(call(SERIALIZE, vec![value, text(options.to_text())]))
}

/// A key and a value.
fn member(parser: &mut Parser<'_>) -> Parsed<[Expr; 2]> {
    if is_at(parser, 0, "key") && !matches!(parser.peek_nth_token(1).token, Token::Colon | Token::Period) {
        parser.next_token();
    }
    let key = parser.parse_expr()?;
    if !parser.consume_token(&Token::Colon) {
        expect(parser, &["value"])?;
    }
    Ok([key, formatted(parser)?])
}

fn begins_clause(parser: &Parser<'_>) -> bool {
    parser.peek_token().token == Token::RParen
        || is_at(parser, 0, "returning")
        || (is_at(parser, 1, "on") && is_at(parser, 2, "null"))
}

fn object(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let mut members = Vec::new();
    while !begins_clause(parser) {
        members.extend(member(parser)?);
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    let mut options = Options { absent_on_null: nulls(parser, false), ..Options::default() };
    options.unique = unique(parser);
    returning(parser, &mut options)?;
    parser.expect_token(&Token::RParen)?;
    Ok(call(OBJECT, std::iter::once(text(options.to_text())).chain(members).collect()))
}

fn array(parser: &mut Parser<'_>) -> Parsed<Expr> {
    if ["select", "with", "values"].iter().any(|word| is_at(parser, 0, word)) {
        return array_of_query(parser);
    }
    let mut values = Vec::new();
    while !begins_clause(parser) {
        values.push(formatted(parser)?);
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    let mut options = Options { absent_on_null: nulls(parser, true), ..Options::default() };
    returning(parser, &mut options)?;
    parser.expect_token(&Token::RParen)?;
    Ok(call(ARRAY, std::iter::once(text(options.to_text())).chain(values).collect()))
}

/// `JSON_ARRAY(query)` is `(SELECT JSON_ARRAYAGG(a) FROM (query) AS q(a))`.
fn array_of_query(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let query = parser.parse_query()?;
    let format = format(parser)?;
    let mut options = Options { absent_on_null: true, ..Options::default() };
    returning(parser, &mut options)?;
    parser.expect_token(&Token::RParen)?;
    let mut value = Expr::Identifier(quoted("a"));
    if let Some(encoding) = format {
        value = call("$json_formatted", vec![value, text(encoding.unwrap_or_default())]);
    }
    let gathered = call(ARRAYAGG, vec![text(options.to_text()), value]);
    gathered_from(gathered, query).ok_or_else(|| ParserError::ParserError("no query".to_owned()))
}

fn gathered_from(gathered: Expr, query: Box<Query>) -> Option<Expr> {
    let item = datafusion::sql::sqlparser::ast::SelectItem::ExprWithAlias {
        expr: gathered,
        alias: quoted("json_array"),
    };
    let mut outer = select(vec![item])?;
    let SetExpr::Select(body) = outer.body.as_mut() else { return None };
    let columns = vec![TableAliasColumnDef { name: quoted("a"), data_type: None }];
    let alias = Some(TableAlias { explicit: true, name: quoted("q"), columns, at: None });
    let relation = TableFactor::Derived { lateral: false, subquery: query, alias, sample: None };
    body.from = vec![TableWithJoins { relation, joins: Vec::new() }];
    Some(Expr::Subquery(Box::new(outer)))
}

fn aggregate(parser: &mut Parser<'_>, function: &str) -> Parsed<Expr> {
    let mut options = Options::default();
    let (mut args, mut order_by) = (vec![Expr::value(Value::Null)], Vec::new());
    if function == OBJECTAGG {
        args.extend(member(parser)?);
    } else {
        args.push(formatted(parser)?);
        if parser.parse_keywords(&[Keyword::ORDER, Keyword::BY]) {
            order_by = parser.parse_comma_separated(Parser::parse_order_by_expr)?;
        }
    }
    options.absent_on_null = nulls(parser, function == ARRAYAGG);
    if function == OBJECTAGG {
        options.unique = unique(parser);
    }
    returning(parser, &mut options)?;
    parser.expect_token(&Token::RParen)?;
    args[0] = text(options.to_text());
    let Expr::Function(mut aggregate) = call(function, args) else {
        return Err(ParserError::ParserError("no call".to_owned()));
    };
    if let (FunctionArguments::List(list), false) = (&mut aggregate.args, order_by.is_empty()) {
        list.clauses.push(FunctionArgumentClause::OrderBy(order_by));
    }
    filter_and_window(parser, &mut aggregate)?;
    Ok(Expr::Function(aggregate))
}

fn filter_and_window(parser: &mut Parser<'_>, aggregate: &mut Function) -> Parsed<()> {
    if parser.parse_keyword(Keyword::FILTER) {
        parser.expect_token(&Token::LParen)?;
        parser.expect_keyword(Keyword::WHERE)?;
        aggregate.filter = Some(Box::new(parser.parse_expr()?));
        parser.expect_token(&Token::RParen)?;
    }
    if parser.parse_keyword(Keyword::OVER) {
        aggregate.over = Some(if parser.consume_token(&Token::LParen) {
            WindowType::WindowSpec(parser.parse_window_spec()?)
        } else {
            WindowType::NamedWindow(parser.parse_identifier()?)
        });
    }
    Ok(())
}

/// `IS [NOT] JSON [VALUE | SCALAR | ARRAY | OBJECT] [WITH UNIQUE KEYS]`, if it comes next.
pub(crate) fn parse_is_json(parser: &mut Parser<'_>, value: &Expr) -> Option<Expr> {
    let negated = eat(parser, &["is", "not", "json"]);
    if !negated && !eat(parser, &["is", "json"]) {
        return None;
    }
    let kinds = ["value", "scalar", "array", "object"];
    let kind = kinds.into_iter().find(|kind| eat(parser, &[kind])).unwrap_or("value");
    let unique = unique(parser);
    let test = call(IS_JSON, vec![value.clone(), text(kind), Expr::value(Value::Boolean(unique))]);
    Some(match negated {
        true => Expr::Nested(Box::new(Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(test) })),
        false => test,
    })
}

/// The arguments of a call, as a call has them.
pub(super) fn arguments(args: Vec<Expr>) -> Vec<FunctionArg> {
    args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect()
}
