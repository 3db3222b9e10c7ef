//! What becomes of a submit_sm: checked, decoded, put together, shown.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use smpp::pdu::{MessageState, SequenceNumber, SubmitSm};
use smpp::status::CommandStatus;
use smpp::text;
use smpp::tlv::Tag;

use super::account::Account;
use super::delivery::Delivery;
use super::fields::Fields;
use super::mailbox::Mailbox;
use super::pending::Pending;
use super::receipt::Submitted;
use super::report::{Report, Wanted};
use super::shared::Smsc;
use crate::behavior::{Plan, Stat, Stream, Subject, Timing, Treatment, hash};
use crate::clock::Moment;
use crate::inbox::{Details, Draft, Message, MessageId, ReceiptState};

/// How much longer an answer takes whose receipts come before it, on this or another session, so that they
/// do.
const LEAD: Duration = Duration::from_millis(20);

/// A submit, who sent it, on which session, and when.
pub(super) struct Origin<'a> {
    pub(super) at: &'a Moment,
    pub(super) account: &'a Arc<Account>,
    pub(super) mailbox: &'a Arc<Mailbox>,
    pub(super) sequence: SequenceNumber,
    pub(super) submit: &'a SubmitSm<'a>,
}

/// What comes of a submit.
pub(super) struct Outcome {
    pub(super) treatment: Arc<Treatment>,
    /// When it is answered.
    pub(super) answered: Instant,
    /// Of the message, if it was accepted.
    pub(super) id: Option<MessageId>,
    /// The receipts of a message whose fate is decided.
    pub(super) receipts: Vec<Delivery>,
}

impl Smsc {
    /// Takes a submit in, as its treatment says. Unless that delays it, a message shows at once, if it is not
    /// a segment of a longer one and has not expired.
    ///
    /// # Errors
    ///
    /// The status for the sender that says what is wrong with the submit.
    pub(super) fn accept(&self, origin: &Origin<'_>, plan: &Plan) -> Result<Outcome, CommandStatus> {
        let (submit, at) = (origin.submit, origin.at);
        let fields = Fields::read(submit, at)?;
        let subject = Subject {
            to: fields.to.address.as_bytes(),
            data_coding: submit.data_coding,
            content: fields.content,
        };
        let (treatment, draw) = plan.treat(&subject);
        let answered = at.now + treatment.submit.latency.draw(draw, Stream::Latency);
        let treatment = Arc::clone(treatment);
        if !treatment.submit.status.0.is_ok() {
            return Ok(Outcome { treatment, answered, id: None, receipts: Vec::new() });
        }
        let delay = treatment.submit.delivery_delay.draw(draw, Stream::DeliveryDelay);
        if !delay.is_zero() && self.pending.is_full() {
            return Err(CommandStatus::ESME_RMSGQFUL);
        }
        self.count_if_repeated(submit, &fields);
        let id = self.next_id();
        let (from, to) = (fields.from, fields.to);
        let submitted = Submitted { id, from, to, time: at.wall, treatment: Arc::clone(&treatment) };
        let report = Report { submitted, wanted: Wanted::by(submit.registered_delivery), draw };
        let early = treatment.receipts.timing == Timing::BeforeResponse;
        let since = if early { at.now } else { answered };
        let mut outcome = Outcome { treatment, answered, id: Some(id), receipts: Vec::new() };
        if !delay.is_zero() && !fields.is_expired(at) {
            self.delay(&fields, report, origin, since, delay);
            return Ok(outcome);
        }
        let message = self.settle(&fields, &report, origin);
        if report.wanted != Wanted::None {
            let settings = &outcome.treatment.receipts;
            if settings.copies == 0 {
                self.metrics.faults.receipt_lost.inc();
            }
            let states = if fields.is_expired(at) { &[Stat::EXPIRED] } else { settings.states.words() };
            let receipts = report.receipts(states, at.wall, since, &Arc::downgrade(&message)).collect();
            outcome.receipts = receipts;
            outcome.answered += if early { LEAD } else { Duration::ZERO };
        }
        Ok(outcome)
    }

