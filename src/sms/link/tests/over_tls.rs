//! TLS to the SMSC: who is trusted, who is refused, and what counts as written.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::*;
use crate::metrics::ReceiptOutcome;
use crate::sms::link::connect::{ConnectError, connect};
use crate::sms::link::socket::Socket;
use crate::sms::link::tls::TlsError;

const NAME: &str = "smsc.test";
const BOTH: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];

/// A root that vouches for certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
#[derive(Clone)]
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

    fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut parameters);
        let certificate = parameters.signed_by(&key, &self.0).unwrap().pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    /// What connections of a gateway that trusts this authority begin with.
    fn connector(&self, client: Option<&Identity>) -> Option<Connector> {
        let pair = |client: &Identity| {
            (tls::parse_certificates(&client.certificate).unwrap(), tls::parse_key(&client.key).unwrap())
        };
        let roots = tls::parse_roots(&self.0.pem()).unwrap();
        Some(Connector::new(roots, client.map(pair), NAME.try_into().unwrap()).unwrap())
    }
}

/// An SMSC with this certificate that asks for one of `client_ca`, if there is one.
fn acceptor(
    identity: &Identity,
    versions: &[&'static SupportedProtocolVersion],
    client_ca: Option<&Authority>,
) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(versions).unwrap();
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.0.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()))
}

async fn accept(script: &Script, acceptor: &TlsAcceptor) -> io::Result<Peer<TlsStream<TcpStream>>> {
    let peer = script.accept().await;
    let stream = patiently(acceptor.accept(peer.stream)).await?;
    Ok(Peer { stream, input: Vec::new() })
}

/// How a gateway that trusts `trusted` fares with an SMSC.
async fn meets(identity: &Identity, trusted: &Authority) -> Result<(), ConnectError> {
    let script = Script::listen().await;
    let acceptor = acceptor(identity, BOTH, None);
    let settings = Settings { address: script.addr().to_string(), ..Settings::default() };
    let connector = trusted.connector(None);
    let clock = Clock::manual(Timestamp::from_unix_millis(0));
    let (connected, _) =
        tokio::join!(connect(&settings, connector.as_ref(), &clock), accept(&script, &acceptor));
    connected.map(drop)
}

#[tokio::test(flavor = "local")]
async fn l12_an_smsc_is_trusted_by_authority_name_and_date_alone() {
    let authority = Authority::new();
    assert!(meets(&authority.issue(NAME, |_| {}), &authority).await.is_ok());
    let expired = |parameters: &mut CertificateParams| parameters.not_after = date_time_ymd(2020, 1, 1);
    let not_yet = |parameters: &mut CertificateParams| parameters.not_before = date_time_ymd(2999, 1, 1);
    for (identity, refused) in [
        (authority.issue(NAME, expired), TlsError::Expired),
        (authority.issue(NAME, not_yet), TlsError::Expired),
        (authority.issue("other.test", |_| {}), TlsError::WrongName),
        (Authority::new().issue(NAME, |_| {}), TlsError::UnknownCa),
    ] {
        let error = meets(&identity, &authority).await.unwrap_err();
        assert!(matches!(error, ConnectError::Tls(why) if why == refused), "{error}");
    }
}

#[tokio::test(flavor = "local")]
async fn l12_an_smsc_that_is_not_trusted_is_counted_and_not_tried_again_soon() {
    let authority = Authority::new();
    let acceptor = acceptor(&Authority::new().issue(NAME, |_| {}), BOTH, None);
    let script = Script::listen().await;
    let running = Running::start_with(script.addr(), authority.connector(None), |_| {});
    assert!(accept(&script, &acceptor).await.is_err());
    until(|| running.metrics.sms.tls_failures.get() == 1).await;
    running.clock.advance(Duration::from_millis(14_999));
    assert!(script.sees_no_attempt().await);
    running.clock.advance(Duration::from_millis(15_001));
    assert!(accept(&script, &acceptor).await.is_err());
    assert_eq!(running.metrics.sms.binds.get(), 0);
    running.stop().await;
}

#[tokio::test(flavor = "local")]
async fn l12_sms_go_over_tls_1_3_and_to_a_peer_with_1_2_only() {
    let authority = Authority::new();
    for versions in [BOTH, &[&TLS12]] {
        let acceptor = acceptor(&authority.issue(NAME, |_| {}), versions, None);
        let script = Script::listen().await;
        let mut running = Running::start_with(script.addr(), authority.connector(None), |_| {});
        let mut peer = accept(&script, &acceptor).await.unwrap();
        peer.bind().await;
        running.send(1);
        let submit = peer.submit().await;
        peer.accept(submit.sequence).await;
        assert_eq!(running.report().await, (1, Delivery::Accepted));
        // Handed to TLS in full, and the link lost: in doubt for ever.
        running.send(2);
        assert_eq!(peer.submit().await.number, 2);
        drop(peer);
        assert_eq!(running.report().await, (2, Delivery::Unknown));
        assert_eq!(running.metrics.sms.tls_failures.get(), 0);
        assert_eq!(running.stop().await, []);
    }
}

