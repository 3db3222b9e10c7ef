//! The use cases: generate, verify, resend, cancel, and what the ESME link asks and tells.
//!
//! Each takes one decision on one subscriber and puts into effect what it came to.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use crate::clock::{Clock, Timestamp};
use crate::entropy;
use crate::metrics::Metrics;
use crate::sms::DeliveryReport;
use crate::sms::message::{Templates, Text};
use crate::sms::outbox::{CannotSend, Item, Outbox};
use crate::store::Store;
use crate::subscriber::challenge::{ChallengeId, Delivery, Locale, Salt, State};
use crate::subscriber::code::{Code, CodeLength, Keyring};
use crate::subscriber::id::SubscriberId;
use crate::subscriber::idempotency::{Idempotency, Outcome};
use crate::subscriber::policy::Policy;
use crate::subscriber::transaction::{Digest, Subject};
use crate::subscriber::verdict::Verdict;
use crate::subscriber::{
    Cancelled, Draw, Generate, GenerateRefused, Issued, Presented, Resend, ResendRefused, Resent, Subscriber,
    Verify,
};

/// How many delivery reports are taken in before other tasks of the thread get their turn.
const REPORTS_AT_ONCE: usize = 256;

/// Who calls, and under which idempotency key.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The client's name.
    pub client: &'a str,
    /// The idempotency key, 1 to 64 printable characters.
    pub idempotency_key: Option<&'a str>,
}

/// A challenge and what it is said to confirm.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Whose challenge.
    pub subscriber: &'a SubscriberId,
    /// Which challenge.
    pub challenge: ChallengeId,
    /// What it is to confirm.
    pub subject: &'a Subject,
}

/// An answer, and whether it was given before to the same call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<T> {
    /// The answer.
    pub outcome: T,
    /// Whether it is a replay.
    pub replayed: bool,
}

/// The caller used the idempotency key for another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyReused;

/// Why no challenge was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotIssued {
    /// Nobody is enrolled under this id.
    UnknownSubscriber,
    /// No SMS can be taken in now, or no further challenge be held: nothing was decided.
    Unavailable(Unavailable),
    /// The decision was no.
    Refused(GenerateRefused),
}

/// Why a code was not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotResent {
    /// No SMS can be taken in now: nothing was decided.
    Unavailable(Unavailable),
    /// The decision was no.
    Refused(ResendRefused),
}

/// What is full or missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// The outbox, or the link behind it.
    Sms(CannotSend),
    /// The memory for challenges.
    Store,
}

/// A challenge as its caller may see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChallengeView {
    /// Where it stands.
    pub state: State,
    /// What became of its newest SMS.
    pub delivery: Delivery,
    /// How often its SMS was given out to be sent.
    pub sends: u8,
    /// The attempts that are left while it is open.
    pub attempts_left: u8,
    /// The first instant at which it can no longer be answered.
    pub expires_at: Timestamp,
}

