//! Any PDU that SMPP 3.4 allows, for the properties.

use proptest::collection::vec;
use proptest::prelude::*;
use smpp::pdu::{
    Address, AlertNotification, Bind, BindResp, Body, CancelSm, CommandId, DataCoding, DataSm, DataSmResp,
    DeliverSmResp, EsmClass, Message, MessageState, Npi, Outbind, Pdu, QuerySm, QuerySmResp, ReplaceSm,
    SequenceNumber, SubmitSmResp, Ton,
};
use smpp::status::CommandStatus;
use smpp::tlv::{Tag, TlvBuffer};

/// One optional parameter with a value that fits its tag.
#[derive(Clone, Debug)]
pub(crate) enum Parameter {
    Payload(Vec<u8>),
    ReceiptedMessageId(Vec<u8>),
    MessageState(u8),
    UserMessageReference(u16),
    Vendor(u16, Vec<u8>),
}

/// Everything that any PDU may hold; a PDU borrows what it needs.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) command_id: CommandId,
    pub(crate) status: CommandStatus,
    pub(crate) sequence: SequenceNumber,
    pub(crate) system_id: Vec<u8>,
    pub(crate) password: Vec<u8>,
    pub(crate) system_type: Vec<u8>,
    pub(crate) address_range: Vec<u8>,
    pub(crate) interface_version: u8,
    pub(crate) service_type: Vec<u8>,
    pub(crate) source: Vec<u8>,
    pub(crate) destination: Vec<u8>,
    /// Source and destination where they may be longer.
    pub(crate) wide: [Vec<u8>; 2],
    pub(crate) times: [Vec<u8>; 2],
    /// TON and NPI twice, then the message's other numbers in the order of the wire.
    pub(crate) numbers: [u8; 11],
    pub(crate) short_message: Vec<u8>,
    pub(crate) message_id: Vec<u8>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) tlvs: TlvBuffer,
}

pub(crate) const COMMANDS: [CommandId; 25] = [
    CommandId::GENERIC_NACK,
    CommandId::BIND_RECEIVER,
    CommandId::BIND_RECEIVER_RESP,
    CommandId::BIND_TRANSMITTER,
    CommandId::BIND_TRANSMITTER_RESP,
    CommandId::SUBMIT_SM,
    CommandId::SUBMIT_SM_RESP,
    CommandId::DELIVER_SM,
    CommandId::DELIVER_SM_RESP,
    CommandId::UNBIND,
    CommandId::UNBIND_RESP,
    CommandId::BIND_TRANSCEIVER,
    CommandId::BIND_TRANSCEIVER_RESP,
    CommandId::ENQUIRE_LINK,
    CommandId::ENQUIRE_LINK_RESP,
    CommandId::QUERY_SM,
    CommandId::QUERY_SM_RESP,
    CommandId::REPLACE_SM,
    CommandId::REPLACE_SM_RESP,
    CommandId::CANCEL_SM,
    CommandId::CANCEL_SM_RESP,
    CommandId::OUTBIND,
    CommandId::ALERT_NOTIFICATION,
    CommandId::DATA_SM,
    CommandId::DATA_SM_RESP,
];

