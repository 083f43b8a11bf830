//! Functions and operators of arrays.

mod change;
mod measure;
mod polymorphic;
mod quantified;
mod relate;
mod search;
mod subscript;
mod text;

use std::sync::{Arc, LazyLock};

use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ScalarUDF};
use springtide_types::SqlType::{Boolean, Int4, Text};

use polymorphic::Kind::{Array, Element, Numbers, One, Texts};
use polymorphic::{ArrayFunction, Polymorphic};

pub(crate) use polymorphic::{decide_array, several_dimensions};
pub(crate) use quantified::{Quantifier, quantified};
pub(crate) use subscript::SUBSCRIPT;

/// `slice(array, first, last)` is `array[first:last]`.
pub(crate) const SLICE: &str = "$slice";
/// `compare(array, array)` is -1, 0 or 1, by PostgreSQL's order.
const COMPARE: &str = "$array_compare";
/// `subscripts(array, 1)` are the numbers of the elements.
pub(crate) const SUBSCRIPTS: &str = "$subscripts";

static FUNCTIONS: [ArrayFunction; 23] = [
    ArrayFunction::of("array_append", &[Array, Element], Array, change::append).with_nulls(),
    ArrayFunction::of("array_prepend", &[Element, Array], Array, change::prepend).with_nulls(),
    ArrayFunction::of("array_cat", &[Array, Array], Array, change::cat).with_nulls(),
    ArrayFunction::of("array_remove", &[Array, Element], Array, change::remove).with_nulls(),
    ArrayFunction::of("array_replace", &[Array, Element, Element], Array, change::replace).with_nulls(),
    ArrayFunction::of("trim_array", &[Array, One(Int4)], Array, change::trim),
    ArrayFunction::of("array_fill", &[Element, Numbers, Numbers], Array, change::fill)
        .with_nulls()
        .optional(1),
    ArrayFunction::of(SLICE, &[Array, One(Int4), One(Int4)], Array, change::slice),
    ArrayFunction::of("array_position", &[Array, Element, One(Int4)], One(Int4), search::position)
        .with_nulls()
        .optional(1),
    ArrayFunction::of("array_positions", &[Array, Element], Numbers, search::positions).with_nulls(),
    ArrayFunction::of("width_bucket", &[Element, Array], One(Int4), search::bucket),
    ArrayFunction::of("array_length", &[Array, One(Int4)], One(Int4), measure::upper),
    ArrayFunction::of("array_upper", &[Array, One(Int4)], One(Int4), measure::upper),
    ArrayFunction::of("array_lower", &[Array, One(Int4)], One(Int4), measure::lower),
    ArrayFunction::of("cardinality", &[Array], One(Int4), measure::cardinality),
    ArrayFunction::of("array_ndims", &[Array], One(Int4), measure::dimensions),
    ArrayFunction::of("array_dims", &[Array], One(Text), measure::bounds),
    ArrayFunction::of(SUBSCRIPTS, &[Array, One(Int4)], Numbers, measure::subscripts),
    ArrayFunction::of("array_to_string", &[Array, One(Text), One(Text)], One(Text), text::joined)
        .with_nulls()
        .optional(1),
    ArrayFunction::of("string_to_array", &[One(Text), One(Text), One(Text)], Texts, text::parted)
        .with_nulls()
        .optional(1),
    ArrayFunction::of("@>", &[Array, Array], One(Boolean), relate::contains).of_one_type(),
    ArrayFunction::of("&&", &[Array, Array], One(Boolean), relate::overlaps).of_one_type(),
    ArrayFunction::of(COMPARE, &[Array, Array], One(Int4), relate::compare).of_one_type(),
];

static BY_NAME: LazyLock<Vec<Arc<ScalarUDF>>> =
    LazyLock::new(|| FUNCTIONS.iter().map(Polymorphic::udf).collect());

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    BY_NAME.iter().cloned().chain([subscript::function()]).collect()
}

/// A call of one of the functions, for operators. Its arguments get the types that the function takes.
fn call(name: &str, args: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let function =
        BY_NAME.iter().find(|function| function.name() == name).expect("a function of arrays").clone();
    let call = ScalarFunction::new_udf(function, args);
    Ok(Expr::ScalarFunction(decide_array(&call, schema)?.unwrap_or(call)))
}

/// `left || right` of two arrays.
pub(crate) fn concat_arrays(left: Expr, right: Expr, schema: &DFSchema) -> Result<Expr> {
    call("array_cat", vec![left, right], schema)
}

/// `array || element`
pub(crate) fn append(array: Expr, element: Expr, schema: &DFSchema) -> Result<Expr> {
    call("array_append", vec![array, element], schema)
}

/// `element || array`
pub(crate) fn prepend(element: Expr, array: Expr, schema: &DFSchema) -> Result<Expr> {
    call("array_prepend", vec![element, array], schema)
}

/// `left @> right`
pub(crate) fn contains(left: Expr, right: Expr, schema: &DFSchema) -> Result<Expr> {
    call("@>", vec![left, right], schema)
}

/// `left && right`
pub(crate) fn overlaps(left: Expr, right: Expr, schema: &DFSchema) -> Result<Expr> {
    call("&&", vec![left, right], schema)
}

/// How two arrays compare: less than, equal to, or greater than 0.
pub(crate) fn order_of(left: Expr, right: Expr, schema: &DFSchema) -> Result<Expr> {
    call(COMPARE, vec![left, right], schema)
}
