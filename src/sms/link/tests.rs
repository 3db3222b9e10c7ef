//! The link over real sockets: against the simulator, and against a peer that follows a script where
//! misbehaviour is needed. Time is a manual clock; every wait is for an event.

use std::net::SocketAddr;

use smpp::codec;
use smpp::frame;
use smpp::pdu::{BindResp, Body, CommandId, Pdu, SequenceNumber, SubmitSmResp};
use smpp::status::CommandStatus;
use smpp::tlv::Tlvs;
use smsc_simulator::Simulator;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{JoinHandle, spawn_local};

mod over_tls;
mod several;

use super::session::tests::{Seen, as_seen};
use super::*;
use crate::sms::links::{self, Links, SmscConfig};
use crate::sms::outbox::tests::{item, phone as msisdn};
use crate::sms::outbox::{CannotSend, NO_LINK_AFTER, Outbox, outbox};
use crate::sms::routes::prefixes::Prefixes;
use crate::subscriber::challenge::Delivery;

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
    fn start(smsc: SocketAddr, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_with(smsc, None, change)
    }

    fn start_with(smsc: SocketAddr, tls: Option<tls::Files>, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { address: smsc.to_string(), ..Config::default() };
        change(&mut config);
        Self::start_all(vec![config], tls)
    }

    fn start_all(smscs: Vec<Config>, tls: Option<tls::Files>) -> Self {
        let clock = Clock::manual(Timestamp::from_unix_millis(1_795_338_900_000));
        let metrics = Arc::new(Metrics::new());
        let (outbox, queue) = outbox(20_000, Prefixes::of_all(), clock.clone(), Arc::clone(&metrics));
        let (sender, reports) = crate::sms::reports();
        let release = {
            let clock = clock.clone();
            move |item: &Item| {
                let left = item.expires_at.since(clock.now());
                (!left.is_zero()).then(|| (Code::parse(CODE).unwrap(), left))
            }
        };
        let with_files = |settings| {
            let password = Zeroizing::new("secret08".to_owned());
            SmscConfig { settings, password, tls: tls.clone() }
        };
        let smscs = smscs.into_iter().map(with_files).collect();
        let config = links::Config { smscs, routes: Vec::new() };
        let links = Links::new(&config, queue, release, sender, clock.clone(), Arc::clone(&metrics)).unwrap();
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

/// Lets the other tasks run as far as they can without an event from outside.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
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
    async fn is_left_alone(&self) -> bool {
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
    assert_eq!(running.metrics.sms.unknown.get(), 0);
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
    let sent_first = running.metrics.sms.submitted.get();
    let all = ROUNDS as u64 * u64::from(COUNT);
    assert!(sent_first > 0 && sent_first < all, "{sent_first} of {all} were taken by the kernel");
    // What got no answer has opened the circuit: it is probed after a while.
    running.pass_until(|metrics| metrics.sms.submitted.get() > sent_first).await;
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

#[tokio::test(flavor = "local")]
async fn l9_a_broken_frame_closes_the_connection_and_the_link_comes_back() {
    let script = Script::listen().await;
    let running = Running::start(script.addr(), |_| {});
    for broken in [[0, 0, 0, 15], [0xFF; 4]] {
        let mut peer = script.accept_later(&running).await;
        peer.bind().await;
        peer.stream.write_all(&broken).await.unwrap();
        assert_eq!(peer.pdu().await, None);
    }
    let mut peer = script.accept_later(&running).await;
    peer.bind().await;
    until(|| running.metrics.sms.binds.get() == 3).await;
    assert_eq!(running.metrics.sms.link_failures.get(), 2);
    drop(peer);
    running.stop().await;
}

#[tokio::test(flavor = "local")]
async fn l3_an_smsc_that_does_not_answer_the_bind_is_given_up() {
    let script = Script::listen().await;
    let running = Running::start(script.addr(), |_| {});
    let mut peer = script.accept().await;
    peer.pdu().await.unwrap();
    running.clock.advance(Duration::from_secs(5));
    assert_eq!(peer.pdu().await, None);
    script.accept_later(&running).await.bind().await;
    running.stop().await;
}

#[tokio::test(flavor = "local")]
async fn l1_refused_credentials_are_not_tried_again_soon() {
    let script = Script::listen().await;
    let running = Running::start(script.addr(), |_| {});
    let mut peer = script.accept().await;
    let bind = peer.pdu().await.unwrap();
    let status = CommandStatus::ESME_RINVPASWD.0;
    peer.say(status, bind.sequence, Body::BindTransceiverResp(BindResp::default())).await;
    assert_eq!(peer.pdu().await, None);
    settle().await;
    running.clock.advance(Duration::from_millis(14_999));
    assert!(script.is_left_alone().await);
    running.clock.advance(Duration::from_millis(15_001));
    script.accept().await.bind().await;
    running.stop().await;
}

#[tokio::test(flavor = "local")]
async fn a_connection_that_is_refused_is_tried_again_after_at_most_the_pause() {
    let script = Script::listen().await;
    let addr = script.addr();
    drop(script);
    let running = Running::start(addr, |config| config.reconnect_max = config.reconnect_min);
    until(|| running.metrics.sms.link_failures.get() == 1).await;
    let script = Script { listener: TcpListener::bind(addr).await.unwrap() };
    running.clock.advance(Duration::from_millis(500));
    let mut peer = script.accept().await;
    peer.bind().await;
    until(|| running.metrics.sms.link_bound.get() == 1).await;
    drop(peer);
    running.stop().await;
}

#[tokio::test(flavor = "local")]
async fn without_a_link_the_outbox_refuses_after_five_seconds_and_what_was_taken_is_sent_later() {
    let script = Script::listen().await;
    let running = Running::start(script.addr(), |_| {});
    let mut peer = script.accept().await;
    running.clock.advance(NO_LINK_AFTER - Duration::from_millis(1));
    running.send(1);
    running.clock.advance(Duration::from_millis(1));
    assert_eq!(running.outbox.reserve(msisdn(1)).unwrap_err(), CannotSend::NoLink);
    assert!(peer.pdu().await.is_some());
    drop(peer);
    let mut peer = script.accept_later(&running).await;
    peer.bind().await;
    assert_eq!(peer.submit().await.number, 1);
    assert!(running.outbox.reserve(msisdn(1)).is_ok());
    drop(peer);
    running.stop().await;
}

#[tokio::test(flavor = "local")]
async fn a_code_whose_time_ran_out_while_there_was_no_link_is_never_sent() {
    let script = Script::listen().await;
    let mut running = Running::start(script.addr(), |_| {});
    let mut peer = script.accept().await;
    running.send(1);
    running.clock.advance(TTL);
    drop(peer);
    peer = script.accept_later(&running).await;
    peer.bind().await;
    assert_eq!(running.report().await, (1, Delivery::Expired));
    until(|| running.metrics.sms.link_bound.get() == 1).await;
    running.send(2);
    assert_eq!(peer.submit().await.number, 2);
    drop(peer);
    running.stop().await;
}

#[tokio::test(flavor = "local")]
async fn l6_told_to_stop_the_link_sends_what_is_queued_and_unbinds() {
    let script = Script::listen().await;
    let running = Running::start(script.addr(), |_| {});
    let mut peer = script.accept().await;
    peer.bind().await;
    until(|| running.metrics.sms.link_bound.get() == 1).await;
    running.send(1);
    running.drain.cancel();
    let submit = peer.submit().await;
    assert_eq!(running.outbox.reserve(msisdn(1)).unwrap_err(), CannotSend::NoLink);
    peer.accept(submit.sequence).await;
    let unbind = peer.pdu().await.unwrap();
    assert_eq!(unbind.command, CommandId::UNBIND);
    peer.say(0, 55, Body::EnquireLink).await;
    assert_eq!(peer.pdu().await.unwrap().command, CommandId::ENQUIRE_LINK_RESP);
    peer.say(0, unbind.sequence, Body::UnbindResp).await;
    assert_eq!(running.stop().await, [(1, Delivery::Accepted)]);
}

#[tokio::test(flavor = "local")]
async fn told_to_stop_without_an_smsc_what_is_queued_is_dropped_at_the_end_of_its_time() {
    let script = Script::listen().await;
    let addr = script.addr();
    drop(script);
    let mut running = Running::start(addr, |_| {});
    running.send(1);
    running.send(2);
    until(|| running.metrics.sms.link_failures.get() == 1).await;
    running.drain.cancel();
    settle().await;
    assert!(!running.task.is_finished());
    running.clock.advance(Duration::from_secs(10));
    assert_eq!(running.report().await, (1, Delivery::Dropped));
    assert_eq!(running.stop().await, [(2, Delivery::Dropped)]);
}

#[tokio::test(flavor = "local")]
async fn told_to_stop_without_an_smsc_and_with_nothing_queued_it_stops_at_once() {
    let script = Script::listen().await;
    let addr = script.addr();
    drop(script);
    let running = Running::start(addr, |_| {});
    until(|| running.metrics.sms.link_failures.get() == 1).await;
    assert_eq!(running.stop().await, []);
}

#[tokio::test(flavor = "local")]
async fn the_link_comes_back_after_the_smsc_unbinds_or_disconnects() {
    let simulator = Simulator::start(smsc_simulator::Config::default()).await.unwrap();
    let mut running = Running::start(simulator.smpp_addr(), |_| {});
    for binds in 1..=4 {
        patiently(async {
            while running.metrics.sms.binds.get() < binds {
                settle().await;
                running.clock.advance(Duration::from_millis(100));
            }
        })
        .await;
        running.send(1);
        assert_eq!(running.report().await, (1, Delivery::Accepted));
        assert_eq!(running.report().await, (1, Delivery::Delivered));
        if binds % 2 == 0 {
            simulator.unbind_sessions();
        } else {
            simulator.disconnect_sessions();
        }
        until(|| running.metrics.sms.link_bound.get() == 0).await;
    }
    assert_eq!(simulator.inbox().counts().delivered, 4);
    running.stop().await;
    simulator.stop().await;
}

#[tokio::test(flavor = "local")]
async fn when_nobody_takes_reports_any_more_the_link_stops() {
    let simulator = Simulator::start(smsc_simulator::Config::default()).await.unwrap();
    let mut running = Running::start(simulator.smpp_addr(), |_| {});
    running.reports.close();
    running.send(1);
    patiently(&mut running.task).await.unwrap();
    assert_eq!(simulator.inbox().counts().delivered, 0);
    simulator.stop().await;
}

#[tokio::test(flavor = "local")]
async fn a_link_that_is_given_up_with_submits_in_doubt_is_reset() {
    let script = Script::listen().await;
    let mut running = Running::start(script.addr(), |_| {});
    let mut peer = script.accept().await;
    peer.bind().await;
    running.send(1);
    assert_eq!(peer.submit().await.number, 1);
    // No answer to the submit, nor to the enquire_link after it.
    running.pass_until(|metrics| metrics.sms.link_failures.get() == 1).await;
    assert_eq!(running.report().await, (1, Delivery::Unknown));
    let mut rest = Vec::new();
    let end = loop {
        match patiently(peer.stream.read_buf(&mut rest)).await {
            Ok(0) => break None,
            Ok(_) => {}
            Err(error) => break Some(error.kind()),
        }
    };
    assert_eq!(end, Some(io::ErrorKind::ConnectionReset), "what is not read yet is gone");
    running.stop().await;
}

#[tokio::test(flavor = "local")]
async fn a_link_that_ends_with_nothing_in_doubt_is_closed_in_order() {
    let script = Script::listen().await;
    let running = Running::start(script.addr(), |_| {});
    let mut peer = script.accept().await;
    peer.bind().await;
    until(|| running.metrics.sms.link_bound.get() == 1).await;
    peer.say(0, 7, Body::Unbind).await;
    assert_eq!(peer.pdu().await.unwrap().command, CommandId::UNBIND_RESP);
    assert_eq!(patiently(peer.stream.read_buf(&mut Vec::new())).await.unwrap(), 0);
    running.stop().await;
}
