//! Sums of floats that are exact until they are read, so that retractions undo insertions to the last bit
//! and neither order nor the number of workers shows.

use springtide_types::{Result, SqlError, SqlState};

/// Position of the binary point: the least positive `f64` is 2^−1074.
const MANTISSA_BITS: u32 = 52;
const LIMB_BITS: usize = 64;

/// An exact sum of weighted `f64`s.
///
/// A finite `f64` is an integer multiple of 2^−1074, so the sum is one big integer: 64-bit limbs, least
/// first, in two's complement, of which only the window that was ever touched is stored. O(1) per
/// addition. Source: Kulisch, *Computer Arithmetic and Validity*, 2008, on long accumulators.
#[derive(Clone, Debug, Default)]
pub struct ExactSum {
    /// The topmost limb is nothing but sign: 0 or all ones.
    limbs: Vec<u64>,
    /// Weight of the least stored limb: 2^(64·low − 1074).
    low: u16,
    special: Option<Box<Special>>,
}

/// Occurrences of values that no sum of integers can hold.
#[derive(Clone, Debug, Default)]
struct Special {
    nan: i64,
    infinity: i64,
    negative_infinity: i64,
}

impl ExactSum {
    /// The sum of nothing: zero.
    pub fn new() -> ExactSum {
        ExactSum::default()
    }

    /// Adds `value` `weight` times; a negative weight takes it away.
    pub fn add(&mut self, value: f64, weight: i64) {
        if !value.is_finite() {
            let special = self.special.get_or_insert_default();
            let count = if value.is_nan() {
                &mut special.nan
            } else if value > 0.0 {
                &mut special.infinity
            } else {
                &mut special.negative_infinity
            };
            *count += weight;
            return;
        }
        let bits = value.to_bits();
        let exponent = (bits >> MANTISSA_BITS) as usize & 0x7ff;
        let fraction = bits & ((1 << MANTISSA_BITS) - 1);
        let mantissa = if exponent == 0 { fraction } else { fraction | 1 << MANTISSA_BITS };
        let magnitude = i128::from(mantissa) * i128::from(weight);
        let addend = if value.is_sign_negative() { -magnitude } else { magnitude };
        self.add_shifted(addend, exponent.saturating_sub(1));
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &ExactSum) {
        for (position, limb) in other.limbs.iter().enumerate() {
            let is_sign = position + 1 == other.limbs.len();
            let addend = if is_sign { i128::from(*limb as i64) } else { i128::from(*limb) };
            self.add_shifted(addend, (usize::from(other.low) + position) * LIMB_BITS);
        }
        if let Some(theirs) = &other.special {
            let special = self.special.get_or_insert_default();
            special.nan += theirs.nan;
            special.infinity += theirs.infinity;
            special.negative_infinity += theirs.negative_infinity;
        }
    }

    /// Adds `addend` · 2^`shift`, in units of 2^−1074.
    fn add_shifted(&mut self, addend: i128, shift: usize) {
        if addend == 0 {
            return;
        }
        let (limb, bit) = (shift / LIMB_BITS, shift % LIMB_BITS);
        self.widen(limb);
        let sign = if addend < 0 { u64::MAX } else { 0 };
        let (least, most) = (addend as u128 as u64, (addend as u128 >> LIMB_BITS) as u64);
        // 128 bits shifted by less than a limb fill three limbs; the sign goes on above them.
        let spill =
            |low: u64, high: u64| if bit == 0 { high } else { high << bit | low >> (LIMB_BITS - bit) };
        let words = [least << bit, spill(least, most), spill(most, sign)];
        let mut carry = false;
        let start = limb - usize::from(self.low);
        for (position, limb) in self.limbs[start..].iter_mut().enumerate() {
            let (sum, over) = limb.overflowing_add(words.get(position).copied().unwrap_or(sign));
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            carry = over || over_again;
            *limb = sum;
        }
        let top = self.limbs[self.limbs.len() - 1];
        if top != 0 && top != u64::MAX {
            self.limbs.push(((top as i64) >> (LIMB_BITS - 1)) as u64);
        }
    }

    /// Makes room for three limbs from `limb`, and the sign above them.
    fn widen(&mut self, limb: usize) {
        if self.limbs.is_empty() {
            self.low = limb as u16;
        } else if limb < usize::from(self.low) {
            let missing = usize::from(self.low) - limb;
            self.limbs.splice(..0, std::iter::repeat_n(0, missing));
            self.low = limb as u16;
        }
        let sign = self.limbs.last().copied().unwrap_or(0);
        let needed = limb - usize::from(self.low) + 4;
        if self.limbs.len() < needed {
            self.limbs.resize(needed, sign);
        }
    }

