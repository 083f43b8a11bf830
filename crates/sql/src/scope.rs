//! Which columns a FROM clause offers, as far as the syntax tree and the catalog tell.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, ExcludeSelectItem, Expr, Ident, JoinConstraint, JoinOperator, ObjectName, Query, Select,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableFactor, TableWithJoins, Value,
    WildcardAdditionalOptions,
};
use springtide_catalog::Catalog;
use springtide_types::{Result, SqlError, SqlState};

use crate::asof::says_nearest_in_on;
use crate::desugar::call;
use crate::names::{column_name, fold};
use crate::output_names::output_name;
use crate::relation_table;
use crate::scan::Time;
use crate::system;

/// Whether `* EXCLUDE (...)` leaves a column out.
fn excludes(options: &WildcardAdditionalOptions, column: &str) -> bool {
    let is_it = |name: &ObjectName| column_name(name).is_ok_and(|name| name == column);
    match &options.opt_exclude {
        Some(ExcludeSelectItem::Single(name)) => is_it(name),
        Some(ExcludeSelectItem::Multiple(names)) => names.iter().any(is_it),
        None => false,
    }
}

/// A column that `*` stands for.
#[derive(Clone, Debug)]
pub(crate) struct Offered {
    pub name: String,
    /// What it is: a column of a table, or made of two by USING.
    pub value: Expr,
    /// Whether USING or NATURAL made it.
    pub merged: bool,
}

/// The columns of a FROM clause, in the order of `*`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope(pub Vec<Offered>);

impl Scope {
    fn of(names: Vec<String>, table: &str) -> Scope {
        let column = |name: String| Offered {
            value: Expr::CompoundIdentifier(vec![
                Ident::with_quote('"', table),
                Ident::with_quote('"', &name),
            ]),
            name,
            merged: false,
        };
        Scope(names.into_iter().map(column).collect())
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().map(|column| column.name.clone()).collect()
    }

    /// The columns that a name may stand for.
    pub(crate) fn find<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Offered> {
        self.0.iter().filter(move |column| column.name == name)
    }

    pub(crate) fn has_merged(&self) -> bool {
        self.0.iter().any(|column| column.merged)
    }

    /// The columns of a join, and what its USING or NATURAL demands.
    pub(crate) fn join(self, right: Scope, operator: &JoinOperator) -> Result<(Scope, Option<Expr>)> {
        let shared = match constraint(operator) {
            Some(JoinConstraint::Using(names)) => {
                names.iter().map(column_name).collect::<Result<Vec<_>>>()?
            }
            Some(JoinConstraint::Natural) => {
                self.names().into_iter().filter(|name| right.find(name).next().is_some()).collect()
            }
            _ => return Ok((Scope(self.0.into_iter().chain(right.0).collect()), None)),
        };
        let (mut columns, mut condition) = (Vec::new(), None);
        for (position, name) in shared.iter().enumerate() {
            let left = self.only(name, "left")?.clone();
            let right = right.only(name, "right")?.clone();
            let op = match operator {
                // The last column is the time.
                JoinOperator::AsOf { match_condition, .. }
                    if position + 1 == shared.len() && says_nearest_in_on(match_condition) =>
                {
                    BinaryOperator::GtEq
                }
                _ => BinaryOperator::Eq,
            };
            let compared = binary(left.clone(), op, right.clone());
            condition = Some(match condition {
                Some(before) => binary(before, BinaryOperator::And, compared),
                None => compared,
            });
            let value = match operator {
                JoinOperator::Right(_) | JoinOperator::RightOuter(_) => right,
                JoinOperator::FullOuter(_) => call("coalesce", vec![left, right]),
                _ => left,
            };
            columns.push(Offered { name: name.clone(), value, merged: true });
        }
        let rest = self.0.into_iter().chain(right.0).filter(|column| !shared.contains(&column.name));
        columns.extend(rest);
        let always = || Expr::value(Value::Boolean(true));
        Ok((Scope(columns), Some(condition.unwrap_or_else(always))))
    }

    fn only(&self, name: &str, side: &str) -> Result<&Expr> {
        let mut found = self.find(name);
        match (found.next(), found.next()) {
            (Some(column), None) => Ok(&column.value),
            (None, _) => {
                let message =
                    format!("column \"{name}\" specified in USING clause does not exist in {side} table");
                Err(SqlError::new(SqlState::UNDEFINED_COLUMN, message))
            }
            (Some(_), Some(_)) => {
                let message = format!("common column name \"{name}\" appears more than once in {side} table");
                Err(SqlError::new(SqlState::AMBIGUOUS_COLUMN, message))
            }
        }
    }
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

/// What an inner or outer join demands.
pub(crate) fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::AsOf { constraint, .. } => Some(constraint),
        _ => None,
    }
}

/// [`constraint`], to be changed.
pub(crate) fn constraint_mut(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::AsOf { constraint, .. } => Some(constraint),
        _ => None,
    }
}

/// The name by which columns of a table in FROM are qualified.
pub(crate) fn qualifier(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(fold(&alias.name))
        }
        TableFactor::Table { name, alias: None, .. } => name.0.last()?.as_ident().map(fold),
        _ => None,
    }
}

/// Refuses two tables of one name.
pub(crate) fn check_table_names(from: &[TableWithJoins]) -> Result<()> {
    let mut taken = HashSet::new();
    let mut left = from.iter().collect::<Vec<_>>();
    while let Some(table) = left.pop() {
        for factor in std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)) {
            if let TableFactor::NestedJoin { table_with_joins, alias: None } = factor {
                left.push(table_with_joins);
            }
            if let Some(name) = qualifier(factor).filter(|name| !taken.insert(name.clone())) {
                let message = format!("table name \"{name}\" specified more than once");
                return Err(SqlError::new(SqlState::from_code("42712"), message));
            }
        }
    }
    Ok(())
}

