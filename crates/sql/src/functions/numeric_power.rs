//! Roots, powers and logarithms of `numeric`, rounded to as many digits as PostgreSQL gives them.

use arrow::array::{ArrayRef, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type};
use dashu_float::DBig;
use springtide_types::{POWER_SCALE, ROOT_SCALE, Result, SqlError, SqlState, WIDEST_NUMERIC};
use std::sync::Arc;

use super::typed::{Args, Gives, NUMERIC, Shape, Variant, variant};

pub(super) const SQRT: Variant =
    variant(&[NUMERIC], Gives::Numeric(|shape| shown(shape, |given| sqrt(given[0]), ROOT_SCALE)), |args| {
        each(args, |given| sqrt(given[0]))
    });
pub(super) const EXP: Variant =
    variant(&[NUMERIC], Gives::Numeric(|shape| shown(shape, |given| exp(given[0]), POWER_SCALE)), |args| {
        each(args, |given| exp(given[0]))
    });
pub(super) const LN: Variant =
    variant(&[NUMERIC], Gives::Numeric(|shape| shown(shape, |given| ln(given[0]), POWER_SCALE)), |args| {
        each(args, |given| ln(given[0]))
    });
pub(super) const LOG10: Variant = variant(
    &[NUMERIC],
    Gives::Numeric(|shape| shown(shape, |given| log(TEN, given[0]), POWER_SCALE)),
    |args| each(args, |given| log(TEN, given[0])),
);
pub(super) const LOG: Variant = variant(
    &[NUMERIC, NUMERIC],
    Gives::Numeric(|shape| shown(shape, |given| log(given[0], given[1]), POWER_SCALE)),
    |args| each(args, |given| log(given[0], given[1])),
);
pub(super) const POWER: Variant = variant(&[NUMERIC, NUMERIC], Gives::Numeric(shown_power), |args| {
    each(args, |given| power(given[0], given[1]))
});

/// A value with its scale.
type Decimal = (i128, i8);

const TEN: Decimal = (10, 0);

/// Significant digits of what is computed on the way.
const WORKING_DIGITS: usize = 64;

/// The least number of significant digits of a result.
const SIGNIFICANT: i32 = 16;

/// The precision and scale of a result: exactly what a constant has, or a scale that says how many decimals are shown.
fn shown(shape: &Shape, compute: impl Fn(&[Decimal]) -> Result<Decimal>, scale: i8) -> (u8, i8) {
    let constants = (0..shape.len()).map(|position| shape.decimal(position)).collect::<Option<Vec<_>>>();
    match constants.map(|constants| compute(&constants)) {
        Some(Ok((value, scale))) => {
            let digits = value.unsigned_abs().checked_ilog10().map_or(1, |digits| digits as u8 + 1);
            (digits.max(scale.unsigned_abs() + 1).min(WIDEST_NUMERIC), scale)
        }
        _ => (WIDEST_NUMERIC, scale),
    }
}

/// Whole powers have the scale of a value, whatever its magnitude.
fn shown_power(shape: &Shape) -> (u8, i8) {
    let whole = shape.decimal(1).is_some_and(|by| whole(by).is_some());
    match shown(shape, |given| power(given[0], given[1]), POWER_SCALE) {
        (WIDEST_NUMERIC, POWER_SCALE) if whole => {
            (WIDEST_NUMERIC - 1, shape.numeric(0).1.max(SIGNIFICANT as i8))
        }
        shown => shown,
    }
}

fn each(args: &Args<'_>, compute: impl Fn(&[Decimal]) -> Result<Decimal>) -> Result<ArrayRef> {
    let DataType::Decimal128(precision, scale) = *args.result else {
        return Err(SqlError::internal("the result is numeric"));
    };
    let columns = (0..args.len()).map(|position| args.values::<Decimal128Type>(position));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let mut given = Vec::with_capacity(columns.len());
    let value = |row| {
        given.clear();
        let values = columns.iter().enumerate();
        given.extend(values.map_while(|(at, column)| Some((column.get(row)?, args.scale(at)))));
        if given.len() < columns.len() {
            return Ok(None);
        }
        let (value, computed) = compute(&given)?;
        let value = match computed <= scale {
            true => 10_i128.checked_pow((scale - computed) as u32).and_then(|unit| value.checked_mul(unit)),
            false => Some(super::decimal::divide_rounding(value, 10_i128.pow((computed - scale) as u32))),
        };
        let most = 10_u128.pow(u32::from(precision));
        value.filter(|value| value.unsigned_abs() < most).map(Some).ok_or_else(overflow)
    };
    let values = (0..args.rows).map(value).collect::<Result<Decimal128Array>>()?;
    let values = values.with_precision_and_scale(precision, scale);
    Ok(Arc::new(values.map_err(|error| springtide_plan::arrow_error(&error))?))
}

