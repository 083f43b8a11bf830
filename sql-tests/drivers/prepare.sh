#!/bin/sh
# Installs what the tests of the drivers need into a folder, as far as this machine can, and says what is missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/node"
cd "$1"

missing() {
    echo "missing: $1; $2"
}

if python3 -m venv venv 2>/dev/null; then
    venv/bin/pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt" ||
        missing "what requirements.txt lists" "without it the tests in Python are skipped"
else
    missing "python3 with venv (Debian: python3-venv)" "psycopg, asyncpg, SQLAlchemy, pandas and dbt are skipped"
fi

if command -v npm >/dev/null; then
    cp "$here/package.json" node/
    (cd node && npm install --silent --no-audit --no-fund) ||
        missing "what package.json lists" "node-postgres is skipped"
else
    missing "node and npm" "node-postgres is skipped"
fi

command -v java >/dev/null || missing "java, a JDK (Debian: default-jdk-headless)" "JDBC is skipped"
test -e /usr/share/java/postgresql.jar ||
    missing "/usr/share/java/postgresql.jar (Debian: libpostgresql-jdbc-java)" "JDBC is skipped"
command -v pgbench >/dev/null || missing "pgbench (Debian: postgresql-contrib)" "pgbench is skipped"
