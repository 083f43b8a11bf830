//! Words of queries that sqlparser has no place for, written as what it knows.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::procedures::is;
use crate::unnest::ROWS_FROM;

/// `ORDER BY x USING <` is `ORDER BY x ASC`, `ROWS FROM (...)` a call, `FOR NO KEY UPDATE` is `FOR UPDATE`, and
/// `EXCLUDE NO OTHERS` says nothing.
pub(crate) fn as_known_queries(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let tokens = tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let tokens = tokens.collect::<Vec<_>>();
    let mut written = Vec::<TokenWithSpan>::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let Some((token, after)) = rest.split_first() {
        let (replacement, length) = known(rest).unwrap_or_else(|| (Some(token.token.clone()), 1));
        written.extend(replacement.map(|replacement| TokenWithSpan::new(replacement, token.span)));
        rest = if length == 1 { after } else { &rest[length..] };
    }
    written
}

/// What stands for the next tokens, and how many they are.
fn known(tokens: &[TokenWithSpan]) -> Option<(Option<Token>, usize)> {
    let keyword = |word: &str| Some(Token::make_keyword(word));
    match tokens {
        [using, operator, ..] if is(using, "using") => {
            direction(&operator.token).map(|direction| (keyword(direction), 2))
        }
        [rows, from, open, ..] if is(rows, "rows") && is(from, "from") && open.token == Token::LParen => {
            Some((Some(Token::make_word(ROWS_FROM, Some('"'))), 2))
        }
        [no, key, update, ..] if is(no, "no") && is(key, "key") && is(update, "update") => {
            Some((keyword("UPDATE"), 3))
        }
        [key, share, ..] if is(key, "key") && is(share, "share") => Some((keyword("SHARE"), 2)),
        [exclude, no, others, ..] if is(exclude, "exclude") && is(no, "no") && is(others, "others") => {
            Some((None, 3))
        }
        _ => None,
    }
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
