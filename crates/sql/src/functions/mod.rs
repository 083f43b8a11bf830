//! Functions that DataFusion lacks or gives other results for than PostgreSQL.

mod arithmetic;
mod array_agg;
mod arrays;
mod average;
mod byte_strings;
mod bytes;
mod cast;
mod decimal;
mod degrees;
mod distinct_sum;
mod enums;
mod extract;
mod extremum;
mod floats;
mod guard;
mod input_check;
mod integers;
mod json;
mod labelled;
mod like_pattern;
mod moments;
mod numeric;
mod numeric_power;
mod quoting;
mod regexp;
mod series;
mod session;
mod shift;
mod similar;
mod single;
mod sum;
mod temporal_arithmetic;
mod text;
mod to_char;
mod totals;
mod typed;
mod undecided;
mod unicode;
mod uuid;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

pub(crate) use arithmetic::{ArithmeticOp, arithmetic, arithmetic_op, negate};
pub(crate) use array_agg::{COLLECT, collected, collects};
pub(crate) use arrays::{
    Quantifier, SLICE, SUBSCRIPT, SUBSCRIPTS, append, concat_arrays, contains, decide_array, order_of,
    overlaps, prepend, quantified, several_dimensions,
};
pub(crate) use average::AVERAGE;
pub(crate) use bytes::{byte_parameters, overload, substring};
pub(crate) use cast::{cast_function, cast_target, is_cast};
pub(crate) use enums::{ENUM_FUNCTIONS, enum_column};
pub(crate) use extract::extract;
pub(crate) use floats::power_function;
pub(crate) use guard::guard;
pub(crate) use input_check::INPUT_ERROR;
pub(crate) use integers::BITWISE_NOT;
pub(crate) use json::{
    FIELD, PRETTY_ARRAY, PRETTY_ROW, ROW, as_json, delete_from_json, join_json, json_operator, jsonb_key,
    subscripted_jsonb, uniform_jsonb, value_of_jsonb_key,
};
pub(crate) use labelled::LABELLED;
pub(crate) use like_pattern::LIKE_PATTERN;
pub(crate) use moments::{OF_FIELDS, interval_length};
pub(crate) use numeric::RANGE_BUCKET;
pub(crate) use quoting::{FORMAT_OF_ARRAY, takes_texts};
pub(crate) use regexp::{Compiled, REGEXP_GROUP, REGEXP_ROWS, matches};
pub(crate) use series::SERIES;
pub(crate) use similar::SIMILAR;
pub(crate) use single::single;
pub(crate) use temporal_arithmetic::moved_in;
pub(crate) use typed::decide;
pub(crate) use undecided::decided;
pub(crate) use unicode::IS_NORMALIZED;

use crate::{asof, system};

/// The functions that a query can name.
#[derive(Debug)]
pub(crate) struct Functions {
    pub scalar: HashMap<String, Arc<ScalarUDF>>,
    pub aggregate: HashMap<String, Arc<AggregateUDF>>,
    pub window: HashMap<String, Arc<WindowUDF>>,
}

impl Functions {
    pub(crate) fn new(options: &ConfigOptions) -> Functions {
        let mut scalar = HashMap::new();
        let nested = datafusion::functions_nested::all_default_nested_functions();
        let nested = nested.iter().map(|function| function.name().to_owned()).collect::<HashSet<_>>();
        // DataFusion's functions of lists go by PostgreSQL's names and mean something else.
        let defaults = SessionStateDefaults::default_scalar_functions().into_iter();
        let defaults = defaults.filter(|function| !nested.contains(function.name()));
        for function in defaults.chain(own_scalars()) {
            // Some depend on the time zone.
            let function = match function.inner().with_updated_config(options) {
                Some(configured) => Arc::new(configured),
                None => function,
            };
            for alias in function.aliases() {
                scalar.insert(alias.clone(), function.clone());
            }
            scalar.insert(function.name().to_owned(), function);
        }
        for (name, overloaded) in bytes::overloads().into_iter().chain(numeric::overloads()) {
            scalar.insert(name.to_owned(), overloaded);
        }
        for (name, known) in SYNONYMS {
            if let Some(function) = scalar.get(known).cloned() {
                scalar.insert(name.to_owned(), function);
            }
        }
        let mut aggregate = HashMap::new();
        let sum = Arc::new(AggregateUDF::from(sum::Sum::new()));
        let own = extremum::functions().into_iter().chain([sum]);
        let own = own.chain(system::aggregates());
        for function in SessionStateDefaults::default_aggregate_functions().into_iter().chain(own) {
            for alias in function.aliases() {
                aggregate.insert(alias.clone(), function.clone());
            }
            aggregate.insert(function.name().to_owned(), function);
        }
        for (name, known) in [("every", "bool_and"), ("variance", "var_samp")] {
            if let Some(function) = aggregate.get(known).cloned() {
                aggregate.insert(name.to_owned(), function);
            }
        }
        let window = SessionStateDefaults::default_window_functions();
        let window = window.into_iter().map(|function| (function.name().to_owned(), function)).collect();
        Functions { scalar, aggregate, window }
    }

    /// Whether a function of this name comes with the database.
    pub(crate) fn is_built_in(&self, name: &str) -> bool {
        self.scalar.contains_key(name)
            || self.aggregate.contains_key(name)
            || self.window.contains_key(name)
            || UNNESTING.contains(&name)
            || system::is_function(name)
    }
}

/// Functions that the binder knows itself.
const UNNESTING: [&str; 2] = ["unnest", "unnest_outer"];

/// PostgreSQL's names for functions that DataFusion has under another.
const SYNONYMS: [(&str, &str); 3] =
    [("transaction_timestamp", "now"), ("statement_timestamp", "now"), ("clock_timestamp", "now")];

fn own_scalars() -> Vec<Arc<ScalarUDF>> {
    let average = Arc::new(ScalarUDF::from(average::Average::new()));
    let labelled = Arc::new(ScalarUDF::from(labelled::Labelled::new()));
    session::functions()
        .into_iter()
        .chain(bytes::functions())
        .chain(undecided::functions())
        .chain(regexp::functions())
        .chain(to_char::functions())
        .chain(text::functions())
        .chain(quoting::functions())
        .chain(similar::functions())
        .chain(byte_strings::functions())
        .chain(unicode::functions())
        .chain(floats::functions())
        .chain(integers::functions())
        .chain(numeric::functions())
        .chain(moments::functions())
        .chain(extract::functions())
        .chain(input_check::functions())
        .chain(system::scalars())
        .chain(asof::functions())
        .chain(uuid::functions())
        .chain(enums::functions())
        .chain(crate::domains::functions())
        .chain(json::functions())
        .chain(arrays::functions())
        .chain([average, labelled, like_pattern::function(), series::function()])
        .collect()
}
