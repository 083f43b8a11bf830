// node-postgres: simple, parameterised and prepared queries, cursors, streams and COPY.

const assert = require('node:assert/strict')
const { pipeline } = require('node:stream/promises')
const { Readable } = require('node:stream')
const { after, before, test } = require('node:test')
const { Client, Pool, types } = require('pg')
const Cursor = require('pg-cursor')
const QueryStream = require('pg-query-stream')
const copy = require('pg-copy-streams')

let db

before(async () => {
  db = new Client()
  await db.connect()
})
after(() => db.end())

test('simple queries', async () => {
  const { rows, fields, rowCount, command } = await db.query("SELECT 1 AS a, 'x' AS b, NULL AS c")
  assert.deepEqual(rows, [{ a: 1, b: 'x', c: null }])
  assert.deepEqual(fields.map((field) => field.dataTypeID), [types.builtins.INT4, types.builtins.TEXT, types.builtins.TEXT])
  assert.equal(rowCount, 1)
  assert.equal(command, 'SELECT')
  const results = await db.query('CREATE TABLE made (a integer); INSERT INTO made VALUES (1), (2); SELECT * FROM made')
  assert.deepEqual(results.map((result) => result.command), ['CREATE', 'INSERT', 'SELECT'])
  assert.deepEqual(results.map((result) => result.rowCount), [null, 2, 2])
  await db.query('DROP TABLE made')
})

test('values come back as JavaScript has them', async () => {
  await db.query(`CREATE TABLE kept (i integer, b bigint, n numeric, f double precision, t text, y boolean, d date,
    at timestamptz, j jsonb, a integer[], w text[], x bytea, u uuid)`)
  const at = new Date('2026-01-02T03:04:05.678Z')
  const uuid = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
  const values = [1, '9007199254740993', '1.50', 0.1, 'naïve ☃', true, '2026-01-02', at, { a: [1, null] }, [1, null, 3],
    ['a,b', '"', null], Buffer.from([0, 255]), uuid]
  const places = values.map((_, i) => `$${i + 1}`).join(', ')
  await db.query(`INSERT INTO kept VALUES (${places})`, values)
  for (const binary of [false, true]) {
    const { rows: [row] } = await db.query({ text: 'SELECT * FROM kept WHERE i = $1', values: [1], binary })
    assert.equal(row.i, 1)
    assert.equal(String(row.b), '9007199254740993')
    assert.equal(row.t, 'naïve ☃')
    assert.equal(row.y, true)
    if (!binary) {
      assert.deepEqual(row.at, at)
      assert.equal(Number(row.n), 1.5)
      assert.equal(row.f, 0.1)
      assert.deepEqual(row.j, { a: [1, null] })
      assert.deepEqual(row.a, [1, null, 3])
      assert.deepEqual(row.w, ['a,b', '"', null])
      assert.deepEqual(row.x, Buffer.from([0, 255]))
      assert.deepEqual(row.d, new Date(2026, 0, 2))
      assert.equal(row.u, uuid)
    }
  }
  await db.query('DROP TABLE kept')
})

test('prepared statements', async () => {
  for (const n of [1, 2, 3]) {
    const { rows } = await db.query({ name: 'twice', text: 'SELECT $1::int * 2 AS n', values: [n] })
    assert.deepEqual(rows, [{ n: 2 * n }])
  }
  const { rows } = await db.query({ text: 'SELECT $1::text, $2::int', values: ['x', 1], rowMode: 'array' })
  assert.deepEqual(rows, [['x', 1]])
})

test('errors say what and where, and leave the connection as it was', async () => {
  await assert.rejects(db.query('SELECT nothing FROM nowhere'), { code: '42P01', severity: 'ERROR' })
  await assert.rejects(db.query('SELECT $1::int', ['x']), { code: '22P02' })
  await db.query('CREATE TABLE strict (id integer PRIMARY KEY, n integer NOT NULL)')
  await assert.rejects(db.query('INSERT INTO strict VALUES (1, NULL)'), { code: '23502', table: 'strict', column: 'n' })
  await db.query('INSERT INTO strict VALUES ($1, $2)', [1, 1])
  await assert.rejects(db.query('INSERT INTO strict VALUES ($1, $2)', [1, 1]), {
    code: '23505', detail: 'Key (id)=(1) already exists.', constraint: 'strict_pkey', schema: 'public',
  })
  assert.deepEqual((await db.query('SELECT 1 AS a')).rows, [{ a: 1 }])
  await db.query('DROP TABLE strict')
})

test('transactions', async () => {
  await db.query('CREATE TABLE entries (n integer)')
  await db.query('BEGIN')
  await db.query('INSERT INTO entries VALUES ($1)', [1])
  await db.query('SAVEPOINT here')
  await assert.rejects(db.query('INSERT INTO entries VALUES ($1)', ['x']))
  await db.query('ROLLBACK TO here')
  await db.query('COMMIT')
  assert.equal((await db.query('SELECT * FROM entries')).rowCount, 1)
  await db.query('DROP TABLE entries')
})

test('cursors and streams', async () => {
  const cursor = db.query(new Cursor('SELECT * FROM generate_series(1, $1::int) n', [100]))
  assert.deepEqual((await cursor.read(2)).map((row) => Number(row.n)), [1, 2])
  assert.equal((await cursor.read(1000)).length, 98)
  assert.equal((await cursor.read(1)).length, 0)
  await cursor.close()
  const left = db.query(new Cursor('SELECT * FROM generate_series(1, 100) n'))
  await left.read(1)
  await left.close()
  let sum = 0
  for await (const row of db.query(new QueryStream('SELECT * FROM generate_series(1, 1000) n', [], { batchSize: 10 }))) {
    sum += Number(row.n)
  }
  assert.equal(sum, 500500)
})

test('COPY in both directions', async () => {
  await db.query('CREATE TABLE copied (id integer, name text)')
  const lines = Array.from({ length: 1000 }, (_, i) => `${i}\tname ${i}\n`)
  const sink = db.query(copy.from('COPY copied FROM STDIN'))
  await pipeline(Readable.from(lines), sink)
  assert.equal(sink.rowCount, 1000)
  let text = ''
  for await (const chunk of db.query(copy.to('COPY (SELECT * FROM copied ORDER BY id) TO STDOUT'))) text += chunk
  assert.equal(text, lines.join(''))
  await assert.rejects(pipeline(Readable.from(['x\ty\n']), db.query(copy.from('COPY copied FROM STDIN'))), { code: '22P02' })
  await db.query('DROP TABLE copied')
})

test('notices and parameters', async () => {
  const heard = []
  db.on('notice', (notice) => heard.push([notice.severity, notice.message]))
  await db.query('DROP TABLE IF EXISTS absent')
  assert.deepEqual(heard, [['NOTICE', 'table "absent" does not exist, skipping']])
  const impatient = new Client({ statement_timeout: 100, application_name: 'a test', options: '-c search_path=public' })
  await impatient.connect()
  await assert.rejects(impatient.query('SELECT pg_sleep(30)'), { code: '57014' })
  assert.equal((await impatient.query('SHOW application_name')).rows[0].application_name, 'a test')
  await impatient.end()
})

test('pools', async () => {
  const pool = new Pool({ max: 4 })
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => pool.query('SELECT $1::int AS n', [i])))
  assert.deepEqual(answers.map(({ rows }) => rows[0].n), Array.from({ length: 50 }, (_, i) => i))
  const client = await pool.connect()
  const { rows: [{ pid }] } = await client.query('SELECT pg_backend_pid() AS pid')
  assert.equal(String(client.processID), String(pid))
  client.release()
  await pool.end()
})
