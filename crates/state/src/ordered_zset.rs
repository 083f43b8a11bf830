use std::cmp::Ordering;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::datatypes::{Schema, SchemaRef};
use smallvec::SmallVec;
use springtide_types::{Result, Rows, SortColumn, ZBatch};

use crate::frozen::thaw_delta;
use crate::indexed::MIN_COMPACTION;
use crate::key_table::KeyTable;
use crate::normalize::normalize_floats;
use crate::order::{compare_cells, sort_words};
use crate::store::{Access, Store};

/// A Z-set in groups, the rows of each in order: what top-k and window functions need.
///
/// Rows lie in columnar chunks; a group is a list of row positions. A row has a word that sorts it as the first
/// column of the order does, so that columns are only compared where words are equal. One change costs O(log group)
/// comparisons and the shift of O(group) 4-byte positions; a delta of many rows is sorted and merged in one pass. Of
/// rows that are never retracted only the first of each group are stored at all.
#[derive(Debug)]
pub struct OrderedZSet {
    store: Store,
    groups: KeyTable,
    group_columns: Vec<usize>,
    /// Of all columns, so that only equal rows tie.
    order: Vec<SortColumn>,
    words: Vec<u64>,
    /// Positions of the rows of each group, in order.
    lists: Vec<List>,
    /// Of rows that are never retracted, only so many are kept per group.
    keep: Option<Keep>,
}

type List = SmallVec<[u32; 4]>;

/// What is kept of each group where no row is retracted: its first rows, and with `ties` those that are equal to the last of
/// them in so many columns of the order.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// How many.
    pub rows: usize,
    /// In how many columns others may tie with the last.
    pub ties: Option<usize>,
}

impl OrderedZSet {
    /// An empty Z-set grouped by some columns and ordered by others. Columns that the order does not name come
    /// last in it. With `keep`, the rows must never be retracted, and only the first of each group are kept.
    pub fn new(
        schema: SchemaRef,
        group: Vec<usize>,
        mut order: Vec<SortColumn>,
        keep: Option<Keep>,
    ) -> OrderedZSet {
        for column in 0..schema.fields().len() {
            if !group.contains(&column) && order.iter().all(|sort| sort.column != column) {
                order.push(SortColumn::ascending(column));
            }
        }
        let keys = schema.project(&group).unwrap_or_else(|_| Schema::empty());
        let access = if keep.is_some() {
            Access::Scan
        } else {
            Access::Key { columns: (0..schema.fields().len()).collect(), append_only: false }
        };
        OrderedZSet {
            store: Store::new(schema, access),
            groups: KeyTable::new(keys.into()),
            group_columns: group,
            order,
            words: Vec::new(),
            lists: Vec::new(),
            keep,
        }
    }

    /// The groups of these rows, as small numbers that are used again once released.
    pub fn groups_of(&mut self, rows: &Rows) -> Vec<u32> {
        let keys = self.group_columns.iter().map(|column| normalize_floats(rows.column(*column))).collect();
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let keys = RecordBatch::try_new_with_options(self.groups.schema().clone(), keys, &options)
            .expect("the group columns are columns of the rows");
        let groups = self.groups.intern(&keys);
        self.lists.resize_with(self.groups.slots(), List::new);
        groups
    }

    /// One more than the greatest group in use.
    pub fn group_count(&self) -> usize {
        self.lists.len()
    }

