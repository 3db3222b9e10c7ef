//! The status of an answer.

use std::fmt;

use smpp::status::CommandStatus;

use super::{Phrase, phrase};

/// A `command_status`, by its name in SMPP 3.4 or its number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status(pub(crate) CommandStatus);

/// The numbers that a named status can have: SMPP 3.4's end at 0xFF.
const NAMED_STATUS_MAX: u32 = 0xFF;

impl Phrase for Status {
    const ALLOWED: &'static str =
        "a status of SMPP 3.4 by name (\"ESME_RTHROTTLED\") or by number (\"0x58\", up to \"0xFFFFFFFF\")";

    fn parse(written: &str) -> Option<Self> {
        if let Some(digits) = written.strip_prefix("0x") {
            return u32::from_str_radix(digits, 16).ok().map(|number| Self(CommandStatus(number)));
        }
        let named = |number| CommandStatus(number).name() == Some(written);
        (0..=NAMED_STATUS_MAX).find(|number| named(*number)).map(|number| Self(CommandStatus(number)))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:X}", self.0.0),
        }
    }
}

phrase!(Status);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for written in ["ESME_ROK", "ESME_RTHROTTLED", "0x401"] {
            assert_eq!(Status::parse(written).unwrap().to_string(), written);
        }
        assert_eq!(Status::parse("0x58"), Some(Status(CommandStatus::ESME_RTHROTTLED)));
    }

    #[test]
    fn what_makes_no_sense_is_not_read() {
        for written in ["ESME_WHAT", "58", "0x", "0x1FFFFFFFF"] {
            assert_eq!(Status::parse(written), None, "{written}");
        }
    }
}
