//! Between frames and PDUs: [`decode`] is tolerant, [`encode`] is strict.
//!
//! Operators' SMSCs break SMPP 3.4 in well-known ways. Where what was meant is clear, the
//! PDU is accepted and the oddity named ([`Anomaly`]), so that it can be counted and shown
//! to the operator. Where it is not, a request gets an error response ([`DecodeError::reply`])
//! and the link stays up, since framing does not depend on a PDU's content.

mod decode;
mod encode;

use std::fmt;

pub use decode::{DecodeError, DecodeErrorKind, Decoded, decode};
pub use encode::{EncodeError, MESSAGE_BYTES_MAX, encode};

/// A deviation from SMPP 3.4 that [`decode`] accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Anomaly {
    /// A response with status 0 that should have had a body was a header only, or its body
    /// ended before its last field.
    MissingBody,
    /// Bytes after the end of a PDU that takes no optional parameters.
    StrayBytes,
    /// A string at the end of a response had no NUL.
    MissingNul,
    /// A string in a response was longer than its field.
    LongString,
    /// `source_addr` was not ASCII.
    NonAsciiAddress,
    /// A scheduled time, validity period or final date had neither 0 nor 16 characters.
    TimeLength,
    /// `short_message` had 255 bytes, one more than SMPP 3.4 allows.
    LongShortMessage,
    /// Fewer bytes than a TLV's tag and length after the last TLV; dropped.
    JunkAfterTlvs,
    /// A TLV went beyond the end of the PDU; dropped.
    TlvOverrun,
    /// `receipted_message_id` had no NUL.
    ReceiptedMessageIdWithoutNul,
    /// `message_state` did not have one byte.
    MessageStateLength,
}

impl Anomaly {
    /// Every anomaly, for tables of counters.
    pub const ALL: [Self; 11] = [
        Self::MissingBody,
        Self::StrayBytes,
        Self::MissingNul,
        Self::LongString,
        Self::NonAsciiAddress,
        Self::TimeLength,
        Self::LongShortMessage,
        Self::JunkAfterTlvs,
        Self::TlvOverrun,
        Self::ReceiptedMessageIdWithoutNul,
        Self::MessageStateLength,
    ];

    /// A short name in snake case, for metric labels and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MissingBody => "missing_body",
            Self::StrayBytes => "stray_bytes",
            Self::MissingNul => "missing_nul",
            Self::LongString => "long_string",
            Self::NonAsciiAddress => "non_ascii_address",
            Self::TimeLength => "time_length",
            Self::LongShortMessage => "long_short_message",
            Self::JunkAfterTlvs => "junk_after_tlvs",
            Self::TlvOverrun => "tlv_overrun",
            Self::ReceiptedMessageIdWithoutNul => "receipted_message_id_without_nul",
            Self::MessageStateLength => "message_state_length",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// The set of anomalies of one PDU.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Anomalies(u16);

const _: () = assert!(Anomaly::ALL.len() <= u16::BITS as usize);

impl Anomalies {
    /// No anomaly.
    pub const NONE: Self = Self(0);

    /// Whether the PDU was as SMPP 3.4 wants it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this anomaly was found.
    #[must_use]
    pub const fn contains(self, anomaly: Anomaly) -> bool {
        self.0 & anomaly.bit() != 0
    }

    /// The anomalies found, each once.
    pub fn iter(self) -> impl Iterator<Item = Anomaly> {
        Anomaly::ALL.into_iter().filter(move |&anomaly| self.contains(anomaly))
    }

    const fn add(&mut self, anomaly: Anomaly) {
        self.0 |= anomaly.bit();
    }
}

impl fmt::Debug for Anomalies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The most bytes of an address in `data_sm` and `alert_notification`, its NUL not counted
/// (SMPP 3.4 §4.7.1, §4.12.1).
const WIDE_ADDRESS_BYTES_MAX: usize = 64;

/// A field of a PDU, for errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// `system_id`.
    SystemId,
    /// `password`.
    Password,
    /// `system_type`.
    SystemType,
    /// `interface_version`, `addr_ton` and `addr_npi` of a bind.
    BindParameters,
    /// `address_range`.
    AddressRange,
    /// `service_type`.
    ServiceType,
    /// `source_addr` with its TON and NPI.
    SourceAddress,
    /// `destination_addr` with its TON and NPI.
    DestinationAddress,
    /// `esme_addr` with its TON and NPI.
    EsmeAddress,
    /// `esm_class` and the numbers beside it.
    MessageClass,
    /// `schedule_delivery_time`.
    ScheduleDeliveryTime,
    /// `validity_period`.
    ValidityPeriod,
    /// When a message came to its final state.
    FinalDate,
    /// `registered_delivery` and the numbers beside it.
    DeliveryOptions,
    /// `sm_length` and `short_message`.
    ShortMessage,
    /// `message_id`.
    MessageId,
}

impl Field {
    /// The field's name as SMPP 3.4 writes it; the first one's for a group.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SystemId => "system_id",
            Self::Password => "password",
            Self::SystemType => "system_type",
            Self::BindParameters => "interface_version",
            Self::AddressRange => "address_range",
            Self::ServiceType => "service_type",
            Self::SourceAddress => "source_addr",
            Self::DestinationAddress => "destination_addr",
            Self::EsmeAddress => "esme_addr",
            Self::MessageClass => "esm_class",
            Self::ScheduleDeliveryTime => "schedule_delivery_time",
            Self::ValidityPeriod => "validity_period",
            Self::FinalDate => "final_date",
            Self::DeliveryOptions => "registered_delivery",
            Self::ShortMessage => "short_message",
            Self::MessageId => "message_id",
        }
    }

    /// The most bytes that SMPP 3.4 allows in this string, its NUL not counted (§4); in an
    /// address of `data_sm`, [`WIDE_ADDRESS_BYTES_MAX`].
    const fn bytes_max(self) -> usize {
        match self {
            Self::SystemId => 15,
            Self::Password => 8,
            Self::SystemType => 12,
            Self::AddressRange => 40,
            Self::ServiceType => 5,
            Self::SourceAddress | Self::DestinationAddress => 20,
            Self::EsmeAddress => WIDE_ADDRESS_BYTES_MAX,
            Self::ScheduleDeliveryTime | Self::ValidityPeriod | Self::FinalDate => crate::time::TIME_BYTES,
            Self::ShortMessage => 254,
            Self::MessageId => 64,
            Self::BindParameters | Self::MessageClass | Self::DeliveryOptions => 0,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
