//! Prepared statements: those of PREPARE and those of the protocol, which share their names.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{RecordBatch, new_empty_array};
use datafusion::common::ScalarValue;
use futures::TryStreamExt;
use springtide_catalog::system::StatementFacts;
use springtide_catalog::{Catalog, Column};
use springtide_sql::sqlparser::ast::{self, DataType, Expr, SelectItem};
use springtide_sql::{Statement, WriteOptions};
use springtide_types::{Result, SqlError, SqlState, SqlType};

use super::{Session, scalar};
use crate::control::{Call, Control, control};
use crate::moment::{Moment, now};
use crate::prepared::Prepared;
use crate::response::Response;
use crate::statement::{assigned, cast_to, select};

/// The prepared statements of a session.
#[derive(Default)]
pub(super) struct Statements {
    /// By name, the unnamed one of the protocol under ""; `None` is an empty statement.
    prepared: HashMap<String, Option<Arc<Prepared>>>,
    facts: Arc<BTreeMap<String, StatementFacts>>,
}

impl Statements {
    /// What queries may ask about them; the unnamed one is nobody's business.
    pub(super) fn facts(&self) -> &Arc<BTreeMap<String, StatementFacts>> {
        &self.facts
    }

    pub(super) fn is_empty(&self) -> bool {
        self.prepared.is_empty()
    }

    /// The statement of this name, or `26000`; `None` is an empty one.
    pub(super) fn get(&self, name: &str) -> Result<Option<&Arc<Prepared>>> {
        self.prepared.get(name).map(Option::as_ref).ok_or_else(|| {
            let text = match name {
                "" => "unnamed prepared statement does not exist".to_owned(),
                name => format!("prepared statement \"{name}\" does not exist"),
            };
            SqlError::new(SqlState::INVALID_SQL_STATEMENT_NAME, text)
        })
    }

    fn check_name_is_free(&self, name: &str) -> Result<()> {
        if name.is_empty() || !self.prepared.contains_key(name) {
            return Ok(());
        }
        let text = format!("prepared statement \"{name}\" already exists");
        Err(SqlError::new(SqlState::DUPLICATE_PREPARED_STATEMENT, text))
    }

    fn insert(&mut self, name: String, prepared: Option<Arc<Prepared>>, text: &str, from_sql: bool) {
        if !name.is_empty() {
            let known = prepared.as_deref();
            let types = |columns: &[crate::Column]| columns.iter().map(|column| column.sql_type).collect();
            let facts = StatementFacts {
                text: text.to_owned(),
                prepared_at: now() as Moment,
                parameters: known.map_or(Vec::new(), |known| known.parameters.clone()),
                results: known.and_then(|known| known.columns.as_deref()).map(types),
                from_sql,
            };
            Arc::make_mut(&mut self.facts).insert(name.clone(), facts);
        }
        self.prepared.insert(name, prepared);
    }

    fn remove(&mut self, name: &str) {
        self.prepared.remove(name);
        if !name.is_empty() {
            Arc::make_mut(&mut self.facts).remove(name);
        }
    }
}

impl Session {
    /// Keeps a prepared statement, or an empty one, under a name; "" is replaced, another must be free (`42P05`).
    pub fn keep_statement(&mut self, name: &str, prepared: Option<Prepared>, text: &str) {
        self.statements.insert(name.to_owned(), prepared.map(Arc::new), text, false);
    }

    /// Fails with `42P05` if there is a prepared statement of this name, unless it is "".
    pub fn check_statement_name(&self, name: &str) -> Result<()> {
        self.statements.check_name_is_free(name)
    }

    /// The prepared statement of this name, or `26000`; `None` is an empty one.
    pub fn statement(&self, name: &str) -> Result<Option<&Arc<Prepared>>> {
        self.statements.get(name)
    }

    /// Forgets a prepared statement, if there is one of this name.
    pub fn close_statement(&mut self, name: &str) {
        self.statements.remove(name);
    }

    /// PREPARE
    pub(super) fn prepare_named(
        &mut self,
        name: String,
        types: &[DataType],
        statement: ast::Statement,
        (text, write): (&str, WriteOptions),
    ) -> Result<Response> {
        self.statements.check_name_is_free(&name)?;
        let statement = Statement { ast: statement, text: text.to_owned(), copy_options: Vec::new(), write };
        let catalog = self.query_catalog();
        let types = types.iter().map(|declared| parameter_type(declared, &catalog));
        let prepared = self.prepare_now(&statement, &types.collect::<Result<Vec<_>>>()?)?;
        self.statements.insert(name, Some(Arc::new(prepared)), text, true);
        Ok(Response::complete("PREPARE"))
    }

