//! DROP TYPE.

use springtide_catalog::{Catalog, Relation, UserType};
use springtide_sql::sqlparser::ast::ObjectName;
use springtide_types::{RelationId, Result, SqlError, SqlState};

use super::rules::{put_rules, table_of};
use super::{Context, ast, reshape};
use crate::notice::Notice;
use crate::response::Response;
use crate::transaction::Transaction;

/// DROP TYPE, with CASCADE also what uses it: views, functions, columns, and their defaults and checks.
pub(super) async fn drop(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    (names, kind): (&[ObjectName], &str),
    (if_exists, cascade): (bool, bool),
) -> Result<Response> {
    let mut catalog = transaction.catalog();
    for name in names {
        let name = springtide_sql::type_name(name)?;
        let known = match catalog.get_type(&name) {
            Ok(known) => known.clone(),
            Err(error) if if_exists => {
                context.notices.push(Notice::new(format!("{}, skipping", error.message)));
                continue;
            }
            Err(error) => return Err(error),
        };
        if kind == "domain" && known.domain().is_none() {
            let message = format!("\"{name}\" is not a domain");
            return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
        }
        let users = Users::of(&catalog, &known)?;
        let lines = users.in_words(&catalog);
        if !cascade && !lines.is_empty() {
            let what = known.description();
            let message = format!("cannot drop {what} because other objects depend on it");
            let lines = lines.iter().map(|user| format!("{user} depends on {what}")).collect::<Vec<_>>();
            return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                .with_detail(lines.join("\n"))
                .with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        context.notices.extend(lines.iter().map(|user| Notice::new(format!("drop cascades to {user}"))));
        users.drop(context, transaction, &mut catalog).await?;
        for domain in catalog.types().domains_over(&known) {
            let users = Users::of(&catalog, &domain)?;
            users.drop(context, transaction, &mut catalog).await?;
            catalog.remove_type(&domain);
        }
        catalog.remove_type(&known);
    }
    transaction.set_catalog(catalog);
    Ok(Response::complete(format!("DROP {}", kind.to_uppercase())))
}

/// What uses a type.
struct Users {
    columns: Vec<(RelationId, usize)>,
    /// Of columns of other types.
    defaults: Vec<(RelationId, usize)>,
    checks: Vec<(RelationId, u64)>,
    views: Vec<RelationId>,
    functions: Vec<springtide_catalog::FunctionId>,
    domains: Vec<String>,
}

impl Users {
    fn of(catalog: &Catalog, known: &UserType) -> Result<Users> {
        let columns = catalog.columns_of_type(known);
        let (mut defaults, mut checks) = (Vec::new(), Vec::new());
        for table in catalog.relations() {
            for (position, column) in table.columns.iter().enumerate() {
                if let Some(default) = &column.default
                    && !columns.contains(&(table.id, position))
                    && springtide_sql::names_type(&ast::parse_expr(&default.expr)?, &known.name)
                {
                    defaults.push((table.id, position));
                }
            }
            for check in &table.rules().checks {
                if springtide_sql::names_type(&ast::parse_expr(&check.expr)?, &known.name) {
                    checks.push((table.id, check.number));
                }
            }
        }
        let views = catalog.views_of_type(known).iter().map(|view| view.id).collect();
        let functions = catalog.functions_of_type(known).iter().map(|function| function.id).collect();
        let domains = catalog.types().domains_over(known).iter().map(|domain| domain.description()).collect();
        Ok(Users { columns, defaults, checks, views, functions, domains })
    }

    fn in_words(&self, catalog: &Catalog) -> Vec<String> {
        let table = |id: &RelationId| catalog.by_id(*id);
        let column = |relation: &Relation, position: usize| relation.columns[position].name.clone();
        let columns = self.columns.iter().filter_map(|(id, position)| {
            let table = table(id)?;
            Some(format!("column {} of {}", column(table, *position), table.description()))
        });
        let defaults = self.defaults.iter().filter_map(|(id, position)| {
            let table = table(id)?;
            Some(format!("default value for column {} of {}", column(table, *position), table.description()))
        });
        let checks = self.checks.iter().filter_map(|(id, number)| {
            let table = table(id)?;
            let check = table.rules().checks.iter().find(|check| check.number == *number)?;
            Some(format!("constraint {} on {}", check.name, table.description()))
        });
        let functions = catalog.all_functions().filter(|function| self.functions.contains(&function.id));
        let functions = functions.map(|function| format!("function {}", function.signature()));
        let views = self.views.iter().filter_map(|id| table(id).map(|view| view.description()));
        let domains = self.domains.iter().cloned();
        columns.chain(defaults).chain(checks).chain(functions).chain(views).chain(domains).collect()
    }

    /// Drops all of it, and what depends on that.
    async fn drop(
        self,
        context: &mut Context<'_>,
        transaction: &mut Transaction,
        catalog: &mut Catalog,
    ) -> Result<()> {
        let mut cascaded = catalog.drop(&self.views, true)?.cascaded;
        cascaded.extend(catalog.drop_functions(&self.functions, true)?);
        context.notices.extend(cascaded.iter().map(|what| Notice::new(format!("drop cascades to {what}"))));
        for (table, position) in self.defaults {
            let mut changed = table_of(catalog, table)?.as_ref().clone();
            changed.columns[position].default = None;
            catalog.replace(changed);
        }
        for (table, number) in self.checks {
            let table = table_of(catalog, table)?;
            let mut kept = table.rules().clone();
            kept.checks.retain(|check| check.number != number);
            put_rules(catalog, &table, kept);
        }
        // By their names: a table without one of its columns has another identity.
        let name = |(id, position): &(RelationId, usize)| {
            let table = table_of(catalog, *id)?;
            Ok((table.name.clone(), ast::quoted(&table.columns[*position].name)))
        };
        for (table, column) in self.columns.iter().map(name).collect::<Result<Vec<_>>>()? {
            let table = catalog.get(&table)?.clone();
            reshape::drop_column(context, transaction, catalog, &table, (&column, false, true)).await?;
        }
        Ok(())
    }
}
