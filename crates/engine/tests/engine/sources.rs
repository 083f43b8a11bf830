//! Sources: each event once, whatever happens in between.

use std::time::Duration;

use springtide_engine::{Database, Options, Session};

use crate::common::{copy_of, error, run};

const TABLES: [&str; 3] = ["person", "auction", "bid"];

/// Waits until the only source has brought all of its events.
async fn finished(session: &mut Session) {
    for _ in 0..6_000 {
        let status = run(session, "SELECT status FROM springtide_catalog.sources").await.unwrap();
        if status == "finished" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the source goes on and on: {:?}", run(session, "SELECT * FROM springtide_catalog.sources").await);
}

/// Every row of every table.
async fn contents(session: &mut Session) -> Vec<String> {
    let mut contents = Vec::new();
    for table in TABLES {
        contents.push(run(session, &format!("SELECT * FROM {table}")).await.unwrap());
    }
    contents
}

async fn counts(session: &mut Session) -> String {
    let sql = "SELECT (SELECT count(*) FROM person) AS p, (SELECT count(*) FROM auction) AS a,
        (SELECT count(*) FROM bid) AS b, (SELECT events FROM nexmark) AS events";
    run(session, sql).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn brings_as_many_events_as_were_asked_for() {
    for workers in 1..=2 {
        let database = Database::open(Options::new(workers)).unwrap();
        let mut session = database.session();
        let tag = run(&mut session, "CREATE SOURCE nexmark FROM NEXMARK (count => 10000)").await.unwrap();
        assert_eq!(tag, "CREATE SOURCE");
        let view = "CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n, max(price) AS top FROM bid";
        run(&mut session, view).await.unwrap();
        finished(&mut session).await;
        assert_eq!(counts(&mut session).await, "200 600 9200 10000");
        let query = "SELECT count(*) AS n, max(price) AS top FROM bid";
        let expected = run(&mut session, query).await.unwrap();
        assert_eq!(run(&mut session, "SELECT * FROM n").await.unwrap(), expected);
        database.shutdown().await;
    }
}

/// Whatever moment a crash picks, the source goes on with the event after the last one that is on disk.
#[tokio::test(flavor = "multi_thread")]
async fn each_event_comes_once_across_crashes() {
    const CREATE: &str = "CREATE SOURCE nexmark FROM NEXMARK (count => 30000, rate => 60000)";
    let whole = Database::open(Options::new(1)).unwrap();
    let mut session = whole.session();
    run(&mut session, CREATE).await.unwrap();
    finished(&mut session).await;
    let expected = contents(&mut session).await;
    whole.shutdown().await;

    let mut directory = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(11);
    let mut interrupted = 0;
    for part in 0..8 {
        let database = Database::open_in(directory.path(), Options::new(1 + part % 2)).unwrap();
        let mut session = database.session();
        if part == 0 {
            let view = "CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n, sum(price) AS s FROM bid";
            run(&mut session, CREATE).await.unwrap();
            run(&mut session, view).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(random.u64(5..60))).await;
        if random.bool() {
            database.checkpoint().await.unwrap();
        }
        let events = run(&mut session, "SELECT events FROM nexmark").await.unwrap();
        interrupted += usize::from(events != "30000");
        let copied = copy_of(&directory);
        database.shutdown().await;
        if random.u8(..3) > 0 {
            directory = copied;
        }
    }
    assert!(interrupted > 2, "nearly all of it came in one piece");
    let database = Database::open_in(directory.path(), Options::new(2)).unwrap();
    let mut session = database.session();
    finished(&mut session).await;
    assert!(contents(&mut session).await == expected, "other rows than in one piece");
    let query = "SELECT count(*) AS n, sum(price) AS s FROM bid";
    let expected = run(&mut session, query).await.unwrap();
    assert_eq!(run(&mut session, "SELECT * FROM n").await.unwrap(), expected);
    database.shutdown().await;
}

/// Transactions that read and write beside a source that never ends get through, and it ends when it is dropped.
#[tokio::test(flavor = "multi_thread")]
async fn others_get_through_beside_an_endless_source() {
    let database = Database::open(Options::new(2)).unwrap();
    let mut session = database.session();
    run(&mut session, "CREATE SOURCE nexmark FROM NEXMARK; CREATE TABLE seen (bids bigint)").await.unwrap();
    for _ in 0..5 {
        let tag = run(&mut session, "INSERT INTO seen SELECT count(*) FROM bid").await.unwrap();
        assert_eq!(tag, "INSERT 0 1");
    }
    let error = error(&mut session, "INSERT INTO bid SELECT * FROM bid").await;
    assert_eq!(error.sqlstate.code(), "42809");
    run(&mut session, "DROP SOURCE nexmark").await.unwrap();
    assert_eq!(run(&mut session, "SELECT * FROM springtide_catalog.sources").await.unwrap(), "");
    run(&mut session, "CREATE SOURCE nexmark FROM NEXMARK (count => 100)").await.unwrap();
    finished(&mut session).await;
    assert_eq!(counts(&mut session).await, "2 6 92 100");
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_source_that_is_rolled_back_is_left() {
    let database = Database::open(Options::new(1)).unwrap();
    let mut session = database.session();
    run(&mut session, "BEGIN; CREATE SOURCE nexmark FROM NEXMARK (count => 100)").await.unwrap();
    assert_eq!(run(&mut session, "SELECT events FROM nexmark").await.unwrap(), "0");
    run(&mut session, "ROLLBACK").await.unwrap();
    for table in TABLES {
        assert_eq!(error(&mut session, &format!("SELECT * FROM {table}")).await.sqlstate.code(), "42P01");
    }
    database.shutdown().await;
}

/// What a source has made is there as of each moment, together with how far it was.
#[tokio::test(flavor = "multi_thread")]
async fn the_past_of_a_source_agrees_with_its_tables() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open_in(directory.path(), Options::new(1)).unwrap();
    let mut session = database.session();
    run(&mut session, "CREATE SOURCE nexmark FROM NEXMARK (count => 20000, rate => 40000)").await.unwrap();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(40)).await;
        let sql =
            "SELECT (SELECT count(*) FROM person FOR SYSTEM_TIME AS OF now() - INTERVAL '20 milliseconds')
            + (SELECT count(*) FROM auction FOR SYSTEM_TIME AS OF now() - INTERVAL '20 milliseconds')
            + (SELECT count(*) FROM bid FOR SYSTEM_TIME AS OF now() - INTERVAL '20 milliseconds')
            = (SELECT events FROM nexmark FOR SYSTEM_TIME AS OF now() - INTERVAL '20 milliseconds') AS same";
        assert_eq!(run(&mut session, sql).await.unwrap(), "true");
    }
    database.shutdown().await;
}
