//! Fields that several PDUs share, each a newtype over its wire code.

use std::fmt;

/// Type of number (SMPP 3.4 §5.2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ton(pub u8);

impl Ton {
    /// Not known to the sender.
    pub const UNKNOWN: Self = Self(0);
    /// International: country code and number, without `+`.
    pub const INTERNATIONAL: Self = Self(1);
    /// Without the country code.
    pub const NATIONAL: Self = Self(2);
    /// Network specific; some SMSCs want it for short codes.
    pub const NETWORK_SPECIFIC: Self = Self(3);
    /// Alphanumeric: a sender's name of at most 11 characters.
    pub const ALPHANUMERIC: Self = Self(5);
}

/// Numbering plan indicator (SMPP 3.4 §5.2.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Npi(pub u8);

impl Npi {
    /// Unknown; goes with alphanumeric senders.
    pub const UNKNOWN: Self = Self(0);
    /// ISDN (E.163/E.164): telephone numbers.
    pub const ISDN: Self = Self(1);
}

/// Where a message comes from or goes to. `Debug` shows the last two characters only.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Address<'a> {
    /// Type of number.
    pub ton: Ton,
    /// Numbering plan indicator.
    pub npi: Npi,
    /// The number or name, at most 20 bytes, or 64 in `data_sm` and `alert_notification`; an SMSC may send
    /// any bytes.
    pub digits: &'a [u8],
}

impl<'a> Address<'a> {
    /// An international telephone number: country code and number, digits only.
    #[must_use]
    pub const fn international(digits: &'a [u8]) -> Self {
        Self { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits }
    }

    /// A sender's name, at most 11 characters.
    #[must_use]
    pub const fn alphanumeric(name: &'a [u8]) -> Self {
        Self { ton: Ton::ALPHANUMERIC, npi: Npi::UNKNOWN, digits: name }
    }
}

impl fmt::Debug for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.digits[self.digits.len().saturating_sub(2)..];
        write!(f, "{}/{}:*{}", self.ton.0, self.npi.0, shown.escape_ascii())
    }
}

/// How a message is to be treated, and what it is (SMPP 3.4 §5.2.12).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct EsmClass(pub u8);

impl EsmClass {
    /// A plain message, sent in the SMSC's default mode.
    pub const DEFAULT: Self = Self(0);
    /// The message starts with a user data header.
    pub const UDHI: Self = Self(0x40);
    /// An SMSC's delivery receipt.
    pub const RECEIPT: Self = Self(0x04);

    /// Bits 5–2: the message type.
    const TYPE_MASK: u8 = 0x3C;
    /// Bit 5: an intermediate delivery notification. Some SMSCs set it on receipts too.
    const INTERMEDIATE: u8 = 0x20;

    /// Whether the message starts with a user data header.
    #[must_use]
    pub const fn has_udh(self) -> bool {
        self.0 & Self::UDHI.0 != 0
    }

    /// Whether this is an SMSC's delivery receipt: the message type's bits 4–2 are 001, whatever the mode,
    /// the GSM features and the intermediate bit say (0x04, 0x24, 0x44).
    #[must_use]
    pub const fn is_receipt(self) -> bool {
        self.0 & Self::TYPE_MASK & !Self::INTERMEDIATE == Self::RECEIPT.0
    }
}

impl fmt::Debug for EsmClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EsmClass(0x{:02X})", self.0)
    }
}

/// How a message's text is coded (SMPP 3.4 §5.2.19).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct DataCoding(pub u8);

impl DataCoding {
    /// The SMSC's default alphabet: GSM 7-bit with nearly all operators.
    pub const DEFAULT: Self = Self(0);
    /// IA5 (CCITT T.50) / ASCII.
    pub const ASCII: Self = Self(1);
    /// ISO 8859-1.
    pub const LATIN_1: Self = Self(3);
    /// UCS-2, big endian.
    pub const UCS2: Self = Self(8);
}

impl fmt::Debug for DataCoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataCoding(0x{:02X})", self.0)
    }
}

/// `registered_delivery` that asks for no receipt (SMPP 3.4 §5.2.17).
pub const NO_RECEIPT: u8 = 0;
/// `registered_delivery` that asks for a receipt of the final outcome, good or bad (SMPP 3.4 §5.2.17).
pub const FINAL_RECEIPT: u8 = 1;

/// The state of a message at the SMSC (SMPP 3.4 §5.2.28). Values without a name here survive as their number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageState(pub u8);

impl MessageState {
    /// On its way. Also `BUFFRED`, which some SMSCs write.
    pub const ENROUTE: Self = Self(1);
    /// On the handset.
    pub const DELIVERED: Self = Self(2);
    /// Its validity period passed before it could be delivered.
    pub const EXPIRED: Self = Self(3);
    /// Deleted at the SMSC before it could be delivered.
    pub const DELETED: Self = Self(4);
    /// Cannot be delivered. Also `FAILED`, which some SMSCs write.
    pub const UNDELIVERABLE: Self = Self(5);
    /// Accepted; with most SMSCs, on its way.
    pub const ACCEPTED: Self = Self(6);
    /// The SMSC does not know.
    pub const UNKNOWN: Self = Self(7);
    /// Rejected by the SMSC or the network.
    pub const REJECTED: Self = Self(8);

    /// The name in a receipt's text: `DELIVRD`. `UNKNOWN` for a value without one.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::ENROUTE => "ENROUTE",
            Self::DELIVERED => "DELIVRD",
            Self::EXPIRED => "EXPIRED",
            Self::DELETED => "DELETED",
            Self::UNDELIVERABLE => "UNDELIV",
            Self::ACCEPTED => "ACCEPTD",
            Self::REJECTED => "REJECTD",
            _ => "UNKNOWN",
        }
    }

    /// The state that a receipt's text names, in any case; `None` for other words.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        const NAMES: [(&[u8], MessageState); 10] = [
            (b"DELIVRD", MessageState::DELIVERED),
            (b"UNDELIV", MessageState::UNDELIVERABLE),
            (b"EXPIRED", MessageState::EXPIRED),
            (b"REJECTD", MessageState::REJECTED),
            (b"ACCEPTD", MessageState::ACCEPTED),
            (b"ENROUTE", MessageState::ENROUTE),
            (b"DELETED", MessageState::DELETED),
            (b"UNKNOWN", MessageState::UNKNOWN),
            (b"FAILED", MessageState::UNDELIVERABLE),
            (b"BUFFRED", MessageState::ENROUTE),
        ];
        NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|&(_, state)| state)
    }
}

impl fmt::Debug for MessageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.0)
    }
}

/// SMPP 3.4 in `interface_version` and `sc_interface_version` (SMPP 3.4 §5.2.4).
pub const INTERFACE_VERSION: u8 = 0x34;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d9_receipts_are_told_from_messages_by_type_alone() {
        for class in [0x04, 0x24, 0x44, 0x84, 0x64, 0x07] {
            assert!(EsmClass(class).is_receipt(), "0x{class:02X}");
        }
        for class in [0x00, 0x03, 0x08, 0x0C, 0x10, 0x14, 0x18, 0x1C, 0x20, 0x40, 0x60, 0x80, 0xC0] {
            assert!(!EsmClass(class).is_receipt(), "0x{class:02X}");
        }
    }

    #[test]
    fn a_state_that_is_written_is_read_again() {
        for state in (1..=8).map(MessageState) {
            assert_eq!(MessageState::from_text(state.text().as_bytes()), Some(state));
        }
        assert_eq!(MessageState(9).text(), "UNKNOWN");
    }
}
