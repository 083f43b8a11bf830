//! Which enum types there are in this process, by an identity that is cheap to copy.
//!
//! A column of an enum type holds the keys of its labels. Its Arrow type says which enum it is of and nothing else: labels
//! come and change their names, and no column is rewritten for that. So the labels are looked up when values are read from
//! texts or written as such; they are those of the newest catalog of the database that made the type.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use arrow::datatypes::{DataType, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::{EnumLabels, Result, SqlError, SqlState};

/// The identity of an enum type among those that this process knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EnumId(u16);

/// What is known of an enum type.
#[derive(Clone, Debug, PartialEq)]
pub struct EnumType {
    /// What no other enum type of any database has.
    pub stamp: u64,
    /// What SQL calls it.
    pub name: String,
    /// `pg_type.oid`
    pub oid: u32,
    /// That of its arrays.
    pub array_oid: u32,
    /// Its values.
    pub labels: EnumLabels,
}

/// By identity; `None` for one that is given out and will be known once its type is made.
type Known = HashMap<EnumId, Option<Arc<EnumType>>>;

static KNOWN: LazyLock<RwLock<Known>> = LazyLock::new(RwLock::default);

/// Hours and minutes between these two and UTC, exclusively, can be offsets of a time zone; so can 99 minutes.
const HOURS: u16 = 24;
const MINUTES: u16 = 100;
/// How many identities there are: one for each offset but 0, east and west.
const IDENTITIES: u16 = 2 * ((HOURS - 1) * MINUTES + 59);

impl EnumId {
    /// An identity for a new type, that no type in this process has, and a stamp for it.
    pub fn reserve() -> Result<(EnumId, u64)> {
        let stamp = RandomState::new().build_hasher().finish();
        let start = (stamp % u64::from(IDENTITIES)) as u16;
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        let all = (0..IDENTITIES).map(|step| EnumId((start + step) % IDENTITIES));
        let free = all.into_iter().find(|id| !known.contains_key(id)).ok_or_else(|| {
            let message = format!("there can be at most {IDENTITIES} enum types");
            SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
        })?;
        known.insert(free, None);
        Ok((free, stamp))
    }

    /// Says what the type is from now on. Fails with `54000` if another database of this process has one of this identity.
    pub fn publish(self, definition: EnumType) -> Result<()> {
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        match known.get(&self) {
            Some(Some(before)) if before.stamp != definition.stamp => {
                let message =
                    format!("another database in this process has an enum type like {}", definition.name);
                Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
                    .with_hint("Open the databases in two processes."))
            }
            Some(Some(before)) if **before == definition => Ok(()),
            _ => {
                known.insert(self, Some(Arc::new(definition)));
                Ok(())
            }
        }
    }

    /// What the type is, if a database of this process has it.
    pub fn known(self) -> Option<Arc<EnumType>> {
        KNOWN.read().unwrap_or_else(PoisonError::into_inner).get(&self).cloned().flatten()
    }

    /// The type, to read and write its values.
    pub fn definition(self) -> Result<Arc<EnumType>> {
        self.known().ok_or_else(|| SqlError::internal(format!("no enum type {} is known", self.0)))
    }

    /// Its number.
    pub fn number(self) -> u16 {
        self.0
    }

    /// The identity of a number.
    pub fn of_number(number: u16) -> Option<EnumId> {
        (number < IDENTITIES).then_some(EnumId(number))
    }

    /// The type of columns: integers, that compare, sort and hash as such, in seconds, which no type of SQL counts moments
    /// in. What tells one enum from another is the offset of a zone, since Arrow reads it as one for messages.
    pub(crate) fn arrow(self) -> DataType {
        let (sign, offset) =
            if self.0.is_multiple_of(2) { ('+', self.0 / 2 + 1) } else { ('-', self.0 / 2 + 1) };
        let zone = format!("{sign}{:02}:{:02}", offset / MINUTES, offset % MINUTES);
        DataType::Timestamp(TimeUnit::Second, Some(zone.into()))
    }

    /// The enum whose columns have this type.
    pub(crate) fn of_arrow(data_type: &DataType) -> Option<EnumId> {
        let DataType::Timestamp(TimeUnit::Second, Some(zone)) = data_type else { return None };
        let (hours, minutes) = zone.get(1..)?.split_once(':')?;
        let offset = hours.parse::<u16>().ok()? * MINUTES + minutes.parse::<u16>().ok()?;
        let even = offset.checked_sub(1)? * 2;
        let id = if zone.starts_with('-') { even + 1 } else { even };
        EnumId::of_number(id)
    }
}

impl EnumType {
    /// The label of a key. O(log labels).
    pub fn label(&self, key: i64) -> Option<&str> {
        let labels = self.labels.labels();
        let found = labels.binary_search_by_key(&key, |label| label.key).ok()?;
        Some(&labels[found].name)
    }

    /// What texts stand for, each looked up among all labels at once.
    pub fn keys<'a>(&self, texts: impl IntoIterator<Item = Option<&'a str>>) -> Result<Vec<Option<i64>>> {
        let labels = self.labels.labels();
        let by_name = labels.iter().map(|label| (label.name.as_str(), label.key)).collect::<HashMap<_, _>>();
        let key = |text: &str| {
            by_name.get(text).copied().ok_or_else(|| {
                let message = format!("invalid input value for enum {}: \"{text}\"", self.name);
                SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
            })
        };
        texts.into_iter().map(|text| text.map(key).transpose()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use arrow::array::TimestampSecondArray;
    use arrow::util::display::array_value_to_string;

    use super::*;
    use crate::SqlType;

    #[test]
    fn each_enum_has_columns_of_its_own_type() {
        let types = (0..IDENTITIES).map(|id| EnumId(id).arrow()).collect::<HashSet<_>>();
        assert_eq!(types.len(), usize::from(IDENTITIES));
        for id in (0..IDENTITIES).map(EnumId) {
            assert_eq!(SqlType::from_arrow(&id.arrow()), Some(SqlType::Enum(id)));
            // Whatever wants to show a value may.
            let column = TimestampSecondArray::from(vec![1 << 32]).with_data_type(id.arrow());
            assert!(array_value_to_string(&column, 0).is_ok(), "{:?}", id.arrow());
        }
    }

    #[test]
    fn an_identity_is_given_once() {
        let (one, stamp) = EnumId::reserve().unwrap();
        assert_ne!(one, EnumId::reserve().unwrap().0);
        let labels = EnumLabels::new(["a", "b"]).unwrap();
        let definition = EnumType { stamp, name: "t".to_owned(), oid: 1, array_oid: 2, labels };
        assert_eq!(one.publish(definition.clone()), Ok(()));
        assert_eq!(one.definition().unwrap().keys([Some("b"), None]), Ok(vec![Some(1 << 32), None]));
        assert!(one.publish(EnumType { stamp: stamp ^ 1, ..definition }).is_err());
    }
}
