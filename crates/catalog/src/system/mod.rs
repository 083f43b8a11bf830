//! The system catalogue: what exists, as the relations of `pg_catalog`, `information_schema` and `springtide_catalog`.
//!
//! Each [`SystemRelation`] computes its rows from a [`Catalog`]; nothing of it is stored. A [`Lookup`] is a
//! function over it, such as the name of a type or the query of a view. [`Named`] is what names and OIDs stand for.

mod activity;
mod class;
mod columns;
mod comments;
mod constraints;
mod definitions;
mod empty;
mod functions;
mod information_schema;
mod instance;
mod keys;
mod live;
mod lookup;
mod names;
mod namespaces;
mod oids;
mod overviews;
mod privileges;
mod roles;
mod rows;
mod sequences;
mod session;
mod snapshots;
mod types;
mod user_types;

use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use springtide_types::{Epoch, Result};

use crate::{Catalog, denied};
use columns::SystemColumn;
use rows::Row;

pub use activity::{Backend, BackendFacts};
pub use live::{Live, OperatorFacts, SourceFacts};
pub use lookup::{Argument, Kind, Lookup, lookup};
pub use names::{Named, is_plain, quoted};
pub use oids::relation_oid;
pub(crate) use oids::{of_array_type as array_oid_of_type, of_type as oid_of_type};
pub use session::{CursorFacts, Identity, SessionFacts, SettingFacts, SettingRequests, StatementFacts};
pub use types::type_name;

/// The name of the one database.
pub const DATABASE: &str = "springtide";
/// The name of the superuser that is there from the beginning.
pub const ROLE: &str = "springtide";
/// The schema of what PostgreSQL has not.
const OWN_SCHEMA: &str = "springtide_catalog";
/// The one encoding, in PostgreSQL's numbering.
const UTF8: i64 = 6;

/// What a query may ask about: all that exists at one moment, and the session that asks.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What exists.
    pub catalog: Arc<Catalog>,
    /// The session that asks.
    pub session: SessionFacts,
}

/// A moment of the whole database that is kept by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The name.
    pub name: String,
    /// The moment.
    pub at: Epoch,
    /// When the name was given to it, in microseconds since 1970, if that is known.
    pub created: Option<Epoch>,
}

impl Facts {
    /// Whether these are the same values in memory.
    pub fn is_same(&self, other: &Facts) -> bool {
        Arc::ptr_eq(&self.catalog, &other.catalog) && self.session.is_same(&other.session)
    }
}

/// How the rows of a system relation come about.
#[derive(Clone, Copy, Debug)]
enum Rows {
    Catalog(fn(&Catalog) -> Vec<Row>),
    Session(fn(&SessionFacts) -> Vec<Row>),
    /// Of the catalog, as the session may see it.
    Facts(fn(&Facts) -> Vec<Row>),
    /// Never: what it lists does not exist here.
    Never,
}

/// A relation whose rows say what exists.
#[derive(Debug)]
pub struct SystemRelation {
    /// `pg_catalog`, `information_schema` or `springtide_catalog`.
    pub schema: &'static str,
    /// Its name within the schema.
    pub name: &'static str,
    oid: i64,
    /// As `relkind` says it: `r` for tables, `v` for views.
    kind: &'static str,
    columns: Vec<SystemColumn>,
    rows: Rows,
}

impl SystemRelation {
    /// `columns` are written as in CREATE TABLE: `oid oid, relname name`.
    fn new(name: &'static str, oid: i64, columns: &'static str, rows: Rows) -> SystemRelation {
        let (schema, name) = name.split_once('.').unwrap_or(("pg_catalog", name));
        SystemRelation::in_schema(schema, name, oid, columns, rows)
    }

