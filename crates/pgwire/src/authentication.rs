//! How a client proves who it is, from its first message to the session that it gets.

use std::net::IpAddr;

use futures::{SinkExt, StreamExt};
use pgwire::messages::startup::{Authentication, PasswordMessageFamily};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use springtide_engine::Database;
use springtide_types::SqlError;

use crate::connection::{Failure, Wire};
use crate::errors::{invalid_authorization, invalid_password};
use crate::options::ServeOptions;
use crate::rules::Method;
use crate::scram::{Decoys, Exchange, PLAIN, PLUS};

/// A client that says who it is.
pub(crate) struct Claim<'a> {
    pub(crate) user: &'a str,
    pub(crate) address: IpAddr,
    pub(crate) encrypted: bool,
}

impl Claim<'_> {
    /// Whether others could read what it says.
    fn is_in_the_clear(&self) -> bool {
        !self.encrypted && !self.address.to_canonical().is_loopback()
    }
}

/// Lets a client prove who it is. Returns the name of its role.
pub(crate) async fn authenticate(
    wire: &mut Wire,
    claim: &Claim<'_>,
    database: &Database,
    options: &ServeOptions,
    decoys: &Decoys,
) -> Result<String, Failure> {
    if options.require_tls && claim.is_in_the_clear() {
        let message = "connections from other machines must be encrypted";
        let error = SqlError::new(invalid_authorization(), message);
        return Err(Failure::Fatal(error.with_hint("Connect with sslmode=require.")));
    }
    match options.auth.method(claim.address) {
        Method::Trust => Ok(trusted(claim.user, database)),
        Method::Scram => {
            scram(wire, claim, database, options, decoys).await?;
            Ok(claim.user.to_owned())
        }
        Method::Reject => {
            let message =
                format!("no rule lets user \"{}\" in from {}", claim.user, claim.address.to_canonical());
            let error = SqlError::new(invalid_authorization(), message);
            Err(Failure::Fatal(error.with_hint("The option --auth of the server says who is let in.")))
        }
    }
}

/// Whoever is trusted may be anybody. A name that no role has stands for the first superuser, so that clients that give the
/// name of their user of the machine need no role.
fn trusted(user: &str, database: &Database) -> String {
    if database.has_role(user) { user.to_owned() } else { database.superuser() }
}

async fn scram(
    wire: &mut Wire,
    claim: &Claim<'_>,
    database: &Database,
    options: &ServeOptions,
    decoys: &Decoys,
) -> Result<(), Failure> {
    let certificate = options.tls.as_ref().filter(|_| claim.encrypted).and_then(|tls| tls.certificate_hash());
    let mechanisms = certificate.map(|_| PLUS).into_iter().chain([PLAIN]).map(str::to_owned);
    ask(wire, Authentication::SASL(mechanisms.collect())).await?;
    let first = answer(wire).await?.into_sasl_initial_response()?;
    let verifier = database.verifier(claim.user);
    let data = first.data.unwrap_or_default();
    let exchange = Exchange::begin((claim.user, verifier), decoys, &first.auth_method, certificate, &data)?;
    ask(wire, Authentication::SASLContinue(exchange.server_first().to_owned().into())).await?;
    let last = answer(wire).await?.into_sasl_response()?;
    let Some(proof) = exchange.finish(&last.data)? else {
        let message = format!("password authentication failed for user \"{}\"", claim.user);
        return Err(Failure::Fatal(SqlError::new(invalid_password(), message)));
    };
    wire.feed(PgWireBackendMessage::Authentication(Authentication::SASLFinal(proof.into()))).await?;
    Ok(())
}

async fn ask(wire: &mut Wire, question: Authentication) -> Result<(), Failure> {
    Ok(wire.send(PgWireBackendMessage::Authentication(question)).await?)
}

async fn answer(wire: &mut Wire) -> Result<PasswordMessageFamily, Failure> {
    match wire.next().await.transpose()? {
        Some(PgWireFrontendMessage::PasswordMessageFamily(message)) => Ok(message),
        Some(_) => Err(Failure::protocol_violation("expected SASL response")),
        None => Err(Failure::Disconnected(std::io::ErrorKind::UnexpectedEof.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_machine_is_in_the_clear_unless_encrypted() {
        let claim =
            |address: &str, encrypted| Claim { user: "", address: address.parse().unwrap(), encrypted };
        assert!(claim("10.0.0.1", false).is_in_the_clear());
        assert!(!claim("10.0.0.1", true).is_in_the_clear());
        assert!(!claim("::ffff:127.0.0.1", false).is_in_the_clear());
    }
}
