//! The command line of the simulator: settings, one thread, a clean stop.

use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use smsc_simulator::behavior::{Count, Delay};
use smsc_simulator::{Behavior, Config, DELAY_MAX, Esme, Simulator, StartError, Tls};
use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// An SMSC to test against: speaks SMPP 3.4, keeps every message in an inbox,
/// and shows it on a wall of handsets in the browser.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the simulator until Ctrl-C or SIGTERM
    Serve(Serve),
}

#[derive(Args)]
struct Serve {
    /// Where ESMEs connect; port 0 is any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:2775")]
    smpp_listen: SocketAddr,

    /// Where ESMEs connect that speak TLS [needs --tls-cert and --tls-key]
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3550")]
    tls_listen: SocketAddr,

    /// The SMSC's certificate, and those that lead to its root: a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The certificate's private key: a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Roots of the certificates that ESMEs have to show: a PEM file
    /// [default: they need none]
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,

    /// Where the inbox API and the page are; port 0 is any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    web_listen: SocketAddr,

    /// The system_id that may bind: at most 15 characters
    #[arg(long, value_name = "NAME", default_value = "gateway")]
    system_id: String,

    /// Its password: at most 8 characters [default: made and printed at start]
    #[arg(long, value_name = "PASSWORD")]
    password: Option<String>,

    /// Submits that a session may have unanswered; one more gets ESME_RTHROTTLED
    #[arg(long, value_name = "COUNT", default_value_t = 256)]
    window: usize,

    /// From a submit to its answer
    #[arg(long, value_name = "DURATION", default_value = "20ms", value_parser = humantime::parse_duration)]
    latency: Duration,

    /// From the answer to the delivery receipt
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    receipt_delay: Duration,

    /// Send no delivery receipts, whoever asks
    #[arg(long)]
    no_receipts: bool,

    /// Messages that the inbox keeps; the oldest go first
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    inbox_messages: usize,

    /// What callers of the inbox API must send as "Authorization: Bearer TOKEN".
    /// Needed to listen for other machines, since the inbox shows readable codes
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,

    /// Write all SMPP to this file, for Wireshark and tshark. It contains message
    /// texts, so that only its owner may read it
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,

    /// Megabytes that the capture may have
    #[arg(long, value_name = "COUNT", default_value_t = 256)]
    capture_megabytes: u64,

    /// When up, print one line of JSON with the addresses and credentials
    #[arg(long)]
    ready_json: bool,

    /// What to log to stderr: error, warn, info, debug, trace, or a filter by module.
    /// No level shows texts or whole numbers
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: EnvFilter,
}

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve").finish_non_exhaustive()
    }
}

/// What `--ready-json` prints.
#[derive(Serialize)]
struct Ready<'a> {
    smpp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<String>,
    web: String,
    smpp_credentials: Credentials<'a>,
}

#[derive(Serialize)]
struct Credentials<'a> {
    system_id: &'a str,
    password: &'a str,
}

/// The command line was understood, but its settings make no sense (sysexits).
const EX_USAGE: u8 = 64;

/// A file that the settings name cannot be read (sysexits).
const EX_NOINPUT: u8 = 66;

/// The simulator could not start (sysexits).
const EX_UNAVAILABLE: u8 = 69;

fn main() -> ExitCode {
    let Command::Serve(serve) = Cli::parse().command;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map_err(Failure::Io).and_then(|runtime| runtime.block_on(run(serve)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing is left to tell if stderr is closed, too.
            let _ = writeln!(io::stderr(), "smsc-simulator: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

async fn run(serve: Serve) -> Result<(), Failure> {
    let tls = tls(&serve)?;
    tracing_subscriber::fmt()
        .with_env_filter(serve.log)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    // Before anything is said to be up, so that no signal is missed.
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Io)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Io)?;
    let password = match serve.password {
        Some(password) => password,
        None => new_password().map_err(|error| Failure::Start(StartError::Random(error)))?,
    };
    if serve.latency.max(serve.receipt_delay) > DELAY_MAX {
        return Err(Failure::Start(StartError::Setting("latency and receipt delay must be at most a day")));
    }
    let mut behavior = Behavior::default().with_latency(serve.latency);
    behavior.receipts.delay = Delay::fixed(serve.receipt_delay);
    if serve.no_receipts {
        behavior.receipts.copies = Count::new(0);
    }
    let config = Config {
        smpp_listen: serve.smpp_listen,
        tls,
        web_listen: serve.web_listen,
        esmes: vec![Esme { window: serve.window, ..Esme::new(&serve.system_id, &password) }],
        behavior,
        inbox_messages_max: serve.inbox_messages,
        capture: serve.capture,
        capture_bytes_max: serve.capture_megabytes.saturating_mul(1_024 * 1_024),
        token: serve.token,
        ..Config::default()
    };
    let simulator = Simulator::start(config.clone()).await.map_err(Failure::Start)?;
    announce(&simulator, &config, serve.ready_json).map_err(Failure::Io)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    simulator.stop().await;
    Ok(())
}

/// The TLS listener that the settings ask for, with its files read.
fn tls(serve: &Serve) -> Result<Option<Tls>, Failure> {
    let (Some(certificates), Some(key)) = (&serve.tls_cert, &serve.tls_key) else {
        return Ok(None);
    };
    Ok(Some(Tls {
        listen: serve.tls_listen,
        certificates: read(certificates)?,
        key: read(key)?,
        client_ca: serve.tls_client_ca.as_deref().map(read).transpose()?,
    }))
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| Failure::Read(file.to_owned(), error))
}

fn announce(simulator: &Simulator, config: &Config, json: bool) -> io::Result<()> {
    let (smpp, web) = (simulator.smpp_addr(), simulator.web_addr());
    let (system_id, password) = (&config.esmes[0].system_id, &config.esmes[0].password);
    let mut out = io::stdout().lock();
    if json {
        let ready = Ready {
            smpp: smpp.to_string(),
            tls: simulator.tls_addr().map(|address| address.to_string()),
            web: format!("http://{web}"),
            smpp_credentials: Credentials { system_id, password },
        };
        serde_json::to_writer(&mut out, &ready)?;
        writeln!(out)?;
    } else {
        writeln!(out, "handsets  http://{web}/")?;
        writeln!(out, "inbox     http://{web}/messages")?;
        writeln!(out, "SMPP      {smpp}  system_id {system_id}  password {password}")?;
        if let Some(address) = simulator.tls_addr() {
            writeln!(out, "under TLS {address}")?;
        }
    }
    out.flush()
}

/// Eight letters and digits without those that look alike: 40 bits, which is
/// what SMPP's field allows of strength.
fn new_password() -> Result<String, getrandom::Error> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

/// Why the simulator did not run, or not to the end.
#[derive(Debug)]
enum Failure {
    Read(PathBuf, io::Error),
    Start(StartError),
    Io(io::Error),
}

impl Failure {
    const fn exit_code(&self) -> u8 {
        match self {
            Self::Start(StartError::Setting(_) | StartError::Tls(_)) => EX_USAGE,
            Self::Read(..) => EX_NOINPUT,
            Self::Start(_) | Self::Io(_) => EX_UNAVAILABLE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(file, error) => write!(f, "cannot read {}: {error}", file.display()),
            Self::Start(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}
