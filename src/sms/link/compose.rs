//! A submit_sm put together: the text with its code, and everything around it as the SMSC wants it.

use std::time::Duration;

use smpp::pdu::{Address, SubmitSm};
use smpp::time::{self, TIME_BYTES};
use smpp::tlv::{Tag, TlvBuffer};
use zeroize::{Zeroize as _, Zeroizing};

use super::settings::{Settings, ValidityForm};
use crate::clock::Timestamp;
use crate::msisdn::DIGITS_MAX;
use crate::sms::message::{CODES_MAX, SEGMENT_SEPTETS};
use crate::sms::outbox::Item;
use crate::subscriber::code::{CODE_DIGITS_MAX, Code};

/// Room for any text with its codes, so that the buffer never grows and leaves a copy behind.
const TEXT_BYTES_MAX: usize = SEGMENT_SEPTETS + CODES_MAX * CODE_DIGITS_MAX;
/// A challenge's id and the send's ordinal.
const MARK_BYTES: usize = 17;

/// Where submits are put together, one after another, without an allocation.
pub(super) struct Composer {
    /// Wiped after each.
    text: Zeroizing<Vec<u8>>,
    digits: [u8; DIGITS_MAX],
    validity: [u8; TIME_BYTES],
    tlvs: TlvBuffer,
}

impl Composer {
    pub(super) fn new() -> Self {
        Self {
            text: Zeroizing::new(Vec::with_capacity(TEXT_BYTES_MAX)),
            digits: [0; DIGITS_MAX],
            validity: [0; TIME_BYTES],
            tlvs: TlvBuffer::new(),
        }
    }

    /// The submit of an item with its code, of whose time `left` is left. To be [wiped](Self::wipe) once it
    /// is encoded.
    pub(super) fn submit<'a>(
        &'a mut self,
        settings: &'a Settings,
        item: &Item,
        code: &Code,
        left: Duration,
        reference: Option<u16>,
        now: Timestamp,
    ) -> SubmitSm<'a> {
        item.text.fill(code, &mut self.text);
        self.put_tlvs(settings, item, reference);
        let destination = Address {
            ton: settings.destination_ton,
            npi: settings.destination_npi,
            digits: item.phone.digits_in(&mut self.digits),
        };
        SubmitSm {
            service_type: settings.service_type.as_bytes(),
            source: settings.source(),
            destination,
            esm_class: settings.esm_class,
            protocol_id: settings.protocol_id,
            priority_flag: settings.priority_flag,
            validity_period: validity(&mut self.validity, settings.validity, left, now),
            registered_delivery: settings.registered_delivery,
            data_coding: settings.data_coding,
            short_message: &self.text,
            tlvs: self.tlvs.as_tlvs(),
            ..SubmitSm::default()
        }
    }

    fn put_tlvs(&mut self, settings: &Settings, item: &Item, reference: Option<u16>) {
        self.tlvs.clear();
        if let Some(reference) = reference {
            self.tlvs.push_u16(Tag::USER_MESSAGE_REFERENCE, reference);
        }
        if let Some(tag) = settings.mark_tlv {
            let mut mark = [item.ordinal; MARK_BYTES];
            mark[..MARK_BYTES - 1].copy_from_slice(&item.challenge.0);
            self.tlvs.push(tag, &mark).expect("17 bytes fit a parameter");
        }
    }

    /// Wipes the text.
    pub(super) fn wipe(&mut self) {
        self.text.zeroize();
    }

    #[cfg(test)]
    pub(super) fn is_wiped(&self) -> bool {
        self.text.is_empty()
    }
}

/// Never more than what is left: whole seconds, the fraction dropped.
fn validity(buffer: &mut [u8; TIME_BYTES], form: ValidityForm, left: Duration, now: Timestamp) -> &[u8] {
    *buffer = match form {
        ValidityForm::Relative => time::period(left),
        ValidityForm::Absolute => {
            let seconds = now.plus(left).unix_millis() / 1_000;
            time::absolute(i64::try_from(seconds).unwrap_or(i64::MAX))
        }
        ValidityForm::None => return b"",
    };
    buffer
}
