//! Statements about roles and privileges, in other words: sqlparser knows those of PostgreSQL's forms that scripts need in
//! part only. All arguments are literals. A list ends with an empty one; a role that goes by a word, such as CURRENT_USER,
//! has a blank before it.
//!
//! ```text
//! CREATE ROLE | USER | GROUP name options      CALL springtide.create_role('user', 'name', 'login', 'true', ...)
//! ALTER ROLE | USER | GROUP name options       CALL springtide.alter_role('name', 'password', '"x"', ...)
//! ALTER ROLE name RENAME TO name               CALL springtide.rename_role('name', 'name')
//! DROP ROLE [IF EXISTS] names                  CALL springtide.drop_role('true', 'name', ...)
//! GRANT roles TO members                       CALL springtide.grant_role('false', 'role', ..., '', 'member', ...)
//! REVOKE [ADMIN OPTION FOR] roles FROM members CALL springtide.revoke_role('false', 'role', ..., '', 'member', ...)
//! GRANT privileges ON objects TO roles         CALL springtide.grant('false', 'privilege', ..., '', 'table', 'object', ..., '', 'role', ...)
//! REVOKE [GRANT OPTION FOR] privileges ON objects FROM roles [CASCADE]
//!                                              CALL springtide.revoke('false', 'cascade', 'privilege', ..., as above)
//! ALTER DEFAULT PRIVILEGES [FOR ROLE roles] [IN SCHEMA names] GRANT ... ON TABLES TO roles
//!                                              CALL springtide.alter_default('role', ..., '', 'schema', ..., '', 'grant', 'false', 'false', 'privilege', ..., '', 'tables', '', 'role', ...)
//! ALTER kind name OWNER TO role                CALL springtide.alter_owner('kind', 'name', 'role')
//! REASSIGN OWNED BY roles TO role              CALL springtide.reassign_owned('role', ..., '', 'role')
//! DROP OWNED BY roles [CASCADE]                CALL springtide.drop_owned('cascade', 'role', ...)
//! SET [LOCAL] ROLE name                        CALL springtide.set_role('role', 'local', 'name')
//! SET [LOCAL] SESSION AUTHORIZATION name       CALL springtide.set_role('session_authorization', 'local', 'name')
//! ```

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::procedures::{call, is, literal};
use crate::sequences::name_length;

/// A statement about roles or privileges, given as its tokens without blanks, as a call; `None` if it is none, or not
/// understood.
pub(crate) fn as_call(tokens: &[TokenWithSpan]) -> Option<Vec<TokenWithSpan>> {
    let (first, rest) = tokens.split_first()?;
    let (procedure, arguments) = match () {
        () if is(first, "create") => ("create_role", created(rest)?),
        () if is(first, "alter") => altered(rest)?,
        () if is(first, "drop") => dropped(rest)?,
        () if is(first, "grant") => granted(rest)?,
        () if is(first, "revoke") => revoked(rest)?,
        () if is(first, "reassign") => ("reassign_owned", reassigned(rest)?),
        () if is(first, "set") => ("set_role", set(rest)?),
        () if is(first, "reset") => ("set_role", reset(rest)?),
        () => return None,
    };
    let arguments = arguments.iter().map(|text| [literal(text)]).collect::<Vec<_>>();
    Some(call(procedure, &arguments.iter().map(<[_; 1]>::as_slice).collect::<Vec<_>>()))
}

type Arguments = Vec<String>;

/// The word for a role that a statement begins with.
fn kind(token: &TokenWithSpan) -> Option<&'static str> {
    ["role", "user", "group"].into_iter().find(|word| is(token, word))
}

fn created(tokens: &[TokenWithSpan]) -> Option<Arguments> {
    let [word, name, options @ ..] = tokens else { return None };
    let mut arguments = vec![kind(word)?.to_owned(), plain_name(name)?];
    arguments.extend(role_options(options)?);
    Some(arguments)
}

fn altered(tokens: &[TokenWithSpan]) -> Option<(&'static str, Arguments)> {
    if let [kind @ .., owner, to, role] = tokens
        && is(owner, "owner")
        && is(to, "to")
    {
        return Some(("alter_owner", new_owner(kind, role)?));
    }
    if let [default, privileges, rest @ ..] = tokens
        && is(default, "default")
        && is(privileges, "privileges")
    {
        return Some(("alter_default", altered_default(rest)?));
    }
    let (first, rest) = tokens.split_first()?;
    let group = kind(first)? == "group";
    match rest {
        [name, rename, to, new] if is(rename, "rename") && is(to, "to") => {
            Some(("rename_role", vec![role(name)?, plain_name(new)?]))
        }
        [name, add, user, members @ ..] if group && is(add, "add") && is(user, "user") => {
            Some(("grant_role", lists(["false".to_owned()], vec![role(name)?], roles(members)?)))
        }
        [name, drop, user, members @ ..] if group && is(drop, "drop") && is(user, "user") => {
            Some(("revoke_role", lists(["false".to_owned()], vec![role(name)?], roles(members)?)))
        }
        [name, options @ ..] => {
            Some(("alter_role", std::iter::once(role(name)?).chain(role_options(options)?).collect()))
        }
        [] => None,
    }
}

