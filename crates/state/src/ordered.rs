use std::collections::BTreeMap;

/// A multiset of values per group, in order: what `min` and `max` need where values are retracted.
/// O(log n) per change and per question.
///
/// One tree serves all groups, so that a group of few values costs no allocation of its own.
#[derive(Clone, Debug)]
pub struct OrderedWeights<V> {
    weights: BTreeMap<(u32, V), i64>,
}

impl<V: Ord + Clone> OrderedWeights<V> {
    /// No values in any group.
    pub fn new() -> OrderedWeights<V> {
        OrderedWeights { weights: BTreeMap::new() }
    }

    /// Adds `weight` occurrences of a value to a group. Negative totals may occur meanwhile.
    pub fn add(&mut self, group: u32, value: V, weight: i64) {
        use std::collections::btree_map::Entry;
        match self.weights.entry((group, value)) {
            Entry::Occupied(mut entry) => {
                *entry.get_mut() += weight;
                if *entry.get() == 0 {
                    entry.remove();
                }
            }
            Entry::Vacant(entry) => {
                if weight != 0 {
                    entry.insert(weight);
                }
            }
        }
    }

    /// The least value of a group. `least` is a value that none is less than.
    pub fn first(&self, group: u32, least: V) -> Option<&V> {
        self.weights
            .range((group, least)..)
            .take_while(|((other, _), _)| *other == group)
            .find(|(_, weight)| **weight > 0)
            .map(|((_, value), _)| value)
    }

    /// The greatest value of a group. `least` is a value that none is less than.
    pub fn last(&self, group: u32, least: V) -> Option<&V> {
        self.weights
            .range((group, least.clone())..(group + 1, least))
            .rev()
            .find(|(_, weight)| **weight > 0)
            .map(|((_, value), _)| value)
    }

    /// The values of a group and their weights, in order. `least` is a value that none is less than.
    pub fn values_of(&self, group: u32, least: V) -> impl Iterator<Item = (&V, i64)> {
        let values = self.weights.range((group, least)..);
        values.take_while(move |((other, _), _)| *other == group).map(|((_, value), weight)| (value, *weight))
    }

    /// Number of (group, value) pairs held.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Bytes held, given how many a value holds outside of itself. O(n) unless that is constant.
    pub fn bytes(&self, heap_bytes: impl Fn(&V) -> usize) -> usize {
        // Nodes of a B-tree are about two thirds full.
        let entries = self.weights.len() * size_of::<((u32, V), i64)>() * 3 / 2;
        entries + self.weights.keys().map(|(_, value)| heap_bytes(value)).sum::<usize>()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }
}

impl<V: Ord + Clone> Default for OrderedWeights<V> {
    fn default() -> Self {
        OrderedWeights::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_groups_apart_and_order_within() {
        let mut ordered = OrderedWeights::new();
        for (group, value, weight) in [(1, 5, 1), (1, 3, 2), (1, 9, 1), (2, 1, 1), (0, 7, 1)] {
            ordered.add(group, value, weight);
        }
        assert_eq!((ordered.first(1, i64::MIN), ordered.last(1, i64::MIN)), (Some(&3), Some(&9)));
        ordered.add(1, 3, -1);
        assert_eq!(ordered.first(1, i64::MIN), Some(&3));
        ordered.add(1, 3, -1);
        ordered.add(1, 9, -1);
        assert_eq!((ordered.first(1, i64::MIN), ordered.last(1, i64::MIN)), (Some(&5), Some(&5)));
        ordered.add(1, 2, -1);
        assert_eq!(ordered.first(1, i64::MIN), Some(&5), "a negative weight is no value");
        assert_eq!(ordered.first(3, i64::MIN), None);
    }
}