    fn in_schema(
        schema: &'static str,
        name: &'static str,
        oid: i64,
        columns: &'static str,
        rows: Rows,
    ) -> SystemRelation {
        // Views have OIDs of those that are given out while a database is made.
        let kind = if oid < 10_000 { "r" } else { "v" };
        SystemRelation { schema, name, oid, kind, columns: columns::parse(columns), rows }
    }

    /// The Arrow schema of its rows.
    pub fn arrow_schema(&self) -> SchemaRef {
        columns::arrow_schema(&self.columns)
    }

    /// The names of its columns, in order.
    pub fn column_names(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().map(|column| column.name)
    }

    /// Its OID.
    pub fn oid(&self) -> i64 {
        self.oid
    }

    /// Whether it never has rows.
    pub fn is_always_empty(&self) -> bool {
        matches!(self.rows, Rows::Never)
    }

    /// Fails with `42501` unless a session may read it.
    pub fn check_readable(&self, facts: &Facts) -> Result<()> {
        let may = facts.catalog.roles().is_superuser(facts.session.identity.current);
        if may || !(self.schema == "pg_catalog" && roles::SECRET.contains(&self.name)) {
            return Ok(());
        }
        let kind = if self.kind == "r" { "table" } else { "view" };
        Err(denied(format!("permission denied for {kind} {}", self.name)))
    }

    /// Whether its rows follow from the catalog alone.
    pub fn is_of_catalog(&self) -> bool {
        matches!(self.rows, Rows::Catalog(_) | Rows::Never)
    }

    /// Its rows. O(objects in the catalog).
    pub fn rows(&self, facts: &Facts) -> RecordBatch {
        let rows = match self.rows {
            Rows::Catalog(rows) => rows(&facts.catalog),
            Rows::Session(rows) => rows(&facts.session),
            Rows::Facts(rows) => rows(facts),
            Rows::Never => Vec::new(),
        };
        rows::batch(&self.columns, &rows)
    }
}

static RELATIONS: LazyLock<Vec<SystemRelation>> = LazyLock::new(|| {
    let all = [
        activity::relations(),
        class::relations(),
        comments::relations(),
        constraints::relations(),
        types::relations(),
        user_types::relations(),
        functions::relations(),
        instance::relations(),
        overviews::relations(),
        privileges::relations(),
        roles::relations(),
        snapshots::relations(),
        live::relations(),
        sequences::relations(),
        namespaces::relations(),
        session::relations(),
        information_schema::relations(),
        empty::relations(),
    ];
    all.into_iter().flatten().collect()
});

/// All system relations.
pub fn system_relations() -> &'static [SystemRelation] {
    &RELATIONS
}

/// The system relation that a name stands for. Without a schema, only those of `pg_catalog` are found.
pub fn system_relation(schema: Option<&str>, name: &str) -> Option<&'static SystemRelation> {
    let schema = schema.unwrap_or("pg_catalog");
    RELATIONS.iter().find(|relation| relation.name == name && relation.schema == schema)
}

/// Whether a schema is one of the system.
pub fn is_schema(name: &str) -> bool {
    namespaces::OF_SYSTEM.iter().any(|known| known.0 == name)
}

/// Whether a name without a schema is that of a system relation.
pub(crate) fn is_system_relation(name: &str) -> bool {
    system_relation(None, name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_relation_gives_rows_of_its_columns() {
        let facts = Facts::default();
        for relation in system_relations() {
            let rows = relation.rows(&facts);
            assert_eq!(rows.schema(), relation.arrow_schema(), "{}", relation.name);
            assert!(!relation.is_always_empty() || rows.num_rows() == 0);
        }
    }

    #[test]
    fn names_and_oids_are_unique() {
        let oids = system_relations().iter().map(|relation| relation.oid);
        let names = system_relations().iter().map(|relation| (relation.schema, relation.name));
        assert_eq!(oids.collect::<std::collections::HashSet<_>>().len(), system_relations().len());
        assert_eq!(names.collect::<std::collections::HashSet<_>>().len(), system_relations().len());
    }
}
