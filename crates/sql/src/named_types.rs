//! The users' types that stored SQL names, and what of it depends on the labels of enums.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr as PlannedExpr, ExprSchemable};
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, DataType, Expr, Ident, ObjectName, TypedString, Value, ValueWithSpan, Visit, VisitMut,
};
use springtide_types::{EnumId, Result, SqlType};

use crate::BoundQuery;
use crate::errors::plan_error;
use crate::names::{quoted, type_name};
use crate::walk::{any_expr, change_exprs};

/// Before the identity of an enum in a name that stands for it, whatever it is called.
const BY_IDENTITY: &str = "?enum ";

/// What names a type in a cast.
pub fn type_in_cast(sql_type: SqlType) -> Option<DataType> {
    match sql_type {
        SqlType::Enum(id) => {
            let name = quoted(&format!("{BY_IDENTITY}{}", id.number()));
            Some(DataType::Custom(ObjectName::from(vec![name]), Vec::new()))
        }
        SqlType::Array(element) => {
            let element = Box::new(type_in_cast(element.sql_type())?);
            Some(DataType::Array(ArrayElemTypeDef::SquareBracket(element, None)))
        }
        _ => None,
    }
}

/// The enum that a name of [`type_in_cast`] stands for.
pub(crate) fn by_identity(name: &ObjectName) -> Option<SqlType> {
    let [part] = name.0.as_slice() else { return None };
    let id = part.as_ident()?.value.strip_prefix(BY_IDENTITY)?;
    id.parse().ok().and_then(EnumId::of_number).map(SqlType::Enum)
}

/// Whether something names a type.
pub fn names_type(node: &impl Visit, name: &str) -> bool {
    any_expr(node, |expr| match expr {
        Expr::Cast { data_type, .. } | Expr::TypedString(TypedString { data_type, .. }) => {
            element_name(data_type).is_some_and(|known| is(known, name))
        }
        _ => false,
    })
}

/// Names a type otherwise, wherever something names it.
pub fn rename_type(node: &mut impl VisitMut, from: &str, to: &str) {
    change_exprs(node, |expr| {
        if let Expr::Cast { data_type, .. } | Expr::TypedString(TypedString { data_type, .. }) = expr
            && let Some(name) = element_name_mut(data_type).filter(|name| is(name, from))
        {
            *name = ObjectName::from(vec![Ident::with_quote('"', to)]);
        }
    });
}

fn is(known: &ObjectName, name: &str) -> bool {
    type_name(known).is_ok_and(|known| known == name)
}

fn element_name(data_type: &DataType) -> Option<&ObjectName> {
    match data_type {
        DataType::Custom(name, _) => Some(name),
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => element_name(element),
        _ => None,
    }
}

fn element_name_mut(data_type: &mut DataType) -> Option<&mut ObjectName> {
    match data_type {
        DataType::Custom(name, _) => Some(name),
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => element_name_mut(element),
        _ => None,
    }
}

/// Whether something has a string literal of this text.
pub fn has_literal(node: &impl Visit, text: &str) -> bool {
    any_expr(node, |expr| match expr {
        Expr::Value(ValueWithSpan { value, .. }) => match value {
            Value::SingleQuotedString(known) | Value::EscapedStringLiteral(known) => known == text,
            Value::DollarQuotedString(known) => known.value == text,
            _ => false,
        },
        _ => false,
    })
}

impl BoundQuery {
    /// Whether labels of an enum become part of values of other types, as in a cast to text.
    pub fn writes_labels(&self, id: EnumId) -> Result<bool> {
        let mut found = false;
        let visited = self.plan.apply_with_subqueries(|node| {
            let schema = merge_schema(&node.inputs());
            node.apply_expressions(|expr| {
                expr.apply(|expr| {
                    let arguments = match expr {
                        PlannedExpr::ScalarFunction(call) => call.args.as_slice(),
                        PlannedExpr::AggregateFunction(call) => call.params.args.as_slice(),
                        _ => return Ok(TreeNodeRecursion::Continue),
                    };
                    let of_enum = |expr: &PlannedExpr| {
                        let sql_type = expr.get_type(&schema).ok().and_then(|it| SqlType::from_arrow(&it));
                        sql_type.map(|it| it.element().unwrap_or(it)) == Some(SqlType::Enum(id))
                    };
                    let is_text = || {
                        let gives = expr.get_type(&schema).ok().and_then(|it| SqlType::from_arrow(&it));
                        let gives = gives.map(|it| it.element().unwrap_or(it));
                        matches!(
                            gives,
                            Some(SqlType::Text | SqlType::Varchar(_) | SqlType::Json | SqlType::Jsonb)
                        )
                    };
                    found |= arguments.iter().any(of_enum) && is_text();
                    Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
                })
            })
        });
        visited.map_err(|error| plan_error(&error))?;
        Ok(found)
    }
}
