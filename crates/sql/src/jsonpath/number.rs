//! Numbers as `numeric` has them: with as many decimals as they were written with.

use bigdecimal::num_bigint::BigInt;
use bigdecimal::num_traits::{ToPrimitive, Zero};
use bigdecimal::{BigDecimal, RoundingMode};
use serde_json::{Number, Value};

use super::ast::Arithmetic;

/// Digits that a number may have before or after its point.
const MOST_DIGITS: i64 = 16_383;
/// Significant digits that a quotient has at least.
const MIN_SIGNIFICANT: i64 = 16;
const MAX_DISPLAY_SCALE: i64 = 1000;
/// `numeric` counts in digits of base 10000.
const DIGITS_OF_A_DIGIT: i64 = 4;

/// The number of a text.
pub(crate) fn parse(text: &str) -> Option<BigDecimal> {
    let exponent = text.find(['e', 'E']).map_or(Some(0), |at| text[at + 1..].parse::<i64>().ok())?;
    if exponent.abs() > MOST_DIGITS {
        return None;
    }
    text.parse().ok().map(plain)
}

/// Without a negative scale.
fn plain(number: BigDecimal) -> BigDecimal {
    if number.fractional_digit_count() < 0 { number.with_scale(0) } else { number }
}

pub(crate) fn of_json(number: &Number) -> Option<BigDecimal> {
    parse(number.as_str())
}

pub(crate) fn to_json(number: &BigDecimal) -> Value {
    // It keeps the text.
    Value::Number(serde_json::from_str(&text(number)).expect("the text of a number is JSON"))
}

pub(crate) fn text(number: &BigDecimal) -> String {
    number.to_plain_string()
}

/// `left op right`; `None` for a division by zero.
pub(super) fn calculate(op: Arithmetic, left: &BigDecimal, right: &BigDecimal) -> Option<BigDecimal> {
    Some(match op {
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        _ if right.is_zero() => return None,
        Arithmetic::Divide => divide(left, right),
        Arithmetic::Modulo => {
            let scale = left.fractional_digit_count().max(right.fractional_digit_count());
            let (left, right) = (left.with_scale(scale), right.with_scale(scale));
            BigDecimal::new(left.into_bigint_and_scale().0 % right.into_bigint_and_scale().0, scale)
        }
    })
}

/// With the decimals that PostgreSQL gives a quotient.
fn divide(left: &BigDecimal, right: &BigDecimal) -> BigDecimal {
    let (left_weight, left_first) = leading(left);
    let (right_weight, right_first) = leading(right);
    let weight = left_weight - right_weight - i64::from(left_first <= right_first);
    let scale = (MIN_SIGNIFICANT - weight * DIGITS_OF_A_DIGIT)
        .max(left.fractional_digit_count())
        .max(right.fractional_digit_count())
        .clamp(0, MAX_DISPLAY_SCALE);
    let (left, left_scale) = left.as_bigint_and_exponent();
    let (right, right_scale) = right.as_bigint_and_exponent();
    // One digit more, to round by: the sign of the rest decides only where it is exactly half.
    let shift = scale + 1 - left_scale + right_scale;
    let ten = BigInt::from(10);
    let power = |exponent: i64| ten.pow(u32::try_from(exponent).unwrap_or(0));
    let quotient = if shift >= 0 { left * power(shift) / right } else { left / (right * power(-shift)) };
    BigDecimal::new(quotient, scale + 1).with_scale_round(scale, RoundingMode::HalfUp)
}

/// The position of the first digit of base 10000, and that digit.
fn leading(number: &BigDecimal) -> (i64, i64) {
    let (digits, scale) = number.abs().into_bigint_and_scale();
    if digits.is_zero() {
        return (0, 0);
    }
    let digits = digits.to_string();
    let weight = (digits.len() as i64 - scale - 1).div_euclid(DIGITS_OF_A_DIGIT);
    // How many decimal digits the first one takes.
    let length = (digits.len() as i64 - scale) - weight * DIGITS_OF_A_DIGIT;
    let first = digits.chars().chain(std::iter::repeat('0')).take(length as usize).collect::<String>();
    (weight, first.parse().unwrap_or(0))
}

/// The nearest integer, halves away from zero.
pub(super) fn rounded(number: &BigDecimal) -> BigDecimal {
    number.with_scale_round(0, RoundingMode::HalfUp)
}

pub(super) fn floor(number: &BigDecimal) -> BigDecimal {
    number.with_scale_round(0, RoundingMode::Floor)
}

pub(super) fn ceiling(number: &BigDecimal) -> BigDecimal {
    number.with_scale_round(0, RoundingMode::Ceiling)
}

/// The integer before the point.
pub(super) fn truncated(number: &BigDecimal) -> Option<i64> {
    number.with_scale_round(0, RoundingMode::Down).to_i64()
}
