//! `left op ANY (array)` and `left op ALL (array)`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::{ilike, like, nilike, nlike};
use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use springtide_types::{SqlError, SqlState, SqlType};

use super::polymorphic::several_dimensions;
use crate::convert::{Family, family};
use crate::errors::external;
use crate::lists::{comparator, range};
use crate::operators::{as_type, comparison_type, known_type, no_operator, resolve};

/// How many of the elements it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Quantifier {
    Any,
    All,
}

impl Quantifier {
    /// How the parser is told: as an operator of this name.
    pub(crate) fn operator(self, op: &BinaryOperator) -> BinaryOperator {
        BinaryOperator::Custom(format!("{op}{}", self.suffix()))
    }

    fn suffix(self) -> &'static str {
        match self {
            Quantifier::Any => " ANY",
            Quantifier::All => " ALL",
        }
    }

    /// What an operator of such a name says.
    pub(crate) fn read(op: &BinaryOperator) -> Option<(Quantifier, &str)> {
        let BinaryOperator::Custom(name) = op else { return None };
        [Quantifier::Any, Quantifier::All]
            .into_iter()
            .find_map(|quantifier| Some((quantifier, name.strip_suffix(quantifier.suffix())?)))
    }
}

/// `left op quantifier (array)`, with both sides in types that compare.
pub(crate) fn quantified(
    (quantifier, name): (Quantifier, &str),
    left: Expr,
    array: Expr,
    schema: &DFSchema,
) -> Result<Expr> {
    let op = comparison(name).ok_or_else(|| {
        external(SqlError::unsupported(format!("{name}{} of an array", quantifier.suffix())))
    })?;
    let (left_type, array_type) = (known_type(&left, schema)?, known_type(&array, schema)?);
    let element = match (left_type, array_type) {
        (_, Some(given)) if given.element().is_none() => {
            let message = "op ANY/ALL (array) requires array on right side";
            return Err(external(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)));
        }
        (None, None) => SqlType::Text,
        (Some(SqlType::Array(_)), _) => return Err(external(several_dimensions())),
        (Some(known), None) => known.unconstrained(),
        (left, Some(given)) => {
            let element = given.element().unwrap_or(SqlType::Text);
            let common = left.map_or(Some(element), |left| comparison_type(left, element));
            common.ok_or_else(|| no_operator(name, left_type, Some(element)))?
        }
    };
    let is_pattern = name.contains('~');
    if element == SqlType::Json || (is_pattern && family(element) != Family::Text) {
        return Err(no_operator(name, left_type, Some(element)));
    }
    let wanted = element.array().ok_or_else(|| external(several_dimensions()))?;
    let left = if left_type.is_none() { resolve(left, element)? } else { as_type(left, element, schema)? };
    let array = as_type(array, wanted, schema)?;
    let function = Quantified { op, quantifier, signature: Signature::any(2, Volatility::Immutable) };
    let function = Arc::new(ScalarUDF::from(function));
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![left, array])))
}

fn comparison(name: &str) -> Option<Operator> {
    Some(match name {
        "=" => Operator::Eq,
        "<>" | "!=" => Operator::NotEq,
        "<" => Operator::Lt,
        "<=" => Operator::LtEq,
        ">" => Operator::Gt,
        ">=" => Operator::GtEq,
        "~~" => Operator::LikeMatch,
        "!~~" => Operator::NotLikeMatch,
        "~~*" => Operator::ILikeMatch,
        "!~~*" => Operator::NotILikeMatch,
        _ => return None,
    })
}

/// Whether it holds of a value and an element, given by their positions, none of them NULL.
type Condition = Box<dyn Fn(usize, usize) -> springtide_types::Result<bool>>;

/// Whether what compares so fulfils a comparison.
fn fulfils(op: Operator, order: std::cmp::Ordering) -> bool {
    match op {
        Operator::Eq => order.is_eq(),
        Operator::NotEq => order.is_ne(),
        Operator::Lt => order.is_lt(),
        Operator::LtEq => order.is_le(),
        Operator::Gt => order.is_gt(),
        _ => order.is_ge(),
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Quantified {
    op: Operator,
    quantifier: Quantifier,
    signature: Signature,
}

impl Quantified {
    /// The condition for values and elements of these columns.
    fn condition(&self, left: &ArrayRef, elements: &ArrayRef) -> springtide_types::Result<Condition> {
        let kernel = match self.op {
            Operator::LikeMatch => like,
            Operator::NotLikeMatch => nlike,
            Operator::ILikeMatch => ilike,
            Operator::NotILikeMatch => nilike,
            op => {
                let order = comparator(left, elements)?;
                return Ok(Box::new(move |left, element| Ok(fulfils(op, order(left, element)))));
            }
        };
        let (left, elements) = (left.clone(), elements.clone());
        Ok(Box::new(move |value, pattern| {
            let matches = kernel(&left.slice(value, 1), &elements.slice(pattern, 1));
            Ok(matches.map_err(|error| springtide_plan::arrow_error(&error))?.value(0))
        }))
    }
}

impl ScalarUDFImpl for Quantified {
    fn name(&self) -> &str {
        match self.quantifier {
            Quantifier::Any => "$any",
            Quantifier::All => "$all",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if args.args.iter().any(|arg| arg.data_type().is_null()) {
            return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None)));
        }
        let [left, array] = &args.args[..] else {
            return datafusion::common::internal_err!("{} has two arguments", self.name());
        };
        let values = |value: &ColumnarValue| match value {
            ColumnarValue::Array(values) => Ok((values.clone(), false)),
            ColumnarValue::Scalar(value) => {
                Ok::<_, datafusion::common::DataFusionError>((value.to_array()?, true))
            }
        };
        let ((left, one_left), (arrays, one_array)) = (values(left)?, values(array)?);
        let lists = arrays.as_list::<i32>();
        let holds = self.condition(&left, lists.values()).map_err(external)?;
        let nulls = lists.values().logical_nulls();
        let decisive = self.quantifier == Quantifier::Any;
        let decide = |row: usize| {
            let (own, list) = (if one_left { 0 } else { row }, if one_array { 0 } else { row });
            if lists.is_null(list) {
                return Ok(None);
            }
            let all = range(lists, list);
            if all.is_empty() {
                return Ok(Some(!decisive));
            }
            if left.is_null(own) {
                return Ok(None);
            }
            let mut open = false;
            for element in all {
                if nulls.as_ref().is_some_and(|nulls| nulls.is_null(element)) {
                    open = true;
                } else if holds(own, element)? == decisive {
                    return Ok(Some(decisive));
                }
            }
            Ok((!open).then_some(!decisive))
        };
        let rows = if one_left && one_array { 1 } else { args.number_rows };
        let result = (0..rows).map(decide).collect::<springtide_types::Result<BooleanArray>>();
        let result = result.map_err(external)?;
        Ok(if one_left && one_array {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)
        } else {
            ColumnarValue::Array(Arc::new(result))
        })
    }
}
