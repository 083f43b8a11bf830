//! What was, read back: as of a moment, as changes, and by a whole session.

use std::time::Duration;

use crate::common::{error, run};
use datafusion::common::ScalarValue;
use futures::TryStreamExt;
use springtide_engine::{Database, Options, Response, Session};
use springtide_types::SqlType;
use tempfile::TempDir;

const OPTIONS: Options = Options::new(2);

/// What happens before everything is asked again.
enum Again {
    Checkpointed,
    Reopened,
}

/// A database with a past, and moments in it: after the schema, the rows, an update and a delete.
struct Past {
    directory: TempDir,
    database: Database,
    session: Session,
    moments: Vec<String>,
}

const SCHEMA: &str = "CREATE TABLE item (id int PRIMARY KEY, kind text, price int);
    CREATE MATERIALIZED VIEW total AS SELECT kind, count(*) AS n, sum(price) AS price FROM item GROUP BY kind;
    CREATE MATERIALIZED VIEW most AS SELECT max(price) AS price FROM total;
    CREATE VIEW share AS SELECT item.id, item.price, total.price AS of_all FROM item JOIN total USING (kind)";

impl Past {
    async fn new() -> Past {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let database = Database::open_in(directory.path(), OPTIONS).expect("the database opens");
        let session = database.session();
        let mut past = Past { directory, database, session, moments: Vec::new() };
        for sql in [
            SCHEMA,
            "INSERT INTO item VALUES (1, 'a', 10), (2, 'a', 20), (3, 'b', 5)",
            "UPDATE item SET price = 25, kind = 'b' WHERE id = 2",
            "DELETE FROM item WHERE id = 1",
        ] {
            past.run(sql).await;
            past.note_moment().await;
        }
        past
    }

    async fn note_moment(&mut self) {
        let moment = self.run("SELECT now()").await;
        self.moments.push(moment);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }

