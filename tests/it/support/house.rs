//! A simulator and a gateway in this process, on free ports, with the subscribers of [`payment`](super::payment).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gateway_sandbox::{Configuration, Sandbox, Secrets};
use hyper::StatusCode;
use otp_gateway::app::App;
use otp_gateway::clock::{Clock, Timestamp};
use otp_gateway::config::Config;
use serde_json::Value;
use smsc_simulator::Simulator;
use smsc_simulator::inbox::{Address, Cursor, Filter, Message};

use super::client::{AUDITOR_KEY, BATCH_KEY, CORE_KEY, Client};
use super::payment::{Issued, code_in, generate_body, phone, subscribers};
use super::{PATIENCE, blocking, within};

/// A byte of the master key in use, in hexadecimal.
pub(crate) const MASTER_KEY: &str = "5a";
/// When a manual clock starts.
pub(crate) const START: Timestamp = Timestamp::from_unix_millis(1_795_338_900_000);

/// A running house.
pub(crate) struct House {
    pub(crate) simulator: Simulator,
    pub(crate) app: Option<App>,
    pub(crate) clock: Clock,
    pub(crate) sandbox: Sandbox,
    pub(crate) configuration: Configuration,
}

/// What a house is built with.
pub(crate) struct Plan {
    pub(crate) clock: Clock,
    pub(crate) simulator: smsc_simulator::Config,
    settings: Vec<(&'static str, Value)>,
}

impl Default for Plan {
    fn default() -> Self {
        Self { clock: Clock::system(), simulator: smsc_simulator::Config::default(), settings: Vec::new() }
    }
}

impl Plan {
    /// With a setting of the gateway's configuration, such as `challenge.ttl`, that is not its default.
    pub(crate) fn with(mut self, setting: &'static str, value: impl Into<Value>) -> Self {
        self.settings.push((setting, value.into()));
        self
    }

    /// With a time that stands still until it is advanced.
    pub(crate) fn with_manual_clock(self) -> Self {
        Self { clock: Clock::manual(START), ..self }
    }

    /// With an SMSC that does this.
    pub(crate) fn with_behavior(mut self, behavior: smsc_simulator::Behavior) -> Self {
        self.simulator.behavior = behavior;
        self
    }

    /// The gateway's configuration and secrets.
    fn configuration(&self, smsc: SocketAddr) -> (Configuration, Secrets) {
        let esme = &self.simulator.esmes[0];
        let secrets = Secrets {
            api_key: CORE_KEY.into(),
            smsc_password: esme.password().to_owned(),
            master_key: MASTER_KEY.repeat(32),
        };
        let defaults = Configuration::new(smsc, esme.system_id())
            .with_client("core-1", "core", CORE_KEY)
            .with_client("batch-1", "core", BATCH_KEY)
            .with_client("auditor-1", "auditor", AUDITOR_KEY)
            .with("api.workers", 2)
            .with("smsc.mark_tlv", 0x1400);
        let configuration = self
            .settings
            .iter()
            .fold(defaults, |configuration, (setting, value)| configuration.with(setting, value));
        (configuration, secrets)
    }
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(Plan::default()).await
    }

    /// A house whose time stands still until it is advanced.
    pub(crate) async fn with_manual_clock() -> Self {
        // The simulator lives in real time: it must not be given up for what the test skips.
        let plan = Plan::default().with_manual_clock();
        Self::with(plan.with("smsc.enquire_link_timer", "10m").with("smsc.response_timer", "2m")).await
    }

    pub(crate) async fn with(plan: Plan) -> Self {
        let simulator = Simulator::start(plan.simulator.clone()).await.expect("the simulator starts");
        let (configuration, secrets) = plan.configuration(simulator.smpp_addr());
        let sandbox = Sandbox::new().expect("a temporary folder");
        sandbox.write_gateway(&configuration, &secrets, subscribers()).expect("files");
        let mut house = Self { simulator, app: None, clock: plan.clock, sandbox, configuration };
        house.start().await;
        house
    }

    /// Starts the gateway, on the files as they are now, and waits until its link is bound.
    pub(crate) async fn start(&mut self) {
        let config = Config::load(&self.sandbox.configuration()).expect("a good configuration");
        let clock = self.clock.clone();
        let app = blocking(move || App::start(config, clock)).await.expect("the gateway starts");
        self.app = Some(app);
        wait_until_ready(self.app().admin_addr(), true).await;
    }

    pub(crate) fn app(&self) -> &App {
        self.app.as_ref().expect("the gateway runs")
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.app().api_addr()).await
    }

    pub(crate) async fn metrics(&self) -> String {
        Client::connect(self.app().admin_addr()).await.get("/metrics").await.text()
    }

    /// Moves the manual clock on, once every SMS has got its answer: the simulator lives in real time, and the link would
    /// give up what it waits for.
    pub(crate) async fn advance(&self, duration: Duration) {
        let nothing_in_flight = async {
            while !self.metrics().await.contains("\notpgw_sms_outbox_items 0\n") {
                tokio::task::yield_now().await;
            }
        };
        within(nothing_in_flight, "the answers to all SMS").await;
        self.clock.advance(duration);
    }

    /// The messages on the handset of a subscriber, oldest first.
    pub(crate) fn messages(&self, user: usize) -> Vec<Arc<Message>> {
        let to = Address::new(phone(user).as_bytes());
        self.simulator.inbox().messages(&Filter { to, ..Filter::default() }).messages
    }

    /// The code of the SMS with this reference, once it has arrived.
    pub(crate) async fn code(&self, user: usize, sms_reference: &str) -> String {
        let mut since = Cursor::START;
        loop {
            let arrived = self.simulator.inbox().wait_for(&phone(user), since, PATIENCE).await;
            let message = arrived.expect("an SMS within the patience of this test");
            if message.text().contains(&format!("ref {sms_reference}")) {
                return code_in(message.text()).to_owned();
            }
            since = message.cursor();
        }
    }

    /// Issues a challenge for the standard payment and reads its code from the handset.
    pub(crate) async fn issue(&self, client: &mut Client, user: usize) -> Issued {
        let reply = client.post("generate", &generate_body(user)).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text());
        let challenge_id = reply.json()["challenge_id"].as_str().expect("an id").to_owned();
        let sms_reference = reply.json()["sms_reference"].as_str().expect("a reference").to_owned();
        let code = self.code(user, &sms_reference).await;
        Issued { user, challenge_id, code }
    }

    /// Drains and stops the gateway as SIGTERM would.
    pub(crate) async fn drain(&mut self) {
        let app = self.app.take().expect("the gateway runs");
        blocking(move || app.drain()).await;
    }
}

/// Waits until the gateway says that it is ready, a link being bound, or that it is not.
pub(crate) async fn wait_until_ready(admin: SocketAddr, ready: bool) {
    let as_expected = async {
        while (Client::connect(admin).await.get("/readyz").await.text() == "ready\n") != ready {
            tokio::task::yield_now().await;
        }
    };
    within(as_expected, "the link to be as expected").await;
}

impl House {
    /// Writes this text as the file of master keys, and has the gateway read its configuration again.
    pub(crate) fn reload_with_keys(&self, keys: &str) -> Result<(), String> {
        self.sandbox.write("master.keys", keys).expect("a file");
        self.reload()
    }

    /// Has the gateway read its configuration again, as SIGHUP would.
    pub(crate) fn reload(&self) -> Result<(), String> {
        let config = Config::load(&self.sandbox.configuration()).expect("a good configuration");
        self.app().reload(config)
    }
}
