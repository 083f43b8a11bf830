use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Statement};

use super::Shared;

/// What a teller has done.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) transfers: u64,
    /// Transactions that were tried again after a 40001.
    pub(super) retries: u64,
    pub(super) failures: Vec<String>,
}

struct Transfer {
    from: i32,
    to: i32,
    amount: i64,
}

/// The statements of a teller that computes balances itself.
struct Prepared {
    read: Statement,
    write: Statement,
}

/// Moves money until the bank closes.
pub(super) async fn work(client: Client, shared: Arc<Shared>, seed: u64) -> Work {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut work = Work::default();
    let prepared = match prepare(&client).await {
        Ok(prepared) => prepared,
        Err(error) => {
            work.failures.push(error.to_string());
            return work;
        }
    };
    while !shared.is_closing() && work.failures.is_empty() {
        let from = rng.i32(0..shared.accounts as i32);
        let to = (from + rng.i32(1..shared.accounts as i32)) % shared.accounts as i32;
        let transfer = Transfer { from, to, amount: rng.i64(1..100) };
        let computes = rng.u8(..3) == 0;
        loop {
            let outcome = match computes {
                true => read_and_write(&client, &prepared, &transfer).await,
                false => two_updates(&client, &transfer).await,
            };
            match outcome {
                Ok(()) => break book(&shared, &transfer, &mut work),
                Err(error) => {
                    // Whatever failed, the transaction must not stay open.
                    if let Err(error) = client.batch_execute("ROLLBACK").await {
                        work.failures.push(format!("ROLLBACK: {error}"));
                        break;
                    }
                    if error.code() != Some(&SqlState::T_R_SERIALIZATION_FAILURE) {
                        work.failures.push(error.to_string());
                        break;
                    }
                    work.retries += 1;
                }
            }
        }
    }
    work
}

async fn prepare(client: &Client) -> Result<Prepared, Error> {
    Ok(Prepared {
        read: client.prepare("SELECT balance FROM account WHERE id = $1").await?,
        write: client.prepare("UPDATE account SET balance = $2 WHERE id = $1").await?,
    })
}

fn book(shared: &Shared, transfer: &Transfer, work: &mut Work) {
    shared.balances[transfer.from as usize].fetch_sub(transfer.amount, Ordering::Relaxed);
    shared.balances[transfer.to as usize].fetch_add(transfer.amount, Ordering::Relaxed);
    work.transfers += 1;
}

async fn two_updates(client: &Client, transfer: &Transfer) -> Result<(), Error> {
    let Transfer { from, to, amount } = transfer;
    client.batch_execute("BEGIN").await?;
    client
        .batch_execute(&format!("UPDATE account SET balance = balance - {amount} WHERE id = {from}"))
        .await?;
    client.batch_execute(&format!("UPDATE account SET balance = balance + {amount} WHERE id = {to}")).await?;
    client.batch_execute("COMMIT").await
}

async fn read_and_write(client: &Client, prepared: &Prepared, transfer: &Transfer) -> Result<(), Error> {
    client.batch_execute("BEGIN").await?;
    for (id, change) in [(transfer.from, -transfer.amount), (transfer.to, transfer.amount)] {
        let balance = client.query_one(&prepared.read, &[&id]).await?.get::<_, i64>(0);
        client.execute(&prepared.write, &[&id, &(balance + change)]).await?;
    }
    client.batch_execute("COMMIT").await
}
