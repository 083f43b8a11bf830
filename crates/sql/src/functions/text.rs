//! Functions of text that count characters, where DataFusion's fail or answer otherwise than PostgreSQL's.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::builder::NullBufferBuilder;
use arrow::array::{ArrayRef, Int32Array, StringArray, StringBuilder};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use datafusion::logical_expr::ScalarUDF;
use springtide_types::SqlType::{Int4, Text};
use springtide_types::{Result, SqlError, SqlState};

use crate::unicode_escapes;

use super::typed::{Args, Gives, Typed, Variant, variant};

const TEXT: Gives = Gives::One(Text);

const SPLIT_PART: &[Variant] = &[variant(&[Text, Text, Int4], TEXT, split_part)];
const LEFT: &[Variant] = &[variant(&[Text, Int4], TEXT, left)];
const RIGHT: &[Variant] = &[variant(&[Text, Int4], TEXT, right)];
const REPEAT: &[Variant] = &[variant(&[Text, Int4], TEXT, repeat)];
const LPAD: &[Variant] = &[Variant { parameters: &[Text, Int4, Text], required: 2, gives: TEXT, run: lpad }];
const RPAD: &[Variant] = &[Variant { parameters: &[Text, Int4, Text], required: 2, gives: TEXT, run: rpad }];
const SUBSTR: &[Variant] =
    &[Variant { parameters: &[Text, Int4, Int4], required: 2, gives: TEXT, run: substr }];
const UNISTR: &[Variant] = &[variant(&[Text], TEXT, unistr)];
const CHR: &[Variant] = &[variant(&[Int4], TEXT, chr)];
pub(super) const STRPOS: Variant = variant(&[Text, Text], Gives::One(Int4), strpos);

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        Typed::udf("split_part", SPLIT_PART),
        Typed::udf("left", LEFT),
        Typed::udf("right", RIGHT),
        Typed::udf("repeat", REPEAT),
        Typed::udf("lpad", LPAD),
        Typed::udf("rpad", RPAD),
        Typed::udf("chr", CHR),
        Typed::udf("unistr", UNISTR),
    ]
}

/// `substr(text, start [, length])`
pub(super) fn substr_of_text() -> Arc<ScalarUDF> {
    Typed::udf("substr", SUBSTR)
}

/// Half a gigabyte; PostgreSQL's texts have one at most.
const MOST_BYTES: usize = 1 << 29;

/// One text per row, NULL where `value` has none.
fn texts<'a>(rows: usize, mut value: impl FnMut(usize) -> Result<Option<&'a str>>) -> Result<ArrayRef> {
    let (mut bytes, mut ends) = (Vec::with_capacity(rows * 8), Vec::with_capacity(rows));
    let mut nulls = NullBufferBuilder::new(rows);
    for row in 0..rows {
        let text = value(row)?;
        bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
        ends.push(bytes.len());
        nulls.append(text.is_some());
    }
    if bytes.len() > i32::MAX as usize {
        let message = "the texts of one step are longer than two gigabytes";
        return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    }
    let ends = std::iter::once(0).chain(ends.into_iter().map(|end| end as i32));
    let offsets = OffsetBuffer::new(ends.collect::<ScalarBuffer<i32>>());
    let texts = StringArray::try_new(offsets, bytes.into(), nulls.finish());
    texts.map(|texts| Arc::new(texts) as ArrayRef).map_err(|error| SqlError::internal(error.to_string()))
}

fn split_part(args: &Args<'_>) -> Result<ArrayRef> {
    let (values, delimiters, numbers) = (args.text(0), args.text(1), args.int4_or(2, 1)?);
    texts(args.rows, |row| {
        let (Some(text), Some(delimiter), Some(number)) =
            (values.get(row), delimiters.get(row), numbers.get(row))
        else {
            return Ok(None);
        };
        part(text, delimiter, number).map(Some)
    })
}

/// The n-th of the parts between delimiters, from the end if n is negative; empty if there is none.
fn part<'a>(text: &'a str, delimiter: &str, number: i32) -> Result<&'a str> {
    if number == 0 {
        let message = "field position must not be zero";
        return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    let nth = number.unsigned_abs() as usize - 1;
    let found = match (delimiter.as_bytes(), number > 0) {
        ([], _) => (nth == 0).then_some(text),
        // No byte of a longer character is ASCII.
        ([delimiter], true) => nth_part(text, *delimiter, nth),
        (_, true) => text.split(delimiter).nth(nth),
        (_, false) => text.rsplit(delimiter).nth(nth),
    };
    Ok(found.unwrap_or(""))
}

