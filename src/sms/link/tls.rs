//! TLS to an SMSC, without its socket: plain bytes on one side, records on the other.
//!
//! A plain byte counts as written once this layer has taken it: from then on the SMSC may come to read it. So it
//! takes more only when the socket has taken all of its records, and little is in doubt when a link dies. What
//! it holds is not wiped: records are ciphertext, and plain text that comes in is copied out and freed at once.
//!
//! The SMSC must show a certificate for its name that the configured authority vouches for; TLS 1.2 and 1.3.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection, Error, RootCertStore};
use settings::{FileProblem, Section, file, secret_file, text};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// Room for a TLS record of the largest size (RFC 8446 §5.2, RFC 5246 §6.2.3).
const RECORD_BYTES_MAX: usize = 5 + (1 << 14) + 2_048;
/// The plain bytes that are taken at once: those of a full record.
const PLAIN_BYTES_MAX: usize = 1 << 14;

/// What connections to one SMSC begin with.
#[derive(Clone, Debug)]
pub(in crate::sms) struct Connector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// Our certificate and those that lead to its authority's, and its private key.
type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Connector {
    /// Reads `[smsc.tls]` and the files that it names; `host` is that of the SMSC's address.
    pub(in crate::sms) fn read(section: &Section<'_>, host: &str) -> Option<Self> {
        let of_authorities = "a file with the PEM certificates of authorities";
        let (_, roots) = section
            .required(
                "ca_file",
                file(of_authorities, |pem| {
                    parse_roots(pem).ok_or_else(|| FileProblem::other(of_authorities))
                }),
            )
            .unzip();
        let name = "the name in the SMSC's certificate: a host's name or an IP address";
        let name = match section.has("server_name") {
            true => section.get("server_name", text(name, parse_name)),
            false => parse_name(host).or_else(|| section.miss("server_name", name)),
        };
        let (chain, key) = (section.has("certificate_file"), section.has("key_file"));
        let identity = (chain || key).then(|| read_identity(section));
        let connector = Self::new(roots?, identity.map_or(Some(None), |read| read.map(Some))?, name?);
        if connector.is_none() {
            section.conflict(
                "key_file",
                "another key",
                "the private key of the certificate in certificate_file",
            );
        }
        connector
    }

    /// `None` if the private key is not that of the certificate.
    pub(super) fn new(
        roots: RootCertStore,
        identity: Option<Identity>,
        name: ServerName<'static>,
    ) -> Option<Self> {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring offers what TLS 1.2 and 1.3 need")
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).ok()?,
        };
        Some(Self { config: Arc::new(config), name })
    }
}

fn read_identity(section: &Section<'_>) -> Option<Identity> {
    let of_ours = "a file with PEM certificates, ours first";
    let chain = section.required(
        "certificate_file",
        file(of_ours, |pem| parse_certificates(pem).ok_or_else(|| FileProblem::other(of_ours))),
    );
    let of_key = "a file with a private key in PEM";
    let key = section.required(
        "key_file",
        secret_file(of_key, |pem| parse_key(pem).ok_or_else(|| FileProblem::other(of_key))),
    );
    Some((chain?.1, key?.1))
}

fn parse_name(name: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(name.to_owned()).ok()
}

/// The private key in a PEM text.
pub(super) fn parse_key(pem: &str) -> Option<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()
}

/// The certificates in a PEM text; `None` if one is broken or there is none.
pub(super) fn parse_certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>().ok()?;
    (!chain.is_empty()).then_some(chain)
}

/// The authorities in a PEM text; `None` if one is broken or there is none.
pub(super) fn parse_roots(pem: &str) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for root in parse_certificates(pem)? {
        roots.add(root).ok()?;
    }
    Some(roots)
}

/// Why there is no TLS, or none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sms) enum TlsError {
    /// The SMSC's certificate has expired, or is not valid yet.
    Expired,
    /// It is for another name.
    WrongName,
    /// No authority that we know vouches for it.
    UnknownCa,
    /// It is of no use for another reason.
    BadCertificate,
    /// The SMSC has refused us: most likely our certificate, or that we have none.
    Refused(AlertDescription),
    /// Something that is not TLS as we speak it.
    Protocol,
}

