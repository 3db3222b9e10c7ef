//! A house to test in: a simulator and a gateway on free ports, a hundred subscribers, and a small
//! HTTP client that keeps its connection.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use otp_gateway::app::App;
use otp_gateway::clock::{Clock, Timestamp};
use otp_gateway::config::Config;
use serde_json::{Value, json};
use smsc_simulator::Simulator;
use smsc_simulator::inbox::{Cursor, Filter, Message};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// A safety net under every wait for an event: far longer than any of them takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The key of the client `core-1`.
pub(crate) const CORE_KEY: &str = "otpgw_test_core";
/// The key of the client `auditor-1`, which may not call what the core calls.
pub(crate) const AUDITOR_KEY: &str = "otpgw_test_auditor";
/// How many subscribers there are: `ACME01/USER000` and on, all on SMS OTP but the last. One more,
/// `ACME01/BUDI`, is the one of the examples in `openapi.yaml`.
pub(crate) const SUBSCRIBERS: usize = 100;
/// The last one, who confirms with a hard token.
pub(crate) const HARD_TOKEN_USER: &str = "USER099";

/// When a manual clock starts.
pub(crate) const START: Timestamp = Timestamp::from_unix_millis(1_795_338_900_000);

/// A running house.
pub(crate) struct House {
    pub(crate) simulator: Simulator,
    pub(crate) app: Option<App>,
    pub(crate) clock: Clock,
    pub(crate) folder: TempDir,
}

/// What a house is built with.
pub(crate) struct Plan {
    pub(crate) clock: Clock,
    pub(crate) simulator: smsc_simulator::Config,
    /// Added to, or replacing, the sections of the configuration: (section, settings).
    pub(crate) sections: Vec<(&'static str, &'static str)>,
}

impl Default for Plan {
    fn default() -> Self {
        Self { clock: Clock::system(), simulator: smsc_simulator::Config::default(), sections: Vec::new() }
    }
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(Plan::default()).await
    }

    /// A house whose time stands still until it is advanced.
    pub(crate) async fn with_manual_clock() -> Self {
        // The simulator lives in real time: it must not be given up for what the test skips.
        let patient = ("smsc", "enquire_link_timer = \"10m\"\nresponse_timer = \"2m\"\n");
        let plan = Plan { clock: Clock::manual(START), sections: vec![patient], ..Plan::default() };
        Self::with(plan).await
    }

    pub(crate) async fn with(plan: Plan) -> Self {
        let simulator = Simulator::start(plan.simulator).await.expect("the simulator starts");
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_files(folder.path(), simulator.smpp_addr(), &plan.sections);
        let mut house = Self { simulator, app: None, clock: plan.clock, folder };
        house.start().await;
        house
    }

    /// Starts the gateway, on the files as they are now, and waits until its link is bound.
    pub(crate) async fn start(&mut self) {
        let config = Config::load(&self.folder.path().join("gateway.toml")).expect("a good configuration");
        let clock = self.clock.clone();
        let app = blocking(move || App::start(config, clock)).await.expect("the gateway starts");
        self.app = Some(app);
        self.wait_for_readyz("ready\n").await;
    }

    pub(crate) fn app(&self) -> &App {
        self.app.as_ref().expect("the gateway runs")
    }

    pub(crate) async fn wait_for_readyz(&self, expected: &str) {
        let admin = self.app().admin_addr();
        let bound = async {
            while Client::connect(admin).await.get("/readyz").await.text() != expected {
                tokio::task::yield_now().await;
            }
        };
        within(bound, "the link to be as expected").await;
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.app().api_addr()).await
    }

    pub(crate) async fn metrics(&self) -> String {
        Client::connect(self.app().admin_addr()).await.get("/metrics").await.text()
    }

    /// The messages on the handset of a subscriber, oldest first.
    pub(crate) fn messages(&self, user: usize) -> Vec<std::sync::Arc<Message>> {
        let to = smsc_simulator::inbox::Address::new(phone(user).as_bytes());
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

    /// Stops the gateway as SIGTERM would.
    pub(crate) async fn drain(&mut self) {
        let app = self.app.take().expect("the gateway runs");
        blocking(move || app.drain()).await;
    }
}

/// A challenge and its code.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) user: usize,
    pub(crate) challenge_id: String,
    pub(crate) code: String,
}

impl Issued {
    pub(crate) fn body(&self) -> Value {
        verify_body(self.user, &self.challenge_id, &self.code)
    }

    /// The same with a wrong code.
    pub(crate) fn wrong_body(&self) -> Value {
        verify_body(self.user, &self.challenge_id, &wrong(&self.code))
    }
}

pub(crate) fn wrong(code: &str) -> String {
    code.bytes().map(|digit| char::from(b'0' + (digit - b'0' + 1) % 10)).collect()
}

/// The digits of the origin-bound last line.
pub(crate) fn code_in(text: &str) -> &str {
    text.rsplit_once('#').expect("a last line with the code").1.trim()
}

pub(crate) fn phone(user: usize) -> String {
    format!("62812000{user:05}")
}

pub(crate) fn subscriber(user: usize) -> Value {
    json!({"corporate_id": "ACME01", "user_id": format!("USER{user:03}")})
}

