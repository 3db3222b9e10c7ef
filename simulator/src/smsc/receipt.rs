//! One delivery receipt: its text, its parameters, and what the inbox shows of it.

use std::sync::{Arc, Weak};
use std::time::SystemTime;

use smpp::codec;
use smpp::pdu::{self, Body, DataSm, EsmClass, MessageState, Pdu, SequenceNumber};
use smpp::time::CalendarTime;
use smpp::tlv::{Tag, TlvBuffer};

use super::party::Party;
use crate::behavior::{
    Dates, Form, IdForm, IdPlace, Malformed, ReceiptId, Receipts, Stat, StateTlv, TextLabel, Treatment,
};
use crate::inbox::{Address, Message, MessageId, ReceiptOutcome, ReceiptState};

/// What all receipts of one submit say.
#[derive(Clone)]
pub(super) struct Submitted {
    pub(super) id: MessageId,
    pub(super) from: Party,
    pub(super) to: Party,
    pub(super) time: SystemTime,
    pub(super) treatment: Arc<Treatment>,
}

/// One receipt for the sender of a submit.
pub(super) struct Receipt {
    pub(super) submitted: Submitted,
    pub(super) done: SystemTime,
    pub(super) stat: Stat,
    /// The message whose receipt this is, for as long as the inbox, or one of its readers, keeps it.
    pub(super) message: Weak<Message>,
    /// In the message's history, once it was sent.
    pub(super) place: Option<usize>,
}

/// Room for one receipt's id, text and parameters, used again for each.
#[derive(Default)]
pub(super) struct Scratch {
    id: Vec<u8>,
    text: Vec<u8>,
    tlvs: TlvBuffer,
}

impl Receipt {
    /// A receipt for a message that was never submitted.
    pub(super) fn of_nothing(wall: SystemTime, treatment: Arc<Treatment>) -> Self {
        let party = |digits| Party::international(Address::new(digits).expect("a constant number"));
        let submitted = Submitted {
            id: MessageId::new(u64::MAX),
            from: party(b"10000000000"),
            to: party(b"10000000001"),
            time: wall,
            treatment,
        };
        Self { submitted, done: wall, stat: Stat::DELIVRD, message: Weak::new(), place: None }
    }

    pub(super) fn malformed(&self) -> Malformed {
        self.settings().malformed
    }

    /// Appends the receipt, from the handset to the sender.
    pub(super) fn write(&self, sequence: SequenceNumber, scratch: &mut Scratch, out: &mut Vec<u8>) {
        let settings = self.settings();
        self.prepare(settings, scratch);
        let (source, destination) = (self.submitted.to.as_smpp(), self.submitted.from.as_smpp());
        let esm_class = EsmClass(settings.esm_class);
        let tlvs = scratch.tlvs.as_tlvs();
        let body = if settings.form == Form::DataSm {
            Body::DataSm(DataSm { source, destination, esm_class, tlvs, ..DataSm::default() })
        } else {
            let short_message = &scratch.text;
            let deliver = pdu::DeliverSm {
                source,
                destination,
                esm_class,
                short_message,
                tlvs,
                ..pdu::DeliverSm::default()
            };
            Body::DeliverSm(deliver)
        };
        codec::encode(&Pdu::new(sequence, body), out)
            .expect("addresses are short printable ASCII, and the text is short");
    }

    /// Notes in the message's history that the receipt is sent now.
    pub(super) fn sent(&mut self, at: SystemTime) {
        if let Some(message) = self.message.upgrade() {
            self.place = message.receipt_sent(self.place, self.stat.state(), at);
        }
    }

    /// Notes that the ESME has answered, or did not in time.
    pub(super) fn settle(&self, outcome: ReceiptOutcome) {
        if let Some(message) = self.message.upgrade() {
            message.receipt_settled(self.place, outcome);
            message.set_receipt(match outcome {
                ReceiptOutcome::Acknowledged => ReceiptState::Acknowledged,
                ReceiptOutcome::Sent | ReceiptOutcome::Refused | ReceiptOutcome::Unanswered => {
                    ReceiptState::Failed
                }
            });
        }
    }

    /// Notes that nobody will get it.
    pub(super) fn fail(&self) {
        if let Some(message) = self.message.upgrade() {
            message.set_receipt(ReceiptState::Failed);
        }
    }

    fn settings(&self) -> &Receipts {
        &self.submitted.treatment.receipts
    }

