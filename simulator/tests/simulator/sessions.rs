//! Sessions over real sockets.

use std::sync::Arc;
use std::time::Duration;

use smpp::pdu::{Bind, Body, CommandId, SubmitSm};
use smpp::status::CommandStatus;
use smsc_simulator::inbox::{Cursor, Filter, ReceiptState};
use smsc_simulator::{Behavior, Config, Simulator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::esme::{Esme, PHONE, behaving, bytes, credentials, simulator, text, with_esme, with_receipt};
use crate::time::{NET, now, soon};

const OK: CommandStatus = CommandStatus::ESME_ROK;
fn latency(latency: Duration) -> Behavior {
    Behavior::default().with_latency(latency)
}

/// Longer than any test runs.
const NEVER: Duration = Duration::from_secs(3_600);

async fn texts(simulator: &Simulator, count: usize) -> Vec<String> {
    let inbox = simulator.inbox();
    let mut filter = Filter::default();
    let mut texts = Vec::new();
    while texts.len() < count {
        let page = inbox.wait(&filter, NET).await;
        assert!(!page.messages.is_empty(), "{} of {count} messages", texts.len());
        texts.extend(page.messages.iter().map(|message| message.text().to_owned()));
        filter.since = page.cursor;
    }
    texts
}

#[tokio::test]
async fn each_kind_of_bind_is_answered_in_kind() {
    let simulator = simulator(Config::default()).await;
    let binds: [(Body<'_>, CommandId); 3] = [
        (Body::BindTransmitter(credentials()), CommandId::BIND_TRANSMITTER_RESP),
        (Body::BindReceiver(credentials()), CommandId::BIND_RECEIVER_RESP),
        (Body::BindTransceiver(credentials()), CommandId::BIND_TRANSCEIVER_RESP),
    ];
    for (bind, expected) in binds {
        let mut esme = Esme::connect(&simulator).await;
        esme.send(7, bind).await;
        let frame = esme.next().await;
        let pdu = frame.pdu();
        assert_eq!((pdu.body.command_id(), pdu.status, pdu.sequence.0), (expected, OK, 7));
    }
    simulator.stop().await;
}

#[tokio::test]
async fn l1_a_wrong_password_or_name_is_refused_and_the_connection_closed() {
    let simulator = simulator(Config::default()).await;
    for (bind, expected) in [
        (Bind { password: b"wrong", ..credentials() }, CommandStatus::ESME_RINVPASWD),
        (Bind { password: b"", ..credentials() }, CommandStatus::ESME_RINVPASWD),
        (Bind { system_id: b"gatewaz", ..credentials() }, CommandStatus::ESME_RINVSYSID),
    ] {
        let mut esme = Esme::connect(&simulator).await;
        esme.send(1, Body::BindTransceiver(bind)).await;
        assert_eq!(esme.answer().await, (expected, 1));
        esme.is_closed().await;
    }
    assert_eq!(simulator.sessions_bound(), 0);
}

#[tokio::test]
async fn l1_a_second_bind_on_a_session_and_one_session_too_many_are_refused() {
    let simulator = simulator(with_esme("binds_max = 1")).await;
    let mut first = Esme::bound(&simulator).await;
    first.send(2, Body::BindTransceiver(credentials())).await;
    assert_eq!(first.answer().await, (CommandStatus::ESME_RALYBND, 2));
    let mut second = Esme::connect(&simulator).await;
    second.send(1, Body::BindTransceiver(credentials())).await;
    assert_eq!(second.answer().await, (CommandStatus::ESME_RALYBND, 1));
    second.is_closed().await;
    first.submit(3, text(b"still bound")).await;
    first.send(4, Body::Unbind).await;
    assert_eq!(first.answer().await, (OK, 4));
    first.is_closed().await;
    Esme::bound(&simulator).await;
}

#[tokio::test]
async fn a_submit_needs_a_session_that_submits() {
    let simulator = simulator(Config::default()).await;
    let mut esme = Esme::connect(&simulator).await;
    esme.send(1, Body::SubmitSm(text(b"too early"))).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RINVBNDSTS, 1));
    esme.send(2, Body::EnquireLink).await;
    assert_eq!(esme.answer().await, (OK, 2));
    esme.send(3, Body::BindReceiver(credentials())).await;
    assert_eq!(esme.answer().await, (OK, 3));
    esme.send(4, Body::SubmitSm(text(b"wrong way"))).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RINVBNDSTS, 4));
    assert!(simulator.inbox().messages(&Filter::default()).messages.is_empty());
}

