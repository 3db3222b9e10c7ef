//! What a simulator is started with.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use settings::{Entry, Form, Mistakes, Section, Setting as _, own};

use crate::behavior::{Behavior, DELAY_MAX, Word};
use crate::rate::RATE_MAX;
use crate::tls::Tls;

/// The longest `system_id` in characters (SMPP 3.4, 4.1.1: 16 bytes with the NUL).
const SYSTEM_ID_MAX: usize = 15;
/// The longest `password` in characters (SMPP 3.4, 4.1.1: 9 bytes with the NUL).
const PASSWORD_MAX: usize = 8;
/// The largest window: what one session may make the simulator remember.
const WINDOW_MAX: usize = 10_000;
/// The most sessions that an ESME can be allowed.
const BINDS_MAX: usize = 1_000_000;
/// ESMEs that may be told apart: a walk over them beats a map.
const ESMES_MAX: usize = 64;
/// The longest token in characters.
const TOKEN_MAX: usize = 256;

/// Who may bind, and how much it may do: within the bounds of SMPP and of the simulator. `Debug` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Esme {
    pub(crate) system_id: String,
    pub(crate) password: String,
    pub(crate) binds_max: usize,
    pub(crate) window: usize,
    pub(crate) rate: Option<u32>,
}

impl Esme {
    /// An ESME with the usual limits: 64 binds, a window of 256, any rate.
    ///
    /// # Errors
    ///
    /// As [`Esme::from_toml`].
    pub fn new(system_id: &str, password: &str) -> Result<Self, Mistakes> {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        Self::from_toml(&format!("system_id = {}\npassword = {}", quoted(system_id), quoted(password)))
    }

    /// An ESME from what may stand in a table `[[esme]]`.
    ///
    /// # Errors
    ///
    /// All [`Mistakes`]; the password is not shown.
    pub fn from_toml(text: &str) -> Result<Self, Mistakes> {
        settings::from_toml(text, Self::read)
    }

    /// Reads the tables `[[esme]]`.
    pub fn read_all(root: &Section<'_>) -> Option<Vec<Self>> {
        let mut names: Vec<String> = Vec::new();
        let sections = root.sections("esme", 1..=ESMES_MAX);
        let esmes: Vec<_> = sections
            .iter()
            .map(|section| {
                let esme = Self::read(section)?;
                if names.contains(&esme.system_id) {
                    let found = format_args!("\"{}\"", esme.system_id);
                    section.conflict("system_id", found, "a name that no ESME before has");
                }
                names.push(esme.system_id.clone());
                Some(esme)
            })
            .collect();
        esmes.into_iter().collect()
    }

    fn read(section: &Section<'_>) -> Option<Self> {
        let system_id = section.required("system_id", own::<Word<SYSTEM_ID_MAX>>());
        let password = section.required("password", Password);
        // Sessions that may be bound at a time; one more is refused with ESME_RALYBND.
        let binds_max = section.or("binds_max", 1..=BINDS_MAX, 64);
        // Submits that each session may have unanswered; one more is refused with ESME_RTHROTTLED, unless the
        // behaviour says otherwise. Matters only with a latency: without one a submit is answered as it is read.
        let window = section.or("window", 1..=WINDOW_MAX, 256);
        // Segments a second over all sessions, of which a tenth may come at once; more are refused as beyond the window.
        let rate = section.get("rate", 1..=RATE_MAX);
        Some(Self { system_id: system_id?.as_str().to_owned(), password: password?, binds_max, window, rate })
    }

    /// The name that it binds with: 1 to 15 printable characters.
    #[must_use]
    pub fn system_id(&self) -> &str {
        &self.system_id
    }

    /// The password that it binds with: up to 8 printable characters.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }
}

/// A password that a bind can carry. What stands there instead is not shown.
struct Password;

impl Form for Password {
    type Value = String;

    fn allowed(&self) -> String {
        format!("up to {PASSWORD_MAX} printable ASCII characters without blanks")
    }

