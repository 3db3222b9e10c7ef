//! What a simulator is told at its start, and what makes no sense.

use crate::tls::Tls;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// The longest `system_id` in characters (SMPP 3.4, 4.1.1: 16 octets with the NUL).
pub const SYSTEM_ID_MAX: usize = 15;

/// The longest `password` in characters (SMPP 3.4, 4.1.1: 9 octets with the NUL).
pub const PASSWORD_MAX: usize = 8;

/// The largest window: what one session may make the simulator remember.
pub const WINDOW_MAX: usize = 10_000;

/// The longest of all delays: timers beyond a day are a mistake in a unit.
pub const DELAY_MAX: Duration = Duration::from_secs(24 * 3_600);

/// The settings of a simulator.
///
/// [`Config::default`] is what a test wants: both listeners on loopback with
/// any free port, answers without delay, receipts on. `Debug` hides the
/// password and the token.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// Where ESMEs connect. Port 0 is any free one.
    pub smpp_listen: SocketAddr,
    /// A second listener for ESMEs, under TLS.
    pub tls: Option<Tls>,
    /// Where the inbox API and the page are. Port 0 is any free one.
    pub web_listen: SocketAddr,
    /// The only `system_id` that may bind: 1 to 15 printable characters.
    pub system_id: String,
    /// Its password: 0 to 8 printable characters.
    pub password: String,
    /// Sessions that may be bound at a time; one more is refused with
    /// ESME_RALYBND.
    pub sessions_bound_max: usize,
    /// Submits that a session may have unanswered; one more is refused with
    /// ESME_RTHROTTLED. 1 to 10,000. Matters only with a latency, since without
    /// one a submit is answered as soon as it is read.
    pub window: usize,
    /// Between reading a submit and answering it.
    pub latency: Duration,
    /// Whether delivery receipts are sent to those who ask for them.
    pub receipts: bool,
    /// Between answering a submit and sending its receipt.
    pub receipt_delay: Duration,
    /// Receipts that a session may leave unanswered before more are sent.
    /// 1 to 10,000.
    pub receipt_window: usize,
    /// For the ESME to answer a receipt or an enquire_link.
    pub response_timeout: Duration,
    /// After so long without a word from a bound ESME, it gets an enquire_link.
    pub enquire_link_interval: Duration,
    /// Messages that the inbox keeps.
    pub inbox_messages_max: usize,
    /// Bytes of messages that the inbox keeps.
    pub inbox_bytes_max: usize,
    /// A file, begun anew, for what ESMEs and SMSC say, as tshark reads it. It
    /// contains message texts.
    pub capture: Option<PathBuf>,
    /// Octets that the capture file may have.
    pub capture_bytes_max: u64,
    /// What a caller of the inbox API must present. Needed where the web
    /// listener is reachable from other machines.
    pub token: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            smpp_listen: loopback,
            tls: None,
            web_listen: loopback,
            system_id: "gateway".to_owned(),
            password: "secret08".to_owned(),
            sessions_bound_max: 64,
            window: 256,
            latency: Duration::ZERO,
            receipts: true,
            receipt_delay: Duration::ZERO,
            receipt_window: 256,
            response_timeout: Duration::from_secs(10),
            enquire_link_interval: Duration::from_secs(30),
            inbox_messages_max: 100_000,
            inbox_bytes_max: 64 * 1_024 * 1_024,
            capture: None,
            capture_bytes_max: 256 * 1_024 * 1_024,
            token: None,
        }
    }
}

impl Config {
    /// Whether the settings make sense together.
    ///
    /// # Errors
    ///
    /// The first that does not, in words.
    pub fn check(&self) -> Result<(), &'static str> {
        let windows = [self.window, self.receipt_window];
        let delays = [self.latency, self.receipt_delay];
        let timers = [self.response_timeout, self.enquire_link_interval];
        if self.system_id.is_empty() || !is_word(&self.system_id, SYSTEM_ID_MAX) {
            return Err("system_id must be 1 to 15 printable ASCII characters");
        }
        if !is_word(&self.password, PASSWORD_MAX) {
            return Err("password must be at most 8 printable ASCII characters");
        }
        if self.sessions_bound_max == 0 {
            return Err("sessions_bound_max must be at least 1");
        }
        if windows.iter().any(|window| !(1..=WINDOW_MAX).contains(window)) {
            return Err("window and receipt_window must be 1 to 10000");
        }
        if delays.iter().any(|delay| *delay > DELAY_MAX) {
            return Err("latency and receipt_delay must be at most a day");
        }
        if timers.iter().any(|timer| timer.is_zero() || *timer > DELAY_MAX) {
            return Err("response_timeout and enquire_link_interval must be over 0 and at most a day");
        }
        if self.inbox_messages_max == 0 {
            return Err("inbox_messages_max must be at least 1");
        }
        match &self.token {
            Some(token) if token.is_empty() || !is_word(token, 256) => {
                Err("token must be 1 to 256 printable ASCII characters")
            }
            None if !self.web_listen.ip().is_loopback() => {
                Err("the inbox shows readable codes: without a token it listens on loopback only")
            }
            _ => Ok(()),
        }
    }
}

fn is_word(text: &str, length_max: usize) -> bool {
    text.len() <= length_max && text.bytes().all(|octet| octet.is_ascii_graphic())
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("smpp_listen", &self.smpp_listen)
            .field("tls", &self.tls)
            .field("web_listen", &self.web_listen)
            .field("system_id", &self.system_id)
            .field("password", &"<hidden>")
            .field("token", &self.token.as_ref().map(|_| "<hidden>"))
            .field("window", &self.window)
            .field("latency", &self.latency)
            .field("receipts", &self.receipts)
            .field("receipt_delay", &self.receipt_delay)
            .field("capture", &self.capture)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_makes_sense() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let refused: [fn(&mut Config); 11] = [
            |config| config.system_id = String::new(),
            |config| config.system_id = "sixteen-letters!".to_owned(),
            |config| config.password = "123456789".to_owned(),
            |config| config.password = "ä".to_owned(),
            |config| config.sessions_bound_max = 0,
            |config| config.window = 0,
            |config| config.receipt_window = WINDOW_MAX + 1,
            |config| config.latency = DELAY_MAX + Duration::from_secs(1),
            |config| config.enquire_link_interval = Duration::ZERO,
            |config| config.inbox_messages_max = 0,
            |config| config.token = Some(String::new()),
        ];
        for (at, spoil) in refused.iter().enumerate() {
            let mut config = Config::default();
            spoil(&mut config);
            assert!(config.check().is_err(), "case {at}");
        }
    }

    #[test]
    fn an_inbox_that_others_can_reach_needs_a_token() {
        let mut config = Config { web_listen: "0.0.0.0:0".parse().unwrap(), ..Config::default() };
        assert!(config.check().is_err());
        config.token = Some("lab-token".to_owned());
        assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn debug_hides_password_and_token() {
        let config = Config { token: Some("lab-token".to_owned()), ..Config::default() };
        let shown = format!("{config:?}");
        assert!(!shown.contains("secret08") && !shown.contains("lab-token"), "{shown}");
    }
}
