//! The first messages of a connection, up to the first `ReadyForQuery`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{SinkExt, StreamExt};
use pgwire::api::auth::protocol_negotiation;
use pgwire::api::{
    ClientInfo, ConnectionHandle, METADATA_DATABASE, METADATA_USER, PgWireConnectionState,
    PidSecretKeyGenerator,
};
use pgwire::messages::response::{ReadyForQuery, TransactionStatus};
use pgwire::messages::startup::{Authentication, BackendKeyData, SecretKey, Startup};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use pgwire::tokio::server::{MaybeTls, PgWireMessageServerCodec, negotiate_tls};
use springtide_engine::{Client, Database, Interrupt, Notice, Session};
use springtide_types::{SqlError, SqlState};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio_util::codec::{Framed, FramedParts};

use crate::authentication::{Claim, authenticate};
use crate::connection::{Connection, Failure, Interrupts, Wire};
use crate::errors::{invalid_authorization, too_many_connections};
use crate::limited::Limited;
use crate::report;
use crate::server::Registry;

/// What drivers parse to learn which dialect is spoken.
const SERVER_VERSION: &str = concat!("15.0 (Springtide ", env!("CARGO_PKG_VERSION"), ")");

/// Startup parameters that are not settings of the session.
const NOT_SETTINGS: [&str; 4] = [METADATA_USER, METADATA_DATABASE, "options", "replication"];

/// The socket before it is known who is at its other end.
type Unknown = Framed<MaybeTls, PgWireMessageServerCodec<()>>;

/// Lets a client in that proves who it is, to any database. `None` if it did not want to stay, as after a cancel request, or took
/// too long.
pub(crate) async fn accept(
    socket: TcpStream,
    database: &Database,
    registry: &Arc<Registry>,
    stopping: watch::Receiver<bool>,
) -> Result<Option<Connection>, Failure> {
    let introduced = async {
        let Some((wire, startup)) = introduction(socket, database, registry).await? else { return Ok(None) };
        let entrance = Entrance { startup: &startup, database, registry };
        entrance.enter(wire, stopping).await.map(Some)
    };
    let timeout = registry.options.startup_timeout;
    tokio::time::timeout(timeout, introduced).await.unwrap_or(Ok(None))
}

/// The first message of a client, after which it is encrypted if both want to. `None` if that was all.
async fn introduction(
    socket: TcpStream,
    database: &Database,
    registry: &Registry,
) -> Result<Option<(Unknown, Startup)>, Failure> {
    let tls = registry.options.tls.as_ref().map(|tls| tls.acceptor());
    let Some(mut wire) = negotiate_tls(socket, tls).await? else { return Ok(None) };
    match wire.next().await.transpose()? {
        None => Ok(None),
        Some(PgWireFrontendMessage::CancelRequest(request)) => {
            if registry.cancels.cancel(request.pid, &request.secret_key).await {
                database.note_cancelled(request.pid);
            }
            Ok(None)
        }
        Some(PgWireFrontendMessage::Startup(startup)) => Ok(Some((wire, startup))),
        Some(_) => Err(Failure::protocol_violation("unexpected message before startup")),
    }
}

/// A client that has said who it is, and wants to come in.
struct Entrance<'a> {
    startup: &'a Startup,
    database: &'a Database,
    registry: &'a Arc<Registry>,
}

