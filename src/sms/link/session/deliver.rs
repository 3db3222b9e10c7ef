//! A message that the SMSC delivers: a receipt, or what someone wrote to us.

use smpp::pdu::{Body, DataSm, DataSmResp, DeliverSm, DeliverSmResp, EsmClass, Pdu, SequenceNumber};
use smpp::receipt::Receipt;
use smpp::status::CommandStatus;
use smpp::tlv::{Tag, Tlvs};

use super::context::Context;
use crate::clock::Timestamp;
use crate::metrics::ReceiptOutcome;
use crate::sms::DeliveryReport;
use crate::sms::link::settings::ReceiptHandset;
use crate::sms::receipts::{Handset, Incoming};

/// A deliver_sm or a data_sm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deliver<'a> {
    sequence: SequenceNumber,
    /// What it is answered with.
    response: Body<'static>,
    esm_class: EsmClass,
    receipt: Option<Receipt<'a>>,
    /// The digits of its source and of its destination.
    addresses: [&'a [u8]; 2],
    tlvs: Tlvs<'a>,
}

impl<'a> Deliver<'a> {
    pub(super) fn of_deliver_sm(sequence: SequenceNumber, message: &DeliverSm<'a>) -> Self {
        Self {
            sequence,
            response: Body::DeliverSmResp(DeliverSmResp { message_id: b"" }),
            esm_class: message.esm_class,
            receipt: Receipt::parse(message),
            addresses: [message.source.digits, message.destination.digits],
            tlvs: message.tlvs,
        }
    }

    pub(super) fn of_data_sm(sequence: SequenceNumber, message: &DataSm<'a>) -> Self {
        Self {
            sequence,
            response: Body::DataSmResp(DataSmResp::default()),
            esm_class: message.esm_class,
            receipt: Receipt::parse_data_sm(message),
            addresses: [message.source.digits, message.destination.digits],
            tlvs: message.tlvs,
        }
    }

    /// The response to it.
    pub(super) fn response(&self, status: CommandStatus) -> Pdu<'static> {
        Pdu::response(status, self.sequence, self.response)
    }

    /// Reports what it says of a send of ours. Returns the status of the response.
    pub(super) fn report(&self, context: &Context<'_>, now: Timestamp) -> CommandStatus {
        let metrics = context.metrics;
        let Some(receipt) = &self.receipt else {
            if self.esm_class.is_receipt() {
                metrics.receipts.of(ReceiptOutcome::Unmatched).inc();
            }
            // Or a message from a phone, which nobody here reads.
            return CommandStatus::ESME_ROK;
        };
        let reference = self.tlvs.find(Tag::USER_MESSAGE_REFERENCE).and_then(|tlv| tlv.number());
        let handset = match context.settings.receipt_handset {
            ReceiptHandset::Auto => Handset::of(self.addresses, context.settings.sender.digits()),
            ReceiptHandset::Off => Handset::UNSAID,
        };
        let incoming = Incoming { receipt, handset, reference };
        let report = |report: DeliveryReport| {
            let is_taken = context.reports.try_send(report).is_ok();
            if is_taken {
                context.smsc.reported(report.delivery);
            }
            is_taken
        };
        let mut receipts = context.receipts.borrow_mut();
        let outcome = receipts.received(&incoming, now, report);
        metrics.receipts.of(outcome).inc();
        if receipts.mismatches_prevail(outcome) {
            tracing::warn!(
                smsc = context.settings.name,
                "most receipts name another handset than their message's, and are ignored: if the SMSC writes other \
                 numbers into receipts, set smsc.receipt_handset to \"off\""
            );
        }
        match outcome {
            ReceiptOutcome::Matched
            | ReceiptOutcome::Repeated
            | ReceiptOutcome::Held
            | ReceiptOutcome::Mismatched
            | ReceiptOutcome::Unmatched => CommandStatus::ESME_ROK,
            // The SMSC will send it again.
            ReceiptOutcome::Deferred => CommandStatus::ESME_RX_T_APPN,
        }
    }
}
