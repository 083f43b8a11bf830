use std::collections::BTreeMap;
use std::fmt;

/// What was compared, and what differed.
#[derive(Default)]
pub struct Report {
    /// Statements that were compared.
    pub compared: usize,
    /// Statements of which PostgreSQL made an error.
    pub failed: usize,
    /// By what they are about and in what way they differ: how many statements, and one of them with both outcomes.
    pub(super) differences: BTreeMap<(&'static str, String), (usize, String)>,
}

impl Report {
    /// Statements that came out differently.
    pub fn different(&self) -> usize {
        self.differences.values().map(|(count, _)| count).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((kind, subject), (count, example)) in &self.differences {
            writeln!(out, "{count:>4}  {kind}: {subject}\n{example}")?;
        }
        let mut kinds = BTreeMap::<&str, usize>::new();
        self.differences.iter().for_each(|((kind, _), (count, _))| *kinds.entry(kind).or_default() += count);
        let same = self.compared - self.different();
        let share = 100.0 * same as f64 / self.compared.max(1) as f64;
        writeln!(
            out,
            "{} statements ({} of them errors), {same} the same ({share:.2} %)",
            self.compared, self.failed
        )?;
        kinds.iter().try_for_each(|(kind, count)| writeln!(out, "{count:>6} {kind}"))
    }
}
