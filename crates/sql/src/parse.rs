use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};
use springtide_types::{Result, SqlError, SqlState};

use crate::asof::with_match_conditions;
use crate::call_words::with_known_calls;
use crate::copy_options::{CopyOption, cut_off};
use crate::dialect::{POSTGRES, Postgres};
use crate::json_tokens::{with_records_named, with_subscripts_assigned, with_tables_of_json};
use crate::literals::with_literals;
use crate::merge::{ReturningNames, with_all_actions, without_returning_names};
use crate::procedures::{as_calls, is, literal};
use crate::query_words::as_known_queries;
use crate::sequences::{Overriding, with_ordered_options, without_overriding};
use crate::temporal_syntax::LOCAL_ZONE;
use crate::windows::with_keys_last;

/// A parsed statement with its own source text.
#[derive(Clone, Debug)]
pub struct Statement {
    /// What it says.
    pub ast: ast::Statement,
    /// Its source, without the semicolon.
    pub text: String,
    /// The options of a COPY, which `ast` does not have.
    pub copy_options: Vec<CopyOption>,
    /// What a statement that writes says besides, which `ast` does not have.
    pub write: WriteOptions,
}

/// What a statement that writes may say besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// What an INSERT says of identities.
    pub overriding: Overriding,
    /// What RETURNING calls the rows as they were and as they are.
    pub returning: ReturningNames,
}

/// Parses a string of statements that semicolons separate. Empty statements are skipped.
pub fn parse(sql: &str) -> Result<Vec<Statement>> {
    let tokens = tokens(sql)?;
    let lines = Lines::new(sql);
    tokens
        .split(|token| token.token == Token::SemiColon)
        .filter_map(|tokens| Some((trim(tokens)?, tokens)))
        .map(|((first, last), tokens)| {
            let text = sql[lines.offset(first.span.start)..lines.offset(last.span.end)].to_owned();
            let (tokens, copy_options) = cut_off(tokens.to_vec())?;
            let (tokens, overriding) = without_overriding(tokens);
            let (tokens, returning) = without_returning_names(tokens);
            let write = WriteOptions { overriding, returning };
            Ok(Statement { ast: parse_one(tokens)?, text, copy_options, write })
        })
        .collect()
}

/// A parser over a piece of SQL that is no whole statement, such as an expression kept as text.
pub fn parser(sql: &str) -> Result<Parser<'static>> {
    let tokens = tokens(sql)?;
    let tokens = without_other_versions(with_zones(tokens));
    Ok(Parser::new(POSTGRES).with_tokens_with_locations(with_known_calls(tokens)))
}

fn tokens(sql: &str) -> Result<Vec<TokenWithSpan>> {
    let tokens = Tokenizer::new(POSTGRES, sql).tokenize_with_location();
    with_literals(tokens.map_err(|error| SqlError::new(SqlState::SYNTAX_ERROR, error.message))?)
}

fn parse_one(tokens: Vec<TokenWithSpan>) -> Result<ast::Statement> {
    let tokens = with_all_actions(with_zones(without_unlogged(tokens)));
    let tokens = with_ordered_options(with_option_values(with_on_as_value(tokens)));
    let tokens = with_like_as_column(with_brackets(tokens));
    let tokens = as_calls(without_other_versions(with_keys_last(without_table_words(tokens))));
    let tokens = with_subscripts_assigned(with_records_named(with_tables_of_json(tokens)));
    let tokens = as_known_queries(with_match_conditions(with_known_calls(tokens))?);
    match parse_as(POSTGRES, tokens.clone()) {
        // With nested joins it may say something; else it is wrong as it was.
        Err(error) => parse_as(&Postgres::with_nested_joins(), tokens).map_err(|_| error),
        parsed => parsed,
    }
}

fn parse_as(dialect: &Postgres, tokens: Vec<TokenWithSpan>) -> Result<ast::Statement> {
    let mut parser = Parser::new(dialect).with_tokens_with_locations(tokens);
    let statement = parser.parse_statement().map_err(|error| syntax_error(&error))?;
    match parser.peek_token().token {
        Token::EOF => Ok(statement),
        token => Err(near(&token.to_string())),
    }
}

