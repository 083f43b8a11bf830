//! The pairs of objects, each with a number that tells objects apart.
//!
//! The number is where PostgreSQL's binary form of the document has the object: it is the same for the pairs of one object, and
//! differs between the objects of one document.

use serde_json::{Map, Value};

use super::item::Item;

/// Bytes of the header of an array or object, and of what it says of each value.
const WORD: usize = 4;

/// `{"id": ..., "key": ..., "value": ...}` for each member, in the order of the keys; `None` if there is no object.
pub(super) fn pairs<'a>(root: &Value, object: &Item<'a>) -> Option<Vec<Item<'a>>> {
    let value = object.value()?;
    let members = sorted(value.as_object()?);
    let mut end = 0;
    let id = position(root, value, &mut end).unwrap_or(0);
    let pair = |(key, value): (&String, &Value)| {
        let pair = [("id", Value::from(id)), ("key", Value::from(key.as_str())), ("value", value.clone())];
        Item::owned(Value::Object(pair.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()))
    };
    Some(members.into_iter().map(pair).collect())
}

fn sorted(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut members = members.iter().collect::<Vec<_>>();
    members.sort_by_key(|(key, _)| (key.len(), key.as_bytes()));
    members
}

/// Where a value of the document begins that is put at `end`, which moves behind it.
fn position(document: &Value, wanted: &Value, end: &mut usize) -> Option<usize> {
    let aligned = |end: usize| end.next_multiple_of(WORD);
    match document {
        Value::Null | Value::Bool(_) => {}
        Value::String(text) => *end += text.len(),
        Value::Number(number) => *end = aligned(*end) + number_size(&number.to_string()),
        Value::Array(elements) => {
            *end = aligned(*end);
            let begin = *end;
            *end += WORD + WORD * elements.len();
            return elements
                .iter()
                .find_map(|element| position(element, wanted, end))
                .or(found(document, wanted, begin));
        }
        Value::Object(members) => {
            *end = aligned(*end);
            let begin = *end;
            *end += WORD + 2 * WORD * members.len();
            *end += members.keys().map(String::len).sum::<usize>();
            let mut members = sorted(members).into_iter();
            return found(document, wanted, begin)
                .or_else(|| members.find_map(|(_, value)| position(value, wanted, end)));
        }
    }
    None
}

fn found(value: &Value, wanted: &Value, begin: usize) -> Option<usize> {
    std::ptr::eq(value, wanted).then_some(begin)
}

/// Bytes of a `numeric`: a header, and two for every four digits.
fn number_size(text: &str) -> usize {
    const HEADER: usize = 6;
    let unsigned = text.trim_start_matches('-');
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let groups = whole.len().div_ceil(4) + fraction.len().div_ceil(4);
    let padded = format!("{}{whole}{fraction}", "0".repeat(whole.len().next_multiple_of(4) - whole.len()));
    let digits = padded.as_bytes().chunks(4).map(|group| group.iter().all(|digit| *digit == b'0'));
    let zeros = digits.clone().take_while(|zero| *zero).count();
    let zeros = zeros + digits.rev().take_while(|zero| *zero).count();
    HEADER + 2 * groups.saturating_sub(zeros)
}
