//! What the clauses of a function of SQL/JSON say. It goes along with the call as a text among its arguments.

use datafusion::common::ScalarValue;
use serde::{Deserialize, Serialize};
use springtide_types::{Result, SqlError};

/// What comes where nothing was found, or something failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Behavior {
    #[default]
    Null,
    Error,
    True,
    False,
    EmptyArray,
    EmptyObject,
    /// The value of an argument.
    Default,
}

/// Whether results are put in an array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Wrapper {
    #[default]
    Without,
    /// Where there are several.
    Conditional,
    Always,
}

/// The clauses of a call.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Options {
    /// `RETURNING type`
    pub returning: Option<String>,
    pub wrapper: Wrapper,
    /// `OMIT QUOTES`
    pub omit_quotes: bool,
    pub on_empty: Behavior,
    pub on_error: Behavior,
    /// The names of `PASSING`.
    pub names: Vec<String>,
    /// `ABSENT ON NULL`
    pub absent_on_null: bool,
    /// `WITH UNIQUE KEYS`
    pub unique: bool,
}

impl Options {
    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("options are texts and words")
    }

    /// The options among the arguments of a call.
    pub(crate) fn of(argument: Option<&ScalarValue>) -> Result<Options> {
        let text = argument.and_then(|value| value.try_as_str().flatten());
        let options = text.and_then(|text| serde_json::from_str(text).ok());
        options.ok_or_else(|| SqlError::internal("a function of SQL/JSON has options"))
    }
}
