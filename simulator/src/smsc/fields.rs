//! The fields of a submit, read.

use std::time::{Duration, Instant, SystemTime};

use smpp::pdu::{self, SubmitSm};
use smpp::status::CommandStatus;
use smpp::text::concatenation::{self, Concatenation, Reference};
use smpp::time::{self, Time};
use smpp::tlv::{Tag, Tlvs};

use super::party::Party;
use crate::clock::Moment;
use crate::inbox::{Address, Validity};

/// Who a message is from whose sender is empty: the SMSC's default.
const DEFAULT_SENDER: &[u8] = b"SMSC";

pub(super) struct Fields<'a> {
    pub(super) from: Party,
    pub(super) to: Party,
    pub(super) validity: Option<Validity>,
    /// Which part of a long message this is, if it is one.
    pub(super) place: Option<Concatenation>,
    /// The text's bytes, without a user data header.
    pub(super) content: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn read(submit: &SubmitSm<'a>, at: &Moment) -> Result<Self, CommandStatus> {
        let (from, to) = (sender(&submit.source)?, handset(&submit.destination)?);
        if !submit.schedule_delivery_time.is_empty() {
            return Err(CommandStatus::ESME_RINVSCHED);
        }
        let validity = validity(submit.validity_period, at.wall)?;
        let (place, content) = part_of(submit);
        Ok(Self { from, to, validity, place, content })
    }

    pub(super) fn is_expired(&self, at: &Moment) -> bool {
        self.validity.is_some_and(|validity| validity.has_ended(at.wall))
    }

    pub(super) fn expires(&self, at: &Moment) -> Option<Instant> {
        at.instant_of(self.validity?.expires_at)
    }

    /// Of a message in more than one part.
    pub(super) fn segment(&self) -> Option<Concatenation> {
        self.place.filter(|place| place.total > 1)
    }
}

fn sender(source: &pdu::Address<'_>) -> Result<Party, CommandStatus> {
    let digits = if source.digits.is_empty() { DEFAULT_SENDER } else { source.digits };
    let address = Address::new(digits).ok_or(CommandStatus::ESME_RINVSRCADR)?;
    Ok(Party { ton: source.ton, npi: source.npi, address })
}

fn handset(destination: &pdu::Address<'_>) -> Result<Party, CommandStatus> {
    let address =
        Address::new(destination.digits).filter(Address::is_number).ok_or(CommandStatus::ESME_RINVDSTADR)?;
    Ok(Party { ton: destination.ton, npi: destination.npi, address })
}

/// Reads `validity_period`; empty means that the message does not expire.
pub(super) fn validity(field: &[u8], received: SystemTime) -> Result<Option<Validity>, CommandStatus> {
    if field.is_empty() {
        return Ok(None);
    }
    let expires_at = match time::parse(field).ok_or(CommandStatus::ESME_RINVEXPIRY)? {
        Time::Period(period) => received.checked_add(period),
        Time::At { unix_seconds } => {
            let since_epoch = Duration::from_secs(u64::try_from(unix_seconds).unwrap_or_default());
            SystemTime::UNIX_EPOCH.checked_add(since_epoch)
        }
    };
    let expires_at = expires_at.ok_or(CommandStatus::ESME_RINVEXPIRY)?;
    Ok(Some(Validity::new(field, expires_at)))
}

/// Which part of a long message this is, by a user data header or by the SAR parameters, and its content.
fn part_of<'a>(submit: &SubmitSm<'a>) -> (Option<Concatenation>, &'a [u8]) {
    let content = submit.content();
    let header = if submit.esm_class.has_udh() { concatenation::split_header(content) } else { None };
    match header {
        Some((header, rest)) => (header.concatenation(), rest),
        None => (sar(submit.tlvs), content),
    }
}

fn sar(tlvs: Tlvs<'_>) -> Option<Concatenation> {
    if tlvs.is_empty() {
        return None;
    }
    let number = |tag| tlvs.find(tag)?.number();
    let total = u8::try_from(number(Tag::SAR_TOTAL_SEGMENTS)?).ok()?;
    let part = u8::try_from(number(Tag::SAR_SEGMENT_SEQNUM)?).ok()?;
    let reference = Reference::Bits16(number(Tag::SAR_MSG_REF_NUM)?);
    (1..=total).contains(&part).then_some(Concatenation { reference, total, part })
}
