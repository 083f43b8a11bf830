//! Arithmetic of `numeric`. PostgreSQL's has a scale per value, Arrow's one per column, so the scale of a
//! result is decided by the types. Results round half away from zero.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Datum, Decimal128Array, PrimitiveBuilder};
use arrow::compute::kernels::arity::binary;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, i256};
use datafusion::common::{DataFusionError, Result, internal_err};
use springtide_types::{QUOTIENT_SCALES, SqlError, SqlState, shown_scale};

use super::ArithmeticOp;
use super::arithmetic::{division_by_zero, external};

/// Digits after the point that a quotient has room for at least, and beyond which a product is rounded.
const QUOTIENT_SCALE: i8 = QUOTIENT_SCALES[0];

/// The type of a sum, a difference or a remainder.
pub(super) fn sum_type((p1, s1): (u8, i8), (p2, s2): (u8, i8)) -> DataType {
    let scale = s1.max(s2);
    let integer_digits = (p1 as i8 - s1).max(p2 as i8 - s2) + 1;
    let precision = (integer_digits + scale).clamp(1, DECIMAL128_MAX_PRECISION as i8) as u8;
    DataType::Decimal128(precision, scale)
}

/// The type of a product: exact while it fits, else with at least [`QUOTIENT_SCALE`] digits.
pub(super) fn product_type((p1, s1): (u8, i8), (p2, s2): (u8, i8)) -> DataType {
    let precision = p1.saturating_add(p2);
    if precision <= DECIMAL128_MAX_PRECISION {
        return DataType::Decimal128(precision, s1 + s2);
    }
    // As many digits as there is room for beside those before the point.
    let room = DECIMAL128_MAX_PRECISION as i8 - (p1 as i8 - s1) - (p2 as i8 - s2);
    let scale = s1.max(s2).min(room).max(QUOTIENT_SCALE).min(s1 + s2);
    DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale)
}

/// The scale of a quotient of decimals: one of [`QUOTIENT_SCALES`], the largest that leaves room for the digits before the
/// point, or that of an operand if that is larger still.
pub(super) fn quotient_scale((p1, s1): (u8, i8), s2: i8) -> i8 {
    let room = DECIMAL128_MAX_PRECISION as i8 - (p1 as i8 - s1 + s2);
    let fitting = QUOTIENT_SCALES.into_iter().rev().find(|scale| *scale <= room);
    let least = s1.max(s2);
    match fitting.unwrap_or(QUOTIENT_SCALE) {
        scale if least <= scale => scale,
        _ => QUOTIENT_SCALES.into_iter().find(|scale| *scale >= least).unwrap_or(least),
    }
}

