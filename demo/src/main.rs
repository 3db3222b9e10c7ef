//! The demo bank's command line: starts simulator, gateway and bank in one process, prints where they are,
//! and stops them cleanly.

mod bank;
mod challenge;
mod clock;
mod demo;
mod details;
mod exchange;
mod gateway;
mod outcome;
mod payment;
mod sample;
mod web;

use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;

use clap::Parser;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use demo::{Demo, Options};
use sample::Authenticator;

/// A port or another resource of the machine is missing (EX_UNAVAILABLE of sysexits.h).
const EXIT_UNAVAILABLE: u8 = 69;

/// A payment with an OTP, end to end on this machine: SMSC simulator, OTP gateway and demo bank in one
/// process, with sample data that is made at each start.
#[derive(Debug, Parser)]
#[command(name = "demo-bank", version)]
struct Arguments {
    #[command(flatten)]
    options: Options,

    /// When up, print one line of JSON with the addresses, credentials and subscribers
    #[arg(long)]
    ready_json: bool,

    /// What to log to stderr: error, warn, info, debug, trace, or a filter by module
    #[arg(long, value_name = "FILTER", default_value = "error")]
    log: EnvFilter,
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
    tracing_subscriber::fmt()
        .with_env_filter(arguments.log)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    // Before anything is said to be up, so that no signal is missed.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let demo = tokio::select! {
        demo = Demo::start(&arguments.options) => demo?,
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

/// What `--ready-json` prints: one object on one line, with those who can be sent an SMS.
fn print_for_programs(demo: &Demo) -> io::Result<()> {
    let users =
        demo.companies.iter().flat_map(|company| company.users.iter().map(move |user| (company, user)));
    let subscribers: Vec<_> = users
        .filter(|(_, user)| user.authenticator == Authenticator::SmsOtp)
        .map(|(company, user)| {
            json!({
                "corporate_id": company.corporate_id,
                "user_id": user.user_id,
                "phone": format!("+{}", user.phone),
            })
        })
        .collect();
    let ready = json!({
        "gateway": format!("http://{}", demo.app.api_addr()),
        "admin": format!("http://{}", demo.app.admin_addr()),
        "simulator": format!("http://{}", demo.simulator.web_addr()),
        "bank": format!("http://{}", demo.bank_addr),
        "smpp": demo.simulator.smpp_addr(),
        "smpp_credentials": { "system_id": sample::SYSTEM_ID, "password": demo.secrets.smsc_password },
        "api_key": demo.secrets.api_key,
        "subscribers": subscribers,
    });
    let mut out = io::stdout().lock();
    writeln!(out, "{ready}")?;
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
  4. Try the attacks below the form.

  The gateway's API is at http://{gateway}, its metrics at http://{admin}/metrics.
  For the calls in the README, with the API key of this run, which the page never sees:

    export GATEWAY=http://{gateway} SIMULATOR=http://{simulator} KEY={key} \
      CORPORATE_ID={corporate_id} USER_ID={user_id} PHONE={phone}

  Sample companies, subscribers and keys were made for this run. Ctrl-C stops everything.

"#,
        bank = demo.bank_addr,
        simulator = demo.simulator.web_addr(),
        gateway = demo.app.api_addr(),
        admin = demo.app.admin_addr(),
        corporate_id = company.corporate_id,
        user_id = company.users[0].user_id,
        phone = format_args!("+{}", company.users[0].phone),
    )?;
    out.flush()
}
