//! What there is one of, or what is fixed: the database, access methods, collations.

use super::oids::{BTREE, DATABASE_OID, HEAP, OWNER, PG_CATALOG, TABLESPACE};
use super::privileges::{items, owner};
use super::rows::Row;
use super::{DATABASE, Rows, SystemRelation, UTF8};
use crate::{Catalog, Securable};

pub(super) fn relations() -> Vec<SystemRelation> {
    vec![
        SystemRelation::new(
            "pg_database",
            1_262,
            "oid oid, datname name, datdba oid, encoding int4, datlocprovider char, datistemplate bool, \
                 datallowconn bool, datconnlimit int4, datfrozenxid xid, datminmxid xid, dattablespace oid, \
                 datcollate text, datctype text, daticulocale text, datcollversion text, datacl aclitem[]",
            Rows::Catalog(|catalog| vec![database(catalog)]),
        ),
        SystemRelation::new(
            "pg_tablespace",
            1_213,
            "oid oid, spcname name, spcowner oid, spcacl aclitem[], spcoptions text[]",
            Rows::Catalog(|_| vec![tablespace()]),
        ),
        SystemRelation::new(
            "pg_am",
            2_601,
            "oid oid, amname name, amhandler regproc, amtype char",
            Rows::Catalog(|_| access_methods()),
        ),
        SystemRelation::new(
            "pg_collation",
            3_456,
            "oid oid, collname name, collnamespace oid, collowner oid, collprovider char, \
                 collisdeterministic bool, collencoding int4, collcollate text, collctype text, \
                 colliculocale text, collversion text",
            Rows::Catalog(|_| collations()),
        ),
    ]
}

fn database(catalog: &Catalog) -> Row {
    Row::zero()
        .set("oid", DATABASE_OID)
        .set("datname", DATABASE)
        .set("datdba", owner(catalog, Securable::Database))
        .set("encoding", UTF8)
        .set("datlocprovider", "c")
        .set("datallowconn", true)
        .set("datconnlimit", -1)
        .set("dattablespace", TABLESPACE)
        .set("datcollate", "C")
        .set("datctype", "C")
        .set("datacl", items(catalog, Securable::Database))
}

fn tablespace() -> Row {
    Row::zero().set("oid", TABLESPACE).set("spcname", "pg_default").set("spcowner", OWNER)
}

fn access_methods() -> Vec<Row> {
    let row = |(oid, name, kind): (i64, &str, &str)| {
        Row::zero().set("oid", oid).set("amname", name).set("amtype", kind)
    };
    [(HEAP, "heap", "t"), (BTREE, "btree", "i")].map(row).into()
}

fn collations() -> Vec<Row> {
    let row = |(oid, name, provider): (i64, &str, &str)| {
        Row::zero()
            .set("oid", oid)
            .set("collname", name)
            .set("collnamespace", PG_CATALOG)
            .set("collowner", OWNER)
            .set("collprovider", provider)
            .set("collisdeterministic", true)
            .set("collencoding", -1)
            .set("collcollate", (provider == "c").then_some("C"))
            .set("collctype", (provider == "c").then_some("C"))
    };
    [(100, "default", "d"), (950, "C", "c"), (951, "POSIX", "c")].map(row).into()
}