    /// Writes text, id and parameters into `scratch`.
    fn prepare(&self, settings: &Receipts, scratch: &mut Scratch) {
        let Scratch { id, text, tlvs } = scratch;
        id.clear();
        self.write_id(settings, id);
        text.clear();
        tlvs.clear();
        self.write_text(settings, id, text);
        match settings.form {
            Form::ShortMessage => {}
            Form::TlvsOnly => text.clear(),
            Form::MessagePayload | Form::DataSm => {
                tlvs.push(Tag::MESSAGE_PAYLOAD, text).expect("a receipt is short");
                text.clear();
            }
        }
        if settings.id_in != IdPlace::Text && !id.is_empty() {
            tlvs.push_c_string(Tag::RECEIPTED_MESSAGE_ID, id).expect("an id has no NUL and is short");
        }
        match (settings.message_state, settings.message_state.value(self.stat.state())) {
            (_, None) => {}
            (StateTlv::TwoBytes, Some(MessageState(state))) => {
                tlvs.push_u16(Tag::MESSAGE_STATE, u16::from(state));
            }
            (_, Some(MessageState(state))) => {
                tlvs.push_u8(Tag::MESSAGE_STATE, state);
            }
        }
    }

    fn write_id(&self, settings: &Receipts, out: &mut Vec<u8>) {
        let Submitted { id, treatment, .. } = &self.submitted;
        let same = treatment.submit.message_id;
        let (id, form) = match settings.id {
            ReceiptId::Same => (*id, same),
            ReceiptId::Hex => (*id, IdForm::Hex),
            ReceiptId::HexUpper => (*id, IdForm::HexUpper),
            ReceiptId::Decimal => (*id, IdForm::Decimal),
            ReceiptId::LeadingZeros => (*id, IdForm::LeadingZeros),
            // No counter gets there.
            ReceiptId::Unknown => (MessageId::new(!id.value()), same),
        };
        id.write(form, out);
    }

    /// As in SMPP 3.4's appendix B, but for what the settings change. The message's beginning would come
    /// last: a code has no business in a receipt.
    fn write_text(&self, settings: &Receipts, id: &[u8], text: &mut Vec<u8>) {
        if settings.id_in != IdPlace::Tlv {
            text.extend_from_slice(b"id:");
            text.extend_from_slice(id);
            text.push(b' ');
        }
        if settings.counts {
            let delivered = self.stat.state() == MessageState::DELIVERED;
            text.extend_from_slice(if delivered { b"sub:001 dlvrd:001 " } else { b"sub:001 dlvrd:000 " });
        }
        text.extend_from_slice(b"submit date:");
        write_date(settings, self.submitted.time, text);
        text.extend_from_slice(b" done date:");
        write_date(settings, self.done, text);
        for part in [" stat:", self.stat.as_str(), " err:", settings.err.as_str()] {
            text.extend_from_slice(part.as_bytes());
        }
        text.extend_from_slice(match settings.text_label {
            TextLabel::Lower => b" text:",
            TextLabel::Upper => b" Text:",
        });
    }
}

