//! What becomes of stored SQL when a type or a value of it gets another name.

use std::sync::Arc;

use springtide_catalog::{Catalog, Function, Relation, RelationKind, TypeKind, UserType};
use springtide_sql::Planner;
use springtide_types::{RelationId, Result, SqlError, SqlState};

use super::ast;

/// RENAME TO: what names the type goes on naming it.
pub(super) fn rename(planner: &Planner, catalog: &mut Catalog, known: &UserType, new: &str) -> Result<()> {
    catalog.rename_type(known, new)?;
    for function in catalog.all_functions().cloned().collect::<Vec<_>>() {
        let mut body = ast::parse_query(&function.body)?;
        if springtide_sql::names_type(&body, &known.name) {
            springtide_sql::rename_type(&mut body, &known.name, new);
            let function = Function { body: body.to_string(), ..function };
            catalog.replace_function(function.clone());
            planner.check_function(&function, catalog)?;
        }
    }
    for other in catalog.types().iter().cloned().collect::<Vec<_>>() {
        let mut changed = other.as_ref().clone();
        if let TypeKind::Domain(domain) = &mut changed.kind {
            for check in &mut domain.checks {
                check.expr = renamed_in_expr(&check.expr, &known.name, new)?;
            }
            catalog.replace_type(changed);
        }
    }
    for relation in catalog.relations().cloned().collect::<Vec<_>>() {
        let mut changed = relation.as_ref().clone();
        for default in changed.columns.iter_mut().filter_map(|column| column.default.as_mut()) {
            default.expr = renamed_in_expr(&default.expr, &known.name, new)?;
        }
        match &mut changed.kind {
            RelationKind::Table { rules, .. } => {
                for check in &mut rules.checks {
                    check.expr = renamed_in_expr(&check.expr, &known.name, new)?;
                }
            }
            RelationKind::View { query } | RelationKind::MaterializedView { query, .. }
                if relation.types.contains(&known.id) =>
            {
                let mut renamed = ast::parse_query(query)?;
                springtide_sql::rename_type(&mut renamed, &known.name, new);
                *query = renamed.to_string();
            }
            _ => continue,
        }
        catalog.replace(changed);
    }
    Ok(())
}

fn renamed_in_expr(text: &str, from: &str, to: &str) -> Result<String> {
    let mut expr = ast::parse_expr(text)?;
    if !springtide_sql::names_type(&expr, from) {
        return Ok(text.to_owned());
    }
    springtide_sql::rename_type(&mut expr, from, to);
    Ok(expr.to_string())
}

/// RENAME VALUE: fails with `2BP01` where stored SQL names the value, which may mean this value or any text, and with `0A000`
/// where the rows of a materialized view hold its name.
pub(super) fn check_label_is_free_to_change(
    planner: &Planner,
    catalog: &Catalog,
    known: &UserType,
    label: &str,
) -> Result<()> {
    let TypeKind::Enum { mark, .. } = &known.kind else { return Ok(()) };
    let reading = reading(catalog, known);
    for relation in &reading {
        if let Some(what) = part_with_literal(catalog, relation, label)? {
            let message =
                format!("cannot rename a value of {} because other objects name it", known.description());
            let detail = format!("{what} has a string '{label}'");
            return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                .with_detail(detail)
                .with_hint("Drop these objects, rename the value, and create them again."));
        }
        if let RelationKind::MaterializedView { query, .. } = &relation.kind
            && planner.bind(&ast::parse_query(query)?, &catalog.for_stored(), &[])?.writes_labels(*mark)?
        {
            let message = format!(
                "renaming a value of {} that {} has as text",
                known.description(),
                relation.description()
            );
            return Err(SqlError::unsupported(message)
                .with_hint("Drop the materialized view, rename the value, and create the view again."));
        }
    }
    Ok(())
}

/// The relations that may name values of a type: those that name it or have columns of it, and what reads them.
fn reading(catalog: &Catalog, known: &UserType) -> Vec<Arc<Relation>> {
    let mut found = catalog.columns_of_type(known).into_iter().map(|(id, _)| id).collect::<Vec<RelationId>>();
    found.extend(catalog.views_of_type(known).iter().map(|view| view.id));
    let further = found.iter().flat_map(|id| catalog.dependents(*id)).map(|it| it.id).collect::<Vec<_>>();
    found.extend(further);
    let is_found = |relation: &&Arc<Relation>| found.contains(&relation.id);
    catalog.relations().filter(is_found).cloned().collect()
}

/// What part of a relation has a string literal of this text, in words.
fn part_with_literal(catalog: &Catalog, relation: &Relation, text: &str) -> Result<Option<String>> {
    for column in &relation.columns {
        if let Some(default) = &column.default
            && springtide_sql::has_literal(&ast::parse_expr(&default.expr)?, text)
        {
            let what = format!("default value for column {} of {}", column.name, relation.description());
            return Ok(Some(what));
        }
    }
    for check in &relation.rules().checks {
        if springtide_sql::has_literal(&ast::parse_expr(&check.expr)?, text) {
            return Ok(Some(format!("constraint {} on {}", check.name, relation.description())));
        }
    }
    let (RelationKind::View { query } | RelationKind::MaterializedView { query, .. }) = &relation.kind else {
        return Ok(None);
    };
    if springtide_sql::has_literal(&ast::parse_query(query)?, text) {
        return Ok(Some(relation.description()));
    }
    let called = catalog.all_functions().filter(|function| relation.functions.contains(&function.id));
    for function in called {
        if springtide_sql::has_literal(&ast::parse_query(&function.body)?, text) {
            return Ok(Some(format!("function {}", function.signature())));
        }
    }
    Ok(None)
}
