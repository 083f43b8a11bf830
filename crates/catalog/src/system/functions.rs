//! Users' functions and their language: `pg_proc`, `pg_language`. Built-in functions are not listed.

use springtide_types::SqlType;

use super::namespaces::of_schema;
use super::oids::{OWNER, SQL_LANGUAGE, of_function};
use super::privileges::owner;
use super::rows::Row;
use super::{Rows, SystemRelation};
use crate::{Catalog, Function, Securable};

pub(super) fn relations() -> Vec<SystemRelation> {
    vec![
        SystemRelation::new(
            "pg_proc",
            1_255,
            "oid oid, proname name, pronamespace oid, proowner oid, prolang oid, procost real, prorows \
                 real, provariadic oid, prosupport regproc, prokind char, prosecdef bool, proleakproof \
                 bool, proisstrict bool, proretset bool, provolatile char, proparallel char, pronargs int2, \
                 pronargdefaults int2, prorettype oid, proargtypes oidvector, proallargtypes oid[], \
                 proargmodes char[], proargnames text[], proargdefaults pg_node_tree, protrftypes oid[], \
                 prosrc text, probin text, prosqlbody pg_node_tree, proconfig text[], proacl aclitem[]",
            Rows::Catalog(|catalog| catalog.all_functions().map(|known| function(catalog, known)).collect()),
        ),
        SystemRelation::new(
            "pg_language",
            2_612,
            "oid oid, lanname name, lanowner oid, lanispl bool, lanpltrusted bool, lanplcallfoid oid, \
                 laninline oid, lanvalidator oid, lanacl aclitem[]",
            Rows::Catalog(|_| vec![sql()]),
        ),
    ]
}

/// The OID of the type of rows.
const RECORD: i64 = 2249;

fn function(catalog: &Catalog, function: &Function) -> Row {
    let oid = |sql_type: SqlType| i64::from(sql_type.oid());
    let names = function.parameters.iter().map(|parameter| parameter.name.clone().unwrap_or_default());
    let named = function.parameters.iter().any(|parameter| parameter.name.is_some());
    let has_columns = function.rows.as_ref().is_some_and(|rows| rows.columns.len() > 1);
    Row::zero()
        .set("oid", of_function(function))
        .set("proname", function.name.as_str())
        .set("pronamespace", of_schema(function.in_schema))
        .set("proowner", owner(catalog, Securable::Function(function.id)))
        .set("prolang", SQL_LANGUAGE)
        .set("procost", 100)
        .set("prokind", "f")
        .set("proisstrict", function.strict)
        .set("provolatile", "v")
        .set("proparallel", "u")
        .set("pronargs", function.parameters.len() as i64)
        .set("proretset", function.rows.as_ref().is_some_and(|rows| rows.set))
        .set("prorettype", if has_columns { RECORD } else { oid(function.returns) })
        .set("proargtypes", function.types().map(oid).collect::<Vec<_>>())
        .set("proargnames", named.then(|| names.collect::<Vec<_>>()))
        .set("prosrc", function.body.as_str())
}

fn sql() -> Row {
    Row::zero()
        .set("oid", SQL_LANGUAGE)
        .set("lanname", "sql")
        .set("lanowner", OWNER)
        .set("lanpltrusted", true)
}
