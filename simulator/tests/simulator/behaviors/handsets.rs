//! What handsets write to an ESME.

use smpp::pdu::{Body, MessageState};
use smsc_simulator::inbox::{Direction, Filter};
use smsc_simulator::{Config, HandsetError};

use super::{acknowledge, bound_as, nothing_else};
use crate::esme::{Esme, PHONE, credentials, simulator};

#[tokio::test]
async fn d9_a_handset_writes_to_a_receiver_that_answers() {
    let simulator = simulator(Config::default()).await;
    let refused = simulator.send_from_handset("628120001234", "2020", "STOP", None);
    assert_eq!(refused.unwrap_err(), HandsetError::NoReceiver);
    let _transmitter = bound_as(&simulator, Body::BindTransmitter(credentials())).await;
    assert!(simulator.send_from_handset("628120001234", "2020", "STOP", None).is_err());
    let mut receiver = bound_as(&simulator, Body::BindReceiver(credentials())).await;
    let message = simulator.send_from_handset("+628120001234", "2020", "STOP", Some("gateway")).unwrap();
    let frame = receiver.next().await;
    let Body::DeliverSm(deliver) = frame.pdu().body else { panic!("{:?}", frame.pdu()) };
    assert!(!deliver.esm_class.is_receipt());
    assert_eq!((deliver.source.digits, deliver.destination.digits), (PHONE, &b"2020"[..]));
    assert_eq!(deliver.short_message, b"STOP");
    assert_eq!(
        (message.state(), message.details().direction),
        (MessageState::ENROUTE, Direction::FromHandset)
    );
    acknowledge(&mut receiver, frame.pdu()).await;
    nothing_else(&mut receiver).await;
    assert_eq!(message.state(), MessageState::DELIVERED);
    let conversation = Filter { with: Some(*message.from()), ..Filter::default() };
    assert_eq!(simulator.inbox().messages(&conversation).messages.len(), 1);
    for (from, to, system_id, error) in [
        ("BANK", "2020", None, HandsetError::From),
        ("62812", "", None, HandsetError::To),
        ("62812", "2020", Some("nobody"), HandsetError::UnknownSystemId),
    ] {
        assert_eq!(simulator.send_from_handset(from, to, "x", system_id).unwrap_err(), error);
    }
}

#[tokio::test]
async fn d9_a_long_message_of_a_handset_comes_in_parts_on_one_session() {
    let simulator = simulator(Config::default()).await;
    let mut esmes = [Esme::bound(&simulator).await, Esme::bound(&simulator).await];
    let message = simulator.send_from_handset("628120001234", "2020", &"ü€".repeat(100), None).unwrap();
    assert_eq!(message.segments(), 2);
    let mut parts = 0;
    for esme in &mut esmes {
        esme.send(9, Body::EnquireLink).await;
        loop {
            let frame = esme.next().await;
            let Body::DeliverSm(deliver) = frame.pdu().body else { break };
            assert!(deliver.esm_class.has_udh());
            parts += 1;
        }
        assert!(parts == 0 || parts == 2, "{parts} on one session");
    }
    assert_eq!(parts, 2);
}
