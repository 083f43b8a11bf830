use fastrand::Rng;

use super::connection::{Connection, Failure};
use super::model::{Kind, Model, Row, Table};
use super::view::View;

/// Rows of a table, about.
const ROWS: usize = 60;
/// Entries of one session in the ledger, about.
const ENTRIES: usize = 300;

/// What is sent at once.
#[derive(Clone, Debug)]
pub enum Step {
    /// One or more statements.
    Sql(String),
    /// A COPY FROM STDIN and its lines.
    Copy {
        /// The statement.
        sql: String,
        /// The lines.
        data: String,
    },
}

/// Steps that take effect together or not at all.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// What is sent, in this order. The last step commits.
    pub steps: Vec<Step>,
    /// What the session owns if they take effect.
    pub after: Model,
}

impl Transaction {
    /// A transaction of a session that owns this.
    pub fn random(rng: &mut Rng, model: &Model) -> Transaction {
        let mut after = model.clone();
        let count = if rng.u8(..3) == 0 { rng.usize(2..5) } else { 1 };
        let steps = (0..count).map(|_| step(rng, &mut after)).collect::<Vec<_>>();
        if count == 1 && rng.u8(..4) > 0 {
            return Transaction { steps, after };
        }
        if rng.u8(..10) == 0 {
            return Transaction { steps: block(steps, "ROLLBACK"), after: model.clone() };
        }
        let texts = steps.iter().map(|step| match step {
            Step::Sql(sql) => Some(sql.as_str()),
            Step::Copy { .. } => None,
        });
        match texts.collect::<Option<Vec<_>>>() {
            // Several statements in one message are one transaction as well.
            Some(texts) if rng.bool() => Transaction { steps: vec![Step::Sql(texts.join("; "))], after },
            _ => Transaction { steps: block(steps, "COMMIT"), after },
        }
    }

    /// Runs it. After a failure the session is outside of any transaction, if it is still there.
    pub async fn run(&self, connection: &mut impl Connection) -> Result<(), Failure> {
        for step in &self.steps {
            let outcome = match step {
                Step::Sql(sql) => connection.run(sql).await,
                Step::Copy { sql, data } => connection.copy(sql, data).await,
            };
            if let Err(failure) = outcome {
                if failure.sqlstate.is_some() {
                    connection.run("ROLLBACK").await?;
                }
                return Err(failure);
            }
        }
        Ok(())
    }
}

fn block(steps: Vec<Step>, end: &str) -> Vec<Step> {
    let sql = |sql: &str| Step::Sql(sql.to_owned());
    [sql("BEGIN")].into_iter().chain(steps).chain([sql(end)]).collect()
}

fn step(rng: &mut Rng, model: &mut Model) -> Step {
    loop {
        let step = match rng.u8(..20) {
            0..4 => Some(book(rng, model)),
            4 | 5 => create_table(rng, model),
            6 => drop_table(rng, model),
            7 | 8 => create_view(rng, model),
            9 => drop_view(rng, model),
            _ => write(rng, model),
        };
        if let Some(step) = step {
            return step;
        }
    }
}

/// Two entries that add up to nothing, or an end to all of the session's entries.
fn book(rng: &mut Rng, model: &mut Model) -> Step {
    let session = model.session;
    if model.ledger.len() >= ENTRIES {
        model.ledger.clear();
        return Step::Sql(format!("DELETE FROM ledger WHERE session = {session}"));
    }
    let (key, amount) = (model.next, rng.i64(1..100));
    model.next += 1;
    model.ledger.extend([(key, amount), (-key, -amount)]);
    Step::Sql(format!(
        "INSERT INTO ledger VALUES ({session}, {key}, {amount}), ({session}, -{key}, -{amount})"
    ))
}

fn create_table(rng: &mut Rng, model: &mut Model) -> Option<Step> {
    let name = model.free_table_name(rng)?;
    let table = Table::random(rng);
    let sql = table.create(&name);
    model.tables.insert(name, table);
    Some(Step::Sql(sql))
}

