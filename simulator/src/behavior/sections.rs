//! The sections of a behaviour: how submits are answered, what receipts look
//! like, how sessions are.

use super::values::{Count, Delay, Percent, Span, Stat, States, Status, TimeZone, Word};
use serde::{Deserialize, Serialize};
use smpp::pdu::MessageState;
use smpp::status::CommandStatus;
use std::time::Duration;

/// Makes a section, and the part of it that a rule may change: the same fields,
/// each of which may be absent.
macro_rules! section {
    (
        $(#[$meta:meta])*
        pub struct $section:ident, $part:ident {
            $( $(#[doc = $doc:literal])* $field:ident : $type:ty = $default:expr, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $section { $( $(#[doc = $doc])* pub $field: $type, )* }

        impl Default for $section {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        /// What a rule changes of the section; the rest stays as the section says.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $part {
            $( $(#[doc = $doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>, )*
        }

        impl $part {
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

section! {
    /// `[submit]`: what becomes of a submit_sm or data_sm, and its answer.
    pub struct Submit, SubmitPart {
        /// The answer's status. With any other than `ESME_ROK`, the message is
        /// not accepted: no handset shows it, no receipt follows.
        status: Status = Status(CommandStatus::ESME_ROK),
        /// From the submit to its answer.
        latency: Delay = Delay::ZERO,
        /// Whether and how the answer comes.
        response: Response = Response::Once,
        /// Whether the connection ends with the answer, or instead of it.
        disconnect: Disconnect = Disconnect::Never,
        /// How the answer writes the message's id.
        message_id: IdForm = IdForm::Hex,
        /// What is wrong with the answer's octets.
        malformed: Malformed = Malformed::No,
        /// From the submit to the handset. A message that expires meanwhile is
        /// never shown; one that waits can be queried, cancelled and replaced.
        delivery_delay: Delay = Delay::ZERO,
    }
}

section! {
    /// `[receipts]`: the delivery receipts of those who ask for them.
    pub struct Receipts, ReceiptsPart {
        /// How often each receipt is sent: 0 loses it, 2 doubles it.
        copies: Count<0, 10> = Count::new(1),
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
        /// 0x04 says receipt; others set the intermediate bit (0x24) or that of
        /// a header (0x44), too.
        esm_class: Count<0, 255> = Count::new(0x04),
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
        /// What is wrong with the receipt's octets.
        malformed: Malformed = Malformed::No,
    }
}

/// Whether and how an answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Once, as it should.
    Once,
    /// Never: the submit stays in doubt.
    None,
    /// Twice, the second right after the first.
    Twice,
    /// Once, and once more for a sequence number that nobody used.
    UnknownSequence,
    /// generic_nack with the submit's sequence number, instead.
    GenericNack,
    /// generic_nack with sequence number 0, instead.
    GenericNackZero,
}

/// Whether a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disconnect {
    /// It stays.
    Never,
    /// When the answer would be due, without it.
    BeforeResponse,
    /// After the answer.
    AfterResponse,
}

/// How a message id is written. All but the last four tell which message is
/// meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum IdForm {
    /// 16 hexadecimal digits: `9d2f61c40000000a`.
    Hex,
    /// The same in capitals: `9D2F61C40000000A`.
    HexUpper,
    /// Decimal, without leading zeros: `11326233066013818890`.
    Decimal,
    /// Decimal with zeros up to 20 digits: `00000000000000000042`.
    LeadingZeros,
    /// A UUID: `9d2f61c4-0000-4000-8000-00000000000a`.
    Uuid,
    /// An empty string.
    Empty,
    /// No body at all: a header alone.
    Missing,
    /// 65 characters, one more than the field has.
    TooLong,
    /// With octets that are not ASCII.
    NonAscii,
}

/// What is wrong with a PDU's octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Malformed {
    /// Nothing.
    No,
    /// The body ends early; `command_length` agrees.
    TruncatedBody,
    /// A request of an unknown `command_id` goes before the PDU.
    UnknownCommand,
    /// `command_length` says 15, less than a header has.
    LengthTooShort,
    /// `command_length` says 2³¹.
    LengthTooLong,
    /// Three octets follow the last parameter.
    JunkAfterTlvs,
    /// The last parameter says that it is longer than the PDU.
    TlvOverrun,
}

/// Whether receipts wait for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// They come after it.
    AfterResponse,
    /// They come before it, unless their delay is longer than its latency.
    BeforeResponse,
}

/// Which session carries receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    /// The submitting one if it receives, else another of the same system_id.
    Same,
    /// Another of the same system_id, if there is one.
    Another,
}

/// How receipts write the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptId {
    /// As the answer did.
    Same,
    /// As [`IdForm::Hex`].
    Hex,
    /// As [`IdForm::HexUpper`].
    HexUpper,
    /// As [`IdForm::Decimal`].
    Decimal,
    /// As [`IdForm::LeadingZeros`].
    LeadingZeros,
    /// An id that no message ever had.
    Unknown,
}

/// Where a receipt has the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdPlace {
    /// In the text and in the parameter receipted_message_id.
    Both,
    /// In the text alone.
    Text,
    /// In the parameter alone.
    Tlv,
}

/// What carries a receipt's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The short_message of a deliver_sm.
    ShortMessage,
    /// The parameter message_payload of a deliver_sm.
    MessagePayload,
    /// Nothing: a deliver_sm with parameters alone.
    TlvsOnly,
    /// The parameter message_payload of a data_sm.
    DataSm,
}

