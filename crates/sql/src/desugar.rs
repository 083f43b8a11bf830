//! Rewrites the syntax tree so that DataFusion's binder reads it as PostgreSQL would.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, ArrayElemTypeDef, BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr, Fetch, Function,
    FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, GroupByExpr, Ident, Interval,
    LimitClause, ObjectName, ObjectNamePart, OrderByKind, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, Statement, Subscript, TableFactor,
    TableWithJoins, TrimWhereField, TypedString, UnaryOperator, Value, ValueWithSpan, Values, VisitorMut,
    WindowFrameBound, WindowSpec, WindowType,
};
use springtide_catalog::Types;
use springtide_types::{Result, SqlError, SqlState};

use crate::convert::{is_temporal, stands_apart};
use crate::functions::{
    AVERAGE, BITWISE_NOT, FORMAT_OF_ARRAY, IS_NORMALIZED, LIKE_PATTERN, PRETTY_ARRAY, Quantifier,
    RANGE_BUCKET, REGEXP_GROUP, REGEXP_ROWS, SIMILAR, SLICE, SUBSCRIPT,
};
use crate::input_error::input_errors_in_lists;
use crate::json_aggregates;
use crate::json_records::records_in_from;
use crate::names::fold;
use crate::operators::distinction;
use crate::output_names::{UNNAMED_MARK, output_name};
use crate::scan::Time;
use crate::scope::check_table_names;
use crate::series::name_series;
use crate::set_returning;
use crate::sql_json::{check_defaults, rewritten_aggregate};
use crate::sql_types::sql_type;
use crate::system::in_system_schema;
use crate::temporal_syntax::temporal_call;
use crate::unnest::unnest_in_lists;
use crate::walk::{Stop, any_expr, any_query, change_exprs, flow, walk_mut};
use crate::with_ties;

/// Makes explicit what PostgreSQL leaves implicit: the types of number literals, the names of output
/// columns, `avg` as a sum over a count.
pub(crate) fn desugar(query: &mut Query, types: &Types) -> Result<()> {
    walk_mut(query, &mut Desugar { types })
}

struct Desugar<'a> {
    types: &'a Types,
}

