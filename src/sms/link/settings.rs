//! `[[smsc]]`: an SMSC and the links to it.

use std::time::Duration;

use settings::{
    Form, Section, hex, list, map, minutes, optional, printable, seconds, settings, text, whole, words,
};
use smpp::pdu::{Address, DataCoding, EsmClass, Npi, Ton};
use smpp::status::CommandStatus;
use smpp::tlv::Tag;

use crate::sms::MessageIdForm;

/// The most submits without an answer: what a link may have to remember and, when it is lost, to report.
pub(crate) const WINDOW_MAX: usize = 10_000;
/// The most binds to one SMSC: operators allow a handful.
const BINDS_MAX: usize = 32;
/// The highest rate of one link, in segments a second: more than any operator sells.
const RATE_MAX: u32 = 100_000;
/// The longest name of an SMSC, which is a label of metrics.
const NAME_BYTES_MAX: usize = 32;
/// The longest names in a bind (SMPP 3.4 §4.1.5, NUL not counted).
const SYSTEM_ID_BYTES_MAX: usize = 15;
const PASSWORD_BYTES_MAX: usize = 8;
const SYSTEM_TYPE_BYTES_MAX: usize = 12;
/// The longest service type (SMPP 3.4 §5.2.11, NUL not counted).
const SERVICE_TYPE_BYTES_MAX: usize = 5;
/// The longest alphanumeric sender (3GPP TS 23.040: eleven septets).
const NAME_CHARS_MAX: usize = 11;
/// The longest short code; a longer number is an MSISDN.
const SHORT_CODE_DIGITS_MAX: usize = 8;
/// ITU-T E.164.
const MSISDN_DIGITS_MAX: usize = 15;
/// The most receipts that may be waited for: about 250 bytes each.
const RECEIPTS_COUNT_MAX: usize = 1_000_000;
/// The most statuses of a vendor's own that can be listed.
const RETRY_STATUSES_MAX: usize = 64;
/// Types of number, numbering plans and other fields of one byte that the specification leaves so many
/// values (SMPP 3.4 §5.2.5, §5.2.6, §5.2.14, §5.2.17).
const TON_MAX: u8 = 6;
const NPI_MAX: u8 = 18;
const PRIORITY_MAX: u8 = 3;
const REGISTERED_DELIVERY_MAX: u8 = 0x1F;

words! {
    /// How an SMSC is bound to.
    pub(in crate::sms) enum Mode {
        /// One session that sends and receives.
        Transceiver = "transceiver",
        /// Two: one sends, the other receives.
        TransmitterReceiver = "transmitter_receiver",
    }
}

words! {
    /// The protocol version that a bind says we speak.
    pub(in crate::sms) enum InterfaceVersion {
        /// Without transceivers and optional parameters.
        V33 = "3.3",
        /// What is spoken nearly everywhere.
        V34 = "3.4",
        /// As 3.4, for SMSCs that insist on the number.
        V50 = "5.0",
    }
}

impl InterfaceVersion {
    /// As `interface_version` writes it (SMPP 3.4 §5.2.4).
    pub(super) fn number(self) -> u8 {
        match self {
            Self::V33 => 0x33,
            Self::V34 => 0x34,
            Self::V50 => 0x50,
        }
    }
}

words! {
    /// Whether a receipt has to be of its message's handset.
    pub(in crate::sms::link) enum ReceiptHandset {
        /// If one of its addresses looks like a phone number other than the sender's.
        Auto = "auto",
        /// The id alone decides: for operators that write other numbers into receipts.
        Off = "off",
    }
}

words! {
    /// How `validity_period` is written (SMPP 3.4 §7.1.1).
    pub(in crate::sms) enum ValidityForm {
        /// A period from when the SMSC gets it: `000000000300000R`.
        Relative = "relative",
        /// A point in time in UTC, for SMSCs whose clock is right: `261122091500000+`.
        Absolute = "absolute",
        /// Left out: the SMSC's own default holds, which outlives the code.
        None = "none",
    }
}

