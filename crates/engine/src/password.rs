//! Passwords, of which only SCRAM-SHA-256 verifiers are kept: what a server needs to check that a client knows the password,
//! and not enough to log in with.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use springtide_types::{Result, SqlError};

/// What a text that holds a verifier begins with.
const SCHEME: &str = "SCRAM-SHA-256";

/// A verifier, as in PostgreSQL's `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    /// How often the password was hashed.
    pub iterations: u32,
    /// What was hashed with it.
    pub salt: Vec<u8>,
    /// The hash of the key by which the client proves that it knows the password.
    pub stored_key: Vec<u8>,
    /// The key by which the server proves that it knows the verifier.
    pub server_key: Vec<u8>,
}

/// Bytes of a key.
const KEY_LENGTH: usize = 32;

impl Verifier {
    /// A verifier from its text; `None` if the text is none.
    pub fn parse(text: &str) -> Option<Verifier> {
        let mut parts = text.split('$');
        let (scheme, hashed, keys) = (parts.next()?, parts.next()?, parts.next()?);
        let ((iterations, salt), (stored, server)) = (hashed.split_once(':')?, keys.split_once(':')?);
        let key = |text: &str| STANDARD.decode(text).ok().filter(|key| key.len() == KEY_LENGTH);
        let verifier = Verifier {
            iterations: iterations.parse().ok().filter(|iterations| *iterations > 0)?,
            salt: STANDARD.decode(salt).ok()?,
            stored_key: key(stored)?,
            server_key: key(server)?,
        };
        (scheme == SCHEME && parts.next().is_none()).then_some(verifier)
    }
}

/// What is kept of a password: its verifier, or what is one already.
pub(crate) fn verifier_text(password: &str) -> Result<String> {
    if Verifier::parse(password).is_some() {
        return Ok(password.to_owned());
    }
    let is_md5 = |rest: &str| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    if password.strip_prefix("md5").is_some_and(is_md5) {
        return Err(SqlError::unsupported("a password hashed by MD5")
            .with_hint("Give the password itself, or a SCRAM-SHA-256 verifier."));
    }
    Ok(postgres_protocol::password::scram_sha_256(password.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_become_verifiers_and_verifiers_stay() {
        let text = verifier_text("secret").unwrap();
        let verifier = Verifier::parse(&text).unwrap();
        assert_eq!((verifier.iterations, verifier.salt.len()), (4096, 16));
        assert_eq!(verifier_text(&text).unwrap(), text);
        assert_ne!(verifier_text("secret").unwrap(), text, "each has a salt of its own");
    }

    #[test]
    fn what_only_looks_like_a_verifier_is_a_password() {
        for text in ["SCRAM-SHA-256$4096:c2FsdA==$a:b", "SCRAM-SHA-256", "", "md5"] {
            assert_eq!(Verifier::parse(text), None);
            assert!(Verifier::parse(&verifier_text(text).unwrap()).is_some());
        }
        let md5 = "md5d41d8cd98f00b204e9800998ecf8427e";
        assert!(verifier_text(md5).is_err());
    }
}