#[tokio::test(flavor = "local")]
async fn l12_a_client_certificate_is_shown_where_the_smsc_asks_for_one() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    for versions in [BOTH, &[&TLS12]] {
        let acceptor = acceptor(&theirs.issue(NAME, |_| {}), versions, Some(&ours));
        let script = Script::listen().await;
        let identity = ours.issue("gateway.test", |_| {});
        let running = Running::start_with(script.addr(), theirs.connector(Some(&identity)), |_| {});
        accept(&script, &acceptor).await.unwrap().bind().await;
        until(|| running.metrics.links_bound() == 1).await;
        running.stop().await;

        // Another, since the first gateway may have connected once more before it stopped.
        let script = Script::listen().await;
        let running = Running::start_with(script.addr(), theirs.connector(None), |_| {});
        assert!(accept(&script, &acceptor).await.is_err());
        until(|| running.metrics.sms.tls_failures.get() == 1).await;
        assert_eq!(running.metrics.sms.binds.get(), 0);
        running.stop().await;
    }
}

#[tokio::test(flavor = "local")]
async fn l12_a_thousand_sms_arrive_over_tls_as_they_were_sent() {
    let authority = Authority::new();
    let Identity { certificate, key } = authority.issue(NAME, |_| {});
    let listen = "127.0.0.1:0".parse().unwrap();
    let tls = smsc_simulator::Tls { listen, certificates: certificate, key, client_ca: None };
    let config = smsc_simulator::Config { tls: Some(tls), ..smsc_simulator::Config::default() };
    let simulator = Simulator::start(config).await.unwrap();
    let change = |config: &mut Settings| (config.window, config.binds) = (256, 2);
    let mut running = Running::start_with(simulator.tls_addr().unwrap(), authority.connector(None), change);
    until(|| running.metrics.links_bound() == 2).await;
    for _ in 0..4 {
        (0..250).for_each(|number| running.send(number));
        // Time for what gathers.
        running.pass_until(|metrics| metrics.sms.receipts.of(ReceiptOutcome::Matched).get() % 250 == 0).await;
        let mut delivered = 0;
        while delivered < 250 {
            match running.report().await.1 {
                Delivery::Accepted => {}
                Delivery::Delivered => delivered += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(simulator.inbox().counts().delivered, 1_000);
    assert_eq!(running.metrics.sms.anomalies.get(), 0);
    running.stop().await;
    simulator.stop().await;
}

#[tokio::test(flavor = "local")]
async fn l12_tls_takes_no_more_than_a_record_beyond_what_the_socket_takes() {
    let authority = Authority::new();
    let acceptor = acceptor(&authority.issue(NAME, |_| {}), BOTH, None);
    let script = Script::listen().await;
    let settings = Settings { address: script.addr().to_string(), ..Settings::default() };
    let connector = authority.connector(None);
    let clock = Clock::manual(Timestamp::from_unix_millis(0));
    let (connected, peer) =
        tokio::join!(connect(&settings, connector.as_ref(), &clock), accept(&script, &acceptor));
    let Socket { stream, tls } = connected.unwrap();
    let (mut tls, mut peer) = (tls.unwrap(), peer.unwrap());
    let plain = [7; 100_000];
    let mut taken = 0;
    while let Ok(count) = tls.try_write(&stream, &plain) {
        taken += count;
    }
    assert!(taken > 0);
    // All of it comes out at the other end, once it is read.
    let mut read = 0;
    while read < taken {
        if !tls.flush(&stream).unwrap() {
            tokio::task::yield_now().await;
        }
        read += patiently(peer.stream.read_buf(&mut peer.input)).await.unwrap();
    }
    assert_eq!(read, taken);
    assert!(peer.input.iter().all(|byte| *byte == 7));
}

#[test]
fn a_connector_shows_no_key() {
    let authority = Authority::new();
    let identity = authority.issue(NAME, |_| {});
    let connector = authority.connector(Some(&identity)).unwrap();
    let password = Zeroizing::new("secret08".to_owned());
    let shown =
        format!("{:?}", SmscConfig { settings: Settings::default(), password, connector: Some(connector) });
    assert!(!shown.contains("PRIVATE") && !shown.contains("secret08"), "{shown}");
}