impl Parts {
    pub(crate) fn pdu(&self) -> Pdu<'_> {
        Pdu { status: self.status, sequence: self.sequence, body: self.body() }
    }

    fn body(&self) -> Body<'_> {
        match self.command_id {
            CommandId::GENERIC_NACK => Body::GenericNack,
            CommandId::BIND_RECEIVER => Body::BindReceiver(self.bind()),
            CommandId::BIND_RECEIVER_RESP => Body::BindReceiverResp(self.bind_resp()),
            CommandId::BIND_TRANSMITTER => Body::BindTransmitter(self.bind()),
            CommandId::BIND_TRANSMITTER_RESP => Body::BindTransmitterResp(self.bind_resp()),
            CommandId::SUBMIT_SM => Body::SubmitSm(self.message()),
            CommandId::SUBMIT_SM_RESP if !self.status.is_ok() => Body::SubmitSmResp(SubmitSmResp::default()),
            CommandId::SUBMIT_SM_RESP => {
                Body::SubmitSmResp(SubmitSmResp { message_id: &self.message_id, tlvs: self.tlvs.as_tlvs() })
            }
            CommandId::DELIVER_SM => Body::DeliverSm(self.message()),
            CommandId::DELIVER_SM_RESP => Body::DeliverSmResp(DeliverSmResp { message_id: &self.message_id }),
            CommandId::UNBIND => Body::Unbind,
            CommandId::UNBIND_RESP => Body::UnbindResp,
            CommandId::BIND_TRANSCEIVER => Body::BindTransceiver(self.bind()),
            CommandId::BIND_TRANSCEIVER_RESP => Body::BindTransceiverResp(self.bind_resp()),
            CommandId::ENQUIRE_LINK => Body::EnquireLink,
            CommandId::ENQUIRE_LINK_RESP => Body::EnquireLinkResp,
            CommandId::QUERY_SM => {
                Body::QuerySm(QuerySm { message_id: &self.message_id, source: self.source(&self.source) })
            }
            CommandId::QUERY_SM_RESP => Body::QuerySmResp(QuerySmResp {
                message_id: &self.message_id,
                final_date: &self.times[0],
                message_state: MessageState(self.numbers[4]),
                error_code: self.numbers[5],
            }),
            CommandId::REPLACE_SM => Body::ReplaceSm(self.replacement()),
            CommandId::REPLACE_SM_RESP => Body::ReplaceSmResp,
            CommandId::CANCEL_SM => Body::CancelSm(CancelSm {
                service_type: &self.service_type,
                message_id: &self.message_id,
                source: self.source(&self.source),
                destination: self.destination(&self.destination),
            }),
            CommandId::CANCEL_SM_RESP => Body::CancelSmResp,
            CommandId::OUTBIND => {
                Body::Outbind(Outbind { system_id: &self.system_id, password: &self.password })
            }
            CommandId::ALERT_NOTIFICATION => Body::AlertNotification(AlertNotification {
                source: self.source(&self.wide[0]),
                esme: self.destination(&self.wide[1]),
                tlvs: self.tlvs.as_tlvs(),
            }),
            CommandId::DATA_SM => Body::DataSm(self.data()),
            CommandId::DATA_SM_RESP => {
                Body::DataSmResp(DataSmResp { message_id: &self.message_id, tlvs: self.tlvs.as_tlvs() })
            }
            other => unreachable!("{other} is not in COMMANDS"),
        }
    }

    fn bind(&self) -> Bind<'_> {
        Bind {
            system_id: &self.system_id,
            password: &self.password,
            system_type: &self.system_type,
            interface_version: self.interface_version,
            address_ton: Ton(self.numbers[0]),
            address_npi: Npi(self.numbers[1]),
            address_range: &self.address_range,
        }
    }

    fn bind_resp(&self) -> BindResp<'_> {
        if !self.status.is_ok() {
            return BindResp::default();
        }
        BindResp { system_id: &self.system_id, tlvs: self.tlvs.as_tlvs() }
    }

    fn source<'a>(&self, digits: &'a [u8]) -> Address<'a> {
        Address { ton: Ton(self.numbers[0]), npi: Npi(self.numbers[1]), digits }
    }

    fn destination<'a>(&self, digits: &'a [u8]) -> Address<'a> {
        Address { ton: Ton(self.numbers[2]), npi: Npi(self.numbers[3]), digits }
    }

    fn replacement(&self) -> ReplaceSm<'_> {
        ReplaceSm {
            message_id: &self.message_id,
            source: self.source(&self.source),
            schedule_delivery_time: &self.times[0],
            validity_period: &self.times[1],
            registered_delivery: self.numbers[7],
            sm_default_msg_id: self.numbers[10],
            short_message: &self.short_message,
        }
    }

    fn data(&self) -> DataSm<'_> {
        DataSm {
            service_type: &self.service_type,
            source: self.source(&self.wide[0]),
            destination: self.destination(&self.wide[1]),
            esm_class: EsmClass(self.numbers[4]),
            registered_delivery: self.numbers[7],
            data_coding: DataCoding(self.numbers[9]),
            tlvs: self.tlvs.as_tlvs(),
        }
    }

    fn message(&self) -> Message<'_> {
        let [_, _, _, _, rest @ ..] = self.numbers;
        let [
            esm_class,
            protocol_id,
            priority_flag,
            registered_delivery,
            replace_if_present_flag,
            coding,
            canned,
        ] = rest;
        Message {
            service_type: &self.service_type,
            source: self.source(&self.source),
            destination: self.destination(&self.destination),
            esm_class: EsmClass(esm_class),
            protocol_id,
            priority_flag,
            schedule_delivery_time: &self.times[0],
            validity_period: &self.times[1],
            registered_delivery,
            replace_if_present_flag,
            data_coding: DataCoding(coding),
            sm_default_msg_id: canned,
            short_message: &self.short_message,
            tlvs: self.tlvs.as_tlvs(),
        }
    }
}

