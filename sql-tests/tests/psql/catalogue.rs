//! psql's backslash commands, which ask the system catalogue, with all that they print.

use std::io::Write;
use std::process::{Command, Stdio};

use springtide_sql_tests::server::Server;

/// Commands behind a prompt, and what psql 15 prints for each.
const TRANSCRIPT: &str = include_str!("catalogue.txt");
const PROMPT: &str = "springtide=> ";

/// Other versions ask and print something else.
const VERSION: &str = "(PostgreSQL) 15.";

#[tokio::test(flavor = "multi_thread")]
async fn backslash_commands() {
    let version = Command::new("psql").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    if !version.is_ok_and(|version| version.contains(VERSION)) {
        println!("note: there is no psql {VERSION} on the PATH, so this test is skipped");
        return;
    }
    let server = Server::start(2).await;
    let port = server.port();
    let printed = tokio::task::spawn_blocking(move || run(port)).await.expect("psql runs");
    assert_eq!(printed, TRANSCRIPT, "psql printed\n{printed}");
    server.stop().await;
}

/// What psql prints for the commands of the transcript.
fn run(port: u16) -> String {
    let command = format!("exec psql -X -h 127.0.0.1 -p {port} -U springtide -d springtide 2>&1");
    let mut psql = Command::new("sh")
        .args(["-c", &command])
        .env("PGCONNECT_TIMEOUT", "10")
        .env("PGCLIENTENCODING", "UTF8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("psql starts");
    let mut script = String::new();
    for command in TRANSCRIPT.lines().filter_map(|line| line.strip_prefix(PROMPT)) {
        // Quotes, so that psql prints the backslashes as they are.
        let shown = command.replace('\'', "''").replace('\\', "\\\\");
        script.push_str(&format!("\\echo '{PROMPT}{shown}'\n{command}\n"));
    }
    psql.stdin.take().expect("stdin is piped").write_all(script.as_bytes()).expect("psql reads its script");
    let output = psql.wait_with_output().expect("psql ends");
    let printed = String::from_utf8_lossy(&output.stdout);
    // psql pads what it prints.
    printed.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
