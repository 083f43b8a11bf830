//! A random workload that knows what it has made of the database: transactions with writes, DDL and COPY by sessions
//! that own tables and views of their own and share one ledger. What a session owns after each transaction is known
//! without asking the database, so that a crash can be judged.

mod check;
mod connection;
mod model;
mod transaction;
mod view;

pub use check::{check_shared, settle};
pub use connection::{Connection, Failure, InProcess, Wire};
pub use model::Model;
pub use transaction::{Step, Transaction};

/// What all sessions write to.
const LEDGER: &str = "CREATE TABLE ledger (session int, k int, amount bigint)";

/// Views over what all sessions write to, and their queries.
const SHARED_VIEWS: [(&str, &str); 2] = [
    (
        "totals",
        "SELECT session, count(*) AS n, sum(amount) AS amount, max(k) AS newest FROM ledger GROUP BY session",
    ),
    ("grand_total", "SELECT count(*) AS sessions, sum(n) AS n, sum(amount) AS amount FROM totals"),
];

/// What must be there before the first transaction.
pub fn schema() -> Vec<String> {
    let views =
        SHARED_VIEWS.iter().map(|(name, query)| format!("CREATE MATERIALIZED VIEW {name} AS {query}"));
    [LEDGER.to_owned()].into_iter().chain(views).collect()
}
