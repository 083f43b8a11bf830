//! Passwords, TLS, and limits.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pgwire::tokio::tokio_rustls::rustls::crypto::ring::default_provider;
use pgwire::tokio::tokio_rustls::rustls::{ClientConfig, RootCertStore};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use springtide_pgwire::{ServeOptions, Tls};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_postgres::config::{ChannelBinding, SslMode, SslNegotiation};
use tokio_postgres::{Client, Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::common::{Server, query};

fn with_passwords() -> ServeOptions {
    ServeOptions { auth: "scram-sha-256".parse().unwrap(), ..ServeOptions::default() }
}

async fn log_in(server: &Server, user: &str, password: &str) -> Result<Client, Error> {
    let mut config = Config::new();
    config.host("127.0.0.1").port(server.port).user(user).password(password);
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The SQLSTATE and the message with which a client is sent away.
async fn refused(server: &Server, user: &str, password: &str) -> String {
    let error = log_in(server, user, password).await.expect_err("nobody is let in");
    let error = error.as_db_error().expect("the server tells why");
    format!("{} {} {}", error.severity(), error.code().code(), error.message())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_needed_and_nothing_tells_which_users_there_are() {
    let server = Server::start_with(with_passwords()).await;
    assert!(server.database.set_first_password("tide").await.unwrap());
    assert!(!server.database.set_first_password("other").await.unwrap(), "the first stays");
    let client = log_in(&server, "springtide", "tide").await.unwrap();
    client
        .batch_execute(
            "CREATE USER ann PASSWORD 'pässword'; CREATE ROLE group_of_some PASSWORD 'x';
             CREATE USER late PASSWORD 'x' VALID UNTIL '2001-01-01'; CREATE USER blank",
        )
        .await
        .unwrap();
    let row = log_in(&server, "ann", "pässword").await.unwrap();
    let row = row.query_one("SELECT current_user, session_user", &[]).await.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("ann", "ann"));
    for (user, password) in [("ann", "tide"), ("nobody", "x"), ("late", "x"), ("blank", "")] {
        let expected = format!("FATAL 28P01 password authentication failed for user \"{user}\"");
        let password = if password.is_empty() { "-" } else { password };
        assert_eq!(refused(&server, user, password).await, expected);
    }
    let no_login = "FATAL 28000 role \"group_of_some\" is not permitted to log in";
    assert_eq!(refused(&server, "group_of_some", "x").await, no_login);
    // A verifier moves a password from one server to another.
    let row = client.query_one("SELECT rolpassword FROM pg_authid WHERE rolname = 'ann'", &[]).await.unwrap();
    let statement = format!("CREATE USER copied PASSWORD '{}'", row.get::<_, &str>(0));
    client.batch_execute(&statement).await.unwrap();
    assert!(log_in(&server, "copied", "pässword").await.is_ok());
    drop(client);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_trusted_is_whoever_it_says() {
    let server = Server::start().await;
    let client = log_in(&server, "somebody", "").await.unwrap();
    let row = client.query_one("SELECT current_user", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "springtide", "a name without a role is the superuser");
    client.batch_execute("CREATE USER ann; CREATE TABLE t (a int)").await.unwrap();
    let ann = log_in(&server, "ann", "").await.unwrap();
    let error = ann.batch_execute("SELECT * FROM t").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "42501");
    client.batch_execute("REVOKE CONNECT ON DATABASE springtide FROM PUBLIC").await.unwrap();
    assert_eq!(
        refused(&server, "ann", "").await,
        "FATAL 42501 permission denied for database \"springtide\""
    );
    drop((client, ann));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_no_rule_is_for_stays_outside() {
    let auth = "10.0.0.0/8=trust".parse().unwrap();
    let server = Server::start_with(ServeOptions { auth, ..ServeOptions::default() }).await;
    let expected = "FATAL 28000 no rule lets user \"ann\" in from 127.0.0.1";
    assert_eq!(refused(&server, "ann", "").await, expected);
    server.stop().await;
}

/// A certificate authority and the files of a server that it has signed for.
struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Authority { certificate, issuer: Issuer::new(params, key) }
    }

    fn sign(&self, directory: &Path) -> Tls {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        let (certificate, private) = (directory.join("server.crt"), directory.join("server.key"));
        std::fs::write(&certificate, signed.pem()).unwrap();
        std::fs::write(&private, key.serialize_pem()).unwrap();
        Tls::open(&certificate, &private).unwrap()
    }

    /// What a client needs that trusts this authority and no other.
    fn trusted(&self) -> MakeRustlsConnect {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        MakeRustlsConnect::new(config)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_encrypted_and_passwords_bound_to_them() {
    let (directory, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let tls = Some(authority.sign(directory.path()));
    let server = Server::start_with(ServeOptions { tls, ..with_passwords() }).await;
    server.database.set_first_password("tide").await.unwrap();
    let mut config = Config::new();
    config.host("localhost").hostaddr("127.0.0.1".parse().unwrap()).port(server.port);
    config.user("springtide").password("tide").ssl_mode(SslMode::Require);
    for binding in [ChannelBinding::Require, ChannelBinding::Disable] {
        config.channel_binding(binding);
        let (client, connection) = config.connect(authority.trusted()).await.unwrap();
        tokio::spawn(connection);
        assert_eq!(client.query_one("SELECT 1 + 1", &[]).await.unwrap().get::<_, i32>(0), 2);
    }
    config.ssl_negotiation(SslNegotiation::Direct);
    let (client, connection) = config.connect(authority.trusted()).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(client.query_one("SELECT 2", &[]).await.unwrap().get::<_, i32>(0), 2);
    let stranger = config.connect(Authority::new().trusted()).await;
    assert!(stranger.is_err(), "a server that nobody known has signed for");
    let plain = log_in(&server, "springtide", "tide").await.unwrap();
    assert!(plain.query_one("SELECT 1", &[]).await.is_ok(), "on this machine it need not be encrypted");
    drop(plain);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_only_so_many_sessions() {
    let server = Server::start_with(ServeOptions { max_connections: 2, ..ServeOptions::default() }).await;
    let first = log_in(&server, "springtide", "").await.unwrap();
    first.batch_execute("CREATE USER ann CONNECTION LIMIT 0").await.unwrap();
    assert_eq!(refused(&server, "ann", "").await, "FATAL 53300 too many connections for role \"ann\"");
    let second = log_in(&server, "springtide", "").await.unwrap();
    assert_eq!(refused(&server, "springtide", "").await, "FATAL 53300 sorry, too many clients already");
    drop(second);
    let again = async {
        while log_in(&server, "springtide", "").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), again).await.expect("a session that ends makes room");
    drop(first);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_who_it_is_is_not_waited_for() {
    let startup_timeout = Duration::from_millis(200);
    let server = Server::start_with(ServeOptions { startup_timeout, ..with_passwords() }).await;
    let mut silent = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    // This one says its name, and then nothing more.
    let mut slow = server.raw().await;
    let ended = async {
        assert_eq!(silent.read(&mut [0; 1]).await.unwrap_or(0), 0);
        while slow.next().await.is_some() {}
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the server closes both");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_have_a_limit() {
    let server = Server::start_with(ServeOptions { max_message_size: 1000, ..ServeOptions::default() }).await;
    let mut raw = server.raw_ready().await;
    assert_eq!(raw.query("SELECT 1").await.len(), 4);
    raw.send(&[query(&format!("SELECT '{}'", "x".repeat(1000)))]).await;
    assert!(raw.next().await.unwrap().starts_with("E FATAL 08P01"));
    assert_eq!(raw.next().await, None);
    server.stop().await;
}
