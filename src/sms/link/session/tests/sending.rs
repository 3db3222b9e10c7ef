//! When items are submitted, when again, and when never.

use super::*;
use crate::metrics::SubmitOutcome;
use crate::sms::link::session::sending::GATHER;

#[test]
fn s1_the_window_is_never_exceeded_and_refills_as_answers_come() {
    let mut esme = Esme::bound(|config| config.window = 3);
    (1..=10).for_each(|number| esme.send(number));
    let first = esme.submits();
    assert_eq!(first.iter().map(|submit| submit.1).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(esme.submits(), []);
    // Out of order, and twice.
    esme.accept(first[1].0, b"a");
    esme.accept(first[1].0, b"a");
    assert_eq!(esme.submits().len(), 1, "at once: the window holds items back");
    esme.accept(first[0].0, b"b");
    esme.accept(first[2].0, b"c");
    assert_eq!(esme.submits().len(), 2);
    assert_eq!(esme.reported(), [2, 1, 3].map(|number| (number, Delivery::Accepted)));
    assert_eq!(esme.metrics.sms.anomalies.get(), 1);
}

#[test]
fn while_answers_are_outstanding_items_gather_for_a_moment() {
    let mut esme = Esme::bound(|_| {});
    esme.send(1);
    let first = esme.submits();
    assert_eq!(first.len(), 1, "nothing is outstanding: at once");
    (2..=4).for_each(|number| esme.send(number));
    assert_eq!(esme.submits(), []);
    esme.pass(GATHER);
    assert_eq!(esme.submits().len(), 3, "in one write");
    esme.send(5);
    assert_eq!(esme.submits(), []);
    for sequence in first[0].0..first[0].0 + 4 {
        esme.accept(sequence, b"x");
    }
    assert_eq!(esme.submits().len(), 1, "all is answered: at once");
}

#[test]
fn s4_abuse_46_a_submit_without_an_answer_is_unknown_and_never_sent_again() {
    let mut esme = Esme::bound(|config| config.window = 1);
    esme.send(1);
    esme.send(2);
    assert_eq!(esme.submits().len(), 1);
    esme.pass(Duration::from_millis(9_999));
    assert_eq!(esme.submits(), []);
    esme.pass(Duration::from_millis(1));
    let submits = esme.submits();
    assert_eq!(submits.iter().map(|submit| submit.1).collect::<Vec<_>>(), [2], "its slot is free");
    assert_eq!(esme.reported(), [(1, Delivery::Unknown)]);
    assert_eq!(esme.metrics.smsc("main").submits.of(SubmitOutcome::Unknown).get(), 1);
    assert_eq!(esme.end(), (vec![], vec![(2, Delivery::Unknown)]));
}

#[test]
fn s1_a_late_answer_settles_what_was_in_doubt_and_frees_no_slot_twice() {
    let mut esme = Esme::bound(|config| config.window = 1);
    (1..=4).for_each(|number| esme.send(number));
    let first = esme.submits()[0].0;
    esme.pass(Duration::from_secs(10));
    let second = esme.submits()[0].0;
    esme.accept(first, b"id-1");
    assert_eq!(esme.submits(), [], "the window is still full");
    assert_eq!(esme.reported(), [(1, Delivery::Unknown), (1, Delivery::Accepted)]);
    assert_eq!(esme.receipt("id:id-1 stat:DELIVRD"), 0);
    assert_eq!(esme.reported(), [(1, Delivery::Delivered)]);
    esme.pass(Duration::from_secs(10));
    assert_eq!(esme.submits().len(), 1);
    esme.refuse(second, CommandStatus::ESME_RTHROTTLED);
    assert_eq!(esme.reported(), [(2, Delivery::Unknown), (2, Delivery::Rejected)]);
    esme.pass(RETRY_PAUSE);
    assert_eq!(esme.submits(), [], "what was reported as unknown is not sent again even so");
}

#[test]
fn s5_what_was_written_in_full_when_the_link_died_is_unknown_and_the_rest_goes_back_in_order() {
    let mut esme = Esme::bound(|config| config.window = 5);
    (1..=7).for_each(|number| esme.send(number));
    let one = {
        esme.step(0);
        frame::cut(esme.session.output.pending(), frame::COMMAND_LENGTH_MAX).unwrap().unwrap().len()
    };
    // Two whole submits and a part of the third.
    assert_eq!(esme.step(2 * one + 5).len(), 2 * one + 5);
    assert_eq!(esme.metrics.smsc("main").written.get(), 2);
    esme.session.lost(End::Closed);
    let (queued, mut reported) = esme.end();
    assert_eq!(queued, [3, 4, 5, 6, 7]);
    reported.sort_by_key(|report| report.0);
    assert_eq!(reported, [(1, Delivery::Unknown), (2, Delivery::Unknown)]);
}

#[test]
fn s3_the_last_byte_decides() {
    for missing in [0, 1] {
        let mut esme = Esme::bound(|_| {});
        esme.send(1);
        esme.step(0);
        let length = esme.session.output.pending().len();
        esme.step(length - missing);
        let (queued, reported) = esme.end();
        assert_eq!((queued.len(), reported.len()), if missing == 0 { (0, 1) } else { (1, 0) });
    }
}

#[test]
fn s6a_what_is_throttled_frees_its_slot_and_is_tried_again_after_a_pause() {
    for status in [CommandStatus::ESME_RTHROTTLED, CommandStatus(0x410)] {
        let mut esme = Esme::bound(|config| {
            config.window = 4;
            config.retry_statuses = vec![CommandStatus(0x410)];
        });
        (1..=5).for_each(|number| esme.send(number));
        let first = esme.submits();
        esme.refuse(first[0].0, status);
        assert_eq!(esme.submits()[0].1, 5, "its place in the window is free at once");
        first[1..].iter().for_each(|submit| esme.accept(submit.0, b"x"));
        esme.pass(RETRY_PAUSE);
        let again = esme.submits();
        assert_eq!((again.len(), again[0].1), (1, 1));
        assert_ne!(again[0].0, first[0].0);
        let accepted = [2, 3, 4].map(|number| (number, Delivery::Accepted));
        assert_eq!(esme.reported(), accepted, "a refusal for now is no news");
        assert_eq!(esme.metrics.smsc("main").submits.of(SubmitOutcome::Throttled).get(), 1);
    }
}

#[test]
fn s6a_what_is_refused_again_and_again_is_told_as_failed_after_five_tries_well_before_its_time_is_over() {
    for status in [CommandStatus::ESME_RTHROTTLED, CommandStatus::ESME_RMSGQFUL] {
        let mut esme = Esme::bound(|config| config.window = 2);
        (1..=3).for_each(|number| esme.send(number));
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let submits = esme.submits();
            submits.iter().for_each(|submit| esme.refuse(submit.0, status));
            esme.pass(RETRY_PAUSE);
            seen.extend(esme.reported());
            assert!(esme.now().since(START) <= TTL / 3 + SECOND);
        }
        assert_eq!(esme.metrics.smsc("main").written.get(), 15);
        seen.sort_unstable_by_key(|report| report.0);
        assert_eq!(seen, [1, 2, 3].map(|number| (number, Delivery::Rejected)));
        assert_eq!(esme.metrics.smsc("main").submits.of(SubmitOutcome::Throttled).get(), 12);
        assert_eq!(esme.metrics.smsc("main").submits.of(SubmitOutcome::Rejected).get(), 3);
    }
}

