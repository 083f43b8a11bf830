//! What the flags say of who is let in.

use std::env;
use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use springtide_engine::Database;
use springtide_pgwire::{AuthRules, ServeOptions, Tls};

use crate::options::Security;

/// The variable that may hold the first password of the superuser.
const PASSWORD: &str = "SPRINGTIDE_SUPERUSER_PASSWORD";

/// How to serve clients at an address. An error is for the user: nobody is let in by mistake.
pub(crate) fn serve_options(security: &Security, address: IpAddr) -> Result<ServeOptions, String> {
    let auth = match &security.auth {
        Some(auth) => auth.clone(),
        None if address.is_loopback() => AuthRules::loopback_only(),
        None => {
            return Err(format!(
                "other machines could connect to {address}, and nothing says how they prove who they are\n\
                 Say --auth scram-sha-256, and give the superuser a password with --superuser-password-file FILE; \
                 or --auth trust to let everybody in as whoever they say."
            ));
        }
    };
    let tls = match (&security.tls_cert, &security.tls_key) {
        (Some(certificate), Some(key)) => Some(Tls::open(certificate, key)?),
        _ => None,
    };
    if !address.is_loopback() && auth.trust_others() {
        tracing::warn!("clients from other machines are let in without a password, as --auth says");
    }
    if !address.is_loopback() && tls.is_none() {
        tracing::warn!("connections are not encrypted; --tls-cert and --tls-key encrypt them");
    }
    Ok(ServeOptions {
        auth,
        tls,
        require_tls: security.require_tls,
        max_connections: security.max_connections,
        startup_timeout: Duration::from_secs(security.startup_timeout),
        max_message_size: security.max_message_size,
    })
}

/// Gives the superuser its first password, if the flags have one.
pub(crate) async fn set_first_password(
    security: &Security,
    options: &ServeOptions,
    database: &Database,
) -> Result<(), String> {
    if let Some(password) = first_password(security)? {
        let set = database.set_first_password(&password).await;
        if !set.map_err(|error| format!("cannot set the password of the superuser: {error}"))? {
            tracing::info!("the superuser has a password already, which stays");
        }
    }
    if options.auth.ask_for_passwords() && !database.has_passwords() {
        tracing::warn!(
            "no role has a password yet; --superuser-password-file FILE sets that of the superuser"
        );
    }
    Ok(())
}

fn first_password(security: &Security) -> Result<Option<String>, String> {
    let password = match &security.superuser_password_file {
        Some(path) => {
            let text = fs::read_to_string(path);
            let text = text.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            Some(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        None => env::var(PASSWORD).ok(),
    };
    if password.as_deref() == Some("") {
        return Err("the password of the superuser is empty".to_owned());
    }
    Ok(password)
}
