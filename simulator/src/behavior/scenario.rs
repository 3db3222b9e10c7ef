//! Behaviours one after another: a day with an outage in it, as data.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use settings::{Entry, Section, Setting, own};

use super::values::{Phrase, Span, phrase};
use super::{Behavior, Profile, Word};

/// The most steps.
const STEPS_MAX: usize = 100;
/// The shortest step that has an end.
const STEP_MIN: Duration = Duration::from_millis(100);
/// The most behaviours of a scenario's own.
pub(super) const PHASES_MAX: usize = 20;
/// The longest name of one.
const NAME_MAX: usize = 40;

/// One step of a [`Scenario`].
#[derive(Clone, PartialEq, Eq)]
struct Step {
    /// Of a phase, or a profile.
    name: String,
    /// `None`: for ever.
    lasts: Option<Span>,
}

/// The steps, as they are written: `healthy 60s, throttling 10s, dead 20s, healthy`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Steps(Vec<Step>);

impl Phrase for Steps {
    const ALLOWED: &'static str = "1 to 100 names of phases or profiles, each with a duration of 100ms to a day \
                                   (\"healthy 60s, dead 20s, healthy\"); the last may be without";

    fn parse(written: &str) -> Option<Self> {
        let parts: Vec<&str> = written.split(',').map(str::trim).collect();
        let count = parts.len();
        let steps = parts.into_iter().enumerate().map(|(index, part)| {
            let (name, lasts) = match part.split_once(char::is_whitespace) {
                Some((name, lasts)) => (name, Some(Span::parse(lasts.trim())?)),
                None => (part, None),
            };
            let long_enough = lasts.map_or(index + 1 == count, |lasts| lasts.value() >= STEP_MIN);
            (!name.is_empty() && long_enough).then(|| Step { name: name.to_owned(), lasts })
        });
        if count > STEPS_MAX {
            return None;
        }
        steps.collect::<Option<Vec<_>>>().map(Self)
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Step { name, lasts }) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}")?;
            lasts.iter().try_for_each(|lasts| write!(f, " {lasts}"))?;
        }
        Ok(())
    }
}

phrase!(Steps);

/// A behaviour of a scenario's own, with its name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Phase {
    pub(crate) name: Word<NAME_MAX>,
    #[serde(flatten)]
    pub(crate) behavior: Behavior,
}

impl Phase {
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let name = section.required("name", own::<Word<NAME_MAX>>());
        let behavior = Behavior::read_alone(section);
        Some(Self { name: name?, behavior })
    }
}

/// Behaviours one after another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scenario {
    pub(crate) steps: Steps,
    /// Behaviours of its own; a profile of the same name is hidden by it.
    pub(crate) phases: Vec<Phase>,
}

/// What is in force for a while.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stage {
    pub(crate) name: String,
    /// Counted from 1.
    pub(crate) number: usize,
    pub(crate) behavior: Behavior,
    /// `None`: for ever.
    pub(crate) lasts: Option<Duration>,
}

impl Scenario {
    /// Reads the steps and the phases; a name that is neither a phase's nor a profile's is refused.
    pub(super) fn read(entry: &Entry<'_>, phases: Vec<Phase>) -> Option<Self> {
        let steps = Steps::read(entry)?;
        let scenario = Self { steps, phases };
        for Step { name, .. } in &scenario.steps.0 {
            if scenario.behavior(name).is_none() {
                let allowed = "the name of a [[phase]] or of a profile";
                return entry.refuse_found(format_args!("\"{name}\""), allowed);
            }
        }
        Some(scenario)
    }

    fn behavior(&self, name: &str) -> Option<Behavior> {
        let own = self.phases.iter().find(|phase| phase.name.as_str() == name);
        own.map(|phase| phase.behavior.clone()).or_else(|| Profile::named(name).map(Profile::behavior))
    }

    /// The step with this number, counted from 0; after the last, they begin anew.
    pub(crate) fn stage(&self, step: usize) -> Stage {
        let number = step % self.steps.0.len();
        let Step { name, lasts } = &self.steps.0[number];
        Stage {
            name: name.clone(),
            number: number + 1,
            behavior: self.behavior(name).unwrap_or_default(),
            lasts: lasts.map(Span::value),
        }
    }

