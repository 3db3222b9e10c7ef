//! The sections of a behaviour: how submits are answered, what receipts look like, how sessions are.

use std::time::Duration;

use serde::{Serialize, Serializer};
use settings::{Entry, Section, Setting, optional, own, settings};
use smpp::pdu::MessageState;
use smpp::status::CommandStatus;

use super::values::{Delay, Percent, Span, Stat, States, Status, TimeZone, Word};
use crate::rate::RATE_MAX;

/// Makes a section, and the part of it that a rule may change: the same fields, each of which may be absent.
macro_rules! section {
    (
        $(#[$meta:meta])*
        pub(crate) struct $section:ident, $part:ident {
            $( $(#[doc = $doc:literal])* $field:ident : $type:ty $([$form:expr])? = $default:expr, )*
        }
    ) => {
        settings! {
            $(#[$meta])*
            #[derive(Serialize)]
            pub(crate) struct $section { $( $(#[doc = $doc])* pub(crate) $field: $type $([$form])? = $default, )* }
        }

        /// What a rule changes of the section; the rest stays as the section says.
        #[derive(Clone, Debug, Default, PartialEq, Serialize)]
        pub(crate) struct $part {
            $( $(#[doc = $doc])* #[serde(skip_serializing_if = "Option::is_none")] pub(crate) $field: Option<$type>, )*
        }

        impl $part {
            pub(crate) fn read(section: &Section<'_>) -> Self {
                Self { $( $field: section.get(stringify!($field), settings::form_of!($type $([$form])?)), )* }
            }

            /// The section with this part's changes.
            pub(crate) fn over(&self, section: &$section) -> $section {
                $section { $( $field: self.$field.clone().unwrap_or_else(|| section.$field.clone()), )* }
            }

            pub(crate) fn is_empty(&self) -> bool {
                $( self.$field.is_none() )&&*
            }
        }
    };
}

/// Makes an enum of words that is written as it is read.
macro_rules! words {
    ($(#[$meta:meta])* pub(crate) enum $name:ident { $($body:tt)* }) => {
        settings::words! { $(#[$meta])* pub(crate) enum $name { $($body)* } }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
}

section! {
    /// `[submit]`: what becomes of a submit_sm or data_sm, and its answer.
    pub(crate) struct Submit, SubmitPart {
        /// The answer's status. With any other than `ESME_ROK`, the message is not accepted: no handset shows
        /// it, no receipt follows.
        status: Status = Status(CommandStatus::ESME_ROK),
        /// From the submit to its answer.
        latency: Delay = Delay::ZERO,
        /// Submits a second that are taken, a tenth of them at once; those beyond get `limit_status`. 0: any.
        rate: u32 [0..=RATE_MAX] = 0,
        /// Destinations with the same so many first digits have the rate for themselves. 0: all have it together.
        rate_digits: usize [0..=20] = 0,
        /// Whether and how the answer comes.
        response: Response = Response::Once,
        /// Whether the connection ends with the answer, or instead of it.
        disconnect: Disconnect = Disconnect::Never,
        /// How the answer writes the message's id.
        message_id: IdForm = IdForm::Hex,
        /// What is wrong with the answer's bytes.
        malformed: Malformed = Malformed::No,
        /// From the submit to the handset. A message that expires meanwhile is never shown; one that waits
        /// can be queried, cancelled and replaced.
        delivery_delay: Delay = Delay::ZERO,
    }
}

section! {
    /// `[receipts]`: the delivery receipts of those who ask for them.
    pub(crate) struct Receipts, ReceiptsPart {
        /// How often each receipt is sent: 0 loses it, 2 doubles it.
        copies: u32 [0..=10] = 1,
        /// From the answer, or from the receipt of the state before.
        delay: Delay = Delay::ZERO,
        /// The states that the message goes through, each with a receipt.
        states: States = States::default(),
        /// Whether receipts wait for the submit's answer.
        timing: Timing = Timing::AfterResponse,
        /// Which session carries them.
        bind: Carrier = Carrier::Same,
        /// How they write the message's id, against the answer's way.
        id: ReceiptId = ReceiptId::Same,
        /// Where the id is.
        id_in: IdPlace = IdPlace::Both,
        /// What carries the text.
        form: Form = Form::ShortMessage,
        /// 0x04 says receipt; others set the intermediate bit (0x24) or that of a header (0x44), too.
        esm_class: u8 [0..=255] = 0x04,
        /// The parameter message_state.
        message_state: StateTlv = StateTlv::Same,
        /// How the last field's name is written.
        text_label: TextLabel = TextLabel::Lower,
        /// Whether `sub:` and `dlvrd:` are there.
        counts: bool = true,
        /// What follows `err:`.
        err: Word<8> = Word::new("000").expect("three digits"),
        /// How dates are written.
        dates: Dates = Dates::Minutes,
        /// The time zone of the dates.
        time_zone: TimeZone = TimeZone::default(),
        /// What is wrong with the receipt's bytes.
        malformed: Malformed = Malformed::No,
    }
}

words! {
    /// Whether and how an answer comes.
    pub(crate) enum Response {
        /// Once, as it should.
        Once = "once",
        /// Never: the submit stays in doubt.
        None = "none",
        /// Twice, the second right after the first.
        Twice = "twice",
        /// Once, and once more for a sequence number that nobody used.
        UnknownSequence = "unknown_sequence",
        /// generic_nack with the submit's sequence number, instead.
        GenericNack = "generic_nack",
        /// generic_nack with sequence number 0, instead.
        GenericNackZero = "generic_nack_zero",
    }
}

words! {
    /// Whether a connection ends.
    pub(crate) enum Disconnect {
        /// It stays.
        Never = "never",
        /// When the answer would be due, without it.
        BeforeResponse = "before_response",
        /// After the answer.
        AfterResponse = "after_response",
    }
}

words! {
    /// How a message id is written. All but the last four tell which message is meant.
    #[repr(u8)]
    pub(crate) enum IdForm {
        /// 16 hexadecimal digits: `9d2f61c40000000a`.
        Hex = "hex",
        /// The same in capitals: `9D2F61C40000000A`.
        HexUpper = "hex_upper",
        /// Decimal, without leading zeros: `11326233066013818890`.
        Decimal = "decimal",
        /// Decimal with zeros up to 20 digits: `00000000000000000042`.
        LeadingZeros = "leading_zeros",
        /// A UUID: `9d2f61c4-0000-4000-8000-00000000000a`.
        Uuid = "uuid",
        /// An empty string.
        Empty = "empty",
        /// No body at all: only a header.
        Missing = "missing",
        /// 65 characters, one more than the field has.
        TooLong = "too_long",
        /// With bytes that are not ASCII.
        NonAscii = "non_ascii",
    }
}

words! {
    /// What is wrong with a PDU's bytes.
    pub(crate) enum Malformed {
        /// Nothing.
        No = "no",
        /// The body ends early; `command_length` agrees.
        TruncatedBody = "truncated_body",
        /// A request of an unknown `command_id` goes before the PDU.
        UnknownCommand = "unknown_command",
        /// `command_length` says 15, less than a header has.
        LengthTooShort = "length_too_short",
        /// `command_length` says 2³¹.
        LengthTooLong = "length_too_long",
        /// Three bytes follow the last parameter.
        JunkAfterTlvs = "junk_after_tlvs",
        /// The last parameter says that it is longer than the PDU.
        TlvOverrun = "tlv_overrun",
    }
}

words! {
    /// Whether receipts wait for the answer.
    pub(crate) enum Timing {
        /// They come after it.
        AfterResponse = "after_response",
        /// They come before it, unless their delay is longer than its latency.
        BeforeResponse = "before_response",
    }
}

words! {
    /// Which session carries receipts.
    pub(crate) enum Carrier {
        /// The submitting one if it receives, else another of the same system_id.
        Same = "same",
        /// Another of the same system_id, if there is one.
        Another = "another",
    }
}

words! {
    /// How receipts write the id.
    pub(crate) enum ReceiptId {
        /// As the answer did.
        Same = "same",
        /// As [`IdForm::Hex`].
        Hex = "hex",
        /// As [`IdForm::HexUpper`].
        HexUpper = "hex_upper",
        /// As [`IdForm::Decimal`].
        Decimal = "decimal",
        /// As [`IdForm::LeadingZeros`].
        LeadingZeros = "leading_zeros",
        /// An id that no message ever had.
        Unknown = "unknown",
    }
}

words! {
    /// Where a receipt has the id.
    pub(crate) enum IdPlace {
        /// In the text and in the parameter receipted_message_id.
        Both = "both",
        /// Only in the text.
        Text = "text",
        /// Only in the parameter.
        Tlv = "tlv",
    }
}

words! {
    /// What carries a receipt's text.
    pub(crate) enum Form {
        /// The short_message of a deliver_sm.
        ShortMessage = "short_message",
        /// The parameter message_payload of a deliver_sm.
        MessagePayload = "message_payload",
        /// Nothing: a deliver_sm with only parameters.
        TlvsOnly = "tlvs_only",
        /// The parameter message_payload of a data_sm.
        DataSm = "data_sm",
    }
}

words! {
    /// The parameter message_state.
    pub(crate) enum StateTlv {
        /// As the text says.
        Same = "same",
        /// Not there.
        Absent = "absent",
        /// 0, which SMPP 5.0 calls scheduled.
        Scheduled = "scheduled",
        /// 9, which SMPP 5.0 calls skipped.
        Skipped = "skipped",
        /// The right state in two bytes instead of one.
        TwoBytes = "two_bytes",
    }
}

impl StateTlv {
    pub(crate) const fn value(self, state: MessageState) -> Option<MessageState> {
        match self {
            Self::Same | Self::TwoBytes => Some(state),
            Self::Absent => None,
            Self::Scheduled => Some(MessageState(0)),
            Self::Skipped => Some(MessageState(9)),
        }
    }
}

words! {
    /// How a receipt names its last field.
    pub(crate) enum TextLabel {
        /// `text:`
        Lower = "text:",
        /// `Text:`
        Upper = "Text:",
    }
}

words! {
    /// How a receipt writes dates.
    pub(crate) enum Dates {
        /// To the minute, as in SMPP 3.4's appendix B.
        Minutes = "yyMMddHHmm",
        /// To the second.
        Seconds = "yyMMddHHmmss",
        /// To the second, with the century.
        Century = "yyyyMMddHHmmss",
        /// Ten zeros.
        Zeros = "zeros",
    }
}

settings! {
    /// `[session]`: how binds are answered, and how sessions are.
    #[derive(Serialize)]
    pub(crate) struct Session {
        /// What comes of a bind whose credentials are right.
        pub(crate) bind: BindOutcome = BindOutcome::Accept,
        /// The status of a bind that is refused.
        pub(crate) bind_status: Status = Status(CommandStatus::ESME_RBINDFAIL),
        /// Which share of the binds `bind` is for; the others are accepted.
        pub(crate) bind_percent: Percent = Percent::ALL,
        /// How many binds `bind` is for, counted from when this behaviour began; those after are accepted.
        /// All, if absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) bind_first: Option<u32> [optional(1..=u32::MAX)] = None,
        /// What the response to an accepted bind looks like.
        pub(crate) bind_response: BindResponse = BindResponse::Full,
        /// The parameter sc_interface_version in it.
        pub(crate) interface_version: InterfaceVersion = InterfaceVersion::V34,
        /// The status of a submit beyond the window or the rate of its system_id.
        pub(crate) limit_status: Status = Status(CommandStatus::ESME_RTHROTTLED),
        /// What becomes of the ESME's enquire_link.
        pub(crate) enquire_link: EnquireLink = EnquireLink::Answer,
        /// After this many submits, a session reads and says nothing more, and stays open for two minutes.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) half_open_after: Option<u32> [optional(1..=u32::MAX)] = None,
        /// After this many submits, the SMSC unbinds.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) unbind_after: Option<u32> [optional(1..=u32::MAX)] = None,
        /// After this many submits, the connection ends without a word.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) disconnect_after: Option<u32> [optional(1..=u32::MAX)] = None,
        /// Everything the SMSC says trickles.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) dribble: Option<Dribble> [optional(own())] = None,
    }
}

words! {
    /// What comes of a bind.
    pub(crate) enum BindOutcome {
        /// It is accepted.
        Accept = "accept",
        /// It is refused, and the connection closed.
        Refuse = "refuse",
        /// Nothing: no response ever comes.
        Silence = "silence",
    }
}

words! {
    /// What a bind's response looks like.
    pub(crate) enum BindResponse {
        /// With system_id and parameters.
        Full = "full",
        /// Only a header.
        HeaderOnly = "header_only",
        /// With a deliver_sm in the same write, where the session receives.
        WithDeliverSm = "with_deliver_sm",
    }
}

words! {
    /// The parameter sc_interface_version.
    pub(crate) enum InterfaceVersion {
        /// SMPP 3.3.
        V33 = "0x33",
        /// SMPP 3.4.
        V34 = "0x34",
        /// SMPP 5.0.
        V50 = "0x50",
        /// Not there.
        Absent = "absent",
    }
}

impl InterfaceVersion {
    pub(crate) const fn value(self) -> Option<u8> {
        match self {
            Self::V33 => Some(0x33),
            Self::V34 => Some(0x34),
            Self::V50 => Some(0x50),
            Self::Absent => None,
        }
    }
}

words! {
    /// What becomes of an enquire_link.
    pub(crate) enum EnquireLink {
        /// It is answered.
        Answer = "answer",
        /// It is not.
        Ignore = "ignore",
    }
}

settings! {
    /// How what the SMSC says trickles.
    #[derive(Copy, Serialize)]
    pub(crate) struct Dribble {
        /// Bytes at a time.
        pub(crate) bytes: usize [1..=65_536] = 1,
        /// Between one time and the next.
        pub(crate) interval: Span = Span::new(Duration::from_millis(1)),
    }
}

impl Setting for Dribble {
    fn allowed() -> String {
        "a table with bytes and interval".into()
    }

    fn read(entry: &Entry<'_>) -> Option<Self> {
        let section = Section::of(entry).or_else(|| entry.refuse(<Self as Setting>::allowed()))?;
        Some(Self::read(&section))
    }
}

impl Receipts {
    /// The word of the last state.
    pub(crate) fn last(&self) -> Stat {
        self.states.words().last().copied().unwrap_or(Stat::DELIVRD)
    }
}
