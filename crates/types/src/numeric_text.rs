//! How many decimals of a `numeric` are shown. PostgreSQL's values each have a scale of their own; an Arrow column has one for
//! all. What was declared, and sums and products of that, shows all decimals. Other columns have the widest precision, and
//! their scale says by which rule PostgreSQL chooses that of a value.

/// The precision of a column whose values show as many decimals as their own rule says.
pub const WIDEST_NUMERIC: u8 = 38;

/// From this scale on, a column of the widest precision follows a rule.
const FIRST_RULED: i8 = 10;

/// The scales of quotients. PostgreSQL gives them 16 significant digits at least, counted by groups of four.
pub const QUOTIENT_SCALES: [i8; 3] = [16, 19, 20];
/// The scale of square roots, which have 15 significant digits at least, counted by groups of two.
pub const ROOT_SCALE: i8 = 17;
/// The scale of exponentials, powers and logarithms, which have 16 significant digits at least.
pub const POWER_SCALE: i8 = 18;

/// How many decimals are shown of `value` × 10^−`scale` in a column of this precision and scale.
pub fn shown_scale(value: i128, precision: u8, scale: i8) -> usize {
    let all = usize::from(scale.max(0).unsigned_abs());
    if precision < WIDEST_NUMERIC || scale < FIRST_RULED {
        return all;
    }
    let exponent = || value.unsigned_abs().ilog10() as i32 - i32::from(scale);
    let rule = match scale {
        scale if QUOTIENT_SCALES.contains(&scale) => 16 - 4 * quotient_weight(value, scale),
        ROOT_SCALE if value == 0 => 15,
        ROOT_SCALE => 15 - 2 * exponent().div_euclid(2),
        POWER_SCALE if value == 0 => 16,
        POWER_SCALE if exponent() < 0 && !is_power_of_ten(value) => 15 - exponent(),
        POWER_SCALE => 16 - exponent(),
        _ => 0,
    };
    significant_decimals(value, all).max(rule.clamp(0, all as i32) as usize)
}

/// The decimals of `value` without zeros at the end.
pub fn significant_decimals(value: i128, scale: usize) -> usize {
    if value == 0 {
        return 0;
    }
    let (mut value, mut shown) = (value, scale);
    while shown > 0 && value % 10 == 0 {
        value /= 10;
        shown -= 1;
    }
    shown
}

/// The weight of the first group of four digits, or one less where the first groups of both operands were probably alike.
fn quotient_weight(value: i128, scale: i8) -> i32 {
    if value == 0 {
        return -1;
    }
    let exponent = value.unsigned_abs().ilog10() as i32 - i32::from(scale);
    let even = is_power_of_ten(value) && exponent % 4 == 0;
    exponent.div_euclid(4) - i32::from(even)
}

fn is_power_of_ten(value: i128) -> bool {
    let magnitude = value.unsigned_abs();
    10_u128.pow(magnitude.ilog10()) == magnitude
}

/// A `numeric` as PostgreSQL writes it, in a column of this precision and scale.
pub fn numeric_text(value: i128, precision: u8, scale: i8) -> String {
    let shown = shown_scale(value, precision, scale);
    let sign = if value < 0 { "-" } else { "" };
    let digits = value.unsigned_abs().to_string();
    let Ok(decimals) = usize::try_from(scale) else {
        let zeros = if value == 0 { 0 } else { usize::from(scale.unsigned_abs()) };
        return format!("{sign}{digits}{}", "0".repeat(zeros));
    };
    let digits = format!("{digits:0>width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    match &fraction[..shown] {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_as_postgres_shows_them() {
        for (value, precision, scale, text) in [
            (150, 10, 2, "1.50"),
            (0, 10, 2, "0.00"),
            (15_000_000_000, 38, 10, "1.5"),
            (-42, 38, -2, "-4200"),
            (25 * 10_i128.pow(19), 38, 20, "2.5000000000000000"),
            (33_333_333_333_333_333_333, 38, 20, "0.33333333333333333333"),
            (10_i128.pow(20), 38, 20, "1.00000000000000000000"),
            (0, 38, 20, "0.00000000000000000000"),
            (123_456 * 10_i128.pow(16), 38, 16, "123456.000000000000"),
            (141_421_356_237_309_500, 38, 17, "1.414213562373095"),
            (2_718_281_828_459_045_200, 38, 18, "2.7182818284590452"),
        ] {
            assert_eq!(numeric_text(value, precision, scale), text);
        }
    }
}
