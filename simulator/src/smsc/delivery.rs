//! What the SMSC delivers to an ESME: a receipt, or what a handset wrote.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use smpp::codec;
use smpp::pdu::{self, Body, DataCoding, EsmClass, MessageState, Pdu, SequenceNumber};

use super::party::Party;
use super::receipt::{Receipt, Scratch};
use crate::behavior::Malformed;
use crate::inbox::{Message, ReceiptOutcome};

/// What a handset wrote, or a part of it.
pub(super) struct FromHandset {
    pub(super) from: Party,
    pub(super) to: Party,
    pub(super) esm_class: EsmClass,
    pub(super) data_coding: DataCoding,
    pub(super) short_message: Box<[u8]>,
    /// The message, with its last part.
    pub(super) message: Option<Arc<Message>>,
}

impl FromHandset {
    fn write(&self, sequence: SequenceNumber, out: &mut Vec<u8>) {
        let deliver = pdu::DeliverSm {
            source: self.from.as_smpp(),
            destination: self.to.as_smpp(),
            esm_class: self.esm_class,
            data_coding: self.data_coding,
            short_message: &self.short_message,
            ..pdu::DeliverSm::default()
        };
        codec::encode(&Pdu::new(sequence, Body::DeliverSm(deliver)), out)
            .expect("addresses are short printable ASCII, and a part has at most 160 bytes");
    }
}

enum Content {
    Receipt(Receipt),
    FromHandset(FromHandset),
}

/// Something for an ESME that receives.
pub(super) struct Delivery {
    /// Not sent before.
    pub(super) due: Instant,
    /// How often the ESME has refused it.
    pub(super) refused: u8,
    content: Content,
}

impl Delivery {
    pub(super) const fn of_receipt(due: Instant, receipt: Receipt) -> Self {
        Self { due, refused: 0, content: Content::Receipt(receipt) }
    }

    pub(super) const fn from_handset(due: Instant, message: FromHandset) -> Self {
        Self { due, refused: 0, content: Content::FromHandset(message) }
    }

    pub(super) fn write(&self, sequence: SequenceNumber, scratch: &mut Scratch, out: &mut Vec<u8>) {
        match &self.content {
            Content::Receipt(receipt) => receipt.write(sequence, scratch, out),
            Content::FromHandset(message) => message.write(sequence, out),
        }
    }

    pub(super) fn malformed(&self) -> Malformed {
        match &self.content {
            Content::Receipt(receipt) => receipt.malformed(),
            Content::FromHandset(_) => Malformed::No,
        }
    }

    /// Notes that it is sent now.
    pub(super) fn sent(&mut self, at: SystemTime) {
        match &mut self.content {
            Content::Receipt(receipt) => receipt.sent(at),
            Content::FromHandset(_) => {}
        }
    }

    /// Notes that the ESME has answered, or did not in time.
    pub(super) fn settle(&self, outcome: ReceiptOutcome, at: SystemTime) {
        match &self.content {
            Content::Receipt(receipt) => receipt.settle(outcome),
            Content::FromHandset(FromHandset { message: Some(message), .. }) => {
                let taken = outcome == ReceiptOutcome::Acknowledged;
                message.end(if taken { MessageState::DELIVERED } else { MessageState::UNDELIVERABLE }, at);
            }
            Content::FromHandset(_) => {}
        }
    }

    /// Notes that nobody will get it.
    pub(super) fn fail(&self) {
        match &self.content {
            Content::Receipt(receipt) => receipt.fail(),
            Content::FromHandset(_) => {}
        }
    }

    #[cfg(test)]
    pub(super) fn receipt(&self) -> &Receipt {
        match &self.content {
            Content::Receipt(receipt) => receipt,
            Content::FromHandset(_) => panic!("no receipt"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::receipt::tests;
    use super::*;
    use crate::behavior::Stat;

    /// A healthy receipt of the message with this id.
    pub(in crate::smsc) fn receipt(id: u64, due: Instant) -> Delivery {
        Delivery::of_receipt(due, tests::receipt(tests::submitted(id, ""), Stat::DELIVRD))
    }
}