impl VisitorMut for Desugar<'_> {
    type Break = Stop;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Stop> {
        query.locks.clear();
        flow(fetch_as_limit(query))
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Stop> {
        if let SetExpr::Values(values) = query.body.as_mut() {
            spread_float_types(values);
            spread_casts(values, self.types);
            if values.rows.iter().flat_map(|row| &row.content).any(any_query)
                && let Some(selects) = values_as_selects(values)
            {
                *query.body = selects;
            }
        }
        if let Some(order_by) = &mut query.order_by
            && let OrderByKind::Expressions(exprs) = &mut order_by.kind
        {
            exprs.iter_mut().for_each(|by| keep_number(&mut by.expr));
        }
        match &mut query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, .. }) => {
                limit.iter_mut().for_each(keep_number);
                offset.iter_mut().for_each(|offset| keep_number(&mut offset.value));
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                keep_number(offset);
                keep_number(limit);
            }
            None => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Stop> {
        if let Err(error) = check_table_names(&select.from) {
            return ControlFlow::Break(Stop::Failed(error));
        }
        records_in_from(&mut select.from);
        unnest_in_lists(&mut select.from);
        input_errors_in_lists(&mut select.from);
        name_series(&mut select.from);
        name_outputs(select);
        group_for_having(select);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Stop> {
        if let Err(error) = check_unnests(&select.projection) {
            return ControlFlow::Break(Stop::Failed(error));
        }
        if let GroupByExpr::Expressions(exprs, _) = &mut select.group_by {
            exprs.iter_mut().for_each(keep_number);
        }
        for window in &mut select.named_window {
            if let datafusion::sql::sqlparser::ast::NamedWindowExpr::WindowSpec(spec) = &mut window.1 {
                keep_frame_numbers(spec);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<Stop> {
        if in_system_schema(relation) {
            relation.0.drain(..relation.0.len() - 2);
            return ControlFlow::Continue(());
        }
        flow(Time::and_relation(relation).map(|(time, name)| *relation = time.of(&name)))
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Stop> {
        match expr {
            Expr::Value(value) => {
                if let Value::Number(digits, _) = &value.value {
                    let digits = digits.clone();
                    if let Some(typed) = typed_literal(expr, &digits) {
                        *expr = typed;
                    }
                }
            }
            Expr::UnaryOp { op: UnaryOperator::Minus, expr: operand } => {
                if let Some((number, data_type)) = typed_number(operand) {
                    let negative = Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number.clone()) };
                    *expr = cast(negative, data_type.clone());
                }
            }
            Expr::Interval(_) | Expr::AtTimeZone { .. } | Expr::Cast { .. } | Expr::TypedString(_)
                if temporal_call(expr).is_some() =>
            {
                if let Some(call) = temporal_call(expr) {
                    *expr = call;
                }
            }
            Expr::BinaryOp { op: BinaryOperator::Overlaps, .. } => {
                if let Some(call) = temporal_call(expr) {
                    *expr = call;
                }
            }
            Expr::UnaryOp { op, expr: operand } if prefix_function(*op).is_some() => {
                if let Some(function) = prefix_function(*op) {
                    let operand = operand.as_ref().clone();
                    let is_root = function != "abs" && function != BITWISE_NOT;
                    let operand = if is_root { cast(operand, DataType::DoublePrecision) } else { operand };
                    *expr = call(function, vec![operand]);
                }
            }
            Expr::Interval(interval) => {
                keep_number(&mut interval.value);
                if let Some(text) = interval_text(interval) {
                    let text = Expr::value(Value::SingleQuotedString(text));
                    *expr = cast(text, DataType::Interval { fields: None, precision: None });
                }
            }
            Expr::Like { .. } | Expr::ILike { .. } if any_pattern(expr).is_some() => {
                if let Some(operation) = any_pattern(expr) {
                    *expr = operation;
                }
            }
            Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
                if let Some(escape) = escape_char.take_if(|escape| !is_backslash(escape)) {
                    **pattern = call(LIKE_PATTERN, vec![pattern.as_ref().clone(), Expr::Value(escape)]);
                }
            }
            Expr::SimilarTo { negated, expr: value, pattern, escape_char } => {
                *expr = similar(*negated, value, pattern, escape_char.as_ref());
            }
            Expr::Trim { .. } | Expr::Overlay { .. } | Expr::Position { .. } | Expr::Substring { .. } => {
                if let Some(plain) = plain_call(expr) {
                    *expr = plain;
                }
            }
            Expr::IsNormalized { expr: value, form, negated } => {
                let form = form.map_or_else(|| "NFC".to_owned(), |form| form.to_string());
                let form = Expr::value(Value::SingleQuotedString(form));
                let normalized = call(IS_NORMALIZED, vec![value.as_ref().clone(), form]);
                *expr = if *negated { negation(normalized) } else { normalized };
            }
            Expr::CompoundFieldAccess { root, access_chain } => match subscripted(root, access_chain) {
                Ok(Some(element)) => *expr = element,
                Ok(None) => {}
                Err(error) => return ControlFlow::Break(Stop::Failed(error)),
            },
            Expr::Case { .. } if !any_query(expr) && any_expr(expr, is_unnest) => {
                return flow(Err(misplaced_rows("CASE")));
            }
            Expr::IsDistinctFrom(left, right) => *expr = operation(left, distinction(false), right),
            Expr::IsNotDistinctFrom(left, right) => *expr = operation(left, distinction(true), right),
            Expr::AnyOp { left, compare_op, right, .. } if !is_query(right) => {
                *expr = operation(left, Quantifier::Any.operator(compare_op), right);
            }
            Expr::AllOp { left, compare_op, right } if !is_query(right) => {
                *expr = operation(left, Quantifier::All.operator(compare_op), right);
            }
            Expr::Cast { expr: operand, data_type: DataType::Array(_), .. } => empty_as_text(operand),
            Expr::Function(function) => {
                if let Some(WindowType::WindowSpec(spec)) = &mut function.over {
                    keep_frame_numbers(spec);
                }
                if let [name] = function.name.0.as_slice()
                    && let Some(name) = name.as_ident()
                    && let Err(error) = check_defaults(&name.value, function)
                {
                    return ControlFlow::Break(Stop::Failed(error));
                }
                let is_coalesce = |name: &ObjectName| name.to_string().eq_ignore_ascii_case("coalesce");
                if is_coalesce(&function.name)
                    && !any_query(&function.args)
                    && any_expr(&function.args, is_unnest)
                {
                    return flow(Err(misplaced_rows("COALESCE")));
                }
                if let Some(rewritten) = rewrite_function(function) {
                    *expr = rewritten;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The function that an operator before its operand stands for.
fn prefix_function(op: UnaryOperator) -> Option<&'static str> {
    match op {
        UnaryOperator::PGAbs => Some("abs"),
        UnaryOperator::PGSquareRoot => Some("sqrt"),
        UnaryOperator::PGCubeRoot => Some("cbrt"),
        UnaryOperator::BitwiseNot => Some(BITWISE_NOT),
        _ => None,
    }
}

fn negation(expr: Expr) -> Expr {
    Expr::Nested(Box::new(Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) }))
}

/// `x SIMILAR TO p ESCAPE e` is `x ~ similar_to_escape(p, e)`.
fn similar(negated: bool, value: &Expr, pattern: &Expr, escape: Option<&ValueWithSpan>) -> Expr {
    let args = std::iter::once(pattern.clone()).chain(escape.cloned().map(Expr::Value));
    let (left, right) = (Box::new(value.clone()), Box::new(call(SIMILAR, args.collect())));
    let op = if negated { BinaryOperator::PGRegexNotMatch } else { BinaryOperator::PGRegexMatch };
    Expr::Nested(Box::new(Expr::BinaryOp { left, op, right }))
}

/// What has words between its arguments as a call, but for `substring` by positions.
fn plain_call(expr: &Expr) -> Option<Expr> {
    let is_text = |expr: &Expr| matches!(expr, Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)));
    Some(match expr {
        Expr::Trim { trim_where, trim_what, expr, trim_characters } => {
            let name = match trim_where {
                Some(TrimWhereField::Leading) => "ltrim",
                Some(TrimWhereField::Trailing) => "rtrim",
                _ => "btrim",
            };
            let set = trim_what.iter().map(|set| set.as_ref().clone());
            let set = set.chain(trim_characters.iter().flatten().cloned());
            call(name, std::iter::once(expr.as_ref().clone()).chain(set).collect())
        }
        Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
            let given = [expr, overlay_what, overlay_from].into_iter().chain(overlay_for);
            call("overlay", given.map(|arg| arg.as_ref().clone()).collect())
        }
        Expr::Position { expr, r#in } => call("strpos", vec![r#in.as_ref().clone(), expr.as_ref().clone()]),
        Expr::Substring { expr, substring_from: Some(pattern), substring_for: Some(escape), .. }
            if is_text(escape) =>
        {
            let pattern = call(SIMILAR, vec![pattern.as_ref().clone(), escape.as_ref().clone()]);
            call("substring", vec![expr.as_ref().clone(), pattern])
        }
        _ => return None,
    })
}

fn is_backslash(value: &ValueWithSpan) -> bool {
    matches!(&value.value, Value::SingleQuotedString(text) if text == "\\")
}

/// A number with its type spelled out, or `None` where DataFusion gives it PostgreSQL's. The type `Int32`,
/// which PostgreSQL has not, tells the cast of a literal from one that the user wrote.
fn typed_literal(literal: &Expr, digits: &str) -> Option<Expr> {
    let digits = digits.replace('_', "");
    if digits.parse::<i32>().is_ok() {
        return Some(cast(literal.clone(), DataType::Int32));
    }
    if digits.parse::<i64>().is_ok() {
        return None;
    }
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (digits.as_str(), 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let scale = (fraction.len() as i64).saturating_sub(exponent).max(0);
    let whole = (whole.trim_start_matches('0').len() as i64).saturating_add(exponent).max(0);
    let precision = whole.saturating_add(scale).max(1);
    let text = Expr::value(Value::SingleQuotedString(digits.clone()));
    if precision > 38 {
        // Beyond our decimals: near enough as a double.
        return Some(cast(text, DataType::DoublePrecision));
    }
    let is_plain = exponent == 0 && digits.contains('.');
    let exact = DataType::Numeric(ExactNumberInfo::PrecisionAndScale(precision as u64, scale));
    (!is_plain).then(|| cast(text, exact))
}

pub(crate) fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::DoubleColon, expr: Box::new(expr), data_type, array: false, format: None }
}

