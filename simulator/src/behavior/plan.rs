//! A behaviour made ready: rules laid over the sections, and the draws.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use smpp::pdu::DataCoding;
use smpp::text;

use super::draw::{Draw, Ordinals, Stream, hash};
use super::{Behavior, Receipts, Status, Submit};
use crate::rate::Rates;

/// How a submit fares: the sections with the changes of the rule that it meets.
#[derive(Debug)]
pub(crate) struct Treatment {
    pub(crate) submit: Submit,
    pub(crate) receipts: Receipts,
    /// Whether a delay of it is drawn.
    is_random: bool,
    limit: Option<Arc<Limit>>,
}

impl Treatment {
    fn new(submit: Submit, receipts: Receipts, limit: Option<Arc<Limit>>) -> Self {
        let is_random =
            submit.latency.is_random() || submit.delivery_delay.is_random() || receipts.delay.is_random();
        Self { submit, receipts, is_random, limit }
    }
}

/// How many submits of a treatment are taken.
struct Limit {
    rates: Rates,
    digits: usize,
    /// How those beyond fare.
    beyond: Arc<Treatment>,
}

impl Limit {
    fn of(submit: &Submit, receipts: &Receipts, status: Status) -> Option<Arc<Self>> {
        let rates = Rates::new(NonZeroU32::new(submit.rate)?);
        let beyond = Treatment::new(Submit { status, ..submit.clone() }, receipts.clone(), None);
        Some(Arc::new(Self { rates, digits: submit.rate_digits, beyond: Arc::new(beyond) }))
    }

    fn takes(&self, to: &[u8]) -> bool {
        self.rates.takes(hash(0, &to[..self.digits.min(to.len())]))
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limit").field("digits", &self.digits).finish_non_exhaustive()
    }
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// The destination's digits.
    pub(crate) to: &'a [u8],
    pub(crate) data_coding: DataCoding,
    /// The text's bytes, without a user data header.
    pub(crate) content: &'a [u8],
}

/// A behaviour in use.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) behavior: Behavior,
    /// Without a rule.
    otherwise: Arc<Treatment>,
    /// As [`Behavior::rules`].
    treatments: Vec<Arc<Treatment>>,
    /// Whether anything of a submit is left to chance.
    is_random: bool,
    looks_at_text: bool,
    ordinals: Mutex<Ordinals>,
    binds: AtomicU32,
}

impl Plan {
    pub(crate) fn new(behavior: Behavior) -> Self {
        let limit =
            |submit: &Submit, receipts: &Receipts| Limit::of(submit, receipts, behavior.session.limit_status);
        let common = limit(&behavior.submit, &behavior.receipts);
        let otherwise = Treatment::new(behavior.submit.clone(), behavior.receipts.clone(), common.clone());
        let otherwise = Arc::new(otherwise);
        let treatments: Vec<_> = behavior
            .rules
            .iter()
            .map(|rule| {
                let submit = rule.submit.over(&behavior.submit);
                let receipts = rule.receipts.over(&behavior.receipts);
                // One that says nothing of the rate is held to that of all.
                let own = rule.submit.rate.is_some() || rule.submit.rate_digits.is_some();
                let limit = if own { limit(&submit, &receipts) } else { common.clone() };
                Arc::new(Treatment::new(submit, receipts, limit))
            })
            .collect();
        let is_random = otherwise.is_random
            || treatments.iter().any(|treatment| treatment.is_random)
            || behavior.rules.iter().any(|rule| !rule.percent.is_all());
        let looks_at_text = behavior.rules.iter().any(|rule| rule.text.is_some());
        Self {
            otherwise,
            treatments,
            is_random,
            looks_at_text,
            ordinals: Mutex::new(Ordinals::default()),
            binds: AtomicU32::new(0),
            behavior,
        }
    }

    /// How a submit fares, and its draws. Counts it for its destination.
    ///
    /// Without chance and rates: no lock, no hash. Without rules: no look at the text.
    pub(crate) fn treat(&self, subject: &Subject<'_>) -> (&Arc<Treatment>, Draw) {
        let (met, draw) = self.meet(subject);
        let beyond = met.limit.as_ref().filter(|limit| !limit.takes(subject.to)).map(|limit| &limit.beyond);
        (beyond.unwrap_or(met), draw)
    }

    fn meet(&self, subject: &Subject<'_>) -> (&Arc<Treatment>, Draw) {
        let draw = if self.is_random {
            // Nothing panics under this lock; it is short.
            let mut ordinals = self.ordinals.lock().unwrap_or_else(PoisonError::into_inner);
            ordinals.next(self.behavior.seed, subject.to)
        } else {
            Draw::NONE
        };
        if self.treatments.is_empty() {
            return (&self.otherwise, draw);
        }
        let text = if self.looks_at_text {
            text::decode(subject.data_coding, subject.content)
        } else {
            String::new()
        };
        let meets = |number: usize| {
            let rule = &self.behavior.rules[number];
            rule.to.as_ref().is_none_or(|to| subject.to.starts_with(to.as_str().as_bytes()))
                && rule.text.as_ref().is_none_or(|part| text.contains(part.as_str()))
                && rule.percent.takes(draw, Stream::Rule(u16::try_from(number).unwrap_or(u16::MAX)))
        };
        let met = (0..self.treatments.len()).find(|number| meets(*number));
        (met.map_or(&self.otherwise, |number| &self.treatments[number]), draw)
    }

