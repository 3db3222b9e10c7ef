//! From a decision to the handset: texts, the queue, the link to the SMSC, and what it reports.
//!
//! ```text
//! gateway ─► outbox::Place ─► outbox ─► link ⇄ SMSC
//!    ▲                                   │
//!    └────────── DeliveryReport ◄────────┘
//! ```

pub mod link;
pub mod message;
pub mod outbox;
mod receipts;

use tokio::sync::mpsc;

pub use receipts::MessageIdForm;

use crate::subscriber::challenge::{ChallengeId, Delivery};
use crate::subscriber::id::SubscriberId;

/// News of one send of a challenge's SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryReport {
    /// Whose challenge.
    pub subscriber: SubscriberId,
    /// Which challenge.
    pub challenge: ChallengeId,
    /// Which send of the challenge, from 0.
    pub ordinal: u8,
    /// What became of it.
    pub delivery: Delivery,
}

/// The reports that may wait for the gateway. Each submit in flight holds a place, so it is more than the
/// largest window; beyond, submits wait and the SMSC is asked to send its receipts again.
pub const REPORTS_MAX: usize = 16_384;

/// The channel that takes reports from the link to the gateway.
pub fn reports() -> (mpsc::Sender<DeliveryReport>, mpsc::Receiver<DeliveryReport>) {
    mpsc::channel(REPORTS_MAX)
}
