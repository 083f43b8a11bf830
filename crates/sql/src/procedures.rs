//! Statements that PostgreSQL's grammar, or sqlparser, does not have: they are calls of procedures, or other
//! statements, in other words.
//!
//! ```text
//! CHECKPOINT                        CALL springtide.checkpoint()
//! CREATE SNAPSHOT name [AS OF t]    CALL springtide.create_snapshot(name [, t])
//! DROP SNAPSHOT [IF EXISTS] name    CALL springtide.drop_snapshot(name [, true])
//! ALTER MATERIALIZED VIEW           ALTER TABLE
//! ```

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// The schema of the procedures.
const SCHEMA: &str = "springtide";

/// The tokens of one statement, as a call if it is one of those.
pub(crate) fn as_calls(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let significant = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let significant = significant.cloned().collect::<Vec<_>>();
    let starts = |words: &[&str]| {
        words.iter().enumerate().all(|(at, word)| significant.get(at).is_some_and(|token| is(token, word)))
    };
    let rest = |skipped: usize| &significant[skipped..];
    if starts(&["checkpoint"]) && significant.len() == 1 {
        return call("checkpoint", &[]);
    }
    if starts(&["create", "snapshot"]) && significant.len() > 2 {
        return match rest(2) {
            [name, as_word, of, moment @ ..] if is(as_word, "as") && is(of, "of") => {
                call("create_snapshot", &[std::slice::from_ref(name), moment])
            }
            rest => call("create_snapshot", &[rest]),
        };
    }
    if starts(&["drop", "snapshot", "if", "exists"]) && significant.len() > 4 {
        let yes = [TokenWithSpan::wrap(Token::make_keyword("true"))];
        return call("drop_snapshot", &[rest(4), &yes]);
    }
    if starts(&["drop", "snapshot"]) && significant.len() == 3 {
        return call("drop_snapshot", &[rest(2)]);
    }
    if starts(&["alter", "materialized", "view"]) {
        let alter = ["ALTER", "TABLE"].map(|word| TokenWithSpan::wrap(Token::make_keyword(word)));
        return alter.into_iter().chain(rest(3).iter().cloned()).collect();
    }
    tokens
}

fn is(token: &TokenWithSpan, word: &str) -> bool {
    matches!(&token.token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

fn call(procedure: &str, arguments: &[&[TokenWithSpan]]) -> Vec<TokenWithSpan> {
    let start = [Token::make_keyword("CALL"), Token::make_word(SCHEMA, None), Token::Period];
    let mut tokens =
        start.into_iter().chain([Token::make_word(procedure, None), Token::LParen]).collect::<Vec<_>>();
    for (position, argument) in arguments.iter().enumerate() {
        if position > 0 {
            tokens.push(Token::Comma);
        }
        tokens.extend(argument.iter().map(|token| token.token.clone()));
    }
    tokens.push(Token::RParen);
    tokens.into_iter().map(TokenWithSpan::wrap).collect()
}
