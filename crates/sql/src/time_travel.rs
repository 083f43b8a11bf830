//! `t FOR SYSTEM_TIME AS OF <moment>`, `changes(t, <since>, <until>)` and `versions(t)` in FROM: the relation under a name
//! that says the time, and the moments put aside.
//!
//! ```text
//! SELECT t.a FROM t JOIN t FOR SYSTEM_TIME AS OF '2026-01-01' AS old USING (id)
//! SELECT t.a FROM t JOIN "$as_of_0"."t" AS old USING (id)
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, ObjectName, Query, Select, TableFactor, TableFunctionArgs,
    TableVersion, Value, VisitorMut,
};
use springtide_catalog::Name;
use springtide_types::{Result, SqlError, SqlState};

use crate::asof::without_markers;
use crate::moments::{AS_OF, Moments};
use crate::names::{alias, fold, object_name};
use crate::scan::Time;
use crate::system::{self, in_system_schema};
use crate::tables::{Queries, each_factor, each_table};
use crate::walk::{Stop, any_expr, flow, walk_mut};
use crate::windows::innermost;

/// Names the times of all relations in a query.
pub(crate) struct Travel<'a> {
    pub(crate) moments: &'a Moments,
    /// The moment for what says nothing else.
    pub(crate) present: Option<usize>,
    /// Whether the query is the body of a function.
    pub(crate) in_function: bool,
}

/// See the module.
pub(crate) fn name_times(query: &mut Query, travel: Travel<'_>) -> Result<()> {
    each_table(query, &mut |factor, queries| Visit { travel: &travel, queries }.name(factor))
}

/// The text of a [`printable`] query.
pub fn query_text(query: &Query) -> String {
    without_markers(&query.to_string())
}

/// The query in a form that its text keeps. sqlparser writes an alias before FOR SYSTEM_TIME, and does not read it
/// there.
pub fn printable(mut query: Query) -> Result<Query> {
    walk_mut(&mut query, &mut Wrap)?;
    Ok(query)
}

struct Visit<'a> {
    travel: &'a Travel<'a>,
    /// The queries of WITH that are in scope.
    queries: &'a Queries,
}

impl Visit<'_> {
    fn name(&self, factor: &mut TableFactor) -> Result<()> {
        let TableFactor::Table { name, alias, args, version, .. } = factor else { return Ok(()) };
        let (time, relation, called) = match (version.take(), &args) {
            (None, Some(call)) => {
                let Some(function) = Function::of_name(name) else { return Ok(()) };
                let (time, relation) = self.call(function, call)?;
                (time, relation, function.name().to_owned())
            }
            (Some(_), Some(_)) => return Err(syntax_error("(")),
            // It shows the catalog that the query is bound under.
            (None, None) if system::relation(name).is_some() || in_system_schema(name) => return Ok(()),
            (version, None) => {
                // Always, so that no name of a user's passes for one of ours.
                let relation = object_name(name)?;
                let Some(moment) = self.moment_of(name, version)? else { return Ok(()) };
                let called = relation.name.clone();
                (Time::At(moment), relation, called)
            }
        };
        *args = None;
        *name = time.of(&relation);
        alias.get_or_insert_with(|| self::alias(&called));
        Ok(())
    }

    /// The moment at which a relation is read, unless that is now.
    fn moment_of(&self, name: &ObjectName, version: Option<TableVersion>) -> Result<Option<usize>> {
        match version {
            None => Ok(self.travel.present.filter(|_| !self.queries.contain(name))),
            Some(TableVersion::ForSystemTimeAsOf(moment)) => {
                self.refuse_query(name, AS_OF)?;
                self.moment(moment).map(Some)
            }
            Some(other) => {
                let text = other.to_string();
                Err(syntax_error(text.split([' ', '(']).next().unwrap_or_default()))
            }
        }
    }

    fn call(&self, function: Function, call: &TableFunctionArgs) -> Result<(Time, Name)> {
        let exprs = call.args.iter().map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        });
        let exprs = exprs.collect::<Option<Vec<_>>>().filter(|_| call.settings.is_none());
        let most = function.most_moments() + 1;
        let Some([relation, moments @ ..]) = exprs.as_deref().filter(|exprs| exprs.len() <= most) else {
            return Err(function.error(SqlState::UNDEFINED_FUNCTION, "does not take these arguments"));
        };
        let relation = relation_name(function, relation)?;
        self.refuse_query(&relation, &format!("{}()", function.name()))?;
        let moment = |at: usize| moments.get(at).map(|expr| self.moment((*expr).clone())).transpose();
        let (after, until) = (moment(0)?, moment(1)?.or(self.travel.present));
        let time = match function {
            Function::Changes => Time::Changes { after, until },
            Function::Versions => Time::Versions { until },
        };
        Ok((time, object_name(&relation)?))
    }

    fn moment(&self, expr: Expr) -> Result<usize> {
        let depends = |expr: &Expr| match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
            Expr::Value(value) => matches!(value.value, Value::Placeholder(_)),
            _ => false,
        };
        if self.travel.in_function && any_expr(&expr, depends) {
            let what = format!("a parameter of a function in {AS_OF}");
            return Err(SqlError::unsupported(what)
                .with_hint("The moment must be known before the query runs: write it into the query."));
        }
        Ok(self.travel.moments.add(expr))
    }

    fn refuse_query(&self, name: &ObjectName, construct: &str) -> Result<()> {
        if !self.queries.contain(name) {
            return Ok(());
        }
        Err(SqlError::unsupported(format!("{construct} of a query of WITH"))
            .with_hint("Say it of the tables that the query reads."))
    }
}

