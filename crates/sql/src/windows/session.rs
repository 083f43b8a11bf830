//! `SESSION` in FROM: the rows of a relation, each with the session that it is in. Rows of one key are in one session if no
//! pause between one and the next is longer than the gap.
//!
//! ```text
//! SESSION(t, at, INTERVAL '10 minutes', k)
//! (SELECT * EXCLUDE ("$begin", "$end"),
//!     max("$begin") OVER (PARTITION BY t.k ORDER BY t.at) AS window_start,
//!     min("$end") OVER (... RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) + INTERVAL '10 minutes' AS window_end
//! FROM (
//!     SELECT t.*, <t.at if it begins a session> AS "$begin", <t.at if it ends one> AS "$end" FROM t WHERE t.at IS NOT NULL
//! ) AS t) AS t
//! ```
//!
//! The newest beginning that is not after a row is that of its session, and so with the next end. Rows of the same time begin
//! and end a session together, for the frames hold them all.

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, FunctionArg, Ident, ObjectName, SelectItem, SetExpr, TableAlias, TableFactor,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use springtide_types::{Result, SqlState};

use super::{Kind, arguments, column, derived, internal, interval, length, relation, time_column};
use crate::names;
use crate::scope::qualifier;

/// A call of SESSION. The gap is in microseconds.
pub(super) struct Session {
    relation: TableFactor,
    /// The name by which the relation's columns are qualified.
    table: String,
    time: String,
    gap: i64,
    keys: Vec<String>,
}

/// The columns that say whether a row begins or ends a session.
const BEGIN: &str = "$begin";
const END: &str = "$end";

impl Session {
    pub(super) fn read(args: &[FunctionArg]) -> Result<Session> {
        let kind = Kind::Session;
        let exprs = arguments(kind, args)?;
        let [from, time, gap, keys @ ..] = exprs.as_slice() else {
            let message = format!("session() does not take {} arguments", exprs.len());
            return Err(kind.error(SqlState::UNDEFINED_FUNCTION, message));
        };
        let relation = relation(kind, from)?;
        let table = qualifier(&relation).unwrap_or_else(|| kind.name().to_owned());
        let time = time_column(kind, time, &table)?;
        let key = |expr: &&Expr| {
            column(expr, &table).ok_or_else(|| {
                let message = format!("the keys of session() must be names of columns of \"{table}\"");
                kind.error(SqlState::INVALID_COLUMN_REFERENCE, message)
            })
        };
        let keys = keys.iter().map(key).collect::<Result<Vec<_>>>()?;
        let gap = length(kind, gap)?;
        Ok(Session { relation, table, time, gap, keys })
    }

    pub(super) fn expand(self, alias: Option<TableAlias>) -> Result<TableFactor> {
        let table = names::quoted(&self.table);
        let time = format!("{table}.{}", names::quoted(&self.time));
        let (gap, nothing) = (interval(self.gap), interval(0));
        let keys = self.keys.iter().map(|key| format!("{table}.{}", names::quoted(key)));
        let keys = keys.collect::<Vec<_>>().join(", ");
        let partition = if keys.is_empty() { String::new() } else { format!("PARTITION BY {keys} ") };
        let over = format!("{partition}ORDER BY {time}");
        // What is added makes a timestamp of a date, as the gap does at the end.
        let text = format!(
            r#"SELECT *, max("{BEGIN}") OVER ({over}) AS window_start,
                min("{END}") OVER ({over} RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) + {gap} AS window_end
            FROM (
                SELECT {table}.*,
                    CASE WHEN lag({time}) OVER ({over}) + {gap} >= {time} THEN NULL ELSE {time} + {nothing} END AS "{BEGIN}",
                    CASE WHEN {time} + {gap} >= lead({time}) OVER ({over}) THEN NULL ELSE {time} + {nothing} END AS "{END}"
                FROM {table} WHERE {time} IS NOT NULL
            ) AS {table}"#
        );
        let mut expanded = derived(&text, self.relation, alias.unwrap_or_else(|| names::alias(&self.table)))?;
        hide_marks(&mut expanded).ok_or_else(|| internal("no wildcard"))?;
        Ok(expanded)
    }
}

/// Leaves the columns out that only sessions are made of.
fn hide_marks(expanded: &mut TableFactor) -> Option<()> {
    let TableFactor::Derived { subquery, .. } = expanded else { return None };
    let SetExpr::Select(select) = subquery.body.as_mut() else { return None };
    let SelectItem::Wildcard(options) = select.projection.first_mut()? else { return None };
    let marks = [BEGIN, END].map(|mark| ObjectName::from(vec![Ident::with_quote('"', mark)]));
    options.opt_exclude = Some(ExcludeSelectItem::Multiple(marks.to_vec()));
    Some(())
}

/// Writes Flink's `SESSION(t PARTITION BY k, ...)`, or `PARTITION BY (k, l)`, as `SESSION(t, ..., k)`.
pub(crate) fn with_keys_last(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    // From the last to the first, so that those within others are through before them.
    for start in (0..tokens.len()).rev() {
        let is_session =
            matches!(&tokens[start].token, Token::Word(word) if word.keyword == Keyword::SESSION);
        if is_session && let Some((keys, moved)) = keys_of(&tokens, start) {
            let Keys { from, to, close } = keys;
            tokens.splice(close..close, moved);
            tokens.drain(from..to);
        }
    }
    tokens
}

/// Where the keys of a call are, and its end, as positions of tokens.
struct Keys {
    from: usize,
    to: usize,
    close: usize,
}

/// The keys of the call whose name is at `start`, and what to add at its end; `None` if it has none.
fn keys_of(tokens: &[TokenWithSpan], start: usize) -> Option<(Keys, Vec<TokenWithSpan>)> {
    let is_blank = |at: &usize| matches!(tokens[*at].token, Token::Whitespace(_));
    let is = |at: usize, keyword| matches!(&tokens[at].token, Token::Word(word) if word.keyword == keyword);
    let mut after = (start + 1..tokens.len()).filter(|at| !is_blank(at));
    let open = after.next().filter(|at| tokens[*at].token == Token::LParen)?;
    let mut depth = 0;
    // The positions directly in the parentheses, and that of the one that closes them.
    let mut inner = Vec::new();
    let close = (open..tokens.len()).find(|at| {
        match tokens[*at].token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ if depth == 1 && !is_blank(at) => inner.push(*at),
            _ => {}
        }
        depth == 0
    })?;
    let comma = inner.iter().position(|at| tokens[*at].token == Token::Comma)?;
    let partition =
        inner[..comma].windows(2).find(|at| is(at[0], Keyword::PARTITION) && is(at[1], Keyword::BY))?;
    let (from, first, to) = (partition[0], partition[1] + 1, inner[comma]);
    let mut keys = (first..to).filter(|at| !is_blank(at)).collect::<Vec<_>>();
    if let [open, .., last] = keys.as_slice()
        && tokens[*open].token == Token::LParen
        && tokens[*last].token == Token::RParen
    {
        keys = keys[1..keys.len() - 1].to_vec();
    }
    let moved = std::iter::once(TokenWithSpan::wrap(Token::Comma));
    let moved = moved.chain(keys.into_iter().map(|at| tokens[at].clone())).collect();
    Some((Keys { from, to, close }, moved))
}
