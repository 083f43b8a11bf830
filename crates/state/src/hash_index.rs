//! From a 64-bit hash to the chain of rows that have it.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

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

    /// Makes room for rows whose hashes differ.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.heads.reserve(rows, |entry| entry.0);
        self.next.reserve(rows);
        if self.unlinks {
            self.previous.reserve(rows);
        }
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

    /// Appends a row and returns the row that was the newest of its hash, or [`END`].
    #[inline]
    pub(crate) fn push(&mut self, hash: u64) -> u32 {
        let row = self.next.len() as u32;
        let older = match self.heads.entry(hash, |entry| entry.0 == hash, |entry| entry.0) {
            Entry::Occupied(mut entry) => std::mem::replace(&mut entry.get_mut().1, row),
            Entry::Vacant(entry) => {
                entry.insert((hash, row));
                END
            }
        };
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
        self.next.reserve(hashes.len());
        for hash in hashes {
            self.push(*hash);
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
