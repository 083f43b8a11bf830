//! Functions that look for matches.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int32Array, ListBuilder, StringBuilder};
use springtide_types::{Result, SqlError, SqlState};

use super::compile::Matches;
use super::rows::Programs;
use crate::functions::typed::Args;

/// `(regexp_match(text, pattern, [flags]))[n]`
pub(super) fn group(args: &Args<'_>) -> Result<ArrayRef> {
    let (texts, last) = (args.text(0), args.len() - 1);
    let flags = if last == 3 { args.text(2) } else { args.text_or(last + 1, "") };
    let numbers = args.int4_or(last, 1)?;
    let mut programs = Programs::of("regexp_match", args.text(1), flags);
    let mut room = None;
    let mut out = StringBuilder::with_capacity(args.rows, args.rows * 8);
    for row in 0..args.rows {
        let (Some(program), Some(text)) = (programs.get(row)?, texts.get(row)) else {
            out.append_null();
            continue;
        };
        let groups = program.regex.captures_len();
        let number = numbers.get(row).and_then(|number| element(number, groups));
        let Some(number) = number else {
            out.append_null();
            continue;
        };
        // Another pattern needs other room.
        let room = match room.take().filter(|room| program.regex.fits(room)) {
            Some(fitting) => room.insert(fitting),
            None => room.insert(program.regex.locations()),
        };
        let found = program.regex.find_at(room, text, 0)?;
        let range = room.get(number).filter(|_| found);
        out.append_option(range.map(|(start, end)| &text[start..end]));
    }
    Ok(Arc::new(out.finish()))
}

/// The group that an element of the result of `regexp_match` is: all of the match where there are no groups.
fn element(number: i32, groups: usize) -> Option<usize> {
    let number = usize::try_from(number).ok()?;
    match groups {
        1 => (number == 1).then_some(0),
        groups => (1..groups).contains(&number).then_some(number),
    }
}

/// The group that an argument `subexpr` means: 0 is all of the match.
fn subexpression(number: i32, groups: usize) -> Result<Option<usize>> {
    at_least("subexpr", number, 0)?;
    Ok(if number == 0 { Some(0) } else { element(number, groups) })
}

/// `regexp_match(text, pattern [, flags])`
pub(super) fn first(args: &Args<'_>) -> Result<ArrayRef> {
    let texts = args.text(0);
    let mut programs = Programs::of("regexp_match", args.text(1), args.text_or(2, ""));
    let mut out = ListBuilder::new(StringBuilder::new());
    for row in 0..args.rows {
        let (Some(program), Some(text)) = (programs.get(row)?, texts.get(row)) else {
            out.append_null();
            continue;
        };
        let mut matches = Matches::new(&program.regex, text, Some(0));
        let found = matches.next()?.is_some();
        if found {
            let groups = program.regex.captures_len();
            let numbers = if groups == 1 { 0..1 } else { 1..groups };
            numbers.for_each(|number| out.values().append_option(matches.group(number)));
        }
        out.append(found);
    }
    Ok(Arc::new(out.finish()))
}

/// `regexp_matches(text, pattern [, flags])`: the groups of each match, or of the first.
pub(super) fn rows(args: &Args<'_>) -> Result<ArrayRef> {
    let texts = args.text(0);
    let mut programs = Programs::new(args.text(1), args.text_or(2, ""));
    let mut out = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
    for row in 0..args.rows {
        let (Some(program), Some(text)) = (programs.get(row)?, texts.get(row)) else {
            out.append_null();
            continue;
        };
        let groups = program.regex.captures_len();
        let numbers = if groups == 1 { 0..1 } else { 1..groups };
        let mut matches = Matches::new(&program.regex, text, Some(0));
        while matches.next()?.is_some() {
            let found = out.values();
            numbers.clone().for_each(|number| found.values().append_option(matches.group(number)));
            found.append(true);
            if !program.options.global {
                break;
            }
        }
        out.append(true);
    }
    Ok(Arc::new(out.finish()))
}

/// `regexp_split_to_array(text, pattern [, flags])`
pub(super) fn split(args: &Args<'_>) -> Result<ArrayRef> {
    let texts = args.text(0);
    let mut programs = Programs::of("regexp_split_to_array", args.text(1), args.text_or(2, ""));
    let mut out = ListBuilder::new(StringBuilder::new());
    for row in 0..args.rows {
        let (Some(program), Some(text)) = (programs.get(row)?, texts.get(row)) else {
            out.append_null();
            continue;
        };
        let mut matches = Matches::new(&program.regex, text, Some(0));
        let mut from = 0;
        while let Some((start, end)) = matches.next()? {
            // Empty matches at the ends and right behind another separate nothing.
            if start < text.len() && end > from {
                out.values().append_value(&text[from..start]);
                from = end;
            }
        }
        out.values().append_value(&text[from..]);
        out.append(true);
    }
    Ok(Arc::new(out.finish()))
}

/// `regexp_like(text, pattern [, flags])`
pub(super) fn like(args: &Args<'_>) -> Result<ArrayRef> {
    let texts = args.text(0);
    let mut programs = Programs::of("regexp_like", args.text(1), args.text_or(2, "")).for_existence();
    let matches = (0..args.rows).map(|row| {
        let (Some(program), Some(text)) = (programs.get(row)?, texts.get(row)) else { return Ok(None) };
        program.regex.is_match(text).map(Some)
    });
    Ok(Arc::new(matches.collect::<Result<BooleanArray>>()?))
}

