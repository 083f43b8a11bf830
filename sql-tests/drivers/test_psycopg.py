"""psycopg 3: what its own documentation shows, and how it asks the catalogue about types."""

import asyncio
import datetime as dt
import decimal
import threading
import time
import uuid

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import class_row, dict_row, namedtuple_row, scalar_row
from psycopg.types import TypeInfo
from psycopg.types.enum import EnumInfo
from psycopg.types.json import Json, Jsonb
from psycopg_pool import ConnectionPool

UTC = dt.timezone.utc
UUID = uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")

# SQL type, and values that must come back as they were sent.
VALUES = [
    ("boolean", [True, False, None]),
    ("smallint", [-32768, 32767]),
    ("integer", [-(2**31), 2**31 - 1]),
    ("bigint", [-(2**63), 2**63 - 1]),
    ("real", [1.5, float("inf")]),
    ("double precision", [0.1, -1e300, float("-inf")]),
    ("numeric", [decimal.Decimal("123456789.000001"), decimal.Decimal("-0.5"), decimal.Decimal("0")]),
    ("numeric(10, 2)", [decimal.Decimal("12.50")]),
    ("text", ["", "naïve ☃ '\"\\", "line\nbreak"]),
    ("varchar(20)", ["twenty"]),
    ("bytea", [b"", b"\x00\x01\xff"]),
    ("date", [dt.date(1, 1, 1), dt.date(2026, 2, 28), dt.date(9999, 12, 31)]),
    ("time", [dt.time(0, 0), dt.time(23, 59, 59, 999999)]),
    ("timestamp", [dt.datetime(2026, 1, 2, 3, 4, 5, 678901), dt.datetime(1969, 12, 31, 23, 59, 59)]),
    ("timestamptz", [dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)]),
    ("interval", [dt.timedelta(days=3, seconds=4, microseconds=5), dt.timedelta(days=-1)]),
    ("uuid", [UUID]),
    ("integer[]", [[1, 2, None], []]),
    ("bigint[]", [[2**40]]),
    ("text[]", [["a", "b,c", '"', "{}", "", None]]),
    ("numeric[]", [[decimal.Decimal("1.50")]]),
    ("boolean[]", [[True, False]]),
    ("double precision[]", [[0.5, -1.0]]),
    ("date[]", [[dt.date(2026, 1, 1)]]),
    ("timestamptz[]", [[dt.datetime(2026, 1, 1, tzinfo=UTC)]]),
    ("uuid[]", [[UUID]]),
]


