//! Functions of `numeric` that are exact. The scale of a result is PostgreSQL's where it follows from the types and constants.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int32Array};
use arrow::datatypes::{DataType, Decimal128Type, Int32Type, Int64Type};
use datafusion::logical_expr::ScalarUDF;
use springtide_types::SqlType::{Int4, Int8};
use springtide_types::{Result, SqlError, SqlState, UNCONSTRAINED_NUMERIC, WIDEST_NUMERIC};
use springtide_types::{shown_scale, significant_decimals};

use super::decimal::divide_rounding;
use super::typed::{Args, Gives, NUMERIC, Shape, Typed, Values, Variant, variant};

const INTEGER: Gives = Gives::One(Int4);
/// As many digits before the point as there can be.
const WHOLE: Gives = Gives::Numeric(|_| (WIDEST_NUMERIC, 0));

const AS_WHOLE: Gives = Gives::Numeric(|shape| rounded_to(shape.numeric(0), 0));

pub(super) const ROUND_WHOLE: Variant = variant(&[NUMERIC], AS_WHOLE, round);
pub(super) const ROUND_TO: Variant = variant(&[NUMERIC, Int4], Gives::Numeric(rounded), round);
pub(super) const TRUNC_WHOLE: Variant = variant(&[NUMERIC], AS_WHOLE, trunc);
pub(super) const TRUNC_TO: Variant = variant(&[NUMERIC, Int4], Gives::Numeric(rounded), trunc);
pub(super) const CEIL: Variant = variant(&[NUMERIC], AS_WHOLE, ceil);
pub(super) const FLOOR: Variant = variant(&[NUMERIC], AS_WHOLE, floor);
pub(super) const SIGN: Variant = variant(&[NUMERIC], Gives::Numeric(|_| (1, 0)), sign);
pub(super) const ABS: Variant = variant(&[NUMERIC], Gives::Numeric(|shape| shape.numeric(0)), abs);
pub(super) const GCD: Variant = variant(&[NUMERIC, NUMERIC], Gives::Numeric(common), gcd);
pub(super) const LCM: Variant = variant(&[NUMERIC, NUMERIC], Gives::Numeric(multiple), lcm);
const DIV: &[Variant] = &[variant(&[NUMERIC, NUMERIC], WHOLE, div)];
const SCALE: &[Variant] = &[variant(&[NUMERIC], INTEGER, scale)];
const MIN_SCALE: &[Variant] = &[variant(&[NUMERIC], INTEGER, min_scale)];
const TRIM_SCALE: &[Variant] = &[variant(&[NUMERIC], Gives::Numeric(trimmed), rescale)];
const FACTORIAL: &[Variant] = &[variant(&[Int8], WHOLE, factorial)];

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        Typed::udf("div", DIV),
        Typed::udf("scale", SCALE),
        Typed::udf("min_scale", MIN_SCALE),
        Typed::udf("trim_scale", TRIM_SCALE),
        Typed::udf("factorial", FACTORIAL),
    ]
}

/// What the binder calls `width_bucket` of a range, of which there is another of an array.
pub(crate) const RANGE_BUCKET: &str = "width_bucket of range";

pub(super) fn overloads() -> Vec<(&'static str, Arc<ScalarUDF>)> {
    vec![(RANGE_BUCKET, Typed::udf("width_bucket", BUCKETS))]
}

/// The precision and scale of a number that is rounded to so many decimals.
fn rounded_to((precision, scale): (u8, i8), decimals: i8) -> (u8, i8) {
    // Rounding may add a digit before the point.
    let whole = precision as i8 - scale + 1;
    let precision = whole.saturating_add(decimals).clamp(1, WIDEST_NUMERIC as i8 - 1);
    (precision as u8, decimals.min(precision))
}

fn rounded(shape: &Shape) -> (u8, i8) {
    let (precision, scale) = shape.numeric(0);
    match shape.integer(1) {
        Some(decimals) => rounded_to((precision, scale), decimals.clamp(0, 37) as i8),
        None => rounded_to((precision, scale), scale),
    }
}

/// A scale at which no zeros at the end are shown.
fn trimmed(shape: &Shape) -> (u8, i8) {
    const TRIMMED: [i8; 2] = [UNCONSTRAINED_NUMERIC.1, 21];
    let scale = shape.numeric(0).1;
    let fitting = TRIMMED.into_iter().find(|trimmed| *trimmed >= scale);
    (WIDEST_NUMERIC, fitting.unwrap_or(scale))
}