fn syntax_error(word: &str) -> SqlError {
    SqlError::new(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{word}\""))
        .with_hint("Write FOR SYSTEM_TIME AS OF <moment>, changes(table, since, until) or versions(table).")
}

/// What reads the history of a relation.
#[derive(Clone, Copy)]
enum Function {
    Changes,
    Versions,
}

impl Function {
    fn of_name(name: &ObjectName) -> Option<Function> {
        let [name] = name.0.as_slice() else { return None };
        let name = fold(name.as_ident()?);
        [Function::Changes, Function::Versions].into_iter().find(|function| function.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Function::Changes => "changes",
            Function::Versions => "versions",
        }
    }

    /// How many moments it takes after the relation, at most.
    fn most_moments(self) -> usize {
        match self {
            Function::Changes => 2,
            Function::Versions => 0,
        }
    }

    fn error(self, state: SqlState, what: &str) -> SqlError {
        let usage = match self {
            Function::Changes => "Write changes(table [, since [, until]]).",
            Function::Versions => "Write versions(table).",
        };
        SqlError::new(state, format!("{}() {what}", self.name())).with_hint(usage)
    }
}

/// The relation that stands as an argument.
fn relation_name(function: Function, expr: &Expr) -> Result<ObjectName> {
    match expr {
        Expr::Identifier(ident) => Ok(ObjectName::from(vec![ident.clone()])),
        Expr::CompoundIdentifier(idents) => Ok(ObjectName::from(idents.clone())),
        _ => Err(function.error(SqlState::WRONG_OBJECT_TYPE, "takes the name of a relation first")),
    }
}

/// `t FOR SYSTEM_TIME AS OF m AS a` as `(SELECT * FROM t FOR SYSTEM_TIME AS OF m) AS a`
struct Wrap;

impl VisitorMut for Wrap {
    type Break = Stop;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Stop> {
        flow(each_factor(&mut select.from, &mut wrap))
    }
}

fn wrap(factor: &mut TableFactor) -> Result<()> {
    let TableFactor::Table { alias: own @ Some(_), version: Some(_), .. } = factor else { return Ok(()) };
    let alias = own.take();
    let parsed = crate::parser("SELECT * FROM t")?.parse_query();
    let mut subquery = parsed.map_err(|error| SqlError::internal(error.to_string()))?;
    if let Some(relation) = innermost(&mut subquery) {
        std::mem::swap(relation, factor);
    }
    *factor = TableFactor::Derived { lateral: false, subquery, alias, sample: None };
    Ok(())
}
