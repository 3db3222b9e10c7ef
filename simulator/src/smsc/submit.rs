//! What becomes of a submit_sm: checked, decoded, put together, shown.

use super::Smsc;
use super::long_messages::{Key, Whole};
use super::receipts::{Party, Receipt};
use crate::behavior::IdForm;
use crate::inbox::{Address, Details, Draft, Message, MessageId, ReceiptState, Validity};
use smpp::pdu::{self, SequenceNumber, SubmitSm};
use smpp::receipt::MessageState;
use smpp::status::CommandStatus;
use smpp::text;
use smpp::text::concatenation::{self, Concatenation, Reference};
use smpp::time::{self, Time};
use smpp::tlv::{Tag, Tlvs};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Who a message is from whose sender is empty: the SMSC's default.
const DEFAULT_SENDER: &[u8] = b"SMSC";

/// One instant on both clocks.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Instant,
    pub(super) wall: SystemTime,
}

/// An accepted submit.
pub(super) struct Accepted {
    pub(super) id: MessageId,
    /// The receipt that its sender asked for.
    pub(super) receipt: Option<Receipt>,
}

/// Which outcomes a sender wants to hear of (SMPP 3.4, 5.2.17).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    None,
    Any,
    Failure,
}

impl Smsc {
    /// Takes a submit in. A message shows at once, unless it is a segment of a
    /// longer one or has expired. It is answered at `answered`, and its receipt
    /// is due the configured delay after that.
    ///
    /// # Errors
    ///
    /// The status that tells the sender what is wrong with the submit.
    pub(super) fn accept(
        &self,
        submit: &SubmitSm<'_>,
        sequence: SequenceNumber,
        at: &Moment,
        answered: Instant,
    ) -> Result<Accepted, CommandStatus> {
        let from = sender(&submit.source)?;
        let to = handset(&submit.destination)?;
        if !submit.schedule_delivery_time.is_empty() {
            return Err(CommandStatus::ESME_RINVSCHED);
        }
        let validity = validity(submit.validity_period, at.wall)?;
        let expired = validity.is_some_and(|validity| validity.expires_at <= at.wall);
        let wanted = self.wanted(submit);
        let id = self.next_id();
        let message = if expired {
            self.metrics.messages_expired.inc();
            None
        } else {
            self.show(submit, at, |whole, text| Draft {
                id,
                time: at.wall,
                from: from.address,
                to: to.address,
                text: text.into_boxed_str(),
                segments: whole,
                data_coding: submit.data_coding.0,
                validity,
                receipt: if wanted == Wanted::Any {
                    ReceiptState::Pending
                } else {
                    ReceiptState::NotRequested
                },
                details: Details::of_submit(
                    submit,
                    self.esme().system_id.as_str().into(),
                    sequence.0,
                    IdForm::Hex,
                ),
            })
        };
        let told = wanted == Wanted::Any || (wanted == Wanted::Failure && expired);
        let receipt = told.then(|| Receipt {
            id,
            from,
            to,
            submitted: at.wall,
            done: at.wall,
            state: if expired { MessageState::EXPIRED } else { MessageState::DELIVERED },
            due: answered
                + match self.plan.load().behavior.receipts.delay {
                    crate::behavior::Delay::Fixed(d) => d.value(),
                    _ => Duration::ZERO,
                },
            attempts: 0,
            message: message.as_ref().map(Arc::downgrade).unwrap_or_default(),
        });
        Ok(Accepted { id, receipt })
    }

    /// Whether a submit asks for a receipt, of whatever outcome, and may get it.
    pub(super) fn is_receipt_wanted(&self, submit: &SubmitSm<'_>) -> bool {
        self.wanted(submit) != Wanted::None
    }

    fn wanted(&self, submit: &SubmitSm<'_>) -> Wanted {
        if self.plan.load().behavior.receipts.copies.value() > 0 {
            wanted(submit.registered_delivery)
        } else {
            Wanted::None
        }
    }

