//! What a server is told of its clients.

use std::time::Duration;

use crate::rules::AuthRules;
use crate::tls::Tls;

/// Whom to let in, and how much each may take.
#[derive(Clone)]
pub struct ServeOptions {
    /// How clients prove who they are.
    pub auth: AuthRules,
    /// The certificate to encrypt connections with; without it, none is encrypted.
    pub tls: Option<Tls>,
    /// Whether clients from other machines have to encrypt their connections.
    pub require_tls: bool,
    /// How many sessions there may be at once.
    pub max_connections: usize,
    /// How long a client may take to prove who it is.
    pub startup_timeout: Duration,
    /// Bytes that a message of a client may have.
    pub max_message_size: usize,
}

impl Default for ServeOptions {
    /// Whoever is on the machine of the server is let in.
    fn default() -> ServeOptions {
        ServeOptions {
            auth: AuthRules::loopback_only(),
            tls: None,
            require_tls: false,
            max_connections: 1000,
            startup_timeout: Duration::from_secs(60),
            max_message_size: 1 << 30,
        }
    }
}
