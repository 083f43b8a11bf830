//! CREATE and DROP FUNCTION.

use std::sync::Arc;

use springtide_catalog::{Catalog, Function, Name, Parameter, Relation, RelationKind};
use springtide_sql::Planner;
use springtide_sql::sqlparser::ast::{
    ArgMode, CreateFunction, CreateFunctionBody, DataType, DropBehavior, DropFunction, Expr,
    FunctionCalledOnNull, FunctionDesc, Ident, OperateFunctionArg, Statement, Value,
};
use springtide_types::{Result, SqlError, SqlState, SqlType};

use super::{Context, ast, function_result};
use crate::notice::Notice;
use crate::response::Response;
use crate::transaction::Transaction;

/// CREATE \[OR REPLACE\] FUNCTION.
pub(super) fn create(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    create: &CreateFunction,
) -> Result<Response> {
    let mut catalog = transaction.catalog();
    let declared = declared(create, &catalog)?;
    let types = declared.types().collect::<Vec<_>>();
    let known = catalog.function_in(declared.in_schema, &declared.name, &types).cloned();
    match known.filter(|_| create.or_replace) {
        Some(known) => {
            let function = Function { id: known.id, ..declared };
            replace(context.planner, &mut catalog, &known, function)?;
        }
        None => {
            catalog.create_function(declared.clone())?;
            context.planner.check_function(&declared, &catalog)?;
        }
    }
    transaction.set_catalog(catalog);
    Ok(Response::complete("CREATE FUNCTION"))
}

/// Plain views follow the new definition; materialized ones hold results of the old one.
fn replace(planner: &Planner, catalog: &mut Catalog, known: &Function, function: Function) -> Result<()> {
    check_replaceable(known, &function)?;
    if *known == function {
        return Ok(());
    }
    let views = catalog.dependent_views(&[function.id]);
    refuse_maintained(&function, &views.iter().rev().map(AsRef::as_ref).collect::<Vec<_>>())?;
    catalog.replace_function(function.clone());
    planner.check_function(&function, catalog)?;
    for view in views.iter().rev().filter(|view| view.functions.contains(&function.id)) {
        if let RelationKind::View { query } = &view.kind {
            let bound = planner.bind(&ast::parse_query(query)?, &catalog.for_stored(), &[])?;
            let (depends_on, functions) = (bound.depends_on().to_vec(), bound.functions().to_vec());
            let types = bound.types().to_vec();
            catalog.replace(Relation { depends_on, functions, types, ..view.as_ref().clone() });
        }
    }
    Ok(())
}

fn check_replaceable(known: &Function, function: &Function) -> Result<()> {
    let message = if (known.returns, &known.rows) != (function.returns, &function.rows) {
        "cannot change return type of existing function".to_owned()
    } else {
        let mut pairs = known.parameters.iter().zip(&function.parameters);
        match pairs.find(|(known, new)| known.name.is_some() && known.name != new.name) {
            Some((Parameter { name, .. }, _)) => {
                format!("cannot change name of input parameter \"{}\"", name.as_deref().unwrap_or_default())
            }
            None => return Ok(()),
        }
    };
    Err(SqlError::new(SqlState::INVALID_FUNCTION_DEFINITION, message)
        .with_hint(format!("Use DROP FUNCTION {} first.", known.signature())))
}

fn refuse_maintained(function: &Function, dependents: &[&Relation]) -> Result<()> {
    let maintained =
        dependents.iter().filter(|view| matches!(view.kind, RelationKind::MaterializedView { .. }));
    let lines = maintained
        .map(|view| format!("materialized view {} uses function {}", view.name, function.signature()));
    let lines = lines.collect::<Vec<_>>();
    if lines.is_empty() {
        return Ok(());
    }
    let message =
        format!("cannot replace function {} because materialized views use it", function.signature());
    Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
        .with_detail(lines.join("\n"))
        .with_hint("Drop the views first, or give the new function another name."))
}

