//! The order in which hash tables are gone through.

/// A table of fewer rows stays in the cache anyway.
const SMALL: usize = 1 << 14;
const GROUPS_LOG2: u32 = 8;
const GROUPS: usize = 1 << GROUPS_LOG2;

/// Hashes and their positions in an order in which those that are near each other in a table of `capacity` entries follow
/// each other, so that putting them in or looking them up goes through memory rather than about it. Equal hashes stay in
/// order. O(hashes).
pub fn in_bucket_order(hashes: &[u64], capacity: usize) -> Vec<(u64, u32)> {
    let positions = hashes.iter().copied().zip(0..);
    if capacity < SMALL {
        return positions.collect();
    }
    // What hashbrown makes of a hash. Were it something else, nothing but speed would be lost.
    let buckets = (capacity * 8 / 7).next_power_of_two();
    let shift = buckets.trailing_zeros() - GROUPS_LOG2;
    let group = |hash: u64| (hash as usize & (buckets - 1)) >> shift;
    let mut starts = [0_u32; GROUPS + 1];
    hashes.iter().for_each(|hash| starts[group(*hash) + 1] += 1);
    for next in 1..=GROUPS {
        starts[next] += starts[next - 1];
    }
    let mut ordered = vec![(0, 0); hashes.len()];
    for (hash, position) in positions {
        let place = &mut starts[group(hash)];
        ordered[*place as usize] = (hash, position);
        *place += 1;
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_every_position_once_and_equal_hashes_in_order() {
        let mut random = fastrand::Rng::with_seed(1);
        for (count, capacity) in [(0, 10), (100, 100), (50_000, 50_000), (1000, 100_000), (20_000, 16_384)] {
            let hashes = (0..count).map(|_| random.u64(..count / 3 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let hashes = hashes.collect::<Vec<_>>();
            let ordered = in_bucket_order(&hashes, capacity);
            let mut positions = ordered.iter().map(|entry| entry.1).collect::<Vec<_>>();
            positions.sort_unstable();
            assert!(positions.into_iter().eq(0..count as u32));
            let mut last = std::collections::HashMap::new();
            for (hash, position) in ordered {
                assert_eq!(hash, hashes[position as usize]);
                let before = last.insert(hash, position);
                assert!(before.is_none_or(|before| before < position));
            }
        }
    }
}
