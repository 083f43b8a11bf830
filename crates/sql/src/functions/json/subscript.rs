//! `value[subscript]...` of a `jsonb`.

use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ScalarUDF};
use springtide_types::{SqlError, SqlState, SqlType};
use std::sync::{Arc, LazyLock};

use super::super::typed::{Typed, decide};
use super::GET;
use crate::convert::{Family, family};
use crate::errors::external;
use crate::operators::{as_type, describe, known_type, resolve};

/// What the subscripts of a `jsonb` lead to: keys, and positions counted from 0.
pub(crate) fn subscripted_jsonb(value: Expr, subscripts: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    static GETS: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Typed::udf("->", GET));
    static AT: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Typed::udf("$jsonb_subscript", AT_TEXT));
    subscripts.into_iter().try_fold(value, |value, subscript| {
        let given = known_type(&subscript, schema)?;
        let (function, subscript, wanted) = match given.map(family) {
            None => (&AT, resolve(subscript, SqlType::Text)?, SqlType::Text),
            Some(Family::Text) => (&AT, subscript, SqlType::Text),
            Some(Family::Number) if matches!(given, Some(SqlType::Int2 | SqlType::Int4)) => {
                (&GETS, as_type(subscript, SqlType::Int4, schema)?, SqlType::Int4)
            }
            _ => {
                let message = format!("subscript type {} is not supported", describe(given));
                let hint = "jsonb subscript must be coercible to either integer or text.";
                let error = SqlError::new(SqlState::DATATYPE_MISMATCH, message).with_hint(hint);
                return Err(external(error));
            }
        };
        let call = ScalarFunction::new_udf(LazyLock::force(function).clone(), vec![value, subscript]);
        let decided = decide(&call, &[Some(SqlType::Jsonb), Some(wanted)], schema)?;
        Ok(Expr::ScalarFunction(decided.unwrap_or(call)))
    })
}

/// A text that is a number is a position in an array.
const AT_TEXT: &[super::Variant] =
    &[super::variant(&[SqlType::Jsonb, SqlType::Text], super::JSONB, super::access::member_or_element)];
