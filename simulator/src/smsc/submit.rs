//! What becomes of a submit_sm: checked, decoded, put together, shown.

use super::Smsc;
use super::account::Account;
use super::long_messages::{Key, Whole};
use super::pending::Pending;
use super::receipts::{Delivery, Mailbox, Party, Report, Wanted};
use crate::behavior::{Plan, Stat, Stream, Subject, Timing, Treatment, hash};
use crate::inbox::{Address, Details, Draft, Message, MessageId, ReceiptState, Validity};
use smpp::pdu::{self, DataCoding, MessageState, SequenceNumber, SubmitSm};
use smpp::status::CommandStatus;
use smpp::text;
use smpp::text::concatenation::{self, Concatenation, Reference};
use smpp::time::{self, Time};
use smpp::tlv::{Tag, Tlvs};
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

/// Who a message is from whose sender is empty: the SMSC's default.
const DEFAULT_SENDER: &[u8] = b"SMSC";

/// One instant on both clocks.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    pub(crate) wall: SystemTime,
}

/// Who submits, and on which session.
pub(super) struct Origin<'a> {
    pub(super) account: &'a Arc<Account>,
    pub(super) mailbox: &'a Arc<Mailbox>,
    pub(super) sequence: SequenceNumber,
    pub(super) plan: &'a Plan,
}

/// What comes of a submit.
pub(super) struct Outcome {
    pub(super) treatment: Arc<Treatment>,
    /// When it is answered.
    pub(super) answered: Instant,
    /// Of the message, if it was accepted.
    pub(super) id: Option<MessageId>,
    /// The receipts that can be sent already.
    pub(super) receipts: Option<Ready>,
}

/// Receipts of a message whose fate is decided.
pub(super) struct Ready {
    pub(super) report: Report,
    /// Whether the message expired; else its states are those of the treatment.
    pub(super) expired: bool,
    pub(super) done: SystemTime,
    pub(super) message: Weak<Message>,
}

impl Ready {
    /// The receipts, the first a delay after `since`.
    pub(super) fn receipts(&self, since: Instant) -> impl Iterator<Item = Delivery> + '_ {
        let states =
            if self.expired { &[Stat::EXPIRED] } else { self.report.treatment.receipts.states.words() };
        self.report.receipts(states, self.done, since, &self.message)
    }
}

/// The fields of a submit that were understood.
struct Read {
    from: Party,
    to: Party,
    validity: Option<Validity>,
}

impl Read {
    fn new(submit: &SubmitSm<'_>, at: &Moment) -> Result<Self, CommandStatus> {
        let (from, to) = (sender(&submit.source)?, handset(&submit.destination)?);
        if !submit.schedule_delivery_time.is_empty() {
            return Err(CommandStatus::ESME_RINVSCHED);
        }
        Ok(Self { from, to, validity: validity(submit.validity_period, at.wall)? })
    }

    fn is_expired(&self, at: &Moment) -> bool {
        self.validity.is_some_and(|validity| validity.expires_at <= at.wall)
    }

    fn expires(&self, at: &Moment) -> Option<(Instant, SystemTime)> {
        let expires_at = self.validity?.expires_at;
        Some((instant_of(expires_at, at)?, expires_at))
    }
}

/// The monotonic instant of a time to come; `None` beyond the clock's end.
pub(super) fn instant_of(wall: SystemTime, at: &Moment) -> Option<Instant> {
    at.now.checked_add(wall.duration_since(at.wall).unwrap_or_default())
}

