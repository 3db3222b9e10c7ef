//! The behaviour in force: the one that was set, or, of a scenario, one step after another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use arc_swap::ArcSwap;
use prometheus::IntGauge;
use tokio::sync::watch;

use crate::behavior::{Behavior, Plan, Stage};
use crate::clock::{self, Moment};

/// Which behaviour is set, and what of it is in force.
pub(crate) struct Stages {
    set: watch::Sender<Arc<Behavior>>,
    /// What is in force, for the sessions.
    pub(super) plan: ArcSwap<Plan>,
    /// Whoever changes what is in force holds the lock.
    now: Mutex<Now>,
    number: IntGauge,
}

/// The step in force.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) name: String,
    pub(crate) number: usize,
    /// `None`: for ever.
    pub(crate) ends: Option<Instant>,
}

/// Where in its course the behaviour is.
struct Now {
    /// The step of a scenario.
    step: Option<Running>,
    since: SystemTime,
}

/// What is in force.
pub(crate) struct InForce {
    pub(crate) behavior: Behavior,
    /// The step, if a scenario runs.
    pub(crate) step: Option<Running>,
    /// When it was set, or the step began.
    pub(crate) since: SystemTime,
}

impl Stages {
    /// `number` shows the step in force, 0 without a scenario.
    pub(super) fn new(behavior: Behavior, number: IntGauge) -> Self {
        let plan = ArcSwap::from_pointee(Plan::new(Behavior::default()));
        let at = Moment::present();
        let now = Mutex::new(Now { step: None, since: at.wall });
        let stages = Self { set: watch::Sender::default(), plan, now, number };
        stages.set(behavior, &at);
        stages
    }

    /// The behaviour that was set.
    pub(super) fn behavior(&self) -> Behavior {
        Behavior::clone(&self.set.borrow())
    }

    /// Sets another behaviour. A scenario begins with its first step.
    pub(super) fn set(&self, behavior: Behavior, at: &Moment) {
        let mut now = self.lock();
        match &behavior.scenario {
            Some(scenario) => self.begin(scenario.stage(0), at, &mut now),
            None => {
                self.plan.store(Arc::new(Plan::new(behavior.clone())));
                self.number.set(0);
                *now = Now { step: None, since: at.wall };
            }
        }
        self.set.send_replace(Arc::new(behavior));
    }

    /// What is in force, and since when.
    pub(super) fn in_force(&self) -> InForce {
        let now = self.lock();
        InForce { behavior: self.plan.load().behavior.clone(), step: now.step.clone(), since: now.since }
    }

    /// Goes through the steps of a scenario, and of any that is set later, for ever.
    pub(super) async fn run(&self) {
        let mut set = self.set.subscribe();
        loop {
            let ends = self.lock().step.as_ref().and_then(|step| step.ends);
            let end = async {
                match ends {
                    Some(ends) => clock::timer(ends).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // It never ends: the sender is ours.
                _ = set.changed() => {}
                () = end => self.go_on(&Moment::present()),
            }
        }
    }

    /// Begins the next step if the one in force is over: at its end, however late that is seen.
    fn go_on(&self, at: &Moment) {
        let mut now = self.lock();
        let over = now.step.as_ref().and_then(|step| Some((step.number, step.ends?)));
        let set = Arc::clone(&self.set.borrow());
        if let (Some((number, ended)), Some(scenario)) = (over, &set.scenario)
            && ended <= at.now
        {
            let ended = Moment { now: ended, wall: at.wall - (at.now - ended) };
            self.begin(scenario.stage(number), &ended, &mut now);
        }
    }

    fn begin(&self, stage: Stage, at: &Moment, now: &mut Now) {
        let Stage { name, number, behavior, lasts } = stage;
        tracing::info!(name, number, ?lasts, "a step of the scenario began");
        self.plan.store(Arc::new(Plan::new(behavior)));
        self.number.set(i64::try_from(number).unwrap_or(i64::MAX));
        let step = Some(Running { name, number, ends: lasts.map(|lasts| at.now + lasts) });
        *now = Now { step, since: at.wall };
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        // Nothing panics while it holds the lock.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn state(stages: &Stages) -> (Option<(String, usize)>, u64, i64) {
        let running = stages.in_force().step.map(|step| (step.name, step.number));
        (running, stages.plan.load().behavior.seed, stages.number.get())
    }

    #[test]
    fn steps_follow_each_other_without_drift_until_another_behaviour_is_set() {
        let phase = |name, seed| format!("[[phase]]\nname = '{name}'\nseed = {seed}\n");
        let text = format!("scenario = 'one 2s, two 1s'\n{}{}", phase("one", 11), phase("two", 12));
        let number = IntGauge::new("step", "step").unwrap();
        let stages = Stages::new(Behavior::from_toml(&text).unwrap(), number);
        let began = stages.in_force();
        let (now, wall) = (began.step.unwrap().ends.unwrap() - Duration::from_secs(2), began.since);
        let after = |seconds: f64| {
            let passed = Duration::from_secs_f64(seconds);
            Moment { now: now + passed, wall: wall + passed }
        };
        for (seconds, name, number, seed, since) in [
            (1.9, "one", 1_u8, 11, 0),
            (2.4, "two", 2, 12, 2),
            (2.9, "two", 2, 12, 2),
            (3.3, "one", 1, 11, 3),
            // Seen late: two seconds after its beginning, not after that.
            (5.0, "two", 2, 12, 5),
        ] {
            stages.go_on(&after(seconds));
            let expected = (Some((name.into(), number.into())), seed, number.into());
            assert_eq!(state(&stages), expected, "after {seconds} s");
            assert_eq!(stages.in_force().since, wall + Duration::from_secs(since), "after {seconds} s");
        }
        stages.set(Behavior::from_toml("seed = 5").unwrap(), &after(6.0));
        stages.go_on(&after(9.0));
        assert_eq!((state(&stages), stages.in_force().since), ((None, 5, 0), after(6.0).wall));
        assert_eq!(stages.behavior().seed, 5);
    }
}
