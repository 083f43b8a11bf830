use springtide_state::OrderedZSet;

/// The rows of the groups that an epoch touches, as they were before it.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    seen: Vec<bool>,
    groups: Vec<u32>,
    /// Where the rows of each group begin in `rows`.
    starts: Vec<usize>,
    /// (row, weight), in order.
    rows: Vec<(u32, i64)>,
}

impl Touched {
    /// Notes those of these groups that are touched for the first time, before they change. `take` says which of a
    /// group's rows matter.
    pub(crate) fn note(
        &mut self,
        groups: &[u32],
        state: &OrderedZSet,
        take: impl Fn(&OrderedZSet, u32, &mut Vec<(u32, i64)>),
    ) {
        self.seen.resize(state.group_count(), false);
        for group in groups {
            if !std::mem::replace(&mut self.seen[*group as usize], true) {
                self.groups.push(*group);
                self.starts.push(self.rows.len());
                take(state, *group, &mut self.rows);
            }
        }
    }

    /// The groups, in the order in which they were touched.
    pub(crate) fn groups(&self) -> &[u32] {
        &self.groups
    }

    /// The rows that the group at this place had.
    pub(crate) fn before(&self, place: usize) -> &[(u32, i64)] {
        let end = self.starts.get(place + 1).copied().unwrap_or(self.rows.len());
        &self.rows[self.starts[place]..end]
    }

    /// Ends the epoch. Returns the groups that it touched.
    pub(crate) fn clear(&mut self) -> Vec<u32> {
        for group in &self.groups {
            self.seen[*group as usize] = false;
        }
        self.starts.clear();
        self.rows.clear();
        std::mem::take(&mut self.groups)
    }
}
