//! Behaviours ready made: the good days and the bad ones.

use std::sync::LazyLock;

use super::Behavior;

/// A behaviour with a name.
#[derive(Debug)]
pub struct Profile {
    /// What it is called by: `half-open`.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What the SMSC does, in one sentence.
    pub description: &'static str,
    /// The behaviour as TOML, with comments.
    pub toml: &'static str,
}

impl Profile {
    /// The profile called `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        PROFILES.iter().find(|profile| profile.name == name)
    }

    /// The profile that says the same as `behavior`.
    pub(crate) fn of(behavior: &Behavior) -> Option<&'static Self> {
        // Pages ask every second: reading all of them again would be the most of the answer's work.
        static BEHAVIORS: LazyLock<Vec<Behavior>> =
            LazyLock::new(|| PROFILES.iter().map(Profile::behavior).collect());
        let at = BEHAVIORS.iter().position(|one| one == behavior)?;
        PROFILES.get(at)
    }

    /// The behaviour.
    pub fn behavior(&self) -> Behavior {
        Behavior::from_toml(self.toml).expect("profiles are tested to be read")
    }
}

/// All profiles, the healthy one first.
pub fn profiles() -> &'static [Profile] {
    &PROFILES
}

macro_rules! profile {
    ($name:literal, $title:literal, $description:literal) => {
        Profile {
            name: $name,
            title: $title,
            description: $description,
            toml: include_str!(concat!("../../profiles/", $name, ".toml")),
        }
    };
}

static PROFILES: [Profile; 18] = [
    profile!("healthy", "Healthy", "Answers within 20 milliseconds and sends every receipt once, in order."),
    profile!(
        "slow",
        "Slow",
        "Answers take most of a second, some over five, and handsets and receipts take longer."
    ),
    profile!(
        "throttling",
        "Throttling",
        "Refuses a fifth of the submits with ESME_RTHROTTLED and some with a full queue."
    ),
    profile!(
        "rate-limited",
        "Rate-limited",
        "Takes 200 submits a second, and 20 a second to 62899…: beyond, ESME_RTHROTTLED."
    ),
    profile!(
        "sick-prefix-throttled",
        "Sick prefix, throttled",
        "Refuses everything to 62899… with ESME_RTHROTTLED and is healthy to all others."
    ),
    profile!(
        "sick-prefix-queue-full",
        "Sick prefix, queues full",
        "Refuses everything to 62899… with ESME_RMSGQFUL and is healthy to all others."
    ),
    profile!(
        "sick-prefix-failing",
        "Sick prefix, failing",
        "Refuses everything to 62899… with ESME_RSUBMITFAIL and is healthy to all others."
    ),
    profile!(
        "sick-prefix-silent",
        "Sick prefix, silent",
        "Delivers what goes to 62899… without ever answering it and is healthy to all others."
    ),
    profile!(
        "sick-prefix-erratic",
        "Sick prefix, erratic",
        "Answers some of what goes to 62899… at once, some after seconds and some never, and is healthy to all others."
    ),
    profile!(
        "sick-prefixes",
        "Eight sick prefixes",
        "Throttles, fails, leaves without an answer or answers late what goes to 62892… to 62899…, two each, and is healthy to all others."
    ),
    profile!(
        "flaky",
        "Flaky",
        "Loses answers, receipts and connections, a few in a hundred of each, and answers some submits late or twice."
    ),
    profile!(
        "half-open",
        "Half-open",
        "Goes quiet after 50 submits: the connection stays up, and nothing is read or answered."
    ),
    profile!(
        "dead",
        "Dead",
        "Answers no bind and no enquire_link, and goes quiet on every session after its next submit, which it does not answer."
    ),
    profile!("black-hole", "Black hole", "Delivers one submit in ten without ever answering it."),
    profile!(
        "early-receipts",
        "Early receipts",
        "Sends receipts before the answer to the submit, half of them on another bind."
    ),
    profile!(
        "receipt-storm",
        "Receipt storm",
        "Sends every receipt four times, with three states on the way."
    ),
    profile!(
        "mixed-ids",
        "Mixed ids",
        "Writes a message id one way in the answer and another way in the receipt."
    ),
    profile!(
        "malformed",
        "Malformed",
        "Spoils some PDUs: bodies cut short, unknown commands, wrong lengths, odd ids and parameters."
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_profile_is_read_and_says_what_it_is() {
        for profile in profiles() {
            let behavior =
                Behavior::from_toml(profile.toml).unwrap_or_else(|error| panic!("{}: {error}", profile.name));
            assert_eq!(profile.behavior(), behavior);
            assert!(!profile.title.is_empty() && profile.description.ends_with('.'), "{}", profile.name);
        }
        let names: HashSet<_> = profiles().iter().map(|profile| profile.name).collect();
        assert_eq!(names.len(), profiles().len());
        assert_eq!(Profile::named("slow").unwrap().title, "Slow");
        assert!(Profile::named("fast").is_none());
    }

    #[test]
    fn every_profile_but_the_healthy_one_is_known_not_to_be_healthy() {
        let healthy = profiles()[0].behavior();
        assert!(healthy.rules.is_empty());
        assert!(healthy.is_healthy());
        for profile in &profiles()[1..] {
            assert!(!profile.behavior().is_healthy(), "{}", profile.name);
        }
        assert_eq!(Profile::of(&Profile::named("dead").unwrap().behavior()).unwrap().name, "dead");
        assert!(Profile::of(&Behavior::from_toml("seed = 99").unwrap()).is_none());
    }
}