#[tokio::test]
async fn a_submit_is_answered_with_an_id_and_shown() {
    let simulator = simulator(Config::default()).await;
    let mut esme = Esme::bound(&simulator).await;
    let submit = SubmitSm { validity_period: b"000000000300000R", ..text(b"kode 482913") };
    esme.send(2, Body::SubmitSm(submit)).await;
    let frame = esme.next().await;
    let Body::SubmitSmResp(answer) = frame.pdu().body else { panic!("no answer to the submit") };
    let message = simulator.inbox().wait_for("+628120001234", Cursor::START, NET).await.unwrap();
    assert_eq!(answer.message_id, message.id().to_string().as_bytes());
    assert_eq!((message.from().as_str(), message.to().as_bytes()), ("BANK", PHONE));
    assert_eq!((message.text(), message.segments()), ("kode 482913", 1));
    let validity = message.validity().unwrap();
    assert_eq!(validity.as_str(), "000000000300000R");
    assert_eq!(validity.expires_at, message.time() + Duration::from_secs(180));
    assert_eq!(message.receipt(), ReceiptState::NotRequested);
}

#[tokio::test]
async fn s1_submits_beyond_the_window_are_throttled_and_unbind_answers_the_rest() {
    let config = Config { behavior: latency(NEVER), ..with_esme("window = 2") };
    let simulator = simulator(config).await;
    let mut esme = Esme::bound(&simulator).await;
    for sequence in 2..=4 {
        esme.send(sequence, Body::SubmitSm(text(b"x"))).await;
    }
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RTHROTTLED, 4));
    esme.send(5, Body::EnquireLink).await;
    assert_eq!(esme.answer().await, (OK, 5), "a full window does not keep enquire_link");
    esme.send(6, Body::Unbind).await;
    for sequence in [2, 3, 6] {
        assert_eq!(esme.answer().await, (OK, sequence));
    }
    esme.is_closed().await;
    assert_eq!(simulator.inbox().counts().delivered, 2);
}

#[tokio::test]
async fn s3_an_answer_comes_after_the_latency_and_the_message_before() {
    let delay = Duration::from_millis(60);
    let simulator = simulator(Config { behavior: latency(delay), ..Config::default() }).await;
    let mut esme = Esme::bound(&simulator).await;
    let sent = now();
    esme.send(2, Body::SubmitSm(text(b"slow"))).await;
    simulator.inbox().wait_for("628120001234", Cursor::START, NET).await.unwrap();
    assert_eq!(esme.answer().await, (OK, 2));
    assert!(sent.elapsed() >= delay);
}

#[tokio::test]
async fn the_latency_can_change_while_running() {
    let simulator = simulator(Config { behavior: latency(NEVER), ..Config::default() }).await;
    let mut esme = Esme::bound(&simulator).await;
    simulator.set_latency(Duration::ZERO);
    esme.submit(2, text(b"fast")).await;
}

#[tokio::test]
async fn a_receipt_follows_its_answer_and_is_acknowledged() {
    let simulator = simulator(Config::default()).await;
    let mut esme = Esme::bound(&simulator).await;
    esme.submit(2, with_receipt(text(b"kode 482913"))).await;
    let message = simulator.inbox().wait_for("628120001234", Cursor::START, NET).await.unwrap();
    let receipt = esme.receipt().await;
    assert!(receipt.starts_with(&format!("id:{} sub:001 dlvrd:001 ", message.id())), "{receipt}");
    assert!(receipt.contains(" stat:DELIVRD "), "{receipt}");
    assert!(!receipt.contains("482913"), "{receipt}");
    // Answered after the acknowledgement, and so proof that it was read.
    esme.send(9, Body::EnquireLink).await;
    assert_eq!(esme.answer().await, (OK, 9));
    assert_eq!(message.receipt(), ReceiptState::Acknowledged);
}

#[tokio::test]
async fn receipts_keep_to_their_window() {
    let simulator = simulator(Config { receipt_window: 1, ..Config::default() }).await;
    let mut esme = Esme::bound(&simulator).await;
    let mut both = bytes(2, Body::SubmitSm(with_receipt(text(b"1"))));
    both.extend(bytes(3, Body::SubmitSm(with_receipt(text(b"2")))));
    esme.send_bytes(&both).await;
    assert_eq!(esme.answer().await, (OK, 2));
    assert_eq!(esme.answer().await, (OK, 3));
    let frame = esme.next().await;
    assert!(matches!(frame.pdu().body, Body::DeliverSm(_)));
    esme.send(9, Body::EnquireLink).await;
    assert_eq!(esme.answer().await, (OK, 9), "the second receipt waits for the first's answer");
    esme.send(frame.pdu().sequence.0, Body::DeliverSmResp(Default::default())).await;
    esme.receipt().await;
}

