//! SMPP under TLS: who may connect, and with what.

use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use smpp::pdu::Body;
use smsc_simulator::{Config, Simulator, Tls};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};

use crate::esme::{Esme, credentials, simulator, text};
use crate::http::get;
use crate::time::soon;

/// A root that vouches for certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
struct Identity {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn issue(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap().pem();
        Identity { certificate, key: key.serialize_pem() }
    }
}

async fn smsc(authority: &Authority, client_ca: Option<String>) -> Simulator {
    let Identity { certificate, key } = authority.issue("smsc.test");
    let tls = Tls { listen: "127.0.0.1:0".parse().unwrap(), certificates: certificate, key, client_ca };
    simulator(Config { tls: Some(tls), ..Config::default() }).await
}

async fn connect(
    simulator: &Simulator,
    authority: &Authority,
    version: &'static SupportedProtocolVersion,
    identity: Option<&Identity>,
) -> io::Result<Esme<TlsStream<TcpStream>>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { certificate, key }) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let address = simulator.tls_addr().expect("the configuration has TLS");
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("smsc.test").unwrap();
    let stream = soon(TlsConnector::from(Arc::new(config)).connect(name, stream)).await?;
    Ok(Esme::on(stream))
}

/// Binds, submits and unbinds.
async fn use_it(esme: &mut Esme<TlsStream<TcpStream>>) {
    for (sequence, body) in
        [Body::BindTransceiver(credentials()), Body::SubmitSm(text(b"under TLS")), Body::Unbind]
            .into_iter()
            .enumerate()
    {
        esme.send(u32::try_from(sequence).unwrap() + 1, body).await;
        assert!(esme.answer().await.0.is_ok(), "request {sequence}");
    }
    esme.is_closed().await;
}

#[tokio::test]
async fn l12_an_esme_speaks_smpp_under_tls_1_3_and_1_2() {
    let authority = Authority::new();
    let simulator = smsc(&authority, None).await;
    for (version, expected) in [(&TLS13, ProtocolVersion::TLSv1_3), (&TLS12, ProtocolVersion::TLSv1_2)] {
        let mut esme = connect(&simulator, &authority, version, None).await.unwrap();
        assert_eq!(esme.stream.get_ref().1.protocol_version(), Some(expected));
        use_it(&mut esme).await;
    }
    assert_eq!(simulator.inbox().counts().delivered, 2);
    assert!(Esme::bound(&simulator).await.stream.peer_addr().is_ok(), "in the clear there is another port");
}

#[tokio::test]
async fn many_submits_at_once_pass_through_tls_unharmed() {
    const MANY: u32 = 5_000;
    let authority = Authority::new();
    let simulator = smsc(&authority, None).await;
    let mut esme = connect(&simulator, &authority, &TLS13, None).await.unwrap();
    esme.send(1, Body::BindTransceiver(credentials())).await;
    assert!(esme.answer().await.0.is_ok());
    let sent: Vec<u8> =
        (2..MANY + 2).flat_map(|at| crate::esme::bytes(at, Body::SubmitSm(text(&[b'x'; 140])))).collect();
    let (mut reader, mut writer) = tokio::io::split(esme.stream);
    let writing = tokio::spawn(async move {
        tokio::io::AsyncWriteExt::write_all(&mut writer, &sent).await.unwrap();
        tokio::io::AsyncWriteExt::flush(&mut writer).await.unwrap();
        writer
    });
    let mut answers = Vec::new();
    while answers.len() < (MANY as usize) * 33 {
        assert!(soon(tokio::io::AsyncReadExt::read_buf(&mut reader, &mut answers)).await.unwrap() > 0);
    }
    drop(soon(writing).await.unwrap());
    for (answer, sequence) in answers.chunks(33).zip(2..) {
        assert_eq!(answer[..8], [0, 0, 0, 33, 0x80, 0, 0, 4]);
        assert_eq!(answer[8..16], [[0; 4], u32::to_be_bytes(sequence)].concat());
    }
}

#[tokio::test]
async fn l12_an_esme_without_a_certificate_of_the_right_root_is_refused() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let simulator = smsc(&authority, Some(authority.pem())).await;
    let known = authority.issue("esme.test");
    use_it(&mut connect(&simulator, &authority, &TLS13, Some(&known)).await.unwrap()).await;
    for (version, identity) in [
        (&TLS12, None),
        (&TLS13, None),
        (&TLS12, Some(stranger.issue("esme.test"))),
        (&TLS13, Some(stranger.issue("esme.test"))),
    ] {
        // In 1.3 the ESME learns of the refusal with its first read.
        if let Ok(mut esme) = connect(&simulator, &authority, version, identity.as_ref()).await {
            esme.is_closed().await;
        }
    }
    assert_eq!(simulator.sessions_bound(), 0);
    let metrics = get(simulator.web_addr(), "/metrics").await.body;
    assert!(metrics.contains("\nsmscsim_tls_failures_total 4\n"), "{metrics}");
}

#[tokio::test]
async fn an_esme_in_the_clear_gets_nothing_from_the_tls_listener() {
    let authority = Authority::new();
    let simulator = smsc(&authority, None).await;
    let mut esme = Esme::on(TcpStream::connect(simulator.tls_addr().unwrap()).await.unwrap());
    esme.send(1, Body::BindTransceiver(credentials())).await;
    let mut alert = Vec::new();
    soon(tokio::io::AsyncReadExt::read_to_end(&mut esme.stream, &mut alert)).await.unwrap();
    assert_eq!(alert.first(), Some(&21), "a TLS alert");
    assert_eq!(simulator.sessions_bound(), 0);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_handshake() {
    let authority = Authority::new();
    let simulator = smsc(&authority, None).await;
    let mut silent = TcpStream::connect(simulator.tls_addr().unwrap()).await.unwrap();
    soon(simulator.stop()).await;
    // Closed by us, or never accepted.
    let end = soon(tokio::io::AsyncReadExt::read(&mut silent, &mut [0; 1])).await;
    assert!(matches!(end, Ok(0) | Err(_)));
}
