//! Comments: `pg_description` and `pg_shdescription`.

use super::namespaces::of_schema;
use super::oids::{self, DATABASE_OID, PUBLIC};
use super::rows::Row;
use super::{Rows, SystemRelation};
use crate::{Catalog, Commented};

/// The catalogues that objects are listed in, by name and OID.
const PG_CLASS: (&str, i64) = ("pg_class", 1_259);
const PG_PROC: (&str, i64) = ("pg_proc", 1_255);
const PG_TYPE: (&str, i64) = ("pg_type", 1_247);
const PG_NAMESPACE: (&str, i64) = ("pg_namespace", 2_615);
const PG_DATABASE: (&str, i64) = ("pg_database", 1_262);

/// A comment as the catalogue lists it.
struct Description<'a> {
    object: i64,
    class: (&'static str, i64),
    /// The number of a column; 0 for the whole.
    part: i64,
    text: &'a str,
}

pub(super) fn relations() -> Vec<SystemRelation> {
    vec![
        SystemRelation::new(
            "pg_description",
            2_609,
            "objoid oid, classoid oid, objsubid int4, description text",
            Rows::Catalog(|catalog| {
                let own = descriptions(catalog).filter(|known| known.class != PG_DATABASE);
                own.map(|known| row(&known).set("objsubid", known.part)).collect()
            }),
        ),
        SystemRelation::new(
            "pg_shdescription",
            2_396,
            "objoid oid, classoid oid, description text",
            Rows::Catalog(|catalog| {
                let shared = descriptions(catalog).filter(|known| known.class == PG_DATABASE);
                shared.map(|known| row(&known)).collect()
            }),
        ),
    ]
}

fn row(known: &Description<'_>) -> Row {
    Row::zero().set("objoid", known.object).set("classoid", known.class.1).set("description", known.text)
}

fn descriptions(catalog: &Catalog) -> impl Iterator<Item = Description<'_>> {
    catalog.comments().filter_map(|(on, text)| {
        let (object, class, part) = match on {
            Commented::Database => (DATABASE_OID, PG_DATABASE, 0),
            Commented::Schema => (PUBLIC, PG_NAMESPACE, 0),
            Commented::OtherSchema(id) => (of_schema(id), PG_NAMESPACE, 0),
            Commented::Relation(id) => (oids::of_relation(catalog.by_id(id)?), PG_CLASS, 0),
            Commented::Column(id, position) => {
                (oids::of_relation(catalog.by_id(id)?), PG_CLASS, position as i64 + 1)
            }
            Commented::Function(id) => {
                let function = catalog.all_functions().find(|function| function.id == id)?;
                (oids::of_function(function), PG_PROC, 0)
            }
            Commented::Type(id) => {
                let user_type = catalog.types().iter().find(|known| known.id == id)?;
                (oids::of_type(user_type), PG_TYPE, 0)
            }
        };
        Some(Description { object, class, part, text })
    })
}

/// The comment on an object, which is listed in `class` if that is said; on a part of it, unless that is 0.
pub(super) fn description(catalog: &Catalog, object: i64, class: Option<&str>, part: i64) -> Option<String> {
    let is_it = |known: &Description<'_>| {
        known.object == object && known.part == part && class.is_none_or(|class| class == known.class.0)
    };
    descriptions(catalog).find(is_it).map(|known| known.text.to_owned())
}
