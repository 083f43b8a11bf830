//! The weights of stored rows.

use std::ops::Range;
use std::sync::LazyLock;

use arrow::array::Int64Array;
use arrow::buffer::ScalarBuffer;

use crate::store::count_odd;

/// A weight per row, which takes no space as long as each is 1: rows that only come, once each, are most of what a
/// database holds.
#[derive(Debug, Default)]
pub(crate) struct Weights {
    len: usize,
    /// The weights, once one of them is not 1.
    each: Option<Vec<i64>>,
}

impl Weights {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn bytes(&self) -> usize {
        self.each.as_ref().map_or(0, |each| 8 * each.capacity())
    }

    /// The weight of a row.
    #[inline]
    pub(crate) fn get(&self, row: u32) -> i64 {
        debug_assert!((row as usize) < self.len, "a row that is not there");
        self.each.as_ref().map_or(1, |each| each[row as usize])
    }

    /// The weights of some rows.
    pub(crate) fn of(&self, rows: Range<usize>) -> Vec<i64> {
        match &self.each {
            None => vec![1; rows.len()],
            Some(each) => each[rows].to_vec(),
        }
    }

    /// How many of some rows have a weight other than 1.
    pub(crate) fn odd(&self, rows: Range<usize>) -> u32 {
        self.each.as_ref().map_or(0, |each| count_odd(&each[rows]))
    }

    /// Appends weights.
    pub(crate) fn extend(&mut self, weights: &[i64]) {
        if self.each.is_none() && count_odd(weights) > 0 {
            self.each = Some(vec![1; self.len]);
        }
        if let Some(each) = &mut self.each {
            each.extend_from_slice(weights);
        }
        self.len += weights.len();
    }

    /// Changes the weight of a row, and returns what it was.
    pub(crate) fn set(&mut self, row: u32, weight: i64) -> i64 {
        let len = self.len;
        let each = self.each.get_or_insert_with(|| vec![1; len]);
        std::mem::replace(&mut each[row as usize], weight)
    }

    /// Drops the weights for whose rows `keep` is false.
    pub(crate) fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let Some(each) = &mut self.each else {
            self.len = (0..self.len).filter(|row| keep(*row)).count();
            return;
        };
        let mut row = 0;
        each.retain(|_| {
            row += 1;
            keep(row - 1)
        });
        self.len = each.len();
        if count_odd(each) == 0 {
            self.each = None;
        } else {
            each.shrink_to_fit();
        }
    }
}

/// Weights shared by every chunk whose rows are there once each.
static ONES: LazyLock<ScalarBuffer<i64>> = LazyLock::new(|| vec![1; 1 << 18].into());

/// So many weights of 1.
pub(crate) fn ones(length: usize) -> Int64Array {
    if length <= ONES.len() {
        Int64Array::new(ONES.slice(0, length), None)
    } else {
        Int64Array::from_value(1, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_one_take_no_space() {
        let mut weights = Weights::default();
        weights.extend(&[1, 1, 1]);
        assert_eq!((weights.bytes(), weights.get(2), weights.of(0..2)), (0, 1, vec![1, 1]));
        weights.extend(&[2, 1]);
        assert_eq!(weights.of(0..5), [1, 1, 1, 2, 1]);
        assert_eq!(weights.odd(1..5), 1);
        assert_eq!(weights.set(0, 0), 1);
        weights.retain(|row| row != 0 && row != 3);
        assert_eq!((weights.len(), weights.bytes(), weights.of(0..3)), (3, 0, vec![1, 1, 1]));
    }
}
