//! What is written of JSON in a way that sqlparser does not read.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::procedures::is;
use crate::sql_json::TABLE;

/// The function that makes a `jsonb` with something else where subscripts lead to.
const ASSIGN: &str = "$jsonb_assign";

fn symbol(token: Token) -> TokenWithSpan {
    TokenWithSpan::wrap(token)
}

fn significant(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).cloned().collect()
}

/// Writes `JSON_TABLE(...)` as a table function whose argument it is: sqlparser has another grammar for it.
pub(crate) fn with_tables_of_json(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is(token, "json_table")) {
        return tokens;
    }
    let tokens = significant(&tokens);
    let mut written = Vec::with_capacity(tokens.len() + 3);
    // How deep the parentheses are in which each one ends.
    let (mut depth, mut ends) = (0, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        let begins =
            is(token, "json_table") && tokens.get(at + 1).is_some_and(|next| next.token == Token::LParen);
        if begins {
            written.push(symbol(Token::make_word(TABLE, Some('"'))));
            written.push(symbol(Token::LParen));
            // No keyword, or sqlparser would go its own way.
            written.push(symbol(Token::make_word("json_table", None)));
            if let Some(TokenWithSpan { token: Token::Word(word), .. }) = written.last_mut() {
                word.keyword = datafusion::sql::sqlparser::keywords::Keyword::NoKeyword;
            }
            ends.push(depth);
            continue;
        }
        written.push(token.clone());
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => {
                depth -= 1;
                if ends.last() == Some(&depth) {
                    ends.pop();
                    written.push(symbol(Token::RParen));
                }
            }
            _ => {}
        }
    }
    written
}

/// Names the rows of `f(...) AS (a int, b text)`, which sqlparser wants to have a name.
pub(crate) fn with_records_named(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    const RECORDS: [&str; 8] = [
        "json_to_record",
        "jsonb_to_record",
        "json_to_recordset",
        "jsonb_to_recordset",
        "json_populate_record",
        "jsonb_populate_record",
        "json_populate_recordset",
        "jsonb_populate_recordset",
    ];
    if !tokens.iter().any(|token| RECORDS.iter().any(|name| is(token, name))) {
        return tokens;
    }
    let tokens = significant(&tokens);
    let begins_query = |token: Option<&TokenWithSpan>| {
        token.is_none_or(|token| {
            token.token == Token::LParen || ["select", "values", "with"].iter().any(|word| is(token, word))
        })
    };
    let mut written = Vec::with_capacity(tokens.len() + 1);
    for (at, token) in tokens.iter().enumerate() {
        written.push(token.clone());
        let follows_call = at > 0 && tokens[at - 1].token == Token::RParen && is(token, "as");
        let has_columns = tokens.get(at + 1).is_some_and(|next| next.token == Token::LParen);
        if follows_call && has_columns && !begins_query(tokens.get(at + 2)) {
            written.push(symbol(Token::make_word("record", Some('"'))));
        }
    }
    written
}

/// Writes `SET a['b'][0] = x` of an UPDATE as `SET a = assign(a, ARRAY['b', 0], x)`.
pub(crate) fn with_subscripts_assigned(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let updates = tokens.iter().find(|token| !matches!(token.token, Token::Whitespace(_)));
    let updates =
        updates.is_some_and(|first| ["update", "insert", "with"].iter().any(|word| is(first, word)));
    if !updates || !tokens.iter().any(|token| token.token == Token::LBracket) {
        return tokens;
    }
    let tokens = significant(&tokens);
    let (mut written, mut rest) = (Vec::with_capacity(tokens.len()), tokens.as_slice());
    let (mut depth, mut in_set, mut begins) = (0_i32, false, false);
    while let [token, after @ ..] = rest {
        if in_set
            && begins
            && depth == 0
            && after.first().is_some_and(|next| next.token == Token::LBracket)
            && let Some((assignment, after)) = assignment(token, after)
        {
            written.extend(assignment);
            (rest, begins) = (after, false);
            continue;
        }
        begins = depth == 0 && (is(token, "set") || token.token == Token::Comma);
        match token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth -= 1,
            _ if depth > 0 => {}
            _ if is(token, "set") => in_set = true,
            _ if ends_assignments(token) => in_set = false,
            _ => {}
        }
        written.push(token.clone());
        rest = after;
    }
    written
}

fn ends_assignments(token: &TokenWithSpan) -> bool {
    ["where", "from", "returning"].iter().any(|word| is(token, word))
}

/// The assignment to a column that these tokens follow, and the tokens behind it.
fn assignment<'a>(
    column: &TokenWithSpan,
    mut rest: &'a [TokenWithSpan],
) -> Option<(Vec<TokenWithSpan>, &'a [TokenWithSpan])> {
    let mut path = vec![symbol(Token::make_keyword("ARRAY")), symbol(Token::LBracket)];
    while let [bracket, inside @ ..] = rest
        && bracket.token == Token::LBracket
    {
        let (subscript, after) = until(inside, &|token| token.token == Token::RBracket);
        if path.len() > 2 {
            path.push(symbol(Token::Comma));
        }
        path.push(symbol(Token::LParen));
        path.extend(subscript.iter().cloned());
        path.extend([Token::RParen, Token::DoubleColon, Token::make_word("text", None)].map(symbol));
        rest = after.get(1..)?;
    }
    path.push(symbol(Token::RBracket));
    let (equals, rest) = rest.split_first()?;
    if equals.token != Token::Eq {
        return None;
    }
    let (value, rest) = until(rest, &|token| token.token == Token::Comma || ends_assignments(token));
    let mut written = vec![column.clone(), equals.clone(), symbol(Token::make_word(ASSIGN, Some('"')))];
    written.extend([symbol(Token::LParen), column.clone(), symbol(Token::Comma)]);
    written.extend(path);
    written.push(symbol(Token::Comma));
    written.extend(value.iter().cloned());
    written.push(symbol(Token::RParen));
    Some((written, rest))
}

/// The tokens up to one at which `ends` holds outside of parentheses and brackets, and those from there.
fn until<'a>(
    tokens: &'a [TokenWithSpan],
    ends: &dyn Fn(&TokenWithSpan) -> bool,
) -> (&'a [TokenWithSpan], &'a [TokenWithSpan]) {
    let mut depth = 0_i32;
    let end = tokens.iter().position(|token| {
        if depth == 0 && ends(token) {
            return true;
        }
        match token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth -= 1,
            _ => {}
        }
        false
    });
    tokens.split_at(end.unwrap_or(tokens.len()))
}