fn typed_number(expr: &Expr) -> Option<(&Expr, &DataType)> {
    match expr {
        Expr::Cast { expr, data_type: data_type @ DataType::Int32, .. } => {
            let number = matches!(&**expr, Expr::Value(value) if matches!(value.value, Value::Number(..)));
            number.then_some((&**expr, data_type))
        }
        _ => None,
    }
}

/// Undoes the cast of a number where a bare number means something else: a position, a count of rows.
fn keep_number(expr: &mut Expr) {
    if let Some((number, DataType::Int32)) = typed_number(expr) {
        *expr = number.clone();
    }
}

fn keep_frame_numbers(spec: &mut WindowSpec) {
    let Some(frame) = &mut spec.window_frame else { return };
    for bound in std::iter::once(&mut frame.start_bound).chain(frame.end_bound.as_mut()) {
        if let WindowFrameBound::Preceding(Some(rows)) | WindowFrameBound::Following(Some(rows)) = bound {
            keep_number(rows);
        }
    }
}

/// DataFusion does not run subqueries inside VALUES; a UNION ALL of SELECTs says the same.
fn values_as_selects(values: &Values) -> Option<SetExpr> {
    let template = crate::parse("SELECT 1").ok()?.pop()?;
    let Statement::Query(template) = template.ast else { return None };
    let SetExpr::Select(template) = *template.body else { return None };
    let select = |row: &Vec<Expr>| {
        let named = row.iter().enumerate().map(|(position, expr)| SelectItem::ExprWithAlias {
            expr: expr.clone(),
            alias: Ident::new(format!("column{}", position + 1)),
        });
        SetExpr::Select(Box::new(Select { projection: named.collect(), ..template.as_ref().clone() }))
    };
    let rows = values.rows.iter().map(|row| select(&row.content));
    rows.reduce(|left, right| SetExpr::SetOperation {
        op: SetOperator::Union,
        set_quantifier: SetQuantifier::All,
        left: Box::new(left),
        right: Box::new(right),
    })
}

