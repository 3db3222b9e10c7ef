//! The `[smsc]` table, and its settings once they are checked.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use smpp::pdu::{Address, Npi, Ton};

use crate::clock::duration_setting;
use crate::subscriber::policy::OutOfBounds;

/// The most submits without an answer: what a link may have to remember and, when it is lost, to report.
pub const WINDOW_MAX: usize = 10_000;
/// The longest names in a bind (SMPP 3.4 §4.1.5, NUL not counted).
const SYSTEM_ID_BYTES_MAX: usize = 15;
const PASSWORD_BYTES_MAX: usize = 8;
const SYSTEM_TYPE_BYTES_MAX: usize = 12;
/// The longest alphanumeric sender (3GPP TS 23.040: eleven septets).
const NAME_CHARS_MAX: usize = 11;
/// The longest short code; a longer number is an MSISDN.
const SHORT_CODE_DIGITS_MAX: usize = 8;
/// ITU-T E.164.
const MSISDN_DIGITS_MAX: usize = 15;
/// The most receipts that may be waited for: about 250 bytes each.
const RECEIPTS_COUNT_MAX: usize = 1_000_000;

/// `[smsc]`: the link to the SMSC. The password's file is read by `config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `host:port`.
    pub address: String,
    /// The name that the operator gave us: 1 to 15 printable ASCII characters.
    pub system_id: String,
    /// The file with the password: at most 8 printable ASCII characters.
    pub password_file: PathBuf,
    /// What kind of ESME we are, where the operator wants to know: up to 12 printable ASCII characters.
    pub system_type: String,
    /// The sender that handsets show: a name of up to 11 characters, a short code of up to 8 digits, or a
    /// phone number with its country code.
    pub sender: String,
    /// Submits without an answer: 1 to 10,000.
    pub window: usize,
    /// After so long without a word the SMSC is asked whether it is still there: 1 s to 10 min.
    #[serde(deserialize_with = "duration_setting")]
    pub enquire_link_interval: Duration,
    /// For the SMSC to answer, and to read: 1 s to 2 min.
    #[serde(deserialize_with = "duration_setting")]
    pub response_timeout: Duration,
    /// To find and reach the SMSC, and again for it to answer the bind: 1 s to 1 min.
    #[serde(deserialize_with = "duration_setting")]
    pub session_init_timeout: Duration,
    /// The longest pause before the first attempt to connect again: 10 ms to 1 min.
    #[serde(deserialize_with = "duration_setting")]
    pub reconnect_min: Duration,
    /// The longest pause before any attempt to connect again: `reconnect_min` to 10 min.
    #[serde(deserialize_with = "duration_setting")]
    pub reconnect_max: Duration,
    /// For what is queued to be sent when the gateway stops: 0 s to 1 min.
    #[serde(deserialize_with = "duration_setting")]
    pub drain_timeout: Duration,
    /// Whether to ask for delivery receipts.
    pub receipts: bool,
    /// Messages whose receipts are waited for at a time: 1 to 1,000,000.
    pub receipts_max: usize,
    /// How long a message's receipts are waited for: 1 min to 7 days.
    #[serde(deserialize_with = "duration_setting")]
    pub receipts_age_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: "127.0.0.1:2775".into(),
            system_id: "gateway".into(),
            password_file: "smsc.password".into(),
            system_type: String::new(),
            sender: "BANKCONTOH".into(),
            window: 20,
            enquire_link_interval: Duration::from_secs(30),
            response_timeout: Duration::from_secs(10),
            session_init_timeout: Duration::from_secs(5),
            reconnect_min: Duration::from_millis(500),
            reconnect_max: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
            receipts: true,
            receipts_max: 100_000,
            receipts_age_max: Duration::from_secs(3_600),
        }
    }
}

impl Config {
    /// # Errors
    ///
    /// The first setting that is [`OutOfBounds`]; the password counts to `smsc.password_file` and is not
    /// quoted.
    pub fn validate(&self, password: &str) -> Result<(), OutOfBounds> {
        Settings::new(self, password).map(drop)
    }
}

