//! How the SMSC behaves: well, or as badly as some operator's does. Data, with a seed, so that a bad day can
//! be written down and had again.
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
//! Or several behaviours, one after another:
//!
//! ```toml
//! scenario = "healthy 60s, throttling 10s, dead 20s, healthy"
//! ```
//!
//! A rule changes, for the submits that match it, what `[submit]` and `[receipts]` say. Everything left out
//! is as a healthy SMSC has it. What is left to chance is drawn from the seed, the destination, and how many
//! submits that destination had before.

mod draw;
mod plan;
mod profiles;
mod scenario;
mod sections;
mod values;

pub(crate) use draw::{Draw, Stream, hash};
pub(crate) use plan::{Plan, Subject, Treatment};
pub use profiles::{Profile, profiles};
use scenario::{PHASES_MAX, Phase, Steps};
pub(crate) use scenario::{Scenario, Stage};
pub(crate) use sections::{
    BindOutcome, BindResponse, Carrier, Dates, Disconnect, Dribble, EnquireLink, Form, IdForm, IdPlace,
    Malformed, ReceiptId, Receipts, ReceiptsPart, Response, Session, StateTlv, Submit, SubmitPart, TextLabel,
    Timing,
};
pub use settings::{Mistake, Mistakes};
pub use values::{DELAY_MAX, Word};
pub(crate) use values::{Delay, Percent, Stat, Status};

use std::time::Duration;

use serde::{Serialize, Serializer};
use settings::{Section, own};

/// An SMSC that answers no later than this is none that a person takes for slow.
const PROMPT_MAX: Duration = Duration::from_millis(100);

/// The most rules: every submit may be held against each.
pub const RULES_MAX: usize = 100;

/// The largest seed: TOML's numbers end there.
const SEED_MAX: u64 = i64::MAX as u64;

/// The longest text of a behaviour in bytes: a hundred rules with every field.
pub const TEXT_BYTES_MAX: usize = 128 * 1_024;

/// How the SMSC behaves.
///
/// [`Behavior::default`] is a healthy one: at once, in order, with receipts for those who ask.
#[derive(Clone, Debug, PartialEq)]
pub struct Behavior {
    /// What chance starts from: the same seed gives the same run.
    pub seed: u64,
    /// How submits are answered.
    pub(crate) submit: Submit,
    /// What receipts look like.
    pub(crate) receipts: Receipts,
    /// How binds and sessions are.
    pub(crate) session: Session,
    /// Exceptions for some submits; of those that match, the first counts.
    pub(crate) rules: Vec<Rule>,
    /// Other behaviours, one after another, instead of this one.
    pub(crate) scenario: Option<Scenario>,
}

/// A behaviour as it is written.
#[derive(Serialize)]
struct Wire<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    scenario: Option<&'a Steps>,
    #[serde(flatten)]
    alone: Option<Alone<'a>>,
    #[serde(skip_serializing_if = "<[Phase]>::is_empty")]
    phase: &'a [Phase],
}

/// One without a scenario.
#[derive(Serialize)]
struct Alone<'a> {
    seed: u64,
    submit: &'a Submit,
    receipts: &'a Receipts,
    session: &'a Session,
    #[serde(skip_serializing_if = "<[Rule]>::is_empty")]
    rule: &'a [Rule],
}

impl Serialize for Behavior {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { seed, submit, receipts, session, rules, scenario } = self;
        let alone = Alone { seed: *seed, submit, receipts, session, rule: rules };
        let wire = match scenario {
            Some(Scenario { steps, phases }) => Wire { scenario: Some(steps), alone: None, phase: phases },
            None => Wire { scenario: None, alone: Some(alone), phase: &[] },
        };
        wire.serialize(serializer)
    }
}

impl Default for Behavior {
    fn default() -> Self {
        Self {
            seed: 1,
            submit: Submit::default(),
            receipts: Receipts::default(),
            session: Session::default(),
            rules: Vec::new(),
            scenario: None,
        }
    }
}

/// An exception for the submits that meet all its conditions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Rule {
    /// The destination begins with these digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<Word<20>>,
    /// The text has these characters in it, as they are. Of a long message, each part is looked at by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// Which share of the submits that meet the other conditions.
    pub(crate) percent: Percent,
    /// What is other than `[submit]` says.
    #[serde(skip_serializing_if = "SubmitPart::is_empty")]
    pub(crate) submit: SubmitPart,
    /// What is other than `[receipts]` says.
    #[serde(skip_serializing_if = "ReceiptsPart::is_empty")]
    pub(crate) receipts: ReceiptsPart,
}

