//! The demo, shortened, against a server in this process.

use std::process::Command;

use springtide_sql_tests::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn the_views_of_the_first_days_are_right() {
    let server = Server::start(2).await;
    let address = format!("127.0.0.1:{}", server.port());
    let demo = tokio::task::spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_flights")).args(["--rows", "3000", "--server", &address]).output()
    });
    let output = demo.await.expect("the demo can be waited for").expect("the demo can be run");
    let (shown, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{shown}{errors}");
    assert_eq!(shown.lines().filter(|line| line.ends_with("  yes")).count(), 9, "{shown}");
    server.stop().await;
}
