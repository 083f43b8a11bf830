//! Arrays as PostgreSQL writes them.

use springtide_types::{Result, SqlError, SqlState};

/// The elements of an array that is written as `{a,"b c"}`; `None` for NULL.
pub(crate) fn elements(text: &str) -> Result<Vec<Option<String>>> {
    let (body, bounds) = without_bounds(text.trim_ascii(), text)?;
    let found = Reader { text, rest: body }.array()?;
    match bounds {
        Some((lower, upper)) if upper - lower + 1 != found.len() as i64 => {
            Err(malformed(text, "Specified array dimensions do not match array contents."))
        }
        Some((lower, _)) if lower != 1 => {
            Err(SqlError::unsupported("an array whose subscripts do not begin at 1"))
        }
        _ => Ok(found),
    }
}

/// What PostgreSQL skips around elements.
fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

fn malformed(text: &str, why: &str) -> SqlError {
    let message = format!("malformed array literal: \"{text}\"");
    SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message).with_detail(why)
}

/// What follows `[1:3]=`, and the bounds that it says.
fn without_bounds<'a>(written: &'a str, text: &str) -> Result<(&'a str, Option<(i64, i64)>)> {
    let Some(inside) = written.strip_prefix('[') else { return Ok((written, None)) };
    let missing = || malformed(text, "Missing array dimension value.");
    let (bounds, rest) = inside.split_once(']').ok_or_else(missing)?;
    if rest.trim_ascii_start().starts_with('[') {
        return Err(SqlError::unsupported("an array of several dimensions"));
    }
    let number = |digits: &str| digits.trim_ascii().parse::<i64>().map_err(|_| missing());
    let (lower, upper) = match bounds.split_once(':') {
        Some((lower, upper)) => (number(lower)?, number(upper)?),
        None => (1, number(bounds)?),
    };
    if upper < lower {
        let message = "upper bound cannot be less than lower bound";
        return Err(SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
    }
    let body = rest.trim_ascii_start().strip_prefix('=');
    let body = body.ok_or_else(|| malformed(text, "Missing \"=\" after array dimensions."))?;
    Ok((body.trim_ascii_start(), Some((lower, upper))))
}

struct Reader<'a> {
    /// For messages.
    text: &'a str,
    rest: &'a str,
}

impl Reader<'_> {
    fn malformed(&self, why: &str) -> SqlError {
        malformed(self.text, why)
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches(is_space);
    }

    fn array(mut self) -> Result<Vec<Option<String>>> {
        let start = "Array value must start with \"{\" or dimension information.";
        self.rest = self.rest.strip_prefix('{').ok_or_else(|| self.malformed(start))?;
        self.skip_spaces();
        let mut found = Vec::new();
        if let Some(rest) = self.rest.strip_prefix('}') {
            self.rest = rest;
            return self.end(found);
        }
        loop {
            if found.is_empty() && self.rest.starts_with('{') {
                return Err(SqlError::unsupported("an array of several dimensions"));
            }
            found.push(self.element()?);
            self.skip_spaces();
            let mut letters = self.rest.chars();
            let next = letters.next();
            self.rest = letters.as_str();
            match next {
                Some(',') => self.skip_spaces(),
                Some('}') => return self.end(found),
                Some(other) => return Err(self.unexpected(other)),
                None => return Err(self.malformed("Unexpected end of input.")),
            }
        }
    }

    fn end(mut self, found: Vec<Option<String>>) -> Result<Vec<Option<String>>> {
        self.skip_spaces();
        match self.rest {
            "" => Ok(found),
            _ => Err(self.malformed("Junk after closing right brace.")),
        }
    }

    fn unexpected(&self, letter: char) -> SqlError {
        match letter {
            '{' | '}' | ',' => self.malformed(&format!("Unexpected \"{letter}\" character.")),
            _ => self.malformed("Unexpected array element."),
        }
    }

    fn element(&mut self) -> Result<Option<String>> {
        match self.rest.strip_prefix('"') {
            Some(rest) => {
                self.rest = rest;
                self.quoted().map(Some)
            }
            None => self.bare(),
        }
    }

    fn quoted(&mut self) -> Result<String> {
        let mut element = String::new();
        let mut letters = self.rest.chars();
        loop {
            match letters.next() {
                Some('"') => break,
                Some('\\') => element.extend(letters.next()),
                Some(letter) => element.push(letter),
                None => return Err(self.malformed("Unexpected end of input.")),
            }
        }
        self.rest = letters.as_str();
        Ok(element)
    }

    /// An element without quotes. Spaces around it do not count, unless a backslash makes them.
    fn bare(&mut self) -> Result<Option<String>> {
        let (mut element, mut kept, mut escaped) = (String::new(), 0, false);
        let mut letters = self.rest.char_indices();
        let end = loop {
            match letters.next() {
                Some((at, ',' | '}')) => break at,
                Some((_, letter @ ('{' | '"'))) => return Err(self.unexpected(letter)),
                Some((_, '\\')) => {
                    element.extend(letters.next().map(|(_, letter)| letter));
                    (kept, escaped) = (element.len(), true);
                }
                Some((_, letter)) => {
                    element.push(letter);
                    if !is_space(letter) {
                        kept = element.len();
                    }
                }
                None => return Err(self.malformed("Unexpected end of input.")),
            }
        };
        element.truncate(kept);
        if element.is_empty() {
            return Err(self.unexpected(self.rest[end..].chars().next().unwrap_or(',')));
        }
        self.rest = &self.rest[end..];
        Ok((escaped || !element.eq_ignore_ascii_case("null")).then_some(element))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_texts() {
        let some = |texts: &[&str]| Ok(texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>());
        assert_eq!(elements("{}"), some(&[]));
        assert_eq!(elements(" { } "), some(&[]));
        assert_eq!(elements("{a,b c , 1}"), some(&["a", "b c", "1"]));
        assert_eq!(elements(r#"{"a,b","c\"d",e\,f,""}"#), some(&["a,b", "c\"d", "e,f", ""]));
        assert_eq!(elements(r"{\ a\ , n\ull}"), some(&[" a ", "null"]));
        assert_eq!(elements("{null,\"null\"}"), Ok(vec![None, Some("null".to_owned())]));
        assert_eq!(elements("[1:2]={a,b}"), some(&["a", "b"]));
    }

    #[test]
    fn what_is_no_array_is_refused() {
        let state = |text: &str| elements(text).unwrap_err().sqlstate;
        for wrong in
            ["", "a", "{a", "{a,}", "{,a}", "{\"a}", "{a}b", "{\"a\"b}", "{a\"b\"}", "{1,{2}}", "[2]={a}"]
        {
            assert_eq!(state(wrong), SqlState::INVALID_TEXT_REPRESENTATION, "{wrong}");
        }
        assert_eq!(state("[2:1]={}"), SqlState::ARRAY_SUBSCRIPT_ERROR);
        for other in ["{{a}}", "[0:1]={a,b}", "[1:1][1:1]={{a}}"] {
            assert_eq!(state(other), SqlState::FEATURE_NOT_SUPPORTED, "{other}");
        }
    }
}
