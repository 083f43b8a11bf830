//! The names that PostgreSQL gives to output columns without an alias.

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CeilFloorKind, DataType, Expr, Query, SelectItem, SetExpr, TimezoneInfo,
    TrimWhereField, Value,
};

use crate::names::fold;

/// Follows the name of a column that PostgreSQL would name like another one.
pub(crate) const UNNAMED_MARK: char = '\u{1}';

/// A column name as the client sees it.
pub(crate) fn without_mark(name: &str) -> &str {
    name.split(UNNAMED_MARK).next().unwrap_or(name)
}

/// The name of an output column that this expression computes.
pub(crate) fn output_name(expr: &Expr) -> String {
    figure(expr).map_or_else(|| "?column?".to_owned(), |(name, _)| name)
}

/// How good a name is: that of a type or of `CASE` gives way to that of a column.
#[derive(Clone, Copy, PartialEq)]
enum Strength {
    Weak,
    Strong,
}

fn figure(expr: &Expr) -> Option<(String, Strength)> {
    let strong = |name: &str| Some((name.to_owned(), Strength::Strong));
    match expr {
        Expr::Identifier(ident) => Some((fold(ident), Strength::Strong)),
        Expr::CompoundIdentifier(idents) => Some((fold(idents.last()?), Strength::Strong)),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => figure(inner),
        Expr::CompoundFieldAccess { root, .. } => figure(root),
        Expr::Function(function) => {
            // The mark is that of functions that only the parser calls.
            let name = fold(function.name.0.last()?.as_ident()?);
            Some((name.trim_start_matches('$').to_owned(), Strength::Strong))
        }
        Expr::Cast { expr, data_type, .. } => Some(match figure(expr) {
            Some((name, Strength::Strong)) => (name, Strength::Strong),
            _ => (type_name(data_type), Strength::Weak),
        }),
        Expr::TypedString(typed) => Some((type_name(&typed.data_type), Strength::Weak)),
        Expr::Interval(_) => Some(("interval".to_owned(), Strength::Weak)),
        Expr::Value(value) if matches!(value.value, Value::Boolean(_)) => {
            Some(("bool".to_owned(), Strength::Weak))
        }
        Expr::Case { else_result, .. } => match else_result.as_deref().and_then(figure) {
            Some((name, Strength::Strong)) => Some((name, Strength::Strong)),
            _ => Some(("case".to_owned(), Strength::Weak)),
        },
        Expr::Exists { negated: false, .. } => strong("exists"),
        Expr::Subquery(query) => subquery_name(query),
        Expr::Array(_) => strong("array"),
        Expr::Tuple(_) => strong("row"),
        Expr::Extract { .. } => strong("extract"),
        Expr::Position { .. } => strong("position"),
        Expr::Substring { .. } => strong("substring"),
        Expr::Overlay { .. } => strong("overlay"),
        Expr::AtTimeZone { .. } => strong("timezone"),
        Expr::Ceil { field: CeilFloorKind::DateTimeField(_), .. } => strong("ceil"),
        Expr::Floor { field: CeilFloorKind::DateTimeField(_), .. } => strong("floor"),
        Expr::Trim { trim_where, .. } => strong(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            Some(TrimWhereField::Both) | None => "btrim",
        }),
        _ => None,
    }
}

fn subquery_name(query: &Query) -> Option<(String, Strength)> {
    match query.body.as_ref() {
        SetExpr::Select(select) => match select.projection.first()? {
            SelectItem::UnnamedExpr(expr) => figure(expr),
            SelectItem::ExprWithAlias { alias, .. } => Some((fold(alias), Strength::Strong)),
            _ => None,
        },
        SetExpr::Query(query) => subquery_name(query),
        SetExpr::Values(_) => Some(("column1".to_owned(), Strength::Strong)),
        _ => None,
    }
}

/// The name in `pg_type`, not the one in the standard.
fn type_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Boolean | DataType::Bool => "bool",
        DataType::SmallInt(_) | DataType::Int2(_) => "int2",
        DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) | DataType::Int32 => "int4",
        DataType::BigInt(_) | DataType::Int8(_) => "int8",
        DataType::Real | DataType::Float4 => "float4",
        DataType::Float(_) | DataType::Double(_) | DataType::DoublePrecision | DataType::Float8 => "float8",
        DataType::Numeric(_) | DataType::Decimal(_) | DataType::Dec(_) => "numeric",
        DataType::Varchar(_) | DataType::CharacterVarying(_) | DataType::CharVarying(_) => "varchar",
        DataType::Char(_) | DataType::Character(_) => "bpchar",
        DataType::Timestamp(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => "timestamptz",
        DataType::Timestamp(..) => "timestamp",
        DataType::Interval { .. } => "interval",
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => return type_name(element),
        other => return other.to_string().to_lowercase(),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    #[test]
    fn names_are_those_of_postgres() {
        let check = |sql: &str, name: &str| {
            let expr = Parser::new(&PostgreSqlDialect {}).try_with_sql(sql).unwrap().parse_expr().unwrap();
            assert_eq!(output_name(&expr), name, "{sql}");
        };
        check("1", "?column?");
        check("a + 1", "?column?");
        check("t.a", "a");
        check("count(*)", "count");
        check("a::text", "a");
        check("1::int", "int4");
        check("'{1}'::int[]", "int4");
        check("'1'::double precision", "float8");
        check("true", "bool");
        check("case when a then 1 end", "case");
        check("case when a then 1 else b end", "b");
        check("(select max(a) from t)", "max");
        check("date '2020-01-01'", "date");
        check("extract(year from d)", "extract");
    }
}
