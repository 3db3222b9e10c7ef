//! Several links, and several SMSCs.

use super::*;
use crate::metrics::SubmitOutcome;

/// Two SMSCs that do what the test says.
async fn two() -> [Script; 2] {
    [Script::listen().await, Script::listen().await]
}

/// A gateway with links to all of them, named `a` and `b`.
fn start(scripts: &[Script], change: impl Fn(&mut Settings)) -> Running {
    let configs = scripts.iter().zip(["a", "b"]).map(|(script, name)| {
        let mut config =
            Settings { name: name.into(), address: script.addr().to_string(), ..Settings::default() };
        change(&mut config);
        config
    });
    Running::start_all(configs.collect(), None)
}

/// A gateway with one bound link to each.
async fn bound(scripts: &[Script; 2], change: impl Fn(&mut Settings)) -> (Running, Peer, Peer) {
    let running = start(scripts, change);
    let (mut a, mut b) = (scripts[0].accept().await, scripts[1].accept().await);
    a.bind().await;
    b.bind().await;
    until(|| running.metrics.links_bound() == 2).await;
    (running, a, b)
}

#[tokio::test(flavor = "local")]
async fn links_of_one_smsc_share_the_load() {
    let script = Script::listen().await;
    let three = |config: &mut Settings| (config.binds, config.window) = (3, 2);
    let mut running = start(std::slice::from_ref(&script), three);
    let mut peers = Vec::new();
    for _ in 0..3 {
        let mut peer = script.accept().await;
        peer.bind().await;
        peers.push(peer);
    }
    until(|| running.metrics.links_bound() == 3).await;
    assert_eq!(running.metrics.smsc("a").links_bound.get(), 3);
    // One after another: in turn.
    for number in 0..6 {
        running.send(number);
        let peer = &mut peers[usize::from(number) % 3];
        let submit = peer.submit().await;
        assert_eq!(submit.number, number);
        peer.accept(submit.sequence).await;
        assert_eq!(running.report().await, (number, Delivery::Accepted));
    }
    // All at once: each as much as its window holds, and the rest as there is room.
    (0..12).for_each(|number| running.send(number));
    let mut numbers = Vec::new();
    for _ in 0..2 {
        for peer in &mut peers {
            let submits = [peer.submit().await, peer.submit().await];
            for submit in submits {
                numbers.push(submit.number);
                peer.accept(submit.sequence).await;
            }
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..12).collect::<Vec<u8>>());
    drop(peers);
    running.stop().await;
}

#[tokio::test(flavor = "local")]
async fn a_transmitter_sends_and_its_receiver_hears_the_receipts() {
    let simulator = Simulator::start(smsc_simulator::Config::default()).await.unwrap();
    let pair = |config: &mut Settings| config.mode = Mode::TransmitterReceiver;
    let mut running = Running::start(simulator.smpp_addr(), pair);
    until(|| running.metrics.sms.binds.get() == 2).await;
    assert_eq!(running.metrics.links_bound(), 1, "one of the two sends");
    running.send(1);
    assert_eq!(running.report().await, (1, Delivery::Accepted));
    assert_eq!(running.report().await, (1, Delivery::Delivered));
    assert_eq!(running.stop().await, []);
    assert_eq!(simulator.sessions_bound(), 0);
    simulator.stop().await;
}

#[tokio::test(flavor = "local")]
async fn s5_what_another_smsc_may_take_is_what_the_first_surely_has_not() {
    let (mut running, mut a, mut b) = bound(&two().await, |config| config.window = 2).await;
    (1..=4).for_each(|number| running.send(number));
    assert_eq!((a.submit().await.number, a.submit().await.number), (1, 2));
    drop(a);
    let mut reported = vec![running.report().await, running.report().await];
    reported.sort_unstable_by_key(|report| report.0);
    assert_eq!(reported, [(1, Delivery::Unknown), (2, Delivery::Unknown)]);
    for number in [3, 4] {
        let submit = b.submit().await;
        assert_eq!(submit.number, number);
        b.accept(submit.sequence).await;
        assert_eq!(running.report().await, (number, Delivery::Accepted));
    }
    drop(b);
    running.stop().await;
}

#[tokio::test(flavor = "local")]
async fn s7_what_one_smsc_cannot_deal_with_goes_to_the_next_once() {
    let (mut running, mut a, mut b) = bound(&two().await, |_| {}).await;
    running.send(1);
    let submit = a.submit().await;
    a.refuse(submit.sequence, CommandStatus::ESME_RSYSERR).await;
    let submit = b.submit().await;
    assert_eq!(submit.number, 1);
    b.refuse(submit.sequence, CommandStatus::ESME_RSYSERR).await;
    assert_eq!(running.report().await, (1, Delivery::Rejected));
    drop((a, b));
    running.stop().await;
}

#[tokio::test(flavor = "local")]
async fn s7_an_smsc_that_fails_is_passed_over_probed_and_trusted_again() {
    let (mut running, mut a, mut b) = bound(&two().await, |_| {}).await;
    for number in 1..=5 {
        running.send(number);
        let submit = a.submit().await;
        a.refuse(submit.sequence, CommandStatus::ESME_RSUBMITFAIL).await;
        let submit = b.submit().await;
        b.accept(submit.sequence).await;
        assert_eq!(running.report().await, (number, Delivery::Accepted));
    }
    assert_eq!(running.metrics.smsc("a").circuit_opened.get(), 1);
    running.send(6);
    let submit = b.submit().await;
    b.accept(submit.sequence).await;
    assert_eq!(running.report().await, (6, Delivery::Accepted));
    running.clock.advance(Duration::from_secs(5));
    settle().await;
    for probe in 7..=9 {
        running.send(probe);
        let submit = a.submit().await;
        assert_eq!(submit.number, probe);
        a.accept(submit.sequence).await;
        assert_eq!(running.report().await, (probe, Delivery::Accepted));
    }
    until(|| running.metrics.smsc("a").circuit_open.get() == 0).await;
    drop((a, b));
    running.stop().await;
}