/// Writes `AT LOCAL` as `AT TIME ZONE '$local'`, and `RESET TIME ZONE` as `RESET timezone`, which sqlparser knows.
fn with_zones(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut written = Vec::<TokenWithSpan>::with_capacity(tokens.len());
    let is_blank = |token: &TokenWithSpan| matches!(token.token, Token::Whitespace(_));
    for token in tokens {
        let before = written.iter().rev().find(|token| !is_blank(token)).map(|token| &token.token);
        if is_word(&token.token, Keyword::LOCAL) && before.is_some_and(|at| is_word(at, Keyword::AT)) {
            let zone = [
                Token::make_keyword("TIME"),
                Token::make_keyword("ZONE"),
                Token::SingleQuotedString(LOCAL_ZONE.to_owned()),
            ];
            written.extend(zone.map(|zone| TokenWithSpan::new(zone, token.span)));
        } else {
            written.push(token);
        }
    }
    let mut words = written.iter().enumerate().filter(|(_, token)| !is_blank(token)).map(|(at, _)| at);
    if let (Some(reset), Some(time), Some(zone)) = (words.next(), words.next(), words.next())
        && is_word(&written[reset].token, Keyword::RESET)
        && is_word(&written[time].token, Keyword::TIME)
        && is_word(&written[zone].token, Keyword::ZONE)
    {
        written[time].token = Token::make_word("timezone", None);
        written.remove(zone);
    }
    written
}

/// The expression that tokens are.
pub(crate) fn expression(tokens: Vec<TokenWithSpan>) -> Result<ast::Expr> {
    let mut parser = Parser::new(POSTGRES).with_tokens_with_locations(without_other_versions(tokens));
    let expr = parser.parse_expr().map_err(|error| syntax_error(&error))?;
    match parser.peek_token().token {
        Token::EOF => Ok(expr),
        token => Err(near(&token.to_string())),
    }
}

fn is_word(token: &Token, keyword: Keyword) -> bool {
    matches!(token, Token::Word(word) if word.keyword == keyword)
}

/// Makes names of AT, BEFORE and CHANGES, which sqlparser takes for other systems' ways to name the version of a
/// relation that they follow.
fn without_other_versions(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    use Keyword::{ALTER, AT, BEFORE, CHANGES, DELETE, INSERT, NoKeyword, TIME, TRUNCATE, TYPE, UPDATE};
    let mut words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let of_type = [ALTER, TYPE].iter().all(|word| words.next().is_some_and(|it| is_word(&it.token, *word)));
    let mut next = NoKeyword;
    for token in tokens.iter_mut().rev() {
        match &mut token.token {
            Token::Whitespace(_) => {}
            Token::Word(word) => {
                let is_name = match word.keyword {
                    AT => next != TIME,
                    // Before another value of an enum.
                    BEFORE => !of_type && !matches!(next, INSERT | UPDATE | DELETE | TRUNCATE),
                    CHANGES => true,
                    _ => false,
                };
                next = word.keyword;
                if is_name {
                    word.keyword = NoKeyword;
                }
            }
            _ => next = NoKeyword,
        }
    }
    tokens
}

/// Writes Flink's `TUMBLE(TABLE t, ...)` as `TUMBLE(t, ...)`, which sqlparser knows.
fn without_table_words(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_window = |token: &Token| match token {
        Token::Word(word) => {
            ["tumble", "hop", "session"].iter().any(|name| word.value.eq_ignore_ascii_case(name))
        }
        _ => false,
    };
    // Whether the last two tokens begin a call, and whether the last one may be its name.
    let (mut begins_call, mut is_name) = (false, false);
    let kept = tokens.into_iter().filter(|token| {
        if matches!(token.token, Token::Whitespace(_)) {
            return true;
        }
        let dropped = begins_call && is_word(&token.token, Keyword::TABLE);
        begins_call = is_name && token.token == Token::LParen;
        is_name = is_window(&token.token);
        !dropped
    });
    kept.collect()
}

