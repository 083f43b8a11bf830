//! The options of CREATE and ALTER ROLE.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::parts::{list_length, roles};
use crate::procedures::is;

/// What can be said of a role and is true or not.
const SWITCHES: [&str; 7] =
    ["superuser", "createdb", "createrole", "inherit", "login", "replication", "bypassrls"];

/// Names and values of the options of CREATE and ALTER ROLE. A password that is a text has a quote before it.
pub(super) fn role_options(tokens: &[TokenWithSpan]) -> Option<Vec<String>> {
    let mut rest = match tokens {
        [with, rest @ ..] if is(with, "with") => rest,
        rest => rest,
    };
    let mut options = Vec::new();
    while !rest.is_empty() {
        let (name, values, length) = role_option(rest)?;
        for value in values {
            options.extend([name.to_owned(), value]);
        }
        rest = &rest[length..];
    }
    Some(options)
}

/// The first of some options: its name, its values, and the number of its tokens.
fn role_option(tokens: &[TokenWithSpan]) -> Option<(&'static str, Vec<String>, usize)> {
    let at = |position: usize, word: &str| tokens.get(position).is_some_and(|token| is(token, word));
    for switch in SWITCHES {
        if at(0, switch) {
            return Some((switch, vec!["true".to_owned()], 1));
        }
        if at(0, &format!("no{switch}")) {
            return Some((switch, vec!["false".to_owned()], 1));
        }
    }
    let encrypted = usize::from(at(0, "encrypted"));
    if at(encrypted, "password") {
        let password = match &tokens.get(encrypted + 1)?.token {
            Token::SingleQuotedString(password) => format!("'{password}"),
            _ if at(encrypted + 1, "null") => String::from("null"),
            _ => return None,
        };
        return Some(("password", vec![password], encrypted + 2));
    }
    let names = |name: &'static str, skipped: usize| {
        let length = list_length(&tokens[skipped..])?;
        Some((name, roles(&tokens[skipped..skipped + length])?, skipped + length))
    };
    match () {
        () if at(0, "connection") && at(1, "limit") => {
            let (number, length) = match &tokens.get(2)?.token {
                Token::Minus => (format!("-{}", tokens.get(3)?.token), 4),
                number => (number.to_string(), 3),
            };
            Some(("connection limit", vec![number], length))
        }
        () if at(0, "valid") && at(1, "until") => match &tokens.get(2)?.token {
            Token::SingleQuotedString(moment) => Some(("valid until", vec![moment.clone()], 3)),
            _ => None,
        },
        () if at(0, "sysid") => Some(("sysid", Vec::new(), 2)),
        () if at(0, "in") && (at(1, "role") || at(1, "group")) => names("in role", 2),
        () if at(0, "role") || at(0, "user") => names("role", 1),
        () if at(0, "admin") => names("admin", 1),
        () => None,
    }
}
