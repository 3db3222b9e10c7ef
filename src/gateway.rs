//! The use cases: generate, verify, resend, cancel and look up; and what the SMPP links ask and report.
//!
//! Each takes one decision on one subscriber (but [`Gateway::expire_open`], one on each) and then, without an await,
//! puts it into effect: the SMS goes into its reserved place and the counters are incremented. The reply comes last, and
//! waits by itself: see [`Decided`].

mod admission;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use admission::Reservation;

use crate::call::Call;
use crate::clock::{Clock, Timestamp};
use crate::entropy;
use crate::metrics::Metrics;
use crate::named::Named as _;
use crate::sms::DeliveryReport;
use crate::sms::message::{Templates, Text};
use crate::sms::outbox::{Item, Outbox};
use crate::store::{Decided, Store};
use crate::subscriber::challenge::{Delivery, Locale, State};
use crate::subscriber::challenge_id::{ChallengeId, Salt, SmsReference};
use crate::subscriber::code::{Code, CodeLength, KeyChanged, KeyId, Keyring};
use crate::subscriber::id::SubscriberId;
use crate::subscriber::idempotency::{Idempotency, Outcome};
use crate::subscriber::policy::Policy;
use crate::subscriber::transaction::{Digest, Subject};
use crate::subscriber::verdict::Verdict;
use crate::subscriber::{
    Cancel, Cancelled, Decision, Draw, Generate, GenerateRefused, Issued, Presented, Resend, ResendRefused,
    Resent, Subscriber, Verify,
};

/// The most delivery reports processed before other tasks of the thread run.
const REPORTS_AT_ONCE: usize = 256;

/// The client of a call and its idempotency key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller<'a> {
    pub(crate) client: &'a str,
    /// The idempotency key, 1 to 64 printable characters.
    pub(crate) idempotency_key: Option<&'a str>,
}

/// A challenge, with the transaction that the caller says it confirms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) subscriber: &'a SubscriberId,
    pub(crate) challenge: ChallengeId,
    pub(crate) subject: &'a Subject,
}

/// What a challenge is looked up by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    Id(ChallengeId),
    /// The newest whose SMS had it.
    Reference(SmsReference),
}

/// A challenge as its caller may see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChallengeView {
    pub(crate) id: ChallengeId,
    pub(crate) state: State,
    /// Of its newest SMS.
    pub(crate) delivery: Delivery,
    /// How many SMS were queued for it.
    pub(crate) sends: u8,
    /// Meaningful while it is open.
    pub(crate) attempts_left: u8,
    /// The first instant at which it can no longer be answered.
    pub(crate) expires_at: Timestamp,
}