/// HAVING alone makes one group of all rows, which DataFusion sees only where there is an aggregate.
fn group_for_having(select: &mut Select) {
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(exprs, _) if exprs.is_empty());
    let Some(having) = select.having.take() else { return };
    select.having = Some(if grouped || calls_function(&having) {
        having
    } else {
        let count = call("count", vec![Expr::value(Value::Boolean(true))]);
        let always = Expr::IsNotNull(Box::new(count));
        let (left, right) = (Box::new(Expr::Nested(Box::new(having))), Box::new(always));
        Expr::BinaryOp { left, op: BinaryOperator::And, right }
    });
}

fn calls_function(expr: &Expr) -> bool {
    any_expr(expr, |expr| matches!(expr, Expr::Function(_)))
}

/// A column of VALUES with one float is a column of floats; DataFusion would make it decimal as soon as one
/// literal is.
fn spread_float_types(values: &mut Values) {
    let is_float = |data_type: &DataType| {
        matches!(data_type, DataType::Float8 | DataType::DoublePrecision | DataType::Float4 | DataType::Real)
    };
    let width = values.rows.first().map_or(0, |row| row.content.len());
    for column in 0..width {
        let declared = values.rows.iter().find_map(|row| match row.content.get(column)? {
            Expr::Cast { data_type, .. } if is_float(data_type) => Some(data_type.clone()),
            _ => None,
        });
        let Some(declared) = declared else { continue };
        for cell in values.rows.iter_mut().filter_map(|row| row.content.get_mut(column)) {
            if !matches!(cell, Expr::Cast { data_type, .. } if is_float(data_type)) {
                *cell = cast(cell.clone(), declared.clone());
            }
        }
    }
}

/// String literals in a column of VALUES with one of a type that DataFusion finds nothing in common with are of that type.
fn spread_casts(values: &mut Values, types: &Types) {
    let apart = |expr: &Expr| match expr {
        Expr::Cast { data_type, .. } | Expr::TypedString(TypedString { data_type, .. }) => {
            let apart = |sql_type| stands_apart(sql_type) || is_temporal(sql_type);
            sql_type(data_type, types).is_ok_and(apart).then(|| data_type.clone())
        }
        _ => None,
    };
    let width = values.rows.first().map_or(0, |row| row.content.len());
    for column in 0..width {
        let mut cells = values.rows.iter().filter_map(|row| row.content.get(column));
        let Some(data_type) = cells.find_map(apart) else { continue };
        for cell in values.rows.iter_mut().filter_map(|row| row.content.get_mut(column)) {
            if matches!(cell, Expr::Value(literal) if literal.value.clone().into_string().is_some()) {
                *cell = cast(cell.clone(), data_type.clone());
            }
        }
    }
}

