//! Whether the views are what they claim to be.

use std::cmp::Ordering;

use indicatif::HumanCount;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::views::View;
use crate::{Result, table};

/// One view against its query run from scratch.
pub(crate) struct Verdict {
    view: String,
    rows: usize,
    /// Rows in one of the two only, with the side.
    differences: Vec<String>,
}

/// Compares each view with its query. Nothing may be committed meanwhile.
pub(crate) async fn prove(client: &Client, views: &[View]) -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    for view in views {
        let maintained = sorted_rows(client, &format!("SELECT * FROM {}", view.name)).await?;
        let from_scratch = sorted_rows(client, &view.from_scratch).await?;
        let differences = differences(&maintained, &from_scratch);
        verdicts.push(Verdict { view: view.name.clone(), rows: from_scratch.len(), differences });
    }
    Ok(verdicts)
}

/// Whether no view differs.
pub(crate) fn all_equal(verdicts: &[Verdict]) -> bool {
    verdicts.iter().all(|verdict| verdict.differences.is_empty())
}

/// One line.
pub(crate) fn summary(verdicts: &[Verdict]) -> String {
    let rows = verdicts.iter().map(|verdict| verdict.rows as u64).sum();
    if all_equal(verdicts) {
        format!("proof: {} views equal their queries, {} rows", verdicts.len(), HumanCount(rows))
    } else {
        format!("proof FAILED\n{}", report(verdicts))
    }
}

/// A table, followed by examples of rows that differ.
pub(crate) fn report(verdicts: &[Verdict]) -> String {
    let headers = ["view", "rows", "equal"].map(str::to_owned);
    let rows = verdicts.iter().map(|verdict| {
        let equal = match verdict.differences.len() {
            0 => "yes".to_owned(),
            differing => format!("NO: {differing} rows differ"),
        };
        vec![verdict.view.clone(), HumanCount(verdict.rows as u64).to_string(), equal]
    });
    let mut text = table::render(&headers, &rows.collect::<Vec<_>>());
    for verdict in verdicts {
        for difference in verdict.differences.iter().take(5) {
            text += &format!("\n{}: {difference}", verdict.view);
        }
    }
    text
}

async fn sorted_rows(client: &Client, query: &str) -> Result<Vec<String>> {
    let messages = client.simple_query(query).await?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            let cells = (0..row.len()).map(|column| row.get(column).unwrap_or("NULL"));
            Some(cells.collect::<Vec<_>>().join(" | "))
        }
        _ => None,
    });
    let mut rows = rows.collect::<Vec<_>>();
    rows.sort_unstable();
    Ok(rows)
}

/// The symmetric difference of two sorted multisets.
fn differences(view: &[String], query: &[String]) -> Vec<String> {
    let (mut left, mut right) = (view.iter().peekable(), query.iter().peekable());
    let mut found = Vec::new();
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return found,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => left.cmp(right),
        };
        let from_view = if order.is_le() { left.next() } else { None };
        let from_query = if order.is_ge() { right.next() } else { None };
        match (from_view, from_query) {
            (Some(row), None) => found.push(format!("only in the view: {row}")),
            (None, Some(row)) => found.push(format!("only in the query: {row}")),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multisets_differ_by_what_only_one_has() {
        let rows = |rows: &[&str]| rows.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>();
        assert!(differences(&rows(&["a", "b", "b"]), &rows(&["a", "b", "b"])).is_empty());
        let found = differences(&rows(&["a", "b", "b"]), &rows(&["b", "c"]));
        assert_eq!(found, ["only in the view: a", "only in the view: b", "only in the query: c"]);
    }
}
