//! Simulator, gateway and bank together, with sample data: up in this order, down in the other.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use gateway_sandbox::{Configuration, Sandbox, Secrets};
use otp_gateway::app::{self, App};
use otp_gateway::clock::Clock;
use otp_gateway::config::{Config, Mistakes};
use smsc_simulator::Simulator;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bank::Bank;
use crate::clock;
use crate::gateway::Gateway;
use crate::sample::{self, Company, SYSTEM_ID};
use crate::web::Web;

/// For the gateway to bind to the simulator, which takes a few milliseconds.
const BIND_TIMEOUT: Duration = Duration::from_secs(10);
/// How often that is looked at.
const BIND_LOOK: Duration = Duration::from_millis(5);
/// Between a submit and its answer: about what a near SMSC takes.
const SMSC_LATENCY: Duration = Duration::from_millis(20);

/// By this vendor's tag the simulator sees whether one SMS is sent twice.
const MARK_TLV: u16 = 0x1400;

/// What the demo is started with. Port 0 is any free one.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Options {
    /// The gateway's API; 0 is any free port
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub(crate) gateway_port: u16,

    /// The gateway's metrics and health
    #[arg(long, value_name = "PORT", default_value_t = 9464)]
    pub(crate) admin_port: u16,

    /// The simulator's SMPP
    #[arg(long, value_name = "PORT", default_value_t = 2775)]
    pub(crate) smpp_port: u16,

    /// The simulator's wall of handsets and its inbox API
    #[arg(long, value_name = "PORT", default_value_t = 8090)]
    pub(crate) simulator_port: u16,

    /// The bank's page
    #[arg(long, value_name = "PORT", default_value_t = 8091)]
    pub(crate) bank_port: u16,

    /// How long a code lives: 30 to 600 seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 180, value_parser = clap::value_parser!(u64).range(30..=600))]
    pub(crate) ttl_seconds: u64,

    /// When a code may be sent again; twice that for the second time
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(crate) resend_after_seconds: u64,
}

impl Options {
    /// The option that asked for `port`, so that people know what to change.
    fn option_of(&self, port: u16) -> &'static str {
        let options = [
            (self.gateway_port, "--gateway-port"),
            (self.admin_port, "--admin-port"),
            (self.smpp_port, "--smpp-port"),
            (self.simulator_port, "--simulator-port"),
            (self.bank_port, "--bank-port"),
        ];
        options.into_iter().find(|(asked, _)| *asked == port).map_or("a port", |(_, option)| option)
    }
}

/// Why the demo did not start. What had started is stopped.
#[derive(Debug)]
pub(crate) enum StartError {
    /// A port is taken, or may not be listened on: the option, the port, what the system says.
    Listen(&'static str, u16, io::Error),
    Simulator(smsc_simulator::StartError),
    Config(Mistakes),
    Gateway(app::StartError),
    Io(io::Error),
    /// The gateway did not bind to the simulator in time.
    NoLink,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(option, port, error) if error.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "port {port} is in use; choose another one with {option} PORT (0 = any free one)")
            }
            Self::Listen(option, port, error) => {
                write!(f, "cannot listen on port {port} ({option}): {error}")
            }
            Self::Simulator(error) => write!(f, "the simulator: {error}"),
            Self::Config(error) => write!(f, "the gateway's configuration: {error}"),
            Self::Gateway(error) => write!(f, "the gateway: {error}"),
            Self::Io(error) => error.fmt(f),
            Self::NoLink => f.write_str("the gateway did not bind to the simulator"),
        }
    }
}

impl std::error::Error for StartError {}

/// All three, running.
pub(crate) struct Demo {
    pub(crate) app: App,
    pub(crate) simulator: Simulator,
    sandbox: Sandbox,
    pub(crate) secrets: Secrets,
    pub(crate) companies: Vec<Company>,
    pub(crate) bank_addr: SocketAddr,
    stop_bank: CancellationToken,
    bank: JoinHandle<()>,
}

