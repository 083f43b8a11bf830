//! What the operators of views do and hold, as it can be asked for.

use springtide_engine::{Database, Options};

use crate::common::run;

const GROUP_BY: &str = "FROM springtide_catalog.operators WHERE view = 's' AND kind = 'GroupBy'";

#[tokio::test(flavor = "multi_thread")]
async fn operators_tell_what_they_do_and_hold() {
    for workers in 1..=2 {
        let database = Database::open(Options::new(workers)).unwrap();
        let mut session = database.session();
        let schema = "CREATE TABLE t (k int, v int);
            CREATE MATERIALIZED VIEW s AS SELECT k, count(*) AS n FROM t GROUP BY k";
        run(&mut session, schema).await.unwrap();
        run(&mut session, "INSERT INTO t VALUES (1, 1), (1, 2), (2, 3); SELECT * FROM s").await.unwrap();
        let sums = format!("SELECT count(*), sum(rows_in), sum(rows_out) {GROUP_BY}");
        assert_eq!(run(&mut session, &sums).await.unwrap(), format!("{workers} 3 2"));
        let bytes = format!("SELECT sum(bytes)::bigint {GROUP_BY}");
        let few = run(&mut session, &bytes).await.unwrap().parse::<u64>().unwrap();
        assert!(few > 0);

        let more = "INSERT INTO t SELECT n, n FROM generate_series(1, 5000) AS g (n); SELECT * FROM s";
        run(&mut session, more).await.unwrap();
        let many = run(&mut session, &bytes).await.unwrap().parse::<u64>().unwrap();
        assert!(many > few + 5_000 * 4, "{many} bytes after {few}");
        let plan = run(&mut session, "EXPLAIN ANALYZE s").await.unwrap();
        assert!(plan.contains(&format!("bytes={many})")), "{plan}");
        assert!(plan.contains("(actual rows in=5003 out="), "{plan}");

        run(&mut session, "DROP MATERIALIZED VIEW s").await.unwrap();
        assert_eq!(run(&mut session, &sums).await.unwrap(), "0 NULL NULL");
        database.shutdown().await;
    }
}
