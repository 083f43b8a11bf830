//! Functions of floats that fail where PostgreSQL's fail: outside their domain, and where a result is too large or too small.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Float32Array, Float64Array, Int32Array};
use arrow::datatypes::{Float32Type, Float64Type, Int32Type};
use datafusion::logical_expr::ScalarUDF;
use springtide_types::SqlType::{Bytea, Float4, Float8, Int4};
use springtide_types::{Result, SqlError, SqlState};

use super::degrees;
use super::numeric::{self, bucket_error};
use super::numeric_power as power_of;
use super::typed::{Args, Gives, Typed, Values, Variant, variant};

const FLOAT: Gives = Gives::One(Float8);

/// A function of one float.
macro_rules! of_one {
    ($function:expr) => {
        variant(&[Float8], FLOAT, |args| each(args, $function))
    };
}

/// A function of two floats.
macro_rules! of_two {
    ($function:expr) => {
        variant(&[Float8, Float8], FLOAT, |args| each_pair(args, $function))
    };
}

const ROUND: &[Variant] = &[of_one!(|x| Ok(x.round_ties_even())), numeric::ROUND_WHOLE, numeric::ROUND_TO];
const TRUNC: &[Variant] = &[of_one!(|x| Ok(x.trunc())), numeric::TRUNC_WHOLE, numeric::TRUNC_TO];
const CEIL: &[Variant] = &[of_one!(|x| Ok(x.ceil())), numeric::CEIL];
const FLOOR: &[Variant] = &[of_one!(|x| Ok(x.floor())), numeric::FLOOR];
const SIGN: &[Variant] = &[of_one!(|x| Ok(sign(x))), numeric::SIGN];
const SQRT: &[Variant] = &[of_one!(sqrt), power_of::SQRT];
const CBRT: &[Variant] = &[of_one!(|x| Ok(libm::cbrt(x)))];
const EXP: &[Variant] = &[of_one!(exp), power_of::EXP];
const LN: &[Variant] = &[of_one!(|x| logarithm(x, f64::ln)), power_of::LN];
const LOG10: &[Variant] = &[of_one!(|x| logarithm(x, f64::log10)), power_of::LOG10];
const LOG: &[Variant] = &[of_one!(|x| logarithm(x, f64::log10)), power_of::LOG10, power_of::LOG];
const POWER: &[Variant] = &[of_two!(power), power_of::POWER];
const SIN: &[Variant] = &[of_one!(|x| finite(x).map(f64::sin))];
const COS: &[Variant] = &[of_one!(|x| finite(x).map(f64::cos))];
const TAN: &[Variant] = &[of_one!(|x| finite(x).map(f64::tan))];
const COT: &[Variant] = &[of_one!(|x| finite(x).map(|x| 1.0 / x.tan()))];
const ASIN: &[Variant] = &[of_one!(|x| within(x, -1.0, 1.0).map(f64::asin))];
const ACOS: &[Variant] = &[of_one!(|x| within(x, -1.0, 1.0).map(f64::acos))];
const ATAN: &[Variant] = &[of_one!(|x| Ok(x.atan()))];
const ATAN2: &[Variant] = &[of_two!(|y, x| Ok(y.atan2(x)))];
const SINH: &[Variant] = &[of_one!(|x| Ok(x.sinh()))];
const COSH: &[Variant] = &[of_one!(|x| Ok(x.cosh()))];
const TANH: &[Variant] = &[of_one!(|x| Ok(x.tanh()))];
const ASINH: &[Variant] = &[of_one!(|x| Ok(libm::asinh(x)))];
const ACOSH: &[Variant] = &[of_one!(|x| within(x, 1.0, f64::INFINITY).map(libm::acosh))];
const ATANH: &[Variant] = &[of_one!(|x| within(x, -1.0, 1.0).map(libm::atanh))];
const DEGREES: &[Variant] = &[of_one!(|x| checked(x / RADIANS_PER_DEGREE, x))];
const RADIANS: &[Variant] = &[of_one!(|x| Ok(x * RADIANS_PER_DEGREE))];
const SIND: &[Variant] = &[of_one!(|x| finite(x).map(degrees::sin))];
const COSD: &[Variant] = &[of_one!(|x| finite(x).map(degrees::cos))];
const TAND: &[Variant] = &[of_one!(|x| finite(x).map(degrees::tan))];
const COTD: &[Variant] = &[of_one!(|x| finite(x).map(degrees::cot))];
const ASIND: &[Variant] = &[of_one!(|x| within(x, -1.0, 1.0).map(degrees::asin))];
const ACOSD: &[Variant] = &[of_one!(|x| within(x, -1.0, 1.0).map(degrees::acos))];
const ATAND: &[Variant] = &[of_one!(|x| Ok(degrees::atan(x)))];
const ATAN2D: &[Variant] = &[of_two!(|y, x| Ok(degrees::atan2(y, x)))];
const ERF: &[Variant] = &[of_one!(|x| Ok(libm::erf(x)))];
const ERFC: &[Variant] = &[of_one!(|x| Ok(libm::erfc(x)))];
const GAMMA: &[Variant] = &[of_one!(gamma)];
const LGAMMA: &[Variant] = &[of_one!(|x| checked(libm::lgamma(x), x))];
const FLOAT4SEND: &[Variant] = &[variant(&[Float4], Gives::One(Bytea), |args| {
    let values = args.values::<Float32Type>(0)?;
    let bytes = (0..args.rows).map(|row| values.get(row).map(f32::to_be_bytes));
    Ok(Arc::new(bytes.collect::<BinaryArray>()))
})];
const FLOAT8SEND: &[Variant] = &[variant(&[Float8], Gives::One(Bytea), |args| {
    let values = args.values::<Float64Type>(0)?;
    let bytes = (0..args.rows).map(|row| values.get(row).map(f64::to_be_bytes));
    Ok(Arc::new(bytes.collect::<BinaryArray>()))
})];
pub(super) const WIDTH_BUCKET: Variant =
    variant(&[Float8, Float8, Float8, Int4], Gives::One(Int4), width_bucket);