    fn read(&self, entry: &Entry<'_>) -> Option<String> {
        let fits = |text: &&str| text.is_empty() || Word::<PASSWORD_MAX>::new(text).is_some();
        let password = entry.text().filter(fits).map(str::to_owned);
        password.or_else(|| entry.refuse_found("something else", self.allowed()))
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
            esmes: vec![Esme::new("gateway", "secret08").expect("both fit")],
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
    /// What is wrong with the settings beyond what their types allow, each as `key: found X, allowed Y`.
    pub(crate) fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let mut expect = |is_allowed: bool, key: &str, found: &dyn fmt::Display, allowed: &str| {
            if !is_allowed {
                mistakes.push(format!("{key}: found {found}, allowed {allowed}"));
            }
        };
        let count = self.esmes.len();
        expect((1..=ESMES_MAX).contains(&count), "esmes", &count, &format!("1 to {ESMES_MAX}"));
        for (index, Esme { system_id, .. }) in self.esmes.iter().enumerate() {
            let is_first = self.esmes[..index].iter().all(|other| other.system_id != *system_id);
            expect(is_first, "esmes", &format_args!("\"{system_id}\" twice"), "each system_id once");
        }
        let window = self.receipt_window;
        expect((1..=WINDOW_MAX).contains(&window), "receipt_window", &window, &format!("1 to {WINDOW_MAX}"));
        let timers = [self.response_timeout, self.enquire_link_interval];
        for (key, timer) in ["response_timeout", "enquire_link_interval"].into_iter().zip(timers) {
            let is_allowed = !timer.is_zero() && timer <= DELAY_MAX;
            expect(is_allowed, key, &format_args!("{timer:?}"), "more than 0s, a day at most");
        }
        expect(self.inbox_messages_max > 0, "inbox_messages_max", &0, "1 or more");
        let is_word = |token: &String| Word::<TOKEN_MAX>::new(token).is_some();
        let word = Word::<TOKEN_MAX>::allowed();
        expect(self.token.as_ref().is_none_or(is_word), "token", &"something else", &word);
        let is_hidden = self.token.is_some() || self.web_listen.ip().is_loopback();
        let loopback = "a loopback address where there is no token: the inbox shows readable codes";
        expect(is_hidden, "web_listen", &self.web_listen, loopback);
        mistakes
    }
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
    fn an_esme_is_within_its_bounds_and_all_mistakes_are_reported_without_the_password() {
        let most = "system_id = '123456789012345'\npassword = '12345678'\nbinds_max = 1000000\nwindow = 10000\n\
                    rate = 1000000";
        assert!(Esme::from_toml(most).is_ok() && Esme::new("a", "").is_ok());
        let wrong =
            "system_id = '1234567890123456'\npassword = 'hunter2 9'\nbinds_max = 0\nwindow = 10001\nrate = 0";
        assert_eq!(
            Esme::from_toml(wrong).unwrap_err().to_string(),
            "1:13: system_id: found \"1234567890123456\", allowed 1 to 15 printable ASCII characters without blanks\n\
             2:12: password: found something else, allowed up to 8 printable ASCII characters without blanks\n\
             3:13: binds_max: found 0, allowed 1 to 1000000\n\
             4:10: window: found 10001, allowed 1 to 10000\n\
             5:8: rate: found 0, allowed 1 to 1000000"
        );
        assert!(
            Esme::new("", "").is_err() && Esme::new("a", "ä").is_err() && Esme::new("a\"b", "\\").is_ok()
        );
    }

    #[test]
    fn all_that_is_wrong_with_a_configuration_is_reported_at_once() {
        assert_eq!(Config::default().mistakes(), Vec::<String>::new());
        let same = Esme::new("gateway", "one").unwrap();
        let wrong = Config {
            web_listen: "0.0.0.0:0".parse().unwrap(),
            esmes: vec![same.clone(), same],
            receipt_window: 10_001,
            response_timeout: Duration::from_secs(86_401),
            enquire_link_interval: Duration::ZERO,
            inbox_messages_max: 0,
            ..Config::default()
        };
        assert_eq!(
            wrong.mistakes(),
            [
                "esmes: found \"gateway\" twice, allowed each system_id once",
                "receipt_window: found 10001, allowed 1 to 10000",
                "response_timeout: found 86401s, allowed more than 0s, a day at most",
                "enquire_link_interval: found 0ns, allowed more than 0s, a day at most",
                "inbox_messages_max: found 0, allowed 1 or more",
                "web_listen: found 0.0.0.0:0, \
                 allowed a loopback address where there is no token: the inbox shows readable codes",
            ]
        );
        let token = Config { token: Some("a secret".to_owned()), ..Config::default() };
        let expected =
            "token: found something else, allowed 1 to 256 printable ASCII characters without blanks";
        assert_eq!(token.mistakes(), [expected]);
        for (esmes, count) in
            [(Vec::new(), 0), ((0..65).map(|n| Esme::new(&n.to_string(), "").unwrap()).collect(), 65)]
        {
            let wrong = Config { esmes, ..Config::default() };
            assert_eq!(wrong.mistakes(), [format!("esmes: found {count}, allowed 1 to 64")]);
        }
    }

    #[test]
    fn an_inbox_that_others_can_reach_needs_a_token() {
        let mut config = Config { web_listen: "0.0.0.0:0".parse().unwrap(), ..Config::default() };
        assert_eq!(config.mistakes().len(), 1);
        config.token = Some("lab-token".to_owned());
        assert_eq!(config.mistakes(), Vec::<String>::new());
    }

    #[test]
    fn debug_hides_password_and_token() {
        let config = Config { token: Some("lab-token".to_owned()), ..Config::default() };
        let shown = format!("{config:?}");
        assert!(!shown.contains("secret08") && !shown.contains("lab-token"), "{shown}");
    }
}