impl Rule {
    fn read(section: &Section<'_>) -> Self {
        Self {
            to: section.get("to", own()),
            text: section.get("text", own()),
            percent: section.or("percent", own(), Percent::ALL),
            submit: SubmitPart::read(&section.section("submit")),
            receipts: ReceiptsPart::read(&section.section("receipts")),
        }
    }
}

impl Behavior {
    /// Reads a behaviour written in TOML.
    ///
    /// # Errors
    ///
    /// All [`Mistakes`], each with its place, what was found, and what is allowed.
    pub fn from_toml(text: &str) -> Result<Self, Mistakes> {
        settings::from_toml(Self::bounded(text)?, Self::read)
    }

    /// Reads a behaviour written in JSON: the same fields in the same shape.
    ///
    /// # Errors
    ///
    /// As [`Behavior::from_toml`].
    pub fn from_json(text: &str) -> Result<Self, Mistakes> {
        settings::from_json(Self::bounded(text)?, Self::read)
    }

    fn bounded(text: &str) -> Result<&str, Mistakes> {
        if text.len() <= TEXT_BYTES_MAX {
            return Ok(text);
        }
        let found = format_args!("{} bytes", text.len());
        Err(Mistakes::of_whole(found, format_args!("{TEXT_BYTES_MAX} at most")))
    }

    fn read(root: &Section<'_>) -> Option<Self> {
        let alone = Self::read_alone(root);
        let sections = root.sections("phase", 0..=PHASES_MAX);
        let phases: Option<Vec<_>> = sections.iter().map(Phase::read).collect();
        let Some(entry) = root.entry("scenario") else {
            if !sections.is_empty() {
                root.conflict("phase", "tables", "beside a scenario alone");
            }
            return Some(alone);
        };
        if ["seed", "submit", "receipts", "session", "rule"].iter().any(|name| root.has(name)) {
            return entry.refuse_found("settings beside it", "in [[phase]] alone");
        }
        Some(Self { scenario: Some(Scenario::read(&entry, phases?)?), ..alone })
    }

    fn read_alone(section: &Section<'_>) -> Self {
        Self {
            seed: section.or("seed", 0..=SEED_MAX, 1),
            submit: Submit::read(&section.section("submit")),
            receipts: Receipts::read(&section.section("receipts")),
            session: Session::read(&section.section("session")),
            rules: section.sections("rule", 0..=RULES_MAX).iter().map(Rule::read).collect(),
            scenario: None,
        }
    }