#[tokio::test(flavor = "local")]
async fn l6_told_to_stop_every_link_drains_and_unbinds() {
    let scripts = two().await;
    let running = start(&scripts, |config| config.binds = 2);
    let mut peers = Vec::new();
    for script in &scripts {
        for _ in 0..2 {
            let mut peer = script.accept().await;
            peer.bind().await;
            peers.push(peer);
        }
    }
    until(|| running.metrics.links_bound() == 4).await;
    running.drain.cancel();
    for peer in &mut peers {
        let unbind = peer.pdu().await.unwrap();
        assert_eq!(unbind.command, CommandId::UNBIND);
        peer.say(0, unbind.sequence, Body::UnbindResp).await;
        assert_eq!(peer.pdu().await, None);
    }
    assert_eq!(running.stop().await, []);
}

#[tokio::test(flavor = "local")]
async fn s6a_what_one_link_was_refused_frees_its_slot_and_any_link_tries_it_again() {
    let script = Script::listen().await;
    let two = |config: &mut Settings| (config.binds, config.window) = (2, 4);
    let mut running = start(std::slice::from_ref(&script), two);
    let (mut slow, mut quick) = (script.accept().await, script.accept().await);
    slow.bind().await;
    quick.bind().await;
    until(|| running.metrics.links_bound() == 2).await;
    running.send(1);
    let throttled = slow.submit().await;
    slow.refuse(throttled.sequence, CommandStatus::ESME_RTHROTTLED).await;
    until(|| running.metrics.smsc("a").submits.of(SubmitOutcome::Throttled).get() == 1).await;
    running.send(2);
    let submit = quick.submit().await;
    quick.accept(submit.sequence).await;
    assert_eq!(running.report().await, (2, Delivery::Accepted));
    // What was refused holds up neither, and either may have it again.
    running.clock.advance(Duration::from_secs(1));
    let (again, peer) = tokio::select! {
        submit = quick.submit() => (submit, &mut quick),
        submit = slow.submit() => (submit, &mut slow),
    };
    assert_eq!(again.number, 1);
    peer.accept(again.sequence).await;
    assert_eq!(running.report().await, (1, Delivery::Accepted));
    drop((slow, quick));
    running.stop().await;
}

#[tokio::test(flavor = "local")]
async fn l7_many_links_come_back_spread_over_time_and_none_is_left_behind() {
    const LINKS: usize = 10;
    let simulator = Simulator::start(smsc_simulator::Config::default()).await.unwrap();
    let running = Running::start(simulator.smpp_addr(), |config| config.binds = LINKS);
    let all = LINKS as u64;
    running.pass_until(|metrics| metrics.links_bound() == all).await;
    for round in 1..=3 {
        simulator.disconnect_sessions();
        until(|| running.metrics.links_bound() == 0).await;
        // At the end of a pause that each draws for itself.
        let mut came_back_at = Vec::new();
        let began = running.clock.now();
        while came_back_at.len() < LINKS {
            running.clock.advance(Duration::from_millis(20));
            settle().await;
            let bound = usize::try_from(running.metrics.links_bound()).unwrap();
            came_back_at.resize(bound.max(came_back_at.len()), running.clock.now().since(began));
        }
        came_back_at.dedup();
        assert!(came_back_at.len() > 2, "round {round}: all at once, at {came_back_at:?}");
    }
    until(|| simulator.sessions_bound() == LINKS).await;
    running.stop().await;
    simulator.stop().await;
}

#[tokio::test(flavor = "local")]
async fn s4_with_black_holes_and_lost_links_no_send_is_accepted_twice() {
    let behavior = "seed = 11\n[[rule]]\npercent = 3\nsubmit.response = \"none\"\n";
    let config = smsc_simulator::Config {
        unique_tlv: Some(0x1400),
        behavior: smsc_simulator::Behavior::from_toml(behavior).unwrap(),
        ..smsc_simulator::Config::default()
    };
    let simulator = Simulator::start(config).await.unwrap();
    let change = |config: &mut Settings| (config.binds, config.mark_tlv) = (3, Some(smpp::tlv::Tag(0x1400)));
    let mut running = Running::start(simulator.smpp_addr(), change);
    let (mut sent, mut settled) = (0, std::collections::HashSet::new());
    for ordinal in 0..8 {
        running.pass_until(|metrics| metrics.links_bound() > 0).await;
        for number in 0..250 {
            let mut item = item(number, running.clock.now().plus(TTL));
            item.ordinal = ordinal;
            if let Ok(place) = running.outbox.reserve(item.phone) {
                place.put(item);
                sent += 1;
            }
        }
        if ordinal % 2 == 1 {
            simulator.disconnect_sessions();
        }
        settle().await;
    }
    patiently(async {
        while settled.len() < sent {
            tokio::select! {
                biased;
                report = running.reports.recv() => {
                    let report = report.unwrap();
                    settled.insert((report.challenge, report.ordinal));
                }
                () = settle() => running.clock.advance(Duration::from_millis(50)),
            }
        }
    })
    .await;
    assert!(
        sent >= 250 && running.metrics.smsc("main").submits.of(SubmitOutcome::Unknown).get() > 0,
        "{sent} sent, and none was in doubt"
    );
    assert_eq!(simulator.repeated(), 0);
    running.stop().await;
    simulator.stop().await;
}