    /// DEALLOCATE of one statement, or of all.
    pub(super) fn deallocate(&mut self, name: Option<&str>) -> Result<Response> {
        match name {
            Some(name) => {
                self.statements.get(name)?;
                self.statements.remove(name);
                Ok(Response::complete("DEALLOCATE"))
            }
            None => {
                self.statements = Statements::default();
                Ok(Response::complete("DEALLOCATE ALL"))
            }
        }
    }

    /// The arguments of an EXECUTE, as values of the types of the parameters.
    pub(super) async fn argument_values(
        &mut self,
        call: &Call,
        called: &Prepared,
    ) -> Result<Vec<ScalarValue>> {
        let parameters = parameters_of(call, called)?;
        if parameters.is_empty() {
            return Ok(Vec::new());
        }
        let items = call.arguments.iter().zip(&parameters);
        let items = items.map(|(argument, parameter)| assigned(argument, parameter));
        let items = items.map(|item| item.map(SelectItem::UnnamedExpr)).collect::<Result<Vec<_>>>()?;
        let query = select(items, Vec::new(), None)?;
        let planner = self.planner();
        let bound = planner.bind(&query, &self.query_catalog(), &[])?;
        if !bound.parameters().is_empty() {
            return Err(SqlError::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
        }
        if !bound.scans().is_empty() {
            return Err(SqlError::unsupported("a subquery over tables as an argument of EXECUTE"));
        }
        for (given, parameter) in bound.columns().iter().zip(&parameters) {
            check_coerced(given.sql_type, parameter)?;
        }
        let rows = planner.execute(&bound, &HashMap::new(), &[]).await?;
        let rows = rows.try_collect::<Vec<RecordBatch>>().await?;
        let Some(row) = rows.iter().find(|batch| batch.num_rows() == 1) else {
            return Err(SqlError::unsupported("an argument of EXECUTE that is a set"));
        };
        let values = row.columns().iter().zip(&parameters).map(|(value, parameter)| {
            let assigned = springtide_sql::assign(std::slice::from_ref(value), &[parameter])?;
            scalar(assigned[0].as_ref())
        });
        values.collect()
    }

    /// `EXPLAIN EXECUTE call` as the EXPLAIN of what is called, with the arguments in the place of the parameters.
    pub(super) fn explained(&self, statement: &Statement) -> Result<Option<Statement>> {
        let ast::Statement::Explain { statement: inner, .. } = &statement.ast else { return Ok(None) };
        let Some(Control::Execute(call)) = control(inner)? else { return Ok(None) };
        let Some(called) = self.statements.get(&call.name)? else {
            return Err(SqlError::unsupported("EXPLAIN of an empty statement"));
        };
        let parameters = parameters_of(&call, called)?;
        let arguments = call.arguments.iter().zip(&parameters);
        let arguments = arguments.map(|(argument, parameter)| cast_to(argument.clone(), parameter.sql_type));
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        let mut explained = statement.clone();
        if let ast::Statement::Explain { statement: inner, .. } = &mut explained.ast {
            **inner = called.statement.ast.clone();
            springtide_sql::put_arguments(inner.as_mut(), &arguments);
        }
        Ok(Some(explained))
    }
}

/// The parameters of a prepared statement as columns to assign to; `42601` if there are not as many arguments.
fn parameters_of(call: &Call, called: &Prepared) -> Result<Vec<Column>> {
    let (expected, given) = (called.parameters.len(), call.arguments.len());
    if expected != given {
        let message = format!("wrong number of parameters for prepared statement \"{}\"", call.name);
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, message)
            .with_detail(format!("Expected {expected} parameters but got {given}.")));
    }
    if call.arguments.iter().any(|argument| matches!(argument, Expr::Subquery(_) | Expr::Exists { .. })) {
        return Err(SqlError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "cannot use subquery in EXECUTE parameter",
        ));
    }
    let parameter = |(position, sql_type): (usize, &SqlType)| Column {
        name: format!("${}", position + 1),
        sql_type: *sql_type,
        nullable: true,
        default: None,
    };
    Ok(called.parameters.iter().enumerate().map(parameter).collect())
}

/// Fails with `42804` unless a parameter can take values of this type.
fn check_coerced(given: SqlType, parameter: &Column) -> Result<()> {
    let none = new_empty_array(&given.arrow());
    springtide_sql::assign(&[none], &[parameter]).map(drop).map_err(|error| SqlError {
        message: format!(
            "parameter {} of type {given} cannot be coerced to the expected type {}",
            parameter.name, parameter.sql_type
        ),
        ..error
    })
}

/// The type of a parameter; `unknown` is to be inferred.
fn parameter_type(declared: &DataType, catalog: &Catalog) -> Result<Option<SqlType>> {
    match declared {
        DataType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("unknown") => Ok(None),
        known => springtide_sql::sql_type(known, catalog.types()).map(Some),
    }
}
