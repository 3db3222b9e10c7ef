//! From a decision to the handset: texts, the queue, the links to the SMSCs, and what they report.
//!
//! ```text
//! gateway ─► outbox::Place ─► outbox ─► router ─► link ⇄ SMSC
//!    ▲                                             │
//!    └─────────────── DeliveryReport ◄─────────────┘
//! ```

pub mod link;
pub mod links;
pub mod message;
pub mod outbox;
mod receipts;
pub mod route;
mod router;

use std::borrow::Cow;
use std::fmt;

use tokio::sync::mpsc;

pub use receipts::MessageIdForm;

use crate::subscriber::challenge::{ChallengeId, Delivery};
use crate::subscriber::id::SubscriberId;

/// What became of one send of a challenge's SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryReport {
    pub(crate) subscriber: SubscriberId,
    pub(crate) challenge: ChallengeId,
    /// Which send of the challenge, from 0.
    pub(crate) ordinal: u8,
    pub(crate) delivery: Delivery,
}

/// A setting of `[[smsc]]` or `[[route]]` that cannot be used. It quotes no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misconfigured {
    setting: String,
    expected: Cow<'static, str>,
}

impl Misconfigured {
    fn new(setting: impl Into<String>, expected: impl Into<Cow<'static, str>>) -> Self {
        Self { setting: setting.into(), expected: expected.into() }
    }

    /// The same with the setting's section before it.
    fn within(self, section: &str) -> Self {
        Self { setting: format!("{section}.{}", self.setting), ..self }
    }
}

/// `smsc[0].window: must be 1 to 10000`.
impl fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: must be {}", self.setting, self.expected)
    }
}

impl std::error::Error for Misconfigured {}

/// The reports that may wait for the gateway. Each submit in flight holds a place, so it is more than the
/// largest window; beyond, submits wait and the SMSC is asked to send its receipts again.
const REPORTS_MAX: usize = 16_384;

/// The channel that takes reports from the link to the gateway.
pub(crate) fn reports() -> (mpsc::Sender<DeliveryReport>, mpsc::Receiver<DeliveryReport>) {
    mpsc::channel(REPORTS_MAX)
}
