//! The behaviour in force: the one that was set, or, of a scenario, one step after another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use prometheus::IntGauge;
use tokio::sync::watch;

use crate::behavior::{Behavior, Plan, Stage};
use crate::clock;

/// Which behaviour is set, and what of it is in force.
pub(crate) struct Stages {
    set: watch::Sender<Arc<Behavior>>,
    /// What is in force, for the sessions.
    pub(super) plan: ArcSwap<Plan>,
    /// The step of a scenario. Whoever changes what is in force holds the lock.
    now: Mutex<Option<Running>>,
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

impl Stages {
    /// `number` shows the step in force, 0 without a scenario.
    pub(super) fn new(behavior: Behavior, number: IntGauge) -> Self {
        let plan = ArcSwap::from_pointee(Plan::new(Behavior::default()));
        let stages = Self { set: watch::Sender::default(), plan, now: Mutex::default(), number };
        stages.set(behavior, clock::now());
        stages
    }

    /// The behaviour that was set.
    pub(super) fn behavior(&self) -> Behavior {
        Behavior::clone(&self.set.borrow())
    }

    /// Sets another behaviour. A scenario begins with its first step.
    pub(super) fn set(&self, behavior: Behavior, now: Instant) {
        let mut running = self.lock();
        match &behavior.scenario {
            Some(scenario) => self.begin(scenario.stage(0), now, &mut running),
            None => {
                self.plan.store(Arc::new(Plan::new(behavior.clone())));
                self.number.set(0);
                *running = None;
            }
        }
        self.set.send_replace(Arc::new(behavior));
    }

    /// The step in force, if a scenario runs.
    pub(super) fn running(&self) -> Option<Running> {
        self.lock().clone()
    }

    /// Goes through the steps of a scenario, and of any that is set later, for ever.
    pub(super) async fn run(&self) {
        let mut set = self.set.subscribe();
        loop {
            let ends = self.running().and_then(|running| running.ends);
            let end = async {
                match ends {
                    Some(ends) => clock::timer(ends).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // It never ends: the sender is ours.
                _ = set.changed() => {}
                () = end => self.go_on(clock::now()),
            }
        }
    }

    /// Begins the next step if the one in force is over: at its end, however late that is seen.
    fn go_on(&self, now: Instant) {
        let mut running = self.lock();
        let over =
            running.clone().and_then(|step| Some((step.number, step.ends.filter(|ends| *ends <= now)?)));
        let set = Arc::clone(&self.set.borrow());
        if let (Some((number, ended)), Some(scenario)) = (over, &set.scenario) {
            self.begin(scenario.stage(number), ended, &mut running);
        }
    }

    fn begin(&self, stage: Stage, now: Instant, running: &mut Option<Running>) {
        let Stage { name, number, behavior, lasts } = stage;
        tracing::info!(name, number, ?lasts, "a step of the scenario began");
        self.plan.store(Arc::new(Plan::new(behavior)));
        self.number.set(i64::try_from(number).unwrap_or(i64::MAX));
        *running = Some(Running { name, number, ends: lasts.map(|lasts| now + lasts) });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        // Nothing panics while it holds the lock.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn state(stages: &Stages) -> (Option<(String, usize)>, u64, i64) {
        let running = stages.running().map(|step| (step.name, step.number));
        (running, stages.plan.load().behavior.seed, stages.number.get())
    }

    #[test]
    fn steps_follow_each_other_without_drift_until_another_behaviour_is_set() {
        let phase = |name, seed| format!("[[phase]]\nname = '{name}'\nseed = {seed}\n");
        let text = format!("scenario = 'one 2s, two 1s'\n{}{}", phase("one", 11), phase("two", 12));
        let number = IntGauge::new("step", "step").unwrap();
        let stages = Stages::new(Behavior::from_toml(&text).unwrap(), number);
        let began = stages.running().unwrap().ends.unwrap() - Duration::from_secs(2);
        let after = |seconds: f64| began + Duration::from_secs_f64(seconds);
        for (seconds, name, number, seed) in [
            (1.9, "one", 1_u8, 11),
            (2.4, "two", 2, 12),
            (2.9, "two", 2, 12),
            (3.3, "one", 1, 11),
            // Seen late: two seconds after its beginning, not after that.
            (5.0, "two", 2, 12),
        ] {
            stages.go_on(after(seconds));
            let expected = (Some((name.into(), number.into())), seed, number.into());
            assert_eq!(state(&stages), expected, "after {seconds} s");
        }
        stages.set(Behavior::from_toml("seed = 5").unwrap(), after(6.0));
        stages.go_on(after(9.0));
        assert_eq!(state(&stages), (None, 5, 0));
        assert_eq!(stages.behavior().seed, 5);
    }
}
