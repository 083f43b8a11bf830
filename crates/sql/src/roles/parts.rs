//! The parts that statements about roles and privileges have in common.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::procedures::is;
use crate::sequences::name_length;

/// The arguments of a call.
pub(super) type Arguments = Vec<String>;

/// The word for a role that a statement begins with.
pub(super) fn kind(token: &TokenWithSpan) -> Option<&'static str> {
    ["role", "user", "group"].into_iter().find(|word| is(token, word))
}

/// The word for a kind of object.
pub(crate) fn object_kind(token: &TokenWithSpan) -> Option<&'static str> {
    let kinds = ["table", "view", "sequence", "source", "schema", "database", "function", "type", "domain"];
    kinds.into_iter().find(|word| is(token, word))
}

/// `'first', ..., 'one', ..., '', 'other', ...`
pub(super) fn lists<const N: usize>(first: [String; N], one: Vec<String>, other: Vec<String>) -> Arguments {
    first.into_iter().chain(one).chain([String::new()]).chain(other).collect()
}

/// Without CASCADE or RESTRICT at the end, and `true` where it was CASCADE.
pub(super) fn behavior(tokens: &[TokenWithSpan]) -> (&[TokenWithSpan], String) {
    match tokens {
        [rest @ .., last] if is(last, "cascade") => (rest, "true".to_owned()),
        [rest @ .., last] if is(last, "restrict") => (rest, "false".to_owned()),
        tokens => (tokens, "false".to_owned()),
    }
}

/// The tokens before and after a word that is not in parentheses.
pub(super) fn cut<'a>(
    tokens: &'a [TokenWithSpan],
    word: &str,
) -> Option<(&'a [TokenWithSpan], &'a [TokenWithSpan])> {
    let mut depth = 0;
    let position = tokens.iter().position(|token| {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        depth == 0 && is(token, word)
    })?;
    Some((&tokens[..position], &tokens[position + 1..]))
}

/// Tokens of names with commas between them.
pub(super) fn list_length(tokens: &[TokenWithSpan]) -> Option<usize> {
    let mut length = 1;
    role(tokens.first()?)?;
    while tokens.get(length).is_some_and(|token| token.token == Token::Comma) {
        role(tokens.get(length + 1)?)?;
        length += 2;
    }
    Some(length)
}

/// The parts between commas that are not in parentheses; none of them is empty.
pub(super) fn split(tokens: &[TokenWithSpan]) -> Option<Vec<&[TokenWithSpan]>> {
    let mut depth = 0;
    let parts = tokens.split(|token| {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        depth == 0 && token.token == Token::Comma
    });
    let parts = parts.collect::<Vec<_>>();
    parts.iter().all(|part| !part.is_empty()).then_some(parts)
}

/// The token that is the only one.
pub(super) fn only(tokens: &[TokenWithSpan]) -> Option<&TokenWithSpan> {
    match tokens {
        [only] => Some(only),
        _ => None,
    }
}

/// Roles with commas between them; each may have the word GROUP before it.
pub(super) fn roles(tokens: &[TokenWithSpan]) -> Option<Vec<String>> {
    let one = |tokens: &[TokenWithSpan]| match tokens {
        [group, name] if is(group, "group") => role(name),
        tokens => role(only(tokens)?),
    };
    split(tokens)?.into_iter().map(one).collect()
}

/// A role by its name, or by a word that stands for one.
pub(crate) fn role(token: &TokenWithSpan) -> Option<String> {
    let words = ["current_user", "current_role", "session_user"];
    match words.into_iter().find(|word| is(token, word)) {
        Some(word) => Some(format!(" {word}")),
        None => plain_name(token),
    }
}

/// A word, folded to lower case unless it is in quotes.
pub(crate) fn plain_name(token: &TokenWithSpan) -> Option<String> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_some() => Some(word.value.clone()),
        Token::Word(word) => Some(word.value.to_lowercase()),
        _ => None,
    }
}

/// A name, perhaps with a schema, and perhaps with the types of parameters, as text.
pub(crate) fn text(tokens: &[TokenWithSpan]) -> Option<String> {
    let length = name_length(tokens)?;
    let is_call = tokens.get(length).is_some_and(|token| token.token == Token::LParen);
    if length < tokens.len() && !is_call {
        return None;
    }
    let name = tokens[..length].iter().map(|token| token.token.to_string()).collect::<String>();
    let types = tokens[length..].iter().map(|token| token.token.to_string()).collect::<Vec<_>>();
    Some(name + &types.join(" "))
}