/// The text of an interval literal.
pub(crate) fn interval_text(interval: &Interval) -> Option<String> {
    let Expr::Value(value) = interval.value.as_ref() else { return None };
    let text = match &value.value {
        Value::SingleQuotedString(text) | Value::Number(text, _) => text,
        _ => return None,
    };
    Some(match (&interval.leading_field, &interval.last_field) {
        (Some(unit), None) if text.trim().parse::<f64>().is_ok() => format!("{text} {unit}").to_lowercase(),
        _ => text.clone(),
    })
}

/// `FETCH FIRST n ROWS ONLY` is `LIMIT n`.
fn fetch_as_limit(query: &mut Query) -> Result<()> {
    let Some(Fetch { with_ties, percent, quantity }) = query.fetch.take() else { return Ok(()) };
    if percent {
        return Err(SqlError::unsupported("FETCH with PERCENT"));
    }
    let one = || Expr::value(Value::Number("1".to_owned(), false));
    let mut rows = quantity.unwrap_or_else(one);
    if with_ties {
        rows = with_ties::marked(rows);
    }
    match &mut query.limit_clause {
        None => {
            query.limit_clause =
                Some(LimitClause::LimitOffset { limit: Some(rows), offset: None, limit_by: Vec::new() });
        }
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => *limit = Some(rows),
        Some(_) => return Err(SqlError::new(SqlState::SYNTAX_ERROR, "multiple LIMIT clauses not allowed")),
    }
    Ok(())
}

/// Gives every output column the name that PostgreSQL gives it. Names that occur twice, which
/// DataFusion refuses, get a mark that [`BoundQuery::columns`](crate::BoundQuery::columns) takes off again.
fn name_outputs(select: &mut Select) {
    qualify_having(select);
    let in_having = select.having.as_ref().map(identifiers).unwrap_or_default();
    let wildcards = wildcards(&select.projection);
    let mut taken = HashSet::new();
    for (position, item) in select.projection.iter_mut().enumerate() {
        let (expr, name, explicit) = match item {
            SelectItem::UnnamedExpr(expr) => (&*expr, output_name(expr), false),
            SelectItem::ExprWithAlias { expr, alias } => (&*expr, fold(alias), true),
            _ => continue,
        };
        let column = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
        // HAVING sees input columns only, DataFusion's sees output names first.
        let clashes = !taken.insert(name.clone())
            || (!column && in_having.contains(&name))
            || (column && !explicit && wildcards.iter().any(|table| is_column_of(expr, table.as_deref())));
        let alias = match (clashes, column && !explicit) {
            (false, true) => continue,
            (false, false) => name,
            (true, _) => format!("{name}{UNNAMED_MARK}{position}"),
        };
        let alias = Ident::with_quote('"', alias);
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
}

/// The tables all of whose columns are named; `None` stands for every table.
fn wildcards(projection: &[SelectItem]) -> Vec<Option<String>> {
    let table = |item: &SelectItem| match item {
        SelectItem::Wildcard(_) => Some(None),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
            Some(name.0.last().and_then(|part| part.as_ident()).map(fold))
        }
        SelectItem::QualifiedWildcard(..) => Some(None),
        _ => None,
    };
    projection.iter().filter_map(table).collect()
}

/// Whether a column may be one of a table, or of any.
fn is_column_of(column: &Expr, table: Option<&str>) -> bool {
    match (column, table) {
        (Expr::CompoundIdentifier(parts), Some(table)) => {
            parts.iter().rev().nth(1).is_none_or(|qualifier| fold(qualifier) == table)
        }
        _ => true,
    }
}

/// HAVING sees input columns only; DataFusion's sees output names first, unless the column is qualified.
fn qualify_having(select: &mut Select) {
    let [TableWithJoins { relation, joins }] = select.from.as_slice() else { return };
    let qualifier = match relation {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            alias.name.clone()
        }
        TableFactor::Table { name, .. } => match name.0.last().and_then(|part| part.as_ident()) {
            Some(name) => name.clone(),
            None => return,
        },
        _ => return,
    };
    let (true, Some(having)) = (joins.is_empty(), &mut select.having) else { return };
    if any_query(having) {
        return;
    }
    change_exprs(having, |expr| {
        if let Expr::Identifier(column) = expr {
            *expr = Expr::CompoundIdentifier(vec![qualifier.clone(), column.clone()]);
        }
    });
}

