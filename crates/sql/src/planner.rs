use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::{ConfigOptions, SpillCompression};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::execution::SessionStateDefaults;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{Cast, Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::analyzer::resolve_grouping_function::ResolveGroupingFunction;
use datafusion::optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion::optimizer::{Analyzer, Optimizer, OptimizerRule};
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;
use datafusion::sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion::sql::sqlparser::ast;
use springtide_catalog::system::SessionFacts;
use springtide_catalog::{Catalog, Column, Function, FunctionRows, Relation, SessionSequences};
use springtide_types::{Result, SqlError, SqlState, SqlType};

use crate::BoundQuery;
use crate::analyze::PostgresTypes;
use crate::asof::{self, AsofQueryPlanner, FilterLeftOfAsofJoin};
use crate::bind::Names;
use crate::cast_names::tell_casts_apart;
use crate::declared::varchar;
use crate::decorrelate::{Decorrelate, DecorrelateRefused};
use crate::desugar::desugar;
use crate::distinct_on::DistinctOnAsRowNumber;
use crate::domains::check_casts;
use crate::errors::plan_error;
use crate::flatten::flatten;
use crate::functions::Functions;
use crate::grouping_keys;
use crate::inline::{inline_calls, value_of};
use crate::json_records::name_record_columns;
use crate::lateral_unnest::unnest_left_sides;
use crate::merge_join::MergeOrderedInputs;
use crate::moments;
use crate::multisets;
use crate::named_arguments::position_arguments;
use crate::names::quoted;
use crate::null_equality::{EliminateCrossJoinOfOneKind, ExtractEqualities};
use crate::operators::{OperatorPlanner, parameter_field};
use crate::origin::origins;
use crate::output_names::without_mark;
use crate::push_down_filter::PushDownFilterBelowGroups;
use crate::row_values::compare_columns;
use crate::sql_types::declared_type;
use crate::system;
use crate::table_functions::expand_functions;
use crate::three_valued_in::ThreeValuedIn;
use crate::time_travel::name_times;
use crate::total_order::TotalOrder;
use crate::using::merge_columns;
use crate::whole_rows::spell_out_rows;
use crate::windows::expand_windows;
use crate::with_recursive::check_recursion;
use crate::with_ties;

/// Bytes of stack that binding a query without views and functions is sure to do with.
const LEAST_STACK: usize = 1 << 20;
/// Bytes of stack added where fewer are left.
const MORE_STACK: usize = 4 << 20;

/// Binds queries, and makes of them results or incremental plans. Cheap to clone; shared by all sessions.
#[derive(Clone, Debug)]
pub struct Planner {
    shared: Arc<Shared>,
    session: SessionFacts,
}

#[derive(Debug)]
struct Shared {
    functions: Functions,
    expr_planners: Vec<Arc<dyn ExprPlanner>>,
    analyzer: Analyzer,
    /// One partition: for inputs that are too small to share out.
    serial: SessionState,
    parallel: SessionState,
}

impl Default for Planner {
    fn default() -> Planner {
        Planner::new()
    }
}

impl Planner {
    /// A planner that runs queries on all processors.
    pub fn new() -> Planner {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut expr_planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(OperatorPlanner)];
        expr_planners.extend(SessionStateDefaults::default_expr_planners());
        let serial = session_state(1);
        let shared = Shared {
            functions: Functions::new(serial.config_options()),
            expr_planners,
            analyzer: Analyzer::with_rules(vec![
                Arc::new(ResolveGroupingFunction::new()),
                Arc::new(PostgresTypes),
                Arc::new(TypeCoercion::new()),
                Arc::new(DistinctOnAsRowNumber),
                Arc::new(DecorrelateRefused::new()),
            ]),
            serial,
            parallel: session_state(processors),
        };
        Planner { shared: Arc::new(shared), session: SessionFacts::default() }
    }

    /// The planner for a session, whose queries may ask for these facts.
    #[must_use]
    pub fn for_session(&self, session: SessionFacts) -> Planner {
        Planner { shared: self.shared.clone(), session }
    }

    /// Resolves the names and types of a query. `parameter_types` are what the client said of `$1`, `$2`, …;
    /// the others are inferred.
    pub fn bind(
        &self,
        query: &ast::Query,
        catalog: &Catalog,
        parameter_types: &[Option<SqlType>],
    ) -> Result<BoundQuery> {
        let names = &Names::new(self, catalog);
        let query = rewritten(query.clone(), names)?;
        let mut plans = self.to_plans(&query, names, parameter_types)?;
        let parameters = infer_parameters(&plans, parameter_types)?;
        if parameters.len() != parameter_types.iter().flatten().count() {
            let types = parameters.iter().copied().map(Some).collect::<Vec<_>>();
            plans = self.to_plans(&query, names, &types)?;
        }
        let moments = plans.split_off(1).pop().map(|plan| {
            moments::check(&plan)?;
            let (plan, columns) = self.finished(plan)?;
            Ok(BoundQuery::new(plan, columns, names, parameters.clone(), None))
        });
        let plan = plans.pop().ok_or_else(|| SqlError::internal("a query has a plan"))?;
        let origins = origins(&plan, &|name| names.is_view(name));
        let (plan, columns) = self.finished(plan)?;
        Ok(BoundQuery::new(plan, columns, names, parameters, moments.transpose()?).with_origins(origins))
    }

    /// The plan of a query, and that of its moments if it names any.
    fn to_plans(
        &self,
        query: &ast::Query,
        names: &Names<'_>,
        parameter_types: &[Option<SqlType>],
    ) -> Result<Vec<LogicalPlan>> {
        let mut plans = vec![self.to_plan(query, names, parameter_types)?];
        if let Some(moments) = names.moments().query()? {
            plans.push(self.to_plan(&rewritten(moments, names)?, names, parameter_types)?);
        }
        Ok(plans)
    }

    /// The plan in PostgreSQL's types, and its columns.
    fn finished(&self, plan: LogicalPlan) -> Result<(LogicalPlan, Vec<Column>)> {
        let plan = asof::as_nodes(self.analyze(plan)?)?;
        let columns = output_columns(&plan)?;
        let plan = flatten(normalize_output(plan, &columns)?)?;
        Ok((plan, columns))
    }

    /// The plan of an ad-hoc query, as text or in PostgreSQL's JSON.
    pub fn explain(&self, query: &BoundQuery, json: bool) -> Result<String> {
        let plan = self.optimize(&self.shared.serial, (*query.plan).clone())?;
        Ok(if json { plan.display_pg_json().to_string() } else { plan.display_indent().to_string() })
    }

    fn to_plan(
        &self,
        query: &ast::Query,
        names: &Names<'_>,
        parameter_types: &[Option<SqlType>],
    ) -> Result<LogicalPlan> {
        self.to_plan_in(query, names, &mut context(parameter_types.iter().copied()))
    }

    fn to_plan_in(
        &self,
        query: &ast::Query,
        names: &Names<'_>,
        context: &mut PlannerContext,
    ) -> Result<LogicalPlan> {
        let binder = SqlToRel::new_with_options(names, parser_options());
        let statement = ast::Statement::Query(Box::new(query.clone()));
        // Views and functions inside each other come back here.
        let plan = stacker::maybe_grow(LEAST_STACK, MORE_STACK, || {
            let plan = binder.sql_statement_to_plan_with_context(statement, context)?;
            unnest_left_sides(inline_calls(with_ties::as_ranks(grouping_keys::as_columns(plan)?)?, names)?)
        });
        plan.map_err(|error| plan_error(&error))
    }

    /// The body of a function for arguments of these types. Its parameters are still in it: as placeholders,
    /// or as outer references to `parameters`, which are those that have names.
    pub(crate) fn body(
        &self,
        function: &Function,
        types: &[SqlType],
        parameters: &DFSchema,
        names: &Names<'_>,
    ) -> Result<LogicalPlan> {
        let query = rewritten(body_query(function)?, names)?;
        let mut context = context(types.iter().copied().map(Some));
        context.append_outer_query_schema(Arc::new(parameters.clone()));
        self.to_plan_in(&query, names, &mut context)
    }

    /// Fails unless a function can be called: `42P13` if its body gives something else than it declares, and
    /// whatever a query with the body would fail with. Functions and relations are those of `catalog`.
    pub fn check_function(&self, function: &Function, catalog: &Catalog) -> Result<()> {
        if self.functions().is_built_in(&function.name) {
            let what = format!("a function with the name of a built-in one, \"{}\",", function.name);
            return Err(SqlError::unsupported(what));
        }
        if let Some(rows) = &function.rows {
            return self.check_rows(function, rows, catalog);
        }
        let names = Names::new(self, catalog);
        let call = || {
            let nulls = function.types().map(|sql_type| ScalarValue::try_from(&sql_type.arrow()));
            let nulls = nulls.map(|null| Ok(Expr::Literal(null?, None)));
            let nulls = nulls.collect::<datafusion::common::Result<Vec<_>>>()?;
            let types = function.types().map(Some).collect::<Vec<_>>();
            let value = value_of(function, nulls, &types, &DFSchema::empty(), &names)?;
            LogicalPlanBuilder::empty(true).project([value.alias("value")])?.build()
        };
        self.analyze(call().map_err(|error| plan_error(&error))?).map(|_| ())
    }

    fn check_rows(&self, function: &Function, rows: &FunctionRows, catalog: &Catalog) -> Result<()> {
        let nulls = function.types().map(|sql_type| format!("CAST(NULL AS {sql_type})"));
        let text =
            format!("SELECT * FROM {}({})", quoted(&function.name), nulls.collect::<Vec<_>>().join(", "));
        let mismatch = |detail: String| {
            let message = "return type mismatch in function declared to return rows";
            SqlError::new(SqlState::INVALID_FUNCTION_DEFINITION, message).with_detail(detail)
        };
        let mut statements = crate::parse(&text)?;
        let Some(ast::Statement::Query(call)) = statements.pop().map(|statement| statement.ast) else {
            return Err(SqlError::internal("a call is a query"));
        };
        match self.bind(&call, catalog, &[]) {
            Err(error) if error.sqlstate == SqlState::INVALID_COLUMN_REFERENCE => {
                Err(mismatch(format!("Final statement must return {} columns.", rows.columns.len())))
            }
            bound => bound.map(|_| ()),
        }
    }

    fn analyze(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let analyzed = self.shared.analyzer.execute_and_check(plan, self.options(), |_, _| {});
        analyzed.map_err(|error| plan_error(&error))
    }

    pub(crate) fn optimize(&self, state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
        multisets::numbered(plan)
            .and_then(|plan| state.optimizer().optimize(plan, state, |_, _| {}))
            .map_err(|error| plan_error(&error))
    }

    /// The query of a plain view, with the names and types that the view gives its columns.
    pub(crate) fn view_plan(&self, view: &Relation, text: &str, names: &Names<'_>) -> Result<LogicalPlan> {
        let statements = crate::parse(text)?;
        let [crate::Statement { ast: ast::Statement::Query(query), .. }] = statements.as_slice() else {
            return Err(SqlError::internal(format!("view {} holds no query", view.name)));
        };
        let plan = self.to_plan(&rewritten(*query.clone(), names)?, names, &[])?;
        normalize_output(self.finished(plan)?.0, &view.columns)
    }

    pub(crate) fn serial(&self) -> &SessionState {
        &self.shared.serial
    }

    pub(crate) fn parallel(&self) -> &SessionState {
        &self.shared.parallel
    }

    /// The numbers that the session took from sequences.
    pub fn sequences(&self) -> &SessionSequences {
        &self.session.sequences
    }

    /// What the queries of the session may ask for.
    pub fn session(&self) -> &SessionFacts {
        &self.session
    }

    pub(crate) fn functions(&self) -> &Functions {
        &self.shared.functions
    }

    pub(crate) fn expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.shared.expr_planners
    }

    pub(crate) fn options(&self) -> &ConfigOptions {
        self.shared.serial.config_options()
    }
}