settings! {
    /// `[[smsc]]`: one SMSC and the links to it. Its password and its TLS are beside it.
    pub(in crate::sms) struct Settings {
        /// What routes, logs and metrics call it.
        pub(in crate::sms) name: String [name()] = "main".into(),
        /// `host:port`.
        pub(super) address: String [address()] = "127.0.0.1:2775".into(),
        /// The name that the operator gave us.
        pub(super) system_id: String [printable(1..=SYSTEM_ID_BYTES_MAX)] = "gateway".into(),
        /// What kind of ESME we are, where the operator wants to know.
        pub(super) system_type: String [printable(0..=SYSTEM_TYPE_BYTES_MAX)] = String::new(),
        /// The version that binds state.
        pub(super) interface_version: InterfaceVersion = InterfaceVersion::V34,
        /// A transceiver, or a pair of sessions in place of each.
        pub(in crate::sms) mode: Mode = Mode::Transceiver,
        /// Sessions, or pairs of them.
        pub(in crate::sms) binds: usize [1..=BINDS_MAX] = 1,
        /// Submits without an answer, on each link.
        pub(in crate::sms) window: usize [1..=WINDOW_MAX] = 20,
        /// Segments a second on each link; 0 for no limit but the SMSC's own.
        pub(super) rate: u32 [0..=RATE_MAX] = 0,
        /// To find and reach the SMSC, and again for it to answer the bind.
        pub(super) session_init_timer: Duration [seconds(1)..=minutes(1)] = seconds(5),
        /// After so long without a PDU the SMSC is asked whether it is still there.
        pub(super) enquire_link_timer: Duration [seconds(1)..=minutes(10)] = seconds(30),
        /// For the SMSC to answer, and to read.
        pub(in crate::sms) response_timer: Duration [seconds(1)..=minutes(2)] = seconds(10),
        /// The longest pause before the first attempt to connect again.
        pub(super) reconnect_min: Duration [Duration::from_millis(10)..=minutes(1)] = Duration::from_millis(500),
        /// The longest pause before any attempt to connect again.
        pub(super) reconnect_max: Duration [reconnect_min..=minutes(10)] = seconds(30),
        /// For what is queued to be sent when the gateway shuts down.
        pub(super) drain_timeout: Duration [seconds(0)..=minutes(1)] = seconds(10),
        /// The sender that handsets show.
        pub(super) sender: Sender [sender()] = Sender::name("BANKCONTOH"),
        /// The sender's type of number, where it is not to follow from its form.
        pub(super) source_ton: Option<Ton> [optional(ton())] = None,
        /// The sender's numbering plan, where it is not to follow from its form.
        pub(super) source_npi: Option<Npi> [optional(npi())] = None,
        /// The recipient's type of number.
        pub(super) destination_ton: Ton [ton()] = Ton::INTERNATIONAL,
        /// The recipient's numbering plan.
        pub(super) destination_npi: Npi [npi()] = Npi::ISDN,
        /// What the operator calls our service.
        pub(super) service_type: String [printable(0..=SERVICE_TYPE_BYTES_MAX)] = String::new(),
        /// The messaging mode: other bits say that a message is what ours are not.
        pub(super) esm_class: EsmClass [map(0..=3, EsmClass)] = EsmClass::DEFAULT,
        /// As the operator wants it.
        pub(super) protocol_id: u8 [0..=u8::MAX] = 0,
        /// As the operator wants it.
        pub(super) priority_flag: u8 [0..=PRIORITY_MAX] = 0,
        /// The receipts asked for: 0 none, 1 of every outcome, 2 of failures.
        pub(super) registered_delivery: u8 [0..=REGISTERED_DELIVERY_MAX] = 1,
        /// What the SMSC takes for GSM 7-bit, one septet in a byte, which texts are in.
        pub(super) data_coding: DataCoding [data_coding()] = DataCoding::DEFAULT,
        /// How long a message may live, as it is written.
        pub(super) validity: ValidityForm = ValidityForm::Relative,
        /// How receipts spell the ids of responses.
        pub(in crate::sms) message_ids: MessageIdForm = MessageIdForm::Exact,
        /// Whether a receipt has to be of its message's handset, too.
        pub(super) receipt_handset: ReceiptHandset = ReceiptHandset::Auto,
        /// Messages whose receipts are waited for at a time.
        pub(in crate::sms) receipts_max: usize [1..=RECEIPTS_COUNT_MAX] = 100_000,
        /// How long a message's receipts are waited for.
        pub(in crate::sms) receipts_age_max: Duration [minutes(1)..=minutes(7 * 24 * 60)] = minutes(60),
        /// Statuses of the vendor's own that mean "not now": such a submit is tried again.
        pub(super) retry_statuses: Vec<CommandStatus> [retry_statuses()] = Vec::new(),
        /// Whether each send carries a `user_message_reference`, by which an SMSC that repeats it in receipts
        /// settles what was in doubt.
        pub(super) user_message_reference: bool = false,
        /// The tag of a vendor's parameter in which each send carries the challenge's id and the send's
        /// ordinal, for tests that no SMS is sent twice.
        pub(super) mark_tlv: Option<Tag> [mark_tlv()] = None,
    }
}

