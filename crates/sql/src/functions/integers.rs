//! Functions of integers, with PostgreSQL's range checks.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, PrimitiveArray, StringArray};
use arrow::datatypes::{ArrowPrimitiveType, Int16Type, Int32Type, Int64Type};
use datafusion::logical_expr::ScalarUDF;
use springtide_types::SqlType::{self, Bytea, Int2, Int4, Int8, Text};
use springtide_types::{Result, SqlError, SqlState};

use super::floats;
use super::numeric::{self, divisor};
use super::typed::{Args, Gives, Typed, Variant, variant};

const ABS: &[Variant] = &[
    variant(&[Int2], Gives::One(Int2), |args| abs::<Int16Type>(args, Int2)),
    variant(&[Int4], Gives::One(Int4), |args| abs::<Int32Type>(args, Int4)),
    variant(&[Int8], Gives::One(Int8), |args| abs::<Int64Type>(args, Int8)),
    floats::ABS_DOUBLE,
    floats::ABS_SINGLE,
    numeric::ABS,
];
const GCD: &[Variant] = &[
    variant(&[Int4, Int4], Gives::One(Int4), |args| pairs::<Int32Type>(args, Int4, gcd)),
    variant(&[Int8, Int8], Gives::One(Int8), |args| pairs::<Int64Type>(args, Int8, gcd)),
    numeric::GCD,
];
const LCM: &[Variant] = &[
    variant(&[Int4, Int4], Gives::One(Int4), |args| pairs::<Int32Type>(args, Int4, lcm)),
    variant(&[Int8, Int8], Gives::One(Int8), |args| pairs::<Int64Type>(args, Int8, lcm)),
    numeric::LCM,
];
const NOT: &[Variant] = &[
    variant(&[Int2], Gives::One(Int2), not::<Int16Type>),
    variant(&[Int4], Gives::One(Int4), not::<Int32Type>),
    variant(&[Int8], Gives::One(Int8), not::<Int64Type>),
];
const TO_BIN: &[Variant] = &[
    variant(&[Int4], Gives::One(Text), |args| texts::<Int32Type>(args, |n| format!("{:b}", n as u32))),
    variant(&[Int8], Gives::One(Text), |args| texts::<Int64Type>(args, |n| format!("{n:b}"))),
];
const TO_OCT: &[Variant] = &[
    variant(&[Int4], Gives::One(Text), |args| texts::<Int32Type>(args, |n| format!("{:o}", n as u32))),
    variant(&[Int8], Gives::One(Text), |args| texts::<Int64Type>(args, |n| format!("{n:o}"))),
];
const TO_HEX: &[Variant] = &[
    variant(&[Int4], Gives::One(Text), |args| texts::<Int32Type>(args, |n| format!("{:x}", n as u32))),
    variant(&[Int8], Gives::One(Text), |args| texts::<Int64Type>(args, |n| format!("{n:x}"))),
];
const INT2SEND: &[Variant] =
    &[variant(&[Int2], Gives::One(Bytea), |args| bytes::<Int16Type, 2>(args, |n| (n as i16).to_be_bytes()))];
const INT4SEND: &[Variant] =
    &[variant(&[Int4], Gives::One(Bytea), |args| bytes::<Int32Type, 4>(args, |n| (n as i32).to_be_bytes()))];
const INT8SEND: &[Variant] =
    &[variant(&[Int8], Gives::One(Bytea), |args| bytes::<Int64Type, 8>(args, i64::to_be_bytes))];

/// What `~` is called.
pub(crate) const BITWISE_NOT: &str = "bitwise not";

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        Typed::udf("abs", ABS),
        Typed::udf("gcd", GCD),
        Typed::udf("lcm", LCM),
        Typed::udf(BITWISE_NOT, NOT),
        Typed::udf("to_bin", TO_BIN),
        Typed::udf("to_oct", TO_OCT),
        Typed::udf("to_hex", TO_HEX),
        Typed::udf("int2send", INT2SEND),
        Typed::udf("int4send", INT4SEND),
        Typed::udf("int8send", INT8SEND),
    ]
}

fn out_of_range(sql_type: SqlType) -> SqlError {
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{sql_type} out of range"))
}

fn abs<T: ArrowPrimitiveType>(args: &Args<'_>, sql_type: SqlType) -> Result<ArrayRef>
where
    T::Native: Into<i64> + TryFrom<i128>,
{
    let values = args.values::<T>(0)?;
    let abs = |value: T::Native| {
        let wide: i64 = value.into();
        T::Native::try_from(i128::from(wide).abs()).map_err(|_| out_of_range(sql_type))
    };
    let values = (0..args.rows).map(|row| values.get(row).map(abs).transpose());
    Ok(Arc::new(values.collect::<Result<PrimitiveArray<T>>>()?))
}

fn pairs<T: ArrowPrimitiveType>(
    args: &Args<'_>,
    sql_type: SqlType,
    of: fn(u64, u64) -> u128,
) -> Result<ArrayRef>
where
    T::Native: Into<i64> + TryFrom<u128>,
{
    let (left, right) = (args.values::<T>(0)?, args.values::<T>(1)?);
    let value = |row| {
        let (Some(left), Some(right)) = (left.get(row), right.get(row)) else { return Ok(None) };
        let (left, right): (i64, i64) = (left.into(), right.into());
        let value = T::Native::try_from(of(left.unsigned_abs(), right.unsigned_abs()));
        value.map(Some).map_err(|_| out_of_range(sql_type))
    };
    Ok(Arc::new((0..args.rows).map(value).collect::<Result<PrimitiveArray<T>>>()?))
}

fn gcd(left: u64, right: u64) -> u128 {
    divisor(left.into(), right.into())
}

fn lcm(left: u64, right: u64) -> u128 {
    if left == 0 || right == 0 {
        return 0;
    }
    u128::from(left) / gcd(left, right) * u128::from(right)
}

fn not<T: ArrowPrimitiveType>(args: &Args<'_>) -> Result<ArrayRef>
where
    T::Native: std::ops::Not<Output = T::Native>,
{
    let values = args.values::<T>(0)?;
    let values = (0..args.rows).map(|row| values.get(row).map(|value| !value));
    Ok(Arc::new(values.collect::<PrimitiveArray<T>>()))
}

fn texts<T: ArrowPrimitiveType>(args: &Args<'_>, text: fn(i64) -> String) -> Result<ArrayRef>
where
    T::Native: Into<i64>,
{
    let values = args.values::<T>(0)?;
    let texts = (0..args.rows).map(|row| values.get(row).map(|value| text(value.into())));
    Ok(Arc::new(texts.collect::<StringArray>()))
}

fn bytes<T: ArrowPrimitiveType, const N: usize>(
    args: &Args<'_>,
    bytes: fn(i64) -> [u8; N],
) -> Result<ArrayRef>
where
    T::Native: Into<i64>,
{
    let values = args.values::<T>(0)?;
    let bytes = (0..args.rows).map(|row| values.get(row).map(|value| bytes(value.into())));
    Ok(Arc::new(bytes.collect::<BinaryArray>()))
}
