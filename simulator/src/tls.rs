//! TLS 1.2 and 1.3 for ESMEs, with or without certificates of their own.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};

/// A listener for ESMEs that speak TLS, beside the one in the clear. `Debug` hides the key.
#[derive(Clone, PartialEq, Eq)]
pub struct Tls {
    /// Where they connect. Port 0 is any free one.
    pub listen: SocketAddr,
    /// The SMSC's certificate and those that lead to its root, in PEM.
    pub certificates: String,
    /// The certificate's private key, in PEM.
    pub key: String,
    /// Root certificates in PEM. With them, an ESME has to show a certificate that one of them vouches for.
    pub client_ca: Option<String>,
}

impl Tls {
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let provider = Arc::new(default_provider());
        let chain = certificates(&self.certificates).ok_or(TlsError::Certificates)?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(|_| TlsError::Key)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unfit)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(roots) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(store(roots)?), provider)
                    .build()
                    .map_err(|_| TlsError::ClientCa)?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let config = builder.with_single_cert(chain, key).map_err(TlsError::Unfit)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// The certificates in a PEM text; `None` if one is broken or there is none.
fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>().ok()?;
    (!chain.is_empty()).then_some(chain)
}

fn store(pem: &str) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for root in certificates(pem).ok_or(TlsError::ClientCa)? {
        store.add(root).map_err(|_| TlsError::ClientCa)?;
    }
    Ok(store)
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("listen", &self.listen)
            .field("asks_for_certificates", &self.client_ca.is_some())
            .finish_non_exhaustive()
    }
}

/// What is wrong with the certificates or the key.
#[derive(Debug)]
pub enum TlsError {
    /// The SMSC's certificates are not PEM, or there is none.
    Certificates,
    /// The private key is not PEM.
    Key,
    /// The roots for the ESMEs' certificates are not PEM, or none of them is one.
    ClientCa,
    /// They can be read, but not be used together.
    Unfit(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificates => f.write_str("the TLS certificate must be one or more certificates in PEM"),
            Self::Key => f.write_str("the TLS key must be a private key in PEM"),
            Self::ClientCa => f.write_str("the TLS client CA must be one or more root certificates in PEM"),
            Self::Unfit(error) => write!(f, "the TLS certificate and key cannot be used: {error}"),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Certificates | Self::Key | Self::ClientCa => None,
            Self::Unfit(error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    fn tls() -> Tls {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        Tls {
            listen: "127.0.0.1:0".parse().unwrap(),
            certificates: cert.pem(),
            key: signing_key.serialize_pem(),
            client_ca: None,
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        assert!(tls().acceptor().is_ok());
        let refusal = |spoilt: Tls| spoilt.acceptor().err().unwrap().to_string();
        assert!(refusal(Tls { certificates: String::new(), ..tls() }).contains("certificate must be"));
        assert!(refusal(Tls { key: "no key".to_owned(), ..tls() }).contains("key must be"));
        assert!(refusal(Tls { client_ca: Some(String::new()), ..tls() }).contains("client CA must be"));
        assert!(refusal(Tls { key: tls().key, ..tls() }).contains("cannot be used"), "another one's key");
    }

    #[test]
    fn debug_hides_the_key() {
        let tls = tls();
        let shown = format!("{tls:?}");
        assert!(!shown.contains("PRIVATE") && !shown.contains(&tls.key), "{shown}");
    }
}
