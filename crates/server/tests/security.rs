//! The real server: whom it lets in, and what it refuses to do.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tokio_postgres::{Client, Config, Error, NoTls};

fn server(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_springtide"));
    command.args(["serve", "--workers", "1"]).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A server that runs, and its port.
fn start(arguments: &[&str]) -> (Child, u16) {
    let mut process = server(arguments).stderr(Stdio::null()).spawn().expect("the server starts");
    let mut line = String::new();
    let stdout = process.stdout.take().expect("stdout is a pipe");
    BufReader::new(stdout).read_line(&mut line).expect("the server says that it is ready");
    let port = line.trim().rsplit(' ').next().and_then(|port| port.parse().ok());
    (process, port.unwrap_or_else(|| panic!("no port in {line:?}")))
}

fn stop(mut process: Child) {
    let told = Command::new("kill").args(["-TERM", &process.id().to_string()]).status();
    assert!(told.expect("there is kill").success());
    assert!(process.wait().expect("the server ends").success());
}

async fn log_in(port: u16, user: &str, password: &str) -> Result<Client, Error> {
    let mut config = Config::new();
    let (client, connection) =
        config.host("127.0.0.1").port(port).user(user).password(password).connect(NoTls).await?;
    tokio::spawn(async move { connection.await.ok() });
    Ok(client)
}

#[test]
fn it_does_not_listen_to_others_until_told_how() {
    let mut process = server(&["--listen", "0.0.0.0:0", "--in-memory"]).spawn().expect("the server starts");
    assert_eq!(process.wait().expect("the server ends").code(), Some(1));
    let mut told = String::new();
    process.stderr.take().expect("stderr is a pipe").read_to_string(&mut told).expect("it is text");
    assert!(told.contains("nothing says how they prove who they are"), "{told}");
    assert!(told.contains("--auth scram-sha-256") && told.contains("--auth trust"), "{told}");
    stop(start(&["--listen", "0.0.0.0:0", "--in-memory", "--auth", "trust"]).0);
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_privileges_survive_and_the_first_password_stays() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("a file can be written");
        path.to_str().expect("the path is text").to_owned()
    };
    let data = directory.path().join("data");
    let data = Path::to_str(&data).expect("the path is text");
    let (first, other) = (file("first", "tide\n"), file("other", "ebb\n"));
    let arguments = |password| {
        let auth = ["--auth", "scram-sha-256", "--superuser-password-file", password];
        [&["--listen", "127.0.0.1:0", "--data-dir", data][..], &auth].concat()
    };
    let (process, port) = start(&arguments(&first));
    let client = log_in(port, "springtide", "tide").await.expect("the password is right");
    let schema = "CREATE TABLE t (a int); INSERT INTO t VALUES (1); CREATE TABLE u (a int);
        CREATE USER ann PASSWORD 'x'; GRANT SELECT ON t TO ann; ALTER TABLE u OWNER TO ann";
    client.batch_execute(schema).await.expect("the schema is right");
    drop(client);
    stop(process);
    let (process, port) = start(&arguments(&other));
    assert!(log_in(port, "springtide", "ebb").await.is_err(), "it has a password already");
    assert!(log_in(port, "springtide", "tide").await.is_ok());
    let ann = log_in(port, "ann", "x").await.expect("the role is there");
    assert_eq!(ann.query_one("SELECT a FROM t", &[]).await.expect("it was granted").get::<_, i32>(0), 1);
    assert!(ann.batch_execute("INSERT INTO t VALUES (2)").await.is_err());
    ann.batch_execute("INSERT INTO u VALUES (2); DROP TABLE u").await.expect("it owns the table");
    stop(process);
}
