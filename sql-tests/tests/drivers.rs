//! Drivers and tools that people connect with, each against a server of its own. `make drivers` installs them; those that
//! are not there are skipped.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use springtide_sql_tests::server::Server;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Every one takes far less; more is a hang.
const HANG: Duration = Duration::from_secs(300);

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/drivers");

/// Where Debian puts the JDBC driver.
const JDBC: &str = "/usr/share/java/postgresql.jar";

#[tokio::test(flavor = "multi_thread")]
async fn psycopg() {
    run_python("test_psycopg.py", &["psycopg", "psycopg_pool"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asyncpg() {
    run_python("test_asyncpg.py", &["asyncpg"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlalchemy_and_pandas() {
    run_python("test_sqlalchemy.py", &["sqlalchemy", "psycopg", "psycopg2", "pandas"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_postgres() {
    let modules = installed().join("node/node_modules");
    if is_absent("node") || !modules.join("pg").exists() {
        return skipped("node with the package pg");
    }
    let mut node = Command::new("node");
    node.args(["--test", "node_postgres.test.js"]).env("NODE_PATH", modules);
    run(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jdbc() {
    if is_absent("java") || !Path::new(JDBC).exists() {
        return skipped(&format!("java with {JDBC}"));
    }
    let mut java = Command::new("java");
    java.args(["-cp", JDBC, "Jdbc.java"]);
    run(java).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pgbench() {
    if is_absent("pgbench") || is_absent("psql") {
        return skipped("pgbench or psql");
    }
    run(Command::new("./pgbench.sh")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dbt() {
    let programs = installed().join("venv/bin");
    if !programs.join("dbt").exists() {
        return skipped("dbt");
    }
    let mut dbt = Command::new("./dbt.sh");
    let path = env::var("PATH").unwrap_or_default();
    dbt.env("PATH", format!("{}:{path}", programs.display()));
    run(dbt).await;
}

/// Runs a file of tests that needs these Python modules.
async fn run_python(file: &str, modules: &[&str]) {
    let python = installed().join("venv/bin/python");
    let imports = format!("import pytest, {}", modules.join(", "));
    let imported = Command::new(&python).args(["-c", &imports]).stderr(Stdio::null()).status();
    if !imported.is_ok_and(|status| status.success()) {
        return skipped(&format!("Python with {}", modules.join(", ")));
    }
    let mut pytest = Command::new(python);
    pytest.args(["-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", file]);
    run(pytest).await;
}

/// Runs a program against a server of its own, which it finds in the variables that libpq knows. Fails with what it
/// printed unless it succeeds.
async fn run(mut program: Command) {
    let server = Server::start(2).await;
    program
        .current_dir(FOLDER)
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", server.port().to_string())
        .env("PGUSER", "springtide")
        .env("PGDATABASE", "springtide")
        .stdin(Stdio::null());
    let output = timeout(HANG, spawn_blocking(move || program.output())).await;
    let output = output.expect("it does not hang").expect("it is not cancelled").expect("it starts");
    let printed = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&printed));
    server.stop().await;
}

/// Where `make drivers` has installed what the tests need.
fn installed() -> PathBuf {
    let test = env::current_exe().expect("a test knows where it is");
    // target/release/deps/drivers-…
    test.ancestors().nth(3).expect("a test lies in a target directory").join("drivers")
}

fn is_absent(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err()
}

fn skipped(absent: &str) {
    println!("note: {absent} is not here, so this test is skipped; `make drivers` installs what it can");
}
