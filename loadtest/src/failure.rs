//! Why a measurement has no result.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a measurement has no result: whose fault it is, and what to do.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Ctrl-C or SIGTERM.
    Stopped,
    /// The settings ask for what this machine or the gateway does not have.
    Setting(String),
    /// A program of ours has not been built.
    NotBuilt(PathBuf),
    /// The system refused something.
    Io(&'static str, io::Error),
    /// A program that was started did not do its part; with the last lines that it logged.
    Child { name: &'static str, reason: String, log: Vec<String> },
    /// What was measured did not do what it should: the numbers would mean nothing.
    Wrong(String),
}

impl Failure {
    /// For `map_err`: the system refused `what`.
    pub(crate) fn io(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self::Io(what, error)
    }

    /// The exit code: of sysexits.h, or 128 + SIGINT.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Stopped => 130,
            Self::Setting(_) => 64,
            Self::NotBuilt(_) => 72,
            Self::Io(..) => 71,
            Self::Child { .. } | Self::Wrong(_) => 70,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("stopped"),
            Self::Setting(what) | Self::Wrong(what) => f.write_str(what),
            Self::NotBuilt(path) => write!(
                f,
                "there is no {}; build all three programs with one profile: cargo build --release --locked \
                 -p otp-gateway -p smsc-simulator -p otp-loadtest",
                path.display()
            ),
            Self::Io(what, error) => write!(f, "{what}: {error}"),
            Self::Child { name, reason, log } => {
                write!(f, "{name}: {reason}")?;
                log.iter().try_for_each(|line| write!(f, "\n  {name}: {line}"))
            }
        }
    }
}
