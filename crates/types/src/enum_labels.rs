use serde::{Deserialize, Serialize};

use crate::{Result, SqlError, SqlState};

/// As PostgreSQL limits it, in bytes.
const LONGEST_LABEL: usize = 63;
/// What lies between the keys of neighbours to begin with: 32 labels, one after the other, find room before the same one.
const GAP: i64 = 1 << 32;

/// A value of an enum type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// What SQL calls it.
    pub name: String,
    /// What columns hold for it. It never changes, and is ordered as the labels are.
    pub key: i64,
    /// What PostgreSQL's catalogue orders it by.
    pub order: f32,
    /// Its number in the type.
    pub number: u32,
}

/// The values of an enum type, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EnumLabels {
    labels: Vec<Label>,
}

impl EnumLabels {
    /// Labels in this order. Fails with `42602` if one is too long and with `42710` if one comes twice.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<EnumLabels> {
        let mut labels = EnumLabels::default();
        for name in names {
            labels.insert(labels.labels.len(), name)?;
        }
        Ok(labels)
    }

    /// The labels, in order.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Where a label stands.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.labels.iter().position(|label| label.name == name)
    }

    /// Adds a label before the one at a position, or at the end. Those that are there keep their keys.
    pub fn insert(&mut self, position: usize, name: &str) -> Result<()> {
        self.check_name(name)?;
        let before = position.checked_sub(1).map(|before| &self.labels[before]);
        let (key, order) = match (before, self.labels.get(position)) {
            (None, None) => (0, 1.0),
            (Some(last), None) => (last.key + GAP, last.order + 1.0),
            (None, Some(first)) => (first.key - GAP, first.order - 1.0),
            (Some(before), Some(after)) => {
                let key = before.key + (after.key - before.key) / 2;
                if key == before.key {
                    let message =
                        format!("no more values fit between \"{}\" and \"{}\"", before.name, after.name);
                    return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
                }
                (key, f32::midpoint(before.order, after.order))
            }
        };
        let number = self.labels.len() as u32;
        self.labels.insert(position, Label { name: name.to_owned(), key, order, number });
        if self.labels.windows(2).any(|pair| pair[0].order >= pair[1].order) {
            // As PostgreSQL, once its floats are too close.
            for (position, label) in self.labels.iter_mut().enumerate() {
                label.order = position as f32 + 1.0;
            }
        }
        Ok(())
    }

    /// Gives a label another name.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        let position = self.position(from).ok_or_else(|| no_label(from))?;
        self.check_name(to)?;
        to.clone_into(&mut self.labels[position].name);
        Ok(())
    }

    fn check_name(&self, name: &str) -> Result<()> {
        if name.len() > LONGEST_LABEL {
            let detail = format!("Labels must be {LONGEST_LABEL} bytes or less.");
            let error = SqlError::new(SqlState::INVALID_NAME, format!("invalid enum label \"{name}\""));
            return Err(error.with_detail(detail));
        }
        if self.position(name).is_some() {
            let message = format!("enum label \"{name}\" already exists");
            return Err(SqlError::new(SqlState::DUPLICATE_OBJECT, message));
        }
        Ok(())
    }
}

/// The error for a label that is not there, where one is named.
pub fn no_label(name: &str) -> SqlError {
    let message = format!("\"{name}\" is not an existing enum label");
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(labels: &EnumLabels) -> Vec<&str> {
        labels.labels().iter().map(|label| label.name.as_str()).collect()
    }

    #[test]
    fn keys_stay_and_are_ordered_as_labels() {
        let mut labels = EnumLabels::new(["b", "d"]).unwrap();
        let keys = labels.labels().iter().map(|label| label.key).collect::<Vec<_>>();
        labels.insert(0, "a").unwrap();
        labels.insert(2, "c").unwrap();
        labels.insert(4, "e").unwrap();
        assert_eq!(names(&labels), ["a", "b", "c", "d", "e"]);
        assert_eq!([labels.labels()[1].key, labels.labels()[3].key], keys[..]);
        assert!(labels.labels().is_sorted_by(|one, other| one.key < other.key));
        let orders = labels.labels().iter().map(|label| label.order).collect::<Vec<_>>();
        assert_eq!(orders, [0.0, 1.0, 1.5, 2.0, 3.0]);
    }

    #[test]
    fn many_fit_between_two() {
        let mut labels = EnumLabels::new(["a", "z"]).unwrap();
        for number in 0..30 {
            labels.insert(number + 1, &number.to_string()).unwrap();
        }
        assert!(labels.labels().is_sorted_by(|one, other| one.key < other.key && one.order < other.order));
        for number in 30..32 {
            labels.insert(number + 1, &number.to_string()).unwrap();
        }
        let error = labels.insert(33, "y").unwrap_err();
        assert_eq!(error.sqlstate, SqlState::PROGRAM_LIMIT_EXCEEDED);
    }

    #[test]
    fn names_are_checked() {
        let state = |names: &[&str]| EnumLabels::new(names.iter().copied()).unwrap_err().sqlstate;
        assert_eq!(state(&["a", "a"]), SqlState::DUPLICATE_OBJECT);
        assert_eq!(state(&["x".repeat(64).as_str()]), SqlState::INVALID_NAME);
        let mut labels = EnumLabels::new(["a", "b"]).unwrap();
        assert_eq!(labels.rename("c", "d").unwrap_err().sqlstate, SqlState::INVALID_PARAMETER_VALUE);
        assert_eq!(labels.rename("a", "b").unwrap_err().sqlstate, SqlState::DUPLICATE_OBJECT);
        labels.rename("a", "c").unwrap();
        assert_eq!(names(&labels), ["c", "b"]);
    }
}