/// A C-octet string of at most so many bytes, without its NUL.
fn string(bytes_max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(1u8..=127, 0..=bytes_max)
}

fn time() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(String::new()), "[0-9]{15}[-+R]"].prop_map(String::into_bytes)
}

fn parameter() -> impl Strategy<Value = Parameter> {
    prop_oneof![
        vec(any::<u8>(), 0..600).prop_map(Parameter::Payload),
        string(64).prop_map(Parameter::ReceiptedMessageId),
        (0u8..=9).prop_map(Parameter::MessageState),
        any::<u16>().prop_map(Parameter::UserMessageReference),
        (0x1400u16..=0x3FFF, vec(any::<u8>(), 0..20)).prop_map(|(tag, value)| Parameter::Vendor(tag, value)),
    ]
}

pub(crate) fn tlvs(parameters: &[Parameter]) -> TlvBuffer {
    let mut tlvs = TlvBuffer::new();
    for parameter in parameters {
        match parameter {
            Parameter::Payload(value) => tlvs.push(Tag::MESSAGE_PAYLOAD, value),
            Parameter::ReceiptedMessageId(id) => tlvs.push_c_string(Tag::RECEIPTED_MESSAGE_ID, id),
            Parameter::MessageState(state) => Ok(tlvs.push_u8(Tag::MESSAGE_STATE, *state)),
            Parameter::UserMessageReference(reference) => {
                Ok(tlvs.push_u16(Tag::USER_MESSAGE_REFERENCE, *reference))
            }
            Parameter::Vendor(tag, value) => tlvs.push(Tag(*tag), value),
        }
        .expect("the values are short, and without NUL where they may not have one");
    }
    tlvs
}

/// Any PDU; a response may carry an error.
pub(crate) fn parts() -> impl Strategy<Value = Parts> {
    let kind = (0..COMMANDS.len(), prop_oneof![Just(0u32), any::<u32>()], any::<u32>());
    let bind = (string(15), string(8), string(12), string(40), any::<u8>());
    let message = (string(5), string(20), string(20), [time(), time()], any::<[u8; 11]>());
    let content = (vec(any::<u8>(), 0..=254), string(64), vec(parameter(), 0..4));
    let wide = [string(64), string(64)];
    (kind, bind, message, content, wide).prop_map(|(kind, bind, message, content, wide)| {
        let command_id = COMMANDS[kind.0];
        let status = if command_id.is_response() { kind.1 } else { 0 };
        Parts {
            command_id,
            status: CommandStatus(status),
            sequence: SequenceNumber(kind.2),
            system_id: bind.0,
            password: bind.1,
            system_type: bind.2,
            address_range: bind.3,
            interface_version: bind.4,
            service_type: message.0,
            source: message.1,
            destination: message.2,
            wide,
            times: message.3,
            numbers: message.4,
            short_message: content.0,
            message_id: content.1,
            tlvs: tlvs(&content.2),
            parameters: content.2,
        }
    })
}
