//! Lines of the field notes that hold whatever the behaviour, and those that many sessions or messages at
//! once show. The others are in `behaviors`.

use std::time::Duration;

use smpp::pdu::{Body, DeliverSmResp, Pdu, SequenceNumber, SubmitSm};
use smpp::status::CommandStatus;
use smsc_simulator::inbox::{Cursor, ReceiptState};
use smsc_simulator::{Behavior, Config};

use crate::esme::{Esme, behaving, bytes, credentials, simulator, text, with_esme, with_receipt};
use crate::time::{NET, now, soon};

const OK: CommandStatus = CommandStatus::ESME_ROK;

#[tokio::test]
async fn l5_an_enquire_link_is_answered_before_a_bind_and_with_a_full_window() {
    let behavior = Behavior::default().with_latency(Duration::from_secs(3_600));
    let simulator = simulator(Config { behavior, ..with_esme("window = 1") }).await;
    let mut esme = Esme::connect(&simulator).await;
    esme.send(1, Body::EnquireLink).await;
    assert_eq!(esme.answer().await, (OK, 1));
    esme.send(2, Body::BindTransceiver(credentials())).await;
    assert_eq!(esme.answer().await, (OK, 2));
    esme.send(3, Body::SubmitSm(text(b"in the window"))).await;
    esme.send(4, Body::SubmitSm(text(b"beyond it"))).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RTHROTTLED, 4));
    esme.send(5, Body::EnquireLink).await;
    assert_eq!(esme.answer().await, (OK, 5));
}

#[tokio::test]
async fn l7_many_bind_again_after_a_disconnect_and_none_is_left_over() {
    const MANY: usize = 50;
    let simulator = simulator(Config::default()).await;
    for _ in 0..3 {
        let mut esmes = Vec::new();
        for _ in 0..MANY {
            esmes.push(Esme::bound(&simulator).await);
        }
        assert_eq!(simulator.sessions_bound(), MANY);
        simulator.disconnect_sessions();
        for esme in &mut esmes {
            esme.is_closed().await;
        }
        assert_eq!(simulator.sessions_bound(), 0);
    }
}

#[tokio::test]
async fn l11_a_submit_is_answered_with_its_number_up_to_the_last_and_round_to_the_first() {
    let simulator = simulator(Config::default()).await;
    let mut esme = Esme::bound(&simulator).await;
    for sequence in [0x7FFF_FFFE, 0x7FFF_FFFF, 1, 2] {
        esme.submit(sequence, text(b"x")).await;
    }
}

#[tokio::test]
async fn s9_no_more_than_a_window_passes_in_each_round_trip() {
    const ROUNDS: u32 = 5;
    const WINDOW: u32 = 20;
    let latency = Duration::from_millis(20);
    let config = Config { behavior: Behavior::default().with_latency(latency), ..with_esme("window = 20") };
    let simulator = simulator(config).await;
    let mut esme = Esme::bound(&simulator).await;
    let started = now();
    for _ in 0..ROUNDS {
        for sequence in 0..WINDOW {
            esme.send(2 + sequence, Body::SubmitSm(text(b"x"))).await;
        }
        for sequence in 0..WINDOW {
            assert_eq!(esme.answer().await, (OK, 2 + sequence));
        }
    }
    assert!(started.elapsed() >= latency * ROUNDS);
}

#[tokio::test]
async fn s11_what_comes_after_its_expiry_is_never_shown() {
    let simulator = simulator(Config::default()).await;
    let mut esme = Esme::bound(&simulator).await;
    let late = SubmitSm { validity_period: b"200101000000000+", ..with_receipt(text(b"late")) };
    esme.submit(2, late).await;
    assert!(esme.receipt().await.contains("stat:EXPIRED"));
    assert_eq!((simulator.inbox().counts().delivered, simulator.shown_late()), (0, 0));
}

#[tokio::test]
async fn d7_a_receipt_that_is_put_off_comes_again() {
    let simulator = simulator(Config::default()).await;
    let mut esme = Esme::bound(&simulator).await;
    esme.submit(2, with_receipt(text(b"x"))).await;
    let frame = esme.next().await;
    let busy = Pdu::response(
        CommandStatus::ESME_RX_T_APPN,
        SequenceNumber(frame.pdu().sequence.0),
        Body::DeliverSmResp(DeliverSmResp::default()),
    );
    let mut refusal = Vec::new();
    smpp::codec::encode(&busy, &mut refusal).unwrap();
    esme.send_bytes(&refusal).await;
    esme.receipt().await;
    esme.send(3, Body::EnquireLink).await;
    assert_eq!(esme.answer().await, (OK, 3));
    let message = simulator.inbox().wait_for("628120001234", Cursor::START, NET).await.unwrap();
    assert_eq!(message.receipt(), ReceiptState::Acknowledged);
}

#[tokio::test]
async fn d8_receipts_at_twice_the_rate_of_submits_all_come() {
    const COUNT: u32 = 500;
    let simulator = simulator(behaving("[receipts]\ncopies = 2")).await;
    let mut esme = Esme::bound(&simulator).await;
    let submits: Vec<u8> =
        (0..COUNT).flat_map(|at| bytes(2 + at, Body::SubmitSm(with_receipt(text(b"x"))))).collect();
    esme.send_bytes(&submits).await;
    let (mut answers, mut receipts) = (0, 0);
    while answers < COUNT || receipts < 2 * COUNT {
        let frame = soon(esme.next()).await;
        let pdu = frame.pdu();
        if let Body::DeliverSm(_) = pdu.body {
            receipts += 1;
            esme.send(pdu.sequence.0, Body::DeliverSmResp(DeliverSmResp::default())).await;
        } else {
            assert!(pdu.status.is_ok());
            answers += 1;
        }
    }
    assert_eq!((answers, receipts), (COUNT, 2 * COUNT));
}
