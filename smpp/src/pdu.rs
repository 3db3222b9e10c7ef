//! The PDUs of SMPP 3.4 as borrowed values.
//!
//! C-octet strings are slices without their NUL. Nothing here is checked: the codec accepts on decode what
//! the field sends and refuses on encode what SMPP 3.4 does not allow.

mod bodies;
mod fields;
mod ids;
mod shown;

use crate::status::CommandStatus;

pub use bodies::{
    AlertNotification, Bind, BindResp, CancelSm, DataSm, DataSmResp, DeliverSm, DeliverSmResp, Message,
    Outbind, QuerySm, QuerySmResp, ReplaceSm, SubmitSm, SubmitSmResp,
};
pub use fields::{
    Address, DataCoding, EsmClass, FINAL_RECEIPT, INTERFACE_VERSION, MessageState, NO_RECEIPT, Npi, Ton,
};
pub use ids::{CommandId, SequenceNumber};
pub(crate) use shown::Shown;

/// The first 16 bytes of every PDU (SMPP 3.4 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Length of the whole PDU in bytes, these 16 included.
    pub command_length: u32,
    /// The kind of PDU.
    pub command_id: CommandId,
    /// The outcome, in a response; 0 in a request.
    pub status: CommandStatus,
    /// Matches a response to its request.
    pub sequence: SequenceNumber,
}

/// A whole PDU, but for the lengths, which the encoder computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pdu<'a> {
    /// The outcome, in a response; `ESME_ROK` in a request.
    pub status: CommandStatus,
    /// Matches a response to its request.
    pub sequence: SequenceNumber,
    /// The kind of PDU and its fields.
    pub body: Body<'a>,
}

impl<'a> Pdu<'a> {
    /// A request, or a response that says `ESME_ROK`.
    #[must_use]
    pub const fn new(sequence: SequenceNumber, body: Body<'a>) -> Self {
        Self { status: CommandStatus::ESME_ROK, sequence, body }
    }

    /// A response with an outcome.
    #[must_use]
    pub const fn response(status: CommandStatus, sequence: SequenceNumber, body: Body<'a>) -> Self {
        Self { status, sequence, body }
    }
}

/// The kind of a PDU and its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// `bind_transmitter` (SMPP 3.4 §4.1.1).
    BindTransmitter(Bind<'a>),
    /// `bind_transmitter_resp` (SMPP 3.4 §4.1.2).
    BindTransmitterResp(BindResp<'a>),
    /// `bind_receiver` (SMPP 3.4 §4.1.3).
    BindReceiver(Bind<'a>),
    /// `bind_receiver_resp` (SMPP 3.4 §4.1.4).
    BindReceiverResp(BindResp<'a>),
    /// `bind_transceiver` (SMPP 3.4 §4.1.5).
    BindTransceiver(Bind<'a>),
    /// `bind_transceiver_resp` (SMPP 3.4 §4.1.6).
    BindTransceiverResp(BindResp<'a>),
    /// `outbind` (SMPP 3.4 §4.1.7).
    Outbind(Outbind<'a>),
    /// `unbind` (SMPP 3.4 §4.2.1).
    Unbind,
    /// `unbind_resp` (SMPP 3.4 §4.2.2).
    UnbindResp,
    /// `generic_nack` (SMPP 3.4 §4.3.1).
    GenericNack,
    /// `submit_sm` (SMPP 3.4 §4.4.1).
    SubmitSm(SubmitSm<'a>),
    /// `submit_sm_resp` (SMPP 3.4 §4.4.2).
    SubmitSmResp(SubmitSmResp<'a>),
    /// `deliver_sm` (SMPP 3.4 §4.6.1).
    DeliverSm(DeliverSm<'a>),
    /// `deliver_sm_resp` (SMPP 3.4 §4.6.2).
    DeliverSmResp(DeliverSmResp<'a>),
    /// `data_sm` (SMPP 3.4 §4.7.1).
    DataSm(DataSm<'a>),
    /// `data_sm_resp` (SMPP 3.4 §4.7.2).
    DataSmResp(DataSmResp<'a>),
    /// `query_sm` (SMPP 3.4 §4.8.1).
    QuerySm(QuerySm<'a>),
    /// `query_sm_resp` (SMPP 3.4 §4.8.2).
    QuerySmResp(QuerySmResp<'a>),
    /// `cancel_sm` (SMPP 3.4 §4.9.1).
    CancelSm(CancelSm<'a>),
    /// `cancel_sm_resp` (SMPP 3.4 §4.9.2).
    CancelSmResp,
    /// `replace_sm` (SMPP 3.4 §4.10.1).
    ReplaceSm(ReplaceSm<'a>),
    /// `replace_sm_resp` (SMPP 3.4 §4.10.2).
    ReplaceSmResp,
    /// `enquire_link` (SMPP 3.4 §4.11.1).
    EnquireLink,
    /// `enquire_link_resp` (SMPP 3.4 §4.11.2).
    EnquireLinkResp,
    /// `alert_notification` (SMPP 3.4 §4.12.1).
    AlertNotification(AlertNotification<'a>),
}

impl Body<'_> {
    /// The `command_id` that goes with this body.
    #[must_use]
    pub const fn command_id(&self) -> CommandId {
        match self {
            Self::BindTransmitter(_) => CommandId::BIND_TRANSMITTER,
            Self::BindTransmitterResp(_) => CommandId::BIND_TRANSMITTER_RESP,
            Self::BindReceiver(_) => CommandId::BIND_RECEIVER,
            Self::BindReceiverResp(_) => CommandId::BIND_RECEIVER_RESP,
            Self::BindTransceiver(_) => CommandId::BIND_TRANSCEIVER,
            Self::BindTransceiverResp(_) => CommandId::BIND_TRANSCEIVER_RESP,
            Self::Outbind(_) => CommandId::OUTBIND,
            Self::Unbind => CommandId::UNBIND,
            Self::UnbindResp => CommandId::UNBIND_RESP,
            Self::GenericNack => CommandId::GENERIC_NACK,
            Self::SubmitSm(_) => CommandId::SUBMIT_SM,
            Self::SubmitSmResp(_) => CommandId::SUBMIT_SM_RESP,
            Self::DeliverSm(_) => CommandId::DELIVER_SM,
            Self::DeliverSmResp(_) => CommandId::DELIVER_SM_RESP,
            Self::DataSm(_) => CommandId::DATA_SM,
            Self::DataSmResp(_) => CommandId::DATA_SM_RESP,
            Self::QuerySm(_) => CommandId::QUERY_SM,
            Self::QuerySmResp(_) => CommandId::QUERY_SM_RESP,
            Self::CancelSm(_) => CommandId::CANCEL_SM,
            Self::CancelSmResp => CommandId::CANCEL_SM_RESP,
            Self::ReplaceSm(_) => CommandId::REPLACE_SM,
            Self::ReplaceSmResp => CommandId::REPLACE_SM_RESP,
            Self::EnquireLink => CommandId::ENQUIRE_LINK,
            Self::EnquireLinkResp => CommandId::ENQUIRE_LINK_RESP,
            Self::AlertNotification(_) => CommandId::ALERT_NOTIFICATION,
        }
    }
}
