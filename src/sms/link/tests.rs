//! The link over real sockets: against the simulator, and against a peer that follows a script where
//! misbehaviour is needed. Time is a manual clock; every wait is for an event.

use std::net::SocketAddr;

use smsc_simulator::Simulator;
use tokio::task::JoinHandle;

use super::*;
use crate::sms::outbox::tests::item;
use crate::sms::outbox::{Outbox, outbox};

/// A net for tests that would hang; none waits for it.
const PATIENCE: Duration = Duration::from_secs(20);
const TTL: Duration = Duration::from_secs(180);
const CODE: &str = "4829130567";

#[expect(clippy::disallowed_methods, reason = "a net under tests that would hang, in real time")]
async fn patiently<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("the event comes")
}

/// A running link, its outbox and what it reports.
struct Running {
    outbox: Outbox,
    reports: mpsc::Receiver<DeliveryReport>,
    clock: Clock,
    drain: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(smsc: SocketAddr, change: impl FnOnce(&mut Config)) -> Self {
        let clock = Clock::manual(Timestamp::from_unix_millis(1_795_338_900_000));
        let metrics = Arc::new(Metrics::new());
        let (outbox, queue) = outbox(20_000, clock.clone(), Arc::clone(&metrics));
        let (sender, reports) = crate::sms::reports();
        let mut config = Config { address: smsc.to_string(), ..Config::default() };
        change(&mut config);
        let release = {
            let clock = clock.clone();
            move |item: &Item| {
                let left = item.expires_at.since(clock.now());
                (!left.is_zero()).then(|| (Code::parse(CODE).unwrap(), left))
            }
        };
        let password = Zeroizing::new("secret08".to_owned());
        let link = Link::new(&config, password, queue, release, sender, clock.clone(), Arc::clone(&metrics))
            .unwrap();
        let drain = CancellationToken::new();
        let task = tokio::spawn(link.run(drain.clone()));
        Self { outbox, reports, clock, drain, task }
    }

    fn send(&self, number: u8) {
        let item = item(number, self.clock.now().plus(TTL));
        self.outbox.reserve().unwrap().put(item);
    }

    async fn report(&mut self) -> (u8, Delivery) {
        let report = patiently(self.reports.recv()).await.expect("the link runs");
        (report.challenge.0[15], report.delivery)
    }

    /// Stops the link and returns the reports that nobody read.
    async fn stop(mut self) -> Vec<(u8, Delivery)> {
        self.drain.cancel();
        patiently(self.task).await.unwrap();
        let mut left = Vec::new();
        while let Some(report) = self.reports.recv().await {
            left.push((report.challenge.0[15], report.delivery));
        }
        left
    }
}

fn phone(number: u8) -> String {
    format!("+628120000{number:03}")
}

#[tokio::test]
async fn an_sms_arrives_whole_and_is_reported_accepted_and_delivered() {
    let simulator = Simulator::start(smsc_simulator::Config::default()).await.unwrap();
    let mut running = Running::start(simulator.smpp_addr(), |_| {});
    let before = simulator.inbox().cursor();
    running.send(7);
    let message = simulator.inbox().wait_for(&phone(7), before, PATIENCE).await.unwrap();
    assert!(message.text().starts_with("Bank Contoh: code 4829130567 to log in"), "{}", message.text());
    assert!(message.text().ends_with("\n@bank.example #4829130567"), "{}", message.text());
    assert_eq!((message.segments(), message.data_coding()), (1, 0));
    assert_eq!(message.validity().unwrap().as_str(), "000000000300000R");
    assert_eq!(running.report().await, (7, Delivery::Accepted));
    assert_eq!(running.report().await, (7, Delivery::Delivered));
    assert_eq!(running.stop().await, []);
    simulator.stop().await;
}
