import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.ParameterMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Types;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.UUID;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;
import org.postgresql.util.PGobject;
import org.postgresql.util.PSQLException;

/** The JDBC driver of PostgreSQL: what an application and a tool with a schema browser do. */
public class Jdbc {
    private interface Check {
        void run(Connection db) throws Exception;
    }

    private static String url;
    private static int failed;

    public static void main(String[] arguments) throws Exception {
        url = String.format("jdbc:postgresql://%s:%s/%s?user=%s", System.getenv("PGHOST"), System.getenv("PGPORT"),
            System.getenv("PGDATABASE"), System.getenv("PGUSER"));
        for (String mode : List.of("", "preferQueryMode=simple", "preferQueryMode=extendedForPrepared")) {
            check("statements " + mode, mode, Jdbc::statements);
        }
        // The driver prepares on the server, and asks for binary results, from the threshold on.
        for (String mode : List.of("", "prepareThreshold=-1", "binaryTransfer=false")) {
            check("values " + mode, mode, Jdbc::values);
        }
        check("batches", "", Jdbc::batches);
        check("rewritten batches", "reWriteBatchedInserts=true", Jdbc::batches);
        check("generated keys", "", Jdbc::generatedKeys);
        check("fetch size", "", Jdbc::fetchSize);
        check("transactions", "", Jdbc::transactions);
        check("metadata", "", Jdbc::metadata);
        check("metadata of results", "", Jdbc::metadataOfResults);
        check("updatable results", "", Jdbc::updatableResults);
        check("copy", "", Jdbc::copy);
        check("cancellation", "", Jdbc::cancellation);
        System.exit(failed == 0 ? 0 : 1);
    }

    private static void check(String name, String properties, Check check) {
        try (Connection db = DriverManager.getConnection(url + "&" + properties)) {
            check.run(db);
            System.out.println("ok " + name);
        } catch (Exception | AssertionError error) {
            failed += 1;
            System.out.println("FAILED " + name + ": " + error.getMessage());
            for (StackTraceElement frame : error.getStackTrace()) {
                if (frame.getClassName().equals("Jdbc") && !frame.getMethodName().equals("equal")) {
                    System.out.println("  at line " + frame.getLineNumber());
                    break;
                }
            }
        }
    }

    private static void statements(Connection db) throws SQLException {
        try (Statement statement = db.createStatement()) {
            equal(statement.execute("CREATE TABLE made (a integer, b text)"), false);
            equal(statement.executeUpdate("INSERT INTO made VALUES (1, 'x'), (2, NULL)"), 2);
            ResultSet rows = statement.executeQuery("SELECT * FROM made ORDER BY a");
            equal(rows.next() && rows.getInt("a") == 1 && rows.getString(2).equals("x"), true);
            equal(rows.next() && rows.getString("b") == null && rows.wasNull(), true);
            equal(rows.next(), false);
            equal(statement.execute("SELECT 1; UPDATE made SET b = 'y'; SELECT 2"), true);
            equal(statement.getMoreResults(), false);
            equal(statement.getUpdateCount(), 2);
            equal(statement.getMoreResults(), true);
            statement.execute("DROP TABLE made");
            statement.execute("DROP TABLE IF EXISTS made");
            equal(statement.getWarnings().getMessage(), "table \"made\" does not exist, skipping");
        }
        try (PreparedStatement call = db.prepareStatement("SELECT {fn ucase(?)}")) {
            call.setString(1, "x");
            equal(first(call), "X");
        }
        equal(db.isValid(5), true);
        db.setSchema("public");
        equal(db.getSchema(), "public");
        equal(db.getCatalog(), System.getenv("PGDATABASE"));
    }

