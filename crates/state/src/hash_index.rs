//! From a 64-bit hash to the chain of rows that have it.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::buckets::in_bucket_order;

/// So many rows at once are appended in the order of their places in the table.
const MANY: usize = 1 << 16;

/// Ends a chain.
pub(crate) const END: u32 = u32::MAX;

/// Chains of rows by hash, newest row first. A chain holds exactly the rows of one 64-bit hash; whether
/// their keys are equal is checked column by column by whoever walks it. O(1) per push and per unlink.
#[derive(Debug)]
pub(crate) struct HashIndex {
    heads: HashTable<(u64, u32)>,
    next: Vec<u32>,
    /// Empty if rows are never unlinked.
    previous: Vec<u32>,
    unlinks: bool,
}

impl HashIndex {
    pub(crate) fn new(unlinks: bool) -> HashIndex {
        HashIndex { heads: HashTable::new(), next: Vec::new(), previous: Vec::new(), unlinks }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.heads.allocation_size() + 4 * (self.next.capacity() + self.previous.capacity())
    }

    /// Number of rows ever pushed, and so the position of the next one.
    pub(crate) fn len(&self) -> usize {
        self.next.len()
    }

    /// The newest row of this hash, or [`END`].
    #[inline]
    pub(crate) fn head(&self, hash: u64) -> u32 {
        self.heads.find(hash, |entry| entry.0 == hash).map_or(END, |entry| entry.1)
    }

    /// The next older row of the same hash, or [`END`].
    #[inline]
    pub(crate) fn next(&self, row: u32) -> u32 {
        self.next[row as usize]
    }

    /// Makes a row the newest of its hash, and returns the one that was.
    #[inline]
    fn put_head(&mut self, hash: u64, row: u32) -> u32 {
        match self.heads.entry(hash, |entry| entry.0 == hash, |entry| entry.0) {
            Entry::Occupied(mut entry) => std::mem::replace(&mut entry.get_mut().1, row),
            Entry::Vacant(entry) => {
                entry.insert((hash, row));
                END
            }
        }
    }

    /// Appends a row and returns the row that was the newest of its hash, or [`END`].
    #[inline]
    pub(crate) fn push(&mut self, hash: u64) -> u32 {
        let row = self.next.len() as u32;
        let older = self.put_head(hash, row);
        self.next.push(older);
        if self.unlinks {
            self.previous.push(END);
            if older != END {
                self.previous[older as usize] = row;
            }
        }
        older
    }

    /// Appends one row per hash.
    pub(crate) fn push_all(&mut self, hashes: &[u64]) {
        if hashes.len() >= MANY && hashes.len() > self.heads.len() {
            return self.push_many(hashes);
        }
        self.next.reserve(hashes.len());
        for hash in hashes {
            self.push(*hash);
        }
    }

    /// Appends one row per hash, in the order of their places in the table: a look-up then finds in the cache what the one
    /// before it has fetched, where it would wait for memory otherwise. Rows of one hash keep their order.
    fn push_many(&mut self, hashes: &[u64]) {
        let first = self.next.len();
        self.next.resize(first + hashes.len(), END);
        if self.unlinks {
            self.previous.resize(first + hashes.len(), END);
        }
        self.heads.reserve(hashes.len(), |entry| entry.0);
        for (hash, place) in in_bucket_order(hashes, self.heads.capacity()) {
            let row = first as u32 + place;
            let older = self.put_head(hash, row);
            if older != END {
                self.next[row as usize] = older;
                if self.unlinks {
                    self.previous[older as usize] = row;
                }
            }
        }
        if self.heads.len() < self.heads.capacity() / 4 {
            self.heads.shrink_to_fit(|entry| entry.0);
        }
    }

    /// Appends a row that is in no chain.
    pub(crate) fn push_unlinked(&mut self) {
        self.next.push(END);
        self.previous.push(END);
    }

    /// Takes a row out of the chain of its hash.
    pub(crate) fn unlink(&mut self, hash: u64, row: u32) {
        debug_assert!(self.unlinks, "an index of append-only rows");
        let (older, newer) = (self.next[row as usize], self.previous[row as usize]);
        if older != END {
            self.previous[older as usize] = newer;
        }
        if newer != END {
            self.next[newer as usize] = older;
        } else if let Ok(mut entry) = self.heads.find_entry(hash, |entry| entry.0 == hash) {
            if older == END {
                entry.remove();
            } else {
                entry.get_mut().1 = older;
            }
        }
        self.next[row as usize] = END;
        self.previous[row as usize] = END;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(index: &HashIndex, hash: u64) -> Vec<u32> {
        let row = |row: u32| (row != END).then_some(row);
        std::iter::successors(row(index.head(hash)), |last| row(index.next(*last))).collect()
    }

    #[test]
    fn many_rows_make_the_same_chains_as_one_after_the_other() {
        let mut random = fastrand::Rng::with_seed(3);
        let distinct = (0..50_000).map(|_| random.u64(..)).collect::<Vec<_>>();
        let hashes = (0..200_000).map(|_| distinct[random.usize(..distinct.len())]).collect::<Vec<_>>();
        let (mut many, mut single) = (HashIndex::new(true), HashIndex::new(true));
        for index in [&mut many, &mut single] {
            index.push(distinct[7]);
        }
        many.push_all(&hashes);
        hashes.iter().for_each(|hash| _ = single.push(*hash));
        for index in [&mut many, &mut single] {
            index.unlink(hashes[100], 101);
        }
        assert_eq!(many.len(), single.len());
        for hash in &distinct {
            assert_eq!(chain(&many, *hash), chain(&single, *hash));
        }
    }
}