    /// This scenario with another behaviour in each of its steps.
    pub(super) fn map(mut self, change: impl Fn(Behavior) -> Behavior) -> Self {
        for Step { name, .. } in &self.steps.0 {
            if self.phases.iter().all(|phase| phase.name.as_str() != name)
                && let (Some(name), Some(behavior)) = (Word::new(name), self.behavior(name))
            {
                self.phases.push(Phase { name, behavior });
            }
        }
        self.phases = self
            .phases
            .into_iter()
            .map(|Phase { name, behavior }| Phase { name, behavior: change(behavior) })
            .collect();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: &str = concat!(
        "scenario = \"calm 1m, throttling 10s, dead 20s, calm\"\n",
        "[[phase]]\nname = \"calm\"\nseed = 3\n",
        "submit.latency = \"10ms\"\nsubmit.rate = 200\n",
        "[[phase.rule]]\nto = \"62899\"\nsubmit.response = \"none\"\n",
    );

    fn scenario(text: &str) -> Scenario {
        Behavior::from_toml(text).unwrap().scenario.unwrap()
    }

    fn refusal(text: &str) -> String {
        Behavior::from_toml(text).expect_err(text).to_string()
    }

    #[test]
    fn steps_are_phases_of_its_own_and_profiles_one_after_another() {
        let scenario = scenario(DAY);
        let stages: Vec<_> = (0..4).map(|step| scenario.stage(step)).collect();
        let lasts: Vec<_> = stages.iter().map(|stage| stage.lasts.map(|lasts| lasts.as_secs())).collect();
        assert_eq!(lasts, [Some(60), Some(10), Some(20), None]);
        assert_eq!((stages[0].behavior.seed, stages[0].behavior.rules.len()), (3, 1));
        assert_eq!(stages[0].behavior, stages[3].behavior);
        assert_eq!(stages[1].behavior, Profile::named("throttling").unwrap().behavior());
        assert_eq!((stages[2].name.as_str(), stages[2].number), ("dead", 3));
    }

    #[test]
    fn what_has_an_end_begins_anew_after_it() {
        let scenario = scenario("scenario = \"healthy 2s, dead 1s\"");
        assert_eq!(scenario.stage(0), scenario.stage(2));
        assert_eq!(scenario.stage(3).name, "dead");
    }

    #[test]
    fn a_scenario_is_written_out_and_read_back() {
        let behavior = Behavior::from_toml(DAY).unwrap();
        assert_eq!(Behavior::from_toml(&behavior.to_toml()).unwrap(), behavior, "{}", behavior.to_toml());
        let json = serde_json::to_string(&behavior).unwrap();
        assert_eq!(Behavior::from_json(&json).unwrap(), behavior, "{json}");
    }

    #[test]
    fn a_latency_is_that_of_every_step() {
        let changed = Behavior::from_toml(DAY).unwrap().with_latency(Duration::from_millis(7));
        let scenario = changed.scenario.unwrap();
        let healthy = Behavior::default().with_latency(Duration::from_millis(7));
        for step in 0..4 {
            assert_eq!(scenario.stage(step).behavior.submit.latency, healthy.submit.latency, "{step}");
        }
    }

    #[test]
    fn what_makes_no_scenario_is_refused() {
        for steps in
            ["", "healthy, dead 1s", "healthy 60", "healthy 1s,", "healthy 99ms, dead", "healthy 25h"]
        {
            let expected = format!("1:12: scenario: found \"{steps}\", allowed {}", Steps::ALLOWED);
            assert_eq!(refusal(&format!("scenario = \"{steps}\"")), expected);
        }
        assert_eq!(
            refusal("scenario = \"healthy 1s, deaf 1s\""),
            "1:12: scenario: found \"deaf\", allowed the name of a [[phase]] or of a profile"
        );
        assert_eq!(
            refusal("scenario = \"dead\"\n[submit]\nlatency = \"1s\""),
            "1:12: scenario: found settings beside it, allowed in [[phase]] alone"
        );
        assert_eq!(
            refusal("[[phase]]\nname = \"calm\""),
            "1:1: phase: found tables, allowed beside a scenario alone"
        );
        assert_eq!(
            refusal("scenario = \"calm\"\n[[phase]]\nname = \"calm\"\nscenario = \"dead\""),
            "4:1: phase[0].scenario: found an unknown key, allowed name, seed, submit, receipts, session, rule"
        );
    }
}
