//! The behaviour over HTTP: what is in use, what to begin with, and changes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};

use super::problem::{Place, Problem};
use crate::behavior::{Behavior, Mistake, Mistakes, Profile, profiles};
use crate::inbox::timestamp;
use crate::smsc::InForce;

/// The content type of a behaviour as people write it.
pub(super) const TOML: &str = "application/toml";

/// The text that was last put, with its comments, and what it means: to show it again for as long as it is in use.
#[derive(Default)]
pub(super) struct Written(Mutex<Option<(Behavior, String)>>);

impl Written {
    pub(super) fn keep(&self, behavior: Behavior, text: &str) {
        *self.place() = Some((behavior, text.to_owned()));
    }

    /// `in_use` as somebody wrote it: the text that was put, or a profile's, or else with every setting spelt out.
    pub(super) fn of(&self, in_use: &Behavior) -> String {
        if let Some((behavior, text)) = &*self.place()
            && behavior == in_use
        {
            return text.clone();
        }
        Profile::of(in_use).map_or_else(|| in_use.to_toml(), |profile| profile.toml.to_owned())
    }

    fn place(&self) -> MutexGuard<'_, Option<(Behavior, String)>> {
        // Nothing in this module panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is in force, in short: whose it is, and whether it is a good day.
pub(super) fn shown(in_force: &InForce) -> Value {
    let InForce { behavior, step, since } = in_force;
    let profile = Profile::of(behavior).or_else(|| healthy(in_force));
    let title = match (profile, step) {
        (Some(profile), _) => profile.title,
        (None, Some(step)) => &step.name,
        (None, None) => "Your own",
    };
    json!({
        "profile": profile.map(|profile| profile.name),
        "title": title,
        "healthy": behavior.is_healthy(),
        "since": timestamp(*since),
    })
}

/// The healthy profile, for whatever else comes to the same: an answer always after 20 ms, for instance. A step of a
/// scenario keeps the name that it was given.
fn healthy(in_force: &InForce) -> Option<&'static Profile> {
    let is_healthy = in_force.step.is_none() && in_force.behavior.is_healthy();
    is_healthy.then(|| Profile::named("healthy")).flatten()
}

/// A profile as JSON.
#[derive(Serialize)]
pub(super) struct ProfileWire {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    toml: &'static str,
}

pub(super) fn profile_list() -> Vec<ProfileWire> {
    let wire = |profile: &Profile| ProfileWire {
        name: profile.name,
        title: profile.title,
        description: profile.description,
        toml: profile.toml,
    };
    profiles().iter().map(wire).collect()
}

/// The place of the first mistake; the others stand behind it in `detail`.
impl From<Mistakes> for Problem {
    fn from(mistakes: Mistakes) -> Self {
        let (first, others) = mistakes.list().split_first().expect("there is at least one");
        let Mistake { line, column, key, found, allowed } = first.clone();
        let also: String = others.iter().map(|other| format!("\nAlso {other}")).collect();
        let more = match mistakes.more() {
            0 => String::new(),
            more => format!("\nand {more} more"),
        };
        let detail = format!("found {found}, allowed {allowed}{also}{more}");
        Self::bad_behavior(detail, Place { line, column, field: key })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::smsc::Running;

    #[test]
    fn what_was_put_is_shown_with_its_comments_while_it_is_in_use() {
        let written = Written::default();
        assert_eq!(Behavior::from_toml(&written.of(&Behavior::default())).unwrap(), Behavior::default());
        let text = "# mine\nseed = 7\n";
        let mine = Behavior::from_toml(text).unwrap();
        written.keep(mine.clone(), text);
        assert_eq!(written.of(&mine), text);
        let other = Behavior::from_toml("seed = 8").unwrap();
        assert_eq!(Behavior::from_toml(&written.of(&other)).unwrap(), other);
    }

    #[test]
    fn a_good_day_is_the_healthy_profile_s_and_a_bad_one_somebody_s_own() {
        let shown = |behavior| {
            let shown = shown(&InForce { behavior, step: None, since: SystemTime::UNIX_EPOCH });
            (shown["profile"].clone(), shown["title"].clone())
        };
        let answers_after = |millis| Behavior::default().with_latency(Duration::from_millis(millis));
        assert_eq!(shown(Behavior::default()), (json!("healthy"), json!("Healthy")));
        assert_eq!(shown(answers_after(30)), (json!("healthy"), json!("Healthy")));
        assert_eq!(shown(answers_after(60_000)), (Value::Null, json!("Your own")));
        let dead = Profile::named("dead").unwrap();
        assert_eq!(shown(dead.behavior()), (json!("dead"), json!(dead.title)));
    }

    #[test]
    fn a_step_of_a_scenario_has_the_name_that_it_was_given() {
        let step = Some(Running { name: "before the storm".into(), number: 1, ends: None });
        let behavior = Behavior::default().with_latency(Duration::from_millis(30));
        let shown = shown(&InForce { behavior, step, since: SystemTime::UNIX_EPOCH });
        assert_eq!((&shown["profile"], &shown["title"]), (&Value::Null, &json!("before the storm")));
    }

    #[test]
    fn a_profile_in_use_is_shown_as_it_is_written() {
        for profile in profiles() {
            assert_eq!(Written::default().of(&profile.behavior()), profile.toml, "{}", profile.name);
        }
    }
}
