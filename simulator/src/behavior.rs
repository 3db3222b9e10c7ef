//! How the SMSC behaves: well, or as badly as some operator's does. Data, with
//! a seed, so that a bad day can be written down and had again.
//!
//! ```toml
//! seed = 7
//!
//! [submit]                                  # how submits are answered
//! latency = "normal 40ms 10ms"
//!
//! [receipts]                                # what receipts look like
//! delay = "1s"
//!
//! [[rule]]                                  # the first that matches wins
//! to = "62811"
//! submit.status = "ESME_RTHROTTLED"
//!
//! [[rule]]
//! percent = 1
//! submit.response = "none"
//!
//! [session]                                 # how binds and sessions are
//! bind_response = "header_only"
//! ```
//!
//! A rule changes, for the submits that match it, what `[submit]` and
//! `[receipts]` say. Everything left out is as a healthy SMSC has it. What is
//! left to chance is drawn from the seed, the destination, and how many submits
//! that destination had before.

mod draw;
mod error;
mod plan;
mod profiles;
mod sections;
mod values;

pub(crate) use draw::{Draw, Stream, hash};
pub use error::BehaviorError;
pub(crate) use plan::{Plan, Subject, Treatment};
pub use profiles::{Profile, profiles};
pub use sections::{
    AtLeastOne, BindOutcome, BindResponse, Carrier, Dates, Disconnect, Dribble, EnquireLink, Form, IdForm,
    IdPlace, InterfaceVersion, Malformed, ReceiptId, Receipts, ReceiptsPart, Response, Session, StateTlv,
    Submit, SubmitPart, TextLabel, Timing,
};
pub use values::{Count, Delay, Percent, Span, Stat, States, Status, TimeZone, Word};

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most rules: every submit may be held against each.
pub const RULES_MAX: usize = 100;

/// The longest text of a behaviour in octets: a hundred rules with every field.
pub const TEXT_BYTES_MAX: usize = 128 * 1_024;

/// How the SMSC behaves.
///
/// [`Behavior::default`] is a healthy one: at once, in order, with receipts for
/// those who ask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behavior {
    /// What chance starts from: the same seed gives the same run.
    pub seed: u64,
    /// How submits are answered.
    pub submit: Submit,
    /// What receipts look like.
    pub receipts: Receipts,
    /// How binds and sessions are.
    pub session: Session,
    /// Exceptions for some submits; of those that match, the first counts.
    #[serde(rename = "rule", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

impl Default for Behavior {
    fn default() -> Self {
        Self {
            seed: 1,
            submit: Submit::default(),
            receipts: Receipts::default(),
            session: Session::default(),
            rules: Vec::new(),
        }
    }
}

/// An exception for the submits that meet all its conditions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// The destination begins with these digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Word<20>>,
    /// The text has these characters in it, as they are. Of a long message,
    /// every part is looked at alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Which share of the submits that meet the other conditions.
    pub percent: Percent,
    /// What is other than `[submit]` says.
    #[serde(skip_serializing_if = "SubmitPart::is_empty")]
    pub submit: SubmitPart,
    /// What is other than `[receipts]` says.
    #[serde(skip_serializing_if = "ReceiptsPart::is_empty")]
    pub receipts: ReceiptsPart,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            to: None,
            text: None,
            percent: Percent::ALL,
            submit: SubmitPart::default(),
            receipts: ReceiptsPart::default(),
        }
    }
}

impl Behavior {
    /// Reads a behaviour written in TOML.
    ///
    /// # Errors
    ///
    /// [`BehaviorError`] with the place of the first fault, what was found, and
    /// what is allowed.
    pub fn from_toml(text: &str) -> Result<Self, BehaviorError> {
        Self::check_length(text)?;
        let root = serde_path_to_error::Track::new().path();
        let fault = |error: toml::de::Error| BehaviorError::from_toml(text, &root, &error);
        let deserializer = toml::Deserializer::parse(text).map_err(fault)?;
        let behavior: Self = serde_path_to_error::deserialize(deserializer)
            .map_err(|error| BehaviorError::from_toml(text, error.path(), error.inner()))?;
        behavior.check()
    }

    /// Reads a behaviour written in JSON: the same fields in the same shape.
    ///
    /// # Errors
    ///
    /// As [`Behavior::from_toml`].
    pub fn from_json(text: &str) -> Result<Self, BehaviorError> {
        Self::check_length(text)?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let behavior: Self = serde_path_to_error::deserialize(&mut deserializer)
            .map_err(|error| BehaviorError::from_json(error.path(), error.inner()))?;
        let root = serde_path_to_error::Track::new().path();
        deserializer.end().map_err(|error| BehaviorError::from_json(&root, &error))?;
        behavior.check()
    }

