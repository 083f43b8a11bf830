//! Names to relations, functions and types: what DataFusion's binder asks for.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::TableFunctionArgs;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DFSchema, Result, TableReference};
use datafusion::datasource::ViewTable;
use datafusion::datasource::{DefaultTableSource, cte_worktable::CteWorkTable};
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use springtide_catalog::system::Facts;
use springtide_catalog::{Catalog, Function, FunctionId, NameRef, Relation, RelationKind, TypeId};
use springtide_types::{RelationId, SqlError, SqlState, SqlType};

use crate::domains::{CHECKING, checking};
use crate::errors::external;
use crate::inline::Call;
use crate::moment_series::moment_series;
use crate::moments::Moments;
use crate::names;
use crate::planner::Planner;
use crate::relation_table::{self, RelationTable};
use crate::scan::{Scan, Time};
use crate::sql_types::PostgresTypePlanner;
use crate::system;
use crate::time_travel::Travel;

/// How deep functions may call each other.
const MAX_DEPTH: usize = 32;
/// How large the bodies that a query takes in may become together, in expressions.
const MAX_SIZE: usize = 20_000;

/// The functions that read or change run-time parameters.
const SETTING_FUNCTIONS: [&str; 2] = ["current_setting", "set_config"];

/// Resolves the names of one query.
pub(crate) struct Names<'a> {
    planner: &'a Planner,
    catalog: &'a Catalog,
    /// The same for what is kept, which names things in a way of its own: see [`Catalog::for_stored`].
    stored: OnceCell<Catalog>,
    /// Whether what is bound was kept.
    is_stored: bool,
    /// The catalogs, once something in the plan needs them.
    shared_catalog: OnceCell<Arc<Catalog>>,
    shared_stored: OnceCell<Arc<Catalog>>,
    beyond_catalog: Cell<bool>,
    /// Whether a function is called that takes numbers of sequences, in views too.
    draws: Rc<Cell<bool>>,
    depends_on: RefCell<BTreeSet<RelationId>>,
    functions: RefCell<BTreeSet<FunctionId>>,
    types: Arc<PostgresTypePlanner>,
    moments: Rc<Moments>,
    /// The moment at which is read what says nothing else.
    present: Option<usize>,
    /// How many function bodies are around what is bound.
    depth: Cell<usize>,
    calls: Cell<usize>,
    size: Cell<usize>,
}

