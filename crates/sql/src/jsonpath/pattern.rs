//! The patterns of `like_regex`.

use springtide_types::{Result, SqlError};

use super::ast::{Flags, Pattern};
use super::lexer::syntax;
use crate::functions::Compiled;

/// A pattern under XQuery's flags.
pub(super) fn compile(text: String, letters: &str) -> Result<Pattern> {
    let mut flags = Flags::default();
    for letter in letters.chars() {
        match letter {
            'i' => flags.ignore_case = true,
            's' => flags.dot_all = true,
            'm' => flags.multi_line = true,
            'x' => flags.spaced = true,
            'q' => flags.quoted = true,
            other => {
                let error = syntax("invalid input syntax for type jsonpath");
                let detail = format!("Unrecognized flag character \"{other}\" in LIKE_REGEX predicate.");
                return Err(error.with_detail(detail));
            }
        }
    }
    if flags.spaced && !flags.quoted {
        return Err(SqlError::unsupported("XQuery \"x\" flag (expanded regular expressions)"));
    }
    // PostgreSQL's letters for the same: without "s" a point stops at the end of a line.
    let case = if flags.ignore_case { "i" } else { "" };
    let lines = match (flags.quoted, flags.dot_all, flags.multi_line) {
        (true, ..) => "q",
        (_, true, true) => "w",
        (_, false, true) => "n",
        (_, true, false) => "s",
        (_, false, false) => "p",
    };
    let regex = Compiled::new(&text, &format!("{case}{lines}"))?;
    Ok(Pattern { text, flags, regex })
}
