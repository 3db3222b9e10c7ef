//! From a decision to the handset: texts, the queue, the links to the SMSCs, and what they report.
//!
//! ```text
//! gateway ─► outbox::Place ─► outbox ─► router ─► link ⇄ SMSC
//!    ▲                                             │
//!    └─────────────── DeliveryReport ◄─────────────┘
//! ```

mod destination;
pub(crate) mod link;
pub(crate) mod links;
pub(crate) mod message;
pub(crate) mod outbox;
mod pace;
mod receipts;
mod route;
mod router;

use tokio::sync::mpsc;

use receipts::MessageIdForm;

use crate::subscriber::challenge::Delivery;
use crate::subscriber::challenge_id::ChallengeId;
use crate::subscriber::id::SubscriberId;

/// What became of one send of a challenge's SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeliveryReport {
    pub(crate) subscriber: SubscriberId,
    pub(crate) challenge: ChallengeId,
    /// Which send of the challenge, from 0.
    pub(crate) ordinal: u8,
    pub(crate) delivery: Delivery,
}

/// The reports that may wait for the gateway. Each submit in flight holds a place, so it is more than the
/// largest window; beyond, submits wait and the SMSC is asked to send its receipts again.
const REPORTS_MAX: usize = 16_384;

/// The channel that takes reports from the link to the gateway.
pub(crate) fn reports() -> (mpsc::Sender<DeliveryReport>, mpsc::Receiver<DeliveryReport>) {
    mpsc::channel(REPORTS_MAX)
}