/// The n-th of the parts between delimiters of one byte, from 0.
fn nth_part(text: &str, delimiter: u8, nth: usize) -> Option<&str> {
    let start = match nth {
        0 => 0,
        nth => nth_byte(text.as_bytes(), delimiter, nth - 1)? + 1,
    };
    let rest = &text[start..];
    Some(&rest[..nth_byte(rest.as_bytes(), delimiter, 0).unwrap_or(rest.len())])
}

/// Where the n-th of these bytes is, from 0. Eight are looked at together: parts are short, and to prepare a search costs
/// more than it saves.
fn nth_byte(bytes: &[u8], wanted: u8, mut nth: usize) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = LOW << 7;
    let (words, rest) = bytes.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let different = u64::from_le_bytes(*word) ^ (LOW * u64::from(wanted));
        // The high bit of each byte that is wanted; no carry leaves its byte.
        let mut found = !(((different & !HIGH) + !HIGH) | different) & HIGH;
        let count = found.count_ones() as usize;
        if nth >= count {
            nth -= count;
            continue;
        }
        for _ in 0..nth {
            found &= found - 1;
        }
        return Some(8 * place + found.trailing_zeros() as usize / 8);
    }
    let found = rest.iter().enumerate().filter(|(_, byte)| **byte == wanted);
    found.map(|(at, _)| 8 * words.len() + at).nth(nth)
}

/// The position in bytes of the n-th character, from 0; the end of the text if it has no more than that.
fn at_char(text: &str, count: usize) -> usize {
    text.char_indices().nth(count).map_or(text.len(), |(at, _)| at)
}

/// How many characters `count` leaves: so many, or all but so many if it is negative.
fn up_to(text: &str, count: i32) -> usize {
    match usize::try_from(count) {
        Ok(count) => count,
        Err(_) => text.chars().count().saturating_sub(count.unsigned_abs() as usize),
    }
}

fn left(args: &Args<'_>) -> Result<ArrayRef> {
    let (values, counts) = (args.text(0), args.int4_or(1, 0)?);
    texts(args.rows, |row| {
        let (Some(text), Some(count)) = (values.get(row), counts.get(row)) else { return Ok(None) };
        Ok(Some(&text[..at_char(text, up_to(text, count))]))
    })
}

fn right(args: &Args<'_>) -> Result<ArrayRef> {
    let (values, counts) = (args.text(0), args.int4_or(1, 0)?);
    texts(args.rows, |row| {
        let (Some(text), Some(count)) = (values.get(row), counts.get(row)) else { return Ok(None) };
        let before = match count {
            ..0 => count.unsigned_abs() as usize,
            count => text.chars().count().saturating_sub(count as usize),
        };
        Ok(Some(&text[at_char(text, before)..]))
    })
}

fn substr(args: &Args<'_>) -> Result<ArrayRef> {
    let (values, starts) = (args.text(0), args.int4_or(1, 1)?);
    let lengths = if args.len() > 2 { Some(args.int4_or(2, 0)?) } else { None };
    texts(args.rows, |row| {
        let (Some(text), Some(start)) = (values.get(row), starts.get(row)) else { return Ok(None) };
        let start = i64::from(start) - 1;
        let from = at_char(text, start.max(0) as usize);
        let Some(lengths) = &lengths else { return Ok(Some(&text[from..])) };
        let Some(length) = lengths.get(row) else { return Ok(None) };
        if length < 0 {
            let message = "negative substring length not allowed";
            return Err(SqlError::new(SqlState::SUBSTRING_ERROR, message));
        }
        // What lies before the text counts too.
        let left = (start.min(0) + i64::from(length)).max(0) as usize;
        let rest = &text[from..];
        Ok(Some(&rest[..at_char(rest, left)]))
    })
}

