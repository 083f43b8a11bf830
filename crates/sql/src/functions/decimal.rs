//! Arithmetic of `numeric`. PostgreSQL's has a scale per value, Arrow's one per column, so the scale of a
//! result is decided by the types. Results round half away from zero.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Datum, Decimal128Array, PrimitiveBuilder};
use arrow::compute::kernels::arity::binary;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, i256};
use datafusion::common::{DataFusionError, Result, internal_err};
use springtide_types::{SqlError, SqlState};

use super::ArithmeticOp;
use super::arithmetic::{division_by_zero, external};

/// Digits after the point that a quotient has at least, and beyond which a product is rounded.
const QUOTIENT_SCALE: i8 = 16;

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
    let scale = (s1 + s2).min(s1.max(s2).max(QUOTIENT_SCALE));
    DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale)
}

/// The scale of a quotient.
pub(super) fn quotient_scale(s1: i8, s2: i8) -> i8 {
    s1.max(s2).max(QUOTIENT_SCALE)
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
            // l/10^s1 / (r/10^s2) · 10^t = l · 10^(t−s1+s2) / r, where the exponent is never negative.
            ArithmeticOp::Divide => Shift { left: power(target - left), right: power(right), down: 1 },
            _ => Shift { left: power(target - left), right: power(target - right), down: 1 },
        }
    }

    fn apply(&self, op: ArithmeticOp, left: i128, right: i128) -> Result<i128> {
        if right == 0 && matches!(op, ArithmeticOp::Divide | ArithmeticOp::Modulo) {
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
            ArithmeticOp::Divide => {
                let dividend = left.checked_mul(self.left)?.checked_mul(self.right)?;
                Some(divide_rounding(dividend, right))
            }
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
            ArithmeticOp::Modulo => left_shifted.checked_rem(right_shifted)?,
            ArithmeticOp::Multiply => {
                divide_rounding_wide(wide(left).checked_mul(wide(right))?, wide(self.down))?
            }
            ArithmeticOp::Divide => {
                divide_rounding_wide(left_shifted.checked_mul(wide(self.right))?, wide(right))?
            }
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

/// `sums / counts` at `scale`, NULL where the count is zero.
pub(super) fn averages(sums: &Decimal128Array, counts: &[i64], scale: i8) -> Result<ArrayRef> {
    let shift = Shift::new(ArithmeticOp::Divide, sums.scale(), 0, scale);
    let averages = sums.iter().zip(counts).map(|(sum, count)| match (sum, *count) {
        (None, _) | (_, 0) => Ok(None),
        (Some(sum), count) => Ok(Some(shift.apply(ArithmeticOp::Divide, sum, i128::from(count))?)),
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