impl From<&Error> for TlsError {
    fn from(error: &Error) -> Self {
        use CertificateError as Bad;
        match error {
            Error::InvalidCertificate(
                Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. },
            ) => Self::Expired,
            Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
                Self::WrongName
            }
            // Another authority that has the name of one that we know signs with another key.
            Error::InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature) => Self::UnknownCa,
            Error::InvalidCertificate(_) => Self::BadCertificate,
            Error::AlertReceived(alert) => Self::Refused(*alert),
            _ => Self::Protocol,
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => f.write_str("its certificate has expired or is not valid yet"),
            Self::WrongName => f.write_str("its certificate is for another name"),
            Self::UnknownCa => f.write_str("its certificate is of an unknown authority"),
            Self::BadCertificate => f.write_str("its certificate is not valid"),
            Self::Refused(alert) => write!(f, "it refuses TLS with us: {alert:?}"),
            Self::Protocol => f.write_str("it does not speak TLS as we do"),
        }
    }
}

/// Why bytes could not be carried on.
#[derive(Debug)]
pub(super) enum Broken {
    Tls(TlsError),
    Io(io::ErrorKind),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Tls(TlsError::from(&error))
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// The TLS of one connection.
pub(super) struct Tls {
    connection: ClientConnection,
    /// Records as they come from the socket.
    records: Box<[u8]>,
}

impl Tls {
    /// Agrees on TLS over a new connection. Not cancel safe: the connection is to be dropped, too.
    pub(super) async fn handshake(connector: &Connector, stream: &mut TcpStream) -> Result<Self, Broken> {
        let connection = ClientConnection::new(Arc::clone(&connector.config), connector.name.clone())?;
        let mut tls = Self { connection, records: vec![0; RECORD_BYTES_MAX].into_boxed_slice() };
        while tls.connection.is_handshaking() || tls.connection.wants_write() {
            if !tls.flush(stream)? {
                stream.writable().await?;
            } else if tls.connection.is_handshaking() {
                let count = stream.read(&mut tls.records).await?;
                if count == 0 {
                    return Err(Broken::Io(io::ErrorKind::UnexpectedEof));
                }
                if let Err(error) = tls.read_handshake(count) {
                    // Says why, if the SMSC still listens.
                    let _ = tls.flush(stream);
                    return Err(error);
                }
            }
        }
        Ok(tls)
    }

    fn read_handshake(&mut self, count: usize) -> Result<(), Broken> {
        let mut records = &self.records[..count];
        while !records.is_empty() {
            if self.connection.read_tls(&mut records)? == 0 {
                // After its close_notify it takes nothing more.
                return Err(Broken::Io(io::ErrorKind::UnexpectedEof));
            }
            self.connection.process_new_packets()?;
        }
        Ok(())
    }

    /// Where to read records to.
    pub(super) fn space(&mut self) -> &mut [u8] {
        &mut self.records
    }

    /// `count` bytes were read to [`Self::space`]. What they hold is given to `take`, which returns how much
    /// of it it took up, and is asked again for the rest.
    pub(super) fn read(
        &mut self,
        count: usize,
        mut take: impl FnMut(&mut dyn io::Read) -> io::Result<usize>,
    ) -> Result<(), Broken> {
        let mut records = &self.records[..count];
        while !records.is_empty() {
            if self.connection.read_tls(&mut records)? == 0 {
                // After its close_notify it takes nothing more.
                return Err(Broken::Io(io::ErrorKind::UnexpectedEof));
            }
            self.connection.process_new_packets()?;
            loop {
                match take(&mut self.connection.reader()) {
                    // The SMSC has said that nothing more comes.
                    Ok(0) => return Err(Broken::Io(io::ErrorKind::UnexpectedEof)),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Takes plain bytes, as soon as the socket has taken all records of those before.
    ///
    /// # Errors
    ///
    /// `WouldBlock` while it has not; those of the socket.
    pub(super) fn try_write(&mut self, stream: &TcpStream, plain: &[u8]) -> io::Result<usize> {
        if !self.flush(stream)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = self.connection.writer().write(&plain[..plain.len().min(PLAIN_BYTES_MAX)])?;
        // Taken is taken: what goes wrong from here on is returned by the next call.
        let _ = self.flush(stream);
        Ok(count)
    }

    /// Writes records. Returns whether the socket has taken all.
    pub(super) fn flush(&mut self, stream: &TcpStream) -> io::Result<bool> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut TryWrite(stream)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Says that nothing more comes, if the socket takes that at once.
    pub(super) fn close(&mut self, stream: &TcpStream) {
        self.connection.send_close_notify();
        let _ = self.flush(stream);
    }
}

/// A socket as rustls writes to it.
struct TryWrite<'a>(&'a TcpStream);

impl io::Write for TryWrite<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
