use std::fmt;

use datafusion::sql::sqlparser::ast::{ObjectName, ObjectNamePart};
use springtide_catalog::Name;
use springtide_types::{RelationId, Result};

use crate::names::{object_name, quoted};

/// What a query reads of a stored relation. Its contents have the relation's columns; those of
/// [`Time::Changes`] have `_epoch timestamptz` and `_weight bigint` after them, those of [`Time::Versions`]
/// `valid_from timestamptz` and `valid_to timestamptz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scan {
    /// The relation.
    pub relation: RelationId,
    /// Which of its rows.
    pub time: Time,
}

impl Scan {
    /// A relation as it is now.
    pub fn present(relation: RelationId) -> Scan {
        Scan { relation, time: Time::Present }
    }
}

/// The time that a scan asks for. Moments go by their position in what
/// [`Planner::moments`](crate::Planner::moments) returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Time {
    /// Now.
    Present,
    /// As of a moment.
    At(usize),
    /// What changed between two moments.
    Changes {
        /// Exclusive; `None` stands for the beginning.
        after: Option<usize>,
        /// Inclusive; `None` stands for now.
        until: Option<usize>,
    },
    /// Every row that was there until a moment, with the time that it was.
    Versions {
        /// Inclusive; `None` stands for now.
        until: Option<usize>,
    },
}

impl Time {
    /// Whether rows are as the relation has them, without columns about the time.
    pub(crate) fn is_moment(self) -> bool {
        matches!(self, Time::Present | Time::At(_))
    }

    /// The name in a query for a relation at this time. Its schema is one that users cannot name, so that scans
    /// of one relation at two times differ wherever plans are compared; it says the schema of the relation too.
    pub(crate) fn of(self, relation: &Name) -> ObjectName {
        let schema = match (&relation.schema, self) {
            (schema, Time::Present) => schema.clone(),
            (Some(schema), time) => Some(format!("{time}:{schema}")),
            (None, time) => Some(time.to_string()),
        };
        let parts = schema.iter().chain([&relation.name]);
        ObjectName::from(parts.map(|part| quoted(part)).collect::<Vec<_>>())
    }

    /// The time and the relation that a name stands for.
    pub(crate) fn and_relation(name: &ObjectName) -> Result<(Time, Name)> {
        if let [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(relation)] = name.0.as_slice()
            && let (time, schema) = Time::and_schema(Some(&schema.value))
            && time != Time::Present
        {
            let (schema, name) = (schema.map(str::to_owned), relation.value.clone());
            return Ok((time, Name { schema, name }));
        }
        Ok((Time::Present, object_name(name)?))
    }

    /// The time and the schema that [`Time::of`] made this one for.
    pub(crate) fn and_schema(schema: Option<&str>) -> (Time, Option<&str>) {
        let (time, own) = match schema.map(|schema| (schema.split_once(':'), schema)) {
            Some((Some((time, schema)), _)) => (time, Some(schema)),
            Some((None, time)) => (time, None),
            None => return (Time::Present, None),
        };
        Time::from_text(time).map_or((Time::Present, schema), |time| (time, own))
    }

    fn from_text(schema: &str) -> Option<Time> {
        let number = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
        if let Some(changes) = schema.strip_prefix("$changes_") {
            let (after, until) = changes.split_once('_')?;
            return Some(Time::Changes { after: number(after)?, until: number(until)? });
        }
        if let Some(until) = schema.strip_prefix("$versions_") {
            return Some(Time::Versions { until: number(until)? });
        }
        schema.strip_prefix("$as_of_")?.parse().ok().map(Time::At)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |moment: &Option<usize>| moment.map_or(String::new(), |moment| moment.to_string());
        match self {
            Time::Present => f.write_str("public"),
            Time::At(moment) => write!(f, "$as_of_{moment}"),
            Time::Changes { after, until } => write!(f, "$changes_{}_{}", number(after), number(until)),
            Time::Versions { until } => write!(f, "$versions_{}", number(until)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_time() {
        let times = [(None, None), (Some(3), None), (None, Some(4)), (Some(0), Some(12))];
        let changes = times.map(|(after, until)| Time::Changes { after, until });
        let versions = [None, Some(5)].map(|until| Time::Versions { until });
        for time in changes.into_iter().chain(versions).chain([Time::Present, Time::At(7)]) {
            for schema in [None, Some("S:s".to_owned())] {
                let name = Name { schema, name: "T.t".to_owned() };
                assert_eq!(Time::and_relation(&time.of(&name)).unwrap(), (time, name));
            }
        }
    }
}