/// The gateway's use cases over one store. Share it in an `Arc`.
#[derive(Debug)]
pub struct Gateway {
    store: Store,
    policy: ArcSwap<Policy>,
    templates: Templates,
    outbox: Outbox,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl Gateway {
    /// Puts the parts together.
    pub fn new(
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
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Issues from now on under the first key of `keys`; open challenges are answered under the key
    /// that they were issued under, as long as `keys` holds it.
    pub fn replace_keys(&self, keys: &Keyring) {
        self.policy.rcu(|policy| policy.with_keys(keys.clone()));
    }

    /// Issues a challenge and queues its SMS.
    ///
    /// # Errors
    ///
    /// [`KeyReused`].
    pub async fn generate(
        &self,
        caller: Caller<'_>,
        subscriber: &SubscriberId,
        subject: &Subject,
        locale: Option<Locale>,
    ) -> Result<Reply<Result<Issued, NotIssued>>, KeyReused> {
        let (now, digest) = (self.clock.now(), subject.digest());
        let locale = locale.unwrap_or_else(|| self.templates.locale());
        let Some(phone) = self.store.read(subscriber, Subscriber::phone) else {
            return Ok(Reply { outcome: Err(NotIssued::UnknownSubscriber), replayed: false });
        };
        let place = self.outbox.reserve(phone);
        let unavailable = place.as_ref().err().map(|cannot_send| Unavailable::Sms(*cannot_send));
        let command = Generate {
            subject,
            digest,
            locale,
            draw: draw(now),
            can_send: unavailable.is_none(),
            store_full: self.store.is_full(),
            idempotency: caller.idempotency("generate", subscriber, None, &digest, Some(locale_tag(locale))),
        };
        let policy = self.policy.load();
        let decided = self.store.decide(subscriber, |s| s.generate(&command, &policy, now)).await;
        let Some(outcome) = decided else {
            return Ok(Reply { outcome: Err(NotIssued::UnknownSubscriber), replayed: false });
        };
        if let (Outcome::Fresh(Ok(issued)), Ok(place)) = (&outcome, place) {
            let text = self.text(locale, subject, issued.challenge, issued.expires_at, issued.code_length);
            place.put(Item {
                subscriber: *subscriber,
                challenge: issued.challenge,
                ordinal: 0,
                phone: issued.phone,
                text,
                expires_at: issued.expires_at,
            });
            self.metrics.challenges_issued.inc();
        }
        let reply = self.reply(outcome)?;
        Ok(reply.map(|issued| issued.map_err(|refused| not_issued(refused, unavailable))))
    }

    /// Compares an answer to a challenge: approved at most once.
    ///
    /// # Errors
    ///
    /// [`KeyReused`].
    pub async fn verify(
        &self,
        caller: Caller<'_>,
        claim: Claim<'_>,
        code: &Code,
    ) -> Result<Reply<Verdict>, KeyReused> {
        let now = self.clock.now();
        let presented = claim.presented(caller, "verify", Some(code.expose()));
        let command = Verify { subscriber: claim.subscriber, presented, code };
        let policy = self.policy.load();
        let decided = self.store.decide(claim.subscriber, |s| s.verify(&command, &policy, now)).await;
        let reply = self.reply(decided.unwrap_or(Outcome::Fresh(Verdict::UnknownChallenge)))?;
        self.note_unknown(reply.outcome == Verdict::UnknownChallenge);
        Ok(reply)
    }

    /// Queues the SMS of an open challenge once more: the same code, the same expiry.
    ///
    /// # Errors
    ///
    /// [`KeyReused`].
    pub async fn resend(
        &self,
        caller: Caller<'_>,
        claim: Claim<'_>,
    ) -> Result<Reply<Result<Resent, NotResent>>, KeyReused> {
        let now = self.clock.now();
        let Some(phone) = self.store.read(claim.subscriber, Subscriber::phone) else {
            self.note_unknown(true);
            let unknown = NotResent::Refused(ResendRefused::Ended(Verdict::UnknownChallenge));
            return Ok(Reply { outcome: Err(unknown), replayed: false });
        };
        let place = self.outbox.reserve(phone);
        let unavailable = place.as_ref().err().map(|cannot_send| Unavailable::Sms(*cannot_send));
        let command =
            Resend { presented: claim.presented(caller, "resend", None), can_send: unavailable.is_none() };
        let policy = self.policy.load();
        let decided = self.store.decide(claim.subscriber, |s| s.resend(&command, &policy, now)).await;
        let unknown = Outcome::Fresh(Err(ResendRefused::Ended(Verdict::UnknownChallenge)));
        let outcome = decided.unwrap_or(unknown);
        if let (Outcome::Fresh(Ok(resent)), Ok(place)) = (&outcome, place) {
            let (expires_at, length) = (resent.expires_at, resent.code_length);
            place.put(Item {
                subscriber: *claim.subscriber,
                challenge: resent.challenge,
                ordinal: resent.ordinal,
                phone: resent.phone,
                text: self.text(resent.locale, claim.subject, resent.challenge, expires_at, length),
                expires_at,
            });
        }
        let reply = self.reply(outcome)?;
        self.note_unknown(reply.outcome == Err(ResendRefused::Ended(Verdict::UnknownChallenge)));
        Ok(reply.map(|resent| resent.map_err(|refused| not_resent(refused, unavailable))))
    }

    /// Ends an open challenge.
    ///
    /// # Errors
    ///
    /// [`KeyReused`].
    pub async fn cancel(
        &self,
        caller: Caller<'_>,
        claim: Claim<'_>,
    ) -> Result<Reply<Result<Cancelled, Verdict>>, KeyReused> {
        let now = self.clock.now();
        let command = claim.presented(caller, "cancel", None);
        let policy = self.policy.load();
        let decided = self.store.decide(claim.subscriber, |s| s.cancel(&command, &policy, now)).await;
        let reply = self.reply(decided.unwrap_or(Outcome::Fresh(Err(Verdict::UnknownChallenge))))?;
        self.note_unknown(reply.outcome == Err(Verdict::UnknownChallenge));
        Ok(reply)
    }

    /// A challenge that is open or ended at most ten minutes ago.
    pub fn challenge(&self, subscriber: &SubscriberId, challenge: ChallengeId) -> Option<ChallengeView> {
        let now = self.clock.now();
        let found = self.store.read(subscriber, |subscriber| {
            subscriber.challenge(challenge, now).map(|challenge| ChallengeView {
                state: challenge.state(now),
                delivery: challenge.delivery(now),
                sends: challenge.sends(),
                attempts_left: challenge.attempts_left(),
                expires_at: challenge.expires_at(),
            })
        });
        found.flatten()
    }

    /// The code for an SMS that is about to be written, and what is left of its time. `None` if it
    /// must not be sent any more: the challenge ended, or a newer send took its place.
    pub fn release(&self, item: &Item) -> Option<(Code, Duration)> {
        let (now, policy) = (self.clock.now(), self.policy.load());
        let release = |subscriber: &Subscriber| {
            subscriber.release(&item.subscriber, item.challenge, item.ordinal, &policy, now)
        };
        self.store.read(&item.subscriber, release).flatten()
    }

    /// Takes in reports from the link until it hangs up.
    pub async fn take_reports(&self, mut reports: mpsc::Receiver<DeliveryReport>) {
        let mut batch = Vec::with_capacity(REPORTS_AT_ONCE);
        while reports.recv_many(&mut batch, REPORTS_AT_ONCE).await > 0 {
            for report in batch.drain(..) {
                self.store
                    .decide(&report.subscriber, |s| {
                        s.report(report.challenge, report.ordinal, report.delivery)
                    })
                    .await;
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

    fn reply<T>(&self, outcome: Outcome<T>) -> Result<Reply<T>, KeyReused> {
        match outcome {
            Outcome::Fresh(outcome) => Ok(Reply { outcome, replayed: false }),
            Outcome::Replayed(outcome) => {
                self.metrics.replays.inc();
                Ok(Reply { outcome, replayed: true })
            }
            Outcome::KeyReused => Err(KeyReused),
        }
    }

    fn note_unknown(&self, unknown: bool) {
        if unknown {
            self.metrics.unknown_presented.inc();
        }
    }
}

fn not_issued(refused: GenerateRefused, unavailable: Option<Unavailable>) -> NotIssued {
    match (refused, unavailable) {
        (GenerateRefused::CannotSend, Some(unavailable)) => NotIssued::Unavailable(unavailable),
        (GenerateRefused::StoreFull, _) => NotIssued::Unavailable(Unavailable::Store),
        _ => NotIssued::Refused(refused),
    }
}

fn not_resent(refused: ResendRefused, unavailable: Option<Unavailable>) -> NotResent {
    match (refused, unavailable) {
        (ResendRefused::CannotSend, Some(unavailable)) => NotResent::Unavailable(unavailable),
        _ => NotResent::Refused(refused),
    }
}

impl<T> Reply<T> {
    fn map<U>(self, map: impl FnOnce(T) -> U) -> Reply<U> {
        Reply { outcome: map(self.outcome), replayed: self.replayed }
    }
}

impl Claim<'_> {
    fn presented(&self, caller: Caller<'_>, call: &str, code: Option<&[u8]>) -> Presented {
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
        call: &str,
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
        Some(Idempotency::new(self.client, call, key, &request))
    }
}

fn locale_tag(locale: Locale) -> &'static [u8] {
    match locale {
        Locale::Id => b"id",
        Locale::En => b"en",
    }
}

fn draw(now: Timestamp) -> Draw {
    let mut bytes = [[0; 16]; 4];
    entropy::fill(bytes.as_flattened_mut(), now);
    let [first, second, third, salt] = bytes;
    Draw { ids: [first, second, third].map(ChallengeId), salt: Salt(salt) }
}