fn overflow() -> SqlError {
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

fn argument_error(state: &str, message: &str) -> SqlError {
    SqlError::new(SqlState::from_code(state), message)
}

fn exact((value, scale): Decimal) -> DBig {
    (DBig::from(value).with_precision(WORKING_DIGITS).value()) >> isize::from(scale)
}

fn near((value, scale): Decimal) -> f64 {
    value as f64 / 10_f64.powi(i32::from(scale))
}

/// The number rounded to so many decimals, or to as many as there is room for.
fn rounded(number: &DBig, decimals: i32) -> Result<Decimal> {
    let whole = number.to_f64().value().abs().log10().floor().max(0.0);
    if whole >= f64::from(WIDEST_NUMERIC) {
        return Err(overflow());
    }
    let room = i32::from(WIDEST_NUMERIC) - 1 - whole as i32;
    let scale = decimals.clamp(0, room.max(0));
    let shifted = (number.clone() << scale as isize).to_int().value();
    let value = i128::try_from(shifted).map_err(|_| overflow())?;
    Ok((value, scale as i8))
}

/// The exponent of the first digit.
fn exponent((value, scale): Decimal) -> i32 {
    value.unsigned_abs().checked_ilog10().map_or(0, |digits| digits as i32 - i32::from(scale))
}

fn sqrt(given: Decimal) -> Result<Decimal> {
    if given.0 < 0 {
        return Err(argument_error("2201F", "cannot take square root of a negative number"));
    }
    let decimals = SIGNIFICANT - 1 - 2 * exponent(given).div_euclid(4);
    let decimals = decimals.max(i32::from(given.1));
    if given.0 == 0 { Ok((0, decimals.max(0) as i8)) } else { rounded(&exact(given).sqrt(), decimals) }
}

fn exp(given: Decimal) -> Result<Decimal> {
    let weight = near(given) * std::f64::consts::LOG10_E;
    if weight >= f64::from(WIDEST_NUMERIC) {
        return Err(overflow());
    }
    let decimals = (SIGNIFICANT - weight as i32).max(i32::from(given.1));
    // Nothing is left of it in so many digits.
    if weight < -60.0 {
        return Ok((0, decimals.min(37) as i8));
    }
    rounded(&exact(given).exp(), decimals)
}

fn check_logarithm(given: Decimal) -> Result<()> {
    match given.0 {
        0 => Err(argument_error("2201E", "cannot take logarithm of zero")),
        ..0 => Err(argument_error("2201E", "cannot take logarithm of a negative number")),
        _ => Ok(()),
    }
}

/// The exponent of the first digit of the logarithm.
fn logarithm_weight(given: Decimal) -> i32 {
    let near_one = (0.9..=1.1).contains(&near(given));
    match near_one {
        true => match 10_i128.checked_pow(given.1.max(0) as u32).map(|one| given.0 - one) {
            Some(difference) if difference != 0 => exponent((difference, given.1)),
            _ => 0,
        },
        false => exact(given).ln().to_f64().value().abs().log10() as i32,
    }
}

fn ln(given: Decimal) -> Result<Decimal> {
    check_logarithm(given)?;
    let decimals = (SIGNIFICANT - logarithm_weight(given)).max(i32::from(given.1));
    rounded(&exact(given).ln(), decimals)
}

fn log(base: Decimal, given: Decimal) -> Result<Decimal> {
    check_logarithm(base)?;
    check_logarithm(given)?;
    let weight = logarithm_weight(given) - logarithm_weight(base);
    let decimals = (SIGNIFICANT - weight).max(i32::from(base.1)).max(i32::from(given.1));
    let divisor = exact(base).ln();
    if divisor == DBig::ZERO {
        return Err(SqlError::new(SqlState::DIVISION_BY_ZERO, "division by zero"));
    }
    rounded(&(exact(given).ln() / divisor), decimals)
}

/// The integer that a decimal is.
fn whole((value, scale): Decimal) -> Option<i128> {
    let unit = 10_i128.checked_pow(scale.max(0).unsigned_abs().into())?;
    (value % unit == 0).then(|| value / unit)
}

fn power(base: Decimal, by: Decimal) -> Result<Decimal> {
    let (whole, scales) = (whole(by), i32::from(base.1.max(by.1)));
    if base.0 == 0 && by.0 < 0 {
        return Err(argument_error("2201F", "zero raised to a negative power is undefined"));
    }
    if base.0 < 0 && whole.is_none() {
        let message = "a negative number raised to a non-integer power yields a complex result";
        return Err(argument_error("2201F", message));
    }
    if by.0 == 0 {
        return rounded(&DBig::ONE, SIGNIFICANT);
    }
    if base.0 == 0 {
        return Ok((0, SIGNIFICANT.max(scales) as i8));
    }
    let weight = near(by) * near((base.0.abs(), base.1)).log10();
    if weight >= f64::from(WIDEST_NUMERIC) {
        return Err(overflow());
    }
    let decimals = match whole {
        Some(_) => SIGNIFICANT.max(base.1.into()),
        None => (SIGNIFICANT - weight.max(-1000.0) as i32).max(scales),
    };
    if weight < -60.0 {
        return Ok((0, decimals.min(37) as i8));
    }
    let magnitude = match whole {
        Some(whole) if whole.unsigned_abs() <= 1 << 20 => exact((base.0.abs(), base.1)).powi(whole.into()),
        _ => exact((base.0.abs(), base.1)).powf(&exact(by)),
    };
    let (value, scale) = rounded(&magnitude, decimals)?;
    let negative = base.0 < 0 && whole.is_some_and(|whole| whole % 2 != 0);
    Ok((if negative { -value } else { value }, scale))
}
