//! CREATE DOMAIN and ALTER DOMAIN.

use springtide_catalog::{
    Catalog, Column, Default, Domain, DomainCheck, RelationKind, Securable, TypeKind, UserType,
};
use springtide_sql::Planner;
use springtide_sql::sqlparser::ast::{Expr, Function, SelectItem};
use springtide_types::{Result, SqlError, SqlState, SqlType};

use super::call::{texts, unknown};
use super::permission::must_own;
use super::{Context, ast, checks, ddl, rename_type};
use crate::notice::Notice;
use crate::response::Response;
use crate::transaction::Transaction;

/// The procedures that stand for statements about domains.
pub(crate) const DOMAIN_CALLS: [&str; 2] = ["springtide.create_domain", "springtide.alter_domain"];

/// Runs a statement about domains.
pub(super) async fn run(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    call: &Function,
) -> Result<Response> {
    let texts = texts(call)?;
    let mut catalog = transaction.catalog();
    let [name, rest @ ..] = texts.as_slice() else { return Err(unknown(call)) };
    let name = springtide_sql::type_name(&ast::parse_name(name)?)?;
    let tag = if call.name.to_string() == DOMAIN_CALLS[0] {
        let [declared, options @ ..] = rest else { return Err(unknown(call)) };
        create(context.planner, &mut catalog, &name, declared, options)?;
        "CREATE DOMAIN"
    } else {
        let &[kind, constraint, text] = rest else { return Err(unknown(call)) };
        let known = domain_named(&catalog, &name)?;
        must_own(&catalog, transaction.identity().current, Securable::Type(known.id))?;
        alter(context, transaction, &mut catalog, &known, (kind, constraint, text)).await?;
        "ALTER DOMAIN"
    };
    transaction.set_catalog(catalog);
    Ok(Response::complete(tag))
}

fn domain_named(catalog: &Catalog, name: &str) -> Result<UserType> {
    let known = catalog.get_type(name)?;
    match known.domain() {
        Some(_) => Ok(known.as_ref().clone()),
        None => {
            let message = format!("\"{name}\" is not a domain");
            Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message))
        }
    }
}

fn create(
    planner: &Planner,
    catalog: &mut Catalog,
    name: &str,
    declared: &str,
    options: &[&str],
) -> Result<()> {
    let data_type = ast::parse_type(declared)?;
    let base = springtide_sql::sql_type(&data_type, catalog.types())?;
    let over = springtide_sql::types_domain(&data_type, catalog.types()).map(|domain| domain.id);
    let mut domain = Domain { base, over, not_null: false, default: None, checks: Vec::new(), numbers: 0 };
    let mut is_null = false;
    for option in options.chunks(3) {
        match *option {
            ["not null", ..] => domain.not_null = true,
            ["null", ..] => is_null = true,
            ["default", _, _] if domain.default.is_some() => {
                return Err(SqlError::new(SqlState::SYNTAX_ERROR, "multiple default expressions"));
            }
            ["default", _, expr] => domain.default = Some(checked_default(planner, catalog, base, expr)?),
            ["check", constraint, expr] => {
                add_check(planner, catalog, (name, &mut domain), (constraint, expr), true)?;
            }
            _ => return Err(SqlError::internal("an option of a domain that is not known")),
        }
    }
    if is_null && domain.not_null {
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, "conflicting NULL/NOT NULL constraints"));
    }
    catalog.create_type(name, TypeKind::Domain(domain)).map(|_| ())
}

/// The text of a DEFAULT, which must be an expression without columns of a type that can be assigned.
fn checked_default(planner: &Planner, catalog: &Catalog, base: SqlType, expr: &str) -> Result<String> {
    let default = Some(Default::expression(ast::parse_expr(expr)?.to_string()));
    let mut column =
        [Column { name: VALUE.to_owned(), sql_type: base, nullable: true, default, domain: None }];
    ddl::check_defaults(planner, catalog, &mut column)?;
    let [Column { default, .. }] = column;
    let default = default.ok_or_else(|| SqlError::internal("a DEFAULT stays one"))?;
    if !default.functions.is_empty() || !default.sequences.is_empty() {
        return Err(SqlError::unsupported("a function or a sequence in the DEFAULT of a domain")
            .with_hint("Declare the DEFAULT with the column."));
    }
    Ok(default.expr)
}

/// What stands for the value in a condition.
const VALUE: &str = "value";

/// Adds a condition. Fails with `42804` unless it is one.
fn add_check(
    planner: &Planner,
    catalog: &Catalog,
    (name, domain): (&str, &mut Domain),
    (constraint, expr): (&str, &str),
    validated: bool,
) -> Result<()> {
    let expr = ast::parse_expr(expr)?;
    let null = ast::cast_to(ast::parse_expr("NULL")?, domain.base)?;
    let from = format!("SELECT 1 FROM (SELECT {null} AS value) AS value");
    let mut query = ast::parse_query(&from)?;
    let select = ast::body(&mut query).ok_or_else(|| SqlError::internal("a SELECT has a body"))?;
    select.projection = vec![SelectItem::UnnamedExpr(expr.clone())];
    let bound = planner.bind(&query, catalog, &[])?;
    if springtide_sql::relations_named(&query) > 0 {
        return Err(SqlError::unsupported("a subquery in a check constraint"));
    }
    if !bound.functions().is_empty() {
        return Err(SqlError::unsupported("a user's function in the constraint of a domain"));
    }
    let given = bound.columns().first().map_or(SqlType::Text, |column| column.sql_type);
    if given != SqlType::Boolean {
        let message = format!("argument of CHECK must be type boolean, not type {given}");
        return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message));
    }
    let is_taken = |name: &str| domain.checks.iter().any(|check| check.name == name);
    let constraint = match constraint {
        "" => Catalog::free_name(&[name], "check", is_taken),
        given => ast::unquoted(given)?,
    };
    if is_taken(&constraint) {
        let message = format!("constraint \"{constraint}\" for domain \"{name}\" already exists");
        return Err(SqlError::new(SqlState::DUPLICATE_OBJECT, message));
    }
    domain.numbers += 1;
    let number = domain.numbers;
    domain.checks.push(DomainCheck { number, name: constraint, expr: expr.to_string(), validated });
    Ok(())
}