fn identifiers(expr: &Expr) -> HashSet<String> {
    let mut found = HashSet::new();
    any_expr(expr, |expr| {
        if let Expr::Identifier(ident) = expr {
            found.insert(fold(ident));
        }
        false
    });
    found
}

fn rewrite_function(function: &Function) -> Option<Expr> {
    let [part] = function.name.0.as_slice() else { return without_schema(function) };
    match fold(part.as_ident()?).as_str() {
        "avg" => Some(average(function)),
        "count" => count_rows(function),
        "mod" => modulo(function),
        "width_bucket" => {
            unnamed_arguments(function).filter(|args| args.len() == 4).map(|args| call(RANGE_BUCKET, args))
        }
        "normalize" => normalize(function),
        "regexp_split_to_table" => {
            let array = call("regexp_split_to_array", unnamed_arguments(function)?);
            Some(call("unnest", vec![array]))
        }
        "regexp_matches" => Some(call("unnest", vec![call(REGEXP_ROWS, unnamed_arguments(function)?)])),
        "concat" | "concat_ws" | "format" | "num_nulls" | "num_nonnulls" => variadic(function),
        name => type_function(name, function)
            .or_else(|| set_returning::in_list(name, function))
            .or_else(|| json_aggregates::rewritten(name, function))
            .or_else(|| rewritten_aggregate(name, function))
            .or_else(|| built_json(name, function)),
    }
}

/// `normalize(x, NFC)`
fn normalize(function: &Function) -> Option<Expr> {
    let args = unnamed_arguments(function)?;
    let [value, Expr::Identifier(form)] = args.as_slice() else { return None };
    let form = Expr::value(Value::SingleQuotedString(form.value.clone()));
    Some(call("normalize", vec![value.clone(), form]))
}

/// A call with the elements of an array as its last arguments.
fn variadic(function: &Function) -> Option<Expr> {
    let name = fold(function.name.0.last()?.as_ident()?);
    let mut args = unnamed_arguments(function)?;
    let array = match args.pop() {
        Some(Expr::UnaryOp { op: UnaryOperator::PGPrefixFactorial, expr: array }) => array,
        Some(last) if name.starts_with("num_") => {
            return Some(counted(&name, args.into_iter().chain([last])));
        }
        _ => return None,
    };
    let null = || Expr::value(Value::Null);
    let text = |text: &str| Expr::value(Value::SingleQuotedString(text.to_owned()));
    let array = *array;
    match (name.as_str(), args.as_slice()) {
        ("concat", []) => Some(call("array_to_string", vec![array, text("")])),
        ("concat_ws", [separator]) => Some(call("array_to_string", vec![array, separator.clone()])),
        ("format", [template]) => {
            let element = Box::new(DataType::Text);
            let texts = DataType::Array(ArrayElemTypeDef::SquareBracket(element, None));
            Some(call(FORMAT_OF_ARRAY, vec![template.clone(), cast(array, texts)]))
        }
        ("num_nulls", []) => Some(call("cardinality", vec![call("array_positions", vec![array, null()])])),
        ("num_nonnulls", []) => Some(call("cardinality", vec![call("array_remove", vec![array, null()])])),
        _ => None,
    }
}

/// `num_nulls(a, b)` is `(a IS NULL)::int + (b IS NULL)::int`.
fn counted(name: &str, args: impl Iterator<Item = Expr>) -> Expr {
    let is_counted = |arg: Expr| {
        let arg = Box::new(Expr::Nested(Box::new(arg)));
        let test = if name == "num_nulls" { Expr::IsNull(arg) } else { Expr::IsNotNull(arg) };
        cast(Expr::Nested(Box::new(test)), DataType::Int(None))
    };
    let sum = args.map(is_counted).reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::Plus,
        right: Box::new(right),
    });
    Expr::Nested(Box::new(sum.unwrap_or_else(|| Expr::value(Value::Null))))
}

/// `float8(x)` is a cast, where a type goes by the name that functions go by.
fn type_function(name: &str, function: &Function) -> Option<Expr> {
    let data_type = match name {
        "bool" => DataType::Bool,
        "int2" => DataType::Int2(None),
        "int4" => DataType::Int4(None),
        "int8" => DataType::Int8(None),
        "float4" => DataType::Float4,
        "float8" => DataType::Float8,
        "numeric" => DataType::Numeric(ExactNumberInfo::None),
        "text" => DataType::Text,
        _ => return None,
    };
    let [value] = <[Expr; 1]>::try_from(unnamed_arguments(function)?).ok()?;
    Some(cast(value, data_type))
}

