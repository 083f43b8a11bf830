//! Floats as text: the shortest digits that read back as the same value.

use std::fmt::{LowerExp, Write};
use std::str::FromStr;

use bytes::{BufMut, BytesMut};

use super::text::Ascii;

/// `real`
pub(super) fn float4(value: f32, out: &mut BytesMut) {
    if let Some(name) = named(f64::from(value)) {
        return out.put_slice(name);
    }
    let may_touch = value.abs() >= 8_388_608.0 && value.to_bits() & 1 == 0;
    write_digits(value.is_sign_negative(), &shortest(value.abs(), may_touch), 6, out);
}

/// `double precision`
pub(super) fn float8(value: f64, out: &mut BytesMut) {
    if let Some(name) = named(value) {
        return out.put_slice(name);
    }
    let may_touch = (4_503_599_627_370_496.0..1e41).contains(&value.abs()) && value.to_bits() & 1 == 0;
    write_digits(value.is_sign_negative(), &shortest(value.abs(), may_touch), 15, out);
}

/// The values that have a name of their own.
fn named(value: f64) -> Option<&'static [u8]> {
    Some(match value {
        f64::INFINITY => b"Infinity",
        f64::NEG_INFINITY => b"-Infinity",
        0.0 if value.is_sign_negative() => b"-0",
        0.0 => b"0",
        _ if value.is_nan() => b"NaN",
        _ => return None,
    })
}

/// d₁.d₂d₃… × 10^exponent, without trailing zeros.
struct Decimal {
    digits: Ascii<24>,
    exponent: i32,
}

impl Decimal {
    /// Reads what `ryu` and `{:e}` write: digits with an optional point and exponent.
    fn read(text: &str) -> Decimal {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let leading = |text: &str| text.len() - text.trim_start_matches('0').len();
        let mut exponent =
            exponent.parse::<i32>().expect("an exponent is an integer") + whole.len() as i32 - 1;
        let mut digits = Ascii::default();
        if whole == "0" {
            exponent -= leading(fraction) as i32 + 1;
            digits.push(fraction.trim_matches('0'));
        } else if fraction.bytes().all(|digit| digit == b'0') {
            digits.push(whole.trim_end_matches('0'));
        } else {
            digits.push(whole);
            digits.push(fraction.trim_end_matches('0'));
        }
        Decimal { digits, exponent }
    }

    /// Whether it lies strictly between the midpoints to the neighbours of `value`: a little more and a little
    /// less still read as `value`.
    fn is_inside<F: FromStr + PartialEq>(&self, value: F) -> bool {
        let digits = self.digits.text();
        let below = digits.parse::<u64>().expect("17 digits") - 1;
        let exponent = self.exponent - digits.len() as i32 + 1 - 43;
        let reads_back = |text: String| text.parse::<F>().is_ok_and(|read| read == value);
        reads_back(format!("{digits}{:043}e{exponent}", 1))
            && reads_back(format!("{below}{:9<43}e{exponent}", ""))
    }
}

/// The shortest digits that read back as `value`, and of these the closest. Those that `ryu` finds may lie on
/// the very midpoint to a neighbour, which reads back because ties go to even values. PostgreSQL does not
/// count on the reader for that, and shows one digit more. It can only happen (`may_touch`) to even values
/// that are spaced 1 apart or more, and have no more decimal digits than the midpoint's 54 bits allow.
fn shortest<F>(value: F, may_touch: bool) -> Decimal
where
    F: ryu::Float + FromStr + PartialEq + LowerExp,
{
    let mut decimal = Decimal::read(ryu::Buffer::new().format_finite(value));
    let mut decimals = decimal.digits.bytes().len();
    while may_touch && !decimal.is_inside(value) {
        decimal = Decimal::read(&format!("{value:.decimals$e}"));
        decimals += 1;
    }
    decimal
}

/// With an exponent if it is below −4 or reaches `precision`, the digits that the type can be trusted with.
fn write_digits(negative: bool, decimal: &Decimal, precision: i32, out: &mut BytesMut) {
    if negative {
        out.put_u8(b'-');
    }
    let Decimal { digits, exponent } = decimal;
    let (digits, exponent) = (digits.bytes(), *exponent);
    if exponent < -4 || exponent >= precision {
        point(digits, 1, out);
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "e{sign}{:02}", exponent.abs()).expect("the buffer grows");
    } else if exponent < 0 {
        out.put_slice(b"0.");
        out.put_bytes(b'0', (-exponent - 1) as usize);
        out.put_slice(digits);
    } else {
        point(digits, exponent as usize + 1, out);
    }
}

/// The digits with a point after the first `whole`, if any follow.
fn point(digits: &[u8], whole: usize, out: &mut BytesMut) {
    let (before, after) = digits.split_at(whole.min(digits.len()));
    out.put_slice(before);
    out.put_bytes(b'0', whole - before.len());
    if !after.is_empty() {
        out.put_u8(b'.');
        out.put_slice(after);
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::tests::check;
    use super::*;

    #[test]
    fn float8_as_postgres() {
        check(include_str!("golden/float8.tsv"), |bits, out| {
            float8(f64::from_bits(u64::from_str_radix(bits, 16).unwrap()), out);
        });
    }

    #[test]
    fn float4_as_postgres() {
        check(include_str!("golden/float4.tsv"), |bits, out| {
            float4(f32::from_bits(u32::from_str_radix(bits, 16).unwrap()), out);
        });
    }
}
