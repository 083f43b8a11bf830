//! Characters by their number, as in `U&'\0041'` and `unistr`.

use std::iter::Peekable;

use springtide_types::{Result, SqlError, SqlState};

/// The character that `UESCAPE` names.
pub(crate) fn escape_character(text: &str) -> Result<char> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(escape), None)
            if !escape.is_ascii_hexdigit()
                && !escape.is_whitespace()
                && !matches!(escape, '+' | '\'' | '"') =>
        {
            Ok(escape)
        }
        _ => Err(SqlError::new(SqlState::SYNTAX_ERROR, "invalid Unicode escape character")),
    }
}

/// The text that `\0041` and `\+000041` stand in, with the characters that they name.
pub(crate) fn unescape(text: &str, escape: char) -> Result<String> {
    let invalid = || {
        SqlError::new(SqlState::SYNTAX_ERROR, "invalid Unicode escape")
            .with_hint("Unicode escapes must be \\XXXX or \\+XXXXXX.")
    };
    unescape_by(
        text,
        escape,
        |rest| match rest.peek() {
            Some('+') => {
                rest.next();
                digits(rest, 6)
            }
            _ => digits(rest, 4),
        },
        invalid,
    )
}

/// [`unescape`] of what `unistr` takes, which are `\uXXXX` and `\UXXXXXXXX` too.
pub(crate) fn unistr(text: &str) -> Result<String> {
    let invalid = || {
        SqlError::new(SqlState::SYNTAX_ERROR, "invalid Unicode escape")
            .with_hint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
    };
    let code = |rest: &mut Peekable<std::str::Chars<'_>>| {
        let count = match rest.peek() {
            Some('+') => 6,
            Some('u') => 4,
            Some('U') => 8,
            _ => return digits(rest, 4),
        };
        rest.next();
        digits(rest, count)
    };
    unescape_by(text, '\\', code, invalid)
}

fn unescape_by(
    text: &str,
    escape: char,
    code: impl Fn(&mut Peekable<std::str::Chars<'_>>) -> Option<u32>,
    invalid: impl Fn() -> SqlError,
) -> Result<String> {
    let mut read = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut high = None::<u32>;
    while let Some(c) = rest.next() {
        let is_doubled = c == escape && rest.peek() == Some(&escape);
        if c != escape || is_doubled {
            if high.is_some() {
                return Err(surrogates());
            }
            rest.next_if(|_| is_doubled);
            read.push(c);
            continue;
        }
        let number = code(&mut rest).ok_or_else(&invalid)?;
        let number = match (high.take(), number) {
            (None, 0xD800..0xDC00) => {
                high = Some(number);
                continue;
            }
            (Some(high), 0xDC00..0xE000) => 0x10000 + ((high - 0xD800) << 10) + (number - 0xDC00),
            (Some(_), _) | (None, 0xDC00..0xE000) => return Err(surrogates()),
            (None, number) => number,
        };
        match char::from_u32(number) {
            Some(c) if c != '\0' => read.push(c),
            _ => return Err(SqlError::new(SqlState::SYNTAX_ERROR, "invalid Unicode escape value")),
        }
    }
    if high.is_some() { Err(surrogates()) } else { Ok(read) }
}

fn surrogates() -> SqlError {
    SqlError::new(SqlState::SYNTAX_ERROR, "invalid Unicode surrogate pair")
}

fn digits(rest: &mut Peekable<std::str::Chars<'_>>, count: usize) -> Option<u32> {
    (0..count).try_fold(0_u32, |number, _| {
        let digit = rest.next_if(char::is_ascii_hexdigit)?.to_digit(16)?;
        number.checked_mul(16)?.checked_add(digit)
    })
}
