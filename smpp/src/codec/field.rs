//! The fields of PDUs, as errors name them, and the most bytes that each may have.

use std::fmt;

use crate::time::TIME_BYTES;

/// The most bytes of an address in `data_sm` and `alert_notification`, its NUL not counted (SMPP 3.4 §4.7.1,
/// §4.12.1).
pub(super) const WIDE_ADDRESS_BYTES_MAX: usize = 64;

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

    /// The most bytes that SMPP 3.4 allows in this string, its NUL not counted (§4); in an address of
    /// `data_sm`, [`WIDE_ADDRESS_BYTES_MAX`].
    pub(super) const fn bytes_max(self) -> usize {
        match self {
            Self::SystemId => 15,
            Self::Password => 8,
            Self::SystemType => 12,
            Self::AddressRange => 40,
            Self::ServiceType => 5,
            Self::SourceAddress | Self::DestinationAddress => 20,
            Self::EsmeAddress => WIDE_ADDRESS_BYTES_MAX,
            Self::ScheduleDeliveryTime | Self::ValidityPeriod | Self::FinalDate => TIME_BYTES,
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
