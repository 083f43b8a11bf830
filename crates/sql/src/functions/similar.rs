//! `SIMILAR TO`: SQL's regular expressions, written as PostgreSQL's.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use datafusion::logical_expr::ScalarUDF;
use springtide_types::SqlType::Text;
use springtide_types::{Result, SqlError, SqlState};

use super::typed::{Args, Gives, Typed, Variant, variant};

/// The function that PostgreSQL writes `SIMILAR TO` with.
pub(crate) const SIMILAR: &str = "similar_to_escape";

const VARIANTS: &[Variant] =
    &[variant(&[Text], Gives::One(Text), run), variant(&[Text, Text], Gives::One(Text), run)];

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![Typed::udf(SIMILAR, VARIANTS)]
}

fn run(args: &Args<'_>) -> Result<ArrayRef> {
    let (patterns, escapes) = (args.text(0), args.text_or(1, "\\"));
    let pattern = |row| match (patterns.get(row), escapes.get(row)) {
        (Some(pattern), Some(escape)) => translate(pattern, escape).map(Some),
        _ => Ok(None),
    };
    Ok(Arc::new((0..args.rows).map(pattern).collect::<Result<StringArray>>()?))
}

/// The regular expression that matches what the pattern describes. Between two `"` behind the escape character is the part
/// that `substring` asks for, which is as long as can be, and what is before it as short.
fn translate(pattern: &str, escape: &str) -> Result<String> {
    let mut escapes = escape.chars();
    let (escape, None) = (escapes.next(), escapes.next()) else {
        let error = SqlError::new(SqlState::from_code("22025"), "invalid escape string");
        return Err(error.with_hint("Escape string must be empty or one character."));
    };
    let mut parts = vec![String::new()];
    // How many characters a bracket expression has so far; no `]` ends it as its first.
    let mut bracket = None::<usize>;
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        let part = parts.last_mut().expect("there is a first");
        if Some(c) == escape {
            match rest.next() {
                Some('"') if bracket.is_none() => parts.push(String::new()),
                Some(c) if c.is_alphanumeric() => part.extend(['\\', c]),
                Some(c) => part.extend(['\\', c]),
                None => part.push_str("\\\\"),
            }
            continue;
        }
        if let Some(count) = bracket {
            if c == '\\' {
                part.push('\\');
            }
            part.push(c);
            let is_negation = c == '^' && count == 0 && part.ends_with("[^");
            bracket = match c {
                ']' if count > 0 => None,
                _ if is_negation => Some(0),
                _ => Some(count + 1),
            };
            continue;
        }
        match c {
            '[' => {
                part.push('[');
                bracket = Some(0);
            }
            '%' => part.push_str(".*"),
            '_' => part.push('.'),
            // To capture is what the `"` are for.
            '(' => part.push_str("(?:"),
            '\\' | '.' | '^' | '$' => part.extend(['\\', c]),
            c => part.push(c),
        }
    }
    Ok(match parts.as_slice() {
        [all] => format!("^(?:{all})$"),
        [before, part] => format!("^(?:{})({part})$", lazy(before)),
        [before, part, after] => format!("^(?:{})({part})(?:{after})$", lazy(before)),
        _ => {
            let message =
                "SQL regular expression may not contain more than two escape-double-quote separators";
            return Err(SqlError::new(SqlState::from_code("2200C"), message));
        }
    })
}

/// The expression with non-greedy quantifiers.
fn lazy(pattern: &str) -> String {
    let (mut lazy, mut in_bracket) = (String::with_capacity(pattern.len()), false);
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        lazy.push(c);
        match c {
            '\\' => lazy.extend(rest.next()),
            '[' => in_bracket = true,
            ']' => in_bracket = false,
            '*' | '+' | '?' | '}' if !in_bracket && !lazy.ends_with("(?") => lazy.push('?'),
            _ => {}
        }
    }
    lazy
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn patterns_of_sql_as_those_of_postgres() {
        let written = |pattern| translate(pattern, "#").unwrap();
        assert_eq!(written("_b%"), "^(?:.b.*)$");
        assert_eq!(written("a#%(b|c)"), r"^(?:a\%(?:b|c))$");
        assert_eq!(written("a*#\"%#\"g*"), "^(?:a*?)(.*)(?:g*)$");
        assert_eq!(written("[^]%]."), r"^(?:[^]%]\.)$");
        assert!(translate("a", "ab").is_err());
    }
}
