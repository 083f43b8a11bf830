//! MERGE. One query joins the target with the source and says for each pair which action it is for; then the values of
//! each action are computed for its pairs, and all is written.

use std::collections::HashSet;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Int64Type;
use datafusion::common::ScalarValue;
use springtide_catalog::{Catalog, Column, Privilege};
use springtide_sql::sqlparser::ast::{
    Assignment, AssignmentTarget, Expr, Merge as MergeAst, MergeAction, MergeClause, MergeClauseKind,
    MergeInsertExpr, MergeInsertKind, ObjectName, OutputClause, SelectItem, SetExpr, TableFactor,
    TableWithJoins, With,
};
use springtide_sql::{Planner, WriteOptions};
use springtide_types::{RelationId, Result, SqlError, SqlState, SqlType};

use super::matching::{concat, sides_of};
use super::query::Select;
use super::returning::{self, Returning, Scope, Written, answer};
use super::sides::{OverSides, Side};
use super::subject::{self, NUMBER, Subject};
use super::{assignments, ast, insert, internal, read};
use crate::constraints::row_keys;
use crate::response::{Column as ResultColumn, Response};
use crate::transaction::Transaction;

/// The column of the source that says that there is a row of it.
const SOURCE: &str = "?source";

/// A bound MERGE.
#[derive(Clone)]
pub(crate) struct Merge {
    target: Subject,
    /// Returns the position of the action, what tells the rows of the target apart, the old row, and the rows of the source.
    joined: Select,
    /// How many columns each relation of the source has.
    sources: Vec<usize>,
    actions: Vec<Action>,
    returning: Option<Returning>,
    parameters: Vec<SqlType>,
}

#[derive(Clone)]
enum Action {
    Nothing,
    Delete,
    /// The values are the old row, followed by what is assigned to these columns.
    Update {
        columns: Vec<usize>,
        values: OverSides,
        kind: Kind,
    },
    /// The values are those of these columns, but for some that are not taken.
    Insert {
        columns: Vec<usize>,
        values: Option<OverSides>,
        overridden: Vec<usize>,
    },
}

/// Which pairs an action is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Matched,
    /// There is no row of the target.
    Missing,
    /// There is no row of the source.
    Unasked,
}

impl Kind {
    fn of(clause: &MergeClause) -> Kind {
        match clause.clause_kind {
            MergeClauseKind::Matched => Kind::Matched,
            MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => Kind::Missing,
            MergeClauseKind::NotMatchedBySource => Kind::Unasked,
        }
    }
}

impl Merge {
    pub(crate) fn bind(
        planner: &Planner,
        catalog: &Catalog,
        merge: &MergeAst,
        with: Option<&With>,
        write: &WriteOptions,
        parameters: &[Option<SqlType>],
    ) -> Result<Merge> {
        let target = Subject::find(planner, catalog, &merge.table, "merge into")?;
        check_reachable(&merge.clauses)?;
        let binder = Binder { planner, catalog, merge, with, target: &target };
        let sources = binder.sources()?;
        let mut hints = parameters.to_vec();
        let mut actions = Vec::with_capacity(merge.clauses.len());
        for clause in &merge.clauses {
            let action = binder.action(clause, &sources, write, &mut hints)?;
            if let Some(values) = action.values() {
                hints = values.parameters().into_iter().map(Some).collect();
            }
            actions.push(action);
        }
        let joined = binder.joined(&sources, &hints)?;
        hints = joined.parameters().into_iter().map(Some).collect();
        let widths = sources.iter().map(|side| side.columns.len()).collect();
        let scope =
            Scope { target: target.side(), others: sources, merges: true, with, names: &write.returning };
        let returning = match &merge.output {
            Some(OutputClause::Returning { select_items, .. }) => {
                Some(Returning::bind(planner, catalog, &scope, select_items, &hints)?)
            }
            Some(OutputClause::Output { .. }) => return Err(SqlError::unsupported("OUTPUT")),
            None => None,
        };
        let parameters =
            returning.as_ref().map_or_else(|| joined.parameters(), |returning| returning.parameters());
        Ok(Merge { target, joined, sources: widths, actions, returning, parameters })
    }

