//! Statements about sources, which sqlparser does not know, in other words.
//!
//! ```text
//! CREATE SOURCE [IF NOT EXISTS] name FROM CONNECTOR [(option => value, ...)]
//!                                 CALL springtide.create_source(name, 'true', 'connector', 'option', 'value', ...)
//! DROP SOURCE [IF EXISTS] name, ... [CASCADE | RESTRICT]
//!                                 CALL springtide.drop_source('true', 'cascade', name, ...)
//! ALTER SOURCE ...                ALTER TABLE ...
//! SHOW SOURCES                    SELECT * FROM springtide_catalog.sources ORDER BY name
//! ```

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::procedures::{call, is, literal};
use crate::sequences::name_length;

/// A statement about sources, given as its tokens without blanks, in other words; `None` if it is none, or not understood.
pub(crate) fn in_other_words(tokens: &[TokenWithSpan]) -> Option<Vec<TokenWithSpan>> {
    match tokens {
        [create, source, rest @ ..] if is(create, "create") && is(source, "source") => created(rest),
        [drop, source, rest @ ..] if is(drop, "drop") && is(source, "source") => dropped(rest),
        [alter, source, rest @ ..] if is(alter, "alter") && is(source, "source") => {
            let words = ["ALTER", "TABLE"].map(|word| TokenWithSpan::wrap(Token::make_keyword(word)));
            Some(words.into_iter().chain(rest.iter().cloned()).collect())
        }
        [show, sources] if is(show, "show") && is(sources, "sources") => Some(shown()),
        _ => None,
    }
}

fn created(tokens: &[TokenWithSpan]) -> Option<Vec<TokenWithSpan>> {
    let (if_not_exists, rest) = match tokens {
        [first, not, exists, rest @ ..] if is(first, "if") && is(not, "not") && is(exists, "exists") => {
            (true, rest)
        }
        rest => (false, rest),
    };
    let (name, rest) = rest.split_at(name_length(rest)?);
    let [from, connector, options @ ..] = rest else { return None };
    let connector = word(connector).filter(|_| is(from, "from"))?;
    let mut arguments = vec![name.to_vec(), vec![boolean(if_not_exists)], vec![literal(&connector)]];
    for (option, value) in all_options(options)? {
        arguments.push(vec![literal(&option)]);
        arguments.push(vec![literal(&value)]);
    }
    Some(call("create_source", &arguments.iter().map(Vec::as_slice).collect::<Vec<_>>()))
}

/// Names and values of `(name => value, ...)`, which may be missing.
fn all_options(tokens: &[TokenWithSpan]) -> Option<Vec<(String, String)>> {
    let inner = match tokens {
        [] => return Some(Vec::new()),
        [open, inner @ .., close] if open.token == Token::LParen && close.token == Token::RParen => inner,
        _ => return None,
    };
    let options = inner.split(|token| token.token == Token::Comma).map(|option| match option {
        [name, arrow, value @ ..] if arrow.token == Token::RArrow => Some((word(name)?, value_of(value)?)),
        _ => None,
    });
    options.collect()
}

fn dropped(tokens: &[TokenWithSpan]) -> Option<Vec<TokenWithSpan>> {
    let (if_exists, rest) = match tokens {
        [first, exists, rest @ ..] if is(first, "if") && is(exists, "exists") => (true, rest),
        rest => (false, rest),
    };
    let (cascade, names) = match rest {
        [names @ .., last] if is(last, "cascade") => (true, names),
        [names @ .., last] if is(last, "restrict") => (false, names),
        names => (false, names),
    };
    let names = names.split(|token| token.token == Token::Comma).collect::<Vec<_>>();
    if names.iter().any(|name| name_length(name) != Some(name.len())) {
        return None;
    }
    let flags = [[boolean(if_exists)], [boolean(cascade)]];
    let arguments = flags.iter().map(<[_; 1]>::as_slice).chain(names).collect::<Vec<_>>();
    Some(call("drop_source", &arguments))
}

fn shown() -> Vec<TokenWithSpan> {
    let [select, from, order, by] = ["SELECT", "FROM", "ORDER", "BY"].map(Token::make_keyword);
    let name = |name: &str| Token::make_word(name, None);
    let all = [
        select,
        Token::Mul,
        from,
        name("springtide_catalog"),
        Token::Period,
        name("sources"),
        order,
        by,
        name("name"),
    ];
    all.map(TokenWithSpan::wrap).to_vec()
}

/// A word, folded to lower case unless it is in quotes.
fn word(token: &TokenWithSpan) -> Option<String> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_some() => Some(word.value.clone()),
        Token::Word(word) => Some(word.value.to_lowercase()),
        _ => None,
    }
}

/// A number, perhaps with a sign, a text or a word.
fn value_of(tokens: &[TokenWithSpan]) -> Option<String> {
    match tokens {
        [minus, number] if minus.token == Token::Minus => match &number.token {
            Token::Number(digits, _) => Some(format!("-{digits}")),
            _ => None,
        },
        [value] => match &value.token {
            Token::Number(digits, _) => Some(digits.clone()),
            Token::SingleQuotedString(text) => Some(text.clone()),
            _ => word(value),
        },
        _ => None,
    }
}

fn boolean(value: bool) -> TokenWithSpan {
    literal(if value { "true" } else { "false" })
}