impl<'a> Names<'a> {
    pub(crate) fn new(planner: &'a Planner, catalog: &'a Catalog) -> Names<'a> {
        Names {
            planner,
            catalog,
            stored: OnceCell::new(),
            is_stored: false,
            shared_catalog: OnceCell::new(),
            shared_stored: OnceCell::new(),
            beyond_catalog: Cell::new(false),
            draws: Rc::default(),
            depends_on: RefCell::default(),
            functions: RefCell::default(),
            types: Arc::new(PostgresTypePlanner::new(catalog.types().clone())),
            moments: Rc::default(),
            present: None,
            depth: Cell::new(0),
            calls: Cell::new(0),
            size: Cell::new(0),
        }
    }

    /// The names of the query of a view that these names name, read as of a moment.
    fn in_view(&self, moment: Option<usize>) -> Names<'a> {
        Names {
            moments: self.moments.clone(),
            present: moment,
            depth: self.depth.clone(),
            draws: self.draws.clone(),
            is_stored: true,
            ..Names::new(self.planner, self.catalog)
        }
    }

    /// The moments that are named, in views too.
    pub(crate) fn moments(&self) -> &Moments {
        &self.moments
    }

    /// How relations without a time of their own are read.
    pub(crate) fn travel(&self) -> Travel<'_> {
        Travel { moments: &self.moments, present: self.present, in_function: self.depth.get() > 0 }
    }

    pub(crate) fn planner(&self) -> &'a Planner {
        self.planner
    }

    /// What the names may mean.
    pub(crate) fn catalog(&self) -> &Catalog {
        if self.binds_stored() { self.stored.get_or_init(|| self.catalog.for_stored()) } else { self.catalog }
    }

    /// Whether what is bound now, a view or the body of a function, was kept.
    fn binds_stored(&self) -> bool {
        self.is_stored || self.depth.get() > 0
    }

    /// Whether a run-time parameter or the named snapshots were asked for.
    pub(crate) fn beyond_catalog(&self) -> bool {
        self.beyond_catalog.get()
    }

    /// Whether numbers of sequences may be taken.
    pub(crate) fn draws(&self) -> bool {
        self.draws.get()
    }

    fn catalog_facts(&self) -> Facts {
        let shared = if self.binds_stored() { &self.shared_stored } else { &self.shared_catalog };
        let catalog = shared.get_or_init(|| Arc::new(self.catalog().clone())).clone();
        Facts { catalog, session: self.planner.session().clone() }
    }

    /// The relations that were named.
    pub(crate) fn depends_on(&self) -> Vec<RelationId> {
        self.depends_on.borrow().iter().copied().collect()
    }

    /// Whether a plain view of this name was named.
    pub(crate) fn is_view(&self, name: &str) -> bool {
        let named = self.depends_on.borrow();
        let mut relations = named.iter().filter_map(|id| self.catalog.by_id(*id));
        relations.any(|relation| relation.name == name && matches!(relation.kind, RelationKind::View { .. }))
    }

    /// The functions that were called, in the bodies of others too.
    pub(crate) fn functions(&self) -> Vec<FunctionId> {
        self.functions.borrow().iter().copied().collect()
    }

    /// Notes a call.
    pub(crate) fn call(&self, function: &Function) {
        self.functions.borrow_mut().insert(function.id);
    }

    /// The users' types that were named.
    pub(crate) fn types(&self) -> Vec<TypeId> {
        self.types.named()
    }

    /// Notes that a user's type is named.
    pub(crate) fn note_type(&self, id: TypeId) {
        self.types.note_id(id);
    }

    /// Binds something inside the body of a function.
    pub(crate) fn in_body<T>(&self, function: &Function, bind: impl FnOnce() -> Result<T>) -> Result<T> {
        let depth = self.depth.get();
        if depth == MAX_DEPTH {
            let error = SqlError::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
            let detail = format!("Function {} is called inside {MAX_DEPTH} others.", function.signature());
            let hint = "A call stands for the body of the function: functions can't be recursive.";
            return Err(external(error.with_detail(detail).with_hint(hint)));
        }
        if function.id != CHECKING {
            self.functions.borrow_mut().insert(function.id);
        }
        self.depth.set(depth + 1);
        let bound = bind();
        self.depth.set(depth);
        bound
    }

    /// The body of a function for arguments of these types. `parameters` are those that have names.
    pub(crate) fn body(
        &self,
        function: &Function,
        types: &[SqlType],
        parameters: &DFSchema,
    ) -> Result<LogicalPlan> {
        self.planner.body(function, types, parameters, self).map_err(external)
    }

    /// A number for a call, unlike those of all other calls in the query.
    pub(crate) fn next_call(&self) -> usize {
        self.calls.set(self.calls.get() + 1);
        self.calls.get()
    }

    /// Counts what a call has grown into. Fails with `54001` when it is too much.
    pub(crate) fn spend(&self, size: usize) -> Result<()> {
        self.size.set(self.size.get().saturating_add(size));
        if self.size.get() <= MAX_SIZE {
            return Ok(());
        }
        let message = "the functions that the query calls are too large together";
        Err(external(SqlError::new(SqlState::STATEMENT_TOO_COMPLEX, message)))
    }

    fn source(&self, relation: &Arc<Relation>, time: Time) -> springtide_types::Result<Arc<dyn TableSource>> {
        let RelationKind::View { query } = &relation.kind else {
            relation_table::check_names(relation, time)?;
            return Ok(RelationTable::new(relation.clone(), time).into_source());
        };
        let moment = match time {
            Time::Present => None,
            Time::At(moment) => Some(moment),
            Time::Changes { .. } | Time::Versions { .. } => return Err(no_changes(relation)),
        };
        let plan = self.planner.view_plan(relation, query, &self.in_view(moment))?;
        Ok(Arc::new(DefaultTableSource::new(Arc::new(ViewTable::new(plan, None)))))
    }
}

