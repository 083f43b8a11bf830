//! A newcomer's session, mistakes included: through the real psql where there is one, and through a driver.

#[path = "psql/catalogue.rs"]
mod catalogue;
#[path = "psql/session.rs"]
mod session;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use futures::SinkExt;
use session::{Expect, SESSION, Step};
use springtide_sql_tests::server::Server;
use tokio_postgres::{Client, CopyInSink, Error, SimpleQueryMessage};

/// The whole session takes far less; more is a hang.
const HANG: Duration = Duration::from_secs(120);

/// psql prints this before the output of each step.
const MARK: &str = "==> step ";

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_with_psql() {
    if Command::new("psql").arg("--version").output().is_err() {
        println!("note: psql is not on the PATH, so this test is skipped");
        return;
    }
    let server = Server::start(2).await;
    let port = server.port();
    let session = tokio::task::spawn_blocking(move || run_psql(port));
    let output = tokio::time::timeout(HANG, session).await.expect("psql hangs").expect("psql runs");
    let mut sections = output.split(MARK);
    assert_eq!(sections.next().map(str::trim), Some(""), "psql starts without a word:\n{output}");
    let sections = sections
        .map(|section| section.split_once('\n').unwrap_or((section, "")).1.trim_end())
        .collect::<Vec<_>>();
    assert_eq!(sections.len(), SESSION.len(), "every step has its output:\n{output}");
    for (step, section) in SESSION.iter().zip(sections) {
        check_section(step, section);
    }
    check_end(&server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_with_a_driver() {
    let server = Server::start(2).await;
    let client = server.connect().await;
    for step in SESSION {
        let outcome = tokio::time::timeout(HANG, run_step(&client, step));
        check_outcome(step, outcome.await.expect("no step hangs"));
    }
    drop(client);
    check_end(&server).await;
    server.stop().await;
}

/// The session ends in an open transaction, which leaves nothing behind; everything else is there.
async fn check_end(server: &Server) {
    let client = server.connect().await;
    let rows =
        rows(client.simple_query("SELECT name FROM city ORDER BY name").await.expect("the server lives"));
    assert_eq!(rows, ["Bergen", "Lima", "Oslo", "Quito"]);
    let rows = self::rows(
        client.simple_query("SELECT * FROM by_country ORDER BY country").await.expect("so does the view"),
    );
    assert_eq!(rows, ["EC 1 18.50", "NO 2 9.75", "PE 1 20.00"]);
}

fn run_psql(port: u16) -> String {
    // One pipe for both streams keeps messages and rows in order.
    let command = format!(
        "exec psql -X -A -t -F ' ' -P null=NULL -h 127.0.0.1 -p {port} -U newcomer -d springtide 2>&1"
    );
    let mut psql = Command::new("sh")
        .args(["-c", &command])
        .env("PGCONNECT_TIMEOUT", "10")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("psql starts");
    let mut script = String::from("\\set VERBOSITY sqlstate\n");
    for (number, step) in SESSION.iter().enumerate() {
        // psql sends statement by statement, unless the semicolon between them is escaped.
        let sql = step.sql.replace("; ", "\\; ");
        script.push_str(&format!("\\echo {MARK}{number}\n{sql};\n"));
        if let Some(data) = step.data {
            script.push_str(&format!("{data}\\.\n"));
        }
    }
    psql.stdin.take().expect("stdin is piped").write_all(script.as_bytes()).expect("psql reads its script");
    let output = psql.wait_with_output().expect("psql ends");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn check_section(step: &Step, section: &str) {
    match step.expect {
        Expect::Done => assert!(!section.contains("ERROR:"), "{}\n{section}", step.sql),
        Expect::Rows(rows) => assert_eq!(section.lines().collect::<Vec<_>>(), rows, "{}", step.sql),
        Expect::Error(state) => {
            let reported = section.lines().any(|line| line.trim_end().ends_with(&format!("ERROR:  {state}")));
            assert!(reported, "{}\nmust fail with {state}, not say\n{section}", step.sql);
        }
    }
}

/// What a step gave through the driver.
async fn run_step(client: &Client, step: &Step) -> Result<Vec<String>, Error> {
    let Some(data) = step.data else {
        return client.simple_query(step.sql).await.map(rows);
    };
    let sink: CopyInSink<Bytes> = client.copy_in(step.sql).await?;
    let mut sink = Box::pin(sink);
    sink.send(Bytes::from_static(data.as_bytes())).await?;
    sink.as_mut().finish().await?;
    Ok(Vec::new())
}

fn check_outcome(step: &Step, outcome: Result<Vec<String>, Error>) {
    match (step.expect, outcome) {
        (Expect::Done, Ok(_)) => {}
        (Expect::Rows(expected), Ok(rows)) => assert_eq!(rows, expected, "{}", step.sql),
        (Expect::Error(state), Err(error)) => {
            let code = error.code().map(|code| code.code().to_owned());
            assert_eq!(code.as_deref(), Some(state), "{}\n{error}", step.sql);
        }
        (Expect::Error(state), Ok(_)) => panic!("{}\nmust fail with {state}", step.sql),
        (_, Err(error)) => panic!("{}\n{:?}", step.sql, error.as_db_error().map(ToString::to_string)),
    }
}

fn rows(messages: Vec<SimpleQueryMessage>) -> Vec<String> {
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => {
            let values = (0..row.len()).map(|column| row.get(column).unwrap_or("NULL").to_owned());
            Some(values.collect::<Vec<_>>().join(" "))
        }
        _ => None,
    };
    messages.into_iter().filter_map(row).collect()
}
