//! What exists: schemas, relations, their columns, functions, types, roles, what depends on what, who may do what, and the
//! rules of DDL.
//!
//! A [`Catalog`] is a value: DDL makes a new one, so that a statement sees one catalog from start to end.
//! Invariant: nothing here runs or stores anything. Only the counters of sequences are shared, since they take no part
//! in transactions.

mod access;
mod catalog;
mod comment;
mod default_access;
mod dependencies;
mod domain;
mod errors;
mod function;
mod on_commit;
mod relation;
mod retention;
mod roles;
mod rules;
mod schema;
mod sequence;
mod source;
mod stored;
pub mod system;
mod type_dependencies;
mod user_type;

pub use access::{Access, DependentPrivileges, Grant, GrantList, Privilege, Revocation, Securable};
pub use catalog::Catalog;
pub use comment::Commented;
pub use default_access::FutureKind;
pub use dependencies::Dropped;
pub use domain::{Domain, DomainCheck};
pub use errors::denied;
pub use function::{Function, FunctionId, FunctionRows, Parameter};
pub use on_commit::OnCommit;
pub use relation::{Column, Default, DefaultKind, Relation, RelationKind};
pub use retention::Retention;
pub use roles::{Membership, Role, RoleId, Roles};
pub use rules::{Action, Check, ForeignKey, Index, Key, Rules};
pub use schema::{Name, NameRef, Schema, SchemaId, SearchPath};
pub use sequence::{
    Counter, Drawn, Position, SequenceOptions, SequenceOwner, SessionSequences, sequence_columns, type_limits,
};
pub use source::{SourceDefinition, source_columns};
pub use stored::{CatalogChange, Definition, Definitions};
pub use user_type::{TypeId, TypeKind, Types, UserType};
