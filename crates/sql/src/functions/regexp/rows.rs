//! One program per row, without looking for it where the pattern stays the same.

use std::rc::Rc;

use springtide_types::{Result, SqlError, SqlState};

use super::compile::{Program, compile};
use crate::functions::typed::Texts;

/// The programs of patterns and flags.
pub(super) struct Programs<'a> {
    patterns: Texts<'a>,
    flags: Texts<'a>,
    last: Option<(&'a str, &'a str, Rc<Program>)>,
    /// Of the function, if it does not take the flag `g`.
    refuses_global: Option<&'static str>,
    /// Whether it does not matter which match is found.
    existence: bool,
}

impl<'a> Programs<'a> {
    /// For functions that may take `g`.
    pub(super) fn new(patterns: Texts<'a>, flags: Texts<'a>) -> Programs<'a> {
        Programs { patterns, flags, last: None, refuses_global: None, existence: false }
    }

    /// For a function of this name, which is about one match or always about all.
    pub(super) fn of(function: &'static str, patterns: Texts<'a>, flags: Texts<'a>) -> Programs<'a> {
        Programs { refuses_global: Some(function), ..Programs::new(patterns, flags) }
    }

    /// For functions that only ask whether there is a match.
    pub(super) fn for_existence(self) -> Programs<'a> {
        Programs { existence: true, ..self }
    }

    /// The program of a row; `None` if its pattern or flags are NULL.
    pub(super) fn get(&mut self, row: usize) -> Result<Option<&Program>> {
        if self.last.is_some() && self.patterns.is_constant() && self.flags.is_constant() {
            return Ok(self.last.as_ref().map(|(.., program)| program.as_ref()));
        }
        let (Some(pattern), Some(flags)) = (self.patterns.get(row), self.flags.get(row)) else {
            return Ok(None);
        };
        let same = self.last.take().filter(|(before, with, _)| *before == pattern && *with == flags);
        let last = match same {
            Some(last) => last,
            None => {
                let program = compile(pattern, flags)?;
                if let Some(function) = self.refuses_global.filter(|_| program.options.global) {
                    return Err(global(function));
                }
                if program.mixed && !self.existence {
                    return Err(mixed());
                }
                (pattern, flags, program)
            }
        };
        Ok(Some(&self.last.insert(last).2))
    }
}

fn global(function: &str) -> SqlError {
    let message = format!("{function}() does not support the \"global\" option");
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn mixed() -> SqlError {
    SqlError::unsupported("a regular expression with greedy and non-greedy quantifiers")
        .with_hint("Use quantifiers of one kind, or let the expression start with ^ and end with $.")
}
