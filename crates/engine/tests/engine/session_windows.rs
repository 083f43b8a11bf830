//! SESSION against sessions that are put together by hand, after every commit.

use std::collections::BTreeMap;

use springtide_engine::{Database, Options};

use crate::common::run;

const GAP: i64 = 5;

/// Key and time of each row by its identity; a row without a time is in no session.
type Rows = BTreeMap<i64, (i64, Option<i64>)>;

/// `id start end` of every row that has a time, sorted as texts.
fn sessions(rows: &Rows) -> String {
    let mut by_key = BTreeMap::<i64, Vec<(i64, i64)>>::new();
    for (id, (key, time)) in rows {
        by_key.entry(*key).or_default().extend(time.map(|time| (time, *id)));
    }
    let mut lines = Vec::new();
    for times in by_key.values_mut() {
        times.sort_unstable();
        for session in times.chunk_by(|one, next| next.0 - one.0 <= GAP) {
            let (start, end) = (session[0].0, session[session.len() - 1].0 + GAP);
            lines.extend(session.iter().map(|(_, id)| format!("{id} {start} {end}")));
        }
    }
    lines.sort();
    lines.join(" | ")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_in_its_session_after_every_change() {
    for workers in 1..=2 {
        let database = Database::open(Options::new(workers)).unwrap();
        let mut session = database.session();
        let schema = format!(
            "CREATE TABLE t (id bigint PRIMARY KEY, k bigint, at timestamp);
            CREATE MATERIALIZED VIEW s AS
            SELECT id, window_start, window_end FROM SESSION(t, at, INTERVAL '{GAP} seconds', k)"
        );
        run(&mut session, &schema).await.unwrap();
        let mut random = fastrand::Rng::with_seed(workers as u64);
        let mut rows = Rows::new();
        for _ in 0..150 {
            let (id, key) = (random.i64(0..40), random.i64(0..3));
            let time = (random.u8(..10) > 0).then(|| random.i64(0..80));
            let at = time.map_or("NULL".to_owned(), |time| {
                format!("timestamp '1970-01-01' + {time} * interval '1 second'")
            });
            let sql = if random.u8(..4) == 0 {
                rows.retain(|known, (at_key, _)| *known != id && (*at_key != key || *known > 30));
                format!("DELETE FROM t WHERE id = {id} OR (k = {key} AND id <= 30)")
            } else {
                rows.insert(id, (key, time));
                format!(
                    "INSERT INTO t VALUES ({id}, {key}, {at})
                    ON CONFLICT (id) DO UPDATE SET k = excluded.k, at = excluded.at"
                )
            };
            run(&mut session, &sql).await.unwrap();
            let seconds = "SELECT id, extract(epoch FROM window_start)::bigint AS b, extract(epoch FROM window_end)::bigint AS e FROM s";
            assert_eq!(run(&mut session, seconds).await.unwrap(), sessions(&rows), "{sql}");
        }
        database.shutdown().await;
    }
}
