//! A `[[smsc]]` table, and its settings once they are checked.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use smpp::pdu::{Address, DataCoding, EsmClass, Npi, Ton};
use smpp::status::CommandStatus;
use smpp::tlv::Tag;

use super::tls;
use crate::clock::duration_setting;
use crate::sms::{MessageIdForm, Misconfigured};

/// The most submits without an answer: what a link may have to remember and, when it is lost, to report.
pub const WINDOW_MAX: usize = 10_000;
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

/// How an SMSC is bound to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One session that sends and receives.
    #[default]
    Transceiver,
    /// Two: one sends, the other receives.
    TransmitterReceiver,
}

/// The protocol version that a bind says we speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum InterfaceVersion {
    /// Without transceivers and optional parameters.
    #[serde(rename = "3.3")]
    V33,
    /// What is spoken nearly everywhere.
    #[default]
    #[serde(rename = "3.4")]
    V34,
    /// As 3.4, for SMSCs that insist on the number.
    #[serde(rename = "5.0")]
    V50,
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

/// How `validity_period` is written (SMPP 3.4 §7.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValidityForm {
    /// A period from when the SMSC gets it: `000000000300000R`.
    #[default]
    Relative,
    /// A point in time in UTC, for SMSCs whose clock is right: `261122091500000+`.
    Absolute,
    /// Left out: the SMSC's own default holds, which outlives the code.
    None,
}

/// `[[smsc]]`: one SMSC and the links to it. The password's file is read by `config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What routes, logs and metrics call it: 1 to 32 of `A-Z`, `a-z`, `0-9`, `.`, `_`, `-`.
    pub name: String,
    /// `host:port`.
    pub address: String,
    /// The name that the operator gave us: 1 to 15 printable ASCII characters.
    pub system_id: String,
    /// The file with the password: at most 8 printable ASCII characters.
    pub password_file: PathBuf,
    /// What kind of ESME we are, where the operator wants to know: up to 12 printable ASCII characters.
    pub system_type: String,
    /// The version that binds state: `"3.3"`, `"3.4"` or `"5.0"`.
    pub interface_version: InterfaceVersion,
    /// `"transceiver"`, or `"transmitter_receiver"` for a pair of sessions in place of each.
    pub mode: Mode,
    /// Sessions, or pairs of them: 1 to 32.
    pub binds: usize,
    /// Submits without an answer, on each link: 1 to 10,000.
    pub window: usize,
    /// Segments a second on each link: 1 to 100,000, or 0 for no limit but the SMSC's own.
    pub rate: u32,
    /// To find and reach the SMSC, and again for it to answer the bind: 1 s to 1 min.
    #[serde(deserialize_with = "duration_setting")]
    pub session_init_timer: Duration,
    /// After so long without a word the SMSC is asked whether it is still there: 1 s to 10 min.
    #[serde(deserialize_with = "duration_setting")]
    pub enquire_link_timer: Duration,
    /// For the SMSC to answer, and to read: 1 s to 2 min.
    #[serde(deserialize_with = "duration_setting")]
    pub response_timer: Duration,
    /// The longest pause before the first attempt to connect again: 10 ms to 1 min.
    #[serde(deserialize_with = "duration_setting")]
    pub reconnect_min: Duration,
    /// The longest pause before any attempt to connect again: `reconnect_min` to 10 min.
    #[serde(deserialize_with = "duration_setting")]
    pub reconnect_max: Duration,
    /// For what is queued to be sent when the gateway stops: 0 s to 1 min.
    #[serde(deserialize_with = "duration_setting")]
    pub drain_timeout: Duration,
    /// TLS; without it, everything goes in the clear.
    pub tls: Option<tls::Config>,
    /// The sender that handsets show: a name of up to 11 characters, a short code of up to 8 digits, or a
    /// phone number with its country code.
    pub sender: String,
    /// The sender's type of number, 0 to 6, where it is not to follow from its form.
    pub source_ton: Option<u8>,
    /// The sender's numbering plan, 0 to 18, where it is not to follow from its form.
    pub source_npi: Option<u8>,
    /// The recipient's type of number: 0 to 6.
    pub destination_ton: u8,
    /// The recipient's numbering plan: 0 to 18.
    pub destination_npi: u8,
    /// Up to 5 printable ASCII characters.
    pub service_type: String,
    /// The messaging mode's bits: 0 to 3.
    pub esm_class: u8,
    /// 0 to 255.
    pub protocol_id: u8,
    /// 0 to 3.
    pub priority_flag: u8,
    /// The receipts asked for: 0 none, 1 of every outcome, 2 of failures; 0 to 31.
    pub registered_delivery: u8,
    /// What the SMSC takes for GSM 7-bit, one septet in an octet, which texts are in: 0, or a message class
    /// of GSM 7-bit, 16 to 19 or 240 to 243.
    pub data_coding: u8,
    /// `"relative"`, `"absolute"` or `"none"`.
    pub validity: ValidityForm,
    /// How receipts spell the ids of responses: `"exact"`, `"folded"`, `"hex_then_decimal"` or
    /// `"decimal_then_hex"`.
    pub message_ids: MessageIdForm,
    /// Messages whose receipts are waited for at a time: 1 to 1,000,000.
    pub receipts_max: usize,
    /// How long a message's receipts are waited for: 1 min to 7 days.
    #[serde(deserialize_with = "duration_setting")]
    pub receipts_age_max: Duration,
    /// Statuses of the vendor's own, 0x400 to 0x4FF, that mean "not now": such a submit is tried again.
    pub retry_statuses: Vec<u32>,
    /// Whether each send carries a `user_message_reference`, by which an SMSC that repeats it in receipts
    /// settles what was in doubt.
    pub user_message_reference: bool,
    /// The tag of a vendor's parameter, 0x1400 to 0x3FFF, in which each send carries the challenge's id and
    /// the send's ordinal, for tests that no SMS is sent twice. 0: none.
    pub mark_tlv: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "main".into(),
            address: "127.0.0.1:2775".into(),
            system_id: "gateway".into(),
            password_file: "smsc.password".into(),
            system_type: String::new(),
            interface_version: InterfaceVersion::default(),
            mode: Mode::default(),
            binds: 1,
            window: 20,
            rate: 0,
            session_init_timer: Duration::from_secs(5),
            enquire_link_timer: Duration::from_secs(30),
            response_timer: Duration::from_secs(10),
            reconnect_min: Duration::from_millis(500),
            reconnect_max: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
            tls: None,
            sender: "BANKCONTOH".into(),
            source_ton: None,
            source_npi: None,
            destination_ton: Ton::INTERNATIONAL.0,
            destination_npi: Npi::ISDN.0,
            service_type: String::new(),
            esm_class: EsmClass::DEFAULT.0,
            protocol_id: 0,
            priority_flag: 0,
            registered_delivery: 1,
            data_coding: DataCoding::DEFAULT.0,
            validity: ValidityForm::default(),
            message_ids: MessageIdForm::default(),
            receipts_max: 100_000,
            receipts_age_max: Duration::from_secs(3_600),
            retry_statuses: Vec::new(),
            user_message_reference: false,
            mark_tlv: 0,
        }
    }
}