/// What stands after ALTER DEFAULT PRIVILEGES: the roles, the schemas, and what is granted or revoked.
fn altered_default(mut tokens: &[TokenWithSpan]) -> Option<Arguments> {
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

/// What stands between ALTER and OWNER TO, and the role after them.
fn new_owner(tokens: &[TokenWithSpan], owner: &TokenWithSpan) -> Option<Arguments> {
    let (kind, name) = match tokens {
        [materialized, view, name @ ..] if is(materialized, "materialized") && is(view, "view") => {
            ("materialized view", name)
        }
        [kind, name @ ..] => (object_kind(kind)?, name),
        [] => return None,
    };
    let name = match name {
        [only, name @ ..] if kind == "table" && is(only, "only") => name,
        name => name,
    };
    Some(vec![kind.to_owned(), text(name)?, role(owner)?])
}

fn object_kind(token: &TokenWithSpan) -> Option<&'static str> {
    let kinds = ["table", "view", "sequence", "source", "schema", "database", "function"];
    kinds.into_iter().find(|word| is(token, word))
}

fn dropped(tokens: &[TokenWithSpan]) -> Option<(&'static str, Arguments)> {
    if let [owned, by, names @ ..] = tokens
        && is(owned, "owned")
        && is(by, "by")
    {
        let (names, cascade) = behavior(names);
        return Some(("drop_owned", std::iter::once(cascade).chain(roles(names)?).collect()));
    }
    let (first, rest) = tokens.split_first()?;
    kind(first)?;
    let (if_exists, names) = match rest {
        [first, exists, names @ ..] if is(first, "if") && is(exists, "exists") => ("true", names),
        names => ("false", names),
    };
    let names = split(names)?.into_iter().map(only).map(|name| role(name?));
    let names = names.collect::<Option<Vec<_>>>()?;
    Some(("drop_role", std::iter::once(if_exists.to_owned()).chain(names).collect()))
}

fn reassigned(tokens: &[TokenWithSpan]) -> Option<Arguments> {
    let [owned, by, names @ .., to, new] = tokens else { return None };
    let is_it = is(owned, "owned") && is(by, "by") && is(to, "to");
    is_it.then(|| Some(lists([], roles(names)?, vec![role(new)?])))?
}

/// `'first', ..., 'one', ..., '', 'other', ...`
fn lists<const N: usize>(first: [String; N], one: Vec<String>, other: Vec<String>) -> Arguments {
    first.into_iter().chain(one).chain([String::new()]).chain(other).collect()
}