    /// The behaviour in TOML: every setting of the three sections, and of the
    /// rules what they change.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every value has a form in TOML")
    }

    /// This behaviour, with every answer after `latency`, cut to a day.
    #[must_use]
    pub fn with_latency(mut self, latency: Duration) -> Self {
        self.submit.latency = Delay::fixed(latency);
        self
    }

    fn check_length(text: &str) -> Result<(), BehaviorError> {
        if text.len() > TEXT_BYTES_MAX {
            let detail = format!("found {} bytes, allowed are {TEXT_BYTES_MAX}", text.len());
            return Err(BehaviorError::whole(String::new(), detail));
        }
        Ok(())
    }

    fn check(self) -> Result<Self, BehaviorError> {
        if self.rules.len() > RULES_MAX {
            let detail = format!("found {} rules, allowed are {RULES_MAX}", self.rules.len());
            return Err(BehaviorError::whole("rule".to_owned(), detail));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> BehaviorError {
        Behavior::from_toml(text).expect_err(text)
    }

    #[test]
    fn nothing_written_is_a_healthy_smsc() {
        assert_eq!(Behavior::from_toml("").unwrap(), Behavior::default());
        assert_eq!(Behavior::from_json("{}").unwrap(), Behavior::default());
    }

    #[test]
    fn what_is_written_out_is_read_back() {
        let mut behaviors: Vec<_> = profiles().iter().map(Profile::behavior).collect();
        behaviors.push(Behavior::default());
        for behavior in behaviors {
            let text = behavior.to_toml();
            assert_eq!(Behavior::from_toml(&text).unwrap(), behavior, "{text}");
            let json = serde_json::to_string(&behavior).unwrap();
            assert_eq!(Behavior::from_json(&json).unwrap(), behavior, "{json}");
        }
    }

    #[test]
    fn a_healthy_smsc_is_written_out_with_every_setting() {
        let text = Behavior::default().to_toml();
        for line in
            ["seed = 1", "[submit]", "latency = \"0s\"", "states = [\"DELIVRD\"]", "bind = \"accept\""]
        {
            assert!(text.lines().any(|written| written == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn a_fault_is_told_with_its_place_field_and_what_is_allowed() {
        let status = "seed = 1\n\n[[rule]]\npercent = 5\nsubmit.status = \"ESME_RTROTTLED\"\n";
        let error = refusal(status);
        assert_eq!((error.line, error.column, error.field.as_str()), (5, 17, "rule[0].submit.status"));
        assert!(error.detail.starts_with("found \"ESME_RTROTTLED\", allowed is a status of SMPP 3.4"));
        for (text, line, column, field, found, allowed) in [
            ("[submit]\nlatncy = \"1s\"", 2, 1, "submit.latncy", "`latncy`", "`latency`"),
            ("[submit]\nlatency = \"fast\"", 2, 11, "submit.latency", "\"fast\"", "uniform"),
            ("[submit]\nlatency = 20", 2, 11, "submit.latency", "`20`", "20ms"),
            ("[receipts]\ncopies = 11", 2, 10, "receipts.copies", "found 11", "0 to 10"),
            ("[receipts]\n  esm_class = 0x100", 2, 15, "receipts.esm_class", "found 256", "0 to 255"),
            ("[receipts]\nstates = []", 2, 10, "receipts.states", "found 0 states", "1 to 8"),
            ("[receipts]\nstates = [\"OK\"]", 2, 11, "receipts.states[0]", "\"OK\"", "DELIVRD"),
            ("[[rule]]\npercent = 101", 2, 11, "rule[0].percent", "found 101", "0 to 100"),
            ("[session]\nbind = \"maybe\"", 2, 8, "session.bind", "`maybe`", "`silence`"),
            ("[session.dribble]\noctets = 0", 2, 10, "session.dribble.octets", "found 0", "1 to 65536"),
        ] {
            let error = refusal(text);
            assert_eq!(
                (error.line, error.column, error.field.as_str()),
                (line, column, field),
                "{text}: {error}"
            );
            assert!(error.detail.contains(found) && error.detail.contains(allowed), "{text}: {error}");
        }
    }

    #[test]
    fn text_that_is_no_toml_is_told_with_its_place() {
        let error = refusal("seed = 1\n[submit\n");
        assert_eq!((error.line, error.field.as_str()), (2, ""));
        assert!(!error.detail.is_empty());
        let error = Behavior::from_json("{\"submit\": {\"latency\": \"fast\"}}").unwrap_err();
        assert_eq!((error.line, error.field.as_str()), (1, "submit.latency"));
        assert!(Behavior::from_json("{} x").is_err());
    }

    #[test]
    fn rules_and_text_are_bounded() {
        let rules = "[[rule]]\npercent = 1\n";
        assert!(Behavior::from_toml(&rules.repeat(RULES_MAX)).is_ok());
        assert_eq!(refusal(&rules.repeat(RULES_MAX + 1)).field, "rule");
        assert!(Behavior::from_toml(&" ".repeat(TEXT_BYTES_MAX + 1)).is_err());
    }
}