fn write_date(settings: &Receipts, time: SystemTime, text: &mut Vec<u8>) {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let unix_seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
    let date = CalendarTime::from_unix_seconds(unix_seconds.saturating_add(settings.time_zone.seconds()));
    match settings.dates {
        Dates::Minutes => text.extend_from_slice(&date.digits()[..10]),
        Dates::Seconds => text.extend_from_slice(&date.digits()),
        Dates::Century => {
            text.extend_from_slice(format!("{:02}", date.year / 100).as_bytes());
            text.extend_from_slice(&date.digits());
        }
        Dates::Zeros => text.extend_from_slice(b"0000000000"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use smpp::pdu::DeliverSm;

    use super::*;
    use crate::behavior::{Behavior, Plan};

    /// A submit of 1970 under a behaviour.
    pub(in crate::smsc) fn submitted(id: u64, toml: &str) -> Submitted {
        let party = |digits| Party::international(Address::new(digits).unwrap());
        Submitted {
            id: MessageId::new(id),
            from: party(b"BANK"),
            to: party(b"628120001234"),
            time: SystemTime::UNIX_EPOCH,
            treatment: Arc::clone(Plan::new(Behavior::from_toml(toml).unwrap()).otherwise()),
        }
    }

    pub(in crate::smsc) fn receipt(submitted: Submitted, stat: Stat) -> Receipt {
        Receipt { done: submitted.time, submitted, stat, message: Weak::new(), place: None }
    }

    /// The receipt of message 0xAB under a behaviour.
    fn written(toml: &str) -> Vec<u8> {
        let submitted = submitted(0xAB, toml);
        let stat = submitted.treatment.receipts.last();
        let mut out = Vec::new();
        receipt(submitted, stat).write(SequenceNumber(7), &mut Scratch::default(), &mut out);
        out
    }

    fn deliver_sm(frame: &[u8]) -> DeliverSm<'_> {
        let pdu = codec::decode(frame).unwrap().pdu;
        let Body::DeliverSm(deliver) = pdu.body else { panic!("{pdu:?}") };
        deliver
    }

    fn text(toml: &str) -> String {
        String::from_utf8(deliver_sm(&written(toml)).content().to_vec()).unwrap()
    }

    #[test]
    fn d2_ids_are_written_in_every_form_and_place() {
        for (toml, id, tlv) in [
            ("", "00000000000000ab", true),
            ("receipts.id = \"hex_upper\"", "00000000000000AB", true),
            ("receipts.id = \"decimal\"", "171", true),
            ("receipts.id = \"leading_zeros\"", "00000000000000000171", true),
            ("submit.message_id = \"decimal\"", "171", true),
            ("submit.message_id = \"decimal\"\nreceipts.id = \"hex\"", "00000000000000ab", true),
            ("submit.message_id = \"uuid\"", "00000000-0000-4000-8000-0000000000ab", true),
            ("receipts.id = \"unknown\"", "ffffffffffffff54", true),
            ("receipts.id_in = \"text\"", "00000000000000ab", false),
            ("receipts.id_in = \"tlv\"", "", true),
        ] {
            let frame = written(toml);
            let deliver = deliver_sm(&frame);
            let receipt = smpp::receipt::Receipt::parse(&deliver).unwrap();
            assert_eq!(str::from_utf8(receipt.id).unwrap(), id, "{toml}");
            assert_eq!(!receipt.receipted_message_id.is_empty(), tlv, "{toml}");
        }
    }

    #[test]
    fn d3_states_labels_counts_and_errors_are_written_as_asked() {
        for stat in [
            "DELIVRD", "UNDELIV", "EXPIRED", "REJECTD", "ACCEPTD", "ENROUTE", "DELETED", "UNKNOWN", "FAILED",
            "BUFFRED",
        ] {
            let text = text(&format!("receipts.states = [\"{stat}\"]"));
            assert!(text.contains(&format!(" stat:{stat} err:000 text:")), "{text}");
        }
        let odd = text("receipts = { text_label = \"Text:\", counts = false, err = \"0x1A\" }");
        assert!(
            odd.ends_with(" err:0x1A Text:") && !odd.contains("sub:") && !odd.contains("dlvrd:"),
            "{odd}"
        );
    }

    #[test]
    fn d4_dates_are_written_in_every_form_and_zone() {
        for (dates, zone, expected) in [
            ("yyMMddHHmm", "+00:00", "7001010000"),
            ("yyMMddHHmmss", "+07:00", "700101070000"),
            ("yyyyMMddHHmmss", "-03:30", "19691231203000"),
            ("zeros", "+00:00", "0000000000"),
        ] {
            let text = text(&format!("receipts = {{ dates = \"{dates}\", time_zone = \"{zone}\" }}"));
            assert!(text.contains(&format!("submit date:{expected} done date:{expected} ")), "{text}");
        }
    }

    #[test]
    fn d5_receipts_come_in_every_carrier_class_and_state() {
        for (class, esm_class) in [("0x04", 0x04), ("0x24", 0x24), ("0x44", 0x44)] {
            let frame = written(&format!("receipts.esm_class = {class}"));
            assert_eq!(deliver_sm(&frame).esm_class.0, esm_class);
        }
        let payload = written("receipts.form = \"message_payload\"");
        let deliver = deliver_sm(&payload);
        assert!(deliver.short_message.is_empty() && deliver.content().starts_with(b"id:"));
        let bare = written("receipts.form = \"tlvs_only\"");
        let deliver = deliver_sm(&bare);
        assert!(deliver.content().is_empty() && smpp::receipt::Receipt::parse(&deliver).is_some());
        let data = written("receipts.form = \"data_sm\"");
        let Body::DataSm(data) = codec::decode(&data).unwrap().pdu.body else { panic!("data_sm") };
        assert!(smpp::receipt::Receipt::parse_data_sm(&data).is_some());
        for (state, value) in [
            ("same", Some(&[2][..])),
            ("absent", None),
            ("scheduled", Some(&[0])),
            ("skipped", Some(&[9])),
            ("two_bytes", Some(&[0, 2])),
        ] {
            let frame = written(&format!("receipts.message_state = \"{state}\""));
            let found = deliver_sm(&frame).tlvs.find(Tag::MESSAGE_STATE).map(|tlv| tlv.value);
            assert_eq!(found, value, "{state}");
        }
    }
}