    /// Positions and weights of the rows of a group, in order. Positions stay valid, also of rows that are
    /// retracted, until [`OrderedZSet::tidy`].
    pub fn rows_of(&self, group: u32) -> impl Iterator<Item = (u32, i64)> + '_ {
        self.lists[group as usize].iter().map(|row| (*row, self.store.weights().get(*row)))
    }

    /// Whether two rows are the same in the first `columns` columns of the order.
    pub fn tie(&self, left: u32, right: u32, columns: usize) -> bool {
        let (left_row, right_row) = (self.store.chunks().row(left), self.store.chunks().row(right));
        columns == 0
            || (self.words[left as usize] == self.words[right as usize]
                && compare_rows(&self.order[..columns], left_row, right_row).is_eq())
    }

    /// All columns of the given rows.
    pub fn gather(&self, rows: &[u32]) -> RecordBatch {
        self.store.chunks().gather_rows(rows)
    }

    /// All columns of the given rows, which ascend, in pieces, some of which share the batches that the rows lie in.
    pub fn pieces(&self, rows: &[u32]) -> Vec<Rows> {
        self.store.chunks().pieces(rows)
    }

    /// Adds a delta the groups of whose rows are known.
    pub fn apply(&mut self, delta: &ZBatch, groups: &[u32]) {
        match self.keep {
            Some(keep) => self.add(delta, groups, keep),
            None => self.change(delta, groups),
        }
    }

    /// Adds rows that stay, as far as they are among the first of their group. Only those are ever stored.
    fn add(&mut self, delta: &ZBatch, groups: &[u32], keep: Keep) {
        debug_assert!(delta.is_insert_only(), "a retraction from rows that are never retracted");
        let new_words = self.words_of(delta.selected_rows());
        let stored = self.store.weights().len() as u32;
        // Positions from `stored` on are rows of the delta.
        let rows = Candidates {
            order: &self.order,
            store: &self.store,
            words: &self.words,
            stored,
            delta,
            new_words: &new_words,
        };
        let (mut changed, mut dropped) = (Vec::new(), Vec::new());
        for (row, group) in (stored..).zip(groups) {
            let list = &mut self.lists[*group as usize];
            let is_full = list.len() >= keep.rows;
            if is_full && list.last().is_none_or(|last| !rows.comes_in(row, *last, keep.ties)) {
                continue;
            }
            let at = list.partition_point(|other| rows.compare(*other, row) != Ordering::Greater);
            list.insert(at, row);
            while list.len() > keep.rows && !rows.stays(list[list.len() - 1], list[keep.rows - 1], keep.ties)
            {
                dropped.extend(list.pop().filter(|row| *row < stored));
            }
            changed.push(*group);
        }
        dropped.into_iter().for_each(|row| self.store.drop_row(row));
        changed.sort_unstable();
        changed.dedup();
        self.store_listed(delta, &new_words, stored, &changed);
    }

    /// Stores the rows of a delta, named by positions from `stored` on, that are on the lists of these groups.
    fn store_listed(&mut self, delta: &ZBatch, words: &[u64], stored: u32, groups: &[u32]) {
        let listed = groups.iter().flat_map(|group| &self.lists[*group as usize]);
        let mut kept = listed.filter(|row| **row >= stored).map(|row| row - stored).collect::<Vec<_>>();
        kept.sort_unstable();
        let mut positions = vec![0; delta.len()];
        for (row, position) in kept.iter().zip(stored..) {
            positions[*row as usize] = position;
        }
        for group in groups {
            for row in self.lists[*group as usize].iter_mut().filter(|row| **row >= stored) {
                *row = positions[(*row - stored) as usize];
            }
        }
        self.words.extend(kept.iter().map(|row| words[*row as usize]));
        let all = kept.len() == delta.len();
        let kept = if all { delta.clone() } else { delta.select(UInt32Array::from(kept)) };
        self.store.apply(&kept, None, &mut Vec::new());
    }

    /// Adds and retracts rows.
    fn change(&mut self, delta: &ZBatch, groups: &[u32]) {
        let first = self.store.weights().len();
        let mut changes = Vec::new();
        self.store.apply(delta, None, &mut changes);
        let added = (first as u32..self.store.weights().len() as u32).collect::<Vec<_>>();
        let as_they_came = changes.is_empty() && added.len() == delta.len() && delta.is_insert_only();
        let rows = if as_they_came { delta.selected_rows().clone() } else { self.gather(&added).into() };
        let added_groups = if as_they_came { groups.to_vec() } else { self.groups_of(&rows) };
        if !added.is_empty() {
            let words = self.words_of(&rows);
            self.words.extend(words);
        }
        let mut gone = changes.iter().map(|(row, _)| *row).filter(|row| self.store.weights().get(*row) == 0);
        let mut gone = gone.by_ref().collect::<Vec<_>>();
        gone.sort_unstable();
        gone.dedup();
        self.unlist(&gone);
        for (group, rows) in self.sorted(added_groups.into_iter().zip(added).collect()) {
            let mut list = std::mem::take(&mut self.lists[group as usize]);
            self.merge(&mut list, &rows);
            self.lists[group as usize] = list;
        }
    }

    /// Takes rows off the lists of their groups.
    fn unlist(&mut self, gone: &[u32]) {
        if gone.is_empty() {
            return;
        }
        let rows = self.gather(gone);
        let mut gone = self.groups_of(&rows.into()).into_iter().zip(gone.iter().copied()).collect::<Vec<_>>();
        gone.sort_unstable();
        for of_group in gone.chunk_by(|left, right| left.0 == right.0) {
            let group = of_group[0].0 as usize;
            let mut list = std::mem::take(&mut self.lists[group]);
            if let [(_, row)] = of_group {
                let at = list.partition_point(|other| self.compare(*other, *row) == Ordering::Less);
                let offset = list[at..].iter().position(|other| other == row).expect("a row is on its list");
                list.remove(at + offset);
            } else {
                list.retain(|row| of_group.binary_search_by_key(row, |(_, row)| *row).is_err());
            }
            self.lists[group] = list;
        }
    }

    /// (group, row) pairs by group, the rows of each in order.
    fn sorted(&self, mut rows: Vec<(u32, u32)>) -> Vec<(u32, Vec<u32>)> {
        rows.sort_unstable_by(|left, right| left.0.cmp(&right.0).then_with(|| self.compare(left.1, right.1)));
        let of_groups = rows.chunk_by(|left, right| left.0 == right.0);
        of_groups.map(|rows| (rows[0].0, rows.iter().map(|(_, row)| *row).collect())).collect()
    }

    /// Merges rows into a list; both are in order.
    fn merge(&self, list: &mut List, rows: &[u32]) {
        if let [row] = rows {
            let at = list.partition_point(|other| self.compare(*other, *row) != Ordering::Greater);
            list.insert(at, *row);
            return;
        }
        let old = std::mem::take(list);
        list.reserve(old.len() + rows.len());
        let mut rest = old.iter().copied().peekable();
        for row in rows {
            while let Some(other) = rest.next_if(|other| self.compare(*other, *row) != Ordering::Greater) {
                list.push(other);
            }
            list.push(*row);
        }
        list.extend(rest);
    }

    fn words_of(&self, rows: &Rows) -> Vec<u64> {
        match self.order.first() {
            Some(sort) => sort_words(rows.column(sort.column), *sort),
            None => vec![0; rows.len()],
        }
    }

    /// The order of two rows.
    fn compare(&self, left: u32, right: u32) -> Ordering {
        let words = self.words[left as usize].cmp(&self.words[right as usize]);
        if words != Ordering::Equal || left == right {
            return words;
        }
        compare_rows(&self.order, self.store.chunks().row(left), self.store.chunks().row(right))
    }

    /// Releases those of these groups that are empty, and drops retracted rows once they are many.
    pub fn tidy(&mut self, groups: &[u32]) {
        let empty = groups.iter().copied().filter(|group| self.lists[*group as usize].is_empty());
        self.groups.release(&empty.collect::<Vec<_>>());
        let (rows, dead) = (self.store.weights().len(), self.store.dead());
        if rows < MIN_COMPACTION || dead * 2 <= rows {
            return;
        }
        let mut row = 0;
        self.words.retain(|_| {
            row += 1;
            self.store.weights().get(row - 1) != 0
        });
        self.words.shrink_to_fit();
        let moved = self.store.compact(|_| false);
        self.lists.iter_mut().flatten().for_each(|row| *row = moved[*row as usize]);
    }

    /// The state as Arrow batches. O(chunks + dead rows).
    pub fn freeze(&self) -> Vec<Rows> {
        self.store.freeze()
    }

    /// Fills an empty Z-set with what another one froze. O(rows · log group).
    pub fn restore(&mut self, batches: &[RecordBatch]) -> Result<()> {
        for batch in batches {
            let delta = thaw_delta(batch, self.store.chunks().schema())?;
            let groups = self.groups_of(delta.selected_rows());
            self.apply(&delta, &groups);
        }
        Ok(())
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let spilled =
            self.lists.iter().filter(|list| list.spilled()).map(|list| 4 * list.capacity()).sum::<usize>();
        let lists = self.lists.capacity() * size_of::<List>() + spilled;
        self.store.bytes() + self.groups.bytes() + 8 * self.words.capacity() + lists
    }
}