impl Settings {
    /// Reads `[[smsc]]`, whose settings also have to agree with its version.
    pub(in crate::sms) fn agreeing(section: &Section<'_>) -> Self {
        let settings = Self::read(section);
        if settings.interface_version == InterfaceVersion::V33 {
            if settings.mode == Mode::Transceiver {
                let allowed = "\"transmitter_receiver\", since SMPP 3.3 has no transceivers";
                section.conflict("mode", "\"transceiver\"", allowed);
            }
            let of_later = "since SMPP 3.3 has no optional parameters";
            if settings.user_message_reference {
                section.conflict("user_message_reference", true, format_args!("false, {of_later}"));
            }
            if let Some(tag) = settings.mark_tlv {
                section.conflict("mark_tlv", format_args!("0x{:X}", tag.0), format_args!("0, {of_later}"));
            }
        }
        settings
    }

    /// The host of the address.
    pub(in crate::sms) fn host(&self) -> &str {
        let host = self.address.rsplit_once(':').map_or("", |(host, _)| host);
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// The sender with its type and plan.
    pub(super) fn source(&self) -> Address<'_> {
        let Sender { ton, npi, digits } = &self.sender;
        Address {
            ton: self.source_ton.unwrap_or(*ton),
            npi: self.source_npi.unwrap_or(*npi),
            digits: digits.as_bytes(),
        }
    }
}

/// A source address, and the type and plan that its form has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sender {
    ton: Ton,
    npi: Npi,
    digits: String,
}

impl Sender {
    /// The address, without a `+`.
    pub(super) fn digits(&self) -> &[u8] {
        self.digits.as_bytes()
    }

    fn name(name: &str) -> Self {
        Self { ton: Ton::ALPHANUMERIC, npi: Npi::UNKNOWN, digits: name.into() }
    }

    /// A name has TON 5 and NPI 0; a short code TON 3, network specific, and NPI 0; a phone number TON 1
    /// and NPI 1, without its `+`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let number = text.strip_prefix('+').unwrap_or(text);
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let is_short_code = is_number && text.len() <= SHORT_CODE_DIGITS_MAX && !text.starts_with('+');
        let is_msisdn = is_number
            && (SHORT_CODE_DIGITS_MAX..=MSISDN_DIGITS_MAX).contains(&number.len())
            && !number.starts_with('0');
        let is_name = !is_number
            && (1..=NAME_CHARS_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
            && text.trim() == text;
        match () {
            () if is_short_code => {
                Some(Self { ton: Ton::NETWORK_SPECIFIC, npi: Npi::UNKNOWN, digits: text.into() })
            }
            () if is_msisdn => Some(Self { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits: number.into() }),
            () if is_name => Some(Self::name(text)),
            () => None,
        }
    }
}

fn name() -> impl Form<Value = String> {
    let is_name = |text: &&str| {
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(of_name)
    };
    let allowed = format!("1 to {NAME_BYTES_MAX} of A-Z, a-z, 0-9, '.', '_' and '-'");
    text(allowed, move |text| Some(text).filter(is_name).map(str::to_owned))
}