    /// Puts a message into the inbox if it is whole; `draft` gets the number of
    /// its segments and its text.
    fn show(
        &self,
        submit: &SubmitSm<'_>,
        at: &Moment,
        draft: impl FnOnce(u8, String) -> Draft,
    ) -> Option<Arc<Message>> {
        let (place, octets) = part_of(submit);
        let Some(place) = place.filter(|place| place.total > 1) else {
            return Some(self.inbox.deliver(draft(1, text::decode(submit.data_coding, octets))));
        };
        let whole = self.put_together(submit, place, octets, at.now)?;
        Some(self.inbox.deliver(draft(whole.segments, text::decode(submit.data_coding, &whole.octets))))
    }

    fn put_together(
        &self,
        submit: &SubmitSm<'_>,
        place: Concatenation,
        octets: &[u8],
        now: Instant,
    ) -> Option<Whole> {
        let key = Key {
            from: sender(&submit.source).ok()?.address,
            to: handset(&submit.destination).ok()?.address,
            reference: place.reference,
            total: place.total,
        };
        // Nothing panics under this lock; it is short, and taken for segments only.
        let mut long = self.long_messages.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = long.add(key, place.part, octets, now);
        self.metrics.segments_dropped.inc_by(long.take_dropped());
        whole
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
fn validity(field: &[u8], received: SystemTime) -> Result<Option<Validity>, CommandStatus> {
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

fn wanted(registered_delivery: u8) -> Wanted {
    match registered_delivery & 0b11 {
        1 => Wanted::Any,
        2 => Wanted::Failure,
        _ => Wanted::None,
    }
}

/// Which part of a long message this is, if it is one, and its own content:
/// told by a user data header, or by the SAR parameters.
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
    let reference = Reference::Word(number(Tag::SAR_MSG_REF_NUM)?);
    (1..=total).contains(&part).then_some(Concatenation { reference, total, part })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::config::Config;
    use crate::inbox::{Filter, Inbox};
    use crate::metrics::Metrics;
    use smpp::pdu::DataCoding;
    use smpp::tlv::TlvBuffer;

    fn smsc() -> Smsc {
        let inbox = Arc::new(Inbox::new(100, usize::MAX));
        Smsc::new(Config::default(), 1, inbox, Arc::new(Metrics::new()), None)
    }

    fn at() -> Moment {
        Moment { now: clock::now(), wall: clock::wall() }
    }

    fn submit(text: &[u8]) -> SubmitSm<'_> {
        SubmitSm {
            source: pdu::Address::alphanumeric(b"BANK"),
            destination: pdu::Address::international(b"628120001234"),
            registered_delivery: pdu::FINAL_RECEIPT,
            short_message: text,
            ..SubmitSm::default()
        }
    }

    fn texts(smsc: &Smsc) -> Vec<String> {
        smsc.inbox
            .messages(&Filter::default())
            .messages
            .iter()
            .map(|message| message.text().to_owned())
            .collect()
    }

    fn accept(smsc: &Smsc, submit: &SubmitSm<'_>) -> Result<Accepted, CommandStatus> {
        let at = at();
        smsc.accept(submit, SequenceNumber::FIRST, &at, at.now)
    }

    fn refusal(submit: &SubmitSm<'_>) -> Option<CommandStatus> {
        accept(&smsc(), submit).err()
    }

    #[test]
    fn ids_are_distinct_and_the_text_is_decoded() {
        let smsc = smsc();
        let first = accept(&smsc, &submit(b"\x00 price")).ok().unwrap();
        let second = accept(&smsc, &submit(b"two")).ok().unwrap();
        assert_ne!(first.id, second.id);
        assert_eq!(texts(&smsc), ["@ price", "two"]);
        assert_eq!(first.receipt.unwrap().state, MessageState::DELIVERED);
    }

    #[test]
    fn what_cannot_be_delivered_is_refused_with_its_reason() {
        let to = |digits| SubmitSm { destination: pdu::Address::international(digits), ..submit(b"x") };
        for digits in [&b""[..], b"+", b"62812x", b"0812 000"] {
            assert_eq!(refusal(&to(digits)), Some(CommandStatus::ESME_RINVDSTADR));
        }
        let later = SubmitSm { schedule_delivery_time: b"000001000000000R", ..submit(b"x") };
        assert_eq!(refusal(&later), Some(CommandStatus::ESME_RINVSCHED));
        let never = SubmitSm { validity_period: b"00000000030000R", ..submit(b"x") };
        assert_eq!(refusal(&never), Some(CommandStatus::ESME_RINVEXPIRY));
    }

    #[test]
    fn an_expired_message_gets_its_receipt_and_is_not_shown() {
        let smsc = smsc();
        for validity_period in [&b"000000000000000R"[..], b"200101000000000+"] {
            let expired = SubmitSm { validity_period, ..submit(b"too late") };
            let accepted = accept(&smsc, &expired).ok().unwrap();
            assert_eq!(accepted.receipt.unwrap().state, MessageState::EXPIRED);
            let failure_only = SubmitSm { registered_delivery: 2, ..expired };
            assert!(accept(&smsc, &failure_only).ok().unwrap().receipt.is_some());
        }
        assert!(texts(&smsc).is_empty());
        assert_eq!(smsc.metrics.messages_expired.get(), 4);
    }

    #[test]
    fn a_receipt_is_made_only_for_those_who_ask() {
        let smsc = smsc();
        for (registered_delivery, expected) in
            [(0, false), (1, true), (2, false), (0x10, false), (0x11, true)]
        {
            let submit = SubmitSm { registered_delivery, ..submit(b"x") };
            assert_eq!(accept(&smsc, &submit).ok().unwrap().receipt.is_some(), expected);
        }
    }

    #[test]
    fn a_receipt_does_not_keep_a_message_that_the_inbox_has_dropped() {
        let smsc = smsc();
        let receipt = accept(&smsc, &submit(b"x")).ok().unwrap().receipt.unwrap();
        assert!(receipt.message.upgrade().is_some());
        smsc.inbox.clear();
        assert!(receipt.message.upgrade().is_none());
    }

    #[test]
    fn segments_by_header_are_put_together_even_when_an_escape_is_split() {
        let smsc = smsc();
        let part = |part, rest: &[u8]| {
            [&Concatenation { reference: Reference::Octet(7), total: 2, part }.header(), rest].concat()
        };
        let send = |octets: &[u8]| {
            let submit = SubmitSm { esm_class: pdu::EsmClass::UDHI, ..submit(octets) };
            accept(&smsc, &submit).ok().unwrap()
        };
        send(&part(2, b"e5"));
        assert!(texts(&smsc).is_empty());
        send(&part(1, b"price \x1b"));
        assert_eq!(texts(&smsc), ["price €5"]);
        let page = smsc.inbox.messages(&Filter::default());
        assert_eq!(page.messages[0].segments(), 2);
    }

    #[test]
    fn segments_by_parameters_are_put_together() {
        let smsc = smsc();
        for (part, octets) in [(1, "سلا"), (2, "م")] {
            let mut tlvs = TlvBuffer::new();
            tlvs.push_u16(Tag::SAR_MSG_REF_NUM, 9)
                .push_u8(Tag::SAR_TOTAL_SEGMENTS, 2)
                .push_u8(Tag::SAR_SEGMENT_SEQNUM, part);
            let octets = text::ucs2::encode(octets);
            let submit = SubmitSm { data_coding: DataCoding::UCS2, tlvs: tlvs.as_tlvs(), ..submit(&octets) };
            accept(&smsc, &submit).ok().unwrap();
        }
        assert_eq!(texts(&smsc), ["سلام"]);
    }

    #[test]
    fn a_payload_parameter_is_the_text_where_there_is_no_short_message() {
        let smsc = smsc();
        let mut tlvs = TlvBuffer::new();
        tlvs.push(Tag::MESSAGE_PAYLOAD, b"payload").unwrap();
        accept(&smsc, &SubmitSm { tlvs: tlvs.as_tlvs(), ..submit(b"") }).ok().unwrap();
        assert_eq!(texts(&smsc), ["payload"]);
    }
}
