"""asyncpg: always binary, prepares everything, and asks the catalogue about each type that it does not know."""

import asyncio
import datetime as dt
import decimal
import functools
import io
import json
import uuid

import asyncpg
import pytest

UTC = dt.timezone.utc
UUID = uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")

VALUES = [
    ("boolean", True),
    ("smallint", -32768),
    ("integer", 2**31 - 1),
    ("bigint", -(2**63)),
    ("real", 1.5),
    ("double precision", -1e300),
    ("numeric", decimal.Decimal("-123456789.000001")),
    ("text", "naïve ☃"),
    ("varchar", "v"),
    ("bytea", b"\x00\xff"),
    ("date", dt.date(2026, 2, 28)),
    ("time", dt.time(23, 59, 59, 999999)),
    ("timestamp", dt.datetime(2026, 1, 2, 3, 4, 5, 678901)),
    ("timestamptz", dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ("interval", dt.timedelta(days=3, seconds=4, microseconds=5)),
    ("uuid", UUID),
    ("json", '{"a": 1}'),
    ("jsonb", '{"a": 1}'),
]


def with_connection(test):
    """Runs a coroutine with a connection of its own."""

    @functools.wraps(test)
    def run():
        async def session():
            db = await asyncpg.connect()
            try:
                await test(db)
            finally:
                await db.close()

        asyncio.run(asyncio.wait_for(session(), 60))

    # pytest would take the parameter for a fixture.
    del run.__wrapped__
    return run


@with_connection
async def test_values_come_back(db):
    for sql_type, value in VALUES:
        back = await db.fetchval(f"SELECT $1::{sql_type}", value)
        assert back == value, sql_type
        assert await db.fetchval(f"SELECT $1::{sql_type}", None) is None


@with_connection
async def test_rows(db):
    row = await db.fetchrow("SELECT 1::int AS a, 'x' AS b, NULL AS c")
    assert dict(row) == {"a": 1, "b": "x", "c": None}
    assert await db.execute("CREATE TABLE made (a int); INSERT INTO made VALUES (1), (2)") == "INSERT 0 2"
    assert await db.execute("UPDATE made SET a = $1", 5) == "UPDATE 2"
    await db.executemany("INSERT INTO made VALUES ($1)", [(n,) for n in range(100)])
    assert await db.fetchval("SELECT count(*) FROM made") == 102
    returned = await db.fetchmany("INSERT INTO made VALUES ($1) RETURNING a", [(1000,), (1001,)])
    assert [row["a"] for row in returned] == [1000, 1001]
    await db.execute("DROP TABLE made")


@with_connection
async def test_prepared_statements(db):
    statement = await db.prepare("SELECT $1::int + $2::bigint AS sum, 'x'::varchar(5) AS word")
    assert [parameter.name for parameter in statement.get_parameters()] == ["int4", "int8"]
    assert [(a.name, a.type.name) for a in statement.get_attributes()] == [("sum", "int8"), ("word", "varchar")]
    assert (await statement.fetchrow(1, 2))["sum"] == 3
    await db.execute("CREATE TABLE reshaped (a int)")
    await db.execute("INSERT INTO reshaped VALUES (1)")
    assert len(await db.fetchrow("SELECT * FROM reshaped")) == 1
    await db.execute("ALTER TABLE reshaped ADD COLUMN b int")
    # asyncpg prepares again what was prepared for another shape.
    assert len(await db.fetchrow("SELECT * FROM reshaped")) == 2
    await db.execute("DROP TABLE reshaped")


@with_connection
async def test_copy(db):
    await db.execute("CREATE TABLE bulk (id int, name text, at timestamptz)")
    at = dt.datetime(2026, 1, 1, tzinfo=UTC)
    records = [(i, f"n{i}", at) for i in range(1000)]
    assert await db.copy_records_to_table("bulk", records=records) == "COPY 1000"
    assert await db.copy_records_to_table("bulk", records=[(1,)], columns=["id"]) == "COPY 1"
    target = io.BytesIO()
    assert await db.copy_from_query("SELECT id, name FROM bulk WHERE id < 2", output=target, format="csv") == "COPY 3"
    assert sorted(target.getvalue().decode().split()) == ["0,n0", "1,", "1,n1"]
    source = io.BytesIO(b"7\tseven\n8\teight\n")
    assert await db.copy_to_table("bulk", source=source, columns=["id", "name"]) == "COPY 2"
    target = io.BytesIO()
    await db.copy_from_table("bulk", output=target, columns=["id"], format="binary")
    assert target.getvalue().startswith(b"PGCOPY\n\xff\r\n\0")
    await db.execute("DROP TABLE bulk")


@with_connection
async def test_cursors(db):
    async with db.transaction():
        numbers = [row["n"] async for row in db.cursor("SELECT * FROM generate_series(1, 500) n", prefetch=7)]
        assert numbers == list(range(1, 501))
        cursor = await db.cursor("SELECT * FROM generate_series(1, $1::int) n", 100)
        assert [row["n"] for row in await cursor.fetch(3)] == [1, 2, 3]
        assert (await cursor.fetchrow())["n"] == 4


@with_connection
async def test_transactions(db):
    await db.execute("CREATE TABLE money (id int PRIMARY KEY, amount int CHECK (amount >= 0))")
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        async with db.transaction():
            await db.execute("INSERT INTO money VALUES (1, 10)")
            await db.execute("UPDATE money SET amount = amount - 20")
    assert caught.value.constraint_name == "money_amount_check"
    assert caught.value.table_name == "money"
    async with db.transaction(isolation="serializable"):
        await db.execute("INSERT INTO money VALUES (1, 10)")
        with pytest.raises(asyncpg.UniqueViolationError):
            async with db.transaction():
                await db.execute("INSERT INTO money VALUES (1, 11)")
        await db.execute("INSERT INTO money VALUES (2, 11)")
    assert await db.fetchval("SELECT sum(amount) FROM money") == 21
    async with db.transaction(readonly=True):
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await db.execute("DELETE FROM money")
            await db.execute("SELECT 1")
    assert not db.is_in_transaction()
    with pytest.raises(asyncpg.NotNullViolationError) as caught:
        await db.execute("INSERT INTO money VALUES (NULL, 1)")
    assert caught.value.column_name == "id"
    await db.execute("DROP TABLE money")


@with_connection
async def test_codecs(db):
    for name in "json", "jsonb":
        await db.set_type_codec(name, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        assert await db.fetchval(f"SELECT $1::{name}", {"a": [1, None]}) == {"a": [1, None]}
    await db.set_type_codec("numeric", encoder=str, decoder=float, schema="pg_catalog", format="text")
    assert await db.fetchval("SELECT 1.5::numeric") == 1.5
    await db.reset_type_codec("numeric", schema="pg_catalog")
    assert await db.fetchval("SELECT 1.5::numeric") == decimal.Decimal("1.5")


@with_connection
async def test_notices_and_timeouts(db):
    heard = []
    db.add_log_listener(lambda _, message: heard.append(message.message))
    await db.execute("DROP TABLE IF EXISTS absent")
    await asyncio.sleep(0.05)
    assert heard == ['table "absent" does not exist, skipping']
    with pytest.raises(asyncio.TimeoutError):
        await db.execute("SELECT pg_sleep(30)", timeout=0.2)
    assert await db.fetchval("SELECT 1") == 1
    assert db.get_server_version().major == 15
    assert db.get_settings().server_encoding == "UTF8"


def test_pool():
    async def session():
        async with asyncpg.create_pool(min_size=2, max_size=4) as pool:

            async def work(n):
                for _ in range(20):
                    async with pool.acquire() as db:
                        await db.execute("SET application_name = 'used'")
                        await db.execute("CREATE TABLE IF NOT EXISTS pooled (n int)")
                        assert await db.fetchval("SELECT $1::int", n) == n

            await asyncio.gather(*[work(n) for n in range(8)])
            # The pool resets a connection that is given back.
            async with pool.acquire() as db:
                assert await db.fetchval("SHOW application_name") == ""
                await db.execute("DROP TABLE pooled")

    asyncio.run(asyncio.wait_for(session(), 60))