/// Stored rows, and behind them those of a delta that may be stored.
struct Candidates<'a> {
    order: &'a [SortColumn],
    store: &'a Store,
    words: &'a [u64],
    stored: u32,
    delta: &'a ZBatch,
    new_words: &'a [u64],
}

impl Candidates<'_> {
    fn word(&self, row: u32) -> u64 {
        if row < self.stored {
            self.words[row as usize]
        } else {
            self.new_words[(row - self.stored) as usize]
        }
    }

    fn row(&self, row: u32) -> (&Rows, usize) {
        if row < self.stored {
            self.store.chunks().row(row)
        } else {
            (self.delta.selected_rows(), (row - self.stored) as usize)
        }
    }

    fn compare(&self, left: u32, right: u32) -> Ordering {
        self.compare_in(self.order, left, right)
    }

    /// The order of two rows by some of its columns, the first of which is the first of all.
    fn compare_in(&self, order: &[SortColumn], left: u32, right: u32) -> Ordering {
        if order.is_empty() {
            return Ordering::Equal;
        }
        let words = self.word(left).cmp(&self.word(right));
        if words != Ordering::Equal { words } else { compare_rows(order, self.row(left), self.row(right)) }
    }

    /// Whether a row is to be kept in a group which is full and ends with another one.
    fn comes_in(&self, row: u32, last: u32, ties: Option<usize>) -> bool {
        match ties {
            None => self.compare(row, last) == Ordering::Less,
            Some(columns) => self.compare_in(&self.order[..columns], row, last) != Ordering::Greater,
        }
    }

    /// Whether a row is to be kept behind the last row that there is room for.
    fn stays(&self, row: u32, last: u32, ties: Option<usize>) -> bool {
        ties.is_some_and(|columns| self.compare_in(&self.order[..columns], row, last) == Ordering::Equal)
    }
}

/// The order of two rows by their columns.
fn compare_rows(order: &[SortColumn], left: (&Rows, usize), right: (&Rows, usize)) -> Ordering {
    let mut compared = order.iter().map(|sort| {
        let (left_column, left_row) = left.0.cell(sort.column, left.1);
        let (right_column, right_row) = right.0.cell(sort.column, right.1);
        compare_cells(left_column, left_row, right_column, right_row, *sort)
    });
    compared.find(|ordering| *ordering != Ordering::Equal).unwrap_or(Ordering::Equal)
}