impl ContextProvider for Names<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        if let Some((system, is_of_catalog)) =
            system::source(&name, || self.catalog_facts()).map_err(external)?
        {
            self.beyond_catalog.set(self.beyond_catalog.get() || !is_of_catalog);
            return Ok(system);
        }
        // A schema that is only called like a time, by a user, is not there.
        let (time, schema) = match Time::and_schema(name.schema()) {
            (time, schema) if self.moments.include(time) => (time, schema),
            _ => (Time::Present, name.schema()),
        };
        let name = NameRef { schema, name: name.table() };
        let relation = self.catalog().find(name).ok_or_else(|| {
            let message = format!("relation \"{name}\" does not exist");
            external(SqlError::new(SqlState::UNDEFINED_TABLE, message))
        })?;
        self.depends_on.borrow_mut().insert(relation.id);
        self.source(relation, time).map_err(external)
    }

    fn get_table_function_source(&self, name: &str, args: Vec<Expr>) -> Result<Arc<dyn TableSource>> {
        let session = self.planner.serial();
        let name = name.trim_matches('"');
        let function = session.table_functions().get(name).ok_or_else(|| {
            let message = format!("function {name} with these arguments does not exist");
            external(SqlError::new(SqlState::UNDEFINED_FUNCTION, message))
        })?;
        let args = args.into_iter().map(constant_argument).collect::<Result<Vec<_>>>()?;
        if let Some(series) = moment_series(name, &args)? {
            return Ok(Arc::new(DefaultTableSource::new(series)));
        }
        let provider = function.create_table_provider_with_args(TableFunctionArgs::new(&args, session))?;
        Ok(Arc::new(DefaultTableSource::new(provider)))
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> Result<Arc<dyn TableSource>> {
        Ok(Arc::new(DefaultTableSource::new(Arc::new(CteWorkTable::new(name, schema)))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.planner.expr_planners()
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(self.types.clone())
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let functions = self.planner.functions();
        if let Some(function) = checking(name, self.catalog.types()) {
            return Some(Call::udf(name, vec![Arc::new(function)]));
        }
        if system::higher_order(name).is_some() {
            return None;
        }
        if let Some(qualified) = names::name_in_text(name).filter(|qualified| qualified.schema.is_some()) {
            let own = self.catalog().functions(&qualified);
            return (!own.is_empty()).then(|| Call::udf(&qualified.to_string(), own));
        }
        let own = self.catalog().functions(name);
        if let Some(system) = system::function(name, || self.catalog_facts()) {
            self.beyond_catalog.set(self.beyond_catalog.get() || SETTING_FUNCTIONS.contains(&name));
            self.draws.set(self.draws.get() || system::is_volatile(name));
            return Some(system);
        }
        match functions.scalar.get(name) {
            Some(function) if own.is_empty() => Some(function.clone()),
            None if own.is_empty() && functions.is_built_in(name) => None,
            _ => Some(Call::udf(name, own)),
        }
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        system::higher_order(name)
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.planner.functions().aggregate.get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.planner.functions().window.get(name).cloned()
    }

    fn get_variable_type(&self, _variable_names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.planner.options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.planner.functions().scalar.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.planner.functions().aggregate.keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.planner.functions().window.keys().cloned().collect()
    }
}

/// An argument of a table function: a constant, in the types that DataFusion's table functions take.
fn constant_argument(argument: Expr) -> Result<Expr> {
    let schema = DFSchema::empty();
    let simplifier = ExprSimplifier::new(SimplifyContext::default());
    let constant = simplifier.simplify(simplifier.coerce(argument, &schema)?)?;
    let Expr::Literal(value, metadata) = constant else { return Ok(constant) };
    let value = match value.data_type() {
        DataType::Int16 | DataType::Int32 => value.cast_to(&DataType::Int64)?,
        _ => value,
    };
    Ok(Expr::Literal(value, metadata))
}

fn no_changes(view: &Relation) -> SqlError {
    let message = format!("view \"{}\" has no change log", view.name);
    SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).with_hint(
        "Tables and materialized views have one; in a transaction that has written to its tables, a materialized \
         view has none.",
    )
}

/// What a plan scans of the stored relations, in subqueries too, in ascending order: once for each place.
pub(crate) fn scans(plan: &LogicalPlan) -> Vec<Scan> {
    let mut found = Vec::new();
    let visited = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            found.extend(crate::relation_table::scanned(scan).map(|(_, scan)| scan));
        }
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    });
    debug_assert!(visited.is_ok(), "the visitor never fails");
    found.sort_unstable();
    found
}