pub(crate) fn transaction() -> Value {
    json!({"reference": "TRX-000123", "amount": "125000000", "currency": "IDR",
           "beneficiary_account": "1234567890", "beneficiary_name": "PT ABC"})
}

pub(crate) fn generate_body(user: usize) -> Value {
    json!({"subscriber": subscriber(user), "purpose": "payment", "locale": "id", "transaction": transaction()})
}

pub(crate) fn claim_body(user: usize, challenge_id: &str) -> Value {
    json!({"subscriber": subscriber(user), "challenge_id": challenge_id, "purpose": "payment",
           "transaction": transaction()})
}

pub(crate) fn verify_body(user: usize, challenge_id: &str, code: &str) -> Value {
    let mut body = claim_body(user, challenge_id);
    body["code"] = code.into();
    body
}

/// One connection to a listener, with the key of the core.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    pub(crate) key: Option<&'static str>,
}

impl Client {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("a handshake");
        tokio::spawn(connection);
        Self { sender, key: Some(CORE_KEY) }
    }

    pub(crate) async fn post(&mut self, call: &str, body: &Value) -> Reply {
        self.send("POST", &format!("/v1/otp/{call}"), &[], body.to_string()).await
    }

    pub(crate) async fn post_with_key(&mut self, call: &str, idempotency_key: &str, body: &Value) -> Reply {
        let headers = [("idempotency-key", idempotency_key)];
        self.send("POST", &format!("/v1/otp/{call}"), &headers, body.to_string()).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, &[], String::new()).await
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header("host", "gateway");
        if let Some(key) = self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if method == "POST" && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        self.sender.ready().await.expect("an open connection");
        let response = within(self.sender.send_request(request), "a reply").await.expect("a reply");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Reply { status: head.status, headers: head.headers, body }
    }

    /// The verdict of a verify: of an approval or of a refusal.
    pub(crate) async fn verdict(&mut self, body: &Value) -> String {
        let reply = self.post("verify", body).await;
        let verdict = reply.json()["verdict"].as_str().map(str::to_owned);
        verdict.unwrap_or_else(|| panic!("no verdict in {}", reply.text()))
    }
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn problem(&self) -> String {
        let json = self.json();
        let uri = json["type"].as_str().expect("a problem type");
        uri.rsplit('/').next().expect("a last part").to_owned()
    }

    pub(crate) fn replayed(&self) -> bool {
        self.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
    }
}

/// Waits for an event, with a safety net.
#[expect(clippy::disallowed_methods, reason = "the safety net is in real time, whatever clock the house has")]
pub(crate) async fn within<F: Future>(event: F, what: &str) -> F::Output {
    tokio::time::timeout(PATIENCE, event).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Runs what blocks away from the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(run).await.expect("it does not panic")
}

/// The files that a gateway is started on.
fn write_files(folder: &Path, smsc: SocketAddr, sections: &[(&'static str, &'static str)]) {
    let secret = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    };
    let simulator = smsc_simulator::Config::default();
    secret("master.keys", &format!("1 {}\n", "5a".repeat(32)));
    secret("smsc.password", &simulator.esmes[0].password);
    std::fs::write(folder.join("subscribers.csv"), subscribers()).expect("a file");
    let mut config = format!(
        "[[clients]]\nname = \"core-1\"\nroles = [\"core\"]\nkey_sha256 = \"{}\"\n\
         [[clients]]\nname = \"auditor-1\"\nroles = [\"auditor\"]\nkey_sha256 = \"{}\"\n\
         [subscribers]\nfile = \"subscribers.csv\"\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n",
        otp_gateway::http::auth::key_sha256(CORE_KEY),
        otp_gateway::http::auth::key_sha256(AUDITOR_KEY),
    );
    let system_id = &simulator.esmes[0].system_id;
    let smsc_default = format!("address = \"{smsc}\"\nsystem_id = \"{system_id}\"\nmark_tlv = 0x1400\n");
    let defaults = [("api", "listen = \"127.0.0.1:0\"\nworkers = 2\n".to_owned()), ("smsc", smsc_default)];
    for (section, default) in &defaults {
        let more = sections.iter().filter(|(name, _)| name == section).map(|(_, settings)| *settings);
        let header = if *section == "smsc" { "[[smsc]]" } else { "[api]" };
        config += &format!("{header}\n{default}{}\n", more.collect::<String>());
    }
    for (section, settings) in sections.iter().filter(|(name, _)| *name != "api" && *name != "smsc") {
        config += &format!("[{section}]\n{settings}\n");
    }
    std::fs::write(folder.join("gateway.toml"), config).expect("a file");
}

fn subscribers() -> String {
    let header = "company_name,cif,corporate_id,user_id,hard_token_serial,phone,email,authenticator\n";
    (0..=SUBSCRIBERS).fold(header.to_owned(), |csv, user| {
        let id = if user == SUBSCRIBERS { "BUDI".to_owned() } else { format!("USER{user:03}") };
        let authenticator = if id == HARD_TOKEN_USER { "hard_token" } else { "sms_otp" };
        csv + &format!(
            "PT Acme,CIF1,ACME01,{id},SN-{user},+{},{id}@acme.example,{authenticator}\n",
            phone(user)
        )
    })
}
