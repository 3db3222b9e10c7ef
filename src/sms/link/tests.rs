//! The link over real sockets: against the simulator, and against a peer that follows a script where
//! misbehaviour is needed. Time is a manual clock; every wait is for an event.

mod over_tls;
mod reconnect;
mod several;
mod shut_down;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use smpp::codec;
use smpp::frame;
use smpp::pdu::{BindResp, Body, CommandId, Pdu, SequenceNumber, SubmitSmResp};
use smpp::status::CommandStatus;
use smpp::tlv::Tlvs;
use smsc_simulator::Simulator;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_local};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::session::tests::{Seen, as_seen};
use super::settings::{Mode, Settings};
use super::tls::Connector;
use super::*;
use crate::clock::{Clock, Timestamp};
use crate::metrics::{Metrics, SubmitOutcome};
use crate::sms::DeliveryReport;
use crate::sms::links::{self, Links, SmscConfig};
use crate::sms::outbox::tests::{item, phone as msisdn};
use crate::sms::outbox::{Item, NO_LINK_AFTER, Outbox};
use crate::sms::route::table::Table;
use crate::subscriber::admission::Unavailable;
use crate::subscriber::challenge::Delivery;
use crate::subscriber::code::Code;

/// A net for tests that would hang; none waits for it.
const PATIENCE: Duration = Duration::from_secs(20);
const TTL: Duration = Duration::from_secs(180);
const CODE: &str = "4829130567";

#[expect(clippy::disallowed_methods, reason = "a net under tests that would hang, in real time")]
async fn patiently<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("the event comes")
}

/// A running link, its outbox and what it reports.
struct Running {
    outbox: Outbox,
    reports: mpsc::Receiver<DeliveryReport>,
    clock: Clock,
    metrics: Arc<Metrics>,
    drain: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(smsc: SocketAddr, change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_with(smsc, None, change)
    }

    fn start_with(smsc: SocketAddr, tls: Option<Connector>, change: impl FnOnce(&mut Settings)) -> Self {
        let mut config = Settings { address: smsc.to_string(), ..Settings::default() };
        change(&mut config);
        Self::start_all(vec![config], tls)
    }

    fn start_all(smscs: Vec<Settings>, tls: Option<Connector>) -> Self {
        let clock = Clock::manual(Timestamp::from_unix_millis(1_795_338_900_000));
        let metrics = Arc::new(Metrics::new());
        let (sender, reports) = crate::sms::reports();
        let release = {
            let clock = clock.clone();
            move |item: &Item| {
                let left = item.expires_at.since(clock.now());
                (!left.is_zero()).then(|| (Code::parse(CODE).unwrap(), left))
            }
        };
        let with_password = |settings| {
            let password = Zeroizing::new("secret08".to_owned());
            SmscConfig { settings, password, connector: tls.clone() }
        };
        let smscs: Vec<_> = smscs.into_iter().map(with_password).collect();
        // Each number is a destination of its own.
        let table = Table { destination_digits: 12, ..Table::of_all(smscs.len()) };
        let config = links::Config { table, smscs };
        let (outbox, queue) = config.outbox(20_000, clock.clone(), &metrics);
        let links = Links::new(config, queue, release, sender, clock.clone(), Arc::clone(&metrics));
        let drain = CancellationToken::new();
        let task = spawn_local(links.run(drain.clone()));
        Self { outbox, reports, clock, metrics, drain, task }
    }

    fn send(&self, number: u8) {
        let item = item(number, self.clock.now().plus(TTL));
        self.outbox.reserve(item.phone).unwrap().put(item);
    }

    /// Lets time pass until `condition` holds.
    async fn pass_until(&self, condition: impl Fn(&Metrics) -> bool) {
        patiently(async {
            while !condition(&self.metrics) {
                settle().await;
                self.clock.advance(Duration::from_millis(100));
            }
        })
        .await;
    }