#[test]
fn s6a_while_a_recipient_s_queue_is_full_others_go_on_and_its_own_wait() {
    let mut esme = Esme::bound(|config| config.window = 1);
    esme.send(1);
    let first = esme.submits()[0];
    [2, 1].into_iter().for_each(|number| esme.send(number));
    esme.refuse(first.0, CommandStatus::ESME_RMSGQFUL);
    let second = esme.submits();
    assert_eq!(second[0].1, 2, "the window of one is not taken");
    esme.accept(second[0].0, b"x");
    // Twice as long each time, and the second to the same recipient waits behind the first.
    for pause in [1, 2, 4] {
        assert_eq!(esme.submits(), []);
        esme.pass(Duration::from_millis(pause * 1_000 - 1));
        assert_eq!(esme.submits(), [], "after {pause} s");
        esme.pass(Duration::from_millis(1));
        let again = esme.submits();
        assert_eq!((again.len(), again[0].1), (1, 1), "after {pause} s");
        esme.refuse(again[0].0, CommandStatus::ESME_RMSGQFUL);
    }
    esme.pass(8 * SECOND);
    for id in [b"y", b"z"] {
        let submits = esme.submits();
        assert_eq!(submits.len(), 1, "one at a time");
        esme.accept(submits[0].0, id);
    }
    assert_eq!(esme.reported(), [2, 1, 1].map(|number| (number, Delivery::Accepted)));
}

#[test]
fn what_is_throttled_goes_back_to_the_queue_when_the_link_dies() {
    let mut esme = Esme::bound(|config| config.window = 2);
    (1..=3).for_each(|number| esme.send(number));
    for (sequence, _) in esme.submits() {
        esme.refuse(sequence, CommandStatus::ESME_RTHROTTLED);
    }
    assert_eq!(esme.end(), (vec![1, 2, 3], vec![]));
}

#[test]
fn what_is_due_again_leaves_together_with_an_enquire_link() {
    let mut esme = Esme::bound(|config| config.enquire_link_timer = RETRY_PAUSE);
    esme.send(1);
    let sequence = esme.submits()[0].0;
    esme.refuse(sequence, CommandStatus::ESME_RTHROTTLED);
    esme.pass(RETRY_PAUSE);
    let commands: Vec<_> = esme.seen().iter().map(|seen| seen.command).collect();
    assert_eq!(commands, [CommandId::ENQUIRE_LINK, CommandId::SUBMIT_SM]);
}