fn repeat(args: &Args<'_>) -> Result<ArrayRef> {
    let (values, counts) = (args.text(0), args.int4_or(1, 0)?);
    let mut out = StringBuilder::new();
    for row in 0..args.rows {
        let (Some(text), Some(count)) = (values.get(row), counts.get(row)) else {
            out.append_null();
            continue;
        };
        let count = count.max(0) as usize;
        check_size(text.len().saturating_mul(count))?;
        (0..count).for_each(|_| put(&mut out, text));
        out.append_value("");
    }
    Ok(Arc::new(out.finish()))
}

fn check_size(bytes: usize) -> Result<()> {
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "requested length too large"))
}

fn put(out: &mut StringBuilder, text: &str) {
    out.write_str(text).expect("writing to memory");
}

fn lpad(args: &Args<'_>) -> Result<ArrayRef> {
    pad(args, |out, text, filling| {
        filling.for_each(|char| out.write_char(char).expect("writing to memory"));
        put(out, text);
    })
}

fn rpad(args: &Args<'_>) -> Result<ArrayRef> {
    pad(args, |out, text, filling| {
        put(out, text);
        filling.for_each(|char| out.write_char(char).expect("writing to memory"));
    })
}

/// Brings texts to a length in characters. `join` writes a text and what fills it up.
fn pad(
    args: &Args<'_>,
    join: impl Fn(&mut StringBuilder, &str, &mut dyn Iterator<Item = char>),
) -> Result<ArrayRef> {
    let (values, lengths, fills) = (args.text(0), args.int4_or(1, 0)?, args.text_or(2, " "));
    let mut out = StringBuilder::new();
    for row in 0..args.rows {
        let (Some(text), Some(length), Some(fill)) = (values.get(row), lengths.get(row), fills.get(row))
        else {
            out.append_null();
            continue;
        };
        let length = length.max(0) as usize;
        let text = &text[..at_char(text, length)];
        let missing = if fill.is_empty() { 0 } else { length - text.chars().count() };
        check_size(text.len() + missing.saturating_mul(fill.chars().map(char::len_utf8).max().unwrap_or(0)))?;
        join(&mut out, text, &mut fill.chars().cycle().take(missing));
        out.append_value("");
    }
    Ok(Arc::new(out.finish()))
}

fn chr(args: &Args<'_>) -> Result<ArrayRef> {
    let codes = args.int4_or(0, 0)?;
    let mut out = StringBuilder::new();
    for row in 0..args.rows {
        match codes.get(row) {
            Some(code) => out.append_value(character(code)?.encode_utf8(&mut [0; 4])),
            None => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn unistr(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.text(0);
    let read = (0..args.rows).map(|row| values.get(row).map(unicode_escapes::unistr).transpose());
    Ok(Arc::new(read.collect::<Result<StringArray>>()?))
}

fn character(code: i32) -> Result<char> {
    let refused = |message: String| Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    match code {
        0 => refused("null character not permitted".to_owned()),
        ..0 => {
            let message = "character number must be positive";
            Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
        _ => match char::from_u32(code as u32) {
            Some(char) => Ok(char),
            None if code > 0x10_ffff => {
                refused(format!("requested character too large for encoding: {code}"))
            }
            None => refused(format!("requested character not valid for encoding: {code}")),
        },
    }
}

/// Where a text first occurs in another, in characters from 1; 0 if it does not.
fn strpos(args: &Args<'_>) -> Result<ArrayRef> {
    let (texts, patterns) = (args.text(0), args.text(1));
    let position = |row| {
        let (text, pattern) = (texts.get(row)?, patterns.get(row)?);
        Some(text.find(pattern).map_or(0, |at| text[..at].chars().count() as i32 + 1))
    };
    Ok(Arc::new((0..args.rows).map(position).collect::<Int32Array>()))
}

#[cfg(test)]
mod tests {
    use super::nth_byte;

    #[test]
    fn the_nth_byte_is_found_wherever_it_is() {
        let text = b"a/bc//def/\x2e\xaf/0123456789/\x00";
        let places = text.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let places = places.collect::<Vec<_>>();
        for start in 0..text.len() {
            let expected = places.iter().filter(|at| **at >= start).map(|at| at - start).collect::<Vec<_>>();
            for nth in 0..8 {
                assert_eq!(nth_byte(&text[start..], b'/', nth), expected.get(nth).copied());
            }
        }
    }
}
