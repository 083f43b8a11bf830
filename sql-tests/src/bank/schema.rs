use tokio_postgres::Client;

use super::{OPENING_BALANCE, Shared};

/// The view `of_branches` stands on `branch`, and `of_ranges` on `poor` and `rich`, between which accounts wander:
/// a torn observation of any of them shows in its total.
const SCHEMA: &str = "
    CREATE TABLE account (id integer PRIMARY KEY, balance bigint NOT NULL);
    CREATE MATERIALIZED VIEW total AS SELECT sum(balance) AS total, count(*) AS accounts FROM account;
    CREATE MATERIALIZED VIEW branch AS
        SELECT id % 10 AS branch, sum(balance) AS balance, count(*) AS accounts FROM account GROUP BY id % 10;
    CREATE MATERIALIZED VIEW of_branches AS
        SELECT sum(balance) AS total, sum(accounts) AS accounts FROM branch;
    CREATE MATERIALIZED VIEW poor AS SELECT id, balance FROM account WHERE balance < 1000;
    CREATE MATERIALIZED VIEW rich AS SELECT id, balance FROM account WHERE balance >= 1000;
    CREATE MATERIALIZED VIEW of_ranges AS
        SELECT sum(balance) AS total, count(*) AS accounts
        FROM (SELECT * FROM poor UNION ALL SELECT * FROM rich) AS everyone;
    CREATE MATERIALIZED VIEW checked AS
        SELECT account.id, account.balance - branch.balance AS short_of_branch
        FROM account JOIN branch ON account.id % 10 = branch.branch;
";

pub(super) async fn create(client: &Client, shared: &Shared) {
    for statement in SCHEMA.split(';').filter(|statement| !statement.trim().is_empty()) {
        client.batch_execute(statement).await.expect("the bank can be built");
    }
    let rows = (0..shared.accounts).map(|id| format!("({id}, {OPENING_BALANCE})")).collect::<Vec<_>>();
    client
        .batch_execute(&format!("INSERT INTO account VALUES {}", rows.join(", ")))
        .await
        .expect("accounts can be opened");
}
