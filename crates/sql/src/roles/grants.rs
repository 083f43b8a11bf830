//! GRANT and REVOKE, of roles and of privileges, and ALTER DEFAULT PRIVILEGES.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::parts::{
    Arguments, behavior, cut, kind, list_length, lists, object_kind, plain_name, roles, split, text,
};
use crate::procedures::is;

/// What stands after ALTER DEFAULT PRIVILEGES: the roles, the schemas, and what is granted or revoked.
pub(super) fn altered_default(mut tokens: &[TokenWithSpan]) -> Option<Arguments> {
    let (mut owners, mut schemas) = (Vec::new(), Vec::new());
    loop {
        match tokens {
            [for_word, word, rest @ ..] if is(for_word, "for") && kind(word).is_some() => {
                let (names, rest) = rest.split_at(list_length(rest)?);
                (owners, tokens) = (roles(names)?, rest);
            }
            [in_word, schema, rest @ ..] if is(in_word, "in") && is(schema, "schema") => {
                let (names, rest) = rest.split_at(list_length(rest)?);
                (schemas, tokens) = (roles(names)?, rest);
            }
            _ => break,
        }
    }
    let (first, rest) = tokens.split_first()?;
    let (rest, flags, to) = if is(first, "grant") {
        let (rest, option) = without_option(rest, "grant");
        (rest, ["grant".to_owned(), option.to_string(), false.to_string()], "to")
    } else if is(first, "revoke") {
        let (rest, cascade) = behavior(rest);
        let (rest, option) = match rest {
            [grant, option, for_word, rest @ ..]
                if is(grant, "grant") && is(option, "option") && is(for_word, "for") =>
            {
                (rest, true)
            }
            rest => (rest, false),
        };
        (rest, ["revoke".to_owned(), option.to_string(), cascade], "from")
    } else {
        return None;
    };
    let (what, whom) = cut(rest, to)?;
    let (privileges, objects) = cut(what, "on")?;
    let kind = ["tables", "sequences", "functions", "routines", "types", "schemas"];
    let kind = kind.into_iter().find(|word| objects.len() == 1 && is(&objects[0], word))?;
    let mut arguments = lists([], owners, lists([], schemas, flags.into()));
    arguments.extend(privilege_words(privileges)?);
    arguments.extend([String::new(), kind.to_owned(), String::new()]);
    arguments.extend(roles(whom)?);
    Some(arguments)
}

/// What stands after GRANT.
pub(super) fn granted(tokens: &[TokenWithSpan]) -> Option<(&'static str, Arguments)> {
    let tokens = without_grantor(tokens);
    let (tokens, admin) = without_option(tokens, "admin");
    let (tokens, option) = without_option(tokens, "grant");
    let (what, whom) = cut(tokens, "to")?;
    if let Some((privileges, objects)) = cut(what, "on") {
        let flags = [option.to_string()];
        return Some(("grant", of_objects(flags.into(), privileges, objects, whom)?));
    }
    Some(("grant_role", lists([admin.to_string()], roles(what)?, roles(whom)?)))
}

/// What stands after REVOKE.
pub(super) fn revoked(tokens: &[TokenWithSpan]) -> Option<(&'static str, Arguments)> {
    let (tokens, cascade) = behavior(tokens);
    let tokens = without_grantor(tokens);
    let (tokens, option) = match tokens {
        [word, option, for_word, rest @ ..]
            if is(option, "option") && is(for_word, "for") && (is(word, "grant") || is(word, "admin")) =>
        {
            (rest, true)
        }
        tokens => (tokens, false),
    };
    let (what, whom) = cut(tokens, "from")?;
    if let Some((privileges, objects)) = cut(what, "on") {
        let flags = vec![option.to_string(), cascade];
        return Some(("revoke", of_objects(flags, privileges, objects, whom)?));
    }
    Some(("revoke_role", lists([option.to_string()], roles(what)?, roles(whom)?)))
}

/// The flags, the privileges, the kind and names of the objects, and the roles.
fn of_objects(
    mut arguments: Vec<String>,
    privileges: &[TokenWithSpan],
    objects: &[TokenWithSpan],
    whom: &[TokenWithSpan],
) -> Option<Arguments> {
    arguments.extend(privilege_words(privileges)?);
    arguments.push(String::new());
    let (kind, names) = match objects {
        [all, plural, in_word, schema, names @ ..]
            if is(all, "all") && is(in_word, "in") && is(schema, "schema") =>
        {
            let kinds = [("tables", "all tables"), ("sequences", "all sequences")];
            (kinds.into_iter().find(|(word, _)| is(plural, word))?.1, names)
        }
        [kind, names @ ..] if object_kind(kind).is_some() && !names.is_empty() => (object_kind(kind)?, names),
        names => ("table", names),
    };
    arguments.push(kind.to_owned());
    for name in split(names)? {
        arguments.push(text(name)?);
    }
    arguments.push(String::new());
    arguments.extend(roles(whom)?);
    Some(arguments)
}

/// The words of privileges.
fn privilege_words(tokens: &[TokenWithSpan]) -> Option<Vec<String>> {
    let word = |privilege: &[TokenWithSpan]| match privilege {
        [all] | [all, _] if is(all, "all") => Some("all".to_owned()),
        [word] => plain_name(word),
        // Of columns: the engine says that there are none.
        [word, open, ..] if open.token == Token::LParen => Some(format!("{} (", plain_name(word)?)),
        _ => None,
    };
    split(tokens)?.into_iter().map(word).collect()
}

/// Without `WITH what OPTION` at the end, and whether it was there.
fn without_option<'a>(tokens: &'a [TokenWithSpan], what: &str) -> (&'a [TokenWithSpan], bool) {
    match tokens {
        [rest @ .., with, word, option] if is(with, "with") && is(word, what) && is(option, "option") => {
            (rest, true)
        }
        tokens => (tokens, false),
    }
}

/// Without `GRANTED BY CURRENT_USER` at the end: nobody else can be the grantor.
fn without_grantor(tokens: &[TokenWithSpan]) -> &[TokenWithSpan] {
    match tokens {
        [rest @ .., granted, by, current]
            if is(granted, "granted")
                && is(by, "by")
                && (is(current, "current_user") || is(current, "current_role")) =>
        {
            rest
        }
        tokens => tokens,
    }
}