    pub(crate) fn scanned(&self) -> Vec<RelationId> {
        let values = self.actions.iter().filter_map(Action::values).flat_map(OverSides::scanned);
        let returned = self.returning.as_ref().map_or(&[][..], Returning::scanned);
        self.joined.scanned().iter().chain(values).chain(returned).copied().collect()
    }

    pub(super) fn needs(&self) -> Vec<(RelationId, Privilege)> {
        let writes = self.actions.iter().filter_map(Action::privilege);
        let mut needs = writes.map(|privilege| (self.target.table.id, privilege)).collect::<Vec<_>>();
        needs.extend(read(self.joined.depends_on()));
        needs.extend(self.actions.iter().filter_map(Action::values).flat_map(|it| read(it.depends_on())));
        needs.extend(self.returning.iter().flat_map(|returning| read(returning.depends_on())));
        needs
    }

    pub(crate) fn parameters(&self) -> Vec<SqlType> {
        self.parameters.clone()
    }

    pub(crate) fn columns(&self) -> Option<Vec<ResultColumn>> {
        self.returning.as_ref().map(Returning::columns)
    }

    pub(crate) async fn run(
        &self,
        planner: &Planner,
        transaction: &mut Transaction,
        parameters: &[ScalarValue],
    ) -> Result<Response> {
        let returning = self.returning.as_ref();
        let read = returning::prepare(returning, planner, transaction, parameters).await?;
        let found = self.joined.collect(planner, transaction, parameters).await?;
        let pairs = match concat(&found)? {
            Some(found) => self.pairs(&found)?,
            None => Vec::new(),
        };
        self.check_once(&pairs)?;
        // A statement does not see what it writes: all is computed before.
        let mut changes = Vec::with_capacity(pairs.len());
        for (action, pairs) in self.actions.iter().zip(pairs) {
            let values = self.values(action, planner, transaction, &pairs, parameters).await?;
            changes.push((action, pairs, values));
        }
        // What goes away makes room for what comes.
        changes.sort_by_key(|(action, ..)| action.turn());
        let mut written = Vec::new();
        for (action, pairs, values) in changes {
            if pairs.rows > 0 {
                written.extend(self.write(action, planner, transaction, pairs, values).await?);
            }
        }
        answer(returning, planner, read, written, "MERGE", parameters).await
    }

    /// The pairs of each action.
    fn pairs(&self, found: &RecordBatch) -> Result<Vec<Pairs>> {
        let chosen = found.column(0).as_primitive::<Int64Type>();
        let pairs = (0_i64..).zip(&self.actions).map(|(action, _)| {
            let rows = chosen.iter().zip(0_u32..).filter(|(chosen, _)| *chosen == Some(action));
            let rows = rows.map(|(_, row)| row).collect::<Vec<_>>();
            let rows = take_record_batch(found, &UInt32Array::from(rows)).map_err(internal)?;
            let width = self.target.table.columns.len();
            let mut at = 2 + width;
            let sources = self.sources.iter().map(|width| {
                at += width;
                rows.columns()[at - width..at].to_vec()
            });
            let sources = sources.collect();
            Ok(Pairs {
                rows: rows.num_rows(),
                number: rows.column(1).clone(),
                old: rows.columns()[2..2 + width].to_vec(),
                sources,
            })
        });
        pairs.collect()
    }

    /// Fails with `21000` if a row of the target is to be changed more than once.
    fn check_once(&self, pairs: &[Pairs]) -> Result<()> {
        let mut seen = HashSet::new();
        for (action, pairs) in self.actions.iter().zip(pairs) {
            if !matches!(action, Action::Update { .. } | Action::Delete) {
                continue;
            }
            let identity = match self.target.table.primary_key() {
                Some(key) => key.iter().map(|column| pairs.old[*column].clone()).collect(),
                None => vec![pairs.number.clone()],
            };
            for row in row_keys(&identity) {
                if !seen.insert(row) {
                    let message = "MERGE command cannot affect row a second time";
                    return Err(SqlError::new(SqlState::CARDINALITY_VIOLATION, message)
                        .with_hint("Ensure that not more than one source row matches any one target row."));
                }
            }
        }
        Ok(())
    }