fn drop_table(rng: &mut Rng, model: &mut Model) -> Option<Step> {
    let name = model.any_table(rng).filter(|name| !model.is_read(name))?;
    model.tables.remove(&name);
    Some(Step::Sql(format!("DROP TABLE {name}")))
}

fn create_view(rng: &mut Rng, model: &mut Model) -> Option<Step> {
    let name = model.free_view_name(rng)?;
    let relations = model.tables.keys().chain(model.views.keys()).collect::<Vec<_>>();
    if relations.is_empty() {
        return None;
    }
    let view = View::random(rng, &relations);
    let sql = format!("CREATE MATERIALIZED VIEW {name} AS {}", view.query);
    model.views.insert(name, view);
    Some(Step::Sql(sql))
}

fn drop_view(rng: &mut Rng, model: &mut Model) -> Option<Step> {
    let name = model.any_view(rng).filter(|name| !model.is_read(name))?;
    model.views.remove(&name);
    Some(Step::Sql(format!("DROP MATERIALIZED VIEW {name}")))
}

fn write(rng: &mut Rng, model: &mut Model) -> Option<Step> {
    let name = model.any_table(rng)?;
    let table = model.tables.get_mut(&name)?;
    match rng.u8(..6) {
        0 if table.kind != Kind::AppendOnly => Some(update(rng, &name, table)),
        1 if table.kind != Kind::AppendOnly => Some(delete(rng, &name, table)),
        2 if table.kind == Kind::Keyed => upsert(rng, &name, table),
        _ if table.rows.len() >= ROWS && table.kind != Kind::AppendOnly => {
            table.rows.clear();
            Some(Step::Sql(format!("DELETE FROM {name}")))
        }
        _ if table.rows.len() >= ROWS => None,
        3 => copy(rng, &name, table),
        _ => insert(rng, &name, table),
    }
}

fn update(rng: &mut Rng, name: &str, table: &mut Table) -> Step {
    let (group, change) = (rng.i32(0..6), rng.i64(-9..10));
    table.rows.iter_mut().filter(|row| row.1 == group).for_each(|row| row.2 += change);
    Step::Sql(format!("UPDATE {name} SET v = v + {change} WHERE g = {group}"))
}

fn delete(rng: &mut Rng, name: &str, table: &mut Table) -> Step {
    let (group, least) = (rng.i32(0..6), rng.i64(-50..50));
    table.rows.retain(|row| row.1 != group || row.2 < least);
    Step::Sql(format!("DELETE FROM {name} WHERE g = {group} AND v >= {least}"))
}

fn upsert(rng: &mut Rng, name: &str, table: &mut Table) -> Option<Step> {
    let rows = Table { kind: Kind::Keyed, rows: Vec::new() }.new_rows(rng);
    for new in &rows {
        match table.rows.iter_mut().find(|row| row.0 == new.0) {
            Some(row) => row.2 = new.2,
            None => table.rows.push(*new),
        }
    }
    let values = values(&rows)?;
    Some(Step::Sql(format!(
        "INSERT INTO {name} (k, g, v) VALUES {values} ON CONFLICT (k) DO UPDATE SET v = excluded.v"
    )))
}

fn insert(rng: &mut Rng, name: &str, table: &mut Table) -> Option<Step> {
    let rows = table.new_rows(rng);
    let values = values(&rows)?;
    table.rows.extend(rows);
    Some(Step::Sql(format!("INSERT INTO {name} (k, g, v) VALUES {values}")))
}

fn copy(rng: &mut Rng, name: &str, table: &mut Table) -> Option<Step> {
    let rows = table.new_rows(rng);
    let data = rows.iter().map(|(k, g, v)| format!("{k}\t{g}\t{v}\n")).collect::<String>();
    table.rows.extend(rows);
    (!data.is_empty()).then(|| Step::Copy { sql: format!("COPY {name} (k, g, v) FROM STDIN"), data })
}

/// `None` if there are no rows.
fn values(rows: &[Row]) -> Option<String> {
    let rows = rows.iter().map(|(k, g, v)| format!("({k}, {g}, {v})")).collect::<Vec<_>>();
    (!rows.is_empty()).then(|| rows.join(", "))
}
