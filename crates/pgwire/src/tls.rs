//! The certificate of the server, and TLS with it.

use std::path::Path;
use std::sync::Arc;

use pgwire::tokio::TlsAcceptor;
use pgwire::tokio::tokio_rustls::rustls::ServerConfig;
use pgwire::tokio::tokio_rustls::rustls::crypto::ring::default_provider;
use pgwire::tokio::tokio_rustls::rustls::pki_types::pem::PemObject;
use pgwire::tokio::tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ring::digest;
use x509_certificate::{CapturedX509Certificate, DigestAlgorithm};

/// What clients that begin with TLS say they are about to speak.
const PROTOCOL: &[u8] = b"postgresql";

/// TLS with the certificate of the server.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    /// The hash of the certificate that channels are bound to; `None` if its signature says none.
    certificate_hash: Option<Arc<[u8]>>,
}

impl Tls {
    /// TLS with a certificate, followed by those of who signed it, and its key, both in PEM files. The error is a line for the
    /// user.
    pub fn open(certificate: &Path, key: &Path) -> Result<Tls, String> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
        };
        let (certificate_pem, key_pem) = (read(certificate)?, read(key)?);
        let told = |path: &Path, what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
        let chain = CertificateDer::pem_slice_iter(&certificate_pem).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| told(certificate, &error))?;
        let Some(first) = chain.first() else {
            return Err(told(certificate, &"there is no certificate in it"));
        };
        let certificate_hash = hash(first).map(Arc::from);
        let private = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|error| told(key, &error))?;
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let config = config.with_no_client_auth().with_single_cert(chain, private);
        let mut config = config.map_err(|error| told(key, &error))?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), certificate_hash })
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    pub(crate) fn certificate_hash(&self) -> Option<&[u8]> {
        self.certificate_hash.as_deref()
    }
}

/// The hash of a certificate for `tls-server-end-point` (RFC 5929): by the function of its signature, or SHA-256 where that is
/// an old one.
fn hash(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let parsed = CapturedX509Certificate::from_der(certificate.as_ref()).ok()?;
    let algorithm = match parsed.signature_algorithm()?.digest_algorithm()? {
        DigestAlgorithm::Sha1 | DigestAlgorithm::Sha256 => &digest::SHA256,
        DigestAlgorithm::Sha384 => &digest::SHA384,
        DigestAlgorithm::Sha512 => &digest::SHA512,
    };
    Some(digest::digest(algorithm, certificate.as_ref()).as_ref().to_vec())
}