    async fn run(&mut self, sql: &str) -> String {
        let sql = self.at_moments(sql);
        run(&mut self.session, &sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    async fn state(&mut self, sql: &str) -> String {
        let sql = self.at_moments(sql);
        error(&mut self.session, &sql).await.sqlstate.code().to_owned()
    }

    #[track_caller]
    fn check(answer: String, expected: &str) {
        assert_eq!(answer, expected);
    }

    /// `@2` stands for the moment of that number, and `t@2` for a relation as of it.
    fn at_moments(&self, sql: &str) -> String {
        let mut text = sql.to_owned();
        for (number, moment) in self.moments.iter().enumerate().rev() {
            text = text.replace(&format!(" @{number}"), &format!(" '{moment}'"));
            text = text.replace(&format!("@{number}"), &format!(" FOR SYSTEM_TIME AS OF '{moment}'"));
        }
        text
    }

    async fn again(mut self, again: Again) -> Past {
        if let Again::Checkpointed = again {
            self.database.checkpoint().await.expect("a checkpoint can be written");
            return self;
        }
        self.database.shutdown().await;
        drop((self.session, self.database));
        self.database = Database::open_in(self.directory.path(), OPTIONS).expect("the database opens");
        self.session = self.database.session();
        self
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn relations_are_read_as_they_were() {
    let mut past = Past::new().await;
    for again in [Again::Checkpointed, Again::Reopened, Again::Reopened] {
        Past::check(past.run("SELECT * FROM item").await, "2 b 25 | 3 b 5");
        Past::check(past.run("SELECT * FROM item@0").await, "");
        Past::check(past.run("SELECT * FROM item@1").await, "1 a 10 | 2 a 20 | 3 b 5");
        Past::check(past.run("SELECT * FROM item@2").await, "1 a 10 | 2 b 25 | 3 b 5");
        Past::check(past.run("SELECT * FROM item@3").await, "2 b 25 | 3 b 5");
        Past::check(past.run("SELECT price FROM item@1 WHERE id = 2").await, "20");
        Past::check(past.run("SELECT * FROM total@1").await, "a 2 30 | b 1 5");
        Past::check(past.run("SELECT * FROM total@2").await, "a 1 10 | b 2 30");
        Past::check(past.run("SELECT * FROM most@1").await, "30");
        Past::check(past.run("SELECT * FROM most@0").await, "NULL");
        Past::check(past.run("SELECT * FROM share@1").await, "1 10 30 | 2 20 30 | 3 5 5");
        Past::check(past.run("SELECT * FROM share").await, "2 25 30 | 3 5 30");
        past = past.again(again).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_meet_in_one_query() {
    let mut past = Past::new().await;
    let sql = "SELECT id, old.price, now.price FROM item@1 old LEFT JOIN item now USING (id)";
    Past::check(past.run(sql).await, "1 10 NULL | 2 20 25 | 3 5 5");
    let sql = "SELECT a.kind, a.n, b.n FROM total@1 a JOIN total@2 b USING (kind)";
    Past::check(past.run(sql).await, "a 2 1 | b 1 2");
    let sql = "SELECT (SELECT sum(price) FROM item) - (SELECT sum(price) FROM item@1)";
    Past::check(past.run(sql).await, "-5");
    Past::check(past.run("SELECT id FROM item@2 WHERE id NOT IN (SELECT id FROM item)").await, "1");
    past.run("CREATE VIEW first AS SELECT sum(x.price) AS price FROM share@1 AS x").await;
    Past::check(past.run("SELECT * FROM first").await, "35");
    Past::check(past.run("SELECT * FROM first@3").await, "35");
    past.run("INSERT INTO item SELECT * FROM item@1 AS old WHERE id NOT IN (SELECT id FROM item)").await;
    Past::check(past.run("SELECT * FROM total").await, "a 1 10 | b 2 30");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_read_back() {
    let mut past = Past::new().await;
    for again in [Again::Checkpointed, Again::Reopened, Again::Reopened] {
        let sql = "SELECT id, kind, price, _weight FROM changes(item, @1)";
        Past::check(past.run(sql).await, "1 a 10 -1 | 2 a 20 -1 | 2 b 25 1");
        let sql = "SELECT id, kind, price, _weight FROM changes(item, @1, @2)";
        Past::check(past.run(sql).await, "2 a 20 -1 | 2 b 25 1");
        Past::check(past.run("SELECT * FROM changes(item, @2, @1)").await, "");
        let sql = "SELECT id, sum(_weight) FROM changes(item) GROUP BY id";
        Past::check(past.run(sql).await, "1 0 | 2 1 | 3 1");
        let sql = "SELECT kind, n, price, _weight FROM changes(total, @1, @2)";
        Past::check(past.run(sql).await, "a 1 10 1 | a 2 30 -1 | b 1 5 -1 | b 2 30 1");
        let sql = "SELECT DISTINCT _epoch > @1, _epoch <= @2 FROM changes(item, @1, @2)";
        Past::check(past.run(sql).await, "true true");
        let sql = "SELECT count(*) FROM changes(item, @1) c JOIN changes(total, @1) t ON c._epoch = t._epoch";
        Past::check(past.run(sql).await, "9");
        past = past.again(again).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_sees_the_past() {
    let mut past = Past::new().await;
    past.run("SET springtide.as_of = @1").await;
    Past::check(past.run("SELECT * FROM item").await, "1 a 10 | 2 a 20 | 3 b 5");
    Past::check(past.run("SELECT price FROM item WHERE id = 2").await, "20");
    Past::check(past.run("SELECT * FROM most").await, "30");
    Past::check(past.run("SELECT * FROM share").await, "1 10 30 | 2 20 30 | 3 5 5");
    Past::check(past.run("SELECT * FROM item@3").await, "2 b 25 | 3 b 5");
    Past::check(past.run("SELECT count(*) FROM changes(item)").await, "3");
    Past::check(past.state("DELETE FROM item").await, "25006");
    past.run("RESET springtide.as_of").await;
    past.run("BEGIN; UPDATE item SET price = 0").await;
    past.run("SET springtide.as_of = @2").await;
    Past::check(past.run("SELECT sum(price) FROM item").await, "40");
    Past::check(past.run("SELECT * FROM most").await, "30");
    past.run("RESET springtide.as_of").await;
    Past::check(past.run("SELECT sum(price) FROM item").await, "0");
    Past::check(past.run("SELECT sum(price), count(*) FROM item@3").await, "30 2");
    past.run("COMMIT").await;
    Past::check(past.run("SELECT * FROM most").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_moments() {
    let mut past = Past::new().await;
    let micros = past.run("SELECT (extract(epoch FROM @1::timestamptz) * 1000000)::bigint").await;
    let micros = micros.parse().expect("a number of microseconds");
    let sql = "SELECT price FROM item FOR SYSTEM_TIME AS OF $2 WHERE id = $1";
    let statement = past.session.parse(sql).unwrap().remove(0);
    let prepared = past.session.prepare(&statement, &[]).await.unwrap();
    assert_eq!(prepared.parameters(), [SqlType::Int4, SqlType::Timestamptz]);
    for (moment, expected) in [(Some(micros), "20"), (None, "22004")] {
        let moment = ScalarValue::TimestampMicrosecond(moment, Some("+00:00".into()));
        let answer = match past.session.execute(&prepared, vec![ScalarValue::from(2_i32), moment]).await {
            Ok(Response::Rows { batches, .. }) => {
                let batches: Vec<arrow::array::RecordBatch> = batches.try_collect().await.unwrap();
                ScalarValue::try_from_array(batches[0].column(0), 0).unwrap().to_string()
            }
            Ok(_) => panic!("a SELECT answers with rows"),
            Err(error) => error.sqlstate.code().to_owned(),
        };
        assert_eq!(answer, expected);
    }
}

/// A random history: whatever was answered at a moment is answered as of it, before and after checkpoints and
/// restarts, and the changes since then lead from it to now.
#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_what_was_answered() {
    const RELATIONS: [&str; 5] = ["item", "copies", "total", "most", "share"];
    let mut past = Past::new().await;
    past.run("CREATE TABLE copies (kind text, price int)").await;
    past.moments.clear();
    past.note_moment().await;
    let mut random = fastrand::Rng::with_seed(5);
    let mut answers = Vec::new();
    for step in 0..60 {
        let (id, kind, price) = (random.i32(0..12), ["a", "b", "c"][random.usize(0..3)], random.i32(0..9));
        let sql = match random.u8(0..6) {
            0 => format!("DELETE FROM item WHERE id = {id}"),
            1 => format!("UPDATE item SET price = {price} WHERE kind = '{kind}'"),
            2 => "INSERT INTO copies SELECT kind, price FROM item".to_owned(),
            3 => format!("DELETE FROM copies WHERE kind = '{kind}' OR price = {price}"),
            _ => format!(
                "INSERT INTO item VALUES ({id}, '{kind}', {price}) ON CONFLICT (id) DO UPDATE SET price = 7"
            ),
        };
        past.run(&sql).await;
        past.note_moment().await;
        for relation in RELATIONS {
            answers.push((
                past.moments.len() - 1,
                relation,
                past.run(&format!("SELECT * FROM {relation}")).await,
            ));
        }
        match random.u8(0..15) {
            0 => past = past.again(Again::Checkpointed).await,
            1 => past = past.again(Again::Reopened).await,
            _ => {}
        }
        let moment = random.usize(0..past.moments.len());
        for (relation, columns) in
            [("item", "id, kind, price"), ("copies", "kind, price"), ("total", "kind, n, price")]
        {
            let sql = format!(
                "SELECT {columns} FROM (SELECT {columns}, 1 AS w FROM {relation}@{moment}
                    UNION ALL SELECT {columns}, _weight FROM changes({relation}, @{moment})
                    UNION ALL SELECT {columns}, -1 FROM {relation}) x
                 GROUP BY {columns} HAVING sum(w) <> 0"
            );
            assert_eq!(past.run(&sql).await, "", "{sql} after step {step}");
        }
    }
    for (moment, relation, expected) in &answers {
        let sql = format!("SELECT * FROM {relation}@{moment}");
        assert_eq!(past.run(&sql).await, *expected, "{sql}");
        past.run(&format!("SET springtide.as_of = @{moment}")).await;
        assert_eq!(past.run(&format!("SELECT * FROM {relation}")).await, *expected, "{sql}");
        past.run("RESET springtide.as_of").await;
    }
}