fn context(parameter_types: impl Iterator<Item = Option<SqlType>>) -> PlannerContext {
    let fields = parameter_types.map(|sql_type| sql_type.map(parameter_field));
    PlannerContext::new().with_prepare_param_data_types(fields.collect::<Vec<Option<FieldRef>>>())
}

/// The one query that the body of a function is.
pub(crate) fn body_query(function: &Function) -> Result<ast::Query> {
    let mut statements = crate::parse(&function.body)?;
    match (statements.pop().map(|statement| statement.ast), statements.len()) {
        (Some(ast::Statement::Query(query)), 0) => Ok(*query),
        (Some(_), 1..) => Err(SqlError::unsupported("a function of several statements")),
        _ => {
            let message = format!("return type mismatch in function declared to return {}", function.returns);
            Err(SqlError::new(SqlState::INVALID_FUNCTION_DEFINITION, message)
                .with_detail("Function's final statement must be SELECT."))
        }
    }
}

/// The query in the SQL that DataFusion understands as PostgreSQL would.
fn rewritten(mut query: ast::Query, names: &Names<'_>) -> Result<ast::Query> {
    position_arguments(&mut query)?;
    name_record_columns(&mut query, names.catalog())?;
    spell_out_rows(&mut query, names.catalog())?;
    let aggregates = &names.planner().functions().aggregate;
    expand_functions(&mut query, names)?;
    compare_columns(&mut query)?;
    check_recursion(&mut query, &|name| aggregates.contains_key(name))?;
    let types = names.catalog().types();
    system::rewrite(&mut query, types, &|name| aggregates.contains_key(name))?;
    for domain in check_casts(&mut query, types)? {
        names.note_type(domain);
    }
    expand_windows(&mut query)?;
    name_times(&mut query, names.travel())?;
    merge_columns(&mut query, names.catalog())?;
    asof::mark(&mut query)?;
    desugar(&mut query, types)?;
    tell_casts_apart(&mut query)?;
    Ok(query)
}