    /// What an action writes to its pairs.
    async fn values(
        &self,
        action: &Action,
        planner: &Planner,
        transaction: &mut Transaction,
        pairs: &Pairs,
        parameters: &[ScalarValue],
    ) -> Result<Option<RecordBatch>> {
        let Some(values) = action.values().filter(|_| pairs.rows > 0) else { return Ok(None) };
        let others = values.others(planner, transaction, parameters).await?;
        let (sources, old) = (pairs.sources.iter().cloned(), pairs.old.clone());
        let sides = match action {
            Action::Update { kind: Kind::Unasked, .. } => vec![old],
            Action::Update { .. } => sources.chain([old]).collect(),
            _ => sources.collect(),
        };
        concat(&values.run(planner, others, sides, pairs.rows, parameters).await?)
    }

    async fn write(
        &self,
        action: &Action,
        planner: &Planner,
        transaction: &mut Transaction,
        pairs: Pairs,
        values: Option<RecordBatch>,
    ) -> Result<Option<Written>> {
        let table = &self.target.table;
        let written = match action {
            Action::Nothing => return Ok(None),
            Action::Delete => Written::deleted(&table.delete(transaction, pairs.old)?),
            Action::Update { columns, .. } => {
                let values = values.ok_or_else(|| SqlError::internal("an update has values"))?;
                let new = table.replace(planner, transaction, columns, &values).await?;
                Written::updated(pairs.old, &new)
            }
            Action::Insert { columns, overridden, .. } => {
                let values = values.map(|values| values.columns().to_vec()).unwrap_or_default();
                let given = columns.iter().copied().zip(values);
                let given = given.filter(|(column, _)| !overridden.contains(column));
                let (columns, values) = given.unzip::<_, _, Vec<usize>, Vec<ArrayRef>>();
                let catalog = transaction.visible_catalog();
                let rows = insert::table_rows(planner, catalog, table, &columns, &values, pairs.rows).await?;
                table.insert(transaction, rows.clone(), true)?;
                Written::inserted(&rows)
            }
        };
        Ok(Some(written.found_by(pairs.sources)))
    }
}

/// Pairs of rows, by columns.
struct Pairs {
    rows: usize,
    /// What tells the rows of the target apart, if they have no key.
    number: ArrayRef,
    old: Vec<ArrayRef>,
    /// Those of each relation of the source.
    sources: Vec<Vec<ArrayRef>>,
}

impl Action {
    fn values(&self) -> Option<&OverSides> {
        match self {
            Action::Update { values, .. } => Some(values),
            Action::Insert { values, .. } => values.as_ref(),
            Action::Nothing | Action::Delete => None,
        }
    }

    fn privilege(&self) -> Option<Privilege> {
        match self {
            Action::Nothing => None,
            Action::Delete => Some(Privilege::Delete),
            Action::Update { .. } => Some(Privilege::Update),
            Action::Insert { .. } => Some(Privilege::Insert),
        }
    }

    fn turn(&self) -> usize {
        match self {
            Action::Nothing | Action::Delete => 0,
            Action::Update { .. } => 1,
            Action::Insert { .. } => 2,
        }
    }
}

/// Fails with `42601` if a clause can never be reached.
fn check_reachable(clauses: &[MergeClause]) -> Result<()> {
    let mut always = Vec::new();
    for clause in clauses {
        let kind = Kind::of(clause);
        if always.contains(&kind) {
            let message = "unreachable WHEN clause specified after unconditional WHEN clause";
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
        }
        always.extend(clause.predicate.is_none().then_some(kind));
    }
    Ok(())
}

