//! Indexes and constraints as the catalogue lists them: those of primary keys among the others.

use super::definitions::column_names;
use super::names::relation_name;
use super::oids::{of_constraint, of_index, of_rule, of_rule_index};
use crate::{Action, Catalog, ForeignKey, Relation};

/// An index.
pub(super) struct IndexFacts<'a> {
    pub table: &'a Relation,
    pub oid: i64,
    pub name: String,
    pub columns: &'a [usize],
    pub unique: bool,
    pub primary: bool,
}

/// The indexes of a relation, the primary key first.
pub(super) fn indexes(table: &Relation) -> Vec<IndexFacts<'_>> {
    let primary = table.primary_key().map(|columns| IndexFacts {
        table,
        oid: of_index(table),
        name: table.primary_key_name(),
        columns,
        unique: true,
        primary: true,
    });
    let others = table.rules().indexes.iter().map(|index| IndexFacts {
        table,
        oid: of_rule_index(table, index.number),
        name: index.name.clone(),
        columns: &index.columns,
        unique: index.unique,
        primary: false,
    });
    primary.into_iter().chain(others).collect()
}

/// A constraint.
pub(super) struct ConstraintFacts<'a> {
    pub table: &'a Relation,
    pub oid: i64,
    pub name: String,
    pub columns: &'a [usize],
    /// The OID of its index; 0 if it has none.
    pub index: i64,
    pub kind: ConstraintKind<'a>,
}

/// What a constraint is.
pub(super) enum ConstraintKind<'a> {
    Primary,
    Unique,
    Check(&'a str),
    Foreign(&'a ForeignKey, &'a Relation),
}

impl ConstraintKind<'_> {
    /// As `pg_constraint` has it.
    pub(super) fn letter(&self) -> &'static str {
        match self {
            ConstraintKind::Primary => "p",
            ConstraintKind::Unique => "u",
            ConstraintKind::Check(_) => "c",
            ConstraintKind::Foreign(..) => "f",
        }
    }

    /// As SQL has it.
    pub(super) fn words(&self) -> &'static str {
        match self {
            ConstraintKind::Primary => "PRIMARY KEY",
            ConstraintKind::Unique => "UNIQUE",
            ConstraintKind::Check(_) => "CHECK",
            ConstraintKind::Foreign(..) => "FOREIGN KEY",
        }
    }
}

/// The constraints of a relation, the primary key first.
pub(super) fn constraints<'a>(catalog: &'a Catalog, table: &'a Relation) -> Vec<ConstraintFacts<'a>> {
    let rules = table.rules();
    let primary = table.primary_key().map(|columns| ConstraintFacts {
        table,
        oid: of_constraint(table),
        name: table.primary_key_name(),
        columns,
        index: of_index(table),
        kind: ConstraintKind::Primary,
    });
    let unique = rules.indexes.iter().filter(|index| index.constraint).map(|index| ConstraintFacts {
        table,
        oid: of_rule(table, index.number),
        name: index.name.clone(),
        columns: &index.columns,
        index: of_rule_index(table, index.number),
        kind: ConstraintKind::Unique,
    });
    let checks = rules.checks.iter().map(|check| ConstraintFacts {
        table,
        oid: of_rule(table, check.number),
        name: check.name.clone(),
        columns: &check.columns,
        index: 0,
        kind: ConstraintKind::Check(&check.expr),
    });
    let foreign = rules.foreign_keys.iter().filter_map(|key| {
        let referenced = catalog.by_id(key.table)?;
        Some(ConstraintFacts {
            table,
            oid: of_rule(table, key.number),
            name: key.name.clone(),
            columns: &key.columns,
            index: index_of(referenced, &key.referenced).map_or(0, |index| index.oid),
            kind: ConstraintKind::Foreign(key, referenced),
        })
    });
    primary.into_iter().chain(unique).chain(checks).chain(foreign).collect()
}

/// The unique index over these columns, in whatever order.
pub(super) fn index_of<'a>(table: &'a Relation, columns: &[usize]) -> Option<IndexFacts<'a>> {
    let same = |index: &IndexFacts<'_>| {
        index.columns.len() == columns.len() && columns.iter().all(|column| index.columns.contains(column))
    };
    indexes(table).into_iter().find(|index| index.unique && same(index))
}

/// The constraint of an OID.
pub(super) fn constraint(catalog: &Catalog, oid: i64) -> Option<ConstraintFacts<'_>> {
    let all = catalog.relations().flat_map(|relation| constraints(catalog, relation));
    all.into_iter().find(|constraint| constraint.oid == oid)
}

/// A constraint as SQL declares it. What is printed prettily has fewer parentheses.
pub(super) fn constraint_definition(
    catalog: &Catalog,
    constraint: &ConstraintFacts<'_>,
    pretty: bool,
) -> String {
    let columns = column_names(constraint.table, constraint.columns);
    match &constraint.kind {
        ConstraintKind::Primary => format!("PRIMARY KEY ({columns})"),
        ConstraintKind::Unique => format!("UNIQUE ({columns})"),
        ConstraintKind::Check(expr) if pretty => format!("CHECK ({expr})"),
        ConstraintKind::Check(expr) => format!("CHECK (({expr}))"),
        ConstraintKind::Foreign(key, referenced) => {
            let name = relation_name(catalog, referenced);
            let referenced = column_names(referenced, &key.referenced);
            let action = |event: &str, action: Action| match action {
                Action::NoAction => String::new(),
                action => format!(" ON {event} {}", action.words()),
            };
            let (update, delete) = (action("UPDATE", key.on_update), action("DELETE", key.on_delete));
            format!("FOREIGN KEY ({columns}) REFERENCES {name}({referenced}){update}{delete}")
        }
    }
}
