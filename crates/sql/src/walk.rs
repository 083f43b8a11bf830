//! One way through the syntax tree for all visitors.
//!
//! sqlparser's `visit` is generic over the visitor: each visitor type would make the compiler generate the walk
//! through every kind of node again, thousands of functions. Here there is one for all that read and one for all
//! that change; what differs between visitors is behind a `dyn`.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, Statement,
    TableFactor, Value, ValueWithSpan, Visit, VisitMut, Visitor, VisitorMut,
};
use springtide_types::{Result, SqlError};

use crate::desugar::unnamed_arguments;

/// Why a walk ended before it had seen everything.
pub(crate) enum Stop {
    /// What was looked for is there.
    Found,
    Failed(SqlError),
}

/// Goes on, or stops with the error.
pub(crate) fn flow(result: Result<()>) -> ControlFlow<Stop> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(Stop::Failed(error)),
    }
}

/// Stops where `found` holds.
pub(crate) fn flow_until(found: bool) -> ControlFlow<Stop> {
    if found { ControlFlow::Break(Stop::Found) } else { ControlFlow::Continue(()) }
}

/// Shows a tree's nodes to a visitor.
pub(crate) fn walk(node: &impl Visit, visitor: &mut dyn Visitor<Break = Stop>) -> ControlFlow<Stop> {
    node.visit(&mut Read(visitor))
}

/// Lets a visitor change a tree's nodes.
pub(crate) fn walk_mut(node: &mut impl VisitMut, visitor: &mut dyn VisitorMut<Break = Stop>) -> Result<()> {
    match node.visit(&mut Change(visitor)) {
        ControlFlow::Continue(()) | ControlFlow::Break(Stop::Found) => Ok(()),
        ControlFlow::Break(Stop::Failed(error)) => Err(error),
    }
}

/// Whether `found` holds for an expression anywhere in the tree.
pub(crate) fn any_expr(node: &impl Visit, found: impl FnMut(&Expr) -> bool) -> bool {
    struct Any<F>(F);
    impl<F: FnMut(&Expr) -> bool> Visitor for Any<F> {
        type Break = Stop;
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Stop> {
            flow_until((self.0)(expr))
        }
    }
    walk(node, &mut Any(found)).is_break()
}

/// Whether there is a query anywhere in the tree.
pub fn any_query(node: &impl Visit) -> bool {
    struct Any;
    impl Visitor for Any {
        type Break = Stop;
        fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<Stop> {
            ControlFlow::Break(Stop::Found)
        }
    }
    walk(node, &mut Any).is_break()
}

/// How many times a query names a relation.
pub fn relations_named(query: &Query) -> usize {
    struct Count(usize);
    impl Visitor for Count {
        type Break = Stop;
        fn pre_visit_relation(&mut self, _relation: &ObjectName) -> ControlFlow<Stop> {
            self.0 += 1;
            ControlFlow::Continue(())
        }
    }
    let mut count = Count(0);
    // It never stops early.
    let _ = walk(query, &mut count);
    count.0
}

/// The columns that an expression names, without their qualifiers.
pub fn columns_named(expr: &Expr) -> Vec<Ident> {
    let mut named = Vec::new();
    any_expr(expr, |expr| {
        match expr {
            Expr::Identifier(ident) => named.push(ident.clone()),
            Expr::CompoundIdentifier(idents) => named.extend(idents.last().cloned()),
            _ => {}
        }
        false
    });
    named
}

/// What the columns that items of a SELECT name are qualified with, folded.
pub fn qualifiers_named(items: &[SelectItem]) -> HashSet<String> {
    let mut named = HashSet::new();
    for item in items {
        if let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(of), _) = item {
            named.extend(of.0.last().and_then(|part| part.as_ident()).map(crate::fold));
        }
        any_expr(item, |expr| {
            if let Expr::CompoundIdentifier(idents) = expr {
                named.extend(idents.iter().rev().nth(1).map(crate::fold));
            }
            false
        });
    }
    named
}