    /// The behaviour in TOML: every setting of the three sections, and of the rules what they change.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every value has a form in TOML")
    }

    /// Whether this is an SMSC on a good day: it answers at once, or nearly so, and all else is as when nothing is
    /// written.
    pub(crate) fn is_healthy(&self) -> bool {
        let prompt = matches!(self.submit.latency, Delay::Fixed(always) if always.value() <= PROMPT_MAX);
        let submit = Submit { latency: Delay::ZERO, ..self.submit.clone() };
        prompt && Self { seed: 1, submit, ..self.clone() } == Self::default()
    }

    /// This behaviour, with every answer after `latency`, cut to a day; of a scenario, in every step.
    pub fn with_latency(mut self, latency: Duration) -> Self {
        self.submit.latency = Delay::fixed(latency);
        self.scenario = self.scenario.map(|scenario| scenario.map(|step| step.with_latency(latency)));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Behavior::from_toml(text).expect_err(text).to_string()
    }

    #[test]
    fn nothing_written_is_a_healthy_smsc() {
        assert_eq!(Behavior::from_toml("").unwrap(), Behavior::default());
        assert_eq!(Behavior::from_json("{}").unwrap(), Behavior::default());
    }

    #[test]
    fn a_good_day_is_prompt_and_has_no_faults() {
        let healthy = |text: &str| Behavior::from_toml(text).unwrap().is_healthy();
        assert!(healthy("") && healthy("seed = 7\nsubmit.latency = \"100ms\""));
        for text in [
            "submit.latency = \"101ms\"",
            "submit.latency = \"spikes 0ms 9s 1%\"",
            "submit.rate = 1",
            "receipts.copies = 2",
            "session.bind = \"refuse\"",
            "[[rule]]\nsubmit.response = \"none\"",
            "scenario = \"healthy\"",
        ] {
            assert!(!healthy(text), "{text}");
        }
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
    fn a_mistake_is_reported_with_its_place_key_and_what_is_allowed() {
        let delay = "a duration up to a day (\"20ms\"), \"uniform 10ms 50ms\", \"normal 20ms 5ms\" or \
                     \"spikes 20ms 2s 1%\"";
        let stats =
            "DELIVRD, UNDELIV, EXPIRED, REJECTD, ACCEPTD, ENROUTE, DELETED, UNKNOWN, FAILED or BUFFRED";
        let submit =
            "status, latency, rate, rate_digits, response, disconnect, message_id, malformed, delivery_delay";
        for (text, expected) in [
            (
                "seed = 1\n\n[[rule]]\npercent = 5\nsubmit.status = \"ESME_RTROTTLED\"\n",
                "5:17: rule[0].submit.status: found \"ESME_RTROTTLED\", allowed a status of SMPP 3.4 by name \
                 (\"ESME_RTHROTTLED\") or by number (\"0x58\", up to \"0xFFFFFFFF\")"
                    .into(),
            ),
            (
                "[submit]\nlatncy = \"1s\"",
                "2:1: submit.latncy: found an unknown key, allowed latency, the nearest that there is".into(),
            ),
            ("[submit]\ndelay = \"1s\"", format!("2:1: submit.delay: found an unknown key, allowed {submit}")),
            ("[submit]\nlatency = \"fast\"", format!("2:11: submit.latency: found \"fast\", allowed {delay}")),
            ("[submit]\nlatency = 20", format!("2:11: submit.latency: found 20, allowed {delay}")),
            ("[receipts]\ncopies = 11", "2:10: receipts.copies: found 11, allowed 0 to 10".into()),
            (
                "[receipts]\n  esm_class = 0x100",
                "2:15: receipts.esm_class: found 256, allowed 0 to 255".into(),
            ),
            (
                "[receipts]\nstates = []",
                "2:10: receipts.states: found 0 states, allowed a list of 1 to 8 states".into(),
            ),
            (
                "[receipts]\nstates = [\"OK\"]",
                format!("2:11: receipts.states[0]: found \"OK\", allowed {stats}"),
            ),
            ("[[rule]]\npercent = 101", "2:11: rule[0].percent: found 101, allowed 0 to 100 percent".into()),
            (
                "[session]\nbind = \"maybe\"",
                "2:8: session.bind: found \"maybe\", allowed \"accept\", \"refuse\" or \"silence\"".into(),
            ),
            (
                "[session.dribble]\nbytes = 0",
                "2:9: session.dribble.bytes: found 0, allowed 1 to 65536".into(),
            ),
        ] {
            assert_eq!(refusal(text), expected, "{text}");
        }
    }

    #[test]
    fn all_mistakes_are_reported_at_once_in_toml_and_in_json() {
        let toml = "seed = -1\n[receipts]\ncopies = 11\n[[rule]]\nto = \"\"\n";
        assert_eq!(
            refusal(toml),
            "1:8: seed: found -1, allowed 0 to 9223372036854775807\n\
             3:10: receipts.copies: found 11, allowed 0 to 10\n\
             5:6: rule[0].to: found \"\", allowed 1 to 20 printable ASCII characters without blanks"
        );
        let json = "{\"receipts\": {\"copies\": 11},\n \"seed\": \"x\"}";
        assert_eq!(
            Behavior::from_json(json).unwrap_err().to_string(),
            "1:25: receipts.copies: found 11, allowed 0 to 10\n\
             2:10: seed: found \"x\", allowed a whole number from 0 to 9223372036854775807"
        );
    }

    #[test]
    fn text_that_is_neither_toml_nor_json_is_reported_with_its_place() {
        assert_eq!(
            refusal("seed = 1\n[submit\n"),
            "2:8: syntax: found text that is not TOML (unclosed table), allowed `]`"
        );
        let error = Behavior::from_json("{} x").unwrap_err().to_string();
        assert_eq!(error, "1:4: syntax: found text that is not JSON, allowed JSON");
    }

    #[test]
    fn rules_and_text_are_bounded() {
        let rules = "[[rule]]\npercent = 1\n";
        assert!(Behavior::from_toml(&rules.repeat(RULES_MAX)).is_ok());
        assert_eq!(
            refusal(&rules.repeat(RULES_MAX + 1)),
            "1:1: rule: found 101 tables, allowed 0 to 100 tables [[rule]]"
        );
        assert_eq!(
            refusal(&" ".repeat(TEXT_BYTES_MAX + 1)),
            "1:1: found 131073 bytes, allowed 131072 at most"
        );
    }
}