#[tokio::test]
async fn a_transmitters_receipts_go_to_the_receiver_even_a_later_one() {
    let simulator = simulator(Config::default()).await;
    let mut transmitter = Esme::connect(&simulator).await;
    transmitter.send(1, Body::BindTransmitter(credentials())).await;
    assert_eq!(transmitter.answer().await, (OK, 1));
    let mut receiver = None;
    for sequence in [2, 3] {
        transmitter.submit(sequence, with_receipt(text(b"x"))).await;
        if receiver.is_none() {
            let mut esme = Esme::connect(&simulator).await;
            esme.send(1, Body::BindReceiver(credentials())).await;
            assert_eq!(esme.answer().await, (OK, 1));
            receiver = Some(esme);
        }
        assert!(receiver.as_mut().unwrap().receipt().await.contains("stat:DELIVRD"));
    }
}

#[tokio::test]
async fn a_receipt_that_was_not_answered_comes_again_to_the_next_session() {
    let simulator = simulator(Config::default()).await;
    let mut first = Esme::bound(&simulator).await;
    first.submit(2, with_receipt(text(b"x"))).await;
    let lost = first.next().await;
    drop(first);
    let again = Esme::bound(&simulator).await.receipt().await;
    let Body::DeliverSm(lost) = lost.pdu().body else { panic!("no receipt") };
    assert_eq!(again.as_bytes(), lost.short_message);
}

#[tokio::test]
async fn s10_an_expired_message_gets_its_receipt_and_no_display() {
    let simulator = simulator(Config::default()).await;
    let mut esme = Esme::bound(&simulator).await;
    let expired = SubmitSm { validity_period: b"200101000000000+", ..with_receipt(text(b"late")) };
    esme.submit(2, expired).await;
    let receipt = esme.receipt().await;
    assert!(receipt.contains(" dlvrd:000 ") && receipt.contains(" stat:EXPIRED "), "{receipt}");
    assert!(simulator.inbox().messages(&Filter::default()).messages.is_empty());
}

#[tokio::test]
async fn receipts_can_be_off() {
    let simulator = simulator(behaving("receipts.copies = 0")).await;
    let mut esme = Esme::bound(&simulator).await;
    esme.submit(2, with_receipt(text(b"x"))).await;
    esme.send(3, Body::Unbind).await;
    assert_eq!(esme.answer().await, (OK, 3));
}

#[tokio::test]
async fn l8_a_session_that_arrives_byte_by_byte_is_understood() {
    let simulator = simulator(Config::default()).await;
    let mut esme = Esme::connect(&simulator).await;
    let mut stream = bytes(1, Body::BindTransceiver(credentials()));
    stream.extend(bytes(2, Body::SubmitSm(text(b"piecemeal"))));
    for byte in stream {
        esme.send_bytes(&[byte]).await;
    }
    assert_eq!(esme.answer().await, (OK, 1));
    assert_eq!(esme.answer().await, (OK, 2));
    assert_eq!(texts(&simulator, 1).await, ["piecemeal"]);
}

#[tokio::test]
async fn many_submits_in_one_write_are_answered_in_order() {
    const COUNT: u32 = 1_000;
    let simulator = simulator(Config::default()).await;
    let mut esme = Esme::connect(&simulator).await;
    let mut stream = bytes(1, Body::BindTransceiver(credentials()));
    for sequence in 2..COUNT + 2 {
        stream.extend(bytes(sequence, Body::SubmitSm(text(b"one of many"))));
    }
    esme.send_bytes(&stream).await;
    for sequence in 1..COUNT + 2 {
        assert_eq!(esme.answer().await, (OK, sequence));
    }
    assert_eq!(simulator.inbox().counts().delivered, u64::from(COUNT));
}

#[tokio::test]
async fn l9_what_is_malformed_is_answered_and_the_link_stays_up() {
    let simulator = simulator(Config::default()).await;
    let mut esme = Esme::bound(&simulator).await;
    let unknown = [0, 0, 0, 16, 0, 0, 1, 4, 0, 0, 0, 0, 0, 0, 0, 9];
    esme.send_bytes(&unknown).await;
    let frame = esme.next().await;
    let pdu = frame.pdu();
    assert_eq!(pdu.body, Body::GenericNack);
    assert_eq!((pdu.status, pdu.sequence.0), (CommandStatus::ESME_RINVCMDID, 9));
    let truncated = [0, 0, 0, 18, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 10, 0, 5];
    esme.send_bytes(&truncated).await;
    let frame = esme.next().await;
    assert!(matches!(frame.pdu().body, Body::SubmitSmResp(_)));
    assert!(!frame.pdu().status.is_ok());
    for stray in [Body::EnquireLinkResp, Body::UnbindResp, Body::GenericNack] {
        esme.send(77, stray).await;
    }
    esme.submit(11, text(b"still here")).await;
}