    async fn report(&mut self) -> (u8, Delivery) {
        let report = patiently(self.reports.recv()).await.expect("the link runs");
        (report.challenge.0[15], report.delivery)
    }

    /// Stops the link and returns the reports that nobody read.
    async fn stop(mut self) -> Vec<(u8, Delivery)> {
        self.drain.cancel();
        patiently(self.task).await.unwrap();
        assert_eq!(self.metrics.sms.outbox_items.get(), 0, "each SMS has ended, and its place is free");
        let mut left = Vec::new();
        while let Some(report) = self.reports.recv().await {
            left.push((report.challenge.0[15], report.delivery));
        }
        left
    }
}

fn phone(number: u8) -> String {
    format!("+628120000{number:03}")
}

#[tokio::test(flavor = "local")]
async fn an_sms_arrives_whole_and_is_reported_accepted_and_delivered() {
    let simulator = Simulator::start(smsc_simulator::Config::default()).await.unwrap();
    let mut running = Running::start(simulator.smpp_addr(), |_| {});
    let before = simulator.inbox().cursor();
    running.send(7);
    let message = simulator.inbox().wait_for(&phone(7), before, PATIENCE).await.unwrap();
    assert!(message.text().starts_with("Bank Contoh: code 4829130567 to log in"), "{}", message.text());
    assert!(message.text().ends_with("\n@bank.example #4829130567"), "{}", message.text());
    assert_eq!((message.segments(), message.data_coding()), (1, 0));
    assert_eq!(message.validity().unwrap().as_str(), "000000000300000R");
    assert_eq!(running.report().await, (7, Delivery::Accepted));
    assert_eq!(running.report().await, (7, Delivery::Delivered));
    assert_eq!(running.stop().await, []);
    simulator.stop().await;
}

