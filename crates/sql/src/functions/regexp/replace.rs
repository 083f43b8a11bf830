//! `regexp_replace`

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use springtide_types::Result;

use super::compile::{Matches, Program};
use super::matching::{at_least, offset};
use super::rows::Programs;
use crate::functions::typed::{Args, Integers};

/// `regexp_replace(text, pattern, replacement [, flags])`
pub(super) fn with_flags(args: &Args<'_>) -> Result<ArrayRef> {
    let programs = Programs::new(args.text(1), args.text_or(3, ""));
    replace(args, programs, &Integers::Constant(Some(1)), None)
}

/// `regexp_replace(text, pattern, replacement, start [, n [, flags]])`, where `n` is which match to replace, and
/// 0 means all of them.
pub(super) fn from_start(args: &Args<'_>) -> Result<ArrayRef> {
    let programs = Programs::new(args.text(1), args.text_or(5, ""));
    let number = if args.len() > 4 { Some(args.int4_or(4, 1)?) } else { None };
    replace(args, programs, &args.int4_or(3, 1)?, number.as_ref())
}

fn replace(
    args: &Args<'_>,
    mut programs: Programs<'_>,
    starts: &Integers,
    numbers: Option<&Integers>,
) -> Result<ArrayRef> {
    let (texts, replacements) = (args.text(0), args.text(2));
    let mut out = StringBuilder::new();
    for row in 0..args.rows {
        let (Some(program), Some(text)) = (programs.get(row)?, texts.get(row)) else {
            out.append_null();
            continue;
        };
        let number = match numbers {
            Some(numbers) => numbers.get(row),
            // The flag decides between the first and all.
            None => Some(i32::from(!program.options.global)),
        };
        let (Some(replacement), Some(start), Some(number)) = (replacements.get(row), starts.get(row), number)
        else {
            out.append_null();
            continue;
        };
        let (start, number) = (offset(text, start)?, at_least("n", number, 0)?);
        replace_one(&mut out, program, text, replacement, start, number)?;
        out.append_value("");
    }
    Ok(Arc::new(out.finish()))
}

fn replace_one(
    out: &mut StringBuilder,
    program: &Program,
    text: &str,
    replacement: &str,
    start: Option<usize>,
    number: usize,
) -> Result<()> {
    let mut matches = Matches::new(&program.regex, text, start);
    let (mut copied, mut count) = (0, 0);
    while let Some((start, end)) = matches.next()? {
        count += 1;
        if number != 0 && count < number {
            continue;
        }
        put(out, &text[copied..start]);
        expand(out, replacement, &matches);
        copied = end;
        if count == number {
            break;
        }
    }
    put(out, &text[copied..]);
    Ok(())
}

/// Writes a replacement, in which `\1` to `\9` stand for groups, `\&` for the match, and `\\` for a backslash.
fn expand(out: &mut StringBuilder, replacement: &str, matches: &Matches<'_>) {
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        put(out, &rest[..at]);
        rest = &rest[at + 1..];
        match rest.as_bytes().first() {
            Some(digit @ b'1'..=b'9') => {
                put(out, matches.group(usize::from(digit - b'0')).unwrap_or(""));
                rest = &rest[1..];
            }
            Some(b'&') => {
                put(out, matches.group(0).unwrap_or(""));
                rest = &rest[1..];
            }
            Some(b'\\') => {
                put(out, "\\");
                rest = &rest[1..];
            }
            _ => put(out, "\\"),
        }
    }
    put(out, rest);
}

fn put(out: &mut StringBuilder, text: &str) {
    out.write_str(text).expect("writing to memory");
}