fn declared(create: &CreateFunction, catalog: &Catalog) -> Result<Function> {
    refuse_unsupported(create)?;
    let arguments = create.args.as_deref().unwrap_or_default();
    let name = springtide_sql::object_name(&create.name)?;
    let in_schema = catalog.schema_of_new(&name)?;
    let (returns, rows) =
        function_result::declared(create.return_type.as_ref(), arguments, catalog, &name.name)?;
    Ok(Function {
        id: catalog.next_function_id(),
        in_schema,
        name: name.name,
        parameters: parameters(arguments, catalog)?,
        returns,
        rows,
        strict: matches!(
            create.called_on_null,
            Some(FunctionCalledOnNull::Strict | FunctionCalledOnNull::ReturnsNullOnNullInput)
        ),
        body: qualified_body(catalog, body(create)?)?,
    })
}

/// The body of a function as it is kept, with its names as they are meant now. What is no query is refused elsewhere.
fn qualified_body(catalog: &Catalog, body: String) -> Result<String> {
    let Ok(mut query) = ast::parse_query(&body) else { return Ok(body) };
    let changed = springtide_sql::qualified(catalog).query(&mut query)?;
    Ok(if changed { query.to_string() } else { body })
}

fn refuse_unsupported(create: &CreateFunction) -> Result<()> {
    let construct = if create.temporary {
        "CREATE TEMPORARY FUNCTION"
    } else if create.or_alter {
        "CREATE OR ALTER FUNCTION"
    } else if create.if_not_exists {
        "CREATE FUNCTION IF NOT EXISTS"
    } else if !create.set_params.is_empty() {
        "CREATE FUNCTION ... SET"
    } else {
        return Ok(());
    };
    Err(SqlError::unsupported(construct))
}

fn parameters(declared: &[OperateFunctionArg], catalog: &Catalog) -> Result<Vec<Parameter>> {
    let mut parameters = Vec::<Parameter>::new();
    for argument in declared.iter().filter(|argument| argument.mode != Some(ArgMode::Out)) {
        check_mode(argument)?;
        if argument.default_expr.is_some() {
            return Err(SqlError::unsupported("a DEFAULT of a function parameter"));
        }
        let name = argument.name.as_ref().map(parameter_name);
        if name.is_some() && parameters.iter().any(|other| other.name == name) {
            let message =
                format!("parameter name \"{}\" used more than once", name.as_deref().unwrap_or_default());
            return Err(SqlError::new(SqlState::INVALID_FUNCTION_DEFINITION, message));
        }
        parameters.push(Parameter { name, sql_type: unconstrained(&argument.data_type, catalog)? });
    }
    Ok(parameters)
}

fn check_mode(argument: &OperateFunctionArg) -> Result<()> {
    match &argument.mode {
        None | Some(ArgMode::In | ArgMode::InOut) => Ok(()),
        Some(other) => Err(SqlError::unsupported(format!("a function parameter that is {other}"))),
    }
}

/// The parser leaves the quotes on a quoted name.
pub(super) fn parameter_name(name: &Ident) -> String {
    match name.value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => ast::fold(name),
    }
}

/// Functions do not heed the length or precision of their parameters and results.
pub(super) fn unconstrained(declared: &DataType, catalog: &Catalog) -> Result<SqlType> {
    if springtide_sql::types_domain(declared, catalog.types()).is_some() {
        let hint = "Use the type that it is made of, and cast in the body.";
        return Err(SqlError::unsupported("a parameter or result of a domain").with_hint(hint));
    }
    springtide_sql::sql_type(declared, catalog.types()).map(SqlType::unconstrained)
}

/// The text of the query that the function is.
fn body(create: &CreateFunction) -> Result<String> {
    let invalid = |message: &str| SqlError::new(SqlState::INVALID_FUNCTION_DEFINITION, message);
    check_language(create.language.as_ref())?;
    match &create.function_body {
        Some(CreateFunctionBody::Return(expr)) => Ok(format!("SELECT {expr}")),
        Some(CreateFunctionBody::AsBeforeOptions { body: Expr::Value(text), link_symbol: None }) => {
            if create.language.is_none() {
                return Err(invalid("no language specified"));
            }
            match &text.value {
                Value::SingleQuotedString(text) => Ok(text.clone()),
                Value::DollarQuotedString(text) => Ok(text.value.clone()),
                other => Err(SqlError::unsupported(format!("the function body {other}"))),
            }
        }
        Some(CreateFunctionBody::AsBeforeOptions { link_symbol: Some(_), .. }) => {
            Err(invalid("only one AS item needed for language \"sql\""))
        }
        Some(_) => Err(SqlError::unsupported("this kind of function body")),
        None => Err(invalid("no function body specified")),
    }
}