/// What the parts of a MERGE are bound in.
struct Binder<'a> {
    planner: &'a Planner,
    catalog: &'a Catalog,
    merge: &'a MergeAst,
    with: Option<&'a With>,
    target: &'a Subject,
}

impl Binder<'_> {
    fn has(&self, kind: Kind) -> bool {
        self.merge.clauses.iter().any(|clause| Kind::of(clause) == kind)
    }

    fn source_relation(&self) -> TableWithJoins {
        TableWithJoins { relation: self.merge.source.clone(), joins: Vec::new() }
    }

    /// The relations of the source. Fails with `42712` if one has the name of the target.
    fn sources(&self) -> Result<Vec<Side>> {
        let sources = sides_of(self.planner, self.catalog, &[self.source_relation()], self.with)?;
        let target = ast::fold(&self.target.alias);
        if sources.iter().any(|source| ast::fold(&source.alias) == target) {
            let message = format!("name \"{target}\" specified more than once");
            return Err(SqlError::new(SqlState::DUPLICATE_ALIAS, message)
                .with_detail("The name is used both as MERGE target table and data source."));
        }
        Ok(sources)
    }

    /// The query for the pairs.
    fn joined(&self, sources: &[Side], parameters: &[Option<SqlType>]) -> Result<Select> {
        let mut items =
            vec![assignments::aliased(self.choice()?, "?action".to_owned()), self.target.number()];
        items.extend(assignments::old_row(&self.target.table, &self.target.alias));
        for source in sources {
            let column = |column: &Column| {
                Expr::CompoundIdentifier(vec![source.alias.clone(), ast::quoted(&column.name)])
            };
            items.extend(source.columns.iter().map(column).map(SelectItem::UnnamedExpr));
        }
        let (target, source) = (self.target.numbered()?, self.source()?);
        let join = match (self.has(Kind::Missing), self.has(Kind::Unasked)) {
            (false, false) => "JOIN",
            (true, false) => "RIGHT JOIN",
            (false, true) => "LEFT JOIN",
            (true, true) => "FULL JOIN",
        };
        let from = subject::from(&format!("{target} {join} {source} ON {}", self.merge.on))?;
        let chosen = Expr::IsNotNull(Box::new(self.choice()?));
        let mut query = ast::select(items, vec![from], Some(chosen))?;
        query.with = self.with.cloned();
        Select::bind(self.planner, self.catalog, &query, parameters)
    }

    /// The source, with the column [`SOURCE`] if rows of the target are asked for that it has none for.
    fn source(&self) -> Result<TableWithJoins> {
        let source = self.source_relation();
        if !self.has(Kind::Unasked) {
            return Ok(source);
        }
        match subject::names(std::slice::from_ref(&source)).as_slice() {
            [name] if !matches!(source.relation, TableFactor::NestedJoin { .. }) => {
                subject::from(&format!("(SELECT *, true AS \"{SOURCE}\" FROM {source}) AS {name}"))
            }
            _ => Err(SqlError::unsupported("NOT MATCHED BY SOURCE where the source is a join")),
        }
    }

    /// The position of the action for a pair; NULL if there is none.
    fn choice(&self) -> Result<Expr> {
        let of_kind = |kind| {
            let clauses = self.merge.clauses.iter().enumerate();
            let clauses = clauses.filter(move |(_, clause)| Kind::of(clause) == kind);
            let cases = clauses.map(|(position, clause)| match &clause.predicate {
                Some(predicate) => format!("WHEN {predicate} THEN {position} "),
                None => format!("WHEN true THEN {position} "),
            });
            let cases = cases.collect::<String>();
            if cases.is_empty() { "NULL".to_owned() } else { format!("CASE {cases}END") }
        };
        let (target, matched) = (&self.target.alias, of_kind(Kind::Matched));
        let mut cases = String::new();
        if self.has(Kind::Missing) {
            cases += &format!("WHEN {target}.\"{NUMBER}\" IS NULL THEN {} ", of_kind(Kind::Missing));
        }
        if self.has(Kind::Unasked) {
            let source = subject::names(&[self.source_relation()]).pop().unwrap_or_else(|| ast::quoted(""));
            cases += &format!("WHEN {source}.\"{SOURCE}\" IS NULL THEN {} ", of_kind(Kind::Unasked));
        }
        ast::parse_expr(&format!("(CASE {cases}WHEN true THEN {matched} END)::bigint"))
    }

    fn action(
        &self,
        clause: &MergeClause,
        sources: &[Side],
        write: &WriteOptions,
        hints: &mut Vec<Option<SqlType>>,
    ) -> Result<Action> {
        let mut sides = sources.to_vec();
        match Kind::of(clause) {
            Kind::Matched => sides.push(self.target.side()),
            Kind::Missing => {}
            Kind::Unasked => sides = vec![self.target.side()],
        }
        if let Some(predicate) = &clause.predicate {
            // What the other side has can't be asked for.
            self.over(&sides, &[SelectItem::UnnamedExpr(predicate.clone())], hints)?;
        }
        match &clause.action {
            MergeAction::Delete { .. } => Ok(Action::Delete),
            MergeAction::Update(update) if does_nothing(&update.assignments) => Ok(Action::Nothing),
            MergeAction::Update(update) => {
                let table = &self.target.table;
                let (columns, values) = assignments::assigned(table, &update.assignments, hints)?;
                let mut items = assignments::old_row(table, &self.target.alias);
                items.extend(values);
                let values = self.over(&sides, &items, hints)?;
                Ok(Action::Update { columns, values, kind: Kind::of(clause) })
            }
            MergeAction::Insert(insert) => self.insert(insert, &sides, write, hints),
        }
    }

    fn insert(
        &self,
        insert: &MergeInsertExpr,
        sides: &[Side],
        write: &WriteOptions,
        hints: &mut Vec<Option<SqlType>>,
    ) -> Result<Action> {
        let table = &self.target.table;
        let is_only = |name: &str| matches!(insert.columns.as_slice(), [only] if is_named(only, name));
        if is_only(springtide_sql::NOTHING) {
            return Ok(Action::Nothing);
        }
        if is_only(springtide_sql::DEFAULTS) {
            return Ok(Action::Insert { columns: Vec::new(), values: None, overridden: Vec::new() });
        }
        let MergeInsertKind::Values(values) = &insert.kind else {
            return Err(SqlError::unsupported("INSERT ROW"));
        };
        let [row] = values.rows.as_slice() else {
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \",\""));
        };
        let mut columns = insert::listed_columns(table, &insert.columns)?;
        insert::check_width(&mut columns, Some(row.content.len()), !insert.columns.is_empty())?;
        let mut source = ast::parse_query("VALUES (1)")?;
        *source.body = SetExpr::Values(values.clone());
        let overridden = insert::overridden(table, &columns, Some(&source), write.overriding)?;
        let mut items = Vec::with_capacity(columns.len());
        for (column, value) in columns.iter().zip(&row.content) {
            let column = &table.columns[*column];
            ast::hint_parameter(hints, value, column);
            items.push(SelectItem::UnnamedExpr(ast::assigned(value, column)?));
        }
        let values = Some(self.over(sides, &items, hints)?);
        Ok(Action::Insert { columns, values, overridden })
    }

    fn over(&self, sides: &[Side], items: &[SelectItem], hints: &[Option<SqlType>]) -> Result<OverSides> {
        OverSides::bind(self.planner, self.catalog, sides, self.with, items, None, hints)
    }
}

/// Whether it is what DO NOTHING is written as.
fn does_nothing(assignments: &[Assignment]) -> bool {
    match assignments {
        [Assignment { target: AssignmentTarget::ColumnName(name), .. }] => {
            is_named(name, springtide_sql::NOTHING)
        }
        _ => false,
    }
}

fn is_named(name: &ObjectName, wanted: &str) -> bool {
    matches!(name.0.as_slice(), [part] if part.as_ident().is_some_and(|ident| ident.value == wanted))
}