#[test]
fn a_batch_larger_than_the_buffer_leaves_as_a_whole() {
    let mut esme = Esme::bound(|config| config.window = 1_100);
    (0..1_000_u16).for_each(|number| esme.send(u8::try_from(number % 250).unwrap()));
    assert_eq!(esme.submits().len(), 1_000);
}

#[test]
fn other_refusals_are_final() {
    let mut esme = Esme::bound(|_| {});
    let finals = [0x0A, 0x0B, 0x33, 0x61, 0x62, 0xC4, 0x410, 0x4FF, 0xFFFF_FFFF];
    (0..=9).for_each(|number| esme.send(number));
    let submits = esme.submits();
    for (submit, status) in submits.iter().zip(finals) {
        esme.refuse(submit.0, CommandStatus(status));
    }
    esme.hear(3, submits[9].0, Body::GenericNack);
    assert_eq!(esme.reported(), (0..=9).map(|number| (number, Delivery::Rejected)).collect::<Vec<_>>());
    esme.pass(RETRY_PAUSE);
    assert_eq!(esme.submits(), []);
    assert_eq!(esme.metrics.smsc("main").submits.of(SubmitOutcome::Rejected).get(), 10);
}

#[test]
fn what_the_smsc_could_not_deal_with_goes_to_another_link_once_and_is_final_without_one() {
    for status in [0x08, 0x45, 0x64].map(CommandStatus) {
        let mut esme = Esme::bound(|_| {});
        esme.send(1);
        let only = esme.submits()[0].0;
        esme.refuse(only, status);
        assert_eq!(esme.reported(), [(1, Delivery::Rejected)]);

        let other = esme.routes.lane(1);
        other.set_bound(true, esme.now());
        esme.send(2);
        let sequence = esme.submits()[0].0;
        esme.refuse(sequence, status);
        assert_eq!((esme.submits(), esme.reported()), (vec![], vec![]), "not by this link");
        let outgoing = other.take(esme.now()).unwrap();
        assert_eq!((outgoing.item.challenge.0[15], outgoing.failed), (2, true));
        // As if it had been refused by the other.
        other.give_back(vec![outgoing], esme.now());
        other.set_bound(false, esme.now());
        let sequence = esme.submits()[0].0;
        esme.refuse(sequence, status);
        assert_eq!(esme.reported(), [(2, Delivery::Rejected)]);
        assert_eq!(esme.metrics.smsc("main").submits.of(SubmitOutcome::Rerouted).get(), 1);
    }
}

#[test]
fn without_a_place_for_its_report_nothing_is_sent() {
    let mut esme = Esme::with(|_| {}, 2, None);
    esme.bind();
    (1..=3).for_each(|number| esme.send(number));
    let submits = esme.submits();
    assert_eq!(submits.len(), 2);
    assert!(esme.wait.unwrap().reports);
    esme.accept(submits[0].0, b"a");
    assert_eq!(esme.reported(), [(1, Delivery::Accepted)]);
    esme.pass(GATHER);
    assert_eq!(esme.submits().len(), 1);
}

#[test]
fn s2_answers_out_of_order_twice_and_to_nothing_are_counted_and_harmless() {
    let mut esme = Esme::bound(|_| {});
    (1..=3).for_each(|number| esme.send(number));
    let submits = esme.submits();
    for (which, id) in [(2, b"c"), (0, b"a"), (2, b"c"), (1, b"b"), (0, b"a")] {
        esme.accept(submits[which].0, id);
    }
    esme.refuse(submits[1].0, CommandStatus::ESME_RTHROTTLED);
    esme.accept(0x7FFF_0000, b"z");
    assert_eq!(esme.reported(), [3, 1, 2].map(|number| (number, Delivery::Accepted)));
    assert_eq!(esme.metrics.sms.anomalies.get(), 4);
    esme.pass(RETRY_PAUSE);
    assert_eq!((esme.submits(), esme.is_bound()), (vec![], true));
}

#[test]
fn s6_a_link_keeps_its_rate_and_looks_again_when_the_next_may_go() {
    let mut esme = Esme::bound(|config| config.rate = 10);
    (1..=20).for_each(|number| esme.send(number));
    let mut count = 0;
    while count < 20 {
        let submits = esme.submits();
        count += submits.len();
        assert!(submits.len() <= 1);
        submits.iter().for_each(|submit| esme.accept(submit.0, b"x"));
        assert_eq!(esme.submits(), []);
        let (now, wake_at) = (esme.now(), esme.wait.unwrap().until);
        assert!(wake_at > now && wake_at.since(now) <= Duration::from_millis(100));
        esme.pass(wake_at.since(now));
    }
    let seconds = esme.now().since(START).as_secs_f64();
    assert!((1.9..=2.1).contains(&seconds), "20 at 10 a second took {seconds} s");
}