fn common(shape: &Shape) -> (u8, i8) {
    let ((p1, s1), (p2, s2)) = (shape.numeric(0), shape.numeric(1));
    let scale = s1.max(s2);
    (((p1 as i8 - s1).max(p2 as i8 - s2) + scale).clamp(1, WIDEST_NUMERIC as i8) as u8, scale)
}

fn multiple(shape: &Shape) -> (u8, i8) {
    (WIDEST_NUMERIC, common(shape).1)
}

fn overflow() -> SqlError {
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

/// 10 to a power, if it fits.
fn power_of_ten(exponent: i64) -> Option<i128> {
    10_i128.checked_pow(u32::try_from(exponent).ok()?)
}

/// The number at another scale, rounded by `round` where that has fewer decimals.
fn at_scale(value: i128, from: i8, to: i8, round: fn(i128, i128) -> i128) -> Result<i128> {
    let shift = i64::from(to) - i64::from(from);
    match shift {
        0.. => power_of_ten(shift).and_then(|unit| value.checked_mul(unit)).ok_or_else(overflow),
        _ => Ok(power_of_ten(-shift).map_or(0, |unit| round(value, unit))),
    }
}

/// One number per row in the type of the result.
fn numbers(args: &Args<'_>, value: impl Fn(usize) -> Result<Option<i128>>) -> Result<ArrayRef> {
    let DataType::Decimal128(precision, scale) = *args.result else {
        return Err(SqlError::internal("the result is numeric"));
    };
    let fits = |value: &i128| power_of_ten(i64::from(precision)).is_none_or(|most| value.abs() < most);
    let value = |row| match value(row)? {
        Some(value) if !fits(&value) => Err(overflow()),
        value => Ok(value),
    };
    let values = (0..args.rows).map(value).collect::<Result<Decimal128Array>>()?;
    let values = values.with_precision_and_scale(precision, scale);
    Ok(Arc::new(values.map_err(|error| springtide_plan::arrow_error(&error))?))
}

fn result_scale(args: &Args<'_>) -> i8 {
    match args.result {
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    }
}

fn round(args: &Args<'_>) -> Result<ArrayRef> {
    rounding(args, divide_rounding)
}

fn trunc(args: &Args<'_>) -> Result<ArrayRef> {
    rounding(args, |value, unit| value / unit)
}

fn ceil(args: &Args<'_>) -> Result<ArrayRef> {
    rounding(args, |value, unit| value.div_euclid(unit) + i128::from(value.rem_euclid(unit) != 0))
}

fn floor(args: &Args<'_>) -> Result<ArrayRef> {
    rounding(args, i128::div_euclid)
}

/// Rounds to as many decimals as the second argument says, or to none; a negative number counts digits before the point.
fn rounding(args: &Args<'_>, round: fn(i128, i128) -> i128) -> Result<ArrayRef> {
    let (values, decimals) = (args.values::<Decimal128Type>(0)?, args.int4_or(1, 0)?);
    let (from, to) = (args.scale(0), result_scale(args));
    numbers(args, |row| {
        let (Some(value), Some(decimals)) = (values.get(row), decimals.get(row)) else { return Ok(None) };
        let decimals = decimals.clamp(-100, i32::from(from.max(to))) as i8;
        let rounded = at_scale(value, from, decimals, round)?;
        at_scale(rounded, decimals, to, round).map(Some)
    })
}

fn rescale(args: &Args<'_>) -> Result<ArrayRef> {
    let (values, from, to) = (args.values::<Decimal128Type>(0)?, args.scale(0), result_scale(args));
    numbers(args, |row| values.get(row).map(|value| at_scale(value, from, to, divide_rounding)).transpose())
}

fn sign(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.values::<Decimal128Type>(0)?;
    numbers(args, |row| Ok(values.get(row).map(i128::signum)))
}

fn abs(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.values::<Decimal128Type>(0)?;
    numbers(args, |row| Ok(values.get(row).map(i128::abs)))
}

/// Two numbers at the larger of their scales.
fn pairs(args: &Args<'_>) -> Result<impl Fn(usize) -> Result<Option<(i128, i128)>>> {
    let (left, right) = (args.values::<Decimal128Type>(0)?, args.values::<Decimal128Type>(1)?);
    let (s1, s2) = (args.scale(0), args.scale(1));
    let scale = s1.max(s2);
    Ok(move |row| {
        let (Some(left), Some(right)) = (left.get(row), right.get(row)) else { return Ok(None) };
        let same = |value, from| at_scale(value, from, scale, divide_rounding);
        Ok(Some((same(left, s1)?, same(right, s2)?)))
    })
}

fn div(args: &Args<'_>) -> Result<ArrayRef> {
    let pair = pairs(args)?;
    numbers(args, |row| match pair(row)? {
        Some((_, 0)) => Err(SqlError::new(SqlState::DIVISION_BY_ZERO, "division by zero")),
        pair => Ok(pair.map(|(left, right)| left / right)),
    })
}

/// The greatest common divisor.
pub(super) fn divisor(mut one: u128, mut other: u128) -> u128 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

fn gcd(args: &Args<'_>) -> Result<ArrayRef> {
    let pair = pairs(args)?;
    numbers(args, |row| {
        Ok(pair(row)?.map(|(left, right)| divisor(left.unsigned_abs(), right.unsigned_abs()) as i128))
    })
}

fn lcm(args: &Args<'_>) -> Result<ArrayRef> {
    let pair = pairs(args)?;
    numbers(args, |row| {
        let Some((left, right)) = pair(row)? else { return Ok(None) };
        let (left, right) = (left.unsigned_abs(), right.unsigned_abs());
        if left == 0 || right == 0 {
            return Ok(Some(0));
        }
        let multiple = (left / divisor(left, right)).checked_mul(right);
        multiple.and_then(|multiple| i128::try_from(multiple).ok()).map(Some).ok_or_else(overflow)
    })
}

fn scale(args: &Args<'_>) -> Result<ArrayRef> {
    let (values, precision, scale) = (args.values::<Decimal128Type>(0)?, args.precision(0), args.scale(0));
    integers(args, &values, |value| shown_scale(value, precision, scale))
}

fn min_scale(args: &Args<'_>) -> Result<ArrayRef> {
    let (values, scale) = (args.values::<Decimal128Type>(0)?, args.scale(0).max(0).unsigned_abs());
    integers(args, &values, |value| significant_decimals(value, usize::from(scale)))
}

fn integers(
    args: &Args<'_>,
    values: &Values<Decimal128Type>,
    of: impl Fn(i128) -> usize,
) -> Result<ArrayRef> {
    let integers = (0..args.rows).map(|row| values.get(row).map(|value| of(value) as i32));
    Ok(Arc::new(integers.collect::<Int32Array>()))
}

fn factorial(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.values::<Int64Type>(0)?;
    let factorial = |value: i64| {
        if value < 0 {
            let message = "factorial of a negative number is undefined";
            return Err(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
        }
        let mut factors = 1..=i128::from(value);
        factors.try_fold(1_i128, |product, factor| product.checked_mul(factor)).ok_or_else(overflow)
    };
    numbers(args, |row| values.get(row).map(factorial).transpose())
}

const BUCKETS: &[Variant] =
    &[variant(&[NUMERIC, NUMERIC, NUMERIC, Int4], INTEGER, width_bucket), super::floats::WIDTH_BUCKET];

/// What PostgreSQL says of bounds and counts that make no histogram.
pub(super) fn bucket_error(message: &str) -> SqlError {
    SqlError::new(SqlState::from_code("2201G"), message)
}

fn width_bucket(args: &Args<'_>) -> Result<ArrayRef> {
    let operands = [0, 1, 2].map(|position| args.values::<Decimal128Type>(position));
    let [values, lows, highs] = operands;
    let (values, lows, highs) = (values?, lows?, highs?);
    let scales = [0, 1, 2].map(|position| args.scale(position));
    let scale = scales.into_iter().max().unwrap_or(0);
    let counts = args.values::<Int32Type>(3)?;
    let bucket = |row| {
        let (Some(value), Some(low), Some(high), Some(count)) =
            (values.get(row), lows.get(row), highs.get(row), counts.get(row))
        else {
            return Ok(None);
        };
        let same = |value, from| at_scale(value, from, scale, divide_rounding);
        let (value, low, high) = (same(value, scales[0])?, same(low, scales[1])?, same(high, scales[2])?);
        if count <= 0 {
            return Err(bucket_error("count must be greater than zero"));
        }
        let (value, low, high) = match low.cmp(&high) {
            std::cmp::Ordering::Equal => return Err(bucket_error("lower bound cannot equal upper bound")),
            std::cmp::Ordering::Less => (value, low, high),
            std::cmp::Ordering::Greater => (-value, -low, -high),
        };
        if value < low {
            return Ok(Some(0));
        }
        if value >= high {
            let past = count
                .checked_add(1)
                .ok_or_else(|| SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))?;
            return Ok(Some(past));
        }
        let place = (value - low).checked_mul(i128::from(count)).ok_or_else(overflow)?;
        Ok(Some((place / (high - low)) as i32 + 1))
    };
    Ok(Arc::new((0..args.rows).map(bucket).collect::<Result<Int32Array>>()?))
}
