//! What the newcomer types, and what must come of it.

/// What a step must lead to.
#[derive(Clone, Copy)]
pub(crate) enum Expect {
    /// No error; rows do not matter.
    Done,
    /// Exactly these rows, their values separated by blanks.
    Rows(&'static [&'static str]),
    /// This SQLSTATE.
    Error(&'static str),
}

/// Something that is typed.
pub(crate) struct Step {
    /// The statement, without its semicolon.
    pub(crate) sql: &'static str,
    /// What follows a `COPY … FROM STDIN`, without the end mark.
    pub(crate) data: Option<&'static str>,
    /// What must come of it.
    pub(crate) expect: Expect,
}

const fn done(sql: &'static str) -> Step {
    Step { sql, data: None, expect: Expect::Done }
}

const fn rows(sql: &'static str, rows: &'static [&'static str]) -> Step {
    Step { sql, data: None, expect: Expect::Rows(rows) }
}

const fn fails(sql: &'static str, state: &'static str) -> Step {
    Step { sql, data: None, expect: Expect::Error(state) }
}

const fn copies(sql: &'static str, data: &'static str, expect: Expect) -> Step {
    Step { sql, data: Some(data), expect }
}

pub(crate) const SESSION: &[Step] = &[
    rows("SELECT 1", &["1"]),
    rows("SELECT 'hello' AS greeting, 1 + 1 AS two", &["hello 2"]),
    fails("SELCT 1", "42601"),
    fails("SELECT * FROM city", "42P01"),
    fails("SELECT nonsense(1)", "42883"),
    fails("CREATE TABLE city (id integer, name txt)", "42704"),
    fails("CREATE TABLE city (id integer, id integer)", "42701"),
    done(
        "CREATE TABLE city (id integer PRIMARY KEY, name text NOT NULL, country varchar(2), warmth numeric(5,2), people integer DEFAULT 0)",
    ),
    fails("CREATE TABLE city (id integer)", "42P07"),
    done("CREATE TABLE IF NOT EXISTS city (id integer)"),
    done(
        "INSERT INTO city VALUES (1, 'Oslo', 'NO', 10.5, 700), (2, 'Bergen', 'NO', 9, 290), (3, 'Lima', 'PE', 20, 10000)",
    ),
    fails("INSERT INTO city VALUES (1, 'Oslo again', 'NO', 0, 0)", "23505"),
    fails("INSERT INTO city (id, country) VALUES (4, 'FR')", "23502"),
    fails("INSERT INTO city (id, name, country) VALUES (4, 'Paris', 'FRA')", "22001"),
    fails("INSERT INTO city (id, name) VALUES ('four', 'Paris')", "22P02"),
    fails("INSERT INTO city (id, nam) VALUES (4, 'Paris')", "42703"),
    fails("INSERT INTO city (id, name) VALUES (4)", "42601"),
    fails("INSERT INTO town VALUES (1)", "42P01"),
    rows("SELECT count(*) FROM city", &["3"]),
    fails("SELECT nme FROM city", "42703"),
    fails("SELECT name, count(*) FROM city", "42803"),
    fails("SELECT name FROM city WHERE people = 'many'", "22P02"),
    fails("SELECT name FROM city WHERE", "42601"),
    fails("SELECT 1 / 0", "22012"),
    rows("SELECT name FROM city ORDER BY people DESC LIMIT 1", &["Lima"]),
    // Views.
    done(
        "CREATE MATERIALIZED VIEW by_country AS SELECT country, count(*) AS cities, CAST(avg(warmth) AS numeric(5,2)) AS warmth FROM city GROUP BY country",
    ),
    rows("SELECT * FROM by_country ORDER BY country", &["NO 2 9.75", "PE 1 20.00"]),
    fails("CREATE MATERIALIZED VIEW by_country AS SELECT 1 AS one", "42P07"),
    fails("CREATE MATERIALIZED VIEW broken AS SELECT missing FROM city", "42703"),
    fails("INSERT INTO by_country VALUES ('XX', 1, 1)", "42809"),
    done("CREATE MATERIALIZED VIEW warmest AS SELECT max(warmth) AS warmth FROM by_country"),
    rows("SELECT warmth FROM warmest", &["20.00"]),
    done("INSERT INTO city VALUES (4, 'Quito', 'EC', 18.5, 2700)"),
    rows("SELECT * FROM by_country ORDER BY country", &["EC 1 18.50", "NO 2 9.75", "PE 1 20.00"]),
    done("DELETE FROM city WHERE name = 'Lima'"),
    rows("SELECT warmth FROM warmest", &["18.50"]),
    // A view that cannot be maintained yet says so, and leaves nothing behind.
    fails("CREATE MATERIALIZED VIEW ranked AS SELECT now() FROM city", "0A000"),
    fails("SELECT * FROM ranked", "42P01"),
    // A row that cannot be computed puts its view, and only its view, into error until it is gone.
    done("CREATE MATERIALIZED VIEW density AS SELECT name, 1000000 / people AS density FROM city"),
    rows("SELECT name, density FROM density ORDER BY name", &["Bergen 3448", "Oslo 1428", "Quito 370"]),
    done("INSERT INTO city (id, name, country, warmth) VALUES (5, 'Atlantis', 'NO', 9.75)"),
    fails("SELECT * FROM density", "22012"),
    rows("SELECT cities FROM by_country WHERE country = 'NO'", &["3"]),
    done("UPDATE city SET people = 1 WHERE name = 'Atlantis'"),
    rows("SELECT density FROM density WHERE name = 'Atlantis'", &["1000000"]),
    done("UPDATE city SET people = 0 WHERE name = 'Atlantis'"),
    fails("SELECT count(*) FROM density", "22012"),
    done("DELETE FROM city WHERE people = 0"),
    rows("SELECT count(*) FROM density", &["3"]),
    // What others need stays.
    fails("DROP TABLE city", "2BP01"),
    fails("DROP MATERIALIZED VIEW by_country", "2BP01"),
    fails("DROP TABLE by_country", "42809"),
    fails("DROP VIEW warmest", "42809"),
    fails("DROP TABLE nowhere", "42P01"),
    done("DROP TABLE IF EXISTS nowhere"),
    done("DROP MATERIALIZED VIEW warmest"),
    // Transactions.
    done("COMMIT"),
    done("ROLLBACK"),
    done("BEGIN"),
    done("BEGIN"),
    done("INSERT INTO city VALUES (6, 'Cusco', 'PE', 11, 430)"),
    rows("SELECT name FROM city WHERE country = 'PE'", &["Cusco"]),
    fails("SELECT * FROM ciyt", "42P01"),
    fails("SELECT 1", "25P02"),
    fails("INSERT INTO city VALUES (7, 'Ica', 'PE', 20, 280)", "25P02"),
    done("COMMIT"),
    rows("SELECT count(*) FROM city WHERE country = 'PE'", &["0"]),
    done("BEGIN"),
    done("UPDATE city SET warmth = 0"),
    done("ROLLBACK"),
    rows("SELECT sum(warmth) FROM city", &["38.00"]),
    // COPY.
    fails("COPY village FROM STDIN", "42P01"),
    copies(
        "COPY city (id, name, country, warmth) FROM STDIN",
        "7\tTrujillo\tPE\t19.5\n8\tPiura\n",
        Expect::Error("22P04"),
    ),
    copies(
        "COPY city (id, name, country, warmth) FROM STDIN",
        "7\tTrujillo\tPE\twarm\n",
        Expect::Error("22P02"),
    ),
    copies("COPY city FROM STDIN", "1\tOslo\tNO\t1\t1\n", Expect::Error("23505")),
    rows("SELECT count(*) FROM city", &["3"]),
    copies("COPY city FROM STDIN WITH (FORMAT csv)", "3,Lima,PE,20,10000\n", Expect::Done),
    rows("SELECT name, people FROM city WHERE id = 3", &["Lima 10000"]),
    // Several statements at once are one transaction.
    fails("DELETE FROM city; SELECT 1 / 0", "22012"),
    rows("SELECT count(*) FROM by_country", &["3"]),
    // The end: a transaction that is never closed.
    done("BEGIN"),
    done("DELETE FROM city"),
    rows("SELECT count(*) FROM city", &["0"]),
];
