//! Times in run-time parameters, with their units.

/// Milliseconds of each unit, the largest first.
const UNITS: [(&str, f64); 6] =
    [("d", 86_400_000.0), ("h", 3_600_000.0), ("min", 60_000.0), ("s", 1000.0), ("ms", 1.0), ("us", 0.001)];

/// The milliseconds of a number with a unit, or without one; `None` if that is not what it is.
pub(super) fn parse_milliseconds(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = (text[..digits].trim(), text[digits..].trim());
    let number = number.parse::<f64>().ok()?;
    let factor = match unit {
        "" => 1.0,
        unit => UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    Some((number * factor).round() as i64)
}

/// In the largest unit of which it is a multiple, as SHOW prints it.
pub(super) fn show_milliseconds(milliseconds: i64) -> String {
    let fits = |factor: f64| factor >= 1.0 && milliseconds % factor as i64 == 0;
    match UNITS.iter().find(|(_, factor)| milliseconds != 0 && fits(*factor)) {
        Some((unit, factor)) => format!("{}{unit}", milliseconds / *factor as i64),
        None => milliseconds.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_postgres() {
        let shown = |text| parse_milliseconds(text).map(show_milliseconds).unwrap_or_default();
        assert_eq!(
            ["0", "100", "1000", "90s", "1.5 min", "2h", "1d", "1500us", "0.5", "5 parsecs", "x"].map(shown),
            ["0", "100ms", "1s", "90s", "90s", "2h", "1d", "2ms", "1ms", "", ""]
        );
    }
}