/// `pg_catalog.lower(x)` is `lower(x)`, and `public.f(x)` is `f(x)`.
fn without_schema(function: &Function) -> Option<Expr> {
    let [schema, name] = function.name.0.as_slice() else { return None };
    ["pg_catalog", "public"].contains(&fold(schema.as_ident()?).as_str()).then(|| {
        let function = Function { name: ObjectName(vec![name.clone()]), ..function.clone() };
        rewrite_function(&function).unwrap_or(Expr::Function(function))
    })
}

/// `avg(x)` is a sum over a count under the same DISTINCT, FILTER and OVER, so that nothing downstream
/// has to know averages.
fn average(function: &Function) -> Expr {
    let part = |name: &str| {
        let name = ObjectName::from(vec![Ident::new(name)]);
        Expr::Function(Function { name, ..function.clone() })
    };
    call(AVERAGE, vec![part("sum"), part("count")])
}

/// `f(VARIADIC array)` of the functions that build JSON, and `array_to_json(array, true)`.
fn built_json(name: &str, function: &Function) -> Option<Expr> {
    const BUILD: [&str; 4] =
        ["json_build_array", "jsonb_build_array", "json_build_object", "jsonb_build_object"];
    let args = unnamed_arguments(function)?;
    match args.as_slice() {
        [Expr::UnaryOp { op: UnaryOperator::PGPrefixFactorial, expr }] if BUILD.contains(&name) => {
            Some(call(&format!("${name}_variadic"), vec![expr.as_ref().clone()]))
        }
        [array, Expr::Value(pretty)] if name == "array_to_json" => match pretty.value {
            Value::Boolean(true) => Some(call(PRETTY_ARRAY, vec![array.clone()])),
            Value::Boolean(false) => Some(call(name, vec![array.clone()])),
            _ => None,
        },
        _ => None,
    }
}

/// `count(1)` is `count(*)`, and DataFusion gives both one name.
fn count_rows(function: &Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = list.args.as_slice() else { return None };
    if list.duplicate_treatment.is_some() || typed_number(argument).is_none() {
        return None;
    }
    let mut list = list.clone();
    list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Wildcard)];
    Some(Expr::Function(Function { args: FunctionArguments::List(list), ..function.clone() }))
}

/// DataFusion takes all `unnest` of subqueries in a list for one, since it gives them one name.
fn check_unnests(projection: &[SelectItem]) -> Result<()> {
    let mut unnests = 0;
    let is_second = |expr: &Expr| {
        let Expr::Function(function) = expr else { return false };
        let is_unnest =
            function.name.0.last().and_then(|name| name.as_ident()).map(fold).as_deref() == Some("unnest");
        unnests += usize::from(is_unnest && any_query(expr));
        unnests > 1
    };
    match any_expr(&projection.to_vec(), is_second) {
        true => Err(SqlError::unsupported("unnest of several subqueries in one list")),
        false => Ok(()),
    }
}

fn is_unnest(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(function) if function.name.to_string().trim_matches('"') == "unnest")
}

fn misplaced_rows(place: &str) -> SqlError {
    let message = format!("set-returning functions are not allowed in {place}");
    SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
        .with_hint("You might be able to move the set-returning function into a LATERAL FROM item.")
}

fn is_query(expr: &Expr) -> bool {
    matches!(expr, Expr::Subquery(_))
}

/// `left op right`, with an operator that the parser has no such node for.
fn operation(left: &Expr, op: BinaryOperator, array: &Expr) -> Expr {
    let (left, right) = (Box::new(left.clone()), Box::new(array.clone()));
    Expr::Nested(Box::new(Expr::BinaryOp { left, op, right }))
}

/// `x LIKE ANY (array)` and `x LIKE ALL (array)`, the second of which the parser takes for a call of `all`.
fn any_pattern(expr: &Expr) -> Option<Expr> {
    let (negated, any, left, pattern, symbol) = match expr {
        Expr::Like { negated, any, expr, pattern, escape_char: None } => {
            (*negated, *any, expr, pattern, "~~")
        }
        Expr::ILike { negated, any, expr, pattern, escape_char: None } => {
            (*negated, *any, expr, pattern, "~~*")
        }
        _ => return None,
    };
    let op = BinaryOperator::Custom(if negated { format!("!{symbol}") } else { symbol.to_owned() });
    match pattern.as_ref() {
        array if any => Some(operation(left, Quantifier::Any.operator(&op), array)),
        Expr::Function(function) if matches!(function.name.0.as_slice(), [name] if is_all(name)) => {
            let [array] = <[Expr; 1]>::try_from(unnamed_arguments(function)?).ok()?;
            Some(operation(left, Quantifier::All.operator(&op), &array))
        }
        _ => None,
    }
}

