//! The fields of PDUs, as errors name them, and the most bytes that each may have.

use std::fmt;

use crate::time::TIME_BYTES;

/// The most bytes of an address in `data_sm` and `alert_notification`, its NUL not counted (SMPP 3.4 §4.7.1,
/// §4.12.1).
pub(super) const WIDE_ADDRESS_BYTES_MAX: usize = 64;

macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident = $name:literal, $bytes_max:expr;)*) => {
        /// A field of a PDU, for errors.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Field {
            $($(#[$doc])* $field,)*
        }

        impl Field {
            /// The field's name as SMPP 3.4 writes it; the first one's for a group.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$field => $name,)*
                }
            }

            /// The most bytes that SMPP 3.4 allows in this string, its NUL not counted (§4); in an address of
            /// `data_sm`, [`WIDE_ADDRESS_BYTES_MAX`]. 0 for a group of numbers.
            pub(super) const fn bytes_max(self) -> usize {
                match self {
                    $(Self::$field => $bytes_max,)*
                }
            }
        }
    };
}

fields! {
    /// `system_id`.
    SystemId = "system_id", 15;
    /// `password`.
    Password = "password", 8;
    /// `system_type`.
    SystemType = "system_type", 12;
    /// `interface_version`, `addr_ton` and `addr_npi` of a bind.
    BindParameters = "interface_version", 0;
    /// `address_range`.
    AddressRange = "address_range", 40;
    /// `service_type`.
    ServiceType = "service_type", 5;
    /// `source_addr` with its TON and NPI.
    SourceAddress = "source_addr", 20;
    /// `destination_addr` with its TON and NPI.
    DestinationAddress = "destination_addr", 20;
    /// `esme_addr` with its TON and NPI.
    EsmeAddress = "esme_addr", WIDE_ADDRESS_BYTES_MAX;
    /// `esm_class` and the numbers beside it.
    MessageClass = "esm_class", 0;
    /// `schedule_delivery_time`.
    ScheduleDeliveryTime = "schedule_delivery_time", TIME_BYTES;
    /// `validity_period`.
    ValidityPeriod = "validity_period", TIME_BYTES;
    /// When a message came to its final state.
    FinalDate = "final_date", TIME_BYTES;
    /// `registered_delivery` and the numbers beside it.
    DeliveryOptions = "registered_delivery", 0;
    /// `sm_length` and `short_message`.
    ShortMessage = "short_message", 254;
    /// `message_id`.
    MessageId = "message_id", 64;
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
