//! What a simulator is told at its start, and what makes no sense.

use crate::behavior::{Behavior, DELAY_MAX};
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

/// ESMEs that may be told apart: a walk over them beats a map.
pub const ESMES_MAX: usize = 64;

/// The most segments a second that an ESME can be limited to.
pub const RATE_MAX: u32 = 1_000_000;

/// Who may bind, and how much it may do. `Debug` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Esme {
    /// 1 to 15 printable characters, distinct.
    pub system_id: String,
    /// 0 to 8 printable characters.
    pub password: String,
    /// Its sessions that may be bound at a time; one more is refused with
    /// ESME_RALYBND.
    pub binds_max: usize,
    /// Submits that each of its sessions may have unanswered; one more is
    /// refused with ESME_RTHROTTLED, unless the behaviour says otherwise. 1 to
    /// 10,000. Matters only with a latency, since without one a submit is
    /// answered as soon as it is read.
    pub window: usize,
    /// Segments a second over all its sessions; more are refused as beyond the
    /// window. 1 to 1,000,000; any number, if absent. A tenth of a second's
    /// worth may come at once.
    pub rate: Option<u32>,
}

impl Esme {
    /// An ESME with room: 64 binds, a window of 256, any rate.
    #[must_use]
    pub fn new(system_id: &str, password: &str) -> Self {
        Self {
            system_id: system_id.to_owned(),
            password: password.to_owned(),
            binds_max: 64,
            window: 256,
            rate: None,
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.system_id.is_empty() || !is_word(&self.system_id, SYSTEM_ID_MAX) {
            return Err("system_id must be 1 to 15 printable ASCII characters");
        }
        if !is_word(&self.password, PASSWORD_MAX) {
            return Err("password must be at most 8 printable ASCII characters");
        }
        if self.binds_max == 0 {
            return Err("binds_max must be at least 1");
        }
        if !(1..=WINDOW_MAX).contains(&self.window) {
            return Err("window must be 1 to 10000");
        }
        if self.rate.is_some_and(|rate| !(1..=RATE_MAX).contains(&rate)) {
            return Err("rate must be 1 to 1000000 segments a second");
        }
        Ok(())
    }
}

impl fmt::Debug for Esme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Esme")
            .field("system_id", &self.system_id)
            .field("password", &"<hidden>")
            .field("binds_max", &self.binds_max)
            .field("window", &self.window)
            .field("rate", &self.rate)
            .finish()
    }
}

/// The settings of a simulator.
///
/// [`Config::default`] is what a test wants: both listeners on loopback with
/// any free port, answers without delay, receipts on. `Debug` hides the
/// passwords and the token.
#[derive(Clone, PartialEq)]
pub struct Config {
    /// Where ESMEs connect. Port 0 is any free one.
    pub smpp_listen: SocketAddr,
    /// A second listener for ESMEs, under TLS.
    pub tls: Option<Tls>,
    /// Where the inbox API and the page are. Port 0 is any free one.
    pub web_listen: SocketAddr,
    /// Who may bind: 1 to 64, each with its own limits.
    pub esmes: Vec<Esme>,
    /// How the SMSC behaves until it is told otherwise.
    pub behavior: Behavior,
    /// The parameter of a submit whose value must not come twice, if any: an
    /// ESME that puts a mark of its own into it can prove that it sends nothing
    /// twice. Repeats are accepted and counted.
    pub unique_tlv: Option<u16>,
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
            esmes: vec![Esme::new("gateway", "secret08")],
            behavior: Behavior::default(),
            unique_tlv: None,
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
        let timers = [self.response_timeout, self.enquire_link_interval];
        if !(1..=ESMES_MAX).contains(&self.esmes.len()) {
            return Err("there must be 1 to 64 ESMEs");
        }
        for (at, esme) in self.esmes.iter().enumerate() {
            esme.check()?;
            if self.esmes[..at].iter().any(|other| other.system_id == esme.system_id) {
                return Err("every ESME must have a system_id of its own");
            }
        }
        if !(1..=WINDOW_MAX).contains(&self.receipt_window) {
            return Err("receipt_window must be 1 to 10000");
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
            .field("esmes", &self.esmes)
            .field("behavior", &self.behavior)
            .field("token", &self.token.as_ref().map(|_| "<hidden>"))
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
        let refused: [fn(&mut Config); 14] = [
            |config| config.esmes.clear(),
            |config| config.esmes = vec![Esme::new("gateway", "one"), Esme::new("gateway", "two")],
            |config| config.esmes = vec![Esme::new("esme", ""); ESMES_MAX + 1],
            |config| config.esmes[0].system_id = String::new(),
            |config| config.esmes[0].system_id = "sixteen-letters!".to_owned(),
            |config| config.esmes[0].password = "123456789".to_owned(),
            |config| config.esmes[0].password = "ä".to_owned(),
            |config| config.esmes[0].binds_max = 0,
            |config| config.esmes[0].window = 0,
            |config| config.esmes[0].rate = Some(0),
            |config| config.receipt_window = WINDOW_MAX + 1,
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
