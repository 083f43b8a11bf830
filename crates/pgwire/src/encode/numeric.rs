//! Decimals: one scale per Arrow column, where PostgreSQL has one per value.

use std::fmt::Write;

use bytes::{BufMut, BytesMut};

use springtide_types::shown_scale;

use super::text::Ascii;

/// The decimal digits of |`value`|, without leading zeros ("0" for zero).
fn digits(value: i128) -> Ascii<40> {
    let mut digits = Ascii::default();
    let magnitude = value.unsigned_abs();
    // Division of 64-bit integers is several times cheaper, and most values fit.
    match u64::try_from(magnitude) {
        Ok(small) => write!(digits, "{small}"),
        Err(_) => write!(digits, "{magnitude}"),
    }
    .expect("39 digits fit");
    digits
}

/// Text: sign, digits, and the shown decimals.
pub(super) fn write_text(value: i128, precision: u8, scale: i8, out: &mut BytesMut) {
    if value < 0 {
        out.put_u8(b'-');
    }
    let digits = digits(value);
    let digits = digits.bytes();
    if scale <= 0 {
        out.put_slice(digits);
        if value != 0 {
            out.put_bytes(b'0', usize::from(scale.unsigned_abs()));
        }
        return;
    }
    let (decimals, shown) = (scale as usize, shown_scale(value, precision, scale));
    let whole = digits.len().saturating_sub(decimals);
    if whole == 0 {
        out.put_u8(b'0');
    }
    out.put_slice(&digits[..whole]);
    if shown > 0 {
        out.put_u8(b'.');
        let zeros = shown.min(decimals.saturating_sub(digits.len()));
        out.put_bytes(b'0', zeros);
        out.put_slice(&digits[whole..whole + shown - zeros]);
    }
}

/// Binary: base-10000 digits with a weight, a sign and the shown scale.
pub(super) fn write_binary(value: i128, precision: u8, scale: i8, out: &mut BytesMut) {
    let shown = shown_scale(value, precision, scale);
    // Align the decimal point with a boundary between groups of four digits.
    let text = digits(value);
    let fraction = scale.max(0) as usize;
    let mut padded = Vec::with_capacity(80);
    let whole = text.bytes().len().saturating_sub(fraction);
    let appended = usize::from(scale.min(0).unsigned_abs());
    padded.resize((4 - (whole + appended) % 4) % 4, b'0');
    padded.extend_from_slice(&text.bytes()[..whole]);
    padded.resize(padded.len() + appended, b'0');
    let whole_groups = padded.len() / 4;
    padded.resize(padded.len() + fraction.saturating_sub(text.bytes().len()), b'0');
    padded.extend_from_slice(&text.bytes()[whole..]);
    padded.resize(padded.len().next_multiple_of(4), b'0');

    let groups = padded
        .chunks_exact(4)
        .map(|group| group.iter().fold(0_i16, |sum, digit| sum * 10 + i16::from(digit - b'0')))
        .collect::<Vec<_>>();
    let first = groups.iter().position(|group| *group != 0).unwrap_or(groups.len());
    let last = groups.iter().rposition(|group| *group != 0).map_or(first, |last| last + 1);
    let significant = &groups[first..last];
    let weight = if significant.is_empty() { 0 } else { whole_groups as i16 - first as i16 - 1 };

    out.put_i16(significant.len() as i16);
    out.put_i16(weight);
    out.put_u16(if value < 0 { 0x4000 } else { 0 });
    out.put_u16(shown as u16);
    for group in significant {
        out.put_i16(*group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: i128, scale: i8) -> String {
        let mut out = BytesMut::new();
        write_text(value, 38, scale, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn declared_scales_are_shown_in_full() {
        assert_eq!(text(12345, 2), "123.45");
        assert_eq!(text(-5, 2), "-0.05");
        assert_eq!(text(0, 2), "0.00");
        assert_eq!(text(100, 2), "1.00");
        assert_eq!(text(42, 0), "42");
        assert_eq!(text(-42, -3), "-42000");
        assert_eq!(text(0, -3), "0");
        assert_eq!(text(i128::from(u64::MAX) + 1, 3), "18446744073709551.616");
        assert_eq!(text(10_i128.pow(38) - 1, 9), "99999999999999999999999999999.999999999");
    }

    #[test]
    fn large_scales_are_trimmed() {
        assert_eq!(text(0, 10), "0");
        assert_eq!(text(25_000_000_000, 10), "2.5");
        assert_eq!(text(30_000_000_000, 10), "3");
        assert_eq!(text(-1, 10), "-0.0000000001");
        assert_eq!(text(100, 12), "0.0000000001");
        assert_eq!(text(-1_000_000_000_000, 10), "-100");
        assert_eq!(text(0, 17), "0.000000000000000");
    }

    #[test]
    fn binary_groups() {
        let binary = |value, scale| {
            let mut out = BytesMut::new();
            write_binary(value, 38, scale, &mut out);
            out.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect::<Vec<_>>()
        };
        // As `numeric_send` of PostgreSQL 15 gives them: ndigits, weight, sign, dscale, digits.
        assert_eq!(binary(0, 0), [0, 0, 0, 0]);
        assert_eq!(binary(0, 2), [0, 0, 0, 2]);
        assert_eq!(binary(12345, 2), [2, 0, 0, 2, 123, 4500]);
        assert_eq!(binary(-12345, 2), [2, 0, 0x4000, 2, 123, 4500]);
        assert_eq!(binary(100_000_000, 0), [1, 2, 0, 0, 1]);
        assert_eq!(binary(5, 5), [1, -2, 0, 5, 5000]);
        assert_eq!(binary(15_000_000_000, 10), [2, 0, 0, 1, 1, 5000]);
        assert_eq!(binary(7, -4), [1, 1, 0, 0, 7]);
        assert_eq!(binary(123_456_789, 0), [3, 2, 0, 0, 1, 2345, 6789]);
    }
}
