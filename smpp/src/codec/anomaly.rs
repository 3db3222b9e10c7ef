//! What the decoder accepts although SMPP 3.4 does not allow it.

use std::fmt;

macro_rules! anomalies {
    ($($(#[$doc:meta])* $anomaly:ident = $name:literal;)*) => {
        /// A deviation from SMPP 3.4 that [`decode`](super::decode) accepted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Anomaly {
            $($(#[$doc])* $anomaly,)*
        }

        impl Anomaly {
            /// Every anomaly, for tables of counters.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$anomaly),*];

            /// A short name in snake case, for metric labels and logs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$anomaly => $name,)*
                }
            }

            const fn bit(self) -> u16 {
                1 << self as u16
            }
        }
    };
}

anomalies! {
    /// A response with status 0 that should have had a body was a header only, or its body ended before its
    /// last field.
    MissingBody = "missing_body";
    /// Bytes after the end of a PDU that takes no optional parameters.
    StrayBytes = "stray_bytes";
    /// A string at the end of a response had no NUL.
    MissingNul = "missing_nul";
    /// A string in a response was longer than its field.
    LongString = "long_string";
    /// `source_addr` was not ASCII.
    NonAsciiAddress = "non_ascii_address";
    /// A scheduled time, validity period or final date had neither 0 nor 16 characters.
    TimeLength = "time_length";
    /// `short_message` had 255 bytes, one more than SMPP 3.4 allows.
    LongShortMessage = "long_short_message";
    /// Fewer bytes than a TLV's tag and length after the last TLV; dropped.
    JunkAfterTlvs = "junk_after_tlvs";
    /// A TLV went beyond the end of the PDU; dropped.
    TlvOverrun = "tlv_overrun";
    /// `receipted_message_id` had no NUL.
    ReceiptedMessageIdWithoutNul = "receipted_message_id_without_nul";
    /// `message_state` did not have one byte.
    MessageStateLength = "message_state_length";
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

    pub(super) const fn add(&mut self, anomaly: Anomaly) {
        self.0 |= anomaly.bit();
    }
}

impl fmt::Debug for Anomalies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