/// A [`Config`] within its bounds.
#[derive(Clone, Debug)]
pub(in crate::sms) struct Settings {
    pub(in crate::sms) name: String,
    pub(super) address: String,
    pub(super) system_id: String,
    pub(super) system_type: String,
    pub(super) interface_version: InterfaceVersion,
    pub(in crate::sms) mode: Mode,
    pub(in crate::sms) binds: usize,
    pub(in crate::sms) window: usize,
    pub(super) rate: u32,
    pub(super) session_init_timer: Duration,
    pub(super) enquire_link_timer: Duration,
    pub(super) response_timer: Duration,
    pub(super) reconnect_min: Duration,
    pub(super) reconnect_max: Duration,
    pub(super) drain_timeout: Duration,
    pub(super) sender: Sender,
    pub(super) destination_ton: Ton,
    pub(super) destination_npi: Npi,
    pub(super) service_type: String,
    pub(super) esm_class: EsmClass,
    pub(super) protocol_id: u8,
    pub(super) priority_flag: u8,
    pub(super) registered_delivery: u8,
    pub(super) data_coding: DataCoding,
    pub(super) validity: ValidityForm,
    pub(in crate::sms) message_ids: MessageIdForm,
    pub(in crate::sms) receipts_max: usize,
    pub(in crate::sms) receipts_age_max: Duration,
    pub(super) retry_statuses: Vec<CommandStatus>,
    pub(super) user_message_reference: bool,
    pub(super) mark_tlv: Option<Tag>,
}

/// A source address with its type and plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sender {
    ton: Ton,
    npi: Npi,
    digits: String,
}

