//! Statements about schemas, in other words: sqlparser knows some of their forms alone.
//!
//! ```text
//! CREATE SCHEMA [IF NOT EXISTS] [name] [AUTHORIZATION role] elements
//!                               CALL springtide.create_schema('true', 'name', 'role', 'CREATE TABLE ...', ...)
//! ALTER SCHEMA name RENAME TO name        CALL springtide.rename_schema('name', 'name')
//! ALTER kind [IF EXISTS] name SET SCHEMA schema
//!                                         CALL springtide.set_schema('table', 'true', 'name', 'schema')
//! ```

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::procedures::{call, is, literal};
use crate::roles::{object_kind, plain_name, role, text};

/// A statement about schemas, given as its tokens without blanks, as a call; `None` if it is none, or not understood.
pub(crate) fn as_call(tokens: &[TokenWithSpan]) -> Option<Vec<TokenWithSpan>> {
    let (procedure, arguments) = match tokens {
        [create, schema, rest @ ..] if is(create, "create") && is(schema, "schema") => {
            ("create_schema", created(rest)?)
        }
        [alter, schema, name, rename, to, new]
            if is(alter, "alter") && is(schema, "schema") && is(rename, "rename") && is(to, "to") =>
        {
            ("rename_schema", vec![plain_name(name)?, plain_name(new)?])
        }
        [alter, rest @ .., set, schema, name]
            if is(alter, "alter") && is(set, "set") && is(schema, "schema") =>
        {
            ("set_schema", moved(rest, name)?)
        }
        _ => return None,
    };
    let arguments = arguments.iter().map(|text| [literal(text)]).collect::<Vec<_>>();
    Some(call(procedure, &arguments.iter().map(<[_; 1]>::as_slice).collect::<Vec<_>>()))
}

fn created(tokens: &[TokenWithSpan]) -> Option<Vec<String>> {
    let (if_not_exists, rest) = match tokens {
        [first, not, exists, rest @ ..] if is(first, "if") && is(not, "not") && is(exists, "exists") => {
            ("true", rest)
        }
        rest => ("false", rest),
    };
    let (name, rest) = match rest {
        [word, ..] if is(word, "authorization") => (String::new(), rest),
        [name, rest @ ..] => (plain_name(name)?, rest),
        [] => return None,
    };
    let (owner, rest) = match rest {
        [word, owner, rest @ ..] if is(word, "authorization") => (role(owner)?, rest),
        rest => (String::new(), rest),
    };
    let mut arguments = vec![if_not_exists.to_owned(), name, owner];
    let elements = elements(rest)?;
    if if_not_exists == "true" && !elements.is_empty() {
        return None;
    }
    arguments.extend(elements);
    Some(arguments)
}

/// The statements that follow each other without semicolons.
fn elements(tokens: &[TokenWithSpan]) -> Option<Vec<String>> {
    let begins = |at: usize| {
        let continues = at > 0 && (is(&tokens[at - 1], "grant") || tokens[at - 1].token == Token::Comma);
        !continues && (is(&tokens[at], "create") || is(&tokens[at], "grant"))
    };
    let mut starts = (0..tokens.len()).filter(|at| begins(*at)).collect::<Vec<_>>();
    if starts.first().copied().unwrap_or(tokens.len()) != 0 && !tokens.is_empty() {
        return None;
    }
    starts.push(tokens.len());
    let statement = |pair: &[usize]| {
        let words = tokens[pair[0]..pair[1]].iter().map(|token| token.token.to_string());
        words.collect::<Vec<_>>().join(" ")
    };
    Some(starts.windows(2).map(statement).collect())
}

/// What stands between ALTER and SET SCHEMA, and the schema after them.
fn moved(tokens: &[TokenWithSpan], schema: &TokenWithSpan) -> Option<Vec<String>> {
    let (kind, rest) = match tokens {
        [materialized, view, rest @ ..] if is(materialized, "materialized") && is(view, "view") => {
            ("materialized view", rest)
        }
        [kind, rest @ ..] => (object_kind(kind)?, rest),
        [] => return None,
    };
    let (if_exists, name) = match rest {
        [first, exists, name @ ..] if is(first, "if") && is(exists, "exists") => ("true", name),
        [only, name @ ..] if kind == "table" && is(only, "only") => ("false", name),
        name => ("false", name),
    };
    Some(vec![kind.to_owned(), if_exists.to_owned(), text(name)?, plain_name(schema)?])
}

#[cfg(test)]
mod tests {
    use crate::parse;

    #[test]
    fn schemas_as_calls() {
        let check = |sql: &str, expected: &str| {
            let call = parse(sql).unwrap()[0].ast.to_string().replace("CALL springtide.", "");
            assert_eq!(call, expected, "{sql}");
        };
        check("create schema if not exists S", "create_schema('true', 's', '')");
        check("CREATE SCHEMA AUTHORIZATION joe", "create_schema('false', '', 'joe')");
        check(
            "CREATE SCHEMA s CREATE TABLE t (a int) CREATE VIEW v AS SELECT 'x' GRANT SELECT ON v TO joe",
            "create_schema('false', 's', '', 'CREATE TABLE t ( a int )', 'CREATE VIEW v AS SELECT ''x''', \
             'GRANT SELECT ON v TO joe')",
        );
        check("ALTER SCHEMA s RENAME TO \"T\"", "rename_schema('s', 'T')");
        check(
            "ALTER MATERIALIZED VIEW IF EXISTS a.v SET SCHEMA b",
            "set_schema('materialized view', 'true', 'a.v', 'b')",
        );
    }
}
