//! The demo bank's command line: starts simulator, gateway and bank in one process, prints where they are,
//! and stops them cleanly.

mod bank;
mod clock;
mod demo;
mod gateway;
mod outcome;
mod payment;
mod sample;
mod web;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use demo::{Demo, Options};
use sample::Authenticator;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A port or another resource of the machine is missing (EX_UNAVAILABLE of sysexits.h).
const EXIT_UNAVAILABLE: u8 = 69;

/// A payment with an OTP, end to end on this machine: SMSC simulator, OTP gateway and demo bank in one
/// process, with sample data that is made at each start.
#[derive(Debug, Parser)]
#[command(name = "demo-bank", version)]
struct Arguments {
    /// The gateway's API; 0 is any free port
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    gateway_port: u16,

    /// The gateway's metrics and health
    #[arg(long, value_name = "PORT", default_value_t = 9464)]
    admin_port: u16,

    /// The simulator's SMPP
    #[arg(long, value_name = "PORT", default_value_t = 2775)]
    smpp_port: u16,

    /// The simulator's wall of handsets and its inbox API
    #[arg(long, value_name = "PORT", default_value_t = 8090)]
    simulator_port: u16,

    /// The bank's page
    #[arg(long, value_name = "PORT", default_value_t = 8091)]
    bank_port: u16,

    /// How long a code lives: 30 to 600 seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 180, value_parser = clap::value_parser!(u64).range(30..=600))]
    ttl_seconds: u64,

    /// When a code may be sent again; twice that for the second time
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=300))]
    resend_after_seconds: u64,

    /// When up, print one line of JSON with the addresses, credentials and subscribers
    #[arg(long)]
    ready_json: bool,

    /// What to log to stderr: error, warn, info, debug, trace, or a filter by module
    #[arg(long, value_name = "FILTER", default_value = "error")]
    log: EnvFilter,
}

/// What `--ready-json` prints: one object on one line.
#[derive(Serialize)]
struct Ready<'a> {
    gateway: String,
    admin: String,
    simulator: String,
    bank: String,
    smpp: String,
    smpp_credentials: Credentials<'a>,
    api_key: &'a str,
    /// Those who can be sent an SMS.
    subscribers: Vec<Subscriber<'a>>,
}

#[derive(Serialize)]
struct Credentials<'a> {
    system_id: &'a str,
    password: &'a str,
}

#[derive(Serialize)]
struct Subscriber<'a> {
    corporate_id: &'a str,
    user_id: &'a str,
    phone: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ran = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(error.into()),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If stderr is closed, there is nowhere to say so.
            let _ = writeln!(io::stderr(), "demo-bank: {error}");
            ExitCode::from(EXIT_UNAVAILABLE)
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_env_filter(arguments.log).with_writer(io::stderr).init();
    // Before anything is said to be up, so that no signal is missed.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let options = Options {
        gateway_port: arguments.gateway_port,
        admin_port: arguments.admin_port,
        smpp_port: arguments.smpp_port,
        simulator_port: arguments.simulator_port,
        bank_port: arguments.bank_port,
        ttl_seconds: arguments.ttl_seconds,
        resend_after_seconds: arguments.resend_after_seconds,
    };
    let demo = tokio::select! {
        demo = Demo::start(&options) => demo?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    let printed = if arguments.ready_json { print_for_programs(&demo) } else { print_for_people(&demo) };
    if printed.is_ok() {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    demo.stop().await?;
    printed.map_err(Into::into)
}

fn print_for_programs(demo: &Demo) -> io::Result<()> {
    let on_sms = |user: &&sample::User| user.authenticator == Authenticator::SmsOtp;
    let subscribers = demo
        .companies
        .iter()
        .flat_map(|company| {
            company.users.iter().filter(on_sms).map(|user| Subscriber {
                corporate_id: company.corporate_id,
                user_id: &user.user_id,
                phone: format!("+{}", user.phone),
            })
        })
        .collect();
    let ready = Ready {
        gateway: format!("http://{}", demo.gateway_addr()),
        admin: format!("http://{}", demo.admin_addr()),
        simulator: format!("http://{}", demo.simulator_addr()),
        bank: format!("http://{}", demo.bank_addr),
        smpp: demo.smpp_addr().to_string(),
        smpp_credentials: Credentials { system_id: sample::SYSTEM_ID, password: &demo.secrets.smsc_password },
        api_key: &demo.secrets.api_key,
        subscribers,
    };
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &ready)?;
    out.write_all(b"\n")?;
    out.flush()
}

fn print_for_people(demo: &Demo) -> io::Result<()> {
    let (company, key) = (&demo.companies[0], &demo.secrets.api_key);
    let mut out = io::stdout().lock();
    write!(
        out,
        r#"
  Bank Contoh is open:  http://{bank}

  1. Open it, and press "Generate OTP".
  2. The SMS arrives on the handset beside the form (all handsets: http://{simulator}).
  3. Type its code, and press "Konfirmasi Pembayaran".

  The gateway's API is at http://{gateway}, its metrics at http://{admin}/metrics.
  For the calls in the README, with the API key of this run, which the page never sees:

    export GATEWAY=http://{gateway} SIMULATOR=http://{simulator} KEY={key} \
      CORPORATE_ID={corporate_id} USER_ID={user_id} PHONE={phone}

  Sample companies, subscribers and keys were made for this run. Ctrl-C stops everything.

"#,
        bank = demo.bank_addr,
        simulator = demo.simulator_addr(),
        gateway = demo.gateway_addr(),
        admin = demo.admin_addr(),
        corporate_id = company.corporate_id,
        user_id = company.users[0].user_id,
        phone = format_args!("+{}", company.users[0].phone),
    )?;
    out.flush()
}
