//! The subscribers, transactions and limits of the benches: the default settings, ids and texts of ordinary
//! length.

use otp_gateway::clock::Timestamp;
use otp_gateway::config::{Challenge, Codes, Lockout, policy_of};
use otp_gateway::keys;
use otp_gateway::msisdn::{Msisdn, NumberingPlan};
use otp_gateway::subscriber::admission::Admission;
use otp_gateway::subscriber::challenge::Locale;
use otp_gateway::subscriber::challenge_id::{ChallengeId, Salt};
use otp_gateway::subscriber::code::Code;
use otp_gateway::subscriber::id::{Id, SubscriberId};
use otp_gateway::subscriber::policy::Policy;
use otp_gateway::subscriber::transaction::{Digest, Subject, Transaction};
use otp_gateway::subscriber::{Authenticator, Draw, Generate, Presented, Subscriber};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng as _;

/// 2026-11-22T09:15:00Z.
pub(crate) const START: Timestamp = Timestamp::from_unix_millis(1_795_338_900_000);

/// `sends_per_day` is the highest that a bank may set: the store's bench issues more often to one subscriber
/// than a person would ask for.
pub(crate) fn policy() -> Policy {
    let keys = keys::parse(&format!("1 {}", "5a".repeat(32))).expect("a key file");
    let challenge = Challenge { sends_per_day: 100, ..Default::default() };
    policy_of(Codes::default(), challenge, &Lockout::default(), keys)
}

pub(crate) fn subscriber_id(number: usize) -> SubscriberId {
    let id = |text: String| Id::parse(&text).expect("an id");
    SubscriberId { corporate: id(format!("ACME{:04}", number % 5_000)), user: id(format!("USER{number:07}")) }
}

pub(crate) fn subscriber() -> Subscriber {
    Subscriber::new(phone(), Authenticator::SmsOtp)
}

pub(crate) fn phone() -> Msisdn {
    let plan = NumberingPlan::new("62", "0").expect("a numbering plan");
    plan.parse("+6281234567845").expect("a phone number")
}

pub(crate) fn payment() -> Subject {
    let transaction =
        Transaction::new("TRX-000123", "1250000000", "IDR", "1234567890", "PT Sinar Contoh Abadi");
    Subject::Payment(transaction.expect("a transaction"))
}

pub(crate) fn draw(random: &mut ChaCha20Rng) -> Draw {
    let mut bytes = || {
        let mut bytes = [0; 16];
        random.fill_bytes(&mut bytes);
        bytes
    };
    Draw { ids: [(); 3].map(|()| ChallengeId(bytes())), salt: Salt(bytes()) }
}

pub(crate) fn generate(subject: &Subject, digest: Digest, draw: Draw) -> Generate<'_> {
    Generate {
        subject,
        digest,
        locale: Locale::Id,
        draw,
        admission: Admission { phone: Some(phone()), place: Ok(()), memory: Ok(()) },
        idempotency: None,
    }
}

pub(crate) fn presented(challenge: ChallengeId, digest: Digest) -> Presented {
    Presented { challenge, digest, idempotency: None }
}

/// The code as its SMS would carry it.
pub(crate) fn code(
    subscriber: &Subscriber,
    id: &SubscriberId,
    challenge: ChallengeId,
    policy: &Policy,
    now: Timestamp,
) -> Code {
    subscriber.release(id, challenge, 0, policy, now).expect("an open challenge, sent once").0
}
