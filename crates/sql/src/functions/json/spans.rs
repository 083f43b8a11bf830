//! The parts of a text of JSON, as they stand in it. The text is known to be JSON.

use std::borrow::Cow;

use springtide_types::{Result, SqlError, SqlState};

/// What a text of JSON is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    Text,
    Number,
    Boolean,
    Null,
}

pub(super) fn kind(text: &str) -> Kind {
    match text.trim_start().as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"') => Kind::Text,
        Some(b't' | b'f') => Kind::Boolean,
        Some(b'n') => Kind::Null,
        _ => Kind::Number,
    }
}

/// Goes through an array or object.
struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    /// From behind the bracket that it begins with.
    fn into(text: &'a str) -> Walk<'a> {
        let text = text.trim();
        Walk { text, at: 1 }
    }

    fn skip(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at +=
            rest.iter().take_while(|byte| byte.is_ascii_whitespace() || matches!(byte, b',' | b':')).count();
    }

    /// The next key or value, unless the end comes.
    fn next(&mut self) -> Option<&'a str> {
        self.skip();
        let bytes = self.text.as_bytes();
        if matches!(bytes.get(self.at), None | Some(b'}' | b']')) {
            return None;
        }
        let begin = self.at;
        self.at = end_of_value(bytes, begin);
        Some(&self.text[begin..self.at])
    }
}

/// Where the value ends that begins at a position.
fn end_of_value(bytes: &[u8], begin: usize) -> usize {
    match bytes[begin] {
        b'"' => end_of_text(bytes, begin),
        b'{' | b'[' => {
            let (mut at, mut depth) = (begin, 0_usize);
            loop {
                match bytes[at] {
                    b'"' => at = end_of_text(bytes, at) - 1,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return at;
                }
            }
        }
        _ => {
            let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b'}' | b']' | b':');
            bytes[begin..].iter().position(ends).map_or(bytes.len(), |length| begin + length)
        }
    }
}

fn end_of_text(bytes: &[u8], begin: usize) -> usize {
    let mut at = begin + 1;
    while bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// The elements of an array.
pub(super) fn elements(text: &str) -> impl Iterator<Item = &str> {
    let mut walk = Walk::into(text);
    std::iter::from_fn(move || walk.next())
}

/// The keys of an object, in their quotes, and the values.
pub(super) fn members(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut walk = Walk::into(text);
    std::iter::from_fn(move || Some((walk.next()?, walk.next()?)))
}

/// The text of a string.
pub(super) fn unquoted(string: &str) -> Result<Cow<'_, str>> {
    let inner = &string[1..string.len() - 1];
    if !inner.contains('\\') {
        return Ok(Cow::Borrowed(inner));
    }
    let text = serde_json::from_str::<String>(string)
        .map_err(|error| SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, error.to_string()))?;
    if text.contains('\0') {
        let error = SqlError::new(SqlState::UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence");
        return Err(error.with_detail("\\u0000 cannot be converted to text."));
    }
    Ok(Cow::Owned(text))
}

/// A value as a text: that of a string, nothing for `null`, the JSON itself of others.
pub(super) fn as_text(value: &str) -> Result<Option<Cow<'_, str>>> {
    Ok(match kind(value) {
        Kind::Null => None,
        Kind::Text => Some(unquoted(value.trim())?),
        _ => Some(Cow::Borrowed(value)),
    })
}

/// The value of a key; of several equal keys, that of the last.
pub(super) fn member<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    let is_wanted = |found: &str| unquoted(found).is_ok_and(|found| found == key);
    let found = members(object).filter(|(found, _)| is_wanted(found));
    found.last().map(|(_, value)| value)
}

/// The element at a position, which counts from the end if it is negative.
pub(super) fn element(array: &str, position: i64) -> Option<&str> {
    let position = match usize::try_from(position) {
        Ok(position) => position,
        Err(_) => {
            let back = usize::try_from(position.unsigned_abs()).ok()?;
            elements(array).count().checked_sub(back)?
        }
    };
    elements(array).nth(position)
}
