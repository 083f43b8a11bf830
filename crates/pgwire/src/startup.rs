//! The first messages of a connection, up to the first `ReadyForQuery`.

use std::collections::HashMap;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use pgwire::api::auth::{ServerParameterProvider, finish_authentication, protocol_negotiation};
use pgwire::api::{
    ClientInfo, METADATA_APPLICATION_NAME, METADATA_CLIENT_ENCODING, METADATA_DATABASE, METADATA_USER,
    PidSecretKeyGenerator,
};
use pgwire::messages::PgWireFrontendMessage;
use pgwire::messages::startup::Startup;
use pgwire::tokio::server::negotiate_tls;
use springtide_engine::{Database, Notice, Session};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::connection::{Connection, Failure, Interrupts, Wire};
use crate::report;
use crate::server::Registry;

/// How long a client may take to introduce itself.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(60);

/// What drivers parse to learn which dialect is spoken.
const SERVER_VERSION: &str = concat!("15.0 (Springtide ", env!("CARGO_PKG_VERSION"), ")");

/// Startup parameters that are not settings of the session.
const NOT_SETTINGS: [&str; 4] = [METADATA_USER, METADATA_DATABASE, "options", "replication"];

/// Lets a client in: no TLS, any user, any database. `None` if it did not want to stay, as after a cancel
/// request.
pub(crate) async fn accept(
    socket: TcpStream,
    database: &Database,
    registry: &Registry,
    stopping: watch::Receiver<bool>,
) -> Result<Option<Connection>, Failure> {
    let introduction = async {
        let Some(mut wire) = negotiate_tls(socket, None).await? else { return Ok(None) };
        let message = wire.next().await.transpose()?;
        Ok::<_, Failure>(message.map(|message| (wire, message)))
    };
    let Ok(introduced) = tokio::time::timeout(STARTUP_TIMEOUT, introduction).await else { return Ok(None) };
    match introduced? {
        None => Ok(None),
        Some((_, PgWireFrontendMessage::CancelRequest(request))) => {
            registry.cancels.cancel(request.pid, &request.secret_key).await;
            Ok(None)
        }
        Some((mut wire, PgWireFrontendMessage::Startup(startup))) => {
            let interrupts = introduce(&mut wire, &startup, registry, stopping).await?;
            let mut session = database.session();
            for warning in apply_settings(&mut session, &startup) {
                // It is read with the first answer.
                wire.feed(report::notice(warning)).await?;
            }
            Ok(Some(Connection::new(wire, session, interrupts)))
        }
        Some(_) => Err(Failure::protocol_violation("unexpected message before startup")),
    }
}

/// Sets the run-time parameters that the client asks for. One that we have not is no reason to send a client
/// away, whose driver may ask for it unbidden, such as the time zone of its host.
fn apply_settings(session: &mut Session, startup: &Startup) -> Vec<Notice> {
    // `_pq_.` marks options of the protocol, which a server may ignore.
    let is_setting = |name: &str| !NOT_SETTINGS.contains(&name) && !name.starts_with("_pq_.");
    let settings = startup.parameters.iter().filter(|(name, _)| is_setting(name));
    let refused =
        settings.filter_map(|(name, value)| session.set_initial(name, value.trim_matches('\'')).err());
    refused.map(|error| Notice { severity: "WARNING", error }).collect()
}

/// Tells the client who we are, and makes its statements cancellable.
async fn introduce(
    wire: &mut Wire,
    startup: &Startup,
    registry: &Registry,
    stopping: watch::Receiver<bool>,
) -> Result<Interrupts, Failure> {
    protocol_negotiation(wire, startup).await?;
    let (process_id, secret_key) = registry.process_ids.generate(wire);
    wire.set_pid_and_secret_key(process_id, secret_key.clone());
    let (cancel, registration) = registry.cancels.register(process_id, secret_key);
    finish_authentication(wire, &Parameters(startup)).await?;
    Ok(Interrupts { cancel, _registration: registration, stopping })
}

/// The settings that clients are told of at startup.
struct Parameters<'a>(&'a Startup);

impl ServerParameterProvider for Parameters<'_> {
    fn server_parameters<C: ClientInfo>(&self, _client: &C) -> Option<HashMap<String, String>> {
        let given = |name: &str| self.0.parameters.get(name).map_or("", String::as_str);
        let parameters = [
            ("server_version", SERVER_VERSION),
            ("server_encoding", "UTF8"),
            (METADATA_CLIENT_ENCODING, "UTF8"),
            ("DateStyle", "ISO, MDY"),
            ("IntervalStyle", "postgres"),
            ("TimeZone", "UTC"),
            ("integer_datetimes", "on"),
            ("standard_conforming_strings", "on"),
            ("in_hot_standby", "off"),
            ("default_transaction_read_only", "off"),
            ("is_superuser", "on"),
            ("session_authorization", given(METADATA_USER)),
            (METADATA_APPLICATION_NAME, given(METADATA_APPLICATION_NAME)),
        ];
        Some(parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }
}
