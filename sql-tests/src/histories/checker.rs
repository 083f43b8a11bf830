use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use super::graph::Graph;
use super::recording::{Operation, Outcome, Transaction};

/// What a history says.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Transactions that took place.
    pub committed: usize,
    /// Transactions that did not.
    pub aborted: usize,
    /// Transactions of which the client doesn't know, that took place all the same.
    pub found: usize,
    /// Operations of those that took place.
    pub operations: usize,
    /// What can't be; empty if the history is strictly serializable.
    pub anomalies: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { committed, aborted, found, operations, anomalies } = self;
        write!(
            out,
            "{operations} operations in {committed} transactions ({found} of them found after a crash), {aborted} aborted: {} anomalies",
            anomalies.len()
        )
    }
}

/// Looks for anomalies in a history. The last transaction has to read every list, when all others are over. O(what was read).
pub fn check(history: &[Transaction]) -> Verdict {
    let mut checker = Checker::new(history);
    checker.check_lists();
    checker.check_transactions();
    if checker.verdict.anomalies.is_empty() {
        checker.check_order();
    }
    checker.verdict
}

struct Checker<'a> {
    history: &'a [Transaction],
    /// The transaction that appended a number to the list of a key.
    writers: HashMap<(i32, i32), usize>,
    /// The longest list that was read of each key.
    lists: HashMap<i32, Vec<i32>>,
    /// Whether a transaction took place.
    took_place: Vec<bool>,
    verdict: Verdict,
}

