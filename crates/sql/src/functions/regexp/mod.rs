//! Regular expressions, as PostgreSQL's functions and operators know them.

mod backtrack;
mod compile;
mod matching;
mod options;
mod replace;
mod rows;
mod translate;

use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ScalarUDF, lit};
use springtide_types::Result;
use springtide_types::SqlType::{Boolean, Int4, Text};

use super::typed::{Gives, Typed, Variant, variant};

/// `regexp_group(text, pattern, [flags,] n)` is `(regexp_match(text, pattern, flags))[n]`, without the array.
pub(crate) const REGEXP_GROUP: &str = "$regexp_group";

const GROUP: &[Variant] = &[
    variant(&[Text, Text, Int4], Gives::One(Text), matching::group),
    variant(&[Text, Text, Text, Int4], Gives::One(Text), matching::group),
];

const MATCH: &[Variant] =
    &[Variant { parameters: &[Text, Text, Text], required: 2, gives: Gives::Texts, run: matching::first }];

/// What `regexp_matches` gives rows of: the array of its results.
pub(crate) const REGEXP_ROWS: &str = "regexp_matches array";

const ROWS: &[Variant] = &[Variant {
    parameters: &[Text, Text, Text],
    required: 2,
    gives: Gives::TextArrays,
    run: matching::rows,
}];

const SPLIT: &[Variant] =
    &[Variant { parameters: &[Text, Text, Text], required: 2, gives: Gives::Texts, run: matching::split }];

const LIKE: &[Variant] = &[Variant {
    parameters: &[Text, Text, Text],
    required: 2,
    gives: Gives::One(Boolean),
    run: matching::like,
}];

/// What the operators and `substring` call: they take no flags from the user.
const MATCHES: &[Variant] = &[variant(&[Text, Text, Text], Gives::One(Boolean), matching::like)];
const SUBSTRING: &[Variant] = &[variant(&[Text, Text], Gives::One(Text), matching::substring)];

const COUNT: &[Variant] = &[Variant {
    parameters: &[Text, Text, Int4, Text],
    required: 2,
    gives: Gives::One(Int4),
    run: matching::count,
}];

const INSTR: &[Variant] = &[Variant {
    parameters: &[Text, Text, Int4, Int4, Int4, Text, Int4],
    required: 2,
    gives: Gives::One(Int4),
    run: matching::instr,
}];

const SUBSTR: &[Variant] = &[Variant {
    parameters: &[Text, Text, Int4, Int4, Text, Int4],
    required: 2,
    gives: Gives::One(Text),
    run: matching::substr,
}];

const REPLACE: &[Variant] = &[
    Variant {
        parameters: &[Text, Text, Text, Text],
        required: 3,
        gives: Gives::One(Text),
        run: replace::with_flags,
    },
    Variant {
        parameters: &[Text, Text, Text, Int4, Int4, Text],
        required: 4,
        gives: Gives::One(Text),
        run: replace::from_start,
    },
];

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        Typed::udf(REGEXP_GROUP, GROUP),
        Typed::udf("regexp_match", MATCH),
        Typed::udf(REGEXP_ROWS, ROWS),
        Typed::udf("regexp_split_to_array", SPLIT),
        Typed::udf("regexp_like", LIKE),
        Typed::udf("regexp_count", COUNT),
        Typed::udf("regexp_instr", INSTR),
        Typed::udf("regexp_substr", SUBSTR),
        Typed::udf("regexp_replace", REPLACE),
    ]
}

/// `text ~ pattern`, or `text ~* pattern`.
pub(crate) fn matches(text: Expr, pattern: Expr, ignore_case: bool) -> Expr {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Typed::udf("$regexp_matches", MATCHES));
    let flags = lit(if ignore_case { "i" } else { "" });
    Expr::ScalarFunction(ScalarFunction::new_udf(FUNCTION.clone(), vec![text, pattern, flags]))
}

/// A pattern under flags of these functions.
#[derive(Clone, Debug)]
pub(crate) struct Compiled(Rc<compile::Program>);

impl Compiled {
    pub(crate) fn new(pattern: &str, flags: &str) -> Result<Compiled> {
        compile::compile(pattern, flags).map(Compiled)
    }

    pub(crate) fn is_match(&self, text: &str) -> Result<bool> {
        self.0.regex.is_match(text)
    }
}

/// The function of `substring(text FROM pattern)`.
pub(crate) fn substring_of_pattern() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Typed::udf("substring", SUBSTRING));
    FUNCTION.clone()
}