fn granted(tokens: &[TokenWithSpan]) -> Option<(&'static str, Arguments)> {
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

fn revoked(tokens: &[TokenWithSpan]) -> Option<(&'static str, Arguments)> {
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

/// The tokens before and after a word that is not in parentheses.
fn cut<'a>(tokens: &'a [TokenWithSpan], word: &str) -> Option<(&'a [TokenWithSpan], &'a [TokenWithSpan])> {
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

/// Without CASCADE or RESTRICT at the end, and `true` where it was CASCADE.
fn behavior(tokens: &[TokenWithSpan]) -> (&[TokenWithSpan], String) {
    match tokens {
        [rest @ .., last] if is(last, "cascade") => (rest, "true".to_owned()),
        [rest @ .., last] if is(last, "restrict") => (rest, "false".to_owned()),
        tokens => (tokens, "false".to_owned()),
    }
}

fn set(tokens: &[TokenWithSpan]) -> Option<Arguments> {
    let (scope, rest) = match tokens {
        [session, rest @ ..] if is(session, "session") && !is(rest.first()?, "authorization") => {
            ("session", rest)
        }
        [local, rest @ ..] if is(local, "local") => ("local", rest),
        rest => ("session", rest),
    };
    let (what, value) = match rest {
        [role, eq, value] if is(role, "role") && (is(eq, "to") || eq.token == Token::Eq) => ("role", value),
        [role, value] if is(role, "role") => ("role", value),
        [session, authorization, value] if is(session, "session") && is(authorization, "authorization") => {
            ("session_authorization", value)
        }
        _ => return None,
    };
    let mut arguments = vec![what.to_owned(), scope.to_owned()];
    if !is(value, "default") {
        arguments.push(match &value.token {
            Token::SingleQuotedString(name) => name.clone(),
            _ => plain_name(value)?,
        });
    }
    Some(arguments)
}

fn reset(tokens: &[TokenWithSpan]) -> Option<Arguments> {
    let what = match tokens {
        [role] if is(role, "role") => "role",
        [session, authorization] if is(session, "session") && is(authorization, "authorization") => {
            "session_authorization"
        }
        _ => return None,
    };
    Some(vec![what.to_owned(), "reset".to_owned()])
}

/// What can be said of a role and is true or not.
const SWITCHES: [&str; 7] =
    ["superuser", "createdb", "createrole", "inherit", "login", "replication", "bypassrls"];

/// Names and values of the options of CREATE and ALTER ROLE. A password that is a text has a quote before it.
fn role_options(tokens: &[TokenWithSpan]) -> Option<Vec<String>> {
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

/// Tokens of names with commas between them.
fn list_length(tokens: &[TokenWithSpan]) -> Option<usize> {
    let mut length = 1;
    role(tokens.first()?)?;
    while tokens.get(length).is_some_and(|token| token.token == Token::Comma) {
        role(tokens.get(length + 1)?)?;
        length += 2;
    }
    Some(length)
}

/// The parts between commas that are not in parentheses; none of them is empty.
fn split(tokens: &[TokenWithSpan]) -> Option<Vec<&[TokenWithSpan]>> {
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

fn only(tokens: &[TokenWithSpan]) -> Option<&TokenWithSpan> {
    match tokens {
        [only] => Some(only),
        _ => None,
    }
}

/// Roles with commas between them; each may have the word GROUP before it.
fn roles(tokens: &[TokenWithSpan]) -> Option<Vec<String>> {
    let one = |tokens: &[TokenWithSpan]| match tokens {
        [group, name] if is(group, "group") => role(name),
        tokens => role(only(tokens)?),
    };
    split(tokens)?.into_iter().map(one).collect()
}

/// A role by its name, or by a word that stands for one.
fn role(token: &TokenWithSpan) -> Option<String> {
    let words = ["current_user", "current_role", "session_user"];
    match words.into_iter().find(|word| is(token, word)) {
        Some(word) => Some(format!(" {word}")),
        None => plain_name(token),
    }
}

/// A word, folded to lower case unless it is in quotes.
fn plain_name(token: &TokenWithSpan) -> Option<String> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_some() => Some(word.value.clone()),
        Token::Word(word) => Some(word.value.to_lowercase()),
        _ => None,
    }
}

/// A name, perhaps with a schema, and perhaps with the types of parameters, as text.
fn text(tokens: &[TokenWithSpan]) -> Option<String> {
    let length = name_length(tokens)?;
    let is_call = tokens.get(length).is_some_and(|token| token.token == Token::LParen);
    if length < tokens.len() && !is_call {
        return None;
    }
    let name = tokens[..length].iter().map(|token| token.token.to_string()).collect::<String>();
    let types = tokens[length..].iter().map(|token| token.token.to_string()).collect::<Vec<_>>();
    Some(name + &types.join(" "))
}

#[cfg(test)]
mod tests {
    use crate::parse;

    fn call(sql: &str) -> String {
        parse(sql).unwrap()[0].ast.to_string().replace("CALL springtide.", "")
    }

    #[test]
    fn roles_as_calls() {
        let check = |sql: &str, expected: &str| assert_eq!(call(sql), expected, "{sql}");
        check(
            "create user U password 'x' valid until '2030-01-01' in role a, b",
            "create_role('user', 'u', 'password', '''x', 'valid until', '2030-01-01', 'in role', 'a', 'in role', 'b')",
        );
        check(
            "ALTER ROLE CURRENT_USER WITH NOLOGIN PASSWORD NULL CONNECTION LIMIT -1",
            "alter_role(' current_user', 'login', 'false', 'password', 'null', 'connection limit', '-1')",
        );
        check("drop role if exists a, \"B\"", "drop_role('true', 'a', 'B')");
        check("GRANT a TO b WITH ADMIN OPTION", "grant_role('true', 'a', '', 'b')");
        check("REVOKE a, c FROM b CASCADE", "revoke_role('false', 'a', 'c', '', 'b')");
        check("SET LOCAL ROLE a", "set_role('role', 'local', 'a')");
        check("SET SESSION AUTHORIZATION DEFAULT", "set_role('session_authorization', 'session')");
        check("RESET ROLE", "set_role('role', 'reset')");
    }

    #[test]
    fn privileges_as_calls() {
        let check = |sql: &str, expected: &str| assert_eq!(call(sql), expected, "{sql}");
        check(
            "GRANT SELECT, INSERT ON t, public.\"U\" TO a, PUBLIC WITH GRANT OPTION",
            "grant('true', 'select', 'insert', '', 'table', 't', 'public.\"U\"', '', 'a', 'public')",
        );
        check(
            "REVOKE GRANT OPTION FOR ALL PRIVILEGES ON ALL TABLES IN SCHEMA public FROM GROUP a",
            "revoke('true', 'false', 'all', '', 'all tables', 'public', '', 'a')",
        );
        check("ALTER MATERIALIZED VIEW v OWNER TO a", "alter_owner('materialized view', 'v', 'a')");
        check(
            "ALTER DEFAULT PRIVILEGES FOR ROLE a IN SCHEMA public GRANT SELECT ON TABLES TO b",
            "alter_default('a', '', 'public', '', 'grant', 'false', 'false', 'select', '', 'tables', '', 'b')",
        );
        check("REASSIGN OWNED BY a, b TO c", "reassign_owned('a', 'b', '', 'c')");
    }

    #[test]
    fn other_statements_stay() {
        assert!(parse("SET ROLE").is_err());
        assert_eq!(call("SET search_path = public"), "SET search_path = public");
        assert!(call("create table t (a int)").starts_with("CREATE TABLE"));
    }
}