fn parser_options() -> ParserOptions {
    ParserOptions::new().with_parse_float_as_decimal(true).with_map_string_types_to_utf8view(false)
}

fn session_state(partitions: usize) -> SessionState {
    let mut options = ConfigOptions::new();
    options.execution.time_zone = Some("+00:00".to_owned());
    options.execution.target_partitions = partitions;
    // A rule or check that fails on a plan which is right all the same must not fail the query.
    options.optimizer.skip_failed_rules = true;
    options.execution.skip_physical_aggregate_schema_check = true;
    options.execution.spill_compression = SpillCompression::Uncompressed;
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.explain.logical_plan_only = true;
    // Users see the order of a subquery in FROM, and rely on it, where nothing else orders the result.
    options.sql_parser.enable_subquery_sort_elimination = false;
    let config = SessionConfig::from(options);
    let mut rules = Optimizer::new().rules;
    // It takes the sum of a sum for that sum, but a sum of integers is wider than they are.
    rules.retain(|rule| rule.name() != "single_distinct_aggregation_to_group_by");
    // After DataFusion's own rules, which do better where the correlation is an equality.
    let after =
        rules.iter().position(|rule| rule.name() == "decorrelate_lateral_join").map_or(0, |at| at + 1);
    rules.insert(after, Arc::new(Decorrelate));
    let own: [Arc<dyn OptimizerRule + Send + Sync>; 2] =
        [Arc::new(EliminateCrossJoinOfOneKind::default()), Arc::new(ExtractEqualities::default())];
    for rule in own {
        rules.iter_mut().filter(|known| known.name() == rule.name()).for_each(|known| *known = rule.clone());
    }
    let before = rules.iter().position(|rule| rule.name() == "decorrelate_predicate_subquery").unwrap_or(0);
    rules.insert(before, Arc::new(ThreeValuedIn::WHERE_NEEDED));
    let before = rules.iter().position(|rule| rule.name() == "push_down_filter").unwrap_or(0);
    rules[before] = Arc::new(PushDownFilterBelowGroups::default());
    rules.insert(before, Arc::new(FilterLeftOfAsofJoin));
    rules.push(Arc::new(TotalOrder));
    let mut physical_rules = PhysicalOptimizer::new().rules;
    // Where it puts a constant in the place of an aggregate, projections above may lose their columns.
    physical_rules.retain(|rule| rule.name() != "aggregate_statistics");
    // It confuses columns of one name on the two sides of an outer join.
    physical_rules.retain(|rule| !rule.name().starts_with("FilterPushdown"));
    // It takes branches of a union for unsorted that are sorted by a constant.
    physical_rules.retain(|rule| rule.name() != "SanityCheckPlan");
    // Once sorts are settled, it may make the input of a window forget that it is sorted by a constant.
    physical_rules.retain(|rule| rule.name() != "ProjectionPushdown");
    if partitions == 1 {
        // Rows that several processors share out come in no order anyway.
        physical_rules.insert(0, Arc::new(MergeOrderedInputs));
    }
    SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_query_planner(Arc::new(AsofQueryPlanner))
        .with_optimizer_rules(rules)
        .with_physical_optimizer_rules(physical_rules)
        .build()
}