pub(super) const ABS_DOUBLE: Variant = of_one!(|x| Ok(x.abs()));
pub(super) const ABS_SINGLE: Variant = variant(&[Float4], Gives::One(Float4), |args| {
    let values = args.values::<Float32Type>(0)?;
    let values = (0..args.rows).map(|row| values.get(row).map(f32::abs));
    Ok(Arc::new(values.collect::<Float32Array>()))
});

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let all = [
        ("round", ROUND),
        ("trunc", TRUNC),
        ("ceil", CEIL),
        ("ceiling", CEIL),
        ("floor", FLOOR),
        ("sign", SIGN),
        ("sqrt", SQRT),
        ("cbrt", CBRT),
        ("exp", EXP),
        ("ln", LN),
        ("log10", LOG10),
        ("log", LOG),
        ("power", POWER),
        ("pow", POWER),
        ("sin", SIN),
        ("cos", COS),
        ("tan", TAN),
        ("cot", COT),
        ("asin", ASIN),
        ("acos", ACOS),
        ("atan", ATAN),
        ("atan2", ATAN2),
        ("sinh", SINH),
        ("cosh", COSH),
        ("tanh", TANH),
        ("asinh", ASINH),
        ("acosh", ACOSH),
        ("atanh", ATANH),
        ("degrees", DEGREES),
        ("radians", RADIANS),
        ("sind", SIND),
        ("cosd", COSD),
        ("tand", TAND),
        ("cotd", COTD),
        ("asind", ASIND),
        ("acosd", ACOSD),
        ("atand", ATAND),
        ("atan2d", ATAN2D),
        ("erf", ERF),
        ("erfc", ERFC),
        ("gamma", GAMMA),
        ("lgamma", LGAMMA),
        ("float4send", FLOAT4SEND),
        ("float8send", FLOAT8SEND),
    ];
    all.into_iter().map(|(name, variants)| Typed::udf(name, variants)).collect()
}

/// The function that `^` is.
pub(crate) fn power_function() -> Arc<ScalarUDF> {
    Typed::udf("power", POWER)
}

const RADIANS_PER_DEGREE: f64 = 0.017_453_292_519_943_295;

fn each(args: &Args<'_>, function: impl Fn(f64) -> Result<f64>) -> Result<ArrayRef> {
    Ok(match args.values::<Float64Type>(0)? {
        Values::Constant(value) => {
            let value = value.map(function).transpose()?;
            Arc::new(Float64Array::from(vec![value; args.rows]))
        }
        Values::Column(column) => Arc::new(column.try_unary::<_, Float64Type, SqlError>(function)?),
    })
}

fn each_pair(args: &Args<'_>, function: impl Fn(f64, f64) -> Result<f64>) -> Result<ArrayRef> {
    let (left, right) = (args.values::<Float64Type>(0)?, args.values::<Float64Type>(1)?);
    let value = |row| match (left.get(row), right.get(row)) {
        (Some(left), Some(right)) => function(left, right).map(Some),
        _ => Ok(None),
    };
    Ok(Arc::new((0..args.rows).map(value).collect::<Result<Float64Array>>()?))
}

