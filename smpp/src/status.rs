//! `command_status`: what a response says about its request (SMPP 3.4 §5.1.3).

use std::fmt;

/// A `command_status`. Values without a name here (vendors use 0x400–0x4FF) survive as their number.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandStatus(pub u32);

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        impl CommandStatus {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// The name that SMPP 3.4 gives this value, if it has one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }

        #[cfg(test)]
        const NAMED: &[CommandStatus] = &[$(CommandStatus::$name),*];
    };
}

statuses! {
    /// No error.
    ESME_ROK = 0x0000_0000;
    /// Message length is invalid.
    ESME_RINVMSGLEN = 0x0000_0001;
    /// Command length is invalid.
    ESME_RINVCMDLEN = 0x0000_0002;
    /// Invalid command id.
    ESME_RINVCMDID = 0x0000_0003;
    /// Incorrect bind status for the given command.
    ESME_RINVBNDSTS = 0x0000_0004;
    /// ESME already in bound state.
    ESME_RALYBND = 0x0000_0005;
    /// Invalid priority flag.
    ESME_RINVPRTFLG = 0x0000_0006;
    /// Invalid registered delivery flag.
    ESME_RINVREGDLVFLG = 0x0000_0007;
    /// System error.
    ESME_RSYSERR = 0x0000_0008;
    /// Invalid source address.
    ESME_RINVSRCADR = 0x0000_000A;
    /// Invalid destination address.
    ESME_RINVDSTADR = 0x0000_000B;
    /// Message id is invalid.
    ESME_RINVMSGID = 0x0000_000C;
    /// Bind failed.
    ESME_RBINDFAIL = 0x0000_000D;
    /// Invalid password.
    ESME_RINVPASWD = 0x0000_000E;
    /// Invalid system id.
    ESME_RINVSYSID = 0x0000_000F;
    /// Cancel SM failed.
    ESME_RCANCELFAIL = 0x0000_0011;
    /// Replace SM failed.
    ESME_RREPLACEFAIL = 0x0000_0013;
    /// Message queue full.
    ESME_RMSGQFUL = 0x0000_0014;
    /// Invalid service type.
    ESME_RINVSERTYP = 0x0000_0015;
    /// Invalid number of destinations.
    ESME_RINVNUMDESTS = 0x0000_0033;
    /// Invalid distribution list name.
    ESME_RINVDLNAME = 0x0000_0034;
    /// Destination flag is invalid.
    ESME_RINVDESTFLAG = 0x0000_0040;
    /// Invalid "submit with replace" request.
    ESME_RINVSUBREP = 0x0000_0042;
    /// Invalid `esm_class` field data.
    ESME_RINVESMCLASS = 0x0000_0043;
    /// Cannot submit to distribution list.
    ESME_RCNTSUBDL = 0x0000_0044;
    /// `submit_sm` or `submit_multi` failed.
    ESME_RSUBMITFAIL = 0x0000_0045;
    /// Invalid source address TON.
    ESME_RINVSRCTON = 0x0000_0048;
    /// Invalid source address NPI.
    ESME_RINVSRCNPI = 0x0000_0049;
    /// Invalid destination address TON.
    ESME_RINVDSTTON = 0x0000_0050;
    /// Invalid destination address NPI.
    ESME_RINVDSTNPI = 0x0000_0051;
    /// Invalid `system_type` field.
    ESME_RINVSYSTYP = 0x0000_0053;
    /// Invalid `replace_if_present` flag.
    ESME_RINVREPFLAG = 0x0000_0054;
    /// Invalid number of messages.
    ESME_RINVNUMMSGS = 0x0000_0055;
    /// Throttled: the ESME has exceeded its allowed message limits.
    ESME_RTHROTTLED = 0x0000_0058;
    /// Invalid scheduled delivery time.
    ESME_RINVSCHED = 0x0000_0061;
    /// Invalid message validity period (expiry time).
    ESME_RINVEXPIRY = 0x0000_0062;
    /// Predefined message invalid or not found.
    ESME_RINVDFTMSGID = 0x0000_0063;
    /// Receiver: temporary application error.
    ESME_RX_T_APPN = 0x0000_0064;
    /// Receiver: permanent application error.
    ESME_RX_P_APPN = 0x0000_0065;
    /// Receiver: message rejected.
    ESME_RX_R_APPN = 0x0000_0066;
    /// `query_sm` request failed.
    ESME_RQUERYFAIL = 0x0000_0067;
    /// Error in the optional part of the PDU body.
    ESME_RINVOPTPARSTREAM = 0x0000_00C0;
    /// Optional parameter not allowed.
    ESME_ROPTPARNOTALLWD = 0x0000_00C1;
    /// Invalid parameter length.
    ESME_RINVPARLEN = 0x0000_00C2;
    /// Expected optional parameter missing.
    ESME_RMISSINGOPTPARAM = 0x0000_00C3;
    /// Invalid optional parameter value.
    ESME_RINVOPTPARAMVAL = 0x0000_00C4;
    /// Delivery failure (used for `data_sm_resp`).
    ESME_RDELIVERYFAILURE = 0x0000_00FE;
    /// Unknown error.
    ESME_RUNKNOWNERR = 0x0000_00FF;
}

impl CommandStatus {
    /// Whether the request succeeded.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        self.0 == Self::ESME_ROK.0
    }
}

impl fmt::Display for CommandStatus {
    /// The name and the number, or only the number: `ESME_RTHROTTLED (0x58)`, `0x401`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} (0x{:X})", self.0),
            None => write!(f, "0x{:X}", self.0),
        }
    }
}

impl fmt::Debug for CommandStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_status_shows_its_name_and_number() {
        assert_eq!(CommandStatus(0x58).to_string(), "ESME_RTHROTTLED (0x58)");
        assert_eq!(CommandStatus::default().to_string(), "ESME_ROK (0x0)");
    }

    #[test]
    fn an_unknown_status_shows_its_number() {
        assert_eq!(CommandStatus(0x401).name(), None);
        assert_eq!(CommandStatus(0x401).to_string(), "0x401");
    }

    #[test]
    fn values_and_names_are_distinct() {
        let values: std::collections::HashSet<_> = NAMED.iter().map(|status| status.0).collect();
        let names: std::collections::HashSet<_> = NAMED.iter().map(|status| status.name()).collect();
        assert_eq!((values.len(), names.len()), (NAMED.len(), NAMED.len()));
    }

    #[test]
    fn only_zero_is_ok() {
        assert!(CommandStatus(0).is_ok());
        assert!(NAMED.iter().filter(|status| status.is_ok()).count() == 1);
    }
}
