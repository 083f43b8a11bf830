//! Functions of text that `bytea` has too, and those of its bits.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Int32Array, Int64Array, StringArray};
use arrow::datatypes::Int64Type;
use datafusion::logical_expr::ScalarUDF;
use springtide_types::SqlType::{Bytea, Int4, Int8, Text};
use springtide_types::{Result, SqlError, SqlState};

use super::text;
use super::typed::{Args, Gives, Typed, Variant, variant};

const BYTES: Gives = Gives::One(Bytea);
const TEXTS: Gives = Gives::One(Text);

const STRPOS: &[Variant] = &[text::STRPOS, variant(&[Bytea, Bytea], Gives::One(Int4), position)];
const BTRIM: &[Variant] = &[
    Variant { parameters: &[Text, Text], required: 1, gives: TEXTS, run: |args| trim_text(args, true, true) },
    variant(&[Bytea, Bytea], BYTES, |args| trim_bytes(args, true, true)),
];
const LTRIM: &[Variant] = &[
    Variant {
        parameters: &[Text, Text],
        required: 1,
        gives: TEXTS,
        run: |args| trim_text(args, true, false),
    },
    variant(&[Bytea, Bytea], BYTES, |args| trim_bytes(args, true, false)),
];
const RTRIM: &[Variant] = &[
    Variant {
        parameters: &[Text, Text],
        required: 1,
        gives: TEXTS,
        run: |args| trim_text(args, false, true),
    },
    variant(&[Bytea, Bytea], BYTES, |args| trim_bytes(args, false, true)),
];
const OVERLAY: &[Variant] = &[
    Variant { parameters: &[Text, Text, Int4, Int4], required: 3, gives: TEXTS, run: overlay_text },
    Variant { parameters: &[Bytea, Bytea, Int4, Int4], required: 3, gives: BYTES, run: overlay_bytes },
];
const REVERSE: &[Variant] = &[
    variant(&[Text], TEXTS, |args| {
        let values = args.text(0);
        let reversed = |row| values.get(row).map(|text| text.chars().rev().collect::<String>());
        Ok(Arc::new((0..args.rows).map(reversed).collect::<StringArray>()))
    }),
    variant(&[Bytea], BYTES, |args| bytes(args, |value| value.iter().rev().copied().collect::<Vec<_>>())),
];
const GET_BIT: &[Variant] = &[variant(&[Bytea, Int8], Gives::One(Int4), get_bit)];
const SET_BIT: &[Variant] = &[variant(&[Bytea, Int8, Int4], BYTES, set_bit)];
const BIT_COUNT: &[Variant] = &[variant(&[Bytea], Gives::One(Int8), |args| {
    numbers(args, |value| value.iter().map(|byte| i64::from(byte.count_ones())).sum())
})];
const CRC32: &[Variant] =
    &[variant(&[Bytea], Gives::One(Int8), |args| numbers(args, |value| i64::from(crc32fast::hash(value))))];
const CRC32C: &[Variant] =
    &[variant(&[Bytea], Gives::One(Int8), |args| numbers(args, |value| i64::from(crc32c::crc32c(value))))];

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let all = [
        ("strpos", STRPOS),
        ("btrim", BTRIM),
        ("ltrim", LTRIM),
        ("rtrim", RTRIM),
        ("overlay", OVERLAY),
        ("reverse", REVERSE),
        ("get_bit", GET_BIT),
        ("set_bit", SET_BIT),
        ("bit_count", BIT_COUNT),
        ("crc32", CRC32),
        ("crc32c", CRC32C),
    ];
    all.into_iter().map(|(name, variants)| Typed::udf(name, variants)).collect()
}

fn column(args: &Args<'_>, position: usize) -> Result<BinaryArray> {
    Ok(args.array(position)?.as_binary::<i32>().clone())
}

fn value(column: &BinaryArray, row: usize) -> Option<&[u8]> {
    column.is_valid(row).then(|| column.value(row))
}

fn bytes(args: &Args<'_>, of: impl Fn(&[u8]) -> Vec<u8>) -> Result<ArrayRef> {
    let values = column(args, 0)?;
    Ok(Arc::new((0..args.rows).map(|row| value(&values, row).map(&of)).collect::<BinaryArray>()))
}

fn numbers(args: &Args<'_>, of: impl Fn(&[u8]) -> i64) -> Result<ArrayRef> {
    let values = column(args, 0)?;
    Ok(Arc::new((0..args.rows).map(|row| value(&values, row).map(&of)).collect::<Int64Array>()))
}

fn position(args: &Args<'_>) -> Result<ArrayRef> {
    let (values, wanted) = (column(args, 0)?, column(args, 1)?);
    let position = |row| {
        let (value, wanted) = (value(&values, row)?, value(&wanted, row)?);
        let at = match wanted {
            [] => Some(0),
            wanted => value.windows(wanted.len()).position(|window| window == wanted),
        };
        Some(at.map_or(0, |at| at as i32 + 1))
    };
    Ok(Arc::new((0..args.rows).map(position).collect::<Int32Array>()))
}