    private static void values(Connection db) throws SQLException {
        OffsetDateTime at = OffsetDateTime.of(2026, 1, 2, 3, 4, 5, 678000, ZoneOffset.UTC);
        UUID uuid = UUID.fromString("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
        try (Statement statement = db.createStatement()) {
            statement.execute("CREATE TABLE kept (i integer, b bigint, s smallint, n numeric(12, 3), f double precision, r real,"
                + " t text, y boolean, d date, p timestamp, z timestamptz, u uuid, j jsonb, x bytea, a integer[], w text[])");
            try (PreparedStatement insert = db.prepareStatement("INSERT INTO kept VALUES (" + "?, ".repeat(15) + "?)")) {
                insert.setInt(1, 1);
                insert.setLong(2, Long.MIN_VALUE);
                insert.setShort(3, (short) -3);
                insert.setBigDecimal(4, new BigDecimal("12345.678"));
                insert.setDouble(5, 0.1);
                insert.setFloat(6, 1.5f);
                insert.setString(7, "naïve ☃");
                insert.setBoolean(8, true);
                insert.setObject(9, LocalDate.of(2026, 1, 2));
                insert.setObject(10, LocalDateTime.of(2026, 1, 2, 3, 4, 5));
                insert.setObject(11, at);
                insert.setObject(12, uuid);
                PGobject json = new PGobject();
                json.setType("jsonb");
                json.setValue("{\"a\": 1}");
                insert.setObject(13, json);
                insert.setBytes(14, new byte[] {0, -1});
                insert.setArray(15, db.createArrayOf("integer", new Integer[] {1, null, 3}));
                insert.setArray(16, db.createArrayOf("text", new String[] {"a,b", null, "\""}));
                equal(insert.executeUpdate(), 1);
            }
            try (PreparedStatement select = db.prepareStatement("SELECT * FROM kept WHERE i = ? AND n > ? AND t LIKE ?")) {
                for (int i = 0; i < 7; i++) {
                    select.setInt(1, 1);
                    select.setBigDecimal(2, new BigDecimal("-1"));
                    select.setString(3, "naïve%");
                    ResultSet row = select.executeQuery();
                    equal(row.next(), true);
                    equal(row.getInt("i"), 1);
                    equal(row.getLong("b"), Long.MIN_VALUE);
                    equal(row.getShort("s"), (short) -3);
                    equal(row.getBigDecimal("n"), new BigDecimal("12345.678"));
                    equal(row.getDouble("f"), 0.1);
                    equal(row.getFloat("r"), 1.5f);
                    equal(row.getString("t"), "naïve ☃");
                    equal(row.getBoolean("y"), true);
                    equal(row.getObject("d", LocalDate.class), LocalDate.of(2026, 1, 2));
                    equal(row.getDate("d"), Date.valueOf("2026-01-02"));
                    equal(row.getObject("p", LocalDateTime.class), LocalDateTime.of(2026, 1, 2, 3, 4, 5));
                    equal(row.getObject("z", OffsetDateTime.class), at);
                    equal(row.getObject("u"), uuid);
                    equal(row.getString("j"), "{\"a\": 1}");
                    equal(Arrays.equals(row.getBytes("x"), new byte[] {0, -1}), true);
                    equal(Arrays.toString((Object[]) row.getArray("a").getArray()), "[1, null, 3]");
                    equal(Arrays.toString((Object[]) row.getArray("w").getArray()), "[a,b, null, \"]");
                }
            }
            try (PreparedStatement any = db.prepareStatement("SELECT count(*) FROM kept WHERE i = ANY (?)")) {
                any.setArray(1, db.createArrayOf("integer", new Integer[] {1, 2}));
                equal(first(any), "1");
            }
            try (PreparedStatement nothing = db.prepareStatement("SELECT count(*) FROM kept WHERE t = ?")) {
                nothing.setNull(1, Types.VARCHAR);
                equal(first(nothing), "0");
            }
            statement.execute("DROP TABLE kept");
        }
    }

    private static void batches(Connection db) throws SQLException {
        try (Statement statement = db.createStatement()) {
            statement.execute("CREATE TABLE many (id integer PRIMARY KEY, name text)");
            try (PreparedStatement insert = db.prepareStatement("INSERT INTO many (id, name) VALUES (?, ?)")) {
                for (int i = 0; i < 1000; i++) {
                    insert.setInt(1, i);
                    insert.setString(2, "n" + i);
                    insert.addBatch();
                }
                equal(insert.executeBatch().length, 1000);
                insert.setInt(1, 2000);
                insert.setString(2, "new");
                insert.addBatch();
                insert.setInt(1, 5);
                insert.setString(2, "there");
                insert.addBatch();
                try {
                    insert.executeBatch();
                    throw new AssertionError("a key was inserted twice");
                } catch (BatchUpdateException expected) {
                    equal(expected.getSQLState(), "23505");
                }
            }
            statement.addBatch("UPDATE many SET name = 'x' WHERE id < 10");
            statement.addBatch("DELETE FROM many WHERE id >= 990");
            equal(Arrays.toString(statement.executeBatch()), "[10, 10]");
            equal(first(db.prepareStatement("SELECT count(*) FROM many")), "990");
            statement.execute("DROP TABLE many");
        }
    }

    private static void generatedKeys(Connection db) throws SQLException {
        try (Statement statement = db.createStatement()) {
            statement.execute("CREATE TABLE keyed (id serial PRIMARY KEY, name text, at timestamptz DEFAULT now())");
            try (PreparedStatement insert =
                    db.prepareStatement("INSERT INTO keyed (name) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
                insert.setString(1, "a");
                equal(insert.executeUpdate(), 1);
                ResultSet keys = insert.getGeneratedKeys();
                equal(keys.next() && keys.getInt(1) == 1 && keys.getString("name").equals("a"), true);
            }
            try (PreparedStatement insert =
                    db.prepareStatement("INSERT INTO keyed (name) VALUES (?)", new String[] {"id"})) {
                for (String name : List.of("b", "c")) {
                    insert.setString(1, name);
                    insert.addBatch();
                }
                insert.executeBatch();
                ResultSet keys = insert.getGeneratedKeys();
                equal(keys.next() && keys.getInt(1) == 2 && keys.next() && keys.getInt("id") == 3, true);
            }
            statement.execute("DROP TABLE keyed");
        }
    }

    private static void fetchSize(Connection db) throws SQLException {
        db.setAutoCommit(false);
        try (PreparedStatement select = db.prepareStatement("SELECT n FROM generate_series(1, 1000) n WHERE n > ?")) {
            select.setFetchSize(7);
            for (int round = 0; round < 7; round++) {
                select.setInt(1, 500);
                ResultSet rows = select.executeQuery();
                long sum = 0;
                while (rows.next()) {
                    sum += rows.getLong(1);
                }
                equal(sum, 375250L);
            }
            select.setMaxRows(3);
            ResultSet rows = select.executeQuery();
            equal(rows.next() && rows.next() && rows.next() && !rows.next(), true);
        }
        try (Statement scrolling =
                db.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_READ_ONLY)) {
            ResultSet rows = scrolling.executeQuery("SELECT * FROM generate_series(1, 10) n");
            equal(rows.last() && rows.getRow() == 10 && rows.absolute(3) && rows.getInt(1) == 3, true);
        }
        db.commit();
    }

    private static void transactions(Connection db) throws SQLException {
        try (Statement statement = db.createStatement()) {
            statement.execute("CREATE TABLE entries (id integer PRIMARY KEY)");
            db.setAutoCommit(false);
            statement.executeUpdate("INSERT INTO entries VALUES (1)");
            Savepoint here = db.setSavepoint("here");
            try {
                statement.executeUpdate("INSERT INTO entries VALUES (1)");
                throw new AssertionError("a key was inserted twice");
            } catch (PSQLException expected) {
                equal(expected.getSQLState(), "23505");
                equal(expected.getServerErrorMessage().getConstraint(), "entries_pkey");
                equal(expected.getServerErrorMessage().getTable(), "entries");
            }
            db.rollback(here);
            statement.executeUpdate("INSERT INTO entries VALUES (2)");
            db.commit();
            statement.executeUpdate("DELETE FROM entries");
            db.rollback();
            db.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            equal(db.getTransactionIsolation(), Connection.TRANSACTION_SERIALIZABLE);
            db.setReadOnly(true);
            try {
                statement.executeUpdate("DELETE FROM entries");
                throw new AssertionError("a read-only transaction wrote");
            } catch (SQLException expected) {
                equal(expected.getSQLState(), "25006");
            }
            db.rollback();
            db.setReadOnly(false);
            db.setAutoCommit(true);
            equal(first(db.prepareStatement("SELECT count(*) FROM entries")), "2");
            statement.execute("DROP TABLE entries");
        }
    }

    private static void metadata(Connection db) throws SQLException {
        DatabaseMetaData metadata = db.getMetaData();
        equal(metadata.getDatabaseProductName(), "PostgreSQL");
        equal(metadata.getDatabaseMajorVersion(), 15);
        equal(metadata.getMaxColumnNameLength(), 63);
        equal(metadata.getUserName(), System.getenv("PGUSER"));
        try (Statement statement = db.createStatement()) {
            statement.execute("CREATE TABLE parent (a integer, b integer, name varchar(20) DEFAULT 'x', PRIMARY KEY (a, b))");
            statement.execute("CREATE TABLE child (id bigserial PRIMARY KEY, a integer, b integer, price numeric(8, 2) NOT NULL,"
                + " code text UNIQUE, FOREIGN KEY (a, b) REFERENCES parent ON DELETE CASCADE)");
            statement.execute("COMMENT ON TABLE child IS 'of a parent'");
            statement.execute("COMMENT ON COLUMN child.price IS 'in euros'");
            statement.execute("CREATE VIEW prices AS SELECT price FROM child");
            statement.execute("CREATE MATERIALIZED VIEW total AS SELECT sum(price) AS total FROM child");
            statement.execute("CREATE FUNCTION doubled(n integer) RETURNS integer LANGUAGE SQL AS 'SELECT 2 * n'");
        }
        equal(column(metadata.getTables(null, "public", "%", new String[] {"TABLE"}), "TABLE_NAME"), "[child, parent]");
        equal(column(metadata.getTables(null, null, "p%", new String[] {"VIEW"}), "TABLE_NAME"), "[prices]");
        equal(column(metadata.getTables(null, "public", "%", new String[] {"MATERIALIZED VIEW"}), "TABLE_NAME"), "[total]");
        equal(column(metadata.getTables(null, "public", "child", null), "REMARKS"), "[of a parent]");
        equal(column(metadata.getColumns(null, "public", "child", "%"), "COLUMN_NAME"), "[id, a, b, price, code]");
        ResultSet price = metadata.getColumns(null, "public", "child", "price");
        price.next();
        equal(price.getInt("DATA_TYPE"), Types.NUMERIC);
        equal(price.getInt("COLUMN_SIZE") + "," + price.getInt("DECIMAL_DIGITS"), "8,2");
        equal(price.getString("IS_NULLABLE") + " " + price.getString("REMARKS"), "NO in euros");
        ResultSet id = metadata.getColumns(null, "public", "child", "id");
        id.next();
        equal(id.getString("IS_AUTOINCREMENT") + " " + id.getString("TYPE_NAME"), "YES bigserial");
        ResultSet name = metadata.getColumns(null, "public", "parent", "name");
        name.next();
        equal(name.getString("COLUMN_DEF").startsWith("'x'"), true);
        equal(name.getInt("COLUMN_SIZE"), 20);
        equal(column(metadata.getPrimaryKeys(null, "public", "parent"), "COLUMN_NAME"), "[a, b]");
        equal(column(metadata.getImportedKeys(null, "public", "child"), "FKCOLUMN_NAME"), "[a, b]");
        equal(column(metadata.getExportedKeys(null, "public", "parent"), "FKTABLE_NAME"), "[child, child]");
        ResultSet cross = metadata.getCrossReference(null, "public", "parent", null, "public", "child");
        cross.next();
        equal(cross.getInt("DELETE_RULE"), DatabaseMetaData.importedKeyCascade);
        equal(column(metadata.getIndexInfo(null, "public", "child", true, true), "INDEX_NAME"), "[child_code_key, child_pkey]");
        equal(column(metadata.getBestRowIdentifier(null, "public", "child", DatabaseMetaData.bestRowSession, true), "COLUMN_NAME"),
            "[id]");
        equal(list(metadata.getSchemas(), "TABLE_SCHEM").containsAll(List.of("information_schema", "pg_catalog", "public")), true);
        equal(column(metadata.getCatalogs(), "TABLE_CAT").contains(System.getenv("PGDATABASE")), true);
        equal(column(metadata.getTableTypes(), "TABLE_TYPE").contains("MATERIALIZED VIEW"), true);
        equal(column(metadata.getFunctions(null, "public", "%"), "FUNCTION_NAME"), "[doubled]");
        equal(new TreeSet<>(list(metadata.getTypeInfo(), "TYPE_NAME")).containsAll(List.of("int4", "text", "jsonb", "uuid")), true);
        list(metadata.getTablePrivileges(null, "public", "child"), "PRIVILEGE");
        list(metadata.getColumnPrivileges(null, "public", "child", "price"), "PRIVILEGE");
        list(metadata.getProcedures(null, "public", "%"), "PROCEDURE_NAME");
        list(metadata.getUDTs(null, "public", "%", null), "TYPE_NAME");
        list(metadata.getClientInfoProperties(), "NAME");
        equal(metadata.getNumericFunctions().contains("abs"), true);
        try (Statement statement = db.createStatement()) {
            statement.execute("DROP FUNCTION doubled(integer)");
            statement.execute("DROP TABLE parent, child CASCADE");
        }
    }

    private static void metadataOfResults(Connection db) throws SQLException {
        try (Statement statement = db.createStatement()) {
            statement.execute("CREATE TABLE described (id serial PRIMARY KEY, price numeric(8, 2), name varchar(7))");
            ResultSetMetaData columns =
                statement.executeQuery("SELECT id, price AS cost, name, id + 1 FROM described").getMetaData();
            equal(columns.getColumnCount(), 4);
            equal(columns.getColumnTypeName(1), "serial");
            equal(columns.getColumnLabel(2), "cost");
            equal(columns.getPrecision(2) + "," + columns.getScale(2), "8,2");
            equal(columns.getColumnDisplaySize(3), 7);
            equal(columns.getTableName(1), "described");
            equal(columns.isAutoIncrement(1), true);
            equal(columns.isNullable(1), ResultSetMetaData.columnNoNulls);
            equal(((org.postgresql.PGResultSetMetaData) columns).getBaseColumnName(2), "price");
            equal(columns.getTableName(4), "");
            try (PreparedStatement prepared = db.prepareStatement("UPDATE described SET name = ? WHERE id = ?")) {
                ParameterMetaData parameters = prepared.getParameterMetaData();
                equal(parameters.getParameterTypeName(1) + " " + parameters.getParameterTypeName(2), "varchar int4");
            }
            statement.execute("DROP TABLE described");
        }
    }

    private static void updatableResults(Connection db) throws SQLException {
        try (Statement statement = db.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
            statement.execute("CREATE TABLE edited (id integer PRIMARY KEY, name text)");
            statement.execute("INSERT INTO edited VALUES (1, 'a'), (2, 'b')");
            ResultSet rows = statement.executeQuery("SELECT id, name FROM edited ORDER BY id");
            rows.next();
            rows.updateString("name", "changed");
            rows.updateRow();
            rows.next();
            rows.deleteRow();
            rows.moveToInsertRow();
            rows.updateInt("id", 3);
            rows.updateString("name", "new");
            rows.insertRow();
            equal(first(db.prepareStatement("SELECT string_agg(id || name, ' ' ORDER BY id) FROM edited")), "1changed 3new");
            statement.execute("DROP TABLE edited");
        }
    }

    private static void copy(Connection db) throws Exception {
        try (Statement statement = db.createStatement()) {
            statement.execute("CREATE TABLE copied (id integer, name text)");
            CopyManager copies = db.unwrap(PGConnection.class).getCopyAPI();
            equal(copies.copyIn("COPY copied FROM STDIN WITH (FORMAT csv)", new StringReader("1,one\n2,\"a,b\"\n")), 2L);
            StringWriter out = new StringWriter();
            equal(copies.copyOut("COPY (SELECT * FROM copied ORDER BY id) TO STDOUT", out), 2L);
            equal(out.toString(), "1\tone\n2\ta,b\n");
            statement.execute("DROP TABLE copied");
        }
    }

    private static void cancellation(Connection db) throws Exception {
        try (Statement statement = db.createStatement()) {
            statement.setQueryTimeout(1);
            statement.execute("SELECT pg_sleep(30)");
            throw new AssertionError("the statement was not cancelled");
        } catch (SQLException expected) {
            equal(expected.getSQLState(), "57014");
        }
        equal(first(db.prepareStatement("SELECT 1")), "1");
    }

    private static String first(PreparedStatement statement) throws SQLException {
        try (ResultSet rows = statement.executeQuery()) {
            rows.next();
            return rows.getString(1);
        }
    }

    private static String column(ResultSet rows, String name) throws SQLException {
        return list(rows, name).toString();
    }

    private static List<String> list(ResultSet rows, String name) throws SQLException {
        List<String> values = new ArrayList<>();
        while (rows.next()) {
            values.add(rows.getString(name));
        }
        return values;
    }

    private static void equal(Object actual, Object expected) {
        if (!actual.equals(expected)) {
            throw new AssertionError("got " + actual + " instead of " + expected);
        }
    }
}