/// Returns once every task has gone as far as it can without more time: tokio moves a paused time on only when no
/// task can run and a look at the sockets has woken none. All ends of the sockets are on this runtime, so that nothing
/// else is on its way.
#[expect(clippy::disallowed_methods, reason = "ends when the runtime is idle, and takes no time")]
async fn settle() {
    let _paused = PausedTime::start();
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Tokio's time (ours is the manual clock) stands still until this is dropped, be it in the midst of [`settle`].
struct PausedTime;

impl PausedTime {
    fn start() -> Self {
        tokio::time::pause();
        Self
    }
}

impl Drop for PausedTime {
    fn drop(&mut self) {
        tokio::time::resume();
    }
}

/// Waits until `condition` holds.
async fn until(condition: impl Fn() -> bool) {
    patiently(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// An SMSC that does what the test says.
struct Script {
    listener: TcpListener,
}

/// One connection to it.
struct Peer<S = TcpStream> {
    stream: S,
    input: Vec<u8>,
}

impl Script {
    async fn listen() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn addr(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    async fn accept(&self) -> Peer {
        let (stream, _) = patiently(self.listener.accept()).await.unwrap();
        Peer { stream, input: Vec::new() }
    }

    /// Accepts the next connection while time passes: the link pauses before it.
    async fn accept_later(&self, running: &Running) -> Peer {
        patiently(async {
            loop {
                tokio::select! {
                    biased;
                    accepted = self.listener.accept() => {
                        return Peer { stream: accepted.unwrap().0, input: Vec::new() };
                    }
                    () = settle() => running.clock.advance(Duration::from_millis(100)),
                }
            }
        })
        .await
    }

    /// Whether nobody connects, as far as the other tasks run without more time.
    async fn sees_no_attempt(&self) -> bool {
        tokio::select! {
            biased;
            _ = self.listener.accept() => false,
            () = settle() => true,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// The next PDU; `None` once the link has closed the connection.
    async fn pdu(&mut self) -> Option<Seen> {
        loop {
            if let Some(frame) = frame::cut(&self.input, frame::COMMAND_LENGTH_MAX).unwrap() {
                let (seen, length) = (as_seen(frame), frame.len());
                self.input.drain(..length);
                return Some(seen);
            }
            let count = patiently(self.stream.read_buf(&mut self.input)).await.unwrap_or(0);
            if count == 0 {
                return None;
            }
        }
    }

    async fn say(&mut self, status: u32, sequence: u32, body: Body<'_>) {
        let mut bytes = Vec::new();
        let pdu = Pdu::response(CommandStatus(status), SequenceNumber(sequence), body);
        codec::encode(&pdu, &mut bytes).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
    }

    async fn bind(&mut self) {
        let bind = self.pdu().await.unwrap();
        assert_eq!(bind.command, CommandId::BIND_TRANSCEIVER);
        self.say(0, bind.sequence, Body::BindTransceiverResp(BindResp::default())).await;
    }

    async fn submit(&mut self) -> Seen {
        let submit = self.pdu().await.unwrap();
        assert_eq!(submit.command, CommandId::SUBMIT_SM);
        submit
    }

    async fn refuse(&mut self, sequence: u32, status: CommandStatus) {
        self.say(status.0, sequence, Body::SubmitSmResp(SubmitSmResp::default())).await;
    }

    async fn accept(&mut self, sequence: u32) {
        let message_id = sequence.to_string();
        let resp = SubmitSmResp { message_id: message_id.as_bytes(), tlvs: Tlvs::NONE };
        self.say(0, sequence, Body::SubmitSmResp(resp)).await;
    }
}

#[tokio::test(flavor = "local")]
async fn a_thousand_sms_arrive_once_each_and_every_outcome_is_reported() {
    let simulator = Simulator::start(smsc_simulator::Config::default()).await.unwrap();
    let mut running = Running::start(simulator.smpp_addr(), |_| {});
    for round in 0..4 {
        (0..250).for_each(|number| running.send(number));
        let mut delivered = 0;
        let mut accepted = 0;
        while delivered < 250 {
            match running.report().await.1 {
                Delivery::Accepted => accepted += 1,
                Delivery::Delivered => delivered += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(accepted, 250, "round {round}");
    }
    assert_eq!(simulator.inbox().counts().delivered, 1_000);
    assert_eq!(running.metrics.sms.anomalies.get(), 0);
    running.stop().await;
    simulator.stop().await;
}

#[tokio::test(flavor = "local")]
async fn abuse_46_a_submit_that_times_out_is_not_sent_again_by_this_link_or_the_next() {
    let script = Script::listen().await;
    let mut running = Running::start(script.addr(), |_| {});
    let mut peer = script.accept().await;
    peer.bind().await;
    running.send(1);
    assert_eq!(peer.submit().await.number, 1);
    running.clock.advance(Duration::from_secs(10));
    assert_eq!(running.report().await, (1, Delivery::Unknown));
    drop(peer);
    let mut peer = script.accept_later(&running).await;
    peer.bind().await;
    running.send(2);
    let submit = peer.submit().await;
    assert_eq!(submit.number, 2);
    peer.accept(submit.sequence).await;
    assert_eq!(running.report().await, (2, Delivery::Accepted));
    drop(peer);
    assert_eq!(running.stop().await, []);
}

#[tokio::test(flavor = "local")]
async fn s3_an_answer_that_has_come_counts_however_late_we_look() {
    let script = Script::listen().await;
    let mut running = Running::start(script.addr(), |_| {});
    let mut peer = script.accept().await;
    peer.bind().await;
    running.send(1);
    let submit = peer.submit().await;
    let resp = SubmitSmResp { message_id: b"x", tlvs: Tlvs::NONE };
    let mut bytes = Vec::new();
    codec::encode(&Pdu::new(SequenceNumber(submit.sequence), Body::SubmitSmResp(resp)), &mut bytes).unwrap();
    // No await between the two: the link sees both at once.
    assert_eq!(peer.stream.try_write(&bytes).unwrap(), bytes.len());
    running.clock.advance(Duration::from_secs(60));
    assert_eq!(running.report().await, (1, Delivery::Accepted));
    assert_eq!(running.metrics.smsc("main").submits.of(SubmitOutcome::Unknown).get(), 0);
    drop(peer);
    running.stop().await;
}

#[tokio::test(flavor = "local")]
async fn s5_a_connection_lost_before_the_answer_leaves_the_outcome_unknown_and_nothing_is_sent_again() {
    let script = Script::listen().await;
    let mut running = Running::start(script.addr(), |_| {});
    let mut peer = script.accept().await;
    peer.bind().await;
    running.send(1);
    peer.submit().await;
    drop(peer);
    assert_eq!(running.report().await, (1, Delivery::Unknown));
    let mut peer = script.accept_later(&running).await;
    peer.bind().await;
    running.send(2);
    assert_eq!(peer.submit().await.number, 2);
    drop(peer);
    assert_eq!(running.report().await, (2, Delivery::Unknown));
    assert_eq!(running.stop().await, []);
}

#[tokio::test(flavor = "local")]
async fn l8_what_the_kernel_did_not_take_is_sent_once_by_the_next_link() {
    const COUNT: u8 = 250;
    const ROUNDS: usize = 40;
    // A receiver that never reads, with the smallest buffer.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(1).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let script = Script { listener: socket.listen(8).unwrap() };
    let mut running = Running::start(script.addr(), |config| config.window = 10_000);
    let mut stuck = script.accept().await;
    stuck.bind().await;
    for _ in 0..ROUNDS {
        (0..COUNT).for_each(|number| running.send(number));
    }
    // Once it is stuck, it is given up, and the rest waits for the next link.
    let mut peer = script.accept_later(&running).await;
    drop(stuck);
    peer.bind().await;
    let sent_first = running.metrics.smsc("main").written.get();
    let all = ROUNDS as u64 * u64::from(COUNT);
    assert!(sent_first > 0 && sent_first < all, "{sent_first} of {all} were taken by the kernel");
    // What got no answer has opened the circuit: it is probed after a while.
    running.pass_until(|metrics| metrics.smsc("main").written.get() > sent_first).await;
    for _ in sent_first..all {
        let submit = peer.submit().await;
        peer.accept(submit.sequence).await;
    }
    let (mut unknown, mut accepted) = (0, 0);
    for _ in 0..all {
        match running.report().await.1 {
            Delivery::Unknown => unknown += 1,
            Delivery::Accepted => accepted += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((unknown, accepted), (sent_first, all - sent_first));
    drop(peer);
    assert_eq!(running.stop().await, []);
}

#[tokio::test(flavor = "local")]
async fn l8_answers_that_come_byte_by_byte_are_understood() {
    let script = Script::listen().await;
    let mut running = Running::start(script.addr(), |_| {});
    let mut peer = script.accept().await;
    let bind = peer.pdu().await.unwrap();
    let mut bytes = Vec::new();
    for (sequence, body) in [
        (bind.sequence, Body::BindTransceiverResp(BindResp::default())),
        (2, Body::SubmitSmResp(SubmitSmResp { message_id: b"x", tlvs: Tlvs::NONE })),
    ] {
        codec::encode(&Pdu::new(SequenceNumber(sequence), body), &mut bytes).unwrap();
    }
    let bind_resp_length = frame::cut(&bytes, 1_000).unwrap().unwrap().len();
    peer.stream.set_nodelay(true).unwrap();
    for (index, byte) in bytes.iter().enumerate() {
        if index == bind_resp_length {
            running.send(1);
            assert_eq!(peer.submit().await.sequence, 2);
        }
        peer.stream.write_all(&[*byte]).await.unwrap();
        settle().await;
    }
    assert_eq!(running.report().await, (1, Delivery::Accepted));
    drop(peer);
    running.stop().await;
}
