//! The newest requests to the gateway and what it answered, for the visitor to read.
//!
//! The key to the API and the codes are not in here: requests are written down with both masked.

use std::collections::VecDeque;

use serde::Serialize;

/// Exchanges kept at a time, of all payments: the largest attack makes 64. The oldest goes first.
pub(crate) const EXCHANGES_MAX: usize = 512;

/// One request, and its reply if there was one. Bodies are JSON as it was sent.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Exchange {
    /// Counts from 1, in the order of the replies.
    pub(crate) number: u64,
    /// The payment that it was about.
    #[serde(skip)]
    pub(crate) payment: String,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) request: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) reply: Option<String>,
    pub(crate) micros: u64,
}

impl Exchange {
    /// Whether this asked what `other` asked and was answered the same. Only a look-up can be asked without change.
    fn repeats(&self, other: &Self) -> bool {
        self.method == "GET" && self.path == other.path && self.reply == other.reply
    }
}

/// The newest [`EXCHANGES_MAX`] exchanges.
#[derive(Debug, Default)]
pub(crate) struct Exchanges {
    kept: VecDeque<Exchange>,
    count: u64,
}

impl Exchanges {
    /// Keeps an exchange; a look-up that says what the last one of its payment said is not kept again.
    pub(crate) fn record(&mut self, exchange: Exchange) {
        let last = self.kept.iter().rev().find(|kept| kept.path == exchange.path);
        if last.is_some_and(|last| exchange.repeats(last)) {
            return;
        }
        if self.kept.len() == EXCHANGES_MAX {
            self.kept.pop_front();
        }
        self.count += 1;
        self.kept.push_back(Exchange { number: self.count, ..exchange });
    }

    /// Those of one payment after the one with this number.
    pub(crate) fn of(&self, payment: &str, after: u64) -> Vec<Exchange> {
        let wanted = |exchange: &&Exchange| exchange.number > after && exchange.payment == payment;
        self.kept.iter().filter(wanted).cloned().collect()
    }
}

/// An idempotency key that can be told from others, without the payment's id that it is made of.
pub(crate) fn shortened(key: &str) -> String {
    let (id, act) = key.rsplit_once('-').unwrap_or((key, ""));
    format!("{}…-{act}", id.get(..4).unwrap_or(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(payment: &str, method: &'static str, reply: &str) -> Exchange {
        let (payment, path) = (payment.into(), format!("/v1/{payment}"));
        Exchange { payment, path, method, reply: Some(reply.into()), ..Exchange::default() }
    }

    #[test]
    fn the_oldest_exchange_makes_room_for_a_new_one() {
        let mut exchanges = Exchanges::default();
        (0..=EXCHANGES_MAX).for_each(|_| exchanges.record(exchange("a", "POST", "{}")));
        let kept = exchanges.of("a", 0);
        assert_eq!((kept.len(), kept[0].number), (EXCHANGES_MAX, 2));
        assert_eq!(exchanges.of("a", EXCHANGES_MAX as u64).len(), 1);
    }

    #[test]
    fn a_payment_has_its_own_exchanges_only() {
        let mut exchanges = Exchanges::default();
        exchanges.record(exchange("a", "POST", "{}"));
        exchanges.record(exchange("b", "POST", "{}"));
        assert_eq!(exchanges.of("b", 0).len(), 1);
        assert_eq!(exchanges.of("c", 0).len(), 0);
    }

    #[test]
    fn only_a_look_up_that_says_something_new_is_kept() {
        let mut exchanges = Exchanges::default();
        for reply in ["queued", "accepted", "accepted", "delivered"] {
            exchanges.record(exchange("a", "GET", reply));
        }
        assert_eq!(exchanges.of("a", 0).len(), 3);
        (0..2).for_each(|_| exchanges.record(exchange("a", "POST", "delivered")));
        assert_eq!(exchanges.of("a", 0).len(), 5);
    }

    #[test]
    fn a_shortened_key_does_not_give_the_payments_id_away() {
        assert_eq!(shortened("9f86d081884c7d659a2feaa0c55ad015-12"), "9f86…-12");
    }
}
