//! The load-test harness: the command line, and what it answers with.

mod children;
mod client;
mod clock;
mod cpu;
mod echo;
mod failure;
mod faults;
mod handsets;
mod hostile;
mod limit;
mod median;
mod metrics;
mod programs;
mod progress;
mod requests;
mod setup;
mod signals;
mod submit;
mod window;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::children::Pinned;
use crate::echo::Echo;
use crate::failure::Failure;
use crate::faults::Faults;
use crate::hostile::Hostile;
use crate::limit::Limit;
use crate::submit::Submit;
use crate::window::Window;

/// Measures the OTP gateway.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure verify and generate against bare hyper: CPU time per request, on one core
    Limit(Limit),
    /// Send OTPs through an SMSC that fails in every way, and compare reports with handsets
    Faults(Faults),
    /// Measure what honest callers notice of clients that mean ill
    Hostile(Hostile),
    /// Measure how much of its window a link uses, by latency and number of binds
    Window(Window),
    /// Load an SMSC: submit as fast as its window allows
    Submit(Submit),
    /// Run the bare hyper that is measured against
    #[command(hide = true)]
    EchoServer(Echo),
    /// Run a program on one core, for as long as the harness lives
    #[command(hide = true)]
    Pinned(Pinned),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Limit(limit) => limit.run(),
        Command::Faults(faults) => faults.run(),
        Command::Hostile(hostile) => hostile.run(),
        Command::Window(window) => window.run(),
        Command::Submit(submit) => submit.run(),
        Command::EchoServer(echo) => echo.serve().map_err(Failure::io("the echo")),
        Command::Pinned(pinned) => Err(Failure::Io("cannot become the program", pinned.become_program())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing is left to report to if stderr is closed, too.
            let _ = writeln!(io::stderr(), "otp-loadtest: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
