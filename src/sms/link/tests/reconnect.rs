//! Links that do not come about or are lost, and the next attempt.

use super::*;

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
    until(|| running.metrics.sms.link_failures.get() == 1).await;
    running.clock.advance(Duration::from_millis(14_999));
    assert!(script.sees_no_attempt().await);
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
    until(|| running.metrics.links_bound() == 1).await;
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
    assert_eq!(running.outbox.reserve(msisdn(1)).unwrap_err(), Unavailable::NoLink);
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
    until(|| running.metrics.links_bound() == 1).await;
    running.send(2);
    assert_eq!(peer.submit().await.number, 2);
    drop(peer);
    running.stop().await;
}

#[tokio::test(flavor = "local")]
async fn the_link_comes_back_after_the_smsc_unbinds_or_disconnects() {
    let simulator = Simulator::start(smsc_simulator::Config::default()).await.unwrap();
    let mut running = Running::start(simulator.smpp_addr(), |_| {});
    for binds in 1..=4 {
        running.pass_until(|metrics| metrics.sms.binds.get() == binds).await;
        running.send(1);
        assert_eq!(running.report().await, (1, Delivery::Accepted));
        assert_eq!(running.report().await, (1, Delivery::Delivered));
        if binds % 2 == 0 {
            simulator.unbind_sessions();
        } else {
            simulator.disconnect_sessions();
        }
        until(|| running.metrics.links_bound() == 0).await;
    }
    assert_eq!(simulator.inbox().counts().delivered, 4);
    running.stop().await;
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
    until(|| running.metrics.links_bound() == 1).await;
    peer.say(0, 7, Body::Unbind).await;
    assert_eq!(peer.pdu().await.unwrap().command, CommandId::UNBIND_RESP);
    assert_eq!(patiently(peer.stream.read_buf(&mut Vec::new())).await.unwrap(), 0);
    running.stop().await;
}