fn out_of_range(what: &str) -> SqlError {
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, what)
}

fn overflow() -> SqlError {
    out_of_range("value out of range: overflow")
}

fn underflow() -> SqlError {
    out_of_range("value out of range: underflow")
}

/// The result, unless it is infinite where the argument is not.
fn checked(result: f64, given: f64) -> Result<f64> {
    if result.is_infinite() && given.is_finite() { Err(overflow()) } else { Ok(result) }
}

/// A number that has an angle's functions.
fn finite(x: f64) -> Result<f64> {
    if x.is_infinite() { Err(out_of_range("input is out of range")) } else { Ok(x) }
}

fn within(x: f64, low: f64, high: f64) -> Result<f64> {
    if x < low || x > high { Err(out_of_range("input is out of range")) } else { Ok(x) }
}

fn sign(x: f64) -> f64 {
    match x {
        x if x > 0.0 => 1.0,
        x if x < 0.0 => -1.0,
        x if x.is_nan() => x,
        _ => 0.0,
    }
}

fn sqrt(x: f64) -> Result<f64> {
    if x < 0.0 {
        let message = "cannot take square root of a negative number";
        return Err(SqlError::new(SqlState::from_code("2201F"), message));
    }
    Ok(x.sqrt())
}

fn exp(x: f64) -> Result<f64> {
    match x.exp() {
        result if result.is_infinite() && x.is_finite() => Err(overflow()),
        0.0 if x.is_finite() => Err(underflow()),
        result => Ok(result),
    }
}

fn logarithm(x: f64, function: fn(f64) -> f64) -> Result<f64> {
    let refuse = |message: &str| Err(SqlError::new(SqlState::from_code("2201E"), message));
    match x {
        0.0 => refuse("cannot take logarithm of zero"),
        x if x < 0.0 => refuse("cannot take logarithm of a negative number"),
        x => Ok(function(x)),
    }
}

fn power(base: f64, by: f64) -> Result<f64> {
    let refuse = |message: &str| Err(SqlError::new(SqlState::from_code("2201F"), message));
    if base == 0.0 && by < 0.0 {
        return refuse("zero raised to a negative power is undefined");
    }
    if base < 0.0 && by.floor() != by {
        return refuse("a negative number raised to a non-integer power yields a complex result");
    }
    match base.powf(by) {
        result if !base.is_finite() || !by.is_finite() => Ok(result),
        result if result.is_infinite() => Err(overflow()),
        0.0 if base != 0.0 => Err(underflow()),
        result => Ok(result),
    }
}

fn gamma(x: f64) -> Result<f64> {
    if x == f64::NEG_INFINITY || (x == 0.0) || (x < 0.0 && x.fract() == 0.0) {
        return Err(overflow());
    }
    match libm::tgamma(x) {
        result if result.is_infinite() && x.is_finite() => Err(overflow()),
        0.0 => Err(underflow()),
        result => Ok(result),
    }
}

fn width_bucket(args: &Args<'_>) -> Result<ArrayRef> {
    let (values, lows) = (args.values::<Float64Type>(0)?, args.values::<Float64Type>(1)?);
    let (highs, counts) = (args.values::<Float64Type>(2)?, args.values::<Int32Type>(3)?);
    let bucket = |row| match (values.get(row), lows.get(row), highs.get(row), counts.get(row)) {
        (Some(value), Some(low), Some(high), Some(count)) => bucket(value, low, high, count).map(Some),
        _ => Ok(None),
    };
    Ok(Arc::new((0..args.rows).map(bucket).collect::<Result<Int32Array>>()?))
}

fn bucket(value: f64, low: f64, high: f64, count: i32) -> Result<i32> {
    if count <= 0 {
        return Err(bucket_error("count must be greater than zero"));
    }
    if value.is_nan() || low.is_nan() || high.is_nan() {
        return Err(bucket_error("operand, lower bound, and upper bound cannot be NaN"));
    }
    if low.is_infinite() || high.is_infinite() {
        return Err(bucket_error("lower and upper bounds must be finite"));
    }
    if low == high {
        return Err(bucket_error("lower bound cannot equal upper bound"));
    }
    let (before, past) = if low < high { (value < low, value >= high) } else { (value > low, value <= high) };
    if before {
        return Ok(0);
    }
    if past {
        return count.checked_add(1).ok_or_else(|| out_of_range("integer out of range"));
    }
    // Halves of them where their difference would be infinite.
    let share = match (high - low).is_finite() {
        true => (value - low) / (high - low),
        false => (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0),
    };
    // Rounding must not lead past the last bucket.
    Ok(((f64::from(count) * share) as i32).min(count - 1) + 1)
}