impl Smsc {
    /// Takes a submit in, as its treatment says. Unless that delays it, a
    /// message shows at once, if it is no segment of a longer one and has not
    /// expired.
    ///
    /// # Errors
    ///
    /// The status that tells the sender what is wrong with the submit.
    pub(super) fn accept(
        &self,
        submit: &SubmitSm<'_>,
        origin: &Origin<'_>,
        at: &Moment,
    ) -> Result<Outcome, CommandStatus> {
        let read = Read::new(submit, at)?;
        let (place, octets) = part_of(submit);
        let subject = Subject { to: read.to.address.as_bytes(), data_coding: submit.data_coding, octets };
        let (treatment, draw) = origin.plan.treat(&subject);
        let answered = at.now + treatment.submit.latency.draw(draw, Stream::Latency);
        let mut outcome = Outcome { treatment: Arc::clone(treatment), answered, id: None, receipts: None };
        if !treatment.submit.status.0.is_ok() {
            return Ok(outcome);
        }
        let delay = treatment.submit.delivery_delay.draw(draw, Stream::DeliveryDelay);
        if !delay.is_zero() && self.pending.is_full() {
            return Err(CommandStatus::ESME_RMSGQFUL);
        }
        if let Some(tag) = self.config.unique_tlv {
            self.prove_unique(submit, tag, place);
        }
        let id = self.next_id();
        outcome.id = Some(id);
        let report = Report {
            id,
            from: read.from,
            to: read.to,
            submitted: at.wall,
            wanted: Wanted::by(submit.registered_delivery),
            treatment: Arc::clone(treatment),
            draw,
        };
        let segment = place.filter(|place| place.total > 1);
        if !delay.is_zero() && !read.is_expired(at) {
            let text = text::decode(submit.data_coding, octets);
            let draft = draft(submit, &read, &report, origin, text);
            self.pending.add(Pending {
                message: self.inbox.keep(draft),
                due: at.now + delay,
                expires: read.expires(at),
                answered: if treatment.receipts.timing == Timing::BeforeResponse { at.now } else { answered },
                report,
                account: Arc::clone(origin.account),
                mailbox: Arc::downgrade(origin.mailbox),
                segment: segment.map(|place| (place, submit.data_coding, octets.into())),
            });
            return Ok(outcome);
        }
        let message = self.settle(submit, &read, &report, origin, (segment, octets), at);
        if report.wanted != Wanted::None {
            if treatment.receipts.copies.value() == 0 {
                self.metrics.faults.receipt_lost.inc();
            }
            let (expired, message) = (read.is_expired(at), Arc::downgrade(&message));
            outcome.receipts = Some(Ready { report, expired, done: at.wall, message });
        }
        Ok(outcome)
    }

    /// Decides the fate of a message that is not delayed; what there is to find
    /// of it by its id.
    fn settle(
        &self,
        submit: &SubmitSm<'_>,
        read: &Read,
        report: &Report,
        origin: &Origin<'_>,
        (segment, octets): (Option<Concatenation>, &[u8]),
        at: &Moment,
    ) -> Arc<Message> {
        let text = |octets: &[u8]| text::decode(submit.data_coding, octets);
        let receipts = &report.treatment.receipts;
        let failed = if read.is_expired(at) {
            self.metrics.messages_expired.inc();
            Some(MessageState::EXPIRED)
        } else {
            (!receipts.states.is_delivered()).then(|| receipts.last().state())
        };
        if let Some(state) = failed {
            let message = self.inbox.keep(draft(submit, read, report, origin, text(octets)));
            message.end(state, at.wall);
            return message;
        }
        let Some(place) = segment else {
            return self.inbox.deliver(draft(submit, read, report, origin, text(octets)));
        };
        // Found by its id until the whole takes its place, which tells its receipts with its own.
        let part = self.inbox.keep(draft(submit, read, report, origin, text(octets)));
        part.end(MessageState::DELIVERED, at.wall);
        self.complete(&part, place, submit.data_coding, octets, at);
        part
    }

    /// A segment has come to the handset: the whole message, if that makes it
    /// whole and no segment of it has expired.
    pub(super) fn complete(
        &self,
        segment: &Message,
        place: Concatenation,
        data_coding: DataCoding,
        octets: &[u8],
        at: &Moment,
    ) -> Option<Arc<Message>> {
        let whole = self.put_together(segment.id(), segment.from(), segment.to(), place, octets, at)?;
        let mut draft = segment.draft_with(text::decode(data_coding, &whole.octets));
        draft.take_parts(whole.ids, |id| self.inbox.kept(id));
        let expired = draft.validity.is_some_and(|validity| validity.expires_at <= at.wall);
        let message = self.inbox.keep(draft);
        if expired {
            self.metrics.messages_expired.inc();
            message.end(MessageState::EXPIRED, at.wall);
            return None;
        }
        self.inbox.arrive(&message, at.wall);
        Some(message)
    }