impl<'a> Checker<'a> {
    fn new(history: &'a [Transaction]) -> Checker<'a> {
        let mut writers = HashMap::new();
        let mut lists = HashMap::<i32, Vec<i32>>::new();
        let mut seen = HashSet::new();
        for (id, transaction) in history.iter().enumerate() {
            for operation in &transaction.operations {
                match operation {
                    Operation::Append { key, number } => {
                        writers.insert((*key, *number), id);
                    }
                    // What one reads that aborts later need not make sense.
                    Operation::Read { key, list } if transaction.outcome == Outcome::Committed => {
                        seen.extend(list.iter().map(|number| (*key, *number)));
                        let longest = lists.entry(*key).or_default();
                        if list.len() > longest.len() {
                            longest.clone_from(list);
                        }
                    }
                    Operation::Read { .. } => {}
                }
            }
        }
        let took_place = |transaction: &Transaction| match transaction.outcome {
            Outcome::Committed => true,
            Outcome::Aborted => false,
            Outcome::Unknown => transaction.appends().any(|append| seen.contains(&append)),
        };
        let took_place = history.iter().map(took_place).collect::<Vec<_>>();
        let count = |of: Outcome, took: bool| {
            let both = history.iter().zip(&took_place);
            both.filter(|(transaction, took_place)| transaction.outcome == of && **took_place == took).count()
        };
        let found = count(Outcome::Unknown, true);
        let verdict = Verdict {
            committed: count(Outcome::Committed, true) + found,
            aborted: history.len() - count(Outcome::Committed, true) - found,
            found,
            operations: history
                .iter()
                .zip(&took_place)
                .filter(|it| *it.1)
                .map(|it| it.0.operations.len())
                .sum(),
            anomalies: Vec::new(),
        };
        Checker { history, writers, lists, took_place, verdict }
    }

    fn complain(&mut self, what: String) {
        self.verdict.anomalies.push(what);
    }

    /// Numbers come once, from transactions that took place, and none of those is missing.
    fn check_lists(&mut self) {
        for (key, list) in self.lists.clone() {
            let distinct = list.iter().collect::<HashSet<_>>();
            if distinct.len() < list.len() {
                self.complain(format!("list {key} has a number twice: {list:?}"));
            }
            for number in &list {
                match self.writers.get(&(key, *number)) {
                    Some(writer) if self.took_place[*writer] => {}
                    Some(_) => {
                        self.complain(format!("{number} in list {key} is of a transaction that was aborted"))
                    }
                    None => self.complain(format!("nobody appended {number} to list {key}")),
                }
            }
        }
        let known = self.lists.iter().flat_map(|(key, list)| list.iter().map(|number| (*key, *number)));
        let known = known.collect::<HashSet<_>>();
        let history = self.history;
        for transaction in history.iter().filter(|it| it.outcome == Outcome::Committed) {
            for (key, number) in transaction.appends().filter(|append| !known.contains(append)) {
                self.complain(format!("{number} was appended to list {key} and is lost"));
            }
        }
    }

    /// What each transaction reads is a beginning of the list, with what it has appended itself at its end, and with all or nothing
    /// of what another one has.
    fn check_transactions(&mut self) {
        let history = self.history;
        for (id, transaction) in history.iter().enumerate().filter(|(_, it)| it.outcome == Outcome::Committed)
        {
            let mut own = HashMap::<i32, Vec<i32>>::new();
            for operation in &transaction.operations {
                let (key, list) = match operation {
                    Operation::Append { key, number } => {
                        own.entry(*key).or_default().push(*number);
                        continue;
                    }
                    Operation::Read { key, list } => (*key, list),
                };
                if !self.lists.get(&key).is_some_and(|longest| longest.starts_with(list)) && !list.is_empty()
                {
                    self.complain(format!("list {key} was read as {list:?}, which is no beginning of it"));
                }
                let own = own.get(&key).map_or(&[][..], Vec::as_slice);
                let Some(others) = list.strip_suffix(own) else {
                    self.complain(format!("a transaction that appended {own:?} to list {key} read {list:?}"));
                    continue;
                };
                if let Some(last) = others.last()
                    && let Some(writer) = self.writers.get(&(key, *last)).filter(|writer| **writer != id)
                    && history[*writer].appends().filter(|append| append.0 == key).last()
                        != Some((key, *last))
                {
                    self.complain(format!("list {key} was read in the middle of a transaction: {list:?}"));
                }
            }
        }
    }

    /// There is an order in which all could have happened one after the other, and in which nothing comes before what was over
    /// when it began.
    fn check_order(&mut self) {
        let mut graph = Graph::new(self.history.len());
        for (key, list) in &self.lists {
            for pair in list.windows(2) {
                let (before, after) = (self.writers[&(*key, pair[0])], self.writers[&(*key, pair[1])]);
                graph.add_edge(before, after, "appended before");
            }
        }
        for (id, transaction) in self.history.iter().enumerate().filter(|(id, _)| self.took_place[*id]) {
            for operation in &transaction.operations {
                if let Operation::Read { key, list } = operation
                    && transaction.outcome == Outcome::Committed
                {
                    self.order_read(&mut graph, id, *key, list);
                }
            }
        }
        self.order_by_time(&mut graph);
        if let Some(cycle) = graph.cycle() {
            let describe = |(node, why): &(usize, &str)| match self.history.get(*node) {
                Some(transaction) => format!("{node} {:?} [{why}]", transaction.operations),
                None => format!("[{why}]"),
            };
            let cycle = cycle.iter().map(describe).collect::<Vec<_>>().join("\n    ");
            self.complain(format!(
                "these are each before the next, and the last before the first:\n    {cycle}"
            ));
        }
    }

    /// A read is after what it saw, and before what it did not see.
    fn order_read(&self, graph: &mut Graph, reader: usize, key: i32, list: &[i32]) {
        let others = |number: &&i32| self.writers[&(key, **number)] != reader;
        if let Some(last) = list.iter().rev().find(others) {
            graph.add_edge(self.writers[&(key, *last)], reader, "was read by");
        }
        let later = self.lists.get(&key).and_then(|longest| longest.get(list.len()..));
        if let Some(next) = later.and_then(|later| later.iter().find(others)) {
            graph.add_edge(reader, self.writers[&(key, *next)], "did not see");
        }
    }

    /// A chain of moments, each an end: a transaction is before the moment of its end, and after the last one before its
    /// beginning.
    fn order_by_time(&self, graph: &mut Graph) {
        let took_place = || self.history.iter().enumerate().filter(|(id, _)| self.took_place[*id]);
        let mut ends = took_place()
            .filter(|(_, transaction)| transaction.outcome == Outcome::Committed)
            .map(|(id, transaction)| (transaction.ended, id))
            .collect::<Vec<(Duration, usize)>>();
        ends.sort();
        let mut moments = Vec::<(Duration, usize)>::with_capacity(ends.len());
        for (ended, id) in ends {
            let moment = graph.add_node();
            if let Some((_, before)) = moments.last() {
                graph.add_edge(*before, moment, "then");
            }
            graph.add_edge(id, moment, "was over");
            moments.push((ended, moment));
        }
        for (id, transaction) in took_place() {
            let before = moments.partition_point(|(ended, _)| *ended < transaction.began);
            if let Some((_, moment)) = before.checked_sub(1).map(|last| moments[last]) {
                graph.add_edge(moment, id, "when this began");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(began: u64, ended: u64, operations: &[Operation]) -> Transaction {
        let at = Duration::from_millis;
        Transaction {
            operations: operations.to_vec(),
            outcome: Outcome::Committed,
            began: at(began),
            ended: at(ended),
        }
    }

    fn append(key: i32, number: i32) -> Operation {
        Operation::Append { key, number }
    }

    fn read(key: i32, list: &[i32]) -> Operation {
        Operation::Read { key, list: list.to_vec() }
    }

    fn anomalies(history: &[Transaction]) -> String {
        check(history).anomalies.join("\n")
    }

    #[test]
    fn an_order_that_explains_everything_is_found() {
        let history = [
            transaction(0, 5, &[append(1, 1), read(2, &[])]),
            transaction(1, 4, &[read(1, &[1]), append(2, 2)]),
            transaction(6, 7, &[append(1, 3), append(1, 4), read(1, &[1, 3, 4])]),
            transaction(8, 9, &[read(1, &[1, 3, 4]), read(2, &[2])]),
        ];
        assert_eq!(anomalies(&history), "");
    }

    #[test]
    fn write_skew_is_a_cycle() {
        let history = [
            transaction(0, 5, &[read(1, &[]), append(2, 1)]),
            transaction(0, 5, &[read(2, &[]), append(1, 2)]),
            transaction(6, 7, &[read(1, &[2]), read(2, &[1])]),
        ];
        assert!(anomalies(&history).contains("did not see"));
    }

    #[test]
    fn a_read_of_what_is_old_is_against_the_clock() {
        let history = [
            transaction(0, 1, &[append(1, 1)]),
            transaction(2, 3, &[read(1, &[])]),
            transaction(4, 5, &[read(1, &[1])]),
        ];
        assert!(anomalies(&history).contains("when this began"));
    }

    #[test]
    fn lost_aborted_and_half_seen_appends_are_named() {
        let mut aborted = transaction(0, 1, &[append(1, 1)]);
        aborted.outcome = Outcome::Aborted;
        let history = [aborted, transaction(2, 3, &[read(1, &[1])])];
        assert!(anomalies(&history).contains("aborted"));
        let lost = [transaction(0, 1, &[append(1, 1)]), transaction(2, 3, &[read(1, &[])])];
        assert!(anomalies(&lost).contains("lost"));
        let half = [
            transaction(0, 3, &[append(1, 1), append(1, 2)]),
            transaction(1, 2, &[read(1, &[1])]),
            transaction(4, 5, &[read(1, &[1, 2])]),
        ];
        assert!(anomalies(&half).contains("middle"));
        let fork = [
            transaction(0, 3, &[append(1, 1)]),
            transaction(0, 3, &[append(1, 2)]),
            transaction(1, 2, &[read(1, &[2])]),
            transaction(4, 5, &[read(1, &[1, 2])]),
        ];
        assert!(anomalies(&fork).contains("no beginning"));
    }

    #[test]
    fn whoever_is_in_doubt_took_place_if_somebody_saw_it() {
        let mut unknown = transaction(0, 9, &[append(1, 1)]);
        unknown.outcome = Outcome::Unknown;
        let seen = [unknown.clone(), transaction(2, 3, &[read(1, &[1])])];
        assert_eq!((check(&seen).found, anomalies(&seen).as_str()), (1, ""));
        let unseen = [unknown, transaction(2, 3, &[read(1, &[])])];
        assert_eq!((check(&unseen).found, anomalies(&unseen).as_str()), (0, ""));
    }
}
