use serde::{Deserialize, Serialize};
use springtide_types::SqlType;

use crate::SchemaId;

/// The identity of a function. It is never given out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FunctionId(pub u64);

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name, if it was given one; by its position it goes in any case.
    pub name: Option<String>,
    /// Its type, without length or precision.
    pub sql_type: SqlType,
}

/// A function in SQL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Function {
    /// Its identity.
    pub id: FunctionId,
    /// The schema that it is in.
    #[serde(default, skip_serializing_if = "SchemaId::is_public")]
    pub in_schema: SchemaId,
    /// Its name. Others may have it too, with parameters of other types.
    pub name: String,
    /// Its parameters, in order.
    pub parameters: Vec<Parameter>,
    /// The type of its result, without length or precision.
    pub returns: SqlType,
    /// `STRICT`: the result is NULL as soon as an argument is.
    pub strict: bool,
    /// What it gives where that is not a single value.
    #[serde(default)]
    pub rows: Option<FunctionRows>,
    /// The text of the query whose first row, a single value, is the result, or whose rows are.
    pub body: String,
}

/// The rows that a function gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FunctionRows {
    /// The names and types of their columns.
    pub columns: Vec<(String, SqlType)>,
    /// Whether there are any number of them, and not always one.
    pub set: bool,
}

impl Function {
    /// The types of its parameters, in order.
    pub fn types(&self) -> impl Iterator<Item = SqlType> {
        self.parameters.iter().map(|parameter| parameter.sql_type)
    }

    /// What messages call it: `f(integer,text)`.
    pub fn signature(&self) -> String {
        let types = self.types().map(|sql_type| sql_type.to_string());
        format!("{}({})", self.name, types.collect::<Vec<_>>().join(","))
    }
}