#[tokio::test]
async fn l9_a_broken_frame_closes_the_connection_after_the_answers() {
    let simulator = simulator(Config::default()).await;
    for length in [[0, 0, 0, 15], [0xFF; 4]] {
        let mut esme = Esme::bound(&simulator).await;
        let mut stream = bytes(2, Body::SubmitSm(text(b"before")));
        stream.extend(length);
        stream.extend([0xAA; 12]);
        esme.send_bytes(&stream).await;
        assert_eq!(esme.answer().await, (OK, 2));
        esme.is_closed().await;
    }
    assert_eq!(simulator.sessions_bound(), 0);
}

#[tokio::test]
async fn l4_a_silent_esme_is_asked_and_then_left() {
    let config = Config {
        enquire_link_interval: Duration::from_millis(20),
        response_timeout: Duration::from_secs(2),
        ..Config::default()
    };
    let simulator = simulator(config).await;
    let mut esme = Esme::bound(&simulator).await;
    for _ in 0..2 {
        let frame = esme.next().await;
        assert_eq!(frame.pdu().body, Body::EnquireLink);
        esme.send(frame.pdu().sequence.0, Body::EnquireLinkResp).await;
    }
    assert_eq!(esme.next().await.pdu().body, Body::EnquireLink);
    esme.is_closed().await;
}

#[tokio::test]
async fn l6_the_operator_unbinds_and_the_esme_may_come_back() {
    let simulator = simulator(Config::default()).await;
    let mut esme = Esme::bound(&simulator).await;
    simulator.unbind_sessions();
    let frame = esme.next().await;
    assert_eq!(frame.pdu().body, Body::Unbind);
    // A submit that was on its way is still taken.
    esme.submit(2, text(b"crossing")).await;
    esme.send(frame.pdu().sequence.0, Body::UnbindResp).await;
    esme.is_closed().await;
    Esme::bound(&simulator).await;
}

#[tokio::test]
async fn a_stop_unbinds_and_ends() {
    let simulator = simulator(Config::default()).await;
    let address = simulator.smpp_addr();
    let mut esme = Esme::bound(&simulator).await;
    let esme = tokio::spawn(async move {
        let frame = esme.next().await;
        assert_eq!(frame.pdu().body, Body::Unbind);
        esme.send(frame.pdu().sequence.0, Body::UnbindResp).await;
        esme.is_closed().await;
    });
    soon(simulator.stop()).await;
    esme.await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_disconnect_leaves_submits_unanswered_and_shown() {
    let simulator = simulator(Config { behavior: latency(NEVER), ..Config::default() }).await;
    let mut esme = Esme::bound(&simulator).await;
    esme.send(2, Body::SubmitSm(text(b"in doubt"))).await;
    assert_eq!(texts(&simulator, 1).await, ["in doubt"]);
    simulator.disconnect_sessions();
    esme.is_closed().await;
}

/// The ESME sends all it has and reads a little at a time, so that answers pile up on both sides of the
/// socket. Not a byte may be missing or doubled.
#[tokio::test]
async fn l8_a_slow_reader_gets_the_exact_stream() {
    const COUNT: u32 = 60_000;
    let simulator = simulator(Config::default()).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let stream = soon(socket.connect(simulator.smpp_addr())).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let sender = tokio::spawn(async move {
        let mut stream = bytes(1, Body::BindTransmitter(credentials()));
        for sequence in 2..COUNT + 2 {
            stream.extend(bytes(sequence, Body::SubmitSm(text(b"a"))));
        }
        soon(writer.write_all(&stream)).await.unwrap();
        writer
    });
    let (mut received, mut expected) = (Vec::new(), 1);
    let mut piece = [0; 509];
    while expected < COUNT + 2 {
        let size = 1 + received.len() * 37 % piece.len();
        let count = soon(reader.read(&mut piece[..size])).await.unwrap();
        assert!(count > 0, "the end after {expected}");
        received.extend_from_slice(&piece[..count]);
        let mut rest = received.as_slice();
        while let Some(frame) = smpp::frame::cut(rest, 4_096).unwrap() {
            rest = &rest[frame.len()..];
            let pdu = smpp::codec::decode(frame).unwrap().pdu;
            assert_eq!((pdu.status, pdu.sequence.0), (OK, expected));
            expected += 1;
        }
        received = rest.to_vec();
    }
    assert!(received.is_empty());
    drop(soon(sender).await.unwrap());
    assert_eq!(simulator.inbox().counts().delivered, u64::from(COUNT));
}

#[tokio::test]
async fn it_runs_on_a_runtime_with_one_thread_beside_its_client() {
    // This very test does: tokio's default flavour for tests.
    let simulator = simulator(Config::default()).await;
    let mut esme = Esme::bound(&simulator).await;
    let waiting = tokio::spawn({
        let inbox = Arc::clone(simulator.inbox());
        async move { inbox.wait_for("628120001234", inbox.cursor(), NET).await }
    });
    esme.send(2, Body::SubmitSm(text(b"hello"))).await;
    assert_eq!(waiting.await.unwrap().unwrap().text(), "hello");
}
