//! Long decimal fractions compare after rounding: how many digits an `avg` prints is no matter of right or
//! wrong, but it is counted.

use std::cell::Cell;
use std::future::Future;

use sqllogictest::{Normalizer, default_normalizer, default_validator};

/// Fractions with at least this many digits are rounded.
const LONG_FRACTION: usize = 7;

tokio::task_local! {
    /// Whether the record at hand passed only because of rounding.
    static ROUNDED: Cell<bool>;
}

/// Runs a record; tells also whether it needed rounding.
pub(super) async fn observing<T>(record: impl Future<Output = T>) -> (T, bool) {
    ROUNDED
        .scope(Cell::new(false), async {
            let output = record.await;
            (output, ROUNDED.with(Cell::get))
        })
        .await
}

/// Accepts exactly equal rows, or rows equal after rounding, which it remembers for [`observing`].
pub(super) fn validate(_: Normalizer, actual: &[Vec<String>], expected: &[String]) -> bool {
    if default_validator(default_normalizer, actual, expected) {
        return true;
    }
    let equal = default_validator(round, actual, expected);
    ROUNDED.with(|rounded| rounded.set(equal));
    equal
}

/// Rounds every long fraction of a value, or of a whole line of values, to six decimals.
fn round(text: &String) -> String {
    default_normalizer(text).split(' ').map(round_word).collect::<Vec<_>>().join(" ")
}

fn round_word(word: &str) -> String {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let long = word.strip_prefix('-').unwrap_or(word).split_once('.').is_some_and(|(whole, fraction)| {
        digits(whole) && digits(fraction) && fraction.len() >= LONG_FRACTION
    });
    match word.parse::<f64>() {
        Ok(value) if long => {
            let text = format!("{value:.6}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::round_word;

    #[test]
    fn rounds_long_fractions_only() {
        let cases = [
            ("2.5000000000000000", "2.5"),
            ("0.66666666666666666667", "0.666667"),
            ("-1.00000000", "-1"),
            ("1.500", "1.500"),
            ("1e+20", "1e+20"),
            ("2020-01-01", "2020-01-01"),
            ("0.33333333x", "0.33333333x"),
        ];
        for (word, rounded) in cases {
            assert_eq!(round_word(word), rounded);
        }
    }
}