pub(super) fn numeric_overflow() -> DataFusionError {
    external(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow"))
}

pub(super) fn compute(
    op: ArithmeticOp,
    left: &dyn Datum,
    right: &dyn Datum,
    target: &DataType,
) -> Result<ArrayRef> {
    let ((left, left_scalar), (right, right_scalar)) = (left.get(), right.get());
    let (left, right) = (left.as_primitive::<Decimal128Type>(), right.as_primitive::<Decimal128Type>());
    let DataType::Decimal128(_, scale) = *target else {
        return internal_err!("decimal arithmetic gives {target}");
    };
    if let Some(products) = products(op, (left, left_scalar), (right, right_scalar), target) {
        return Ok(Arc::new(products));
    }
    if op == ArithmeticOp::Divide {
        return quotients((left, left_scalar), (right, right_scalar), scale);
    }
    let shift = Shift::new(op, left.scale(), right.scale(), scale);
    let rows = if left_scalar { right.len() } else { left.len() };
    let mut result = PrimitiveBuilder::<Decimal128Type>::with_capacity(rows).with_data_type(target.clone());
    for row in 0..rows {
        let (l, r) = (if left_scalar { 0 } else { row }, if right_scalar { 0 } else { row });
        if left.is_null(l) || right.is_null(r) {
            result.append_null();
        } else {
            result.append_value(shift.apply(op, left.value(l), right.value(r))?);
        }
    }
    Ok(Arc::new(result.finish()))
}

/// Products that fit, as the types say, and need not be rounded. `None` if these are others.
fn products(
    op: ArithmeticOp,
    (left, left_scalar): (&Decimal128Array, bool),
    (right, right_scalar): (&Decimal128Array, bool),
    target: &DataType,
) -> Option<Decimal128Array> {
    let exact =
        *target == DataType::Decimal128(left.precision() + right.precision(), left.scale() + right.scale());
    if op != ArithmeticOp::Multiply || !exact {
        return None;
    }
    // There may be anything in the place of a NULL.
    let products: Decimal128Array = match (left_scalar, right_scalar) {
        (false, false) => binary(left, right, i128::wrapping_mul).ok()?,
        (false, true) if right.is_valid(0) => left.unary(|value| value.wrapping_mul(right.value(0))),
        (true, false) if left.is_valid(0) => right.unary(|value| value.wrapping_mul(left.value(0))),
        _ => return None,
    };
    Some(products.with_data_type(target.clone()))
}

/// What the operands, or the result, must be multiplied by to come out at the scale wanted.
struct Shift {
    left: i128,
    right: i128,
    /// Divides the result.
    down: i128,
}

impl Shift {
    fn new(op: ArithmeticOp, left: i8, right: i8, target: i8) -> Shift {
        match op {
            ArithmeticOp::Multiply => Shift { left: 1, right: 1, down: power(left + right - target) },
            _ => Shift { left: power(target - left), right: power(target - right), down: 1 },
        }
    }

    fn apply(&self, op: ArithmeticOp, left: i128, right: i128) -> Result<i128> {
        if right == 0 && op == ArithmeticOp::Modulo {
            return Err(division_by_zero());
        }
        let value = match self.narrow(op, left, right) {
            Some(value) => value,
            None => self.wide(op, left, right).ok_or_else(numeric_overflow)?,
        };
        if value.unsigned_abs() < LIMIT { Ok(value) } else { Err(numeric_overflow()) }
    }

    /// In 128 bits, or `None` if these do not do.
    fn narrow(&self, op: ArithmeticOp, left: i128, right: i128) -> Option<i128> {
        match op {
            ArithmeticOp::Multiply => Some(divide_rounding(left.checked_mul(right)?, self.down)),
            _ => {
                let (left, right) = (left.checked_mul(self.left)?, right.checked_mul(self.right)?);
                match op {
                    ArithmeticOp::Add => left.checked_add(right),
                    ArithmeticOp::Subtract => left.checked_sub(right),
                    _ => Some(left % right),
                }
            }
        }
    }

    /// In 256 bits, which hold every product and dividend of two decimals.
    fn wide(&self, op: ArithmeticOp, left: i128, right: i128) -> Option<i128> {
        let wide = i256::from_i128;
        let (left_shifted, right_shifted) =
            (wide(left).checked_mul(wide(self.left))?, wide(right).checked_mul(wide(self.right))?);
        let result = match op {
            ArithmeticOp::Add => left_shifted.checked_add(right_shifted)?,
            ArithmeticOp::Subtract => left_shifted.checked_sub(right_shifted)?,
            ArithmeticOp::Multiply => {
                divide_rounding_wide(wide(left).checked_mul(wide(right))?, wide(self.down))?
            }
            _ => left_shifted.checked_rem(right_shifted)?,
        };
        result.to_i128()
    }
}

const LIMIT: u128 = 10_u128.pow(DECIMAL128_MAX_PRECISION as u32);

fn power(exponent: i8) -> i128 {
    10_i128.pow(u32::try_from(exponent).unwrap_or(0))
}

/// Division that rounds half away from zero.
pub(super) fn divide_rounding(dividend: i128, divisor: i128) -> i128 {
    if divisor == 1 {
        return dividend;
    }
    let (quotient, remainder) = (dividend / divisor, dividend % divisor);
    let away = remainder.unsigned_abs() >= divisor.unsigned_abs() - remainder.unsigned_abs();
    match (away && remainder != 0, (dividend < 0) != (divisor < 0)) {
        (false, _) => quotient,
        (true, false) => quotient + 1,
        (true, true) => quotient - 1,
    }
}

fn divide_rounding_wide(dividend: i256, divisor: i256) -> Option<i256> {
    let zero = i256::ZERO;
    let quotient = dividend.checked_div(divisor)?;
    let remainder = dividend.checked_rem(divisor)?.wrapping_abs();
    let away = remainder != zero && remainder >= divisor.wrapping_abs().wrapping_sub(remainder);
    let step = i256::from_i128(if (dividend < zero) != (divisor < zero) { -1 } else { 1 });
    if away { quotient.checked_add(step) } else { Some(quotient) }
}

/// Quotients in a column of this scale.
fn quotients(
    (left, left_scalar): (&Decimal128Array, bool),
    (right, right_scalar): (&Decimal128Array, bool),
    scale: i8,
) -> Result<ArrayRef> {
    let rows = if left_scalar { right.len() } else { left.len() };
    let operands = [(left.precision(), left.scale()), (right.precision(), right.scale())];
    let quotient = |row| {
        let (l, r) = (if left_scalar { 0 } else { row }, if right_scalar { 0 } else { row });
        let given = left.is_valid(l) && right.is_valid(r);
        given.then(|| quotient(left.value(l), right.value(r), operands, scale)).transpose()
    };
    let quotients = (0..rows).map(quotient).collect::<Result<Decimal128Array>>()?;
    Ok(Arc::new(quotients.with_precision_and_scale(DECIMAL128_MAX_PRECISION, scale)?))
}

/// A quotient of decimals in columns of these precisions and scales, rounded where PostgreSQL rounds it.
fn quotient(left: i128, right: i128, operands: [(u8, i8); 2], scale: i8) -> Result<i128> {
    if right == 0 {
        return Err(division_by_zero());
    }
    let [(p1, s1), (p2, s2)] = operands;
    let ((weight, first), (right_weight, right_first)) = (leading_group(left, s1), leading_group(right, s2));
    let weight = weight - right_weight - i32::from(first <= right_first);
    let shown = |value, precision, scale| shown_scale(value, precision, scale) as i32;
    let rounded = (16 - 4 * weight).max(shown(left, p1, s1)).max(shown(right, p2, s2));
    let rounded = rounded.clamp(0, i32::from(scale));
    // l/10^s1 / (r/10^s2) · 10^t = l · 10^(t−s1+s2) / r
    let exponent = rounded - i32::from(s1) + i32::from(s2);
    let narrow = || {
        let factor = 10_i128.checked_pow(exponent.unsigned_abs())?;
        let (left, right) = match exponent {
            ..0 => (left, right.checked_mul(factor)?),
            _ => (left.checked_mul(factor)?, right),
        };
        Some(divide_rounding(left, right))
    };
    let wide = || {
        let factor = i256::from_i128(10).checked_pow(exponent.unsigned_abs())?;
        let (left, right) = (i256::from_i128(left), i256::from_i128(right));
        let (left, right) = match exponent {
            ..0 => (left, right.checked_mul(factor)?),
            _ => (left.checked_mul(factor)?, right),
        };
        divide_rounding_wide(left, right)?.to_i128()
    };
    let quotient =
        narrow().or_else(wide).and_then(|quotient| quotient.checked_mul(power(scale - rounded as i8)));
    quotient.filter(|quotient| quotient.unsigned_abs() < LIMIT).ok_or_else(numeric_overflow)
}

/// The first group of four digits of a decimal, counted from the point, and its weight.
fn leading_group(value: i128, scale: i8) -> (i32, u128) {
    if value == 0 {
        return (0, 0);
    }
    let digits = value.unsigned_abs().ilog10();
    let exponent = digits as i32 - i32::from(scale);
    let others = exponent.rem_euclid(4).unsigned_abs();
    let group = match digits.checked_sub(others) {
        Some(below) => value.unsigned_abs() / 10_u128.pow(below),
        None => value.unsigned_abs() * 10_u128.pow(others - digits),
    };
    (exponent.div_euclid(4), group)
}

/// `sums / counts` at `scale`, NULL where the count is zero.
pub(super) fn averages(sums: &Decimal128Array, counts: &[i64], scale: i8) -> Result<ArrayRef> {
    let operands = [(sums.precision(), sums.scale()), (19, 0)];
    let averages = sums.iter().zip(counts).map(|(sum, count)| match (sum, *count) {
        (None, _) | (_, 0) => Ok(None),
        (Some(sum), count) => Ok(Some(quotient(sum, i128::from(count), operands, scale)?)),
    });
    let averages = averages.collect::<Result<Decimal128Array>>()?;
    Ok(Arc::new(averages.with_precision_and_scale(DECIMAL128_MAX_PRECISION, scale)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_half_away_from_zero() {
        for (dividend, divisor, quotient) in
            [(5, 2, 3), (-5, 2, -3), (5, -2, -3), (4, 3, 1), (-4, 3, -1), (5, 3, 2), (0, 7, 0)]
        {
            assert_eq!(divide_rounding(dividend, divisor), quotient, "{dividend}/{divisor}");
            let wide = divide_rounding_wide(i256::from_i128(dividend), i256::from_i128(divisor));
            assert_eq!(wide, Some(i256::from_i128(quotient)));
        }
    }
}
