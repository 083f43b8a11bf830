//! What a database in a directory keeps: across restarts, and when the disk fails.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::common::{copy_of, error, run};
use springtide_engine::{Database, Location, Options};
use springtide_storage::{FileSystem, Files, LocalFileSystem, LogFile};
use tempfile::TempDir;

const OPTIONS: Options = Options::new(2);

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory can be made")
}

fn open(directory: &TempDir) -> Database {
    Database::open_in(directory.path(), OPTIONS).expect("the database opens")
}

/// Runs statements in a database that is opened for them and closed after them.
async fn visit(directory: &TempDir, sql: &str) -> String {
    let database = open(directory);
    let answer = run(&mut database.session(), sql).await.expect("the statements are right");
    database.shutdown().await;
    answer
}

const SCHEMA: &str = "CREATE TABLE item (id int PRIMARY KEY, name text NOT NULL, price numeric(8, 2) DEFAULT 1.50,
        at timestamptz, ok boolean);
    CREATE TABLE log (id bigint, note varchar(9)) WITH (append_only);
    CREATE VIEW dear AS SELECT * FROM item WHERE price > 2;
    CREATE MATERIALIZED VIEW total (name, n, price) AS SELECT name, count(*), sum(price) FROM dear GROUP BY name;
    CREATE MATERIALIZED VIEW top AS SELECT max(price) AS price FROM total";

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_changes_no_answer() {
    let directory = directory();
    visit(&directory, SCHEMA).await;
    visit(
        &directory,
        "INSERT INTO item VALUES (1, 'a', 10, '2020-01-01', true), (2, 'a', 2.5, NULL, NULL), (3, 'b', 7, NULL, false);
         INSERT INTO item (id, name) VALUES (4, 'cheap');
         INSERT INTO log VALUES (1, 'one'), (1, 'one'), (NULL, NULL)",
    )
    .await;
    assert_eq!(visit(&directory, "SELECT * FROM total").await, "a 2 12.50 | b 1 7.00");
    assert_eq!(visit(&directory, "SELECT id, price FROM item WHERE id = 4").await, "4 1.50");
    assert_eq!(visit(&directory, "SELECT * FROM log").await, "1 one | 1 one | NULL NULL");

    visit(&directory, "UPDATE item SET price = price + 1 WHERE id = 3; DELETE FROM item WHERE id = 1").await;
    assert_eq!(visit(&directory, "SELECT * FROM total").await, "a 1 2.50 | b 1 8.00");
    assert_eq!(visit(&directory, "SELECT * FROM top").await, "8.00");

    visit(&directory, "BEGIN; INSERT INTO item VALUES (9, 'z', 99); ROLLBACK").await;
    visit(&directory, "DROP MATERIALIZED VIEW top; CREATE TABLE other (a int); INSERT INTO other VALUES (5)")
        .await;
    visit(
        &directory,
        "BEGIN; CREATE MATERIALIZED VIEW top AS SELECT min(price) AS price FROM total;
        INSERT INTO other VALUES (6); DROP TABLE log; COMMIT",
    )
    .await;
    assert_eq!(visit(&directory, "SELECT * FROM top").await, "2.50");
    assert_eq!(visit(&directory, "SELECT * FROM other").await, "5 | 6");
    let database = open(&directory);
    let mut session = database.session();
    assert_eq!(error(&mut session, "SELECT * FROM log").await.sqlstate.code(), "42P01");
    assert_eq!(error(&mut session, "INSERT INTO item VALUES (2, 'again')").await.sqlstate.code(), "23505");
    assert_eq!(error(&mut session, "INSERT INTO item (id) VALUES (7)").await.sqlstate.code(), "23502");
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_and_what_uses_them_come_back() {
    let directory = directory();
    visit(
        &directory,
        "CREATE FUNCTION twice(int) RETURNS int LANGUAGE SQL AS 'SELECT $1 * 2';
         CREATE TABLE t (a int, b int DEFAULT twice(21));
         CREATE MATERIALIZED VIEW v AS SELECT twice(a) AS a, b FROM t",
    )
    .await;
    visit(&directory, "INSERT INTO t (a) VALUES (1), (2)").await;
    assert_eq!(visit(&directory, "SELECT * FROM v").await, "2 42 | 4 42");
    assert_eq!(visit(&directory, "SELECT twice(3)").await, "6");
    visit(&directory, "DROP MATERIALIZED VIEW v; DROP TABLE t; DROP FUNCTION twice").await;
    let database = open(&directory);
    assert_eq!(error(&mut database.session(), "SELECT twice(3)").await.sqlstate.code(), "42883");
    database.shutdown().await;
}

/// A random history with checkpoints in it, reopened after each of its parts, with and without a proper end and with
/// other numbers of workers: everything is as a database in memory has it.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_comes_back_as_it_was() {
    let mut directory = directory();
    let memory = Database::open(OPTIONS).unwrap();
    let mut expected = memory.session();
    let schema = "CREATE TABLE t (k int PRIMARY KEY, g int, v bigint);
        CREATE TABLE log (k int, v bigint);
        CREATE MATERIALIZED VIEW s AS SELECT g, count(*) AS n, sum(v) AS v, max(v) AS most FROM t GROUP BY g;
        CREATE MATERIALIZED VIEW j AS SELECT s.g, s.n, log.v FROM s LEFT JOIN log ON log.k = s.g";
    run(&mut expected, schema).await.unwrap();
    visit(&directory, schema).await;
    let mut random = fastrand::Rng::with_seed(3);
    for part in 0..9 {
        let database = Database::open_in(directory.path(), Options::new(1 + part % 3)).unwrap();
        let mut session = database.session();
        for query in ["SELECT * FROM t", "SELECT * FROM s", "SELECT * FROM log", "SELECT * FROM j"] {
            let answer = run(&mut session, query).await.unwrap();
            assert_eq!(answer, run(&mut expected, query).await.unwrap(), "{query} after part {part}");
        }
        for _ in 0..60 {
            let (key, group, value) = (random.i32(0..40), random.i32(0..5), random.i64(-50..50));
            let sql = match random.u8(0..7) {
                0 => format!("DELETE FROM t WHERE k = {key}"),
                1 => format!("UPDATE t SET v = v + {value} WHERE g = {group}"),
                2 => format!(
                    "BEGIN; DELETE FROM t WHERE k = {key}; INSERT INTO t VALUES ({key}, {group}, {value}); COMMIT"
                ),
                3 => format!("INSERT INTO log VALUES ({group}, {value}), ({group}, {value})"),
                4 => format!("DELETE FROM log WHERE k = {group} AND v > {value}"),
                _ => format!(
                    "INSERT INTO t SELECT {key}, {group}, {value} WHERE NOT EXISTS (SELECT 1 FROM t WHERE k = {key})"
                ),
            };
            assert_eq!(run(&mut session, &sql).await, run(&mut expected, &sql).await, "{sql}");
            if random.u8(0..20) == 0 {
                database.checkpoint().await.unwrap();
            }
        }
        let extra =
            format!("CREATE MATERIALIZED VIEW extra{part} AS SELECT count(*) AS n FROM j WHERE v > {part}");
        run(&mut session, &extra).await.unwrap();
        if part > 1 {
            run(&mut session, &format!("DROP MATERIALIZED VIEW extra{}", part - 2)).await.unwrap();
        }
        let copied = copy_of(&directory);
        database.shutdown().await;
        if random.bool() {
            directory = copied;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_belongs_to_one_process() {
    let directory = directory();
    let database = open(&directory);
    let Err(error) = Database::open_in(directory.path(), OPTIONS) else { panic!("it was opened twice") };
    assert_eq!(error.sqlstate.code(), "55006");
    database.shutdown().await;
    drop(database);
    open(&directory).shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_named_and_left_alone() {
    let directory = directory();
    visit(&directory, "CREATE TABLE t (a int); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)").await;
    let wal = directory.path().join("wal");
    let segment = std::fs::read_dir(&wal).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let Err(error) = Database::open_in(directory.path(), OPTIONS) else {
        panic!("the damage was not noticed")
    };
    assert_eq!(error.sqlstate.code(), "XX001");
    assert!(error.message.contains(&segment.display().to_string()), "{}", error.message);
    assert!(error.message.contains("at byte 24"), "{}", error.message);
    assert_eq!(std::fs::read(&segment).unwrap(), bytes);
}

/// The real file system until `full` is set.
#[derive(Clone, Debug)]
struct Disk {
    full: Arc<AtomicBool>,
    /// Whole files that still find their place.
    puts_left: Arc<AtomicU64>,
    /// How often the log was synced.
    syncs: Arc<AtomicU64>,
}

impl Default for Disk {
    fn default() -> Disk {
        Disk { full: Arc::default(), puts_left: Arc::new(AtomicU64::new(u64::MAX)), syncs: Arc::default() }
    }
}

impl Disk {
    fn check(&self) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

struct DiskFile(Disk, Box<dyn LogFile>);

impl Files for Disk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        LocalFileSystem.create_directory(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        LocalFileSystem.list(directory)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        LocalFileSystem.read(path)
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        if self
            .puts_left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_err()
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        LocalFileSystem.put(path, bytes)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalFileSystem.remove(path)
    }
}

impl FileSystem for Disk {
    fn append_to(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(DiskFile(self.clone(), LocalFileSystem.append_to(path)?)))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        LocalFileSystem.sync_directory(path)
    }
}

impl LogFile for DiskFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        // A full disk takes what it still can.
        self.1.write_all(if self.0.check().is_ok() { bytes } else { &bytes[..bytes.len() / 2] })?;
        self.0.check()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.check()?;
        self.0.syncs.fetch_add(1, Ordering::SeqCst);
        self.1.sync()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.1.truncate(length)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_write_reads_go_on_and_writes_are_refused() {
    let directory = directory();
    let disk = Disk::default();
    let database =
        Database::open_at(&Location::on(Arc::new(disk.clone()), directory.path()), OPTIONS).unwrap();
    let mut session = database.session();
    let schema =
        "CREATE TABLE t (a int PRIMARY KEY); CREATE MATERIALIZED VIEW v AS SELECT sum(a) AS s FROM t";
    run(&mut session, schema).await.unwrap();
    run(&mut session, "INSERT INTO t VALUES (1), (2)").await.unwrap();
    disk.full.store(true, Ordering::SeqCst);
    let failed = error(&mut session, "INSERT INTO t VALUES (3)").await;
    assert_eq!(failed.sqlstate.code(), "53100");
    assert!(failed.hint.is_some());
    disk.full.store(false, Ordering::SeqCst);
    for refused in
        ["INSERT INTO t VALUES (4)", "DELETE FROM t", "CREATE TABLE u (a int)", "DROP MATERIALIZED VIEW v"]
    {
        assert_eq!(error(&mut session, refused).await.sqlstate.code(), "58030", "{refused}");
    }
    assert_eq!(run(&mut session, "SELECT * FROM t").await.unwrap(), "1 | 2");
    assert_eq!(run(&mut session, "SELECT * FROM v").await.unwrap(), "3");
    drop(session);
    database.shutdown().await;
    drop(database);
    assert_eq!(visit(&directory, "SELECT * FROM t").await, "1 | 2");
    assert_eq!(visit(&directory, "INSERT INTO t VALUES (3); SELECT * FROM v").await, "6");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_not_waited_for_is_synced_soon() {
    let directory = directory();
    let disk = Disk::default();
    let database =
        Database::open_at(&Location::on(Arc::new(disk.clone()), directory.path()), OPTIONS).unwrap();
    let syncs = || disk.syncs.load(Ordering::SeqCst);
    let mut session = database.session();
    let schema =
        "CREATE TABLE t (a int PRIMARY KEY); CREATE MATERIALIZED VIEW v AS SELECT sum(a) AS s FROM t";
    run(&mut session, schema).await.unwrap();
    // Every commit is synced before it is acknowledged.
    for value in 0..5 {
        let before = syncs();
        run(&mut session, &format!("INSERT INTO t VALUES ({value})")).await.unwrap();
        assert_eq!(syncs(), before + 1);
    }
    run(&mut session, "SET synchronous_commit = off").await.unwrap();
    let before = syncs();
    for value in 5..2000 {
        run(&mut session, &format!("INSERT INTO t VALUES ({value})")).await.unwrap();
    }
    assert_eq!(run(&mut session, "SELECT * FROM v").await.unwrap(), "1999000");
    assert!(syncs() < before + 500, "{} syncs", syncs() - before);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let idle = syncs();
    assert!(idle > before, "it was synced");
    // What is not a commit of rows is waited for all the same.
    run(&mut session, "CREATE TABLE u (a int)").await.unwrap();
    assert_eq!(syncs(), idle + 1);
    // One that waits takes those before it along.
    run(&mut session, "INSERT INTO u VALUES (1)").await.unwrap();
    run(&mut session, "BEGIN; SET LOCAL synchronous_commit = on; INSERT INTO u VALUES (2); COMMIT")
        .await
        .unwrap();
    assert!(syncs() > idle + 1);
    assert_eq!(run(&mut session, "SHOW synchronous_commit").await.unwrap(), "off");
    disk.full.store(true, Ordering::SeqCst);
    assert_eq!(error(&mut session, "INSERT INTO u VALUES (3)").await.sqlstate.code(), "53100");
    disk.full.store(false, Ordering::SeqCst);
    drop(session);
    database.shutdown().await;
    assert_eq!(visit(&directory, "SELECT * FROM u").await, "1 | 2");
    assert_eq!(visit(&directory, "SELECT count(*) FROM t").await, "2000");
}

/// A copy of a sample directory. Directories that older versions wrote stay readable: a new format gets a new sample, and
/// keeps the others.
fn sample(format: &str) -> TempDir {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(format);
    copy_of(&data)
}

/// Written before there were checkpoints: the log is all there is.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_in_format_1_opens() {
    let directory = sample("format-1");
    for (query, answer) in [
        (
            "SELECT id, b, s, l, r, d, n, t, v, length(y) FROM everything WHERE id = 1",
            "1 true -2 100 1.5 2.5 123456.789 tide ebb 2",
        ),
        (
            "SELECT day::text, ts::text, tz::text, i::text, y::text FROM everything WHERE id = 1",
            "2020-02-29 2020-02-29 12:30:00.5 2020-02-29 10:30:00+00 1 mon 2 days 03:04:05 \\x00ff",
        ),
        ("SELECT id, l, t, b, y FROM everything WHERE id > 1", "2 42 mostly null NULL NULL"),
        ("SELECT id FROM known", "1"),
        ("SELECT what FROM log", "one | one"),
        ("SELECT * FROM sums", "2 284 123456.789"),
        ("SELECT * FROM of_sums", "3"),
        ("INSERT INTO everything (id, t) VALUES (4, 'more'); SELECT n, l FROM sums", "3 368"),
    ] {
        assert_eq!(visit(&directory, query).await, answer, "{query}");
    }
}

/// Numbers from 0 to 999 in a table `n`.
const NUMBERS: &str = "CREATE TABLE digit (d int);
    INSERT INTO digit VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
    CREATE TABLE n (n int);
    INSERT INTO n SELECT a.d * 100 + b.d * 10 + c.d FROM digit a, digit b, digit c";

/// The files below a directory, by their paths from there.
fn files_below(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(next) = pending.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                pending.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// Small files of changes are put together, also where a base was written between them.
#[tokio::test(flavor = "multi_thread")]
async fn a_base_and_the_files_around_it_hold_each_change_once() {
    let directory = directory();
    visit(&directory, NUMBERS).await;
    let database = open(&directory);
    let mut session = database.session();
    run(&mut session, "CREATE TABLE t (k int PRIMARY KEY, v int); INSERT INTO t SELECT n, 0 FROM n")
        .await
        .unwrap();
    for _ in 0..40 {
        run(&mut session, "UPDATE t SET v = v + 1").await.unwrap();
    }
    database.checkpoint().await.unwrap();
    let written = files_below(&directory.path().join("history"));
    assert!(written.iter().any(|path| path.to_string_lossy().contains("base")), "{written:?}");
    // So many rows that no other base is due for long.
    let more = "INSERT INTO t SELECT 1000 + n.n * 100 + a.d * 10 + b.d, 40 FROM n, digit a, digit b";
    run(&mut session, more).await.unwrap();
    for key in -10..0 {
        run(&mut session, &format!("INSERT INTO t VALUES ({key}, 40)")).await.unwrap();
        database.checkpoint().await.unwrap();
    }
    database.shutdown().await;
    let query = "SELECT count(*), count(DISTINCT k), sum(v) FROM t";
    assert_eq!(visit(&directory, query).await, "101010 101010 4040400");
}

/// A DROP that could not be written has dropped nothing, also where the view lags behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_outlives_a_drop_that_failed() {
    let directory = directory();
    visit(&directory, NUMBERS).await;
    let disk = Disk::default();
    let database =
        Database::open_at(&Location::on(Arc::new(disk.clone()), directory.path()), OPTIONS).unwrap();
    let mut session = database.session();
    let schema = "CREATE TABLE t (a int, b int);
        CREATE MATERIALIZED VIEW v AS SELECT x.b, count(*) AS n FROM t x JOIN t y ON x.b = y.b GROUP BY x.b";
    run(&mut session, schema).await.unwrap();
    database.wait_until_current().await.unwrap();
    run(&mut session, "INSERT INTO t SELECT n, n % 2 FROM n").await.unwrap();
    run(&mut session, "INSERT INTO t SELECT n, n % 2 FROM n").await.unwrap();
    disk.full.store(true, Ordering::SeqCst);
    assert_eq!(error(&mut session, "DROP MATERIALIZED VIEW v").await.sqlstate.code(), "53100");
    let read = run(&mut session, "SELECT * FROM v");
    let answer = tokio::time::timeout(Duration::from_secs(60), read).await.expect("the view answers");
    assert_eq!(answer.unwrap(), "0 1000000 | 1 1000000");
    database.shutdown().await;
}

/// What an interrupted or failed checkpoint leaves behind takes up room only until the next one.
#[tokio::test(flavor = "multi_thread")]
async fn unfinished_files_are_removed() {
    let directory = directory();
    visit(&directory, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;
    let unfinished = [
        "manifest/00000000000000000007.json.unfinished",
        "history/t.0/00000000000000000007-0.parquet.unfinished",
    ];
    for name in unfinished {
        std::fs::create_dir_all(directory.path().join(name).parent().unwrap()).unwrap();
        std::fs::write(directory.path().join(name), "{").unwrap();
    }
    visit(&directory, "INSERT INTO t VALUES (2)").await;
    let left = files_below(directory.path());
    assert!(!left.iter().any(|path| path.to_string_lossy().ends_with("unfinished")), "{left:?}");
}

/// A full disk must not be filled further by one attempt after the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_fails_leaves_no_files_behind() {
    let directory = directory();
    let disk = Disk::default();
    let database =
        Database::open_at(&Location::on(Arc::new(disk.clone()), directory.path()), OPTIONS).unwrap();
    let mut session = database.session();
    run(&mut session, "CREATE TABLE t (a int); CREATE TABLE u (a int)").await.unwrap();
    run(&mut session, "INSERT INTO t VALUES (1); INSERT INTO u VALUES (1)").await.unwrap();
    database.checkpoint().await.unwrap();
    let history = directory.path().join("history");
    let before = files_below(&history);
    for value in 2..6 {
        run(&mut session, &format!("INSERT INTO t VALUES ({value}); INSERT INTO u VALUES ({value})"))
            .await
            .unwrap();
        // The file of one table still finds its place, that of the other does not.
        disk.puts_left.store(1, Ordering::SeqCst);
        assert_eq!(database.checkpoint().await.unwrap_err().sqlstate.code(), "53100");
        assert_eq!(files_below(&history), before);
    }
    disk.puts_left.store(u64::MAX, Ordering::SeqCst);
    database.checkpoint().await.unwrap();
    database.shutdown().await;
    assert_eq!(visit(&directory, "SELECT count(*), sum(t.a) FROM t JOIN u ON t.a = u.a").await, "5 15");
}

/// A damaged file of the past costs the past in it. Commits, checkpoints and starts go on.
#[tokio::test(flavor = "multi_thread")]
async fn damage_to_the_past_of_a_view_stops_no_checkpoint() {
    let directory = directory();
    visit(
        &directory,
        "CREATE TABLE t (a int); CREATE MATERIALIZED VIEW v AS SELECT a, count(*) AS n FROM t GROUP BY a",
    )
    .await;
    visit(&directory, "INSERT INTO t VALUES (1), (2), (2)").await;
    let of_view = |path: &std::path::PathBuf| path.to_string_lossy().contains("/v.");
    let file = files_below(&directory.path().join("history"))
        .into_iter()
        .find(of_view)
        .expect("the view has a file");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[7] ^= 4;
    std::fs::write(&file, bytes).unwrap();
    let database = open(&directory);
    let mut session = database.session();
    for value in 3..15 {
        run(&mut session, &format!("INSERT INTO t VALUES ({value})")).await.unwrap();
        database.checkpoint().await.unwrap();
    }
    database.shutdown().await;
    assert_eq!(visit(&directory, "SELECT count(*), sum(n) FROM v").await, "14 15");
}

/// Equal errors of an epoch are one, however many rows cause them.
#[tokio::test(flavor = "multi_thread")]
async fn errors_take_little_room_in_a_manifest() {
    let directory = directory();
    visit(&directory, NUMBERS).await;
    visit(&directory, "CREATE TABLE z (a int); INSERT INTO z SELECT 0 FROM n").await;
    visit(&directory, "CREATE MATERIALIZED VIEW v AS SELECT 1 / a AS x FROM z").await;
    let database = open(&directory);
    assert_eq!(error(&mut database.session(), "SELECT * FROM v").await.sqlstate.code(), "22012");
    database.shutdown().await;
    let manifests = files_below(&directory.path().join("manifest"));
    let length = std::fs::metadata(manifests.last().unwrap()).unwrap().len();
    assert!(length < 10_000, "{length} bytes");
}

/// A checkpoint that waits for a view holds up no shutdown.
#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_does_not_wait_for_a_view_that_hydrates() {
    let directory = directory();
    visit(&directory, NUMBERS).await;
    visit(&directory, "CREATE TABLE t (a int); INSERT INTO t SELECT x.n * 20 + y.d FROM n x, digit y").await;
    let database = open(&directory);
    let mut session = database.session();
    let view = "CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM t x JOIN t y ON x.a <> y.a
        JOIN t z ON z.a % 2 = x.a % 2";
    run(&mut session, view).await.unwrap();
    let checkpointed = database.clone();
    let checkpoint = tokio::spawn(async move { checkpointed.checkpoint().await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let shutdown = tokio::time::timeout(Duration::from_secs(20), database.shutdown()).await;
    shutdown.expect("the database shuts down");
    assert_eq!(checkpoint.await.unwrap().unwrap_err().sqlstate.code(), "57P01");
}

/// A name that is longer than a file's may be is no reason to write no checkpoints.
#[tokio::test(flavor = "multi_thread")]
async fn long_names_are_no_obstacle() {
    let directory = directory();
    let database = open(&directory);
    let mut session = database.session();
    let name = "n".repeat(300);
    run(&mut session, &format!("CREATE TABLE {name} (a int); INSERT INTO {name} VALUES (1)")).await.unwrap();
    database.checkpoint().await.unwrap();
    database.shutdown().await;
    assert_eq!(visit(&directory, &format!("SELECT * FROM {name}")).await, "1");
}

/// A function that suits a call better and came later changes no view.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_keeps_to_the_functions_that_it_was_made_with() {
    let directory = directory();
    visit(
        &directory,
        "CREATE FUNCTION one(bigint) RETURNS int RETURN 1;
         CREATE TABLE t (a int);
         CREATE VIEW p AS SELECT one(a) AS x FROM t;
         CREATE MATERIALIZED VIEW v AS SELECT one(a) AS x FROM t;
         CREATE MATERIALIZED VIEW w AS SELECT x FROM p;
         INSERT INTO t VALUES (5)",
    )
    .await;
    visit(&directory, "CREATE FUNCTION one(int) RETURNS int RETURN 2").await;
    for query in ["SELECT * FROM v", "SELECT * FROM w"] {
        assert_eq!(visit(&directory, query).await, "1", "{query}");
    }
    visit(&directory, "INSERT INTO t VALUES (6)").await;
    for query in ["SELECT * FROM v", "SELECT * FROM w"] {
        assert_eq!(visit(&directory, query).await, "1 | 1", "{query}");
    }
}

/// Two manifests, with a snapshot, and commits after the second.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_in_format_2_opens() {
    let directory = sample("format-2");
    let then = "FOR SYSTEM_TIME AS OF '2026-11-23 06:46:28.127689+00'";
    let past = |query: &str| query.replace("@then", then);
    for (query, answer) in [
        (
            "SELECT id, b, s, l, r, d, n, t, v, length(y) FROM everything WHERE id = 1",
            "1 true -2 101 1.5 2.5 123456.789 tide ebb 2",
        ),
        (
            "SELECT day::text, ts::text, tz::text, i::text, y::text FROM everything @then WHERE id = 1",
            "2020-02-29 2020-02-29 12:30:00.5 2020-02-29 10:30:00+00 1 mon 2 days 03:04:05 \\x00ff",
        ),
        ("SELECT id, l, t FROM everything @then", "1 100 tide | 2 42 mostly null | 3 0 "),
        ("SELECT id, l FROM everything", "1 101 | 2 42"),
        ("SELECT what FROM log", "one | one | two"),
        ("SELECT what FROM log @then", "one | one"),
        ("SELECT * FROM sums", "2 286"),
        ("SELECT * FROM sums @then", "3 284"),
        ("SELECT r FROM ratio", "0 | 2"),
        ("SELECT a FROM later", "7"),
        ("SHOW SNAPSHOTS", "early 2026-11-23T06:46:28.127689Z"),
        ("INSERT INTO everything (id, l) VALUES (4, 7); SELECT l FROM sums", "300"),
    ] {
        assert_eq!(visit(&directory, &past(query)).await, answer, "{query}");
    }
    let database = open(&directory);
    let failed = error(&mut database.session(), &past("SELECT r FROM ratio @then")).await;
    assert_eq!(failed.sqlstate.code(), "22012");
    database.shutdown().await;
}

/// The log has commits that nobody waited for, and room behind its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_in_format_3_opens() {
    let directory = sample("format-3");
    let then = "FOR SYSTEM_TIME AS OF '2026-11-23 09:42:00.961761+00'";
    let past = |query: &str| query.replace("@then", then);
    for (query, answer) in [
        (
            "SELECT id, b, s, l, r, d, n, t, v, length(y) FROM everything WHERE id = 1",
            "1 true -2 101 1.5 2.5 123456.789 tide ebb 2",
        ),
        ("SELECT id, l, t FROM everything @then", "1 100 tide | 2 42 mostly null"),
        ("SELECT id, l FROM everything", "1 101 | 2 42 | 3 7"),
        ("SELECT what FROM log", "not waited for | one | one | waited for"),
        ("SELECT what FROM log @then", "one | one"),
        ("SELECT * FROM sums", "3 150"),
        ("SELECT * FROM sums @then", "2 142"),
        ("SELECT * FROM of_sums", "4"),
        ("SELECT a FROM later", "7"),
        ("SHOW SNAPSHOTS", "early 2026-11-23T09:42:00.961761Z"),
        ("INSERT INTO everything (id, l) VALUES (4, 7); SELECT l FROM sums", "157"),
        ("SELECT l FROM sums", "157"),
    ] {
        assert_eq!(visit(&directory, &past(query)).await, answer, "{query}");
    }
}
