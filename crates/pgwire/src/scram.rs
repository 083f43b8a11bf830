//! The server's side of SCRAM-SHA-256 (RFC 5802 and 7677), with channel binding to the certificate of the server.
//!
//! The wire library has one too, which wants to know the salted password: from that anybody could log in. Only the
//! verifier is kept here, from which nobody can.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SecureRandom;
use ring::{digest, hmac};
use springtide_engine::Verifier;
use springtide_types::SqlError;

use crate::connection::Failure;

/// The mechanism without channel binding.
pub(crate) const PLAIN: &str = "SCRAM-SHA-256";
/// The mechanism with channel binding.
pub(crate) const PLUS: &str = "SCRAM-SHA-256-PLUS";
/// The channel binding: a hash of the certificate of the server.
const BINDING: &str = "p=tls-server-end-point";

/// Bytes of the server's part of the nonce, and of the salt of a verifier that stands for none.
const NONCE_LENGTH: usize = 18;
const SALT_LENGTH: usize = 16;
const ITERATIONS: u32 = 4096;

/// Verifiers of users who have none: the salt that a client is told is always the same for a name, so that it can't tell whether
/// there is such a user.
pub(crate) struct Decoys(hmac::Key);

impl Decoys {
    /// Those of one server.
    pub(crate) fn new() -> Decoys {
        let rng = ring::rand::SystemRandom::new();
        Decoys(hmac::Key::generate(hmac::HMAC_SHA256, &rng).expect("the system has random numbers"))
    }

    fn verifier(&self, user: &str) -> Verifier {
        let salt = hmac::sign(&self.0, user.as_bytes()).as_ref()[..SALT_LENGTH].to_vec();
        // No client can prove to know what leads to a key of zeros.
        let (stored_key, server_key) =
            (vec![0; digest::SHA256_OUTPUT_LEN], vec![0; digest::SHA256_OUTPUT_LEN]);
        Verifier { iterations: ITERATIONS, salt, stored_key, server_key }
    }
}

/// A conversation in which the client has said its first message.
pub(crate) struct Exchange {
    verifier: Verifier,
    /// What the client has to repeat of the channel that it thinks it is on.
    binding: Vec<u8>,
    client_first_bare: String,
    nonce: String,
    server_first: String,
    /// Whether there is a password to know.
    is_real: bool,
}

impl Exchange {
    /// Reads the first message of a client that has chosen a mechanism. `certificate` is the hash of that of the server, if
    /// the connection is encrypted.
    pub(crate) fn begin(
        (user, verifier): (&str, Option<Verifier>),
        decoys: &Decoys,
        mechanism: &str,
        certificate: Option<&[u8]>,
        message: &[u8],
    ) -> Result<Exchange, Failure> {
        let message = text(message)?;
        let (header, bare) = split_header(message).ok_or_else(malformed)?;
        let binding = bound_to(header, mechanism, certificate)?;
        // The name in it does not count: the startup message has said who it is.
        let named = bare.split_once(",r=").filter(|(name, _)| name.starts_with("n="));
        let (_, nonce) = named.ok_or_else(malformed)?;
        let client_nonce = nonce.split(',').next().filter(|nonce| !nonce.is_empty()).ok_or_else(malformed)?;
        let is_real = verifier.is_some();
        let verifier = verifier.unwrap_or_else(|| decoys.verifier(user));
        let mut random = [0; NONCE_LENGTH];
        ring::rand::SystemRandom::new().fill(&mut random).map_err(|_| no_randomness())?;
        let nonce = format!("{client_nonce}{}", STANDARD.encode(random));
        let (salt, iterations) = (STANDARD.encode(&verifier.salt), verifier.iterations);
        let server_first = format!("r={nonce},s={salt},i={iterations}");
        Ok(Exchange { verifier, binding, client_first_bare: bare.to_owned(), nonce, server_first, is_real })
    }

    /// What to answer to the first message.
    pub(crate) fn server_first(&self) -> &str {
        &self.server_first
    }

    /// Reads the last message of the client. Returns what to answer; `None` if the client does not know the password.
    pub(crate) fn finish(&self, message: &[u8]) -> Result<Option<String>, Failure> {
        let message = text(message)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or_else(malformed)?;
        let mut attributes = without_proof.split(',');
        let mut attribute = |name: &str| attributes.next().and_then(|it| it.strip_prefix(name));
        let (binding, nonce) =
            (attribute("c=").ok_or_else(malformed)?, attribute("r=").ok_or_else(malformed)?);
        if STANDARD.decode(binding).ok().as_ref() != Some(&self.binding) {
            return Err(Failure::Fatal(SqlError::new(
                crate::errors::invalid_authorization(),
                "SCRAM channel binding check failed",
            )));
        }
        if nonce != self.nonce {
            return Err(malformed());
        }
        let proof = STANDARD.decode(proof).map_err(|_| malformed())?;
        let signed = format!("{},{},{without_proof}", self.client_first_bare, self.server_first);
        let knows_it = self.proves(&signed, &proof) && self.is_real;
        Ok(knows_it.then(|| format!("v={}", STANDARD.encode(sign(&self.verifier.server_key, &signed)))))
    }