impl Sender {
    /// A name has TON 5 and NPI 0; a short code TON 3, network specific, and NPI 0; a phone number TON 1
    /// and NPI 1, without its `+`.
    fn parse(text: &str) -> Option<Self> {
        let number = text.strip_prefix('+').unwrap_or(text);
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let is_short_code = is_number && text.len() <= SHORT_CODE_DIGITS_MAX && !text.starts_with('+');
        let is_msisdn = is_number
            && (SHORT_CODE_DIGITS_MAX..=MSISDN_DIGITS_MAX).contains(&number.len())
            && !number.starts_with('0');
        let is_name = !is_number
            && (1..=NAME_CHARS_MAX).contains(&text.len())
            && is_printable(text)
            && text.trim() == text;
        let (ton, npi, digits) = match () {
            () if is_short_code => (Ton::NETWORK_SPECIFIC, Npi::UNKNOWN, text),
            () if is_msisdn => (Ton::INTERNATIONAL, Npi::ISDN, number),
            () if is_name => (Ton::ALPHANUMERIC, Npi::UNKNOWN, text),
            () => return None,
        };
        Some(Self { ton, npi, digits: digits.into() })
    }

    pub(super) fn address(&self) -> Address<'_> {
        Address { ton: self.ton, npi: self.npi, digits: self.digits.as_bytes() }
    }
}

impl Settings {
    /// # Errors
    ///
    /// The first setting that is [`Misconfigured`]; the password counts to `password_file` and is not quoted.
    pub(in crate::sms) fn new(config: &Config, password: &str) -> Result<Self, Misconfigured> {
        config.check_session(password)?;
        config.check_times()?;
        config.check_message()?;
        config.check_optional()?;
        let sender = Sender::parse(&config.sender).ok_or_else(|| {
            Misconfigured::new(
                "sender",
                "a name of up to 11 printable ASCII characters, a short code of up to 8 digits, or a phone \
                 number with its country code",
            )
        })?;
        let sender = Sender {
            ton: config.source_ton.map_or(sender.ton, Ton),
            npi: config.source_npi.map_or(sender.npi, Npi),
            ..sender
        };
        Ok(Self {
            name: config.name.clone(),
            address: config.address.clone(),
            system_id: config.system_id.clone(),
            system_type: config.system_type.clone(),
            interface_version: config.interface_version,
            mode: config.mode,
            binds: config.binds,
            window: config.window,
            rate: config.rate,
            session_init_timer: config.session_init_timer,
            enquire_link_timer: config.enquire_link_timer,
            response_timer: config.response_timer,
            reconnect_min: config.reconnect_min,
            reconnect_max: config.reconnect_max,
            drain_timeout: config.drain_timeout,
            sender,
            destination_ton: Ton(config.destination_ton),
            destination_npi: Npi(config.destination_npi),
            service_type: config.service_type.clone(),
            esm_class: EsmClass(config.esm_class),
            protocol_id: config.protocol_id,
            priority_flag: config.priority_flag,
            registered_delivery: config.registered_delivery,
            data_coding: DataCoding(config.data_coding),
            validity: config.validity,
            message_ids: config.message_ids,
            receipts_max: config.receipts_max,
            receipts_age_max: config.receipts_age_max,
            retry_statuses: config.retry_statuses.iter().copied().map(CommandStatus).collect(),
            user_message_reference: config.user_message_reference,
            mark_tlv: (config.mark_tlv != 0).then_some(Tag(config.mark_tlv)),
        })
    }
}

impl Config {
    fn check_session(&self, password: &str) -> Result<(), Misconfigured> {
        let name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let name = (1..=NAME_BYTES_MAX).contains(&self.name.len()) && self.name.bytes().all(name_byte);
        check("name", name, "1 to 32 of A-Z, a-z, 0-9, '.', '_', '-'")?;
        check("address", is_address(&self.address), "host:port")?;
        let system_id =
            is_printable(&self.system_id) && (1..=SYSTEM_ID_BYTES_MAX).contains(&self.system_id.len());
        check("system_id", system_id, "1 to 15 printable ASCII characters")?;
        let password = is_printable(password) && password.len() <= PASSWORD_BYTES_MAX;
        check("password_file", password, "a file with at most 8 printable ASCII characters")?;
        let system_type = is_printable(&self.system_type) && self.system_type.len() <= SYSTEM_TYPE_BYTES_MAX;
        check("system_type", system_type, "up to 12 printable ASCII characters")?;
        let mode = self.interface_version != InterfaceVersion::V33 || self.mode == Mode::TransmitterReceiver;
        check("mode", mode, "\"transmitter_receiver\" for SMPP 3.3, which has no transceivers")?;
        check("binds", (1..=BINDS_MAX).contains(&self.binds), "1 to 32")?;
        check("window", (1..=WINDOW_MAX).contains(&self.window), "1 to 10000")?;
        check("rate", self.rate <= RATE_MAX, "0 to 100000")
    }