fn address() -> impl Form<Value = String> {
    let port = |port: &str| port.parse::<u16>().is_ok_and(|port| port != 0);
    let host = |host: &str| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic());
    let is_address =
        move |text: &&str| text.rsplit_once(':').is_some_and(|(name, rest)| host(name) && port(rest));
    text("host:port such as \"smsc.example:2775\"", move |text| {
        Some(text).filter(is_address).map(str::to_owned)
    })
}

fn sender() -> impl Form<Value = Sender> {
    let allowed = "a name of up to 11 printable ASCII characters, a short code of up to 8 digits, or a phone \
                   number with its country code";
    text(allowed, Sender::parse)
}

fn ton() -> impl Form<Value = Ton> {
    map(0..=TON_MAX, Ton)
}

fn npi() -> impl Form<Value = Npi> {
    map(0..=NPI_MAX, Npi)
}

/// The default alphabet, or a message class of GSM 7-bit (3GPP TS 23.038 §4).
fn data_coding() -> impl Form<Value = DataCoding> {
    whole("0, 16 to 19 or 240 to 243", |number| match number {
        0 | 0x10..=0x13 | 0xF0..=0xF3 => u8::try_from(number).ok().map(DataCoding),
        _ => None,
    })
}

fn retry_statuses() -> impl Form<Value = Vec<CommandStatus>> {
    list(0..=RETRY_STATUSES_MAX, "statuses", map(hex(0x400..=0x4FF), CommandStatus))
}

fn mark_tlv() -> impl Form<Value = Option<Tag>> {
    whole("0x1400 to 0x3FFF, or 0 for none", |number| match number {
        0 => Some(None),
        0x1400..=0x3FFF => u16::try_from(number).ok().map(|tag| Some(Tag(tag))),
        _ => None,
    })
}

