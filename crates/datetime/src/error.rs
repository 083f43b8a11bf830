//! Why a text is no date, time or interval.

use springtide_types::{SqlError, SqlState};

/// What is wrong with a text, whatever it should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is none.
    Format,
    /// A field has a value that no such field has.
    Range,
    /// A month or day that no such field has: the fields may be meant in another order.
    MonthOrDay,
    /// It is farther from UTC than any zone.
    Displacement,
    /// No zone has this name.
    Zone(String),
}

impl Fault {
    /// The error for a text that should have been of this type.
    pub(crate) fn of(self, text: &str, type_name: &str) -> SqlError {
        let range = SqlState::DATETIME_FIELD_OVERFLOW;
        match self {
            Fault::Format => {
                let message = format!("invalid input syntax for type {type_name}: \"{text}\"");
                SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message)
            }
            Fault::Range if type_name == "interval" => {
                let message = format!("interval field value out of range: \"{text}\"");
                SqlError::new(SqlState::INTERVAL_FIELD_OVERFLOW, message)
            }
            Fault::Range => SqlError::new(range, format!("date/time field value out of range: \"{text}\"")),
            Fault::MonthOrDay => {
                SqlError::new(range, format!("date/time field value out of range: \"{text}\""))
                    .with_hint("Perhaps you need a different \"DateStyle\" setting.")
            }
            Fault::Displacement => {
                let message = format!("time zone displacement out of range: \"{text}\"");
                SqlError::new(SqlState::from_code("22009"), message)
            }
            Fault::Zone(zone) => unknown_zone(&zone),
        }
    }
}

/// The error for the name of a zone that there is not.
pub fn unknown_zone(name: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, format!("time zone \"{name}\" not recognized"))
}

/// The error for a value that a type does not have.
pub fn out_of_range(type_name: &str) -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{type_name} out of range"))
}