    /// The host of the address.
    pub(in crate::sms) fn host(&self) -> &str {
        let host = self.address.rsplit_once(':').map_or("", |(host, _)| host);
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    fn check_times(&self) -> Result<(), Misconfigured> {
        let seconds = Duration::from_secs;
        let within = |value: Duration, min, max| min <= value && value <= max;
        let init = within(self.session_init_timer, seconds(1), seconds(60));
        check("session_init_timer", init, "1s to 1m")?;
        let enquire = within(self.enquire_link_timer, seconds(1), seconds(600));
        check("enquire_link_timer", enquire, "1s to 10m")?;
        let response = within(self.response_timer, seconds(1), seconds(120));
        check("response_timer", response, "1s to 2m")?;
        let least = within(self.reconnect_min, Duration::from_millis(10), seconds(60));
        check("reconnect_min", least, "10ms to 1m")?;
        let most = within(self.reconnect_max, self.reconnect_min, seconds(600));
        check("reconnect_max", most, "reconnect_min to 10m")?;
        check("drain_timeout", self.drain_timeout <= seconds(60), "0s to 1m")?;
        let age = within(self.receipts_age_max, seconds(60), seconds(7 * 24 * 3_600));
        check("receipts_age_max", age, "1m to 7days")
    }

    fn check_message(&self) -> Result<(), Misconfigured> {
        check("source_ton", self.source_ton.is_none_or(|ton| ton <= TON_MAX), "0 to 6")?;
        check("source_npi", self.source_npi.is_none_or(|npi| npi <= NPI_MAX), "0 to 18")?;
        check("destination_ton", self.destination_ton <= TON_MAX, "0 to 6")?;
        check("destination_npi", self.destination_npi <= NPI_MAX, "0 to 18")?;
        let service_type =
            is_printable(&self.service_type) && self.service_type.len() <= SERVICE_TYPE_BYTES_MAX;
        check("service_type", service_type, "up to 5 printable ASCII characters")?;
        // Other bits say that a message is what ours are not.
        check("esm_class", self.esm_class <= 3, "0 to 3")?;
        check("priority_flag", self.priority_flag <= PRIORITY_MAX, "0 to 3")?;
        check("registered_delivery", self.registered_delivery <= REGISTERED_DELIVERY_MAX, "0 to 31")?;
        let gsm = matches!(self.data_coding, 0 | 0x10..=0x13 | 0xF0..=0xF3);
        check("data_coding", gsm, "0, 16 to 19 or 240 to 243")?;
        check("receipts_max", (1..=RECEIPTS_COUNT_MAX).contains(&self.receipts_max), "1 to 1000000")
    }

    fn check_optional(&self) -> Result<(), Misconfigured> {
        let vendor = |status: &u32| (0x400..=0x4FF).contains(status);
        let statuses =
            self.retry_statuses.len() <= RETRY_STATUSES_MAX && self.retry_statuses.iter().all(vendor);
        check("retry_statuses", statuses, "up to 64 numbers from 0x400 to 0x4FF")?;
        let is_33 = self.interface_version == InterfaceVersion::V33;
        let none = "off for SMPP 3.3, which has no optional parameters";
        check("user_message_reference", !(is_33 && self.user_message_reference), none)?;
        check("mark_tlv", !(is_33 && self.mark_tlv != 0), none)?;
        let mark = self.mark_tlv == 0 || (0x1400..=0x3FFF).contains(&self.mark_tlv);
        check("mark_tlv", mark, "0x1400 to 0x3FFF, or 0")
    }
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

fn is_address(text: &str) -> bool {
    let port = |port: &str| port.parse::<u16>().is_ok_and(|port| port != 0);
    let host = |host: &str| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic());
    text.rsplit_once(':').is_some_and(|(name, rest)| host(name) && port(rest))
}

fn check(setting: &'static str, holds: bool, expected: &'static str) -> Result<(), Misconfigured> {
    if holds { Ok(()) } else { Err(Misconfigured::new(setting, expected)) }
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

    #[test]
    fn s12_type_and_plan_of_the_sender_can_be_set_against_its_form() {
        let config = Config { source_ton: Some(0), source_npi: Some(1), ..Config::default() };
        let sender = Settings::new(&config, "").unwrap().sender;
        assert_eq!((sender.ton.0, sender.npi.0, sender.digits.as_str()), (0, 1, "BANKCONTOH"));
    }

    #[test]
    fn abuse_18_a_setting_outside_its_bounds_is_refused_by_name() {
        let with = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            Settings::new(&config, "secret08").unwrap_err().setting
        };
        assert_eq!(with(|c| c.name = String::new()), "name");
        assert_eq!(with(|c| c.name = "a b".into()), "name");
        assert_eq!(with(|c| c.address = "localhost".into()), "address");
        assert_eq!(with(|c| c.address = ":2775".into()), "address");
        assert_eq!(with(|c| c.address = "localhost:0".into()), "address");
        assert_eq!(with(|c| c.address = "localhost:65536".into()), "address");
        assert_eq!(with(|c| c.system_id = String::new()), "system_id");
        assert_eq!(with(|c| c.system_id = "x".repeat(16)), "system_id");
        assert_eq!(with(|c| c.system_type = "x".repeat(13)), "system_type");
        assert_eq!(with(|c| c.interface_version = InterfaceVersion::V33), "mode");
        assert_eq!(with(|c| c.binds = 0), "binds");
        assert_eq!(with(|c| c.window = 0), "window");
        assert_eq!(with(|c| c.window = 10_001), "window");
        assert_eq!(with(|c| c.rate = 100_001), "rate");
        assert_eq!(with(|c| c.enquire_link_timer = Duration::ZERO), "enquire_link_timer");
        assert_eq!(with(|c| c.response_timer = Duration::MAX), "response_timer");
        assert_eq!(with(|c| c.session_init_timer = Duration::ZERO), "session_init_timer");
        assert_eq!(with(|c| c.reconnect_min = Duration::ZERO), "reconnect_min");
        assert_eq!(with(|c| c.reconnect_max = Duration::from_millis(499)), "reconnect_max");
        assert_eq!(with(|c| c.drain_timeout = Duration::MAX), "drain_timeout");
        assert_eq!(with(|c| c.sender = String::new()), "sender");
        assert_eq!(with(|c| c.source_ton = Some(7)), "source_ton");
        assert_eq!(with(|c| c.destination_npi = 19), "destination_npi");
        assert_eq!(with(|c| c.service_type = "OTPOTP".into()), "service_type");
        assert_eq!(with(|c| c.esm_class = 0x40), "esm_class");
        assert_eq!(with(|c| c.priority_flag = 4), "priority_flag");
        assert_eq!(with(|c| c.registered_delivery = 32), "registered_delivery");
        assert_eq!(with(|c| c.data_coding = 8), "data_coding");
        assert_eq!(with(|c| c.receipts_max = 0), "receipts_max");
        assert_eq!(with(|c| c.receipts_age_max = Duration::ZERO), "receipts_age_max");
        assert_eq!(with(|c| c.retry_statuses = vec![0x58]), "retry_statuses");
        assert_eq!(with(|c| c.mark_tlv = 0x1E), "mark_tlv");
    }

    #[test]
    fn smpp_3_3_has_no_optional_parameters() {
        let old = Config {
            interface_version: InterfaceVersion::V33,
            mode: Mode::TransmitterReceiver,
            ..Config::default()
        };
        assert!(Settings::new(&old, "").is_ok());
        let marked = Config { mark_tlv: 0x1400, ..old.clone() };
        assert_eq!(Settings::new(&marked, "").unwrap_err().setting, "mark_tlv");
        let referred = Config { user_message_reference: true, ..old };
        assert_eq!(Settings::new(&referred, "").unwrap_err().setting, "user_message_reference");
    }

    #[test]
    fn a_password_that_no_bind_can_carry_is_refused_and_not_quoted() {
        for password in ["ninechars", "pass\n", "pässwort"] {
            let refused = Settings::new(&Config::default(), password).unwrap_err();
            assert_eq!(refused.setting, "password_file");
            assert!(!refused.to_string().contains(password));
        }
        assert!(Settings::new(&Config::default(), "").is_ok());
    }
}