    /// How whatever has no rule fares.
    pub(crate) const fn otherwise(&self) -> &Arc<Treatment> {
        &self.otherwise
    }

    /// Whether `bind` of `[session]` is for the next bind of `system_id`.
    pub(crate) fn bind_is_special(&self, system_id: &[u8]) -> bool {
        let session = &self.behavior.session;
        let ordinal = self.binds.fetch_add(1, Ordering::Relaxed);
        session.bind_first.is_none_or(|first| ordinal < first)
            && session.bind_percent.takes(Draw::new(self.behavior.seed, system_id, ordinal), Stream::Bind)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use smpp::status::CommandStatus;

    use super::super::{Delay, Response};
    use super::*;

    fn plan(text: &str) -> Plan {
        Plan::new(Behavior::from_toml(text).unwrap())
    }

    fn subject<'a>(to: &'a [u8], text: &'a [u8]) -> Subject<'a> {
        Subject { to, data_coding: DataCoding::DEFAULT, content: text }
    }

    #[test]
    fn the_first_rule_that_matches_wins_and_changes_what_it_says() {
        let plan = plan(concat!(
            "submit.latency = \"20ms\"\n",
            "[[rule]]\nto = \"62811\"\nsubmit.response = \"none\"\n",
            "[[rule]]\ntext = \"STOP\"\nsubmit.response = \"twice\"\nreceipts.copies = 2\n",
        ));
        let treated = |to, text| plan.treat(&subject(to, text)).0;
        for (to, text, response, copies) in [
            (&b"62811000"[..], &b"STOP"[..], Response::None, 1),
            (b"62812000", b"please STOP it", Response::Twice, 2),
            (b"62812000", b"stop", Response::Once, 1),
        ] {
            let treatment = treated(to, text);
            assert_eq!((treatment.submit.response, treatment.receipts.copies), (response, copies));
            assert_eq!(treatment.submit.latency, Delay::fixed(Duration::from_millis(20)));
        }
    }

    #[test]
    fn a_share_is_met_as_often_as_it_says_and_the_same_way_again() {
        let text = "[[rule]]\npercent = 10\nsubmit.response = \"none\"\n";
        let met = |plan: &Plan| -> Vec<bool> {
            (0..2_000)
                .map(|n| {
                    let to = format!("62812{:04}", n % 500);
                    plan.treat(&subject(to.as_bytes(), b"x")).0.submit.response == Response::None
                })
                .collect()
        };
        let first = met(&plan(text));
        assert_eq!(first, met(&plan(text)));
        assert_ne!(first, met(&plan(&format!("seed = 2\n{text}"))));
        let count = first.iter().filter(|met| **met).count();
        assert!((150..250).contains(&count), "{count} of 2000");
    }

    #[test]
    fn the_order_of_other_destinations_changes_nothing() {
        let text = "[[rule]]\npercent = 50\nsubmit.response = \"none\"\n";
        let (forward, backward) = (plan(text), plan(text));
        let numbers: Vec<_> = (0..200).map(|n| format!("62812{n:04}")).collect();
        let fate = |plan: &Plan, to: &String| plan.treat(&subject(to.as_bytes(), b"x")).0.submit.response;
        let one: Vec<_> = numbers.iter().map(|to| fate(&forward, to)).collect();
        let mut other: Vec<_> = numbers.iter().rev().map(|to| fate(&backward, to)).collect();
        other.reverse();
        assert_eq!(one, other);
    }

    #[test]
    fn s6_beyond_the_rate_submits_are_refused_each_destination_by_itself_if_so_written() {
        let plan = plan(concat!(
            "submit.rate = 10\n",
            "[session]\nlimit_status = \"ESME_RMSGQFUL\"\n",
            "[[rule]]\nto = \"62899\"\nsubmit.rate = 20\nsubmit.rate_digits = 6\n",
            "[[rule]]\nto = \"62898\"\nsubmit.response = \"none\"\n",
            "[[rule]]\nto = \"62897\"\nsubmit.rate = 0\n",
        ));
        let taken = |to: &str| {
            let status = plan.treat(&subject(to.as_bytes(), b"x")).0.submit.status.0;
            assert!(status.is_ok() || status == CommandStatus::ESME_RMSGQFUL, "{status:?}");
            status.is_ok()
        };
        // One for all that no rule with a rate is for.
        assert!(taken("62811001") && !taken("62812001") && !taken("62898001"));
        assert!(taken("62899101") && taken("62899102") && !taken("62899103"));
        assert!(taken("62899201") && taken("62899202") && !taken("62899203"));
        assert!((0..50).all(|_| taken("62897001")));
    }

    #[test]
    fn without_chance_nothing_is_counted() {
        let plan = plan("[[rule]]\nto = \"62811\"\nsubmit.response = \"none\"\n");
        assert_eq!(plan.treat(&subject(b"62811", b"x")).1, Draw::NONE);
        assert!(!plan.is_random && !plan.looks_at_text);
    }

    #[test]
    fn the_first_binds_or_a_share_of_them_are_special() {
        let first = plan("[session]\nbind = \"refuse\"\nbind_first = 2\n");
        let special = |plan: &Plan, count| (0..count).filter(|_| plan.bind_is_special(b"gateway")).count();
        assert_eq!((special(&first, 2), special(&first, 2)), (2, 0));
        let some = special(&plan("[session]\nbind = \"refuse\"\nbind_percent = 30\n"), 1_000);
        assert!((250..350).contains(&some), "{some} of 1000");
    }
}