@pytest.fixture
def db():
    with psycopg.connect(autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("sql_type, values", VALUES, ids=[sql_type for sql_type, _ in VALUES])
def test_values_come_back(db, sql_type, values, binary):
    cursor = db.cursor(binary=binary)
    placeholder = "%b" if binary else "%t"
    for value in values:
        [back] = cursor.execute(f"SELECT {placeholder}::{sql_type}", [value]).fetchone()
        assert back == value and type(back) is type(value)


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_values_in_tables(db, binary):
    columns = ", ".join(f"c{i} {sql_type}" for i, (sql_type, _) in enumerate(VALUES))
    db.execute(f"CREATE TABLE kept (id integer PRIMARY KEY, {columns})")
    row = [values[0] for _, values in VALUES]
    places = ", ".join(["%s"] * (len(row) + 1))
    db.execute(f"INSERT INTO kept VALUES ({places})", [1, *row])
    cursor = db.cursor(binary=binary)
    assert list(cursor.execute("SELECT * FROM kept").fetchone()) == [1, *row]
    assert [column.name for column in cursor.description][:2] == ["id", "c0"]
    db.execute("DROP TABLE kept")


def test_json(db):
    document = {"a": [1, 2.5, None, True], "b": {"c": "☃"}}
    for wrapper, name in (Json, "json"), (Jsonb, "jsonb"):
        for binary in False, True:
            cursor = db.cursor(binary=binary)
            assert cursor.execute(f"SELECT %s::{name}", [wrapper(document)]).fetchone() == (document,)
    assert db.execute("SELECT %s->'a'->>0", [Jsonb(document)]).fetchone() == ("1",)


def test_parameters_without_casts(db):
    db.execute("CREATE TABLE plain (i integer, b bigint, n numeric, t text, d date, z timestamptz, f float8)")
    now = dt.datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
    row = (1, 2, decimal.Decimal("3.5"), "four", dt.date(2026, 5, 5), now, 6.5)
    db.execute("INSERT INTO plain VALUES (%s, %s, %s, %s, %s, %s, %s)", row)
    for column, value in zip("ibntdzf", row):
        found = db.execute(f"SELECT count(*) FROM plain WHERE {column} = %s", [value]).fetchone()
        assert found == (1,), column
    assert db.execute("SELECT * FROM plain WHERE i = ANY(%s)", [[1, 7]]).fetchone() == row
    assert db.execute("SELECT count(*) FROM plain WHERE d < %s", [now.date()]).fetchone() == (1,)
    assert db.execute("SELECT z - %s FROM plain", [dt.timedelta(hours=1)]).fetchone()[0].hour == 6
    assert db.execute("SELECT t FROM plain LIMIT %s OFFSET %s", [5, 0]).fetchall() == [("four",)]
    assert db.execute("SELECT t FROM plain WHERE t IS NOT DISTINCT FROM %s", [None]).fetchall() == []
    db.execute("DROP TABLE plain")


def test_rows_as_asked(db):
    class Pair:
        def __init__(self, a, b):
            self.a, self.b = a, b

    query = "SELECT 1 AS a, 'x' AS b"
    assert db.cursor(row_factory=dict_row).execute(query).fetchone() == {"a": 1, "b": "x"}
    assert db.cursor(row_factory=namedtuple_row).execute(query).fetchone().b == "x"
    assert db.cursor(row_factory=scalar_row).execute(query).fetchone() == 1
    assert db.cursor(row_factory=class_row(Pair)).execute(query).fetchone().b == "x"


def test_many(db):
    db.execute("CREATE TABLE many (id integer PRIMARY KEY, name text)")
    with db.cursor() as cursor:
        cursor.executemany("INSERT INTO many VALUES (%s, %s)", [(i, f"n{i}") for i in range(500)])
        assert cursor.rowcount == 500
        cursor.executemany(
            "INSERT INTO many VALUES (%s, %s) RETURNING id", [(i, "r") for i in range(500, 503)], returning=True
        )
        returned = [cursor.fetchone()]
        while cursor.nextset():
            returned.append(cursor.fetchone())
    assert returned == [(500,), (501,), (502,)]
    assert db.execute("SELECT count(*) FROM many").fetchone() == (503,)
    assert db.execute("UPDATE many SET name = 'x' WHERE id < 10").rowcount == 10
    assert db.execute("DELETE FROM many WHERE id >= 400").statusmessage == "DELETE 103"
    db.execute("DROP TABLE many")


def test_prepared(db):
    db.prepare_threshold = 1
    for i in range(10):
        assert db.execute("SELECT %s::int * 2", [i]).fetchone() == (2 * i,)
    names = db.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert names[0] >= 1
    db.execute("CREATE TABLE changing (a integer)")
    db.execute("INSERT INTO changing VALUES (1)")
    for _ in range(3):
        assert db.execute("SELECT * FROM changing", prepare=True).fetchone() == (1,)
    db.execute("DEALLOCATE ALL")
    db.execute("DROP TABLE changing")
    cursor = db.execute("SELECT %s::int", [1], prepare=False)
    assert cursor.fetchone() == (1,)


def test_copy(db):
    db.execute("CREATE TABLE copied (id integer, name text, at timestamptz, price numeric)")
    rows = [(1, "one\t\\", dt.datetime(2026, 1, 1, tzinfo=UTC), decimal.Decimal("1.5")), (2, None, None, None)]
    with db.cursor() as cursor:
        with cursor.copy("COPY copied FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        with cursor.copy("COPY copied FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int4", "text", "timestamptz", "numeric"])
            for row in rows:
                copy.write_row(row)
        assert cursor.rowcount == 2
        with cursor.copy("COPY copied (id, name) FROM STDIN WITH (FORMAT CSV, HEADER)") as copy:
            copy.write("id,name\n3,\"a,b\"\n")
        with cursor.copy("COPY (SELECT * FROM copied ORDER BY id) TO STDOUT") as copy:
            copy.set_types(["int4", "text", "timestamptz", "numeric"])
            assert list(copy.rows()) == [rows[0], rows[0], rows[1], rows[1], (3, "a,b", None, None)]
        with cursor.copy("COPY copied TO STDOUT (FORMAT BINARY)") as copy:
            copy.set_types(["int4", "text", "timestamptz", "numeric"])
            assert len(list(copy.rows())) == 5
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            with cursor.copy("COPY copied FROM STDIN") as copy:
                copy.write("not a number\tx\t\\N\t\\N\n")
        with pytest.raises(psycopg.errors.QueryCanceled):
            with cursor.copy("COPY copied FROM STDIN") as copy:
                copy.write_row(rows[0])
                raise psycopg.errors.QueryCanceled("the client thinks better of it")
    assert db.execute("SELECT count(*) FROM copied").fetchone() == (5,)
    db.execute("DROP TABLE copied")


def test_server_side_cursors(db):
    with db.transaction():
        with db.cursor("numbers") as cursor:
            cursor.execute("SELECT * FROM generate_series(1, %s) n", [1000])
            assert cursor.fetchone() == (1,)
            assert cursor.fetchmany(3) == [(2,), (3,), (4,)]
            cursor.itersize = 100
            assert sum(n for (n,) in cursor) == sum(range(5, 1001))
        with db.cursor("scrolling", scrollable=True) as cursor:
            cursor.execute("SELECT * FROM generate_series(1, 10) n")
            cursor.scroll(4)
            assert cursor.fetchone() == (5,)
            cursor.scroll(0, mode="absolute")
            assert cursor.fetchall() == [(n,) for n in range(1, 11)]
        with db.cursor("binary", binary=True) as cursor:
            cursor.execute("SELECT 1.5::numeric, '2026-01-01'::date")
            assert cursor.fetchone() == (decimal.Decimal("1.5"), dt.date(2026, 1, 1))
    with db.cursor("held", withhold=True) as cursor:
        cursor.execute("SELECT 7")
        assert cursor.fetchone() == (7,)


def test_stream(db):
    assert [n for (n,) in db.cursor().stream("SELECT * FROM generate_series(1, 100) n")] == list(range(1, 101))
    if psycopg.pq.version() >= 170000:
        assert len(list(db.cursor().stream("SELECT * FROM generate_series(1, 100) n", size=7))) == 100


def test_pipeline(db):
    db.execute("CREATE TABLE piped (id integer PRIMARY KEY)")
    with db.pipeline() as pipeline:
        cursors = [db.execute("INSERT INTO piped VALUES (%s) RETURNING id", [i]) for i in range(200)]
        pipeline.sync()
        assert [cursor.fetchone() for cursor in cursors] == [(i,) for i in range(200)]
    with pytest.raises(psycopg.errors.UniqueViolation):
        with db.pipeline():
            db.execute("INSERT INTO piped VALUES (1000)")
            db.execute("INSERT INTO piped VALUES (1)")
            db.execute("INSERT INTO piped VALUES (1001)")
    # What stands before the error and after the last Sync is one transaction.
    assert db.execute("SELECT count(*) FROM piped").fetchone() == (200,)
    with db.pipeline(), db.transaction():
        db.execute("DELETE FROM piped WHERE id >= %s", [100])
        db.execute("INSERT INTO piped VALUES (5000)")
    assert db.execute("SELECT count(*) FROM piped").fetchone() == (101,)
    db.execute("DROP TABLE piped")


def test_transactions():
    with psycopg.connect() as db:
        db.execute("CREATE TABLE accounts (id integer PRIMARY KEY, balance integer)")
        db.commit()
        db.execute("INSERT INTO accounts VALUES (1, 10)")
        assert db.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
        db.rollback()
        with db.transaction():
            db.execute("INSERT INTO accounts VALUES (2, 20)")
            with pytest.raises(psycopg.errors.UniqueViolation) as caught:
                with db.transaction():
                    db.execute("INSERT INTO accounts VALUES (2, 30)")
            assert caught.value.diag.constraint_name == "accounts_pkey"
            assert caught.value.diag.table_name == "accounts"
            assert caught.value.diag.schema_name == "public"
            with db.transaction() as inner:
                db.execute("INSERT INTO accounts VALUES (3, 30)")
                raise psycopg.Rollback(inner)
        assert db.execute("SELECT id FROM accounts").fetchall() == [(2,)]
        db.commit()
        with pytest.raises(psycopg.errors.UndefinedTable):
            db.execute("SELECT * FROM nowhere")
        assert db.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            db.execute("SELECT 1")
        db.rollback()
        db.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        db.read_only = True
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            db.execute("DELETE FROM accounts")
        db.rollback()
        db.read_only = False
        db.execute("DROP TABLE accounts")
        db.commit()


def test_conflicting_transactions():
    with psycopg.connect() as one, psycopg.connect() as two:
        one.execute("CREATE TABLE counter (n integer)")
        one.execute("INSERT INTO counter VALUES (0)")
        one.commit()
        for db in one, two:
            db.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
            db.execute("SELECT n FROM counter").fetchone()
        one.execute("UPDATE counter SET n = 1")
        one.commit()
        with pytest.raises(psycopg.errors.SerializationFailure):
            two.execute("UPDATE counter SET n = 2")
            two.commit()
        two.rollback()
        two.execute("DROP TABLE counter")
        two.commit()


def test_notices(db):
    notices = []
    db.add_notice_handler(lambda diagnostic: notices.append((diagnostic.severity, diagnostic.message_primary)))
    db.execute("DROP TABLE IF EXISTS absent")
    assert notices == [("NOTICE", 'table "absent" does not exist, skipping')]


def test_cancellation(db):
    timer = threading.Timer(0.2, db.cancel_safe)
    timer.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        db.execute("SELECT pg_sleep(30)")
    timer.join()
    assert db.execute("SELECT 1").fetchone() == (1,)
    db.execute("SET statement_timeout = '100ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        db.execute("SELECT pg_sleep(30)")
    db.execute("RESET statement_timeout")


def test_what_a_connection_says(db):
    assert db.info.server_version // 10000 == 15
    assert db.info.encoding == "utf-8"
    assert db.info.parameter_status("standard_conforming_strings") == "on"
    assert db.info.parameter_status("integer_datetimes") == "on"
    assert db.info.parameter_status("DateStyle") == "ISO, MDY"
    assert db.info.parameter_status("IntervalStyle") == "postgres"
    db.execute("SET timezone = 'Europe/Amsterdam'")
    assert str(db.info.timezone) == "Europe/Amsterdam"
    [at] = db.execute("SELECT '2026-07-01 12:00:00+00'::timestamptz").fetchone()
    assert at.utcoffset() == dt.timedelta(hours=2)
    db.execute("SET application_name = 'a test'")
    assert db.info.parameter_status("application_name") == "a test"
    assert db.info.backend_pid == db.execute("SELECT pg_backend_pid()").fetchone()[0]


def test_composed_queries(db):
    db.execute(sql.SQL("CREATE TABLE {} ({} text)").format(sql.Identifier('odd "name'), sql.Identifier("a b")))
    insert = sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier('odd "name'), sql.Literal("it's \\ 1"))
    db.execute(insert)
    query = sql.SQL("SELECT {} FROM {}").format(sql.Identifier("a b"), sql.Identifier('odd "name'))
    assert db.execute(query).fetchone() == ("it's \\ 1",)
    assert psycopg.ClientCursor(db).execute("SELECT %s, %s", ["x", dt.date(2026, 1, 1)]).fetchone() == (
        "x",
        dt.date(2026, 1, 1),
    )
    results = db.execute("SELECT 1; SELECT 2")
    assert results.fetchone() == (1,) and results.nextset() and results.fetchone() == (2,)
    db.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier('odd "name')))


