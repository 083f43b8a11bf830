//! `pg_type`, and what types are called.

use std::borrow::Cow;
use std::sync::LazyLock;

use springtide_types::SqlType;

use super::names::quoted;
use super::oids::{self, ARRAY_IN, OWNER, PG_CATALOG};
use super::rows::Row;
use super::{Rows, SystemRelation, user_types};
use crate::{Catalog, TypeKind, UserType};

pub(super) fn relations() -> Vec<SystemRelation> {
    vec![SystemRelation::new(
        "pg_type",
        1_247,
        "oid oid, typname name, typnamespace oid, typowner oid, typlen int2, typbyval bool, typtype \
                 char, typcategory char, typispreferred bool, typisdefined bool, typdelim char, typrelid \
                 oid, typsubscript regproc, typelem oid, typarray oid, typinput regproc, typoutput regproc, \
                 typreceive regproc, typsend regproc, typmodin regproc, typmodout regproc, typanalyze \
                 regproc, typalign char, typstorage char, typnotnull bool, typbasetype oid, typtypmod int4, \
                 typndims int4, typcollation oid, typdefaultbin pg_node_tree, typdefault text, typacl \
                 aclitem[]",
        Rows::Catalog(|catalog| {
            let built_in = TYPES.iter().map(row_of_type);
            let built_in = built_in
                .map(|row| row.set("typnamespace", PG_CATALOG).set("typowner", OWNER).set("typtypmod", -1));
            built_in.chain(user_types::type_rows(catalog)).collect()
        }),
    )]
}

/// A type as PostgreSQL's `pg_type` has it.
#[derive(Clone, Debug)]
pub(super) struct Type {
    pub oid: i64,
    pub name: Cow<'static, str>,
    /// Bytes of a value; negative if they vary.
    pub length: i64,
    pub by_value: bool,
    kind: &'static str,
    category: &'static str,
    preferred: bool,
    /// Of an array, the type of its elements.
    pub element: i64,
    array: i64,
    pub align: &'static str,
    pub storage: &'static str,
    pub collation: i64,
}

/// OID, name, length, by value, kind, category, preferred, element, array, alignment, storage, collation: of the
/// types that users have, those of the system catalogue, and the arrays of both.
const TABLE: &str = "
    16 bool 1 t b B t 0 1000 c p 0
    17 bytea -1 f b U f 0 1001 i x 0
    18 char 1 t b Z f 0 1002 c p 0
    19 name 64 f b S f 18 1003 c p 950
    20 int8 8 t b N f 0 1016 d p 0
    21 int2 2 t b N f 0 1005 s p 0
    22 int2vector -1 f b A f 21 1006 i p 0
    23 int4 4 t b N f 0 1007 i p 0
    24 regproc 4 t b N f 0 1008 i p 0
    25 text -1 f b S t 0 1009 i x 100
    26 oid 4 t b N t 0 1028 i p 0
    28 xid 4 t b U f 0 1011 i p 0
    30 oidvector -1 f b A f 26 1013 i p 0
    114 json -1 f b U f 0 199 i x 0
    199 _json -1 f b A f 114 0 i x 0
    194 pg_node_tree -1 f b Z f 0 0 i x 100
    700 float4 4 t b N f 0 1021 i p 0
    701 float8 8 t b N t 0 1022 d p 0
    705 unknown -2 f p X f 0 0 c p 0
    869 inet -1 f b I t 0 1041 i m 0
    1000 _bool -1 f b A f 16 0 i x 0
    1001 _bytea -1 f b A f 17 0 i x 0
    1002 _char -1 f b A f 18 0 i x 0
    1003 _name -1 f b A f 19 0 i x 950
    1005 _int2 -1 f b A f 21 0 i x 0
    1006 _int2vector -1 f b A f 22 0 i x 0
    1007 _int4 -1 f b A f 23 0 i x 0
    1008 _regproc -1 f b A f 24 0 i x 0
    1009 _text -1 f b A f 25 0 i x 100
    1013 _oidvector -1 f b A f 30 0 i x 0
    1014 _bpchar -1 f b A f 1042 0 i x 100
    1015 _varchar -1 f b A f 1043 0 i x 100
    1016 _int8 -1 f b A f 20 0 d x 0
    1021 _float4 -1 f b A f 700 0 i x 0
    1022 _float8 -1 f b A f 701 0 d x 0
    1028 _oid -1 f b A f 26 0 i x 0
    1033 aclitem 12 f b U f 0 1034 i p 0
    1034 _aclitem -1 f b A f 1033 0 i x 0
    1042 bpchar -1 f b S f 0 1014 i x 100
    1043 varchar -1 f b S f 0 1015 i x 100
    1082 date 4 t b D f 0 1182 i p 0
    1083 time 8 t b D f 0 1183 d p 0
    1114 timestamp 8 t b D f 0 1115 d p 0
    1115 _timestamp -1 f b A f 1114 0 d x 0
    1182 _date -1 f b A f 1082 0 i x 0
    1183 _time -1 f b A f 1083 0 d x 0
    1184 timestamptz 8 t b D t 0 1185 d p 0
    1185 _timestamptz -1 f b A f 1184 0 d x 0
    1186 interval 16 f b T t 0 1187 d p 0
    1187 _interval -1 f b A f 1186 0 d x 0
    1231 _numeric -1 f b A f 1700 0 i x 0
    1700 numeric -1 f b N f 0 1231 i m 0
    2202 regprocedure 4 t b N f 0 2207 i p 0
    2205 regclass 4 t b N f 0 2210 i p 0
    2206 regtype 4 t b N f 0 2211 i p 0
    2210 _regclass -1 f b A f 2205 0 i x 0
    2211 _regtype -1 f b A f 2206 0 i x 0
    2249 record -1 f p P f 0 2287 d x 0
    2277 anyarray -1 f p P f 0 0 d x 0
    2278 void 4 t p P f 0 0 i p 0
    2950 uuid 16 f b U f 0 2951 c p 0
    2951 _uuid -1 f b A f 2950 0 i x 0
    3802 jsonb -1 f b U f 0 3807 i x 0
    3807 _jsonb -1 f b A f 3802 0 i x 0
    4072 jsonpath -1 f b U f 0 4073 i x 0
    4073 _jsonpath -1 f b A f 4072 0 i x 0
    3220 pg_lsn 8 t b U f 0 3221 d p 0
    4089 regnamespace 4 t b N f 0 4090 i p 0
    4096 regrole 4 t b N f 0 4097 i p 0
    2279 trigger 4 t p P f 0 0 i p 0