/// What a bind can carry as a password: of a file's only line.
pub(in crate::sms) fn parse_password(text: &str) -> Option<&str> {
    let password = text.trim_end_matches(['\r', '\n']);
    let is_printable = password.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    (is_printable && password.len() <= PASSWORD_BYTES_MAX).then_some(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s12_a_sender_tells_its_own_type() {
        let parsed = |text| Sender::parse(text).map(|sender| (sender.ton.0, sender.npi.0, sender.digits));
        let expected = |ton, npi, digits: &str| Some((ton, npi, digits.to_string()));
        assert_eq!(parsed("BANKCONTOH"), expected(5, 0, "BANKCONTOH"));
        assert_eq!(parsed("BANK CONTOH"), expected(5, 0, "BANK CONTOH"));
        assert_eq!(parsed("+BANK"), expected(5, 0, "+BANK"));
        assert_eq!(parsed("3355"), expected(3, 0, "3355"));
        assert_eq!(parsed("+628120000001"), expected(1, 1, "628120000001"));
        assert_eq!(parsed("628120000001"), expected(1, 1, "628120000001"));
        for refused in ["", "BANK CONTOH1", " BANK", "BÄNK", "+123", "1234567890123456", "012345678"] {
            assert_eq!(parsed(refused), None, "{refused:?}");
        }
    }

    fn read(toml: &str) -> Result<Settings, settings::Mistakes> {
        settings::from_toml(toml, |root| Some(Settings::agreeing(root)))
    }

    #[test]
    fn s12_type_and_plan_of_the_sender_can_be_set_against_its_form() {
        let settings = read("source_ton = 0\nsource_npi = 1").unwrap();
        let Address { ton, npi, digits } = settings.source();
        assert_eq!((ton.0, npi.0, digits), (0, 1, &b"BANKCONTOH"[..]));
    }

    #[test]
    fn abuse_18_a_setting_outside_its_bounds_is_refused() {
        let printable = |length| format!("allowed {length} printable ASCII characters");
        for (toml, expected) in [
            ("name = \"\"", "allowed 1 to 32 of A-Z, a-z, 0-9, '.', '_' and '-'".to_owned()),
            ("name = \"a b\"", "allowed 1 to 32 of A-Z, a-z, 0-9, '.', '_' and '-'".into()),
            ("address = \"localhost\"", "allowed host:port such as \"smsc.example:2775\"".into()),
            ("address = \":2775\"", "allowed host:port such as \"smsc.example:2775\"".into()),
            ("address = \"localhost:0\"", "allowed host:port such as \"smsc.example:2775\"".into()),
            ("address = \"localhost:65536\"", "allowed host:port such as \"smsc.example:2775\"".into()),
            ("system_id = \"\"", printable("1 to 15")),
            ("system_id = \"sixteen letters!\"", printable("1 to 15")),
            ("system_type = \"thirteen char\"", printable("up to 12")),
            ("interface_version = \"3.5\"", "allowed \"3.3\", \"3.4\" or \"5.0\"".into()),
            ("binds = 0", "found 0, allowed 1 to 32".into()),
            ("window = 0", "found 0, allowed 1 to 10000".into()),
            ("window = 10_001", "found 10001, allowed 1 to 10000".into()),
            ("rate = 100_001", "found 100001, allowed 0 to 100000".into()),
            ("enquire_link_timer = \"0s\"", "allowed 1s to 10m".into()),
            ("response_timer = \"121s\"", "allowed 1s to 2m".into()),
            ("session_init_timer = \"61s\"", "allowed 1s to 1m".into()),
            ("reconnect_min = \"9ms\"", "allowed 10ms to 1m".into()),
            ("reconnect_max = \"499ms\"", "found \"499ms\", allowed 500ms to 10m".into()),
            ("drain_timeout = \"61s\"", "allowed 0s to 1m".into()),
            ("sender = \"\"", "allowed a name of up to 11 printable ASCII characters, a short code".into()),
            ("source_ton = 7", "found 7, allowed 0 to 6".into()),
            ("destination_npi = 19", "found 19, allowed 0 to 18".into()),
            ("service_type = \"OTPOTP\"", printable("up to 5")),
            ("esm_class = 0x40", "found 64, allowed 0 to 3".into()),
            ("protocol_id = 256", "found 256, allowed 0 to 255".into()),
            ("priority_flag = 4", "found 4, allowed 0 to 3".into()),
            ("registered_delivery = 32", "found 32, allowed 0 to 31".into()),
            ("data_coding = 8", "found 8, allowed 0, 16 to 19 or 240 to 243".into()),
            ("receipts_max = 0", "found 0, allowed 1 to 1000000".into()),
            ("receipts_age_max = \"59s\"", "found \"59s\", allowed 1m to 7days".into()),
            ("retry_statuses = [0x58]", "retry_statuses[0]: found 88, allowed 0x400 to 0x4FF".into()),
            ("mark_tlv = 0x1E", "found 30, allowed 0x1400 to 0x3FFF, or 0 for none".into()),
        ] {
            let mistakes = read(toml).expect_err(toml);
            let (key, _) = toml.split_once(' ').unwrap();
            let shown = mistakes.to_string();
            assert_eq!(mistakes.list().len(), 1, "{shown}");
            assert!(shown.contains(&format!(": {key}")) && shown.contains(&expected), "{shown}");
        }
    }

    #[test]
    fn smpp_3_3_has_neither_transceivers_nor_optional_parameters() {
        let old = "interface_version = \"3.3\"\nmode = \"transmitter_receiver\"\n";
        assert!(read(old).is_ok());
        assert_eq!(
            read(&format!("{old}mark_tlv = 0x1400\nuser_message_reference = true")).unwrap_err().to_string(),
            "3:12: mark_tlv: found 0x1400, allowed 0, since SMPP 3.3 has no optional parameters\n\
             4:26: user_message_reference: found true, \
             allowed false, since SMPP 3.3 has no optional parameters"
        );
        assert_eq!(
            read("interface_version = \"3.3\"").unwrap_err().to_string(),
            "1:1: mode: found \"transceiver\", the default, \
             allowed \"transmitter_receiver\", since SMPP 3.3 has no transceivers"
        );
    }

    #[test]
    fn a_password_fits_a_bind() {
        for password in ["ninechars", "pass\nword", "pässwort"] {
            assert_eq!(parse_password(password), None);
        }
        assert_eq!((parse_password("secret08\r\n"), parse_password("")), (Some("secret08"), Some("")));
    }
}
