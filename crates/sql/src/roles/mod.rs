//! Statements about roles and privileges, in other words: sqlparser knows those of PostgreSQL's forms that scripts need in
//! part only. All arguments are literals. A list ends with an empty one; a role that goes by a word, such as CURRENT_USER,
//! has a blank before it.
//!
//! ```text
//! CREATE ROLE | USER | GROUP name options      CALL springtide.create_role('user', 'name', 'login', 'true', ...)
//! ALTER ROLE | USER | GROUP name options       CALL springtide.alter_role('name', 'password', '''x', ...)
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

mod grants;
mod options;
mod parts;

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::procedures::{call, is, literal};
use grants::{altered_default, granted, revoked};
use options::role_options;
use parts::{Arguments, behavior, kind, lists, only, roles, split};
pub(crate) use parts::{object_kind, plain_name, role, text};

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
