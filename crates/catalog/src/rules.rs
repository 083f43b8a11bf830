//! What the rows of a table have to fulfil, and the indexes that it has.

use serde::{Deserialize, Serialize};
use springtide_types::RelationId;

use crate::FunctionId;

/// The constraints and indexes of a table besides its primary key and NOT NULL.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// The name of the primary key, if it was given one.
    #[serde(default)]
    pub primary_key_name: Option<String>,
    /// Positions of columns that were declared NOT NULL when they had rows already. They are kept as columns that may
    /// hold NULL, as they did in the past.
    #[serde(default)]
    pub not_null: Vec<usize>,
    /// CHECK constraints.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// UNIQUE constraints and indexes.
    #[serde(default)]
    pub indexes: Vec<Index>,
    /// FOREIGN KEY constraints.
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKey>,
    /// Numbers that were given to the above.
    #[serde(default)]
    numbers: u64,
}

/// `CHECK (expr)`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Its number in the table.
    pub number: u64,
    /// Its name.
    pub name: String,
    /// The SQL text of the expression.
    pub expr: String,
    /// Positions of the columns that it names.
    pub columns: Vec<usize>,
    /// The functions that it calls, directly or through others.
    pub functions: Vec<FunctionId>,
}

/// An index, which may be that of a UNIQUE constraint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// Its number in the table.
    pub number: u64,
    /// Its name.
    pub name: String,
    /// Positions of its columns.
    pub columns: Vec<usize>,
    /// Whether no two rows may have the same values in them; NULL is the same as nothing.
    pub unique: bool,
    /// Whether it belongs to a UNIQUE constraint of its name.
    pub constraint: bool,
}

/// `FOREIGN KEY (columns) REFERENCES table (referenced)`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Its number in the table.
    pub number: u64,
    /// Its name.
    pub name: String,
    /// Positions of its columns.
    pub columns: Vec<usize>,
    /// The table that it references.
    pub table: RelationId,
    /// Positions of the columns there, in the order of `columns`. They are the primary key or unique.
    pub referenced: Vec<usize>,
    /// What becomes of a row when the one that it references is deleted.
    pub on_delete: Action,
    /// What becomes of a row when the key that it references is changed.
    pub on_update: Action,
}

/// What follows for a row that references another when that one changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// The change is refused, as of the end of the statement.
    #[default]
    NoAction,
    /// The change is refused at once.
    Restrict,
    /// The same change.
    Cascade,
    /// Its columns become NULL.
    SetNull,
}

impl Action {
    /// As `pg_constraint` has it.
    pub fn letter(self) -> &'static str {
        match self {
            Action::NoAction => "a",
            Action::Restrict => "r",
            Action::Cascade => "c",
            Action::SetNull => "n",
        }
    }

    /// As SQL has it.
    pub fn words(self) -> &'static str {
        match self {
            Action::NoAction => "NO ACTION",
            Action::Restrict => "RESTRICT",
            Action::Cascade => "CASCADE",
            Action::SetNull => "SET NULL",
        }
    }
}

/// Columns of a table of which no two rows may have the same values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The name of its constraint or index.
    pub name: &'a str,
    /// Their positions.
    pub columns: &'a [usize],
}

impl Rules {
    /// A number that nothing else in the table has had.
    pub fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Rules::default()
    }

    /// The unique indexes.
    pub fn unique(&self) -> impl Iterator<Item = &Index> {
        self.indexes.iter().filter(|index| index.unique)
    }

    /// The names of constraints, but for the primary key.
    pub fn constraint_names(&self) -> impl Iterator<Item = &str> {
        let checks = self.checks.iter().map(|check| check.name.as_str());
        let unique = self.indexes.iter().filter(|index| index.constraint).map(|index| index.name.as_str());
        checks.chain(unique).chain(self.foreign_keys.iter().map(|key| key.name.as_str()))
    }
}
