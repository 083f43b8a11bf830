//! What PostgreSQL's catalogue and protocol say of a type.

use crate::{SqlType, UNCONSTRAINED_NUMERIC};

/// Bytes of the length word that PostgreSQL counts into the modifiers of `numeric` and `varchar`.
const VARHDRSZ: i32 = 4;

/// The OIDs of types, each with that of its arrays.
const ARRAYS: [(u32, u32); 20] = [
    (16, 1000),
    (17, 1001),
    (20, 1016),
    (21, 1005),
    (23, 1007),
    (25, 1009),
    (114, 199),
    (700, 1021),
    (701, 1022),
    (1043, 1015),
    (1082, 1182),
    (1083, 1183),
    (1114, 1115),
    (1184, 1185),
    (1186, 1187),
    (1266, 1270),
    (1700, 1231),
    (2950, 2951),
    (3802, 3807),
    (4072, 4073),
];

/// The modifier that stands for a precision and a scale.
pub(crate) fn numeric_modifier(precision: u8, scale: i8) -> i32 {
    (i32::from(precision) << 16 | (i32::from(scale) & 0x7ff)) + VARHDRSZ
}

impl SqlType {
    /// `pg_type.oid`
    pub fn oid(self) -> u32 {
        match self {
            SqlType::Boolean => 16,
            SqlType::Bytea => 17,
            SqlType::Int8 => 20,
            SqlType::Int2 => 21,
            SqlType::Int4 => 23,
            SqlType::Text => 25,
            SqlType::Json => 114,
            SqlType::Float4 => 700,
            SqlType::Float8 => 701,
            SqlType::Varchar(_) => 1043,
            SqlType::Date => 1082,
            SqlType::Time => 1083,
            SqlType::Timestamp => 1114,
            SqlType::Timestamptz => 1184,
            SqlType::Interval => 1186,
            SqlType::Timetz => 1266,
            SqlType::Numeric(..) => 1700,
            SqlType::Uuid => 2950,
            SqlType::Jsonb => 3802,
            SqlType::Jsonpath => 4072,
            SqlType::Enum(id) => id.known().map_or(0, |known| known.oid),
            SqlType::Array(element) => {
                if let SqlType::Enum(id) = element.sql_type() {
                    return id.known().map_or(0, |known| known.array_oid);
                }
                let element = element.sql_type().oid();
                ARRAYS.iter().find(|(of, _)| *of == element).map_or(0, |(_, array)| *array)
            }
        }
    }

    /// `pg_type.typlen`: bytes of a value, −1 if they vary.
    pub fn length(self) -> i16 {
        match self {
            SqlType::Boolean => 1,
            SqlType::Int2 => 2,
            SqlType::Int4 | SqlType::Float4 | SqlType::Date | SqlType::Enum(_) => 4,
            SqlType::Int8 | SqlType::Float8 | SqlType::Time | SqlType::Timestamp | SqlType::Timestamptz => 8,
            SqlType::Timetz => 12,
            SqlType::Interval | SqlType::Uuid => 16,
            SqlType::Numeric(..) | SqlType::Text | SqlType::Varchar(_) | SqlType::Bytea => -1,
            SqlType::Json | SqlType::Jsonb | SqlType::Jsonpath | SqlType::Array(_) => -1,
        }
    }

    /// `pg_attribute.atttypmod`: precision and scale, or the length limit; −1 if there is none. The widest
    /// decimals are unconstrained or computed, and PostgreSQL gives such no modifier.
    pub fn modifier(self) -> i32 {
        match self {
            SqlType::Numeric(precision, scale) if precision < UNCONSTRAINED_NUMERIC.0 => {
                numeric_modifier(precision, scale)
            }
            SqlType::Array(element) => element.sql_type().modifier(),
            SqlType::Varchar(Some(limit)) => limit as i32 + VARHDRSZ,
            _ => -1,
        }
    }

    /// The built-in type with this OID and modifier, if there is one here.
    pub fn from_oid(oid: u32, modifier: i32) -> Option<SqlType> {
        if let Some((element, _)) = ARRAYS.iter().find(|(_, array)| *array == oid) {
            return SqlType::from_oid(*element, modifier)?.array();
        }
        let (precision, scale) = UNCONSTRAINED_NUMERIC;
        let modifier = (modifier >= VARHDRSZ).then(|| modifier - VARHDRSZ);
        Some(match oid {
            16 => SqlType::Boolean,
            17 => SqlType::Bytea,
            20 => SqlType::Int8,
            21 => SqlType::Int2,
            23 => SqlType::Int4,
            25 => SqlType::Text,
            114 => SqlType::Json,
            700 => SqlType::Float4,
            701 => SqlType::Float8,
            1043 => SqlType::Varchar(modifier.map(|limit| limit as u32)),
            1082 => SqlType::Date,
            1083 => SqlType::Time,
            1114 => SqlType::Timestamp,
            1184 => SqlType::Timestamptz,
            1186 => SqlType::Interval,
            1266 => SqlType::Timetz,
            1700 => match modifier {
                Some(modifier) => SqlType::Numeric((modifier >> 16) as u8, (modifier & 0x7ff) as i8),
                None => SqlType::Numeric(precision, scale),
            },
            2950 => SqlType::Uuid,
            3802 => SqlType::Jsonb,
            4072 => SqlType::Jsonpath,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_as_postgres() {
        assert_eq!(SqlType::Numeric(10, 2).modifier(), 655_366);
        assert_eq!(SqlType::Numeric(5, 0).modifier(), 327_684);
        assert_eq!(SqlType::Numeric(38, 10).modifier(), -1);
        assert_eq!(SqlType::Varchar(Some(20)).modifier(), 24);
        assert_eq!(SqlType::Varchar(None).modifier(), -1);
        assert_eq!(SqlType::Text.modifier(), -1);
    }

    #[test]
    fn a_type_is_known_by_its_oid_and_modifier() {
        for sql_type in [
            SqlType::Boolean,
            SqlType::Int2,
            SqlType::Int4,
            SqlType::Int8,
            SqlType::Float4,
            SqlType::Float8,
            SqlType::Numeric(38, 10),
            SqlType::Numeric(10, 2),
            SqlType::Text,
            SqlType::Varchar(None),
            SqlType::Varchar(Some(3)),
            SqlType::Date,
            SqlType::Timestamp,
            SqlType::Timestamptz,
            SqlType::Interval,
            SqlType::Bytea,
            SqlType::Time,
            SqlType::Timetz,
            SqlType::Uuid,
            SqlType::Json,
            SqlType::Jsonb,
            SqlType::Jsonpath,
        ] {
            assert_eq!(SqlType::from_oid(sql_type.oid(), sql_type.modifier()), Some(sql_type));
            let array = sql_type.array().unwrap();
            assert_eq!(SqlType::from_oid(array.oid(), array.modifier()), Some(array));
        }
    }
}
