//! ASOF JOIN against a nested loop over random tables.

use std::cmp::Ordering;

use crate::common::run;
use springtide_engine::{Database, Options, Session};

const TABLES: &str = "CREATE TABLE l (id int, k int, g text, t int);
    CREATE TABLE r (k int, g text, t int, v int, w text)";

/// Few values, so that there are ties, NULLs and keys that the other side lacks.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    k: Option<i32>,
    g: Option<String>,
    t: Option<i32>,
    v: Option<i32>,
    w: Option<String>,
}

impl Row {
    fn random(random: &mut fastrand::Rng) -> Row {
        let mut number = |most: i32| (random.u8(0..8) > 0).then(|| random.i32(0..most));
        let (k, t, v) = (number(3), number(12), number(3));
        let mut text = || (random.u8(0..8) > 0).then(|| ["", "a", "ab"][random.usize(0..3)].to_owned());
        Row { k, g: text(), t, v, w: text() }
    }

    /// The order of all columns, NULLs last.
    fn cmp(&self, other: &Row) -> Ordering {
        fn key<T: Ord>(one: &Option<T>, other: &Option<T>) -> Ordering {
            one.is_none().cmp(&other.is_none()).then(one.cmp(other))
        }
        let (one, other) = (self, other);
        key(&one.k, &other.k)
            .then(key(&one.g, &other.g))
            .then(key(&one.t, &other.t))
            .then(key(&one.v, &other.v))
            .then(key(&one.w, &other.w))
    }
}

fn sql<T: ToString>(value: &Option<T>) -> String {
    value.as_ref().map_or("NULL".to_owned(), |value| format!("'{}'", value.to_string()))
}

fn shown<T: ToString>(value: Option<&T>) -> String {
    value.map_or("NULL".to_owned(), T::to_string)
}

/// What a query asks for.
struct Query {
    op: &'static str,
    keys: &'static [&'static str],
    keeps_left: bool,
    tolerance: Option<i32>,
}

impl Query {
    fn random(random: &mut fastrand::Rng) -> Query {
        let keys: [&[&str]; 4] = [&[], &["k"], &["g"], &["k", "g"]];
        Query {
            op: [">=", ">", "<=", "<"][random.usize(0..4)],
            keys: keys[random.usize(0..4)],
            keeps_left: random.bool(),
            tolerance: (random.u8(0..3) == 0).then(|| random.i32(0..4)),
        }
    }

    fn sql(&self) -> String {
        let keys = self.keys.iter().map(|key| format!("l.{key} = r.{key} AND ")).collect::<String>();
        let kind = if self.keeps_left { "LEFT " } else { "" };
        let tolerance =
            self.tolerance.map(|most| format!(" AND abs(l.t - r.t) <= {most}")).unwrap_or_default();
        let op = self.op;
        format!("SELECT l.id, r.v, r.w, r.t FROM l ASOF {kind}JOIN r ON {keys}l.t {op} r.t{tolerance}")
    }

    /// The nearest row to one of the left side.
    fn nearest<'a>(&self, left: &Row, right: &'a [Row]) -> Option<&'a Row> {
        let equal = |right: &&Row| {
            self.keys.iter().all(|key| match *key {
                "k" => left.k.is_some() && left.k == right.k,
                _ => left.g.is_some() && left.g == right.g,
            })
        };
        let reaches = |right: &&Row| match (left.t, right.t) {
            (Some(left), Some(right)) => match self.op {
                ">=" => left >= right,
                ">" => left > right,
                "<=" => left <= right,
                _ => left < right,
            },
            _ => false,
        };
        let distance = |right: &Row| (left.t.unwrap_or(0) - right.t.unwrap_or(0)).abs();
        let nearest = right.iter().filter(equal).filter(reaches);
        let nearest = nearest.max_by(|one, other| distance(other).cmp(&distance(one)).then(one.cmp(other)));
        nearest.filter(|nearest| self.tolerance.is_none_or(|most| distance(nearest) <= most))
    }

    fn answer(&self, left: &[Row], right: &[Row]) -> String {
        let mut lines = Vec::new();
        for (id, row) in left.iter().enumerate() {
            let found = self.nearest(row, right);
            if found.is_some() || self.keeps_left {
                let (v, w, t) = (found.map(|row| &row.v), found.map(|row| &row.w), found.map(|row| &row.t));
                let value = |value: Option<&Option<i32>>| shown(value.and_then(Option::as_ref));
                let text = shown(w.and_then(Option::as_ref));
                lines.push(format!("{id} {} {text} {}", value(v), value(t)));
            }
        }
        lines.sort();
        lines.join(" | ")
    }
}

async fn fill(session: &mut Session, left: &[Row], right: &[Row]) {
    run(session, "TRUNCATE l; TRUNCATE r").await.unwrap();
    for (id, row) in left.iter().enumerate() {
        let values = format!("{id}, {}, {}, {}", sql(&row.k), sql(&row.g), sql(&row.t));
        run(session, &format!("INSERT INTO l VALUES ({values})")).await.unwrap();
    }
    for row in right {
        let values = [sql(&row.k), sql(&row.g), sql(&row.t), sql(&row.v), sql(&row.w)].join(", ");
        run(session, &format!("INSERT INTO r VALUES ({values})")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_what_a_nested_loop_finds() {
    let database = Database::open(Options::new(1)).unwrap();
    let mut session = database.session();
    run(&mut session, TABLES).await.unwrap();
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..30 {
        let rows = |random: &mut fastrand::Rng| {
            let count = random.usize(0..30);
            (0..count).map(|_| Row::random(random)).collect::<Vec<_>>()
        };
        let (left, right) = (rows(&mut random), rows(&mut random));
        fill(&mut session, &left, &right).await;
        for _ in 0..20 {
            let query = Query::random(&mut random);
            let found = run(&mut session, &query.sql()).await.unwrap();
            assert_eq!(
                found,
                query.answer(&left, &right),
                "seed {seed}: {}\n{left:?}\n{right:?}",
                query.sql()
            );
        }
    }
    drop(session);
    database.shutdown().await;
}

/// Enough rows for several partitions of the left side.
#[tokio::test(flavor = "multi_thread")]
async fn many_rows_are_shared_out() {
    let database = Database::open(Options::new(2)).unwrap();
    let mut session = database.session();
    run(&mut session, "CREATE TABLE big (k int, t int)").await.unwrap();
    run(&mut session, "INSERT INTO big SELECT n % 100, n FROM generate_series(0, 99999) AS g(n)")
        .await
        .unwrap();
    let sql = "SELECT count(*), count(b.t), min(a.t - b.t), max(a.t - b.t)
        FROM big a ASOF LEFT JOIN big b ON a.k = b.k AND a.t > b.t";
    assert_eq!(run(&mut session, sql).await.unwrap(), "100000 99900 100 100");
    drop(session);
    database.shutdown().await;
}
