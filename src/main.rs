//! `otp-gateway`: command line → configuration → threads → serve → exit code.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use otp_gateway::app::App;
use otp_gateway::clock::Clock;
use otp_gateway::config::Config;
use otp_gateway::keys;
use otp_gateway::shutdown::{Request, Signals};

/// The configuration, or a file that it names, cannot be used (EX_USAGE of sysexits.h).
const EXIT_CONFIG: u8 = 64;
/// A port, a thread or another resource of the machine is missing (EX_OSERR).
const EXIT_SYSTEM: u8 = 71;

/// Issues, sends over SMPP and verifies transaction-bound one-time passwords.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a folder from which the gateway starts against the simulator, and say how.
    Init {
        /// The folder, which must not exist.
        #[arg(default_value = "gateway")]
        folder: PathBuf,
    },
    /// Run the gateway until SIGTERM or Ctrl-C. SIGHUP reads clients and master keys again.
    Serve {
        /// The configuration; see gateway.example.toml.
        #[arg(long, default_value = "gateway.toml")]
        config: PathBuf,
    },
    /// Check the configuration and the files that it names, subscribers included, and exit.
    CheckConfig {
        /// The configuration; see gateway.example.toml.
        #[arg(long, default_value = "gateway.toml")]
        config: PathBuf,
    },
    /// Make keys.
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Generate a new key and print it. It is not stored.
    #[command(subcommand)]
    New(keys::NewKey),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Init { folder } => init(&folder),
        Command::Serve { config } => serve(&config),
        Command::CheckConfig { config } => check_config(&config),
        Command::Key(KeyCommand::New(new_key)) => new_key.print(&mut io::stdout()).map_err(Failure::system),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            eprintln!("{message}");
            ExitCode::from(code)
        }
    }
}

/// Why the process exits with a code other than 0.
struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// A mistake in a file: each line of `error` begins with the file's path.
    fn config(error: impl std::fmt::Display) -> Self {
        Self { code: EXIT_CONFIG, message: error.to_string() }
    }

    fn system(error: impl std::fmt::Display) -> Self {
        Self { code: EXIT_SYSTEM, message: format!("otp-gateway: {error}") }
    }
}

fn init(folder: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::system(format_args!("{}: {error}", folder.display()));
    otp_gateway::init::init(folder, &mut io::stdout()).map_err(failed)
}

fn serve(path: &Path) -> Result<(), Failure> {
    // Before a key is read.
    forbid_core_dumps().map_err(Failure::system)?;
    let open_files_max = raise_open_files().map_err(Failure::system)?;
    let mut config = Config::load_within(path, open_files_max).map_err(Failure::config)?;
    let _log = otp_gateway::log::start(std::mem::take(&mut config.log)).map_err(Failure::system)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::system)?;
    let _entered = runtime.enter();
    // Before the start, so that a signal that arrives early is not lost.
    let mut signals = Signals::catch().map_err(Failure::system)?;
    let app = App::start(config, Clock::system()).map_err(|error| match error.is_of_configuration() {
        true => Failure::config(error),
        false => Failure::system(error),
    })?;
    while runtime.block_on(signals.next()) == Request::Reload {
        reload(&app, path, open_files_max);
    }
    app.drain();
    Ok(())
}

/// Reads the configuration again. If anything in it is wrong, everything stays as it was.
fn reload(app: &App, path: &Path, open_files_max: u64) {
    let reloaded = Config::load_within(path, open_files_max)
        .map_err(|mistakes| mistakes.to_string())
        .and_then(|config| app.reload(config));
    for mistake in reloaded.err().iter().flat_map(|mistakes| mistakes.lines()) {
        tracing::error!(mistake, "not read again: clients and master keys stay as they were");
    }
}

fn check_config(path: &Path) -> Result<(), Failure> {
    let config = Config::load(path).map_err(Failure::config)?;
    let subscribers = otp_gateway::app::load_subscribers(&config).map_err(Failure::config)?;
    eprintln!("{}: good; subscribers: {subscribers}", path.display());
    Ok(())
}

/// A core dump would hold the master keys. The limit stops those to files, and not being dumpable those to
/// a program.
fn forbid_core_dumps() -> rustix::io::Result<()> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

/// Raises the limit of open files to its maximum, and returns that.
fn raise_open_files() -> rustix::io::Result<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum.unwrap_or(u64::MAX))
}