/// The parameter message_state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateTlv {
    /// As the text says.
    Same,
    /// Not there.
    Absent,
    /// 0, which SMPP 5.0 calls scheduled.
    Scheduled,
    /// 9, which SMPP 5.0 calls skipped.
    Skipped,
    /// The right state in two octets instead of one.
    TwoOctets,
}

impl StateTlv {
    pub(crate) const fn value(self, state: MessageState) -> Option<MessageState> {
        match self {
            Self::Same | Self::TwoOctets => Some(state),
            Self::Absent => None,
            Self::Scheduled => Some(MessageState(0)),
            Self::Skipped => Some(MessageState(9)),
        }
    }
}

/// How a receipt names its last field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextLabel {
    /// `text:`
    #[serde(rename = "text:")]
    Lower,
    /// `Text:`
    #[serde(rename = "Text:")]
    Upper,
}

/// How a receipt writes dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dates {
    /// To the minute, as in SMPP 3.4's appendix B.
    #[serde(rename = "yyMMddHHmm")]
    Minutes,
    /// To the second.
    #[serde(rename = "yyMMddHHmmss")]
    Seconds,
    /// To the second, with the century.
    #[serde(rename = "yyyyMMddHHmmss")]
    Century,
    /// Ten zeros.
    #[serde(rename = "zeros")]
    Zeros,
}

/// A count of things that happen.
pub type AtLeastOne = Count<1, { u32::MAX }>;

/// `[session]`: how binds are answered, and how sessions are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Session {
    /// What comes of a bind whose credentials are right.
    pub bind: BindOutcome,
    /// The status of a bind that is refused.
    pub bind_status: Status,
    /// Which share of the binds `bind` is for; the others are accepted.
    pub bind_percent: Percent,
    /// How many binds `bind` is for, counted from when this behaviour began;
    /// those after are accepted. All, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind_first: Option<AtLeastOne>,
    /// What the response to an accepted bind looks like.
    pub bind_response: BindResponse,
    /// The parameter sc_interface_version in it.
    pub interface_version: InterfaceVersion,
    /// The status of a submit beyond the window or the rate of its system_id.
    pub limit_status: Status,
    /// What becomes of the ESME's enquire_link.
    pub enquire_link: EnquireLink,
    /// After so many submits, a session reads and says nothing more, and stays
    /// open for two minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub half_open_after: Option<AtLeastOne>,
    /// After so many submits, the SMSC unbinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unbind_after: Option<AtLeastOne>,
    /// After so many submits, the connection ends without a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disconnect_after: Option<AtLeastOne>,
    /// Everything the SMSC says trickles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dribble: Option<Dribble>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            bind: BindOutcome::Accept,
            bind_status: Status(CommandStatus::ESME_RBINDFAIL),
            bind_percent: Percent::ALL,
            bind_first: None,
            bind_response: BindResponse::Full,
            interface_version: InterfaceVersion::V34,
            limit_status: Status(CommandStatus::ESME_RTHROTTLED),
            enquire_link: EnquireLink::Answer,
            half_open_after: None,
            unbind_after: None,
            disconnect_after: None,
            dribble: None,
        }
    }
}

/// What comes of a bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BindOutcome {
    /// It is accepted.
    Accept,
    /// It is refused, and the connection closed.
    Refuse,
    /// Nothing: no response ever comes.
    Silence,
}

/// What a bind's response looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BindResponse {
    /// With system_id and parameters.
    Full,
    /// A header alone.
    HeaderOnly,
    /// With a deliver_sm in the same write, where the session receives.
    WithDeliverSm,
}

/// The parameter sc_interface_version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InterfaceVersion {
    /// SMPP 3.3.
    #[serde(rename = "0x33")]
    V33,
    /// SMPP 3.4.
    #[serde(rename = "0x34")]
    V34,
    /// SMPP 5.0.
    #[serde(rename = "0x50")]
    V50,
    /// Not there.
    #[serde(rename = "absent")]
    Absent,
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

/// What becomes of an enquire_link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnquireLink {
    /// It is answered.
    Answer,
    /// It is not.
    Ignore,
}

/// How what the SMSC says trickles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dribble {
    /// Octets at a time.
    pub octets: Count<1, 65_536>,
    /// Between one time and the next.
    pub interval: Span,
}

impl Default for Dribble {
    fn default() -> Self {
        Self { octets: Count::new(1), interval: Span::new(Duration::from_millis(1)) }
    }
}

impl Receipts {
    /// The word of the last state.
    pub(crate) fn last(&self) -> Stat {
        self.states.words().last().copied().unwrap_or(Stat::DELIVRD)
    }
}
