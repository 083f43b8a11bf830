use std::fmt;

use serde::{Deserialize, Serialize};

use crate::oid::numeric_modifier;
use crate::{EnumId, SqlType};

/// What the elements of an array are: any type that is no array itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "SqlType", try_from = "SqlType")]
pub struct ElementType(Element);

/// It is kept so that a [`SqlType`] can hold one without an allocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Element {
    BuiltIn { oid: u32, modifier: i32 },
    Enum(EnumId),
}

impl ElementType {
    pub(crate) const TEXT: ElementType = ElementType(Element::BuiltIn { oid: 25, modifier: -1 });
    pub(crate) const JSON: ElementType = ElementType(Element::BuiltIn { oid: 114, modifier: -1 });

    /// Elements of this type; `None` if it is that of arrays.
    pub(crate) fn new(sql_type: SqlType) -> Option<ElementType> {
        let modifier = match sql_type {
            SqlType::Array(_) => return None,
            SqlType::Enum(id) => return Some(ElementType(Element::Enum(id))),
            // Every precision and scale has its modifier here, those that clients are told nothing of too.
            SqlType::Numeric(precision, scale) => numeric_modifier(precision, scale),
            other => other.modifier(),
        };
        Some(ElementType(Element::BuiltIn { oid: sql_type.oid(), modifier }))
    }

    /// The type.
    pub fn sql_type(self) -> SqlType {
        match self.0 {
            Element::BuiltIn { oid, modifier } => {
                SqlType::from_oid(oid, modifier).expect("the OID is that of a type")
            }
            Element::Enum(id) => SqlType::Enum(id),
        }
    }
}

impl fmt::Debug for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sql_type().fmt(f)
    }
}

impl From<ElementType> for SqlType {
    fn from(element: ElementType) -> SqlType {
        element.sql_type()
    }
}

impl TryFrom<SqlType> for ElementType {
    type Error = &'static str;

    fn try_from(sql_type: SqlType) -> Result<ElementType, &'static str> {
        ElementType::new(sql_type).ok_or("an array of arrays")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_keeps_the_type_of_its_elements() {
        for element in [
            SqlType::Boolean,
            SqlType::Numeric(38, 10),
            SqlType::Numeric(38, 2),
            SqlType::Numeric(7, 0),
            SqlType::Varchar(None),
            SqlType::Varchar(Some(3)),
            SqlType::Timestamptz,
            SqlType::Jsonb,
            SqlType::Enum(EnumId::reserve().unwrap().0),
        ] {
            let array = element.array().unwrap();
            assert_eq!(array.element(), Some(element));
            assert_eq!(
                SqlType::from_arrow(&array.arrow()),
                SqlType::from_arrow(&element.arrow()).unwrap().array()
            );
            assert_eq!(array.array(), None);
        }
        assert_eq!(SqlType::Varchar(Some(3)).array().unwrap().to_string(), "character varying(3)[]");
    }
}
