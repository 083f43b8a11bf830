use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio_postgres::{Client, Error, SimpleQueryMessage};

use super::Shared;

/// One SELECT over the table, the views on it and the views on those: every column of its one row is the total
/// or the number of accounts.
const OBSERVE: &str = "
    SELECT a.total, t.total, b.total, r.total, s.total, a.accounts, t.accounts, b.accounts, r.accounts, s.accounts
    FROM (SELECT sum(balance) AS total, count(*) AS accounts FROM account) AS a
    CROSS JOIN total AS t CROSS JOIN of_branches AS b CROSS JOIN of_ranges AS r
    CROSS JOIN (SELECT sum(balance) AS total, sum(accounts) AS accounts FROM branch) AS s";

/// No account and its branch may stem from different times: the sum over all accounts tells.
const OBSERVE_JOIN: &str = "SELECT sum(short_of_branch), count(*) FROM checked";

/// What a reader has seen.
#[derive(Debug, Default)]
pub(super) struct Observations {
    pub(super) reads: u64,
    pub(super) violations: Vec<String>,
}

/// Observes until the bank closes.
pub(super) async fn watch(client: Client, shared: Arc<Shared>) -> Observations {
    let mut seen = Observations::default();
    while !shared.is_closing() {
        for (sql, expected) in expectations(&shared) {
            match single_row(&client, sql).await {
                Ok(row) if row == expected => seen.reads += 1,
                Ok(row) => seen.violations.push(format!("{row:?} instead of {expected:?} from {sql}")),
                Err(error) => {
                    seen.violations.push(error.to_string());
                    return seen;
                }
            }
        }
    }
    seen
}

fn expectations(shared: &Shared) -> [(&'static str, Vec<String>); 2] {
    let (total, accounts) = (shared.total().to_string(), shared.accounts.to_string());
    let row = [vec![total; 5], vec![accounts.clone(); 5]].concat();
    // Each of the ten branches is subtracted once for each of its accounts.
    let short = shared.total() - shared.total() * (shared.accounts as i64 / 10);
    [(OBSERVE, row), (OBSERVE_JOIN, vec![short.to_string(), accounts])]
}

/// Compares every account with what acknowledged transfers left in it.
pub(super) async fn audit(client: &Client, shared: &Shared) -> Vec<String> {
    let rows = match client.query("SELECT id, balance FROM account ORDER BY id", &[]).await {
        Ok(rows) => rows,
        Err(error) => return vec![format!("the audit fails: {error}")],
    };
    let mut wrong = Vec::new();
    if rows.len() != shared.accounts {
        wrong.push(format!("{} accounts instead of {}", rows.len(), shared.accounts));
    }
    for row in rows {
        let (id, balance) = (row.get::<_, i32>(0), row.get::<_, i64>(1));
        let expected = shared.balances[id as usize].load(Ordering::Relaxed);
        if balance != expected {
            wrong.push(format!("account {id} holds {balance} instead of {expected}"));
        }
    }
    wrong
}

async fn single_row(client: &Client, sql: &str) -> Result<Vec<String>, Error> {
    let messages = client.simple_query(sql).await?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let values =
        rows.flat_map(|row| (0..row.len()).map(|column| row.get(column).unwrap_or("NULL").to_owned()));
    Ok(values.collect())
}