    fn put_together(
        &self,
        id: MessageId,
        from: &Address,
        to: &Address,
        place: Concatenation,
        octets: &[u8],
        at: &Moment,
    ) -> Option<Whole> {
        let key = Key { from: *from, to: *to, reference: place.reference, total: place.total };
        // Nothing panics under this lock; it is short, and taken for segments only.
        let mut long = self.long_messages.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = long.add(key, place.part, id, octets, at.now);
        self.metrics.segments_dropped.inc_by(long.take_dropped());
        whole
    }

    /// Counts a mark that came before. The parts of a message share their mark.
    fn prove_unique(&self, submit: &SubmitSm<'_>, tag: u16, place: Option<Concatenation>) {
        let Some(mark) = submit.tlvs.find(Tag(tag)) else {
            return;
        };
        let part = place.map_or(0, |place| place.part);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.insert(hash(u64::from(part), mark.value)) {
            self.metrics.repeated.inc();
        }
    }

    /// Counts a message that is on the handset after its expiry. There is none.
    pub(super) fn prove_in_time(&self, message: &Message, wall: SystemTime) {
        if message.validity().is_some_and(|validity| validity.expires_at <= wall) {
            self.metrics.shown_late.inc();
        }
    }
}

fn draft(submit: &SubmitSm<'_>, read: &Read, report: &Report, origin: &Origin<'_>, text: String) -> Draft {
    let receipts = &report.treatment.receipts;
    let told = report.wanted == Wanted::Any && receipts.copies.value() > 0;
    let form = report.treatment.submit.message_id;
    let system_id = Arc::clone(&origin.account.system_id);
    Draft {
        id: report.id,
        time: report.submitted,
        from: read.from.address,
        to: read.to.address,
        text: text.into_boxed_str(),
        segments: 1,
        data_coding: submit.data_coding.0,
        validity: read.validity,
        receipt: if told { ReceiptState::Pending } else { ReceiptState::NotRequested },
        details: Details::of_submit(submit, system_id, origin.sequence.0, form),
        parts: Box::default(),
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
    let reference = Reference::Bits16(number(Tag::SAR_MSG_REF_NUM)?);
    (1..=total).contains(&part).then_some(Concatenation { reference, total, part })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::config::Config;
    use crate::inbox::{Filter, Inbox, ReceiptOutcome};
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

    fn accept(smsc: &Smsc, submit: &SubmitSm<'_>) -> Result<Outcome, CommandStatus> {
        let (plan, mailbox) = (smsc.plan.load_full(), Arc::default());
        let origin = Origin {
            account: &smsc.accounts[0],
            mailbox: &mailbox,
            sequence: SequenceNumber::FIRST,
            plan: &plan,
        };
        smsc.accept(submit, &origin, &at())
    }

    /// How many receipts follow it.
    fn receipts(outcome: &Outcome) -> usize {
        outcome.receipts.as_ref().map_or(0, |ready| ready.receipts(outcome.answered).count())
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
        assert!(!first.receipts.unwrap().expired);
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
            assert!(accepted.receipts.unwrap().expired);
            let kept = smsc.inbox.find(&accepted.id.unwrap().to_string()).unwrap();
            assert_eq!(kept.state(), MessageState::EXPIRED);
            let failure_only = SubmitSm { registered_delivery: 2, ..expired };
            assert_eq!(receipts(&accept(&smsc, &failure_only).ok().unwrap()), 1);
        }
        assert!(texts(&smsc).is_empty());
        assert_eq!(smsc.metrics.messages_expired.get(), 4);
    }

    #[test]
    fn a_receipt_is_made_only_for_those_who_ask() {
        let smsc = smsc();
        for (registered_delivery, expected) in [(0, 0), (1, 1), (2, 0), (0x10, 0), (0x11, 1)] {
            let submit = SubmitSm { registered_delivery, ..submit(b"x") };
            assert_eq!(receipts(&accept(&smsc, &submit).ok().unwrap()), expected);
        }
    }

    #[test]
    fn a_receipt_does_not_keep_a_message_that_the_inbox_has_dropped() {
        let smsc = smsc();
        let receipt = accept(&smsc, &submit(b"x")).ok().unwrap().receipts.unwrap();
        assert!(receipt.message.upgrade().is_some());
        smsc.inbox.clear();
        assert!(receipt.message.upgrade().is_none());
    }

    #[test]
    fn segments_by_header_are_put_together_even_when_an_escape_is_split() {
        let smsc = smsc();
        let part = |part, rest: &[u8]| {
            [&Concatenation { reference: Reference::Bits8(7), total: 2, part }.header(), rest].concat()
        };
        let send = |octets: &[u8]| {
            let submit = SubmitSm { esm_class: pdu::EsmClass::UDHI, ..submit(octets) };
            accept(&smsc, &submit).ok().unwrap()
        };
        let second = send(&part(2, b"e5")).id.unwrap().to_string();
        assert!(texts(&smsc).is_empty());
        assert_eq!(smsc.inbox.find(&second).unwrap().text(), "e5");
        send(&part(1, b"price \x1b"));
        assert_eq!(texts(&smsc), ["price €5"]);
        let page = smsc.inbox.messages(&Filter::default());
        let whole = &page.messages[0];
        assert_eq!((whole.segments(), whole.details().parts().len()), (2, 2));
        for part in whole.details().parts() {
            assert!(Arc::ptr_eq(&smsc.inbox.find(&part.to_string()).unwrap(), whole));
        }
    }

    #[test]
    fn a_long_message_tells_the_receipts_of_all_its_parts_and_the_first_expiry() {
        let smsc = smsc();
        let part = |part, registered_delivery, validity_period: &[u8]| {
            let header = Concatenation { reference: Reference::Bits8(7), total: 2, part }.header();
            let octets = [&header[..], b"x"].concat();
            let submit = SubmitSm {
                esm_class: pdu::EsmClass::UDHI,
                registered_delivery,
                validity_period,
                ..submit(&octets)
            };
            accept(&smsc, &submit).ok().unwrap()
        };
        let asked = part(1, 1, b"000000000100000R");
        part(2, 0, b"000000000300000R");
        let whole = smsc.inbox.messages(&Filter::default()).messages.remove(0);
        assert_eq!(whole.receipt(), ReceiptState::Pending, "the first part asked, the last did not");
        assert_eq!(whole.validity().unwrap().as_str(), "000000000100000R");
        let first = asked.receipts.unwrap().message.upgrade().unwrap();
        let place = first.receipt_sent(None, MessageState::DELIVERED, whole.time());
        first.receipt_settled(place, ReceiptOutcome::Acknowledged);
        first.set_receipt(ReceiptState::Acknowledged);
        assert_eq!((whole.receipt(), whole.receipts().len()), (ReceiptState::Acknowledged, 1));
    }

    #[test]
    fn a_long_message_of_which_a_part_has_expired_is_not_shown() {
        let (smsc, at) = (smsc(), at());
        let (plan, mailbox) = (smsc.plan.load_full(), Arc::default());
        let (account, sequence) = (&smsc.accounts[0], SequenceNumber::FIRST);
        let origin = Origin { account, mailbox: &mailbox, sequence, plan: &plan };
        let later = Moment { now: at.now + Duration::from_secs(2), wall: at.wall + Duration::from_secs(2) };
        for (part, validity_period, at) in [(1, &b"000000000001000R"[..], at), (2, b"", later)] {
            let header = Concatenation { reference: Reference::Bits8(7), total: 2, part }.header();
            let octets = [&header[..], b"x"].concat();
            let esm_class = pdu::EsmClass::UDHI;
            let submit = SubmitSm { esm_class, validity_period, ..submit(&octets) };
            assert!(smsc.accept(&submit, &origin, &at).is_ok());
        }
        assert!(texts(&smsc).is_empty());
        assert_eq!(smsc.metrics.messages_expired.get(), 1);
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