fn check_language(language: Option<&Ident>) -> Result<()> {
    let Some(language) = language.map(|language| language.value.to_lowercase()) else { return Ok(()) };
    match language.as_str() {
        "sql" => Ok(()),
        "plpgsql" | "c" | "internal" => {
            Err(SqlError::unsupported(format!("the language {language}")).with_hint("Use LANGUAGE SQL."))
        }
        _ => {
            let message = format!("language \"{language}\" does not exist");
            Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message))
        }
    }
}

/// DROP FUNCTION.
pub(super) fn drop(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    drop: &DropFunction,
) -> Result<Response> {
    let mut catalog = transaction.catalog();
    let mut ids = Vec::new();
    for description in &drop.func_desc {
        match find(&catalog, description) {
            Ok(function) => ids.push(function.id),
            Err(error) if drop.if_exists && error.sqlstate == SqlState::UNDEFINED_FUNCTION => {
                let name = springtide_sql::object_name(&description.name)?;
                let types = types(description, &catalog)?.unwrap_or_default();
                let what = signature(&name, &types);
                let message = format!("function {what} does not exist, skipping");
                context.notices.push(Notice::new(message));
            }
            Err(error) => return Err(error),
        }
    }
    if !ids.is_empty() {
        let cascade = drop.drop_behavior == Some(DropBehavior::Cascade);
        context.notices.extend(Notice::of_cascade(&catalog.drop_functions(&ids, cascade)?));
        transaction.set_catalog(catalog);
    }
    Ok(Response::complete("DROP FUNCTION"))
}

/// The function that a text names, such as `s.f(integer)`.
pub(super) fn named(catalog: &Catalog, text: &str) -> Result<Arc<Function>> {
    let parsed =
        springtide_sql::parse(&format!("DROP FUNCTION {text}"))?.pop().map(|statement| statement.ast);
    match parsed {
        Some(Statement::DropFunction(drop)) if drop.func_desc.len() == 1 => find(catalog, &drop.func_desc[0]),
        _ => Err(SqlError::new(SqlState::SYNTAX_ERROR, format!("\"{text}\" is not a function"))),
    }
}

fn find(catalog: &Catalog, description: &FunctionDesc) -> Result<Arc<Function>> {
    let name = springtide_sql::object_name(&description.name)?;
    let found = match types(description, catalog)? {
        Some(types) => catalog.function(&name, &types).ok_or_else(|| {
            let message = format!("function {} does not exist", signature(&name, &types));
            SqlError::new(SqlState::UNDEFINED_FUNCTION, message)
        })?,
        None => match catalog.functions(&name).as_slice() {
            [] => {
                let message = format!("could not find a function named \"{name}\"");
                return Err(SqlError::new(SqlState::UNDEFINED_FUNCTION, message));
            }
            [function] => function.clone(),
            _ => {
                let message = format!("function name \"{name}\" is not unique");
                let hint = "Specify the argument list to select the function unambiguously.";
                return Err(SqlError::new(SqlState::AMBIGUOUS_FUNCTION, message).with_hint(hint));
            }
        },
    };
    Ok(found)
}

/// The types of the parameters, if they are given.
fn types(description: &FunctionDesc, catalog: &Catalog) -> Result<Option<Vec<SqlType>>> {
    let Some(arguments) = &description.args else { return Ok(None) };
    let given = arguments.iter().map(|argument| unconstrained(&argument.data_type, catalog));
    given.collect::<Result<_>>().map(Some)
}

fn signature(name: &Name, types: &[SqlType]) -> String {
    let types = types.iter().map(ToString::to_string).collect::<Vec<_>>();
    format!("{name}({})", types.join(", "))
}
