//! An ESME for tests: speaks SMPP PDU by PDU.

use smpp::codec;
use smpp::frame;
use smpp::pdu::{Address, Bind, Body, DeliverSmResp, EsmClass, FINAL_RECEIPT, Pdu, SequenceNumber, SubmitSm};
use smpp::status::CommandStatus;
use smsc_simulator::{Behavior, Config, Esme as Account, Simulator};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::time::soon;

pub(crate) const PHONE: &[u8] = b"628120001234";

/// A frame as it came.
pub(crate) struct Frame(Vec<u8>);

impl Frame {
    pub(crate) fn pdu(&self) -> Pdu<'_> {
        codec::decode(&self.0).expect("the simulator sends well-formed PDUs").pdu
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

pub(crate) struct Esme<S = TcpStream> {
    pub(crate) stream: S,
    received: Vec<u8>,
}

impl Esme {
    pub(crate) async fn connect(simulator: &Simulator) -> Self {
        let stream = TcpStream::connect(simulator.smpp_addr()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::on(stream)
    }

    /// Bound as transceiver with the default configuration's credentials.
    pub(crate) async fn bound(simulator: &Simulator) -> Self {
        let mut esme = Self::connect(simulator).await;
        esme.send(1, Body::BindTransceiver(credentials())).await;
        assert_eq!(esme.next().await.pdu().status, CommandStatus::ESME_ROK);
        esme
    }

    /// Whether nothing has come, and the connection is open.
    pub(crate) fn has_nothing(&self) -> bool {
        let read = self.stream.try_read(&mut [0]);
        self.received.is_empty() && read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Esme<S> {
    pub(crate) fn on(stream: S) -> Self {
        Self { stream, received: Vec::new() }
    }

    pub(crate) async fn send(&mut self, sequence: u32, body: Body<'_>) {
        self.send_bytes(&bytes(sequence, body)).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        soon(self.stream.write_all(bytes)).await.unwrap();
    }

    /// The next PDU, or `None` when the simulator has closed the connection.
    pub(crate) async fn next_or_end(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = frame::cut(&self.received, frame::COMMAND_LENGTH_MAX).unwrap() {
                let frame = frame.to_vec();
                self.received.drain(..frame.len());
                return Some(Frame(frame));
            }
            if soon(self.stream.read_buf(&mut self.received)).await.unwrap_or(0) == 0 {
                assert!(self.received.is_empty(), "the stream ended inside a PDU");
                return None;
            }
        }
    }

    /// What one read brings.
    pub(crate) async fn read_once(&mut self) -> Vec<u8> {
        self.received.reserve(4_096);
        soon(self.stream.read_buf(&mut self.received)).await.unwrap();
        std::mem::take(&mut self.received)
    }

    pub(crate) async fn next(&mut self) -> Frame {
        self.next_or_end().await.expect("a PDU before the end")
    }

    /// Status and sequence of the next PDU, whatever it is.
    pub(crate) async fn answer(&mut self) -> (CommandStatus, u32) {
        let frame = self.next().await;
        let pdu = frame.pdu();
        (pdu.status, pdu.sequence.0)
    }

    /// Submits, and is answered with status 0.
    pub(crate) async fn submit(&mut self, sequence: u32, submit: SubmitSm<'_>) {
        self.send(sequence, Body::SubmitSm(submit)).await;
        assert_eq!(self.answer().await, (CommandStatus::ESME_ROK, sequence));
    }

    pub(crate) async fn is_closed(&mut self) {
        assert!(self.next_or_end().await.is_none());
    }

    /// The next PDU has to be a receipt: its text, and then the answer to it.
    pub(crate) async fn receipt(&mut self) -> String {
        let frame = self.next().await;
        let pdu = frame.pdu();
        let Body::DeliverSm(deliver) = pdu.body else { panic!("{pdu:?}") };
        assert!(deliver.esm_class.is_receipt());
        self.send(pdu.sequence.0, Body::DeliverSmResp(DeliverSmResp::default())).await;
        String::from_utf8(deliver.short_message.to_vec()).unwrap()
    }
}

pub(crate) fn credentials() -> Bind<'static> {
    Bind { system_id: b"gateway", password: b"secret08", ..Bind::default() }
}

pub(crate) fn bytes(sequence: u32, body: Body<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(&Pdu::new(SequenceNumber(sequence), body), &mut bytes).unwrap();
    bytes
}

/// A submit to [`PHONE`] that asks for no receipt.
pub(crate) fn text(text: &[u8]) -> SubmitSm<'_> {
    SubmitSm {
        source: Address::alphanumeric(b"BANK"),
        destination: Address::international(PHONE),
        esm_class: EsmClass::DEFAULT,
        short_message: text,
        ..SubmitSm::default()
    }
}

pub(crate) fn with_receipt(submit: SubmitSm<'_>) -> SubmitSm<'_> {
    SubmitSm { registered_delivery: FINAL_RECEIPT, ..submit }
}

/// The default, with a behaviour written in TOML.
pub(crate) fn behaving(toml: &str) -> Config {
    Config { behavior: Behavior::from_toml(toml).unwrap(), ..Config::default() }
}

/// The default, with other limits for its ESME.
pub(crate) fn with_esme(limits: &str) -> Config {
    let esme = Account::from_toml(&format!("system_id = 'gateway'\npassword = 'secret08'\n{limits}"));
    Config { esmes: vec![esme.unwrap()], ..Config::default() }
}

pub(crate) async fn simulator(config: Config) -> Simulator {
    Simulator::start(config).await.unwrap()
}