/// `substring(text FROM pattern)`: the first group, or all of the match where there are no groups.
pub(super) fn substring(args: &Args<'_>) -> Result<ArrayRef> {
    let texts = args.text(0);
    let mut programs = Programs::of("substring", args.text(1), args.text_or(2, ""));
    let mut out = StringBuilder::new();
    for row in 0..args.rows {
        let (Some(program), Some(text)) = (programs.get(row)?, texts.get(row)) else {
            out.append_null();
            continue;
        };
        let mut matches = Matches::new(&program.regex, text, Some(0));
        let group = usize::from(program.regex.captures_len() > 1);
        out.append_option(matches.next()?.and_then(|_| matches.group(group)));
    }
    Ok(Arc::new(out.finish()))
}

/// `regexp_count(text, pattern [, start [, flags]])`
pub(super) fn count(args: &Args<'_>) -> Result<ArrayRef> {
    let (texts, starts) = (args.text(0), args.int4_or(2, 1)?);
    let mut programs = Programs::of("regexp_count", args.text(1), args.text_or(3, ""));
    let counts = (0..args.rows).map(|row| {
        let (Some(program), Some(text), Some(start)) = (programs.get(row)?, texts.get(row), starts.get(row))
        else {
            return Ok(None);
        };
        let mut matches = Matches::new(&program.regex, text, offset(text, start)?);
        let mut count = 0;
        while matches.next()?.is_some() {
            count += 1;
        }
        Ok(Some(count))
    });
    Ok(Arc::new(counts.collect::<Result<Int32Array>>()?))
}

/// `regexp_substr(text, pattern [, start [, n [, flags [, group]]]])`
pub(super) fn substr(args: &Args<'_>) -> Result<ArrayRef> {
    let (texts, starts, numbers) = (args.text(0), args.int4_or(2, 1)?, args.int4_or(3, 1)?);
    let groups = args.int4_or(5, 0)?;
    let mut programs = Programs::of("regexp_substr", args.text(1), args.text_or(4, ""));
    let mut out = StringBuilder::new();
    for row in 0..args.rows {
        let (Some(program), Some(text)) = (programs.get(row)?, texts.get(row)) else {
            out.append_null();
            continue;
        };
        let (Some(start), Some(number), Some(group)) = (starts.get(row), numbers.get(row), groups.get(row))
        else {
            out.append_null();
            continue;
        };
        let mut matches = Matches::new(&program.regex, text, offset(text, start)?);
        let group = subexpression(group, program.regex.captures_len())?;
        let found = matches.nth(at_least("n", number, 1)?)?.zip(group);
        out.append_option(found.and_then(|(_, group)| matches.group(group)));
    }
    Ok(Arc::new(out.finish()))
}

/// `regexp_instr(text, pattern [, start [, n [, end [, flags [, group]]]]])`: the position of the n-th match, or
/// of the character after it; 0 if there is none.
pub(super) fn instr(args: &Args<'_>) -> Result<ArrayRef> {
    let (texts, starts, numbers) = (args.text(0), args.int4_or(2, 1)?, args.int4_or(3, 1)?);
    let (ends, groups) = (args.int4_or(4, 0)?, args.int4_or(6, 0)?);
    let mut programs = Programs::of("regexp_instr", args.text(1), args.text_or(5, ""));
    let positions = (0..args.rows).map(|row| {
        let (Some(program), Some(text)) = (programs.get(row)?, texts.get(row)) else { return Ok(None) };
        let (Some(start), Some(number)) = (starts.get(row), numbers.get(row)) else { return Ok(None) };
        let (Some(end), Some(group)) = (ends.get(row), groups.get(row)) else { return Ok(None) };
        let mut matches = Matches::new(&program.regex, text, offset(text, start)?);
        let number = at_least("n", number, 1)?;
        let end = match end {
            0 | 1 => end == 1,
            end => return Err(invalid_parameter("endoption", end)),
        };
        let group = subexpression(group, program.regex.captures_len())?;
        let found = matches.nth(number)?.zip(group).and_then(|(_, group)| matches.range(group));
        let position = |(from, to)| text[..if end { to } else { from }].chars().count() as i32 + 1;
        Ok(Some(found.map_or(0, position)))
    });
    Ok(Arc::new(positions.collect::<Result<Int32Array>>()?))
}

/// The position in bytes of a character, counted from 1; `None` if it lies behind the end.
pub(super) fn offset(text: &str, start: i32) -> Result<Option<usize>> {
    let before = at_least("start", start, 1)? - 1;
    let end = (before == text.chars().count()).then_some(text.len());
    Ok(text.char_indices().map(|(at, _)| at).nth(before).or(end))
}

pub(super) fn at_least(parameter: &str, value: i32, least: usize) -> Result<usize> {
    let valid = usize::try_from(value).ok().filter(|value| *value >= least);
    valid.ok_or_else(|| invalid_parameter(parameter, value))
}

fn invalid_parameter(parameter: &str, value: i32) -> SqlError {
    let message = format!("invalid value for parameter \"{parameter}\": {value}");
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}