";

pub(super) static TYPES: LazyLock<Vec<Type>> =
    LazyLock::new(|| TABLE.lines().filter_map(|line| read(line.trim())).collect());

fn read(line: &'static str) -> Option<Type> {
    let mut fields = line.split(' ');
    let mut text = || fields.next();
    Some(Type {
        oid: text()?.parse().ok()?,
        name: text()?.into(),
        length: text()?.parse().ok()?,
        by_value: text()? == "t",
        kind: text()?,
        category: text()?,
        preferred: text()? == "t",
        element: text()?.parse().ok()?,
        array: text()?.parse().ok()?,
        align: text()?,
        storage: text()?,
        collation: text()?.parse().ok()?,
    })
}

impl Type {
    /// A user's type.
    pub(super) fn of_user(user_type: &UserType) -> Type {
        if let TypeKind::Domain(domain) = &user_type.kind
            && let Some(base) = type_of(i64::from(domain.base.oid()))
        {
            return Type {
                oid: oids::of_type(user_type),
                name: user_type.name.clone().into(),
                kind: "d",
                preferred: false,
                element: 0,
                array: oids::of_array_type(user_type),
                ..base.clone()
            };
        }
        Type {
            oid: oids::of_type(user_type),
            name: user_type.name.clone().into(),
            length: 4,
            by_value: true,
            kind: "e",
            category: "E",
            preferred: false,
            element: 0,
            array: oids::of_array_type(user_type),
            align: "i",
            storage: "p",
            collation: 0,
        }
    }

    /// The type of arrays of a user's type.
    pub(super) fn of_user_array(user_type: &UserType) -> Type {
        Type {
            oid: oids::of_array_type(user_type),
            name: format!("_{}", user_type.name).into(),
            length: -1,
            by_value: false,
            kind: "b",
            category: "A",
            element: oids::of_type(user_type),
            array: 0,
            storage: "x",
            ..Type::of_user(user_type)
        }
    }
}

/// A row of `pg_type`, but for schema and owner.
pub(super) fn row_of_type(known: &Type) -> Row {
    Row::zero()
        .set("oid", known.oid)
        .set("typname", known.name.as_ref())
        .set("typlen", known.length)
        .set("typbyval", known.by_value)
        .set("typtype", known.kind)
        .set("typcategory", known.category)
        .set("typispreferred", known.preferred)
        .set("typisdefined", true)
        .set("typdelim", ",")
        .set("typelem", known.element)
        .set("typarray", known.array)
        .set("typinput", if known.category == "A" && known.length < 0 { ARRAY_IN } else { 0 })
        .set("typalign", known.align)
        .set("typstorage", known.storage)
        .set("typcollation", known.collation)
}