/// Writes `integer ARRAY` and `integer ARRAY[4]` as `integer[]` and `integer[4]`, which sqlparser knows.
fn with_brackets(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    const TYPES: [Keyword; 24] = {
        use Keyword::*;
        [
            BIGINT, BOOL, BOOLEAN, BYTEA, CHAR, DATE, DECIMAL, FLOAT, FLOAT4, FLOAT8, INT, INT2, INT4, INT8,
            INTEGER, INTERVAL, JSON, JSONB, NUMERIC, REAL, SMALLINT, TEXT, UUID, VARCHAR,
        ]
    };
    let is_type = |token: &Token| matches!(token, Token::Word(word) if TYPES.contains(&word.keyword));
    // IS JSON ARRAY names no type.
    let is_test = |before: &[Token]| {
        let word = before.len().checked_sub(2).map(|at| &before[at]);
        word.is_some_and(|word| is_word(word, Keyword::IS) || is_word(word, Keyword::NOT))
    };
    // What came before, without what stands in parentheses.
    let (mut written, mut before) = (Vec::<TokenWithSpan>::with_capacity(tokens.len()), Vec::<Token>::new());
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        match &token.token {
            Token::Whitespace(_) => {}
            Token::RParen => while before.pop().is_some_and(|open| open != Token::LParen) {},
            array
                if is_word(array, Keyword::ARRAY)
                    && before.last().is_some_and(is_type)
                    && !is_test(&before) =>
            {
                if rest.peek().is_none_or(|next| next.token != Token::LBracket) {
                    let brackets = [Token::LBracket, Token::RBracket];
                    written.extend(brackets.map(|bracket| TokenWithSpan::new(bracket, token.span)));
                }
                continue;
            }
            other => before.push(other.clone()),
        }
        written.push(token);
    }
    written
}

/// Whether tokens without blanks begin a CREATE TABLE of any kind.
fn creates_table(tokens: &[TokenWithSpan]) -> bool {
    let [create, rest @ ..] = tokens else { return false };
    let words = ["global", "local", "temporary", "temp", "unlogged"];
    let mut rest = rest.iter().skip_while(|token| words.iter().any(|word| is(token, word)));
    is(create, "create") && rest.next().is_some_and(|token| is(token, "table"))
}

/// Takes UNLOGGED out of CREATE TABLE: what is not wanted in the log may be there all the same.
fn without_unlogged(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let significant = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let first = significant.take(3).cloned().collect::<Vec<_>>();
    if creates_table(&first)
        && let Some(at) = tokens.iter().position(|token| is(token, "unlogged"))
    {
        tokens.remove(at);
    }
    tokens
}

/// Writes `LIKE table options` among the columns of a CREATE TABLE as `"?like?" table COMMENT 'options'`, which is a column
/// to sqlparser, and `WITH NO DATA` at its end as LIMIT 0.
fn with_like_as_column(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let significant = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let significant = significant.cloned().collect::<Vec<_>>();
    if !creates_table(&significant) {
        return tokens;
    }
    if let Some(query) = query_of_table(&significant) {
        return query;
    }
    let (mut written, mut depth, mut rest) = (Vec::new(), 0, significant.as_slice());
    while let [token, after @ ..] = rest {
        let begins = written.last().is_some_and(|before: &TokenWithSpan| {
            depth == 1 && matches!(before.token, Token::LParen | Token::Comma)
        });
        if begins && is(token, "like") {
            let end = after.iter().position(|token| matches!(token.token, Token::Comma | Token::RParen));
            let (like, after) = after.split_at(end.unwrap_or(after.len()));
            let is_option = |token: &TokenWithSpan| is(token, "including") || is(token, "excluding");
            let options = like.iter().position(is_option).unwrap_or(like.len());
            let (name, options) = like.split_at(options);
            let words = options.iter().map(|token| token.token.to_string().to_lowercase());
            written.push(TokenWithSpan::wrap(Token::make_word("?like?", Some('"'))));
            written.extend(name.iter().cloned());
            written.push(TokenWithSpan::wrap(Token::make_keyword("COMMENT")));
            written.push(literal(&words.collect::<Vec<_>>().join(" ")));
            rest = after;
            continue;
        }
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        written.push(token.clone());
        rest = after;
    }
    written
}

/// `CREATE TABLE t AS (query) LIMIT 0` for `CREATE TABLE t AS query WITH NO DATA`, and the query alone for `WITH DATA`.
fn query_of_table(tokens: &[TokenWithSpan]) -> Option<Vec<TokenWithSpan>> {
    let (tokens, has_data) = match tokens {
        [tokens @ .., with, no, data] if is(with, "with") && is(no, "no") && is(data, "data") => {
            (tokens, false)
        }
        [tokens @ .., with, data] if is(with, "with") && is(data, "data") => (tokens, true),
        _ => return None,
    };
    let begin = tokens.iter().position(|token| is(token, "as"))? + 1;
    if has_data {
        return Some(tokens.to_vec());
    }
    let symbols = |tokens: &[Token]| tokens.iter().cloned().map(TokenWithSpan::wrap).collect::<Vec<_>>();
    let mut written = tokens[..begin].to_vec();
    written.extend(symbols(&[Token::LParen]));
    written.extend(tokens[begin..].iter().cloned());
    written.extend(symbols(&[
        Token::RParen,
        Token::make_keyword("LIMIT"),
        Token::Number("0".to_owned(), false),
    ]));
    Some(written)
}

