//! Which rows of the touched partitions are read, and for which of them results are computed.

use std::ops::Range;

use springtide_plan::Reach;

/// Rows of several partitions, a row of weight n n times.
#[derive(Default)]
pub(super) struct Scope {
    /// Positions of the rows that are read.
    rows: Vec<u32>,
    parts: Vec<Part>,
}

/// The rows of one partition, as places in those of the scope.
pub(super) struct Part {
    /// What is read: all that the results of `wanted` depend on.
    pub(super) read: Range<usize>,
    /// The rows whose results are wanted.
    pub(super) wanted: Range<usize>,
}

impl Scope {
    /// Adds a partition of which so many entries at the beginning and at the end have not changed: the rows whose
    /// results may have changed are wanted. O(partition).
    pub(super) fn push(&mut self, entries: &[(u32, i64)], same: (usize, usize), reach: Reach) {
        let count =
            |entries: &[(u32, i64)]| entries.iter().map(|(_, weight)| *weight as usize).sum::<usize>();
        let rows = count(entries);
        let changed = count(&entries[..same.0])..rows - count(&entries[entries.len() - same.1..]);
        let from = reach.behind.map_or(0, |behind| changed.start.saturating_sub(behind));
        let to = reach.before.map_or(rows, |before| changed.end.saturating_add(before).min(rows));
        if from >= to {
            return;
        }
        let start = reach.before.filter(|_| !reach.peers).map_or(0, |before| from.saturating_sub(before));
        let end = reach.behind.filter(|_| !reach.peers);
        let end = end.map_or(rows, |behind| to.saturating_add(behind).min(rows));
        let first = self.rows.len();
        if rows == entries.len() {
            self.rows.extend(entries[start..end].iter().map(|(row, _)| *row));
        } else {
            let repeated =
                entries.iter().flat_map(|(row, weight)| std::iter::repeat_n(*row, *weight as usize));
            self.rows.extend(repeated.skip(start).take(end - start));
        }
        let wanted = first + from - start..first + to - start;
        self.parts.push(Part { read: first..self.rows.len(), wanted });
    }

    /// Positions of the rows that are read.
    pub(super) fn rows(&self) -> &[u32] {
        &self.rows
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Positions of the rows whose results are wanted.
    pub(super) fn wanted(&self) -> Vec<u32> {
        self.parts.iter().flat_map(|part| &self.rows[part.wanted.clone()]).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_and_wanted(entries: &[(u32, i64)], same: (usize, usize), reach: Reach) -> (Vec<u32>, Vec<u32>) {
        let mut scope = Scope::default();
        scope.push(entries, same, reach);
        (scope.rows().to_vec(), scope.wanted())
    }

    #[test]
    fn a_change_reaches_as_far_as_the_functions_look() {
        let entries = (0..10).map(|row| (row, 1)).collect::<Vec<_>>();
        let near = Reach { before: Some(2), behind: Some(0), peers: false };
        assert_eq!(read_and_wanted(&entries, (5, 4), near), (vec![3, 4, 5, 6, 7], vec![5, 6, 7]));
        let running = Reach { before: None, ..near };
        assert_eq!(read_and_wanted(&entries, (8, 1), running), ((0..10).collect(), vec![8, 9]));
        assert_eq!(read_and_wanted(&entries, (10, 0), near), (vec![], vec![]), "only rows at the end went");
        assert_eq!(
            read_and_wanted(&entries, (5, 5), near),
            (vec![3, 4, 5, 6], vec![5, 6]),
            "rows between went"
        );
        let all = (0..10).collect::<Vec<_>>();
        assert_eq!(read_and_wanted(&entries, (5, 4), Reach::PARTITION), (all.clone(), all));
    }

    #[test]
    fn a_row_is_there_as_often_as_its_weight_says() {
        let one_behind = Reach { before: Some(0), behind: Some(1), peers: false };
        let entries = [(7, 3), (8, 1), (9, 2)];
        assert_eq!(read_and_wanted(&entries, (1, 1), one_behind), (vec![7, 8, 9], vec![7, 8]));
    }
}
