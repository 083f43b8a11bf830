//! What exists: relations, their columns and dependencies, and the rules of DDL.
//!
//! A [`Catalog`] is a value: DDL makes a new one, so that a statement sees one catalog from start to end.
//! Invariant: nothing here runs or stores anything.

mod catalog;
mod relation;

pub use catalog::Catalog;
pub use relation::{Column, Relation, RelationKind};