    /// Puts a message on its way. Its receipts come after `since`.
    fn delay(
        &self,
        fields: &Fields<'_>,
        report: Report,
        origin: &Origin<'_>,
        since: Instant,
        delay: Duration,
    ) {
        let data_coding = origin.submit.data_coding;
        self.pending.add(Pending {
            message: self.inbox.keep(draft(fields, &report, origin)),
            due: origin.at.now + delay,
            expires: fields.expires(origin.at),
            answered: since,
            report,
            account: Arc::clone(origin.account),
            mailbox: Arc::downgrade(origin.mailbox),
            segment: fields.segment().map(|place| (place, data_coding, fields.content.into())),
        });
    }

    /// Decides the fate of a message that is not delayed; what there is to find of it by its id.
    fn settle(&self, fields: &Fields<'_>, report: &Report, origin: &Origin<'_>) -> Arc<Message> {
        let draft = draft(fields, report, origin);
        let keep = |draft, state| {
            let message = self.inbox.keep(draft);
            message.end(state, origin.at.wall);
            message
        };
        let settings = &report.submitted.treatment.receipts;
        if fields.is_expired(origin.at) {
            self.metrics.messages_expired.inc();
            return keep(draft, MessageState::EXPIRED);
        }
        if !settings.states.is_delivered() {
            return keep(draft, settings.last().state());
        }
        let Some(place) = fields.segment() else {
            return self.inbox.deliver(draft);
        };
        // Found by its id until the whole takes its place, which reports its receipts with its own.
        let part = keep(draft, MessageState::DELIVERED);
        self.complete(&part, place, origin.submit.data_coding, fields.content, origin.at);
        part
    }

    /// Counts a mark that came before. The parts of a message share their mark.
    fn count_if_repeated(&self, submit: &SubmitSm<'_>, fields: &Fields<'_>) {
        let Some(mark) = self.config.unique_tlv.and_then(|tag| submit.tlvs.find(Tag(tag))) else {
            return;
        };
        let part = fields.place.map_or(0, |place| place.part);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.insert(hash(u64::from(part), mark.value)) {
            self.metrics.repeated.inc();
        }
    }
}

fn draft(fields: &Fields<'_>, report: &Report, origin: &Origin<'_>) -> Draft {
    let Submitted { id, time, treatment, .. } = &report.submitted;
    let expected = report.wanted == Wanted::Any && treatment.receipts.copies > 0;
    let system_id = Arc::clone(&origin.account.system_id);
    let data_coding = origin.submit.data_coding;
    Draft {
        id: *id,
        time: *time,
        from: fields.from.address,
        to: fields.to.address,
        text: text::decode(data_coding, fields.content).into_boxed_str(),
        segments: 1,
        data_coding: data_coding.0,
        validity: fields.validity,
        receipt: if expected { ReceiptState::Pending } else { ReceiptState::NotRequested },
        details: Details::of_submit(origin.submit, system_id, origin.sequence.0, treatment.submit.message_id),
        parts: Box::default(),
    }
}

#[cfg(test)]
mod tests {
    use smpp::pdu::{self, DataCoding};
    use smpp::text::concatenation::{Concatenation, Reference};
    use smpp::tlv::TlvBuffer;

    use super::*;
    use crate::config::Config;
    use crate::inbox::{Filter, Inbox, ReceiptOutcome};
    use crate::metrics::Metrics;

    fn smsc() -> Smsc {
        let inbox = Arc::new(Inbox::new(100, usize::MAX));
        Smsc::new(Config::default(), 1, inbox, Arc::new(Metrics::new()), None)
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
        accept_at(smsc, submit, &Moment::present())
    }

