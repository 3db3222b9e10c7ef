//! The program: settings, one thread, a clean stop.

mod command_line;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use serde::Serialize;
use smsc_simulator::{Config, Simulator};
use tokio::signal::unix::{SignalKind, signal};

use command_line::{Cli, Command, Failure, Serve};

/// What `--ready-json` prints.
#[derive(Serialize)]
struct Ready<'a> {
    smpp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<String>,
    web: String,
    /// Of the first ESME.
    smpp_credentials: Credentials<'a>,
}

#[derive(Serialize)]
struct Credentials<'a> {
    system_id: &'a str,
    password: &'a str,
}

fn main() -> ExitCode {
    let Command::Serve(serve) = Cli::parse().command;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map_err(Failure::Io).and_then(|runtime| runtime.block_on(run(*serve)));
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
    let config = serve.config()?;
    tracing_subscriber::fmt()
        .with_env_filter(serve.log)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    // Before anything is said to be up, so that no signal is missed.
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Io)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Io)?;
    let simulator = Simulator::start(config.clone()).await.map_err(Failure::Start)?;
    announce(&simulator, &config, serve.ready_json).map_err(Failure::Io)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    simulator.stop().await;
    Ok(())
}

fn announce(simulator: &Simulator, config: &Config, json: bool) -> io::Result<()> {
    let (smpp, web) = (simulator.smpp_addr(), simulator.web_addr());
    let mut out = io::stdout().lock();
    if json {
        let first = &config.esmes[0];
        let ready = Ready {
            smpp: smpp.to_string(),
            tls: simulator.tls_addr().map(|address| address.to_string()),
            web: format!("http://{web}"),
            smpp_credentials: Credentials { system_id: first.system_id(), password: first.password() },
        };
        serde_json::to_writer(&mut out, &ready)?;
        writeln!(out)?;
    } else {
        writeln!(out, "handsets  http://{web}/")?;
        writeln!(out, "inbox     http://{web}/messages")?;
        writeln!(out, "SMPP      {smpp}")?;
        if let Some(address) = simulator.tls_addr() {
            writeln!(out, "under TLS {address}")?;
        }
        for esme in &config.esmes {
            writeln!(out, "bind as   system_id {}  password {}", esme.system_id(), esme.password())?;
        }
    }
    out.flush()
}
