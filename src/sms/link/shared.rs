//! What links share.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::backoff;
use super::settings::Settings;
use super::tls::Connector;
use crate::clock::Clock;
use crate::metrics::{Metrics, SmscMetrics};
use crate::sms::DeliveryReport;
use crate::sms::receipts::Receipts;

/// What all links share.
pub(in crate::sms) struct Common<R> {
    /// The code and how long it still lives; `None` once it must not be sent.
    pub(in crate::sms) release: R,
    pub(in crate::sms) reports: mpsc::Sender<DeliveryReport>,
    pub(in crate::sms) clock: Clock,
    pub(in crate::sms) metrics: Arc<Metrics>,
}

/// What the links of one SMSC share.
pub(in crate::sms) struct Smsc {
    pub(in crate::sms) settings: Settings,
    pub(super) password: Zeroizing<String>,
    pub(super) connector: Option<Connector>,
    pub(super) receipts: RefCell<Receipts>,
    /// The next `user_message_reference`.
    pub(super) next_reference: Cell<u16>,
    pub(in crate::sms) metrics: SmscMetrics,
}

impl Smsc {
    /// With a `connector`, links speak TLS.
    pub(in crate::sms) fn new(
        settings: Settings,
        password: Zeroizing<String>,
        connector: Option<Connector>,
        metrics: SmscMetrics,
    ) -> Self {
        let receipts = Receipts::new(settings.message_ids, settings.receipts_max, settings.receipts_age_max);
        // A receipt of a message before the last restart is not to be taken for one after.
        let next_reference = Cell::new((backoff::draw() & u64::from(u16::MAX)) as u16);
        Self { settings, password, connector, receipts: RefCell::new(receipts), next_reference, metrics }
    }
}
