//! Links of a gateway that shuts down.

use super::*;

#[tokio::test(flavor = "local")]
async fn l6_told_to_stop_the_link_sends_what_is_queued_and_unbinds() {
    let script = Script::listen().await;
    let running = Running::start(script.addr(), |_| {});
    let mut peer = script.accept().await;
    peer.bind().await;
    until(|| running.metrics.links_bound() == 1).await;
    running.send(1);
    running.drain.cancel();
    let submit = peer.submit().await;
    assert_eq!(running.outbox.reserve(msisdn(1)).unwrap_err(), Unavailable::NoLink);
    peer.accept(submit.sequence).await;
    let unbind = peer.pdu().await.unwrap();
    assert_eq!(unbind.command, CommandId::UNBIND);
    peer.say(0, 55, Body::EnquireLink).await;
    assert_eq!(peer.pdu().await.unwrap().command, CommandId::ENQUIRE_LINK_RESP);
    peer.say(0, unbind.sequence, Body::UnbindResp).await;
    assert_eq!(running.stop().await, [(1, Delivery::Accepted)]);
}

#[tokio::test(flavor = "local")]
async fn shutting_down_without_an_smsc_what_is_queued_is_dropped_at_the_end_of_its_time() {
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
async fn shutting_down_without_an_smsc_and_with_nothing_queued_it_stops_at_once() {
    let script = Script::listen().await;
    let addr = script.addr();
    drop(script);
    let running = Running::start(addr, |_| {});
    until(|| running.metrics.sms.link_failures.get() == 1).await;
    assert_eq!(running.stop().await, []);
}

#[tokio::test(flavor = "local")]
async fn when_nobody_takes_reports_any_more_the_link_shuts_down() {
    let simulator = Simulator::start(smsc_simulator::Config::default()).await.unwrap();
    let mut running = Running::start(simulator.smpp_addr(), |_| {});
    running.reports.close();
    running.send(1);
    patiently(&mut running.task).await.unwrap();
    assert_eq!(simulator.inbox().counts().delivered, 0);
    simulator.stop().await;
}