    /// The sum, rounded once, to nearest, ties to even. Fails if it is out of range although every value
    /// is finite, as PostgreSQL does.
    pub fn value(&self) -> Result<f64> {
        if let Some(special) = &self.special {
            match (special.nan > 0, special.infinity > 0, special.negative_infinity > 0) {
                (false, false, false) => {}
                (false, true, false) => return Ok(f64::INFINITY),
                (false, false, true) => return Ok(f64::NEG_INFINITY),
                _ => return Ok(f64::NAN),
            }
        }
        let value = self.finite_value();
        if value.is_infinite() {
            return Err(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow"));
        }
        Ok(value)
    }

    fn finite_value(&self) -> f64 {
        let negative = self.limbs.last().is_some_and(|top| *top != 0);
        let magnitude = if negative { negate(&self.limbs) } else { self.limbs.clone() };
        let Some(top) = magnitude.iter().rposition(|limb| *limb != 0) else {
            return 0.0;
        };
        let offset = usize::from(self.low) * LIMB_BITS;
        let highest = offset + top * LIMB_BITS + magnitude[top].ilog2() as usize;
        let bit = |position: usize| position >= offset && get_bit(&magnitude, position - offset);
        // What is kept starts at bit `shift`: 53 bits, or fewer among the subnormals.
        let shift = highest.saturating_sub(MANTISSA_BITS as usize);
        let kept = (shift..=highest).rev().fold(0_u64, |kept, position| kept << 1 | u64::from(bit(position)));
        let half = shift > 0 && bit(shift - 1);
        let rest = half && any_below(&magnitude, (shift - 1).saturating_sub(offset));
        let round_up = half && (rest || kept & 1 == 1);
        // The implicit leading bit adds 1 to the exponent, and so does a carry out of the mantissa.
        let bits = ((shift as u64) << MANTISSA_BITS) + kept + u64::from(round_up);
        let value = f64::from_bits(bits.min(f64::INFINITY.to_bits()));
        if negative { -value } else { value }
    }

    /// Appends the bytes of the sum: the counts of NaN, of infinity and of negative infinity, the weight of the least
    /// limb, the limbs; each least byte first.
    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        let special = self.special.as_deref().cloned().unwrap_or_default();
        for count in [special.nan, special.infinity, special.negative_infinity] {
            bytes.extend(count.to_le_bytes());
        }
        bytes.extend(u64::from(self.low).to_le_bytes());
        self.limbs.iter().for_each(|limb| bytes.extend(limb.to_le_bytes()));
    }

    /// The sum of these bytes; `None` if they are none.
    pub(crate) fn decode(bytes: &[u8]) -> Option<ExactSum> {
        let (words, rest) = bytes.as_chunks();
        let words = words.iter().map(|word| u64::from_le_bytes(*word)).collect::<Vec<_>>();
        let ([nan, infinity, negative_infinity, low], limbs) = words.split_first_chunk()?;
        let counts = [*nan as i64, *infinity as i64, *negative_infinity as i64];
        let [nan, infinity, negative_infinity] = counts;
        let special = (counts != [0; 3]).then(|| Box::new(Special { nan, infinity, negative_infinity }));
        rest.is_empty().then_some(ExactSum { limbs: limbs.to_vec(), low: u16::try_from(*low).ok()?, special })
    }

    /// Bytes held outside of this value itself.
    pub fn heap_bytes(&self) -> usize {
        self.limbs.capacity() * 8 + self.special.as_ref().map_or(0, |_| size_of::<Special>())
    }
}

fn negate(limbs: &[u64]) -> Vec<u64> {
    let mut carry = true;
    let negated = limbs.iter().map(|limb| {
        let (sum, over) = (!limb).overflowing_add(u64::from(carry));
        carry = over;
        sum
    });
    negated.collect()
}

fn get_bit(limbs: &[u64], position: usize) -> bool {
    limbs.get(position / LIMB_BITS).is_some_and(|limb| limb >> (position % LIMB_BITS) & 1 == 1)
}