impl Entrance<'_> {
    async fn enter(
        &self,
        mut unknown: Unknown,
        stopping: watch::Receiver<bool>,
    ) -> Result<Connection, Failure> {
        let negotiated = protocol_negotiation(&mut unknown, self.startup).await;
        // From here on, what it sends has a type.
        unknown.set_state(PgWireConnectionState::AuthenticationInProgress);
        let key = self.registry.process_ids.generate(&unknown);
        let (address, encrypted) = (unknown.socket_addr(), unknown.is_secure());
        let mut wire = limited(unknown);
        let admitted = match negotiated {
            Ok(()) => self.admit(&mut wire, (address, encrypted), &key, stopping).await,
            Err(error) => Err(error.into()),
        };
        match admitted {
            Ok((session, interrupts)) => {
                wire.codec_mut().set_limit(self.registry.options.max_message_size);
                Ok(Connection::new(wire, session, interrupts))
            }
            Err(Failure::Fatal(error)) => {
                wire.send(report::error("FATAL", error.clone())).await?;
                Err(Failure::Fatal(error))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Has the client prove who it is, and gives it a session.
    async fn admit(
        &self,
        wire: &mut Wire,
        (address, encrypted): (SocketAddr, bool),
        (process_id, secret_key): &(i32, SecretKey),
        stopping: watch::Receiver<bool>,
    ) -> Result<(Session, Interrupts), Failure> {
        let user = self.startup.parameters.get(METADATA_USER).filter(|user| !user.is_empty());
        let user = user.ok_or_else(|| {
            let message = "no PostgreSQL user name specified in startup packet";
            Failure::Fatal(SqlError::new(invalid_authorization(), message))
        })?;
        let claim = Claim { user, address: address.ip(), encrypted };
        let (options, decoys) = (&self.registry.options, &self.registry.decoys);
        let role = authenticate(wire, &claim, self.database, options, decoys).await?;
        // Only now, so that nobody who may not come in takes the room of others.
        let slot = self.registry.slot().ok_or_else(|| {
            Failure::Fatal(SqlError::new(too_many_connections(), "sorry, too many clients already"))
        })?;
        let (cancel, registration) = self.registry.cancels.register(*process_id, secret_key.clone());
        let terminated = Arc::new(Terminated::default());
        let interrupt = interrupter(cancel.clone(), terminated.clone());
        let client = Client { process_id: *process_id, address: Some(address), interrupt };
        let mut session = self.database.session_of(&role, client).map_err(fatal)?;
        let warnings = apply_settings(&mut session, self.startup);
        let superuser = session.is_superuser();
        let reports = session.take_reports();
        self.welcome(wire, superuser, reports, (*process_id, secret_key)).await?;
        for warning in warnings {
            // It is read with the first answer.
            wire.feed(report::notice(warning)).await?;
        }
        let (_registration, _slot) = (registration, slot);
        Ok((session, Interrupts { cancel, terminated, _registration, _slot, stopping }))
    }

    /// Tells the client who we are and who it is.
    async fn welcome(
        &self,
        wire: &mut Wire,
        superuser: bool,
        reports: Vec<(&'static str, String)>,
        (process_id, secret_key): (i32, &SecretKey),
    ) -> Result<(), Failure> {
        wire.feed(PgWireBackendMessage::Authentication(Authentication::Ok)).await?;
        let parameters = [
            ("server_version", SERVER_VERSION),
            ("server_encoding", "UTF8"),
            ("integer_datetimes", "on"),
            ("in_hot_standby", "off"),
            ("is_superuser", if superuser { "on" } else { "off" }),
        ];
        let reports = reports.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in parameters.into_iter().chain(reports) {
            wire.feed(report::parameter(name, value)).await?;
        }
        let key = BackendKeyData::new(process_id, secret_key.clone());
        wire.feed(PgWireBackendMessage::BackendKeyData(key)).await?;
        let ready = ReadyForQuery::new(TransactionStatus::Idle);
        Ok(wire.send(PgWireBackendMessage::ReadyForQuery(ready)).await?)
    }
}

/// The socket, with a limit to what comes in.
fn limited(unknown: Unknown) -> Wire {
    let before = unknown.into_parts();
    let mut parts = FramedParts::new(before.io, Limited::new(before.codec));
    parts.read_buf = before.read_buf;
    parts.write_buf = before.write_buf;
    Framed::from_parts(parts)
}

/// That a session is to end.
#[derive(Default)]
pub(crate) struct Terminated {
    is_so: AtomicBool,
    told: Notify,
}

impl Terminated {
    /// Whether it is.
    pub(crate) fn is_so(&self) -> bool {
        self.is_so.load(Ordering::Relaxed)
    }

    /// Completes when it is.
    pub(crate) async fn wait(&self) {
        self.told.notified().await;
    }
}

/// What interrupts a session.
fn interrupter(
    cancel: Arc<ConnectionHandle>,
    terminated: Arc<Terminated>,
) -> Arc<dyn Fn(Interrupt) + Send + Sync> {
    Arc::new(move |how| {
        if how == Interrupt::Terminate {
            terminated.is_so.store(true, Ordering::Relaxed);
            terminated.told.notify_one();
        }
        let cancel = cancel.clone();
        tokio::spawn(async move { cancel.cancel().await });
    })
}

fn fatal(error: SqlError) -> Failure {
    Failure::Fatal(error)
}

/// The failure of a session that another has ended.
pub(crate) fn terminated() -> Failure {
    let message = "terminating connection due to administrator command";
    Failure::Fatal(SqlError::new(SqlState::ADMIN_SHUTDOWN, message))
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