def test_types_by_name(db):
    for name in "integer", "text", "pg_catalog.jsonb", "uuid", "timestamptz":
        info = TypeInfo.fetch(db, name)
        assert info is not None and info.array_oid != 0, name
    assert TypeInfo.fetch(db, "no_such_type") is None
    assert EnumInfo.fetch(db, "no_such_type") is None


def test_rows_keep_coming_from_views(db):
    db.execute("CREATE TABLE sales (item text, amount integer)")
    db.execute("CREATE MATERIALIZED VIEW per_item AS SELECT item, sum(amount) AS total FROM sales GROUP BY item")
    with db.cursor().copy("COPY sales FROM STDIN") as copy:
        for i in range(1000):
            copy.write_row((f"item {i % 10}", i))
    assert db.execute("SELECT total FROM per_item WHERE item = %s", ["item 3"]).fetchone() == (49800,)
    db.execute("DROP TABLE sales CASCADE")


def test_pool():
    with ConnectionPool("", min_size=2, max_size=4, check=ConnectionPool.check_connection) as pool:
        pool.wait(10)

        def work(n):
            for _ in range(20):
                with pool.connection() as db:
                    assert db.execute("SELECT %s::int", [n]).fetchone() == (n,)

        threads = [threading.Thread(target=work, args=[n]) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert pool.get_stats()["requests_num"] == 160


def test_async():
    async def session():
        async with await psycopg.AsyncConnection.connect(autocommit=True) as db:
            await db.execute("CREATE TABLE slow (id integer)")
            async with db.cursor() as cursor:
                async with cursor.copy("COPY slow FROM STDIN") as copy:
                    for i in range(100):
                        await copy.write_row((i,))
                await cursor.execute("SELECT count(*) FROM slow")
                assert await cursor.fetchone() == (100,)
            async with db.pipeline():
                cursors = [await db.execute("SELECT %s::int", [i]) for i in range(10)]
                assert [await cursor.fetchone() for cursor in cursors] == [(i,) for i in range(10)]
            async with db.transaction(), db.cursor("streamed") as cursor:
                await cursor.execute("SELECT id FROM slow ORDER BY id")
                assert [row async for row in cursor] == [(i,) for i in range(100)]
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(db.execute("SELECT pg_sleep(30)"), 0.2)
            cursor = await db.execute("SELECT 1")
            assert await cursor.fetchone() == (1,)
            await db.execute("DROP TABLE slow")

    began = time.monotonic()
    asyncio.run(session())
    assert time.monotonic() - began < 20
