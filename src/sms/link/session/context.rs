//! What a session is lent by its link.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use smpp::pdu::{CommandId, SequenceNumber};
use tokio::sync::mpsc;

use crate::clock::Timestamp;
use crate::metrics::{SmsMetrics, SmscMetrics};
use crate::sms::DeliveryReport;
use crate::sms::link::settings::Settings;
use crate::sms::outbox::Item;
use crate::sms::receipts::{Receipts, Sent};
use crate::sms::router::Lane;
use crate::subscriber::challenge::Delivery;
use crate::subscriber::code::Code;

/// Which way messages go on a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sms) enum Role {
    Transceiver,
    Transmitter,
    Receiver,
}

pub(in crate::sms::link) struct Context<'a> {
    pub(in crate::sms::link) settings: &'a Settings,
    pub(in crate::sms::link) password: &'a str,
    pub(in crate::sms::link) role: Role,
    /// Where the items come from.
    pub(in crate::sms::link) lane: &'a Lane,
    /// The receipts that all sessions with this SMSC wait for.
    pub(in crate::sms::link) receipts: &'a RefCell<Receipts>,
    /// The next `user_message_reference` of this SMSC.
    pub(in crate::sms::link) next_reference: &'a Cell<u16>,
    /// The code and how long it still lives; `None` once it must not be sent.
    pub(in crate::sms::link) release: &'a dyn Fn(&Item) -> Option<(Code, Duration)>,
    pub(in crate::sms::link) reports: &'a mpsc::Sender<DeliveryReport>,
    pub(in crate::sms::link) metrics: &'a SmsMetrics,
    /// Those of this SMSC.
    pub(in crate::sms::link) smsc: &'a SmscMetrics,
}

impl Context<'_> {
    /// A `user_message_reference` for the next submit, if the SMSC repeats them in receipts.
    pub(super) fn take_reference(&self) -> Option<u16> {
        let reference = self.next_reference;
        self.settings.user_message_reference.then(|| reference.replace(reference.get().wrapping_add(1)))
    }

    /// Waits for a receipt that settles a send in doubt. It may have come before.
    pub(super) fn expect_receipt(&self, sent: Sent, reference: Option<u16>, now: Timestamp) {
        let Some(reference) = reference else { return };
        let delivery =
            self.receipts.borrow_mut().expect_by_reference(reference, sent, Delivery::Unknown, now);
        if delivery != Delivery::Unknown {
            self.smsc.reported(delivery);
            self.report_late(sent, delivery, "early receipt not reported: too many reports wait");
        }
    }

    /// Reports what has become of a send that was in doubt. The place that was reserved for its report is used
    /// up; without a free one it stays in doubt, `otherwise` is logged, and a receipt may settle it.
    pub(super) fn report_late(&self, sent: Sent, delivery: Delivery, otherwise: &'static str) {
        if self.reports.try_send(sent.report(delivery)).is_err() {
            tracing::warn!(challenge = %sent.challenge, "{otherwise}");
        }
    }

    /// A response came to no request of ours.
    pub(super) fn stray(&self, command: CommandId, sequence: SequenceNumber) {
        self.metrics.anomalies.inc();
        tracing::debug!(%command, %sequence, "stray response");
    }
}
