//! A message that the SMSC delivers: a receipt, or what someone wrote to us.

use smpp::pdu::{Body, DataSm, DataSmResp, DeliverSm, DeliverSmResp, EsmClass, Pdu, SequenceNumber};
use smpp::receipt::Receipt;
use smpp::status::CommandStatus;
use smpp::tlv::{Tag, Tlvs};

use super::context::Context;
use crate::clock::Timestamp;
use crate::metrics::ReceiptOutcome;
use crate::sms::receipts::Incoming;

/// A deliver_sm or a data_sm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deliver<'a> {
    sequence: SequenceNumber,
    /// What it is answered with.
    response: Body<'static>,
    esm_class: EsmClass,
    receipt: Option<Receipt<'a>>,
    /// The digits of its source address.
    handset: &'a [u8],
    tlvs: Tlvs<'a>,
}

impl<'a> Deliver<'a> {
    pub(super) fn of_deliver_sm(sequence: SequenceNumber, message: &DeliverSm<'a>) -> Self {
        Self {
            sequence,
            response: Body::DeliverSmResp(DeliverSmResp { message_id: b"" }),
            esm_class: message.esm_class,
            receipt: Receipt::parse(message),
            handset: message.source.digits,
            tlvs: message.tlvs,
        }
    }

    pub(super) fn of_data_sm(sequence: SequenceNumber, message: &DataSm<'a>) -> Self {
        Self {
            sequence,
            response: Body::DataSmResp(DataSmResp::default()),
            esm_class: message.esm_class,
            receipt: Receipt::parse_data_sm(message),
            handset: message.source.digits,
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
        let incoming = Incoming { receipt, handset: self.handset, reference };
        let report = |report| context.reports.try_send(report).is_ok();
        let outcome = context.receipts.borrow_mut().received(&incoming, now, report);
        metrics.receipts.of(outcome).inc();
        match outcome {
            ReceiptOutcome::Matched
            | ReceiptOutcome::Repeated
            | ReceiptOutcome::Held
            | ReceiptOutcome::Unmatched => CommandStatus::ESME_ROK,
            // The SMSC will send it again.
            ReceiptOutcome::Deferred => CommandStatus::ESME_RX_T_APPN,
        }
    }
}
