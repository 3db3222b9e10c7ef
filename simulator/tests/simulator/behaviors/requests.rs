//! query_sm, replace_sm and cancel_sm.

use smpp::pdu::{Address, Body, CancelSm, MessageState, QuerySm, ReplaceSm};
use smpp::receipt::Receipt;
use smpp::status::CommandStatus;

use super::{OK, id, running};
use crate::esme::{PHONE, text, with_receipt};

#[tokio::test]
async fn a_message_on_its_way_can_be_queried_replaced_and_cancelled() {
    let (simulator, mut esme) = running("submit.delivery_delay = \"1h\"").await;
    esme.send(2, Body::SubmitSm(with_receipt(text(b"old")))).await;
    let id = id(&mut esme).await;
    let (message_id, source) = (id.as_bytes(), Address::alphanumeric(b"BANK"));
    let query = Body::QuerySm(QuerySm { message_id, source });
    esme.send(3, query).await;
    let frame = esme.next().await;
    let Body::QuerySmResp(found) = frame.pdu().body else { panic!("{:?}", frame.pdu()) };
    assert_eq!(
        (found.message_id, found.message_state, found.final_date),
        (message_id, MessageState::ENROUTE, &b""[..])
    );
    let replace = ReplaceSm { message_id, source, short_message: b"new", ..ReplaceSm::default() };
    esme.send(4, Body::ReplaceSm(ReplaceSm { registered_delivery: 1, ..replace })).await;
    assert_eq!(esme.answer().await, (OK, 4));
    let message = simulator.inbox().find(&id).unwrap();
    assert!(message.text() == "new" && message.details().replaced);
    let other = Address::alphanumeric(b"OTHER");
    esme.send(5, Body::CancelSm(CancelSm { message_id, source: other, ..CancelSm::default() })).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RCANCELFAIL, 5), "not its message");
    let cancel = Body::CancelSm(CancelSm { message_id, source, ..CancelSm::default() });
    esme.send(6, cancel).await;
    assert_eq!(esme.answer().await, (OK, 6));
    assert!(esme.receipt().await.contains("stat:DELETED"));
    esme.send(7, query).await;
    let frame = esme.next().await;
    let Body::QuerySmResp(found) = frame.pdu().body else { panic!("{:?}", frame.pdu()) };
    assert_eq!((found.message_state, found.final_date.len()), (MessageState::DELETED, 16));
    esme.send(8, cancel).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RCANCELFAIL, 8));
    esme.send(9, Body::ReplaceSm(replace)).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RREPLACEFAIL, 9));
    esme.send(10, Body::QuerySm(QuerySm { message_id: b"nothing", source })).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RQUERYFAIL, 10));
}

#[tokio::test]
async fn all_messages_of_a_sender_to_a_handset_are_cancelled_without_an_id() {
    let (_simulator, mut esme) = running("submit.delivery_delay = \"1h\"").await;
    let (source, destination) = (Address::alphanumeric(b"BANK"), Address::international(PHONE));
    let all = Body::CancelSm(CancelSm { source, destination, ..CancelSm::default() });
    for sequence in [2, 3] {
        esme.submit(sequence, with_receipt(text(b"x"))).await;
    }
    esme.send(4, all).await;
    // The answer may come before or after the receipts.
    let mut deleted = 0;
    for _ in 0..3 {
        let frame = esme.next().await;
        match frame.pdu().body {
            Body::DeliverSm(deliver) => {
                assert!(Receipt::parse(&deliver).unwrap().state == Some(MessageState::DELETED));
                deleted += 1;
            }
            Body::CancelSmResp => assert_eq!(frame.pdu().status, OK),
            body => panic!("{body:?}"),
        }
    }
    assert_eq!(deleted, 2);
}