fn is_all(name: &ObjectNamePart) -> bool {
    name.as_ident().is_some_and(|name| name.quote_style.is_none() && fold(name) == "all")
}

/// `ARRAY[]` has a type only by a cast, as `'{}'` has.
fn empty_as_text(array: &mut Expr) {
    let mut inner = &*array;
    while let Expr::Nested(nested) = inner {
        inner = nested;
    }
    if matches!(inner, Expr::Array(array) if array.elem.is_empty()) {
        *array = Expr::value(Value::SingleQuotedString("{}".to_owned()));
    }
}

/// A subscript. A parameter that stands there is an integer.
fn number(expr: &Expr) -> Expr {
    match expr {
        Expr::Value(value) if matches!(value.value, Value::Placeholder(_)) => {
            cast(expr.clone(), DataType::Int(None))
        }
        _ => expr.clone(),
    }
}

/// The column of a table that an access begins with, as `t.a[n]` does, and the rest.
fn column_first<'a>(root: &Expr, chain: &'a [AccessExpr]) -> (Expr, &'a [AccessExpr]) {
    let (Expr::Identifier(table), [AccessExpr::Dot(Expr::Identifier(column)), rest @ ..]) = (root, chain)
    else {
        return (root.clone(), chain);
    };
    (Expr::CompoundIdentifier(vec![table.clone(), column.clone()]), rest)
}

/// `array[n]` and `array[m:n]` as calls.
fn subscripted(root: &Expr, chain: &[AccessExpr]) -> Result<Option<Expr>> {
    let (root, chain) = &column_first(root, chain);
    let index = |access: &AccessExpr| match access {
        AccessExpr::Subscript(Subscript::Index { index }) => Some(number(index)),
        _ => None,
    };
    match chain {
        [AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride: None })] => {
            let bound = |given: &Option<Expr>, open: i32| match given {
                Some(given) => number(given),
                None => cast(Expr::value(Value::Number(open.to_string(), false)), DataType::Int32),
            };
            let bounds = [bound(lower_bound, 1), bound(upper_bound, i32::MAX)];
            Ok(Some(call(SLICE, std::iter::once(root.clone()).chain(bounds).collect())))
        }
        [_, _, ..]
            if chain
                .iter()
                .any(|access| matches!(access, AccessExpr::Subscript(Subscript::Slice { .. }))) =>
        {
            Err(SqlError::unsupported("a slice along several dimensions"))
        }
        [] => Ok(None),
        _ => Ok(chain.iter().map(index).collect::<Option<_>>().and_then(|indexes| element(root, indexes))),
    }
}

/// `array[n]`. An element of a `regexp_match` needs no array.
fn element(root: &Expr, indexes: Vec<Expr>) -> Option<Expr> {
    let mut array = root;
    while let Expr::Nested(inner) = array {
        array = inner;
    }
    let of_match = |function: &&Function| {
        let name = function.name.0.as_slice();
        matches!(name, [name] if name.as_ident().is_some_and(|name| fold(name) == "regexp_match"))
    };
    let mut args = match array {
        Expr::Function(function) if of_match(&function) => unnamed_arguments(function)?,
        _ => return Some(call(SUBSCRIPT, std::iter::once(array.clone()).chain(indexes).collect())),
    };
    let [index] = <[Expr; 1]>::try_from(indexes).ok()?;
    args.push(index);
    Some(call(REGEXP_GROUP, args))
}

pub(crate) fn unnamed_arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let exprs = list.args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    exprs.collect()
}

/// `mod(x, y)` is `x % y`.
fn modulo(function: &Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let [
        FunctionArg::Unnamed(FunctionArgExpr::Expr(left)),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(right)),
    ] = list.args.as_slice()
    else {
        return None;
    };
    let (left, right) = (Box::new(left.clone()), Box::new(right.clone()));
    Some(Expr::Nested(Box::new(Expr::BinaryOp { left, op: BinaryOperator::Modulo, right })))
}

/// A call of a function by its plain name.
pub(crate) fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::with_quote('"', name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
