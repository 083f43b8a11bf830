//! Arrays as PostgreSQL writes them.

use springtide_types::{Result, SqlError, SqlState};

/// The elements of an array of texts that is written as `{a,"b c"}`; `None` for NULL.
pub(crate) fn elements(text: &str) -> Result<Vec<Option<String>>> {
    let malformed = || {
        let message = format!("malformed array literal: \"{text}\"");
        SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
    };
    let inner =
        text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or_else(malformed)?;
    let (mut found, mut rest) = (Vec::new(), inner.trim_start());
    if rest.is_empty() {
        return Ok(found);
    }
    loop {
        let mut element = String::new();
        let quoted = rest.starts_with('"');
        let mut letters = rest[usize::from(quoted)..].char_indices();
        let end = loop {
            match letters.next() {
                Some((_, '\\')) => element.push(letters.next().ok_or_else(malformed)?.1),
                Some((at, '"')) if quoted => break at + 2,
                Some((at, ',')) if !quoted => break at,
                Some((_, '{' | '}' | '"')) if !quoted => return Err(malformed()),
                Some((_, letter)) => element.push(letter),
                None if quoted => return Err(malformed()),
                None => break rest.len(),
            }
        };
        rest = rest[end..].trim_start();
        found.push(match element.trim_end() {
            _ if quoted => Some(element),
            "" => return Err(malformed()),
            null if null.eq_ignore_ascii_case("null") => None,
            bare => Some(bare.to_owned()),
        });
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None if rest.is_empty() => return Ok(found),
            None => return Err(malformed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_texts() {
        let some = |texts: &[&str]| Ok(texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>());
        assert_eq!(elements("{}"), some(&[]));
        assert_eq!(elements("{a,b c , 1}"), some(&["a", "b c", "1"]));
        assert_eq!(elements(r#"{"a,b","c\"d",e\,f,""}"#), some(&["a,b", "c\"d", "e,f", ""]));
        assert_eq!(elements("{null,\"null\"}"), Ok(vec![None, Some("null".to_owned())]));
        for wrong in ["", "a", "{a", "{a,}", "{,a}", "{\"a}", "{a}b", "{\"a\"b}", "{{a}}"] {
            assert!(elements(wrong).is_err(), "{wrong}");
        }
    }
}