/// A [`Config`] within its bounds.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) address: String,
    pub(super) system_id: String,
    pub(super) system_type: String,
    pub(super) sender: Sender,
    pub(super) window: usize,
    pub(super) enquire_link_interval: Duration,
    pub(super) response_timeout: Duration,
    pub(super) session_init_timeout: Duration,
    pub(super) reconnect_min: Duration,
    pub(super) reconnect_max: Duration,
    pub(super) drain_timeout: Duration,
    pub(super) receipts: bool,
    pub(super) receipts_max: usize,
    pub(super) receipts_age_max: Duration,
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
    pub(super) fn new(config: &Config, password: &str) -> Result<Self, OutOfBounds> {
        let seconds = Duration::from_secs;
        check("smsc.address", is_address(&config.address), "host:port")?;
        let system_id =
            is_printable(&config.system_id) && (1..=SYSTEM_ID_BYTES_MAX).contains(&config.system_id.len());
        check("smsc.system_id", system_id, "1 to 15 printable ASCII characters")?;
        let password = is_printable(password) && password.len() <= PASSWORD_BYTES_MAX;
        check("smsc.password_file", password, "a file with at most 8 printable ASCII characters")?;
        let system_type =
            is_printable(&config.system_type) && config.system_type.len() <= SYSTEM_TYPE_BYTES_MAX;
        check("smsc.system_type", system_type, "up to 12 printable ASCII characters")?;
        check("smsc.window", (1..=WINDOW_MAX).contains(&config.window), "1 to 10000")?;
        let within = |value: Duration, min, max| min <= value && value <= max;
        let enquire = within(config.enquire_link_interval, seconds(1), seconds(600));
        check("smsc.enquire_link_interval", enquire, "1s to 10m")?;
        let response = within(config.response_timeout, seconds(1), seconds(120));
        check("smsc.response_timeout", response, "1s to 2m")?;
        let init = within(config.session_init_timeout, seconds(1), seconds(60));
        check("smsc.session_init_timeout", init, "1s to 1m")?;
        let least = within(config.reconnect_min, Duration::from_millis(10), seconds(60));
        check("smsc.reconnect_min", least, "10ms to 1m")?;
        let most = within(config.reconnect_max, config.reconnect_min, seconds(600));
        check("smsc.reconnect_max", most, "reconnect_min to 10m")?;
        check("smsc.drain_timeout", config.drain_timeout <= seconds(60), "0s to 1m")?;
        let receipts = (1..=RECEIPTS_COUNT_MAX).contains(&config.receipts_max);
        check("smsc.receipts_max", receipts, "1 to 1000000")?;
        let age = within(config.receipts_age_max, seconds(60), seconds(7 * 24 * 3_600));
        check("smsc.receipts_age_max", age, "1m to 7days")?;
        let sender = "a name of up to 11 printable ASCII characters, a short code of up to 8 digits, \
                      or a phone number with its country code";
        Ok(Self {
            address: config.address.clone(),
            system_id: config.system_id.clone(),
            system_type: config.system_type.clone(),
            sender: Sender::parse(&config.sender).ok_or_else(|| out_of_bounds("smsc.sender", sender))?,
            window: config.window,
            enquire_link_interval: config.enquire_link_interval,
            response_timeout: config.response_timeout,
            session_init_timeout: config.session_init_timeout,
            reconnect_min: config.reconnect_min,
            reconnect_max: config.reconnect_max,
            drain_timeout: config.drain_timeout,
            receipts: config.receipts,
            receipts_max: config.receipts_max,
            receipts_age_max: config.receipts_age_max,
        })
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

fn check(setting: &'static str, holds: bool, expected: &str) -> Result<(), OutOfBounds> {
    if holds { Ok(()) } else { Err(out_of_bounds(setting, expected)) }
}

fn out_of_bounds(setting: &'static str, expected: &str) -> OutOfBounds {
    OutOfBounds { setting, expected: expected.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_tells_its_own_type() {
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
    fn abuse_18_a_setting_outside_its_bounds_is_refused_by_name() {
        let with = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            Settings::new(&config, "secret08").unwrap_err().setting
        };
        assert_eq!(with(|c| c.address = "localhost".into()), "smsc.address");
        assert_eq!(with(|c| c.address = ":2775".into()), "smsc.address");
        assert_eq!(with(|c| c.address = "localhost:0".into()), "smsc.address");
        assert_eq!(with(|c| c.address = "localhost:65536".into()), "smsc.address");
        assert_eq!(with(|c| c.system_id = String::new()), "smsc.system_id");
        assert_eq!(with(|c| c.system_id = "x".repeat(16)), "smsc.system_id");
        assert_eq!(with(|c| c.system_type = "x".repeat(13)), "smsc.system_type");
        assert_eq!(with(|c| c.sender = String::new()), "smsc.sender");
        assert_eq!(with(|c| c.window = 0), "smsc.window");
        assert_eq!(with(|c| c.window = 10_001), "smsc.window");
        assert_eq!(with(|c| c.enquire_link_interval = Duration::ZERO), "smsc.enquire_link_interval");
        assert_eq!(with(|c| c.response_timeout = Duration::MAX), "smsc.response_timeout");
        assert_eq!(with(|c| c.session_init_timeout = Duration::ZERO), "smsc.session_init_timeout");
        assert_eq!(with(|c| c.reconnect_min = Duration::ZERO), "smsc.reconnect_min");
        assert_eq!(with(|c| c.reconnect_max = Duration::from_millis(499)), "smsc.reconnect_max");
        assert_eq!(with(|c| c.drain_timeout = Duration::MAX), "smsc.drain_timeout");
        assert_eq!(with(|c| c.receipts_max = 0), "smsc.receipts_max");
        assert_eq!(with(|c| c.receipts_age_max = Duration::ZERO), "smsc.receipts_age_max");
    }

    #[test]
    fn a_password_that_no_bind_can_carry_is_refused_and_not_quoted() {
        for password in ["ninechars", "pass\n", "pässwort"] {
            let refused = Settings::new(&Config::default(), password).unwrap_err();
            assert_eq!(refused.setting, "smsc.password_file");
            assert!(!refused.to_string().contains(password));
        }
        assert!(Settings::new(&Config::default(), "").is_ok());
    }
}