/// Puts an expression in the place of the calls of a function without arguments. Returns whether there were any.
pub fn put_for_calls(items: &mut Vec<SelectItem>, function: &str, value: &Expr) -> bool {
    let mut found = false;
    change_exprs(items, |expr| {
        let Expr::Function(call) = expr else { return };
        let name = call.name.0.last().and_then(|part| part.as_ident()).map(crate::fold);
        if name.as_deref() == Some(function) && unnamed_arguments(call).is_some_and(|it| it.is_empty()) {
            *expr = value.clone();
            found = true;
        }
    });
    found
}

/// Puts a prefix before the names of the columns that items of a SELECT qualify with a name. What they are called in the
/// result stays.
pub fn prefix_columns(items: &mut Vec<SelectItem>, qualifier: &str, prefix: &str) {
    let qualified = |expr: &Expr| match expr {
        Expr::CompoundIdentifier(idents) => match idents.as_slice() {
            [of, column] if crate::fold(of) == qualifier => Some(column.clone()),
            _ => None,
        },
        _ => None,
    };
    for item in items.iter_mut() {
        if let SelectItem::UnnamedExpr(expr) = item
            && let Some(alias) = qualified(expr)
        {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
    change_exprs(items, |expr| {
        if let Some(column) = qualified(expr)
            && let Expr::CompoundIdentifier(idents) = expr
        {
            idents[1] = Ident::with_quote('"', format!("{prefix}{}", crate::fold(&column)));
        }
    });
}

/// Gives a column another name in an expression. Names are folded as [`crate::fold`] does.
pub fn rename_column(expr: &mut Expr, from: &str, to: &Ident) {
    change_exprs(expr, |expr| match expr {
        Expr::Identifier(ident) if crate::fold(ident) == from => *ident = to.clone(),
        Expr::CompoundIdentifier(idents) => {
            if let Some(last) = idents.last_mut().filter(|last| crate::fold(last) == from) {
                *last = to.clone();
            }
        }
        _ => {}
    });
}

/// Puts arguments in the places of the parameters `$1`, `$2`, … of a statement.
pub fn put_arguments(statement: &mut Statement, arguments: &[Expr]) {
    change_exprs(statement, |expr| {
        let Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) = expr else { return };
        let position = name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
        if let Some(argument) = position.and_then(|position| arguments.get(position.checked_sub(1)?)) {
            *expr = argument.clone();
        }
    });
}

/// Changes every expression of the tree, a node before its parts.
pub(crate) fn change_exprs(node: &mut impl VisitMut, change: impl FnMut(&mut Expr)) {
    struct Each<F>(F);
    impl<F: FnMut(&mut Expr)> VisitorMut for Each<F> {
        type Break = Stop;
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Stop> {
            (self.0)(expr);
            ControlFlow::Continue(())
        }
    }
    // It never stops early.
    let _ = node.visit(&mut Change(&mut Each(change)));
}

struct Read<'a>(&'a mut dyn Visitor<Break = Stop>);

impl Visitor for Read<'_> {
    type Break = Stop;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Stop> {
        self.0.pre_visit_query(query)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Stop> {
        self.0.pre_visit_select(select)
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Stop> {
        self.0.pre_visit_relation(relation)
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Stop> {
        self.0.pre_visit_expr(expr)
    }
}

struct Change<'a>(&'a mut dyn VisitorMut<Break = Stop>);

impl VisitorMut for Change<'_> {
    type Break = Stop;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Stop> {
        self.0.pre_visit_query(query)
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Stop> {
        self.0.post_visit_query(query)
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Stop> {
        self.0.pre_visit_select(select)
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Stop> {
        self.0.post_visit_select(select)
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<Stop> {
        self.0.pre_visit_relation(relation)
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Stop> {
        self.0.pre_visit_table_factor(factor)
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Stop> {
        self.0.pre_visit_expr(expr)
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Stop> {
        self.0.post_visit_expr(expr)
    }
}
