use springtide_types::{Result, SqlError, SqlState};

use super::translate::invalid;

/// What the flags of a function, or `(?flags)` at the start of a pattern, say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Options {
    /// `g`: all matches, not the first alone.
    pub global: bool,
    /// `i`
    pub ignore_case: bool,
    /// `n`, `w`: `^` and `$` match at the ends of lines too.
    pub lines: bool,
    /// `n`, `p`: what is no newline explicitly matches none.
    pub dot_stops_at_lines: bool,
    /// `x`: blanks and comments in the pattern don't count.
    pub expanded: bool,
    /// `q`: the pattern is a text to be found as it is.
    pub literal: bool,
}

impl Options {
    /// Fails with `22023` for a flag that is none.
    pub(super) fn parse(flags: &str) -> Result<Options> {
        let mut options = Options::default();
        flags.chars().try_for_each(|flag| match flag {
            'g' => {
                options.global = true;
                Ok(())
            }
            flag => options.set(flag, flags),
        })?;
        Ok(options)
    }

    fn set(&mut self, flag: char, flags: &str) -> Result<()> {
        let mut lines = |anchors, dot| (self.lines, self.dot_stops_at_lines) = (anchors, dot);
        match flag {
            'i' => self.ignore_case = true,
            'c' => self.ignore_case = false,
            'n' | 'm' => lines(true, true),
            's' => lines(false, false),
            'p' => lines(false, true),
            'w' => lines(true, false),
            'x' => self.expanded = true,
            't' => self.expanded = false,
            'q' => self.literal = true,
            'b' | 'e' => {
                return Err(SqlError::unsupported(format!("the regular expression option \"{flag}\"")));
            }
            _ => {
                let message = format!("invalid regular expression option: \"{flag}\"");
                let error = SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message);
                let is_number = flags.starts_with(|char: char| char.is_ascii_digit());
                return Err(match is_number {
                    true => error.with_hint("To give a start, cast the argument to integer explicitly."),
                    false => error,
                });
            }
        }
        Ok(())
    }

    /// Takes what a pattern says of itself from its start: `***=`, `***:`, `(?i)`.
    pub(super) fn take_prefix<'a>(&mut self, pattern: &'a str) -> Result<&'a str> {
        if let Some(text) = pattern.strip_prefix("***=") {
            self.literal = true;
            return Ok(text);
        }
        let pattern = match pattern.strip_prefix("***") {
            Some(rest) => rest.strip_prefix(':').ok_or_else(|| invalid("quantifier operand invalid"))?,
            None => pattern,
        };
        let embedded = pattern.strip_prefix("(?").and_then(|rest| rest.split_once(')'));
        match embedded {
            Some((flags, rest))
                if !flags.is_empty() && flags.bytes().all(|flag| flag.is_ascii_lowercase()) =>
            {
                let set = |flag| self.set(flag, flags).map_err(|_| invalid("invalid embedded option"));
                flags.chars().try_for_each(set)?;
                Ok(rest)
            }
            _ => Ok(pattern),
        }
    }
}
