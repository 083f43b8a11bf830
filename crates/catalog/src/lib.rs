//! What exists: relations, their columns, functions, what depends on what, and the rules of DDL.
//!
//! A [`Catalog`] is a value: DDL makes a new one, so that a statement sees one catalog from start to end.
//! Invariant: nothing here runs or stores anything.

mod catalog;
mod comment;
mod dependencies;
mod function;
mod relation;
mod retention;
mod stored;
pub mod system;

pub use catalog::Catalog;
pub use comment::Commented;
pub use function::{Function, FunctionId, Parameter};
pub use relation::{Column, Default, Relation, RelationKind};
pub use retention::Retention;
pub use stored::{CatalogChange, Definition, Definitions};