impl Demo {
    /// Starts all three; when this returns, a payment can be made.
    pub(crate) async fn start(options: &Options) -> Result<Self, StartError> {
        let listener = listen(options).await?;
        let bank_addr = listener.local_addr().map_err(StartError::Io)?;
        let (companies, secrets) = (sample::companies(), Secrets::draw().map_err(StartError::Io)?);
        let simulator = start_simulator(options, &secrets).await?;
        let configuration = configuration(options, &secrets, simulator.smpp_addr());
        let sandbox = Sandbox::new().map_err(StartError::Io)?;
        sandbox
            .write_gateway(&configuration, &secrets, sample::subscribers(&companies))
            .map_err(StartError::Io)?;
        let config = Config::load(&sandbox.configuration()).map_err(StartError::Config)?;
        let app = App::start(config, Clock::system()).map_err(|error| gateway_error(options, error))?;
        let stop_bank = CancellationToken::new();
        let gateway = Gateway::new(app.api_addr(), &secrets.api_key);
        let web = Web {
            bank: Bank::new(gateway, companies.clone()),
            inbox: simulator.inbox().clone(),
            wall: format!("http://{}/", simulator.web_addr()),
            listening: bank_addr,
            stop: stop_bank.clone(),
        };
        let bank = tokio::spawn(web.serve(listener));
        let demo = Self { app, simulator, sandbox, secrets, companies, bank_addr, stop_bank, bank };
        if demo.bound().await { Ok(demo) } else { Err(StartError::NoLink) }
    }

    /// Whether the gateway has bound to the simulator within [`BIND_TIMEOUT`].
    async fn bound(&self) -> bool {
        let bound = async {
            while self.simulator.sessions_bound() == 0 {
                clock::pause(BIND_LOOK).await;
            }
        };
        clock::within(BIND_TIMEOUT, bound).await.is_some()
    }

    /// Stops the bank, drains the gateway, stops the simulator, removes the files.
    pub(crate) async fn stop(self) -> io::Result<()> {
        self.stop_bank.cancel();
        let bank = self.bank.await;
        // It drains over the simulator, which lives on this runtime.
        let app = self.app;
        let drained = tokio::task::spawn_blocking(move || app.drain()).await;
        self.simulator.stop().await;
        self.sandbox.remove()?;
        bank.and(drained).map_err(io::Error::other)
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

async fn listen(options: &Options) -> Result<TcpListener, StartError> {
    let port = options.bank_port;
    let listener = TcpListener::bind(loopback(port)).await;
    listener.map_err(|error| StartError::Listen("--bank-port", port, error))
}

/// What of the gateway's configuration the demo lets be chosen.
fn configuration(options: &Options, secrets: &Secrets, smsc: SocketAddr) -> Configuration {
    let seconds = |seconds: u64| format!("{seconds}s");
    Configuration::new(smsc, SYSTEM_ID)
        .with_client("demo-bank", "core", &secrets.api_key)
        .with("api.listen", loopback(options.gateway_port))
        .with("admin.listen", loopback(options.admin_port))
        .with("challenge.ttl", seconds(options.ttl_seconds))
        .with("challenge.first_resend_after", seconds(options.resend_after_seconds))
        .with("challenge.next_resend_after", seconds(2 * options.resend_after_seconds))
        .with("smsc.name", "simulator")
        .with("smsc.mark_tlv", MARK_TLV)
}

async fn start_simulator(options: &Options, secrets: &Secrets) -> Result<Simulator, StartError> {
    let config = smsc_simulator::Config {
        smpp_listen: loopback(options.smpp_port),
        web_listen: loopback(options.simulator_port),
        esmes: vec![
            smsc_simulator::Esme::new(SYSTEM_ID, &secrets.smsc_password)
                .expect("the sandbox's password fits"),
        ],
        behavior: smsc_simulator::Behavior::default().with_latency(SMSC_LATENCY),
        ..smsc_simulator::Config::default()
    };
    Simulator::start(config).await.map_err(|error| match error {
        smsc_simulator::StartError::Listen(addr, error) => {
            StartError::Listen(options.option_of(addr.port()), addr.port(), error)
        }
        error => StartError::Simulator(error),
    })
}

fn gateway_error(options: &Options, error: app::StartError) -> StartError {
    match error {
        app::StartError::Listen(_, addr, error) => {
            StartError::Listen(options.option_of(addr.port()), addr.port(), error)
        }
        error => StartError::Gateway(error),
    }
}

#[cfg(test)]
mod tests;