/// The types of all parameters of the plans up to the last one used: as given, else as inferred, else text.
fn infer_parameters(plans: &[LogicalPlan], given: &[Option<SqlType>]) -> Result<Vec<SqlType>> {
    let mut types = HashMap::<usize, Option<SqlType>>::new();
    for plan in plans {
        let found = plan.get_parameter_types().map_err(|error| plan_error(&error))?;
        let cast = cast_parameters(plan)?;
        for (name, data_type) in found {
            let Some(index) = name.strip_prefix('$').and_then(|index| index.parse::<usize>().ok()) else {
                let message = format!("there is no parameter {name}");
                return Err(SqlError::new(SqlState::UNDEFINED_PARAMETER, message));
            };
            let known = data_type.as_ref().and_then(SqlType::from_arrow);
            let known = known.or_else(|| cast.get(&name).copied());
            let before = types.entry(index).or_default();
            *before = before.or(known);
        }
    }
    let count = types.keys().copied().max().unwrap_or(0).max(given.len());
    let of = |index: usize| {
        let given = given.get(index - 1).copied().flatten();
        given.or_else(|| types.get(&index).copied().flatten()).unwrap_or(SqlType::Text)
    };
    Ok((1..=count).map(of).collect())
}

/// The types that parameters without a type are cast to, by name: `$1::int` is an integer.
fn cast_parameters(plan: &LogicalPlan) -> Result<HashMap<String, SqlType>> {
    let mut types = HashMap::new();
    let visited = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::Cast(cast) = expr
                    && let Expr::Placeholder(Placeholder { id, field: None }) = cast.expr.as_ref()
                {
                    let sql_type = match declared_type(&cast.field)? {
                        // It is the cast that cuts.
                        SqlType::Varchar(_) => SqlType::Varchar(None),
                        other => other,
                    };
                    types.entry(id.clone()).or_insert(sql_type);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    visited.map(|_| types).map_err(|error| plan_error(&error))
}

fn output_columns(plan: &LogicalPlan) -> Result<Vec<Column>> {
    let columns = plan.schema().fields().iter().enumerate().map(|(position, field)| {
        let sql_type = match field.data_type() {
            // Ranks and row numbers.
            DataType::UInt64 => SqlType::Int8,
            DataType::Utf8 => varchar(plan, position).unwrap_or(SqlType::Text),
            DataType::List(item) if *item.data_type() == DataType::Utf8 => {
                varchar(plan, position).unwrap_or(SqlType::TEXT_ARRAY)
            }
            data_type => SqlType::from_arrow(data_type)
                .ok_or_else(|| SqlError::unsupported(format!("a result of type {data_type}")))?,
        };
        let name = without_mark(field.name()).to_owned();
        Ok(Column { name, sql_type, nullable: true, default: None, domain: None })
    });
    columns.collect()
}

/// Gives the output the names and the exact types of `columns`.
fn normalize_output(plan: LogicalPlan, columns: &[Column]) -> Result<LogicalPlan> {
    let fits = plan.schema().fields().iter().zip(columns).all(|(field, column)| {
        *field.data_type() == column.sql_type.arrow() && without_mark(field.name()) == column.name
    });
    if fits {
        return Ok(plan);
    }
    let exprs = plan.schema().columns().into_iter().zip(plan.schema().fields()).zip(columns).map(
        |((source, field), column)| {
            let source_name = source.name.clone();
            let mut expr = Expr::Column(source);
            if *field.data_type() != column.sql_type.arrow() {
                expr = Expr::Cast(Cast::new(Box::new(expr), column.sql_type.arrow()));
            }
            let name =
                if without_mark(&source_name) == column.name { source_name } else { column.name.clone() };
            expr.alias(name)
        },
    );
    let exprs = exprs.collect::<Vec<_>>();
    LogicalPlanBuilder::from(plan)
        .project(exprs)
        .and_then(LogicalPlanBuilder::build)
        .map_err(|error| plan_error(&error))
}
