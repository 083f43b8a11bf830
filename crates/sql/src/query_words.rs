//! Words of queries that sqlparser has no place for, written as what it knows.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::procedures::is;
use crate::unnest::ROWS_FROM;

/// `ORDER BY x USING <` is `ORDER BY x ASC`, `ROWS FROM (...)` a call, `FOR NO KEY UPDATE` is `FOR UPDATE`, `ONLY t` and
/// `EXCLUDE NO OTHERS` say nothing more, and `TABLE t` is a query.
pub(crate) fn as_known_queries(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let tokens = tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let tokens = tokens.collect::<Vec<_>>();
    let mut written = Vec::<TokenWithSpan>::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let Some((token, after)) = rest.split_first() {
        if let Some(begun) = table_query(written.last(), rest) {
            written.extend(begun);
            rest = after;
            continue;
        }
        let (replacement, length) =
            known(written.last(), rest).unwrap_or_else(|| (Some(token.token.clone()), 1));
        written.extend(replacement.map(|replacement| TokenWithSpan::new(replacement, token.span)));
        rest = if length == 1 { after } else { &rest[length..] };
    }
    written
}

/// What stands for the next tokens, and how many they are.
fn known(before: Option<&TokenWithSpan>, tokens: &[TokenWithSpan]) -> Option<(Option<Token>, usize)> {
    let keyword = |word: &str| Some(Token::make_keyword(word));
    match tokens {
        [using, operator, ..] if is(using, "using") => {
            direction(&operator.token).map(|direction| (keyword(direction), 2))
        }
        [rows, from, open, ..] if is(rows, "rows") && is(from, "from") && open.token == Token::LParen => {
            Some((Some(Token::make_word(ROWS_FROM, Some('"'))), 2))
        }
        // Tables have no descendants.
        [only, table, ..] if is(only, "only") && is_word(table) && before.is_some_and(names_table) => {
            Some((None, 1))
        }
        [no, key, update, ..] if is(no, "no") && is(key, "key") && is(update, "update") => {
            Some((keyword("UPDATE"), 3))
        }
        [key, share, ..] if is(key, "key") && is(share, "share") => Some((keyword("SHARE"), 2)),
        // A frame's distance in a type of its own.
        [value, cast, data_type, direction, ..]
            if cast.token == Token::DoubleColon
                && is_word(data_type)
                && matches!(value.token, Token::SingleQuotedString(_) | Token::Number(..))
                && (is(direction, "preceding") || is(direction, "following")) =>
        {
            Some((Some(value.token.clone()), 3))
        }
        [exclude, no, others, ..] if is(exclude, "exclude") && is(no, "no") && is(others, "others") => {
            Some((None, 3))
        }
        _ => None,
    }
}

fn is_word(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Word(_))
}

fn names_table(before: &TokenWithSpan) -> bool {
    ["from", "join", "update"].iter().any(|word| is(before, word))
}

/// `TABLE t` as a query is `SELECT * FROM t`.
fn table_query(before: Option<&TokenWithSpan>, tokens: &[TokenWithSpan]) -> Option<Vec<TokenWithSpan>> {
    let [table, name, ..] = tokens else { return None };
    let begins_query = |before: &TokenWithSpan| {
        before.token == Token::LParen
            || ["as", "union", "all", "except", "intersect", "explain", "analyze", "for"]
                .iter()
                .any(|word| is(before, word))
    };
    (is(table, "table") && is_word(name) && before.is_none_or(begins_query)).then(|| {
        let words = [Token::make_keyword("SELECT"), Token::Mul, Token::make_keyword("FROM")];
        words.map(|word| TokenWithSpan::new(word, table.span)).into()
    })
}

/// The direction in which an operator orders.
fn direction(operator: &Token) -> Option<&'static str> {
    let custom = |operator: &str| match operator {
        "~<~" => Some("ASC"),
        "~>~" => Some("DESC"),
        _ => None,
    };
    match operator {
        Token::Lt => Some("ASC"),
        Token::Gt => Some("DESC"),
        Token::CustomBinaryOperator(operator) => custom(operator),
        _ => None,
    }
}