/// Whether any bit below `position` is set.
fn any_below(limbs: &[u64], position: usize) -> bool {
    let (limb, bit) = (position / LIMB_BITS, position % LIMB_BITS);
    limbs[..limb].iter().any(|limb| *limb != 0)
        || limbs.get(limb).is_some_and(|limb| limb & ((1_u64 << bit) - 1) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[f64]) -> ExactSum {
        let mut sum = ExactSum::new();
        values.iter().for_each(|value| sum.add(*value, 1));
        sum
    }

    #[track_caller]
    fn check(values: &[f64], expect: f64) {
        let found = sum(values).value().unwrap();
        assert_eq!(found.to_bits(), expect.to_bits(), "{values:?}: {found} is not {expect}");
    }

    #[test]
    fn is_exact_where_floats_are_not() {
        check(&[1e308, -1e308, 1.0], 1.0);
        check(&[1.0, 1e100, 1.0, -1e100], 2.0);
        check(&[0.1, 0.2, -0.3], 2.0_f64.powi(-55));
        check(&[f64::MAX, f64::MAX, -f64::MAX], f64::MAX);
        check(&[], 0.0);
        check(&[-0.0], 0.0);
    }

    #[test]
    fn subnormals_add_exactly() {
        let least = f64::from_bits(1);
        check(&[least], least);
        check(&[least, least, least], f64::from_bits(3));
        check(&[f64::MIN_POSITIVE, -least], f64::from_bits((1 << 52) - 1));
        check(&[-least, 1.0, -1.0], -least);
        check(&[f64::from_bits((1 << 52) - 1), least], f64::MIN_POSITIVE);
    }

    #[test]
    fn rounds_to_nearest_ties_to_even() {
        let ulp = f64::EPSILON;
        check(&[1.0, ulp / 2.0], 1.0);
        check(&[1.0 + ulp, ulp / 2.0], 1.0 + 2.0 * ulp);
        check(&[1.0, ulp / 2.0, f64::from_bits(1)], 1.0 + ulp);
        check(&[2.0 - ulp, ulp / 2.0], 2.0);
        check(&[-1.0, -ulp / 2.0, -f64::from_bits(1)], -1.0 - ulp);
    }

    #[test]
    fn overflow_is_an_error_only_while_it_lasts() {
        let mut found = sum(&[f64::MAX, f64::MAX]);
        assert_eq!(found.value().unwrap_err().sqlstate, SqlState::NUMERIC_VALUE_OUT_OF_RANGE);
        found.add(f64::MAX, -1);
        assert_eq!(found.value().unwrap(), f64::MAX);
    }

    #[test]
    fn infinities_and_nan_can_be_retracted() {
        let mut found = sum(&[1.0, f64::INFINITY]);
        assert_eq!(found.value().unwrap(), f64::INFINITY);
        found.add(f64::NEG_INFINITY, 1);
        assert!(found.value().unwrap().is_nan());
        found.add(f64::INFINITY, -1);
        assert_eq!(found.value().unwrap(), f64::NEG_INFINITY);
        found.add(f64::NAN, 2);
        found.add(f64::NEG_INFINITY, -1);
        assert!(found.value().unwrap().is_nan());
        found.add(f64::NAN, -2);
        assert_eq!(found.value().unwrap(), 1.0);
    }

    /// Values of a few binades, where the exact sum fits an `i128` in units of 2^−60.
    #[test]
    fn agrees_with_big_integers() {
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..20_000 {
            let mut exact = 0_i128;
            let mut found = ExactSum::new();
            for _ in 0..random.usize(1..6) {
                let units = random.i64(-(1 << 53)..1 << 53);
                let scale = random.u32(0..60);
                let weight = random.i64(-3..4);
                found.add(units as f64 * 2_f64.powi(scale as i32 - 60), weight);
                exact += (i128::from(units) << scale) * i128::from(weight);
            }
            // Rust converts i128 to f64 rounding to nearest, ties to even.
            let expect = exact as f64 * 2_f64.powi(-60);
            assert_eq!(found.value().unwrap(), expect, "seed {seed}");
        }
    }

    #[test]
    fn order_and_grouping_do_not_show() {
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..500 {
            let finite = |random: &mut fastrand::Rng| loop {
                let value = f64::from_bits(random.u64(..));
                if value.is_finite() && value.abs() < 1e300 {
                    return value;
                }
            };
            let mut values = (0..random.usize(1..40)).map(|_| finite(&mut random)).collect::<Vec<_>>();
            let expect = sum(&values).value().unwrap();
            random.shuffle(&mut values);
            check(&values, expect);
            let (left, right) = values.split_at(random.usize(..values.len()));
            let mut merged = sum(left);
            merged.merge(&sum(right));
            assert_eq!(merged.value().unwrap(), expect, "seed {seed}");
            let extra = finite(&mut random);
            merged.add(extra, 7);
            merged.add(extra, -7);
            assert_eq!(merged.value().unwrap(), expect, "seed {seed}");
        }
    }
}
