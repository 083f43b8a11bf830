//! Changing what is at the end of a path in a `jsonb`.

use serde_json::{Map, Value};
use springtide_types::{Result, SqlError, SqlState};

/// What happens at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A value that is there is replaced, one that is not is added.
    Set,
    /// A value that is there is replaced.
    Replace,
    InsertBefore,
    InsertAfter,
    Delete,
    /// As [`Change::Set`], and what is missing on the way is made too.
    Assign,
}

impl Change {
    fn adds(self) -> bool {
        matches!(self, Change::Set | Change::InsertBefore | Change::InsertAfter | Change::Assign)
    }
}

fn error(state: SqlState, message: impl Into<String>) -> SqlError {
    SqlError::new(state, message)
}

/// Makes a change at the end of a path of at least one step.
pub(super) fn change_at(
    value: &mut Value,
    path: &[Option<String>],
    level: usize,
    new: &Value,
    change: Change,
) -> Result<()> {
    let Some(step) = &path[level] else {
        let message = format!("path element at position {} is null", level + 1);
        return Err(error(SqlState::NULL_VALUE_NOT_ALLOWED, message));
    };
    match value {
        Value::Object(members) => change_member(members, step, path, level, new, change),
        Value::Array(elements) => change_element(elements, step, path, level, new, change),
        _ if change == Change::Assign => {
            let message = "cannot replace existing key";
            let detail = format!(
                "The path assumes key is a composite object, but it is a scalar value at position {}.",
                level + 1
            );
            Err(error(SqlState::INVALID_PARAMETER_VALUE, message).with_detail(detail))
        }
        _ => Ok(()),
    }
}

fn change_member(
    members: &mut Map<String, Value>,
    key: &str,
    path: &[Option<String>],
    level: usize,
    new: &Value,
    change: Change,
) -> Result<()> {
    let is_last = level + 1 == path.len();
    match members.get_mut(key) {
        Some(_) if is_last && matches!(change, Change::InsertBefore | Change::InsertAfter) => {
            Err(error(SqlState::INVALID_PARAMETER_VALUE, "cannot replace existing key")
                .with_hint("Try using the function jsonb_set to replace key value."))
        }
        Some(_) if is_last && change == Change::Delete => {
            members.remove(key);
            Ok(())
        }
        Some(member) if is_last => {
            *member = new.clone();
            Ok(())
        }
        Some(member) => change_at(member, path, level + 1, new, change),
        None if is_last && change.adds() => {
            members.insert(key.to_owned(), new.clone());
            Ok(())
        }
        None if change == Change::Assign => {
            members.insert(key.to_owned(), made(path, level + 1, new)?);
            Ok(())
        }
        None => Ok(()),
    }
}

/// What a path leads through where nothing is: arrays for numbers, objects for others.
fn made(path: &[Option<String>], level: usize, new: &Value) -> Result<Value> {
    let Some(step) = path.get(level) else { return Ok(new.clone()) };
    let step = step.as_deref().unwrap_or_default();
    let inner = made(path, level + 1, new)?;
    Ok(match step.parse::<i32>() {
        Ok(index) => {
            let mut elements = vec![Value::Null; usize::try_from(index).unwrap_or(0)];
            elements.push(inner);
            Value::Array(elements)
        }
        Err(_) => Value::Object([(step.to_owned(), inner)].into_iter().collect()),
    })
}

fn change_element(
    elements: &mut Vec<Value>,
    step: &str,
    path: &[Option<String>],
    level: usize,
    new: &Value,
    change: Change,
) -> Result<()> {
    let index = step.trim().parse::<i32>().map_err(|_| {
        let message = format!("path element at position {} is not an integer: \"{step}\"", level + 1);
        error(SqlState::INVALID_TEXT_REPRESENTATION, message)
    })?;
    let is_last = level + 1 == path.len();
    let length = elements.len() as i64;
    let position = if index < 0 { length + i64::from(index) } else { index.into() };
    if position < 0 && change == Change::Assign {
        let message = format!("path element at position {} is out of range: {index}", level + 1);
        return Err(error(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    if let Ok(at) = usize::try_from(position)
        && at < elements.len()
    {
        if !is_last {
            return change_at(&mut elements[at], path, level + 1, new, change);
        }
        match change {
            Change::Set | Change::Replace | Change::Assign => elements[at] = new.clone(),
            Change::InsertBefore => elements.insert(at, new.clone()),
            Change::InsertAfter => elements.insert(at + 1, new.clone()),
            Change::Delete => drop(elements.remove(at)),
        }
        return Ok(());
    }
    if change == Change::Assign {
        elements.resize(position as usize, Value::Null);
        elements.push(made(path, level + 1, new)?);
    } else if is_last && change.adds() {
        // Beyond the ends of an array, a new element is put at that end.
        elements.insert(if position < 0 { 0 } else { elements.len() }, new.clone());
    }
    Ok(())
}
