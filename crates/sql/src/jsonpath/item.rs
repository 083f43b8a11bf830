//! What a path passes on from step to step.

use std::borrow::Cow;

use bigdecimal::BigDecimal;
use serde_json::Value;

use super::datetime::Datetime;
use super::number;

/// A value of JSON, or a moment, which JSON has not.
#[derive(Clone, Debug)]
pub(crate) enum Item<'a> {
    Json(Cow<'a, Value>),
    Datetime(Datetime),
}

impl<'a> Item<'a> {
    pub(crate) fn of(value: &'a Value) -> Item<'a> {
        Item::Json(Cow::Borrowed(value))
    }

    pub(crate) fn owned(value: Value) -> Item<'a> {
        Item::Json(Cow::Owned(value))
    }

    pub(super) fn number(number: &BigDecimal) -> Item<'a> {
        Item::owned(number::to_json(number))
    }

    pub(crate) fn value(&self) -> Option<&Value> {
        match self {
            Item::Json(value) => Some(value),
            Item::Datetime(_) => None,
        }
    }

    /// The value as JSON has it: a moment is a text.
    pub(crate) fn into_json(self) -> Value {
        match self {
            Item::Json(value) => value.into_owned(),
            Item::Datetime(moment) => Value::String(moment.to_string()),
        }
    }

    pub(super) fn as_number(&self) -> Option<BigDecimal> {
        match self.value()? {
            Value::Number(number) => number::of_json(number),
            _ => None,
        }
    }

    pub(super) fn is_array(&self) -> bool {
        self.value().is_some_and(Value::is_array)
    }

    /// The elements of an array.
    pub(super) fn elements(&self) -> Option<Vec<Item<'a>>> {
        match self {
            Item::Json(Cow::Borrowed(Value::Array(elements))) => {
                Some(elements.iter().map(Item::of).collect())
            }
            Item::Json(Cow::Owned(Value::Array(elements))) => {
                Some(elements.iter().cloned().map(Item::owned).collect())
            }
            _ => None,
        }
    }

    /// The values in an array or an object.
    pub(super) fn children(&self) -> Option<Vec<Item<'a>>> {
        match self {
            Item::Json(Cow::Borrowed(Value::Object(members))) => {
                let mut members = members.iter().collect::<Vec<_>>();
                members.sort_by_key(|(key, _)| (key.len(), key.as_bytes()));
                Some(members.into_iter().map(|(_, value)| Item::of(value)).collect())
            }
            Item::Json(Cow::Owned(Value::Object(members))) => {
                let mut members = members.iter().collect::<Vec<_>>();
                members.sort_by_key(|(key, _)| (key.len(), key.as_bytes()));
                Some(members.into_iter().map(|(_, value)| Item::owned(value.clone())).collect())
            }
            other => other.elements(),
        }
    }

    /// The value of a key, in an object that has it.
    pub(super) fn member(&self, key: &str) -> Option<Item<'a>> {
        match self {
            Item::Json(Cow::Borrowed(Value::Object(members))) => members.get(key).map(Item::of),
            Item::Json(Cow::Owned(Value::Object(members))) => members.get(key).cloned().map(Item::owned),
            _ => None,
        }
    }

    pub(super) fn is_object(&self) -> bool {
        self.value().is_some_and(Value::is_object)
    }

    pub(crate) fn is_container(&self) -> bool {
        self.is_array() || self.is_object()
    }

    /// What `.type()` calls it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Item::Datetime(moment) => moment.type_name(),
            Item::Json(value) => match value.as_ref() {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            },
        }
    }
}