/// Makes a name of ON in `SET parameter = on`, which sqlparser takes for the beginning of something else.
fn with_on_as_value(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    if words.next().is_some_and(|token| is_word(&token.token, Keyword::SET)) {
        for token in &mut tokens {
            if let Token::Word(word) = &mut token.token
                && word.keyword == Keyword::ON
            {
                word.keyword = Keyword::NoKeyword;
            }
        }
    }
    tokens
}

/// Writes `WITH (option)` of a CREATE TABLE as `WITH (option = true)`, which is what it means; sqlparser
/// knows the long form alone.
fn with_option_values(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let significant = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    if !creates_table(&significant.take(4).cloned().collect::<Vec<_>>()) {
        return tokens;
    }
    let (mut written, mut in_options, mut before) = (Vec::new(), false, Vec::<Token>::new());
    for token in tokens {
        if !matches!(token.token, Token::Whitespace(_)) {
            in_options |=
                token.token == Token::LParen && before.last().is_some_and(|t| is_word(t, Keyword::WITH));
            let ends_option = in_options && matches!(token.token, Token::Comma | Token::RParen);
            let lone = matches!(before.as_slice(), [.., Token::LParen | Token::Comma, Token::Word(_)]);
            if ends_option && lone {
                written.push(TokenWithSpan::new(Token::Eq, token.span));
                written.push(TokenWithSpan::new(Token::make_keyword("true"), token.span));
            }
            in_options &= token.token != Token::RParen;
            before.push(token.token.clone());
        }
        written.push(token);
    }
    written
}

/// The first and last token of a statement that are neither space nor comment.
fn trim(tokens: &[TokenWithSpan]) -> Option<(&TokenWithSpan, &TokenWithSpan)> {
    let mut words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF));
    let first = words.next()?;
    Some((first, words.next_back().unwrap_or(first)))
}

/// sqlparser says `Expected: an expression, found: FROM at Line: 1, Column: 8`.
fn syntax_error(error: &ParserError) -> SqlError {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => {
            return SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "statement is nested too deeply");
        }
    };
    let found = message.split_once("found: ").map(|(_, found)| found);
    match found.map(|found| found.rsplit_once(" at Line").map_or(found, |(token, _)| token)) {
        Some(token) => near(token),
        None => SqlError::new(SqlState::SYNTAX_ERROR, message.clone()),
    }
}

fn near(token: &str) -> SqlError {
    let message = match token {
        "EOF" => "syntax error at end of input".to_owned(),
        token => format!("syntax error at or near \"{token}\""),
    };
    SqlError::new(SqlState::SYNTAX_ERROR, message)
}

/// Turns the tokenizer's line and column (both from 1, in characters) into a byte offset.
struct Lines<'a> {
    sql: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(sql: &'a str) -> Lines<'a> {
        let starts = std::iter::once(0).chain(sql.match_indices('\n').map(|(at, _)| at + 1));
        Lines { sql, starts: starts.collect() }
    }

    fn offset(&self, location: Location) -> usize {
        let line = (location.line as usize).saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or(self.sql.len());
        let column = (location.column as usize).saturating_sub(1);
        let rest = &self.sql[start..];
        start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_text_of_each_statement() {
        let statements = parse("select 1 ;; -- é\n select 'é;' || 2;\n").unwrap();
        let texts = statements.iter().map(|statement| statement.text.as_str()).collect::<Vec<_>>();
        assert_eq!(texts, ["select 1", "select 'é;' || 2"]);
        assert!(parse(" ; -- nothing\n").unwrap().is_empty());
    }

    #[test]
    fn names_the_token_at_fault() {
        let message = |sql| parse(sql).unwrap_err().message;
        assert_eq!(message("select * form t"), "syntax error at or near \"t\"");
        assert_eq!(message("selec 1"), "syntax error at or near \"selec\"");
        assert_eq!(message("select * from"), "syntax error at end of input");
    }
}