fn trim_text(args: &Args<'_>, start: bool, end: bool) -> Result<ArrayRef> {
    let (values, sets) = (args.text(0), args.text_or(1, " "));
    let trimmed = |row| {
        let (mut text, set) = (values.get(row)?, sets.get(row)?);
        if start {
            text = text.trim_start_matches(|c| set.contains(c));
        }
        if end {
            text = text.trim_end_matches(|c| set.contains(c));
        }
        Some(text)
    };
    Ok(Arc::new((0..args.rows).map(trimmed).collect::<StringArray>()))
}

fn trim_bytes(args: &Args<'_>, start: bool, end: bool) -> Result<ArrayRef> {
    let (values, sets) = (column(args, 0)?, column(args, 1)?);
    let trimmed = |row| {
        let (mut bytes, set) = (value(&values, row)?, value(&sets, row)?);
        while let Some((first, rest)) = bytes.split_first().filter(|(first, _)| start && set.contains(first))
        {
            (_, bytes) = (first, rest);
        }
        while let Some((last, rest)) = bytes.split_last().filter(|(last, _)| end && set.contains(last)) {
            (_, bytes) = (last, rest);
        }
        Some(bytes)
    };
    Ok(Arc::new((0..args.rows).map(trimmed).collect::<BinaryArray>()))
}

/// The value with `new` in the place of `length` units from `start` on, counted from 1.
fn overlaid<T: Copy>(value: &[T], new: &[T], start: i32, length: i64) -> Result<Vec<T>> {
    if start <= 0 {
        let message = "negative substring length not allowed";
        return Err(SqlError::new(SqlState::SUBSTRING_ERROR, message));
    }
    let clamp = |position: i64| position.clamp(0, value.len() as i64) as usize;
    let before = i64::from(start) - 1;
    Ok([&value[..clamp(before)], new, &value[clamp(before + length)..]].concat())
}

fn overlay_text(args: &Args<'_>) -> Result<ArrayRef> {
    let (values, news, starts) = (args.text(0), args.text(1), args.int4_or(2, 1)?);
    let lengths = if args.len() > 3 { Some(args.int4_or(3, 0)?) } else { None };
    let overlay = |row| {
        let (Some(text), Some(new), Some(start)) = (values.get(row), news.get(row), starts.get(row)) else {
            return Ok(None);
        };
        let (text, new) = (text.chars().collect::<Vec<_>>(), new.chars().collect::<Vec<_>>());
        let length = match &lengths {
            None => Some(new.len() as i64),
            Some(lengths) => lengths.get(row).map(i64::from),
        };
        let Some(length) = length else { return Ok(None) };
        overlaid(&text, &new, start, length).map(|chars| Some(chars.into_iter().collect::<String>()))
    };
    Ok(Arc::new((0..args.rows).map(overlay).collect::<Result<StringArray>>()?))
}

fn overlay_bytes(args: &Args<'_>) -> Result<ArrayRef> {
    let (values, news, starts) = (column(args, 0)?, column(args, 1)?, args.int4_or(2, 1)?);
    let lengths = if args.len() > 3 { Some(args.int4_or(3, 0)?) } else { None };
    let overlay = |row| {
        let (Some(bytes), Some(new), Some(start)) = (value(&values, row), value(&news, row), starts.get(row))
        else {
            return Ok(None);
        };
        let length = match &lengths {
            None => Some(new.len() as i64),
            Some(lengths) => lengths.get(row).map(i64::from),
        };
        length.map(|length| overlaid(bytes, new, start, length)).transpose()
    };
    Ok(Arc::new(
        (0..args.rows).map(overlay).collect::<Result<Vec<_>>>()?.into_iter().collect::<BinaryArray>(),
    ))
}

/// The byte and the bit in it of a number of a bit, counted from 0.
fn bit_at(bytes: &[u8], number: i64) -> Result<(usize, u32)> {
    let bits = bytes.len() as i64 * 8;
    if !(0..bits).contains(&number) {
        let message = format!("index {number} out of valid range, 0..{}", bits - 1);
        return Err(SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
    }
    Ok(((number / 8) as usize, (number % 8) as u32))
}

fn get_bit(args: &Args<'_>) -> Result<ArrayRef> {
    let (values, positions) = (column(args, 0)?, args.values::<Int64Type>(1)?);
    let bit = |row| {
        let (Some(bytes), Some(number)) = (value(&values, row), positions.get(row)) else { return Ok(None) };
        let (byte, bit) = bit_at(bytes, number)?;
        Ok(Some(i32::from(bytes[byte] >> bit & 1)))
    };
    Ok(Arc::new((0..args.rows).map(bit).collect::<Result<Int32Array>>()?))
}

fn set_bit(args: &Args<'_>) -> Result<ArrayRef> {
    let (values, positions) = (column(args, 0)?, args.values::<Int64Type>(1)?);
    let bits = args.int4_or(2, 0)?;
    let changed = |row| {
        let (Some(bytes), Some(number), Some(new)) = (value(&values, row), positions.get(row), bits.get(row))
        else {
            return Ok(None);
        };
        let (byte, bit) = bit_at(bytes, number)?;
        let mut bytes = bytes.to_vec();
        match new {
            0 => bytes[byte] &= !(1 << bit),
            1 => bytes[byte] |= 1 << bit,
            _ => {
                let message = "new bit must be 0 or 1";
                return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
            }
        }
        Ok(Some(bytes))
    };
    Ok(Arc::new(
        (0..args.rows).map(changed).collect::<Result<Vec<_>>>()?.into_iter().collect::<BinaryArray>(),
    ))
}