    fn accept_at(smsc: &Smsc, submit: &SubmitSm<'_>, at: &Moment) -> Result<Outcome, CommandStatus> {
        let (account, mailbox, sequence) = (&smsc.accounts[0], &Arc::default(), SequenceNumber::FIRST);
        smsc.accept(&Origin { at, account, mailbox, sequence, submit }, &smsc.stages.plan.load_full())
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
        assert_eq!(first.receipts[0].receipt().stat, Stat::DELIVRD);
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
            assert_eq!(accepted.receipts[0].receipt().stat, Stat::EXPIRED);
            let kept = smsc.inbox.find(&accepted.id.unwrap().to_string()).unwrap();
            assert_eq!(kept.state(), MessageState::EXPIRED);
            let failure_only = SubmitSm { registered_delivery: 2, ..expired };
            assert_eq!(accept(&smsc, &failure_only).ok().unwrap().receipts.len(), 1);
        }
        assert!(texts(&smsc).is_empty());
        assert_eq!(smsc.metrics.messages_expired.get(), 4);
    }

    #[test]
    fn a_receipt_is_made_only_for_those_who_ask() {
        let smsc = smsc();
        for (registered_delivery, expected) in [(0, 0), (1, 1), (2, 0), (0x10, 0), (0x11, 1)] {
            let submit = SubmitSm { registered_delivery, ..submit(b"x") };
            assert_eq!(accept(&smsc, &submit).ok().unwrap().receipts.len(), expected);
        }
    }

    #[test]
    fn a_receipt_does_not_keep_a_message_that_the_inbox_has_dropped() {
        let smsc = smsc();
        let receipts = accept(&smsc, &submit(b"x")).ok().unwrap().receipts;
        assert!(receipts[0].receipt().message.upgrade().is_some());
        smsc.inbox.clear();
        assert!(receipts[0].receipt().message.upgrade().is_none());
    }

    #[test]
    fn segments_by_header_are_put_together_even_when_an_escape_is_split() {
        let smsc = smsc();
        let part = |part, rest: &[u8]| {
            [&Concatenation { reference: Reference::Bits8(7), total: 2, part }.header(), rest].concat()
        };
        let send = |content: &[u8]| {
            let submit = SubmitSm { esm_class: pdu::EsmClass::UDHI, ..submit(content) };
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
    fn a_long_message_reports_the_receipts_of_all_its_parts_and_the_first_expiry() {
        let smsc = smsc();
        let part = |part, registered_delivery, validity_period: &[u8]| {
            let header = Concatenation { reference: Reference::Bits8(7), total: 2, part }.header();
            let content = [&header[..], b"x"].concat();
            let submit = SubmitSm {
                esm_class: pdu::EsmClass::UDHI,
                registered_delivery,
                validity_period,
                ..submit(&content)
            };
            accept(&smsc, &submit).ok().unwrap()
        };
        let asked = part(1, 1, b"000000000100000R");
        part(2, 0, b"000000000300000R");
        let whole = smsc.inbox.messages(&Filter::default()).messages.remove(0);
        assert_eq!(whole.receipt(), ReceiptState::Pending, "the first part asked, the last did not");
        assert_eq!(whole.validity().unwrap().as_str(), "000000000100000R");
        let first = asked.receipts[0].receipt().message.upgrade().unwrap();
        let place = first.receipt_sent(None, MessageState::DELIVERED, whole.time());
        first.receipt_settled(place, ReceiptOutcome::Acknowledged);
        first.set_receipt(ReceiptState::Acknowledged);
        assert_eq!((whole.receipt(), whole.receipts().len()), (ReceiptState::Acknowledged, 1));
    }

    #[test]
    fn a_long_message_of_which_a_part_has_expired_is_not_shown() {
        let (smsc, at) = (smsc(), Moment::present());
        let later = Moment { now: at.now + Duration::from_secs(2), wall: at.wall + Duration::from_secs(2) };
        for (part, validity_period, at) in [(1, &b"000000000001000R"[..], at), (2, b"", later)] {
            let header = Concatenation { reference: Reference::Bits8(7), total: 2, part }.header();
            let content = [&header[..], b"x"].concat();
            let esm_class = pdu::EsmClass::UDHI;
            let submit = SubmitSm { esm_class, validity_period, ..submit(&content) };
            assert!(accept_at(&smsc, &submit, &at).is_ok());
        }
        assert!(texts(&smsc).is_empty());
        assert_eq!(smsc.metrics.messages_expired.get(), 1);
    }

    #[test]
    fn segments_by_parameters_are_put_together() {
        let smsc = smsc();
        for (part, text) in [(1, "سلا"), (2, "م")] {
            let mut tlvs = TlvBuffer::new();
            tlvs.push_u16(Tag::SAR_MSG_REF_NUM, 9)
                .push_u8(Tag::SAR_TOTAL_SEGMENTS, 2)
                .push_u8(Tag::SAR_SEGMENT_SEQNUM, part);
            let content = text::ucs2::encode(text);
            let submit = SubmitSm { data_coding: DataCoding::UCS2, tlvs: tlvs.as_tlvs(), ..submit(&content) };
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
