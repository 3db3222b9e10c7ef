//! No log line shows a text, a code or a whole number, at any level.

use std::io;
use std::sync::{Arc, Mutex};

use smpp::pdu::{Bind, Body, SubmitSm};
use smpp::status::CommandStatus;
use smsc_simulator::Config;
use tracing_subscriber::fmt::MakeWriter;

use crate::esme::{Esme, bytes, simulator, text, with_receipt};
use crate::http::{exchange, get};

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

const CODE: &str = "4829137706";

#[tokio::test]
async fn logs_show_neither_codes_nor_numbers_even_for_malformed_input() {
    let kept = Kept::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(kept.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let simulator = simulator(Config::default()).await;
    let mut esme = Esme::bound(&simulator).await;
    esme.send(2, Body::SubmitSm(with_receipt(text(CODE.as_bytes())))).await;
    esme.answer().await;
    esme.receipt().await;
    let submit = bytes(3, Body::SubmitSm(text(CODE.as_bytes())));
    // Cut at every place inside the body, with a length that agrees.
    for length in 17..submit.len() {
        let mut cut = submit[..length].to_vec();
        cut[..4].copy_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
        esme.send_bytes(&cut).await;
        esme.answer().await;
    }
    // Well formed, but there is no month 29.
    let refused = SubmitSm { validity_period: b"482913770600000+", ..text(CODE.as_bytes()) };
    esme.send(4, Body::SubmitSm(refused)).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RINVEXPIRY, 4));
    esme.send_bytes(CODE.as_bytes()).await;
    esme.is_closed().await;
    let mut stranger = Esme::connect(&simulator).await;
    let bind = Bind { system_id: CODE.as_bytes(), ..Bind::default() };
    stranger.send(1, Body::BindTransceiver(bind)).await;
    stranger.answer().await;
    let web = simulator.web_addr();
    get(web, &format!("/messages?to={CODE}x")).await;
    get(web, &format!("/{CODE}")).await;
    exchange(web, &format!("GET /messages HTTP/1.1\nHost: {CODE}")).await;
    exchange(web, &format!("{CODE} nonsense")).await;
    simulator.stop().await;
    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("malformed PDU") && log.contains("request refused"), "{log}");
    assert!(!log.contains(CODE) && !log.contains("628120001234"), "{log}");
}