async fn alter(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    catalog: &mut Catalog,
    known: &UserType,
    (kind, constraint, text): (&str, &str, &str),
) -> Result<()> {
    let mut changed = known.clone();
    let name = known.name.as_str();
    let TypeKind::Domain(domain) = &mut changed.kind else {
        return Err(SqlError::internal("a domain is one"));
    };
    let planner = context.planner;
    if matches!(kind, "set not null" | "drop not null" | "check" | "check not valid" | "drop constraint") {
        refuse_maintained(catalog, known)?;
    }
    match kind {
        "set default" => domain.default = Some(checked_default(planner, catalog, domain.base, text)?),
        "drop default" => domain.default = None,
        "not null" | "set not null" => domain.not_null = true,
        "drop not null" => domain.not_null = false,
        "check" => add_check(planner, catalog, (name, domain), (constraint, text), true)?,
        "check not valid" => add_check(planner, catalog, (name, domain), (constraint, text), false)?,
        "rename" => return rename_type::rename(planner, catalog, known, &ast::unquoted(text)?),
        _ => {
            let constraint = ast::unquoted(constraint)?;
            let Some(position) = domain.checks.iter().position(|check| check.name == constraint) else {
                let message = format!("constraint \"{constraint}\" of domain \"{name}\" does not exist");
                if text == "if exists" {
                    context.notices.push(Notice::new(format!("{message}, skipping")));
                    return Ok(());
                }
                return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message));
            };
            match kind {
                "drop constraint" => {
                    domain.checks.remove(position);
                }
                "rename constraint" => {
                    let new = ast::unquoted(text)?;
                    if domain.checks.iter().any(|check| check.name == new) {
                        let message = format!("constraint \"{new}\" for domain \"{name}\" already exists");
                        return Err(SqlError::new(SqlState::DUPLICATE_OBJECT, message));
                    }
                    domain.checks[position].name = new;
                }
                "validate" => domain.checks[position].validated = true,
                _ => return Err(SqlError::internal("an action on a domain that is not known")),
            }
        }
    }
    check_values(planner, transaction, catalog, known, domain).await?;
    catalog.replace_type(changed);
    Ok(())
}

/// The rows of a materialized view were made under the conditions that there were.
fn refuse_maintained(catalog: &Catalog, known: &UserType) -> Result<()> {
    let views = catalog.views_of_type(known);
    let mut maintained = views.iter().filter(|it| matches!(it.kind, RelationKind::MaterializedView { .. }));
    let Some(view) = maintained.next() else { return Ok(()) };
    let message = format!("cannot alter domain {} because {} uses it", known.name, view.description());
    Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
        .with_hint("Drop the materialized view, alter the domain, and create the view again."))
}

/// Fails with `23514` or `23502` if values that tables have are none of the domain as it will be, in what is new of it.
async fn check_values(
    planner: &Planner,
    transaction: &mut Transaction,
    catalog: &Catalog,
    known: &UserType,
    changed: &Domain,
) -> Result<()> {
    let Some(before) = known.domain() else { return Ok(()) };
    let is_new = |check: &&DomainCheck| check.validated && !before.checks.contains(check);
    let renamed =
        |check: &DomainCheck| before.checks.iter().any(|it| it.number == check.number && it.validated);
    let new = changed.checks.iter().filter(is_new).filter(|check| !renamed(check)).collect::<Vec<_>>();
    for (table, position) in catalog.columns_in_domain(known.id) {
        let column = &table.columns[position].name;
        let rows = transaction.rows(table.id).await?;
        for check in &new {
            let condition = of_column(&check.expr, column)?;
            if checks::is_violated(planner, catalog, &table, &condition, rows.clone()).await? {
                let message = format!(
                    "column \"{column}\" of table \"{}\" contains values that violate the new constraint",
                    table.name
                );
                return Err(SqlError::new(SqlState::CHECK_VIOLATION, message));
            }
        }
        let condition = of_column("value IS NOT NULL", column)?;
        if changed.not_null
            && !before.not_null
            && checks::is_violated(planner, catalog, &table, &condition, rows).await?
        {
            let message = format!("column \"{column}\" of table \"{}\" contains null values", table.name);
            return Err(SqlError::new(SqlState::NOT_NULL_VIOLATION, message));
        }
    }
    Ok(())
}

/// A condition of a domain as one of a column.
pub(super) fn of_column(condition: &str, column: &str) -> Result<Expr> {
    let mut expr = ast::parse_expr(condition)?;
    springtide_sql::rename_column(&mut expr, VALUE, &ast::quoted(column));
    Ok(expr)
}