/// The built-in type of an OID.
pub(super) fn type_of(oid: i64) -> Option<&'static Type> {
    TYPES.iter().find(|known| known.oid == oid)
}

/// The type of an OID, which may be a user's.
pub(super) fn any_type_of(catalog: &Catalog, oid: i64) -> Option<Cow<'static, Type>> {
    let built_in = type_of(oid).map(Cow::Borrowed);
    built_in.or_else(|| user_types::by_oid(catalog, oid).map(Cow::Owned))
}

/// The type of a column of a system relation, by the name that stands in its definition.
pub(super) fn column_type(name: &str) -> Option<&'static Type> {
    let (name, is_array) = match name.strip_suffix("[]") {
        Some(item) => (item, true),
        None => (name, false),
    };
    let name = if name == "real" { "float4" } else { name };
    let known = TYPES.iter().find(|known| known.name == name)?;
    if is_array { type_of(known.array) } else { Some(known) }
}

/// The OID of the type that SQL calls so: `integer`, `character varying`.
pub(super) fn type_by_name(name: &str) -> Option<i64> {
    let synonyms = [("int", 23), ("decimal", 1700), ("char", 1042), ("character", 1042), ("float", 701)];
    let synonym = synonyms.iter().find(|(synonym, _)| *synonym == name).map(|(_, oid)| *oid);
    synonym.or_else(|| TYPES.iter().map(|known| known.oid).find(|oid| built_in_name(*oid, None) == name))
}

/// What SQL calls a type: `numeric(10,2)`. `modifier` is as in `pg_attribute.atttypmod`.
pub(super) fn format_type(catalog: &Catalog, oid: i64, modifier: Option<i64>) -> String {
    match user_types::by_oid(catalog, oid) {
        Some(array) if array.element != 0 => format!("{}[]", format_type(catalog, array.element, None)),
        Some(known) => quoted(&known.name),
        None => built_in_name(oid, modifier),
    }
}

/// What SQL calls a built-in type.
pub(super) fn built_in_name(oid: i64, modifier: Option<i64>) -> String {
    let Some(known) = type_of(oid) else {
        return if oid == 0 { "-".to_owned() } else { "???".to_owned() };
    };
    if known.name.starts_with('_') {
        return format!("{}[]", built_in_name(known.element, modifier));
    }
    let modifier = modifier.map_or(-1, |modifier| modifier as i32);
    match u32::try_from(oid).ok().and_then(|oid| SqlType::from_oid(oid, modifier)) {
        Some(sql_type) => sql_type.to_string(),
        None => match known.name.as_ref() {
            "char" => "\"char\"".to_owned(),
            "bpchar" => "character".to_owned(),
            name => name.to_owned(),
        },
    }
}

/// What SQL calls a type, without length or precision: `numeric`.
pub fn type_name(sql_type: SqlType) -> String {
    match sql_type.element().unwrap_or(sql_type) {
        SqlType::Enum(_) => sql_type.to_string(),
        _ => built_in_name(i64::from(sql_type.oid()), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_type() {
        assert_eq!(TYPES.len(), TABLE.trim().lines().count());
        for known in TYPES.iter().filter(|known| known.name.starts_with('_')) {
            assert_eq!(type_of(known.element).map(|item| item.array), Some(known.oid), "{}", known.name);
        }
    }

    #[test]
    fn types_are_called_as_in_sql() {
        let format_type = built_in_name;
        assert_eq!(format_type(1700, Some(655_366)), "numeric(10,2)");
        assert_eq!(format_type(1043, Some(24)), "character varying(20)");
        assert_eq!(format_type(1007, None), "integer[]");
        assert_eq!(format_type(18, None), "\"char\"");
        assert_eq!(format_type(999_999, None), "???");
        assert_eq!(type_by_name("timestamp with time zone"), Some(1184));
    }

    #[test]
    fn lengths_are_those_of_sql_types() {
        for known in TYPES.iter() {
            if let Some(sql_type) = SqlType::from_oid(known.oid as u32, -1) {
                assert_eq!(i64::from(sql_type.length()), known.length, "{}", known.name);
            }
        }
    }
}