    /// Whether a proof is that of a client that knows the password.
    fn proves(&self, signed: &str, proof: &[u8]) -> bool {
        let signature = sign(&self.verifier.stored_key, signed);
        if proof.len() != signature.as_ref().len() {
            return false;
        }
        let client_key = signature.as_ref().iter().zip(proof).map(|(one, other)| one ^ other);
        let stored_key = digest::digest(&digest::SHA256, &client_key.collect::<Vec<_>>());
        stored_key.as_ref() == self.verifier.stored_key
    }
}

fn sign(key: &[u8], message: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes())
}

/// The header of the first message, up to its second comma, and the rest.
fn split_header(message: &str) -> Option<(&str, &str)> {
    let first = message.find(',')?;
    let end = first + 1 + message[first + 1..].find(',')? + 1;
    Some(message.split_at(end))
}

/// What the client has to repeat of the channel, given the header of its first message.
fn bound_to(header: &str, mechanism: &str, certificate: Option<&[u8]>) -> Result<Vec<u8>, Failure> {
    let flag = header.split(',').next().unwrap_or_default();
    let binding: &[u8] = match (mechanism, flag, certificate) {
        (PLAIN, "n", _) | (PLAIN, "y", None) => &[],
        // Somebody in between has hidden from it that the server can.
        (PLAIN, "y", Some(_)) => {
            let message = "SCRAM channel binding negotiation error";
            let detail = "The client supports SCRAM channel binding but thinks the server does not.  \
                          However, this server does support channel binding.";
            let state = crate::errors::invalid_authorization();
            return Err(Failure::Fatal(SqlError::new(state, message).with_detail(detail)));
        }
        (PLUS, BINDING, Some(certificate)) => certificate,
        _ => return Err(malformed()),
    };
    Ok([header.as_bytes(), binding].concat())
}

fn text(message: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(message).map_err(|_| malformed())
}

fn malformed() -> Failure {
    Failure::protocol_violation("malformed SCRAM message")
}

fn no_randomness() -> Failure {
    Failure::Fatal(SqlError::internal("could not generate a random number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verifier of the example in RFC 7677: the password `pencil`.
    fn verifier() -> Verifier {
        let text = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:\
                    wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        Verifier::parse(text).unwrap()
    }

    fn exchange() -> Exchange {
        let first = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
        let decoys = Decoys::new();
        let mut exchange =
            Exchange::begin(("user", Some(verifier())), &decoys, PLAIN, None, first).ok().unwrap();
        exchange.nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_owned();
        exchange.server_first = format!("r={},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", exchange.nonce);
        exchange
    }

    #[test]
    fn the_example_of_the_rfc() {
        let exchange = exchange();
        let last = format!("c=biws,r={},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", exchange.nonce);
        let answer = exchange.finish(last.as_bytes()).ok().unwrap();
        assert_eq!(answer.as_deref(), Some("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        let wrong = last.replace("p=dH", "p=dI");
        assert_eq!(exchange.finish(wrong.as_bytes()).ok().unwrap(), None);
        assert!(exchange.finish(last.replace("biws", "eSws").as_bytes()).is_err());
        assert!(exchange.finish(b"c=biws,r=x,p=").is_err());
    }

    #[test]
    fn nobody_can_log_in_as_a_decoy() {
        let decoys = Decoys::new();
        let first = b"n,,n=,r=abc";
        let begin = || Exchange::begin(("nobody", None), &decoys, PLAIN, None, first).ok().unwrap();
        assert_eq!(begin().verifier, begin().verifier, "the salt tells nothing");
        let exchange = begin();
        let last = format!("c=biws,r={},p={}", exchange.nonce, STANDARD.encode([0; 32]));
        assert_eq!(exchange.finish(last.as_bytes()).ok().unwrap(), None);
    }

    #[test]
    fn a_channel_is_bound_if_both_can() {
        let bound = |header, mechanism, certificate| bound_to(header, mechanism, certificate).ok();
        assert_eq!(bound("y,,", PLAIN, None), Some(b"y,,".to_vec()));
        assert_eq!(bound("y,,", PLAIN, Some(b"hash")), None);
        assert_eq!(
            bound("p=tls-server-end-point,,", PLUS, Some(b"hash")),
            Some(b"p=tls-server-end-point,,hash".to_vec())
        );
        assert_eq!(bound("p=tls-unique,,", PLUS, Some(b"hash")), None);
        assert_eq!(bound("n,,", PLUS, Some(b"hash")), None);
    }
}