/// The gateway's use cases over one store. Share it in an `Arc`.
#[derive(Debug)]
pub(crate) struct Gateway {
    store: Store,
    policy: ArcSwap<Policy>,
    templates: Templates,
    outbox: Outbox,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl Gateway {
    pub(crate) fn new(
        store: Store,
        policy: Policy,
        templates: Templates,
        outbox: Outbox,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { store, policy: ArcSwap::from_pointee(policy), templates, outbox, clock, metrics }
    }

    /// The store, for loading subscribers and for scrapes.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Issues from now on under the first key of `keys`; open challenges are answered under the key
    /// that they were issued under, as long as `keys` holds it. Returns those that it does not hold any more.
    ///
    /// # Errors
    ///
    /// [`KeyChanged`] if one has other bytes than before; then all stay as they were.
    pub(crate) fn replace_keys(&self, keys: &Keyring) -> Result<Vec<KeyId>, KeyChanged> {
        let before = self.policy.load_full();
        let keys = before.keys.replaced_by(keys)?;
        self.policy.rcu(|policy| policy.with_keys(keys.clone()));
        Ok(before.keys.ids().filter(|id| keys.find(*id).is_none()).collect())
    }

    /// Issues a challenge and queues its SMS.
    pub(crate) fn generate(
        &self,
        caller: Caller<'_>,
        subscriber: &SubscriberId,
        subject: &Subject,
        locale: Option<Locale>,
    ) -> Decided<Outcome<Result<Issued, GenerateRefused>>> {
        let (now, digest) = (self.clock.now(), subject.digest());
        let locale = locale.unwrap_or_else(|| self.templates.locale());
        let reservation = Reservation::take(&self.store, &self.outbox, subscriber);
        let extra = Some(locale.name().as_bytes());
        let command = Generate {
            subject,
            digest,
            locale,
            draw: draw(now),
            admission: reservation.admission(),
            idempotency: caller.idempotency(Call::Generate, subscriber, None, &digest, extra),
        };
        let policy = self.policy.load();
        let decided = self.store.decide(subscriber, |held| command.decide(held, &policy, now));
        decided.then(|outcome| {
            self.count_replay(outcome);
            match outcome {
                Outcome::Fresh(Ok(issued)) => {
                    let (expires_at, length) = (issued.expires_at, issued.code_length);
                    reservation.commit(Item {
                        subscriber: *subscriber,
                        challenge: issued.challenge,
                        ordinal: 0,
                        phone: issued.phone,
                        text: self.text(locale, subject, issued.challenge, expires_at, length),
                        expires_at,
                    });
                    self.metrics.api.challenges_issued.inc();
                }
                Outcome::Fresh(Err(refused)) => self.metrics.not_issued(*refused),
                Outcome::Replayed(_) | Outcome::KeyReused => {}
            }
        })
    }

    /// Compares an answer to a challenge: approved at most once.
    pub(crate) fn verify(
        &self,
        caller: Caller<'_>,
        claim: Claim<'_>,
        code: &Code,
    ) -> Decided<Outcome<Verdict>> {
        let now = self.clock.now();
        let presented = claim.presented(caller, Call::Verify, Some(code.expose()));
        let command = Verify { subscriber: claim.subscriber, presented, code };
        let (policy, lock) = (self.policy.load(), Cell::new(None));
        let decided = self.store.decide(claim.subscriber, |held| {
            let decision = command.decide(held, &policy, now);
            lock.set(decision.begins_lock());
            decision
        });
        decided.then(|outcome| {
            self.count_replay(outcome);
            if let Outcome::Fresh(verdict) = outcome {
                self.metrics.verdict(verdict.kind());
                lock.get().into_iter().for_each(|lock| self.metrics.locked(lock));
                self.note_unknown(*verdict == Verdict::UnknownChallenge);
            }
        })
    }

    /// Queues the SMS of an open challenge again, with the same code and expiry.
    pub(crate) fn resend(
        &self,
        caller: Caller<'_>,
        claim: Claim<'_>,
    ) -> Decided<Outcome<Result<Resent, ResendRefused>>> {
        let now = self.clock.now();
        let reservation = Reservation::take(&self.store, &self.outbox, claim.subscriber);
        let presented = claim.presented(caller, Call::Resend, None);
        let command = Resend { presented, admission: reservation.admission() };
        let policy = self.policy.load();
        let decided = self.store.decide(claim.subscriber, |held| command.decide(held, &policy, now));
        decided.then(|outcome| {
            self.count_replay(outcome);
            match outcome {
                Outcome::Fresh(Ok(resent)) => {
                    let (expires_at, length) = (resent.expires_at, resent.code_length);
                    reservation.commit(Item {
                        subscriber: *claim.subscriber,
                        challenge: resent.challenge,
                        ordinal: resent.ordinal,
                        phone: resent.phone,
                        text: self.text(resent.locale, claim.subject, resent.challenge, expires_at, length),
                        expires_at,
                    });
                    self.metrics.api.resends.inc();
                }
                Outcome::Fresh(Err(ResendRefused::Ended(verdict))) => {
                    self.note_unknown(*verdict == Verdict::UnknownChallenge);
                }
                Outcome::Fresh(Err(_)) | Outcome::Replayed(_) | Outcome::KeyReused => {}
            }
        })
    }

    /// Ends an open challenge.
    pub(crate) fn cancel(
        &self,
        caller: Caller<'_>,
        claim: Claim<'_>,
    ) -> Decided<Outcome<Result<Cancelled, Verdict>>> {
        let now = self.clock.now();
        let command = Cancel { presented: claim.presented(caller, Call::Cancel, None) };
        let policy = self.policy.load();
        let decided = self.store.decide(claim.subscriber, |held| command.decide(held, &policy, now));
        decided.then(|outcome| {
            self.count_replay(outcome);
            self.note_unknown(*outcome == Outcome::Fresh(Err(Verdict::UnknownChallenge)));
        })
    }

    /// A challenge that is open or ended at most ten minutes ago.
    // A decision without events rather than a read, so that its reply, too, waits until what it reports is
    // durable.
    pub(crate) fn challenge(
        &self,
        subscriber: &SubscriberId,
        which: Which,
    ) -> Decided<Option<ChallengeView>> {
        let (now, policy) = (self.clock.now(), self.policy.load());
        let view = |subscriber: &Subscriber| {
            let challenge = match which {
                Which::Id(id) => subscriber.challenge(id, now),
                Which::Reference(reference) => subscriber.challenge_with(reference, now),
            };
            challenge.map(|challenge| ChallengeView {
                id: challenge.id,
                state: subscriber.state(challenge, &policy, now),
                delivery: challenge.delivery(now),
                sends: challenge.sends(),
                attempts_left: challenge.attempts_left(),
                expires_at: challenge.expires_at(),
            })
        };
        self.store.decide(subscriber, |held| Decision::unchanged(held.and_then(view)))
    }

    /// Ends all open challenges, since they may be older than the clock says; returns how many. Locks stay.
    pub(crate) async fn expire_open(self: &Arc<Self>) -> usize {
        let gateway = Arc::clone(self);
        let expire = move || {
            let (now, mut expired) = (gateway.clock.now(), 0);
            let decided = gateway.store.decide_on_all(|held| held.expire_open(now), |count| expired += count);
            decided.without_waiting();
            expired
        };
        // With millions of subscribers it takes a good part of a second, in which other tasks run.
        tokio::task::spawn_blocking(expire).await.unwrap_or(0)
    }

    /// The code for an SMS that is about to be written, and the time left until it expires. `None` if the SMS
    /// must not be sent: the challenge has ended, or a newer send replaces this one.
    pub(crate) fn release(&self, item: &Item) -> Option<(Code, Duration)> {
        let (now, policy) = (self.clock.now(), self.policy.load());
        let release = |subscriber: &Subscriber| {
            subscriber.release(&item.subscriber, item.challenge, item.ordinal, &policy, now)
        };
        self.store.read(&item.subscriber, release).flatten()
    }

    /// Applies reports from the links until the channel closes. A report does not wait to be durable: losing
    /// one loses the delivery state of one SMS, and no reply depends on it.
    pub(crate) async fn take_reports(&self, mut reports: mpsc::Receiver<DeliveryReport>) {
        let mut batch = Vec::with_capacity(REPORTS_AT_ONCE);
        while reports.recv_many(&mut batch, REPORTS_AT_ONCE).await > 0 {
            for DeliveryReport { subscriber, challenge, ordinal, delivery } in batch.drain(..) {
                let report = |held: &Subscriber| held.report(challenge, ordinal, delivery);
                let decide =
                    |held: Option<&Subscriber>| held.map_or_else(|| Decision::unchanged(false), report);
                self.store.decide(&subscriber, decide).without_waiting();
            }
        }
    }

    fn text(
        &self,
        locale: Locale,
        subject: &Subject,
        challenge: ChallengeId,
        expires_at: Timestamp,
        code_length: CodeLength,
    ) -> Text {
        self.templates.render(locale, subject, challenge.sms_reference(), expires_at, code_length)
    }

    fn count_replay<T>(&self, outcome: &Outcome<T>) {
        if let Outcome::Replayed(_) = outcome {
            self.metrics.api.replays.inc();
        }
    }

    fn note_unknown(&self, unknown: bool) {
        if unknown {
            self.metrics.api.unknown_presented.inc();
        }
    }
}

impl Claim<'_> {
    fn presented(&self, caller: Caller<'_>, call: Call, code: Option<&[u8]>) -> Presented {
        let digest = self.subject.digest();
        Presented {
            challenge: self.challenge,
            digest,
            idempotency: caller.idempotency(call, self.subscriber, Some(self.challenge), &digest, code),
        }
    }
}

impl Caller<'_> {
    /// The idempotency key of `call` over the canonical request: `extra` is the code of a verify or
    /// the locale of a generate.
    fn idempotency(
        &self,
        call: Call,
        subscriber: &SubscriberId,
        challenge: Option<ChallengeId>,
        digest: &Digest,
        extra: Option<&[u8]>,
    ) -> Option<Idempotency> {
        let key = self.idempotency_key?;
        let request = [
            Some(subscriber.corporate.as_bytes()),
            Some(subscriber.user.as_bytes()),
            challenge.as_ref().map(|challenge| challenge.0.as_slice()),
            Some(digest.0.as_slice()),
            extra,
        ];
        Some(Idempotency::new(self.client, call.name(), key, &request))
    }
}

fn draw(now: Timestamp) -> Draw {
    let mut bytes = [[0; 16]; 4];
    entropy::fill(bytes.as_flattened_mut(), now);
    let [first, second, third, salt] = bytes;
    Draw { ids: [first, second, third].map(ChallengeId), salt: Salt(salt) }
}

#[cfg(test)]
mod tests;