/// The names that a query may put in FROM. Where it answers `None`, the columns are not known.
#[derive(Clone, Debug)]
pub(crate) struct Environment<'a> {
    catalog: &'a Catalog,
    /// Of WITH, the innermost last, with their columns.
    queries: Vec<(String, Option<Vec<String>>)>,
}

impl<'a> Environment<'a> {
    pub(crate) fn new(catalog: &'a Catalog) -> Environment<'a> {
        Environment { catalog, queries: Vec::new() }
    }

    /// Adds a query of WITH.
    pub(crate) fn define(&mut self, alias: &TableAlias, columns: Option<Vec<String>>) {
        self.queries.push((fold(&alias.name), columns.map(|names| renamed(names, Some(alias)))));
    }

    /// The columns of a whole FROM clause.
    pub(crate) fn from(&self, from: &[TableWithJoins]) -> Result<Option<Scope>> {
        let mut all = Scope::default();
        for table in from {
            let Some(scope) = self.table(table)? else { return Ok(None) };
            all.0.extend(scope.0);
        }
        Ok(Some(all))
    }

    fn table(&self, table: &TableWithJoins) -> Result<Option<Scope>> {
        let Some(mut scope) = self.factor(&table.relation)? else { return Ok(None) };
        for join in &table.joins {
            let Some(right) = self.factor(&join.relation)? else { return Ok(None) };
            scope = scope.join(right, &join.join_operator)?.0;
        }
        Ok(Some(scope))
    }

    /// The columns of one item of FROM.
    pub(crate) fn factor(&self, factor: &TableFactor) -> Result<Option<Scope>> {
        let (names, alias) = match factor {
            TableFactor::Table { name, alias, args: None, .. } => (self.relation(name)?, alias),
            TableFactor::Derived { subquery, alias, .. } => (self.outputs(subquery)?, alias),
            TableFactor::NestedJoin { table_with_joins, alias: None } => return self.table(table_with_joins),
            _ => return Ok(None),
        };
        let (Some(names), Some(table)) = (names, qualifier(factor)) else { return Ok(None) };
        Ok(Some(Scope::of(renamed(names, alias.as_ref()), &table)))
    }

    fn relation(&self, name: &ObjectName) -> Result<Option<Vec<String>>> {
        if let Some(system) = system::relation(name) {
            return Ok(Some(system.column_names().map(str::to_owned).collect()));
        }
        let (time, table) = Time::and_relation(name)?;
        if name.0.len() == 1
            && let Some((_, columns)) = self.queries.iter().rev().find(|(known, _)| *known == table.name)
        {
            return Ok(columns.clone());
        }
        let Some(relation) = self.catalog.find(&table) else { return Ok(None) };
        let schema = relation_table::schema(relation, time);
        Ok(Some(schema.fields().iter().map(|field| field.name().clone()).collect()))
    }

    /// The names of the output columns of a query.
    pub(crate) fn outputs(&self, query: &Query) -> Result<Option<Vec<String>>> {
        let mut inner = self.clone();
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let columns = inner.outputs(&cte.query)?;
            inner.define(&cte.alias, columns);
        }
        inner.body_outputs(&query.body)
    }

    fn body_outputs(&self, body: &SetExpr) -> Result<Option<Vec<String>>> {
        match body {
            SetExpr::Select(select) => self.select_outputs(select),
            SetExpr::Query(query) => self.outputs(query),
            SetExpr::SetOperation { left, .. } => self.body_outputs(left),
            SetExpr::Values(values) => {
                let width = values.rows.first().map_or(0, |row| row.content.len());
                Ok(Some((1..=width).map(|position| format!("column{position}")).collect()))
            }
            _ => Ok(None),
        }
    }

    /// [`outputs`](Environment::outputs) of a SELECT.
    pub(crate) fn select_outputs(&self, select: &Select) -> Result<Option<Vec<String>>> {
        let mut names = Vec::new();
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(expr) => names.push(output_name(expr)),
                SelectItem::ExprWithAlias { alias, .. } => names.push(fold(alias)),
                SelectItem::Wildcard(options) => match self.from(&select.from)? {
                    Some(scope) => {
                        names.extend(scope.names().into_iter().filter(|name| !excludes(options, name)));
                    }
                    None => return Ok(None),
                },
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(table), _) => {
                    match self.columns_of(&column_name(table)?, &select.from)? {
                        Some(columns) => names.extend(columns),
                        None => return Ok(None),
                    }
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(names))
    }

    /// The columns of the item of FROM that goes by a name.
    fn columns_of(&self, table: &str, from: &[TableWithJoins]) -> Result<Option<Vec<String>>> {
        for item in from {
            for factor in std::iter::once(&item.relation).chain(item.joins.iter().map(|join| &join.relation))
            {
                if let TableFactor::NestedJoin { table_with_joins, alias: None } = factor
                    && let Some(names) = self.columns_of(table, std::slice::from_ref(table_with_joins))?
                {
                    return Ok(Some(names));
                }
                if qualifier(factor).as_deref() == Some(table) {
                    return Ok(self.factor(factor)?.map(|scope| scope.names()));
                }
            }
        }
        Ok(None)
    }
}

/// The columns under the names that an alias gives to the first of them.
pub(crate) fn renamed(mut names: Vec<String>, alias: Option<&TableAlias>) -> Vec<String> {
    for (name, column) in names.iter_mut().zip(alias.iter().flat_map(|alias| &alias.columns)) {
        *name = fold(&column.name);
    }
    names
}
