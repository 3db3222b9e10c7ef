//! The command line, and the files that it names.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use smsc_simulator::behavior::{Mistake, Mistakes, Profile, profiles};
use smsc_simulator::{Behavior, Config, DELAY_MAX, Esme, StartError, Tls};
use tracing_subscriber::EnvFilter;

/// An SMSC to test against: speaks SMPP 3.4 as operators do, on good days and
/// on bad ones, keeps every message in an inbox, and shows it on a wall of
/// handsets in the browser.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the simulator until Ctrl-C or SIGTERM
    #[command(after_long_help = EXAMPLES)]
    Serve(Box<Serve>),
}

const EXAMPLES: &str = "\
Examples:
  A healthy SMSC on 127.0.0.1:2775, its page on http://127.0.0.1:8090/:
      smsc-simulator serve
  One that loses answers, receipts and connections:
      smsc-simulator serve --behavior flaky
  One that throttles for a while, then hangs, and is well again:
      smsc-simulator serve --scenario 'healthy 60s, throttling 10s, dead 20s, healthy'
  With a behaviour of your own, and all SMPP written down for Wireshark:
      smsc-simulator serve --behavior tuesday.toml --capture tuesday.pcap
  For a test: any free ports, the addresses and the password as JSON:
      smsc-simulator serve --smpp-listen 127.0.0.1:0 --web-listen 127.0.0.1:0 --ready-json

It ends with 64 when settings make no sense, 65 when a file has a fault, 66
when one cannot be read, and 69 when it cannot start.";

#[derive(Args)]
pub(crate) struct Serve {
    /// Where ESMEs connect; port 0 is any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:2775", help_heading = "SMPP")]
    smpp_listen: SocketAddr,

    /// Where ESMEs connect that speak TLS; used with --tls-cert and --tls-key
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3550", help_heading = "SMPP")]
    tls_listen: SocketAddr,

    /// The SMSC's certificate, and those that lead to its root: a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "SMPP")]
    tls_cert: Option<PathBuf>,

    /// The certificate's private key: a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "SMPP")]
    tls_key: Option<PathBuf>,

    /// Roots of the certificates that ESMEs have to show: a PEM file [default:
    /// they need none]
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "SMPP")]
    tls_client_ca: Option<PathBuf>,

    /// The system_id that may bind: at most 15 characters
    #[arg(long, value_name = "NAME", default_value = "gateway", help_heading = "Who may bind")]
    system_id: String,

    /// Its password: at most 8 characters. Others on this machine can see it;
    /// --password-file keeps it from them [default: made and printed at start]
    #[arg(long, value_name = "PASSWORD", conflicts_with = "password_file", help_heading = "Who may bind")]
    password: Option<String>,

    /// A file with the password in its first line
    #[arg(long, value_name = "FILE", help_heading = "Who may bind")]
    password_file: Option<PathBuf>,

    /// Submits that a session may have unanswered; one more gets
    /// ESME_RTHROTTLED
    #[arg(long, value_name = "COUNT", default_value_t = 256, help_heading = "Who may bind")]
    window: usize,

    /// Several ESMEs, each with limits of its own: a TOML file of [[esme]]
    /// tables with system_id, password and, if wanted, binds_max, window and
    /// rate (segments a second)
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["system_id", "password", "password_file", "window"],
        help_heading = "Who may bind"
    )]
    esmes: Option<PathBuf>,

    /// How the SMSC behaves: a TOML file, or a profile's name, which are
    /// healthy, slow, throttling, rate-limited, sick-prefix-throttled,
    /// sick-prefix-queue-full, sick-prefix-failing, sick-prefix-silent,
    /// sick-prefix-erratic, sick-prefixes, flaky, half-open, dead, black-hole,
    /// early-receipts, receipt-storm, mixed-ids and malformed. The page and PUT /behavior change it while it runs
    #[arg(long, value_name = "FILE|PROFILE", default_value = "healthy", help_heading = "Behaviour")]
    behavior: PathBuf,

    /// Profiles one after another, each for its time: "healthy 60s, throttling
    /// 10s, dead 20s, healthy". If the last has a time, too, it begins anew
    #[arg(long, value_name = "STEPS", conflicts_with = "behavior", help_heading = "Behaviour")]
    scenario: Option<String>,

    /// From a submit to its answer, whatever [submit] of the behaviour says
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, help_heading = "Behaviour")]
    latency: Option<Duration>,

    /// A parameter of submits, such as 0x1400, whose value must never come
    /// twice; repeats are counted
    #[arg(long, value_name = "TAG", value_parser = tag, help_heading = "Behaviour")]
    unique_tlv: Option<u16>,

    /// Where the inbox API and the page are; port 0 is any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090", help_heading = "Inbox and page")]
    web_listen: SocketAddr,

    /// Messages that the inbox keeps; the oldest go first
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, help_heading = "Inbox and page")]
    inbox_messages: usize,

    /// What callers of the inbox API must send as "Authorization: Bearer TOKEN".
    /// Needed to listen for other machines, since the inbox shows readable codes
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file", help_heading = "Inbox and page")]
    token: Option<String>,

    /// A file with the token in its first line
    #[arg(long, value_name = "FILE", help_heading = "Inbox and page")]
    token_file: Option<PathBuf>,

    /// Write all SMPP to this file, for Wireshark and tshark. It contains message
    /// texts, so that only its owner may read it
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    capture: Option<PathBuf>,

    /// Megabytes that the capture may have
    #[arg(long, value_name = "COUNT", default_value_t = 256, help_heading = "Output")]
    capture_megabytes: u64,

    /// When up, print one line of JSON with the addresses and credentials
    #[arg(long, help_heading = "Output")]
    pub(crate) ready_json: bool,

    /// What to log to stderr: error, warn, info, debug, trace, or a filter by module.
    /// No level shows texts or whole numbers
    #[arg(long, value_name = "FILTER", default_value = "info", help_heading = "Output")]
    pub(crate) log: EnvFilter,
}

impl Serve {
    /// The settings, with their files read.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        let token = match &self.token_file {
            Some(file) => Some(first_line(file)?),
            None => self.token.clone(),
        };
        Ok(Config {
            smpp_listen: self.smpp_listen,
            tls: self.tls()?,
            web_listen: self.web_listen,
            esmes: self.esmes()?,
            behavior: self.behavior()?,
            unique_tlv: self.unique_tlv,
            inbox_messages_max: self.inbox_messages,
            capture: self.capture.clone(),
            capture_bytes_max: self.capture_megabytes.saturating_mul(1_024 * 1_024),
            token,
            ..Config::default()
        })
    }

    fn tls(&self) -> Result<Option<Tls>, Failure> {
        let (Some(certificates), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(None);
        };
        Ok(Some(Tls {
            listen: self.tls_listen,
            certificates: read(certificates)?,
            key: read(key)?,
            client_ca: self.tls_client_ca.as_deref().map(read).transpose()?,
        }))
    }

    fn esmes(&self) -> Result<Vec<Esme>, Failure> {
        if let Some(file) = &self.esmes {
            let read = settings::from_toml(&read(file)?, Esme::read_all);
            return read.map_err(|mistakes| Failure::Mistakes(mistakes.of(file)));
        }
        let password = match (&self.password, &self.password_file) {
            (Some(password), _) => password.clone(),
            (None, Some(file)) => first_line(file)?,
            (None, None) => new_password().map_err(|error| Failure::Start(StartError::Random(error)))?,
        };
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let (system_id, password) = (quoted(&self.system_id), quoted(&password));
        let window = self.window;
        let esme =
            Esme::from_toml(&format!("system_id = {system_id}\npassword = {password}\nwindow = {window}"));
        esme.map(|esme| vec![esme]).map_err(|mistakes| Failure::Start(StartError::Settings(flags(&mistakes))))
    }

    fn behavior(&self) -> Result<Behavior, Failure> {
        let behavior = match (&self.scenario, self.behavior.to_str().and_then(Profile::named)) {
            (Some(steps), _) => {
                let read = Behavior::from_toml(&format!("scenario = {}", toml::Value::from(steps.as_str())));
                read.map_err(|mistakes| Failure::Start(StartError::Settings(flags(&mistakes))))?
            }
            (None, Some(profile)) => profile.behavior(),
            (None, None) => {
                let text = read(&self.behavior).map_err(Failure::or_profile)?;
                let read = Behavior::from_toml(&text);
                read.map_err(|mistakes| Failure::Mistakes(mistakes.of(&self.behavior)))?
            }
        };
        match self.latency {
            Some(latency) if latency > DELAY_MAX => {
                let found = humantime::format_duration(latency);
                let mistake = format!("--latency: found {found}, allowed a day at most");
                Err(Failure::Start(StartError::Settings(vec![mistake])))
            }
            Some(latency) => Ok(behavior.with_latency(latency)),
            None => Ok(behavior),
        }
    }
}

/// Mistakes in settings that were made of flags.
fn flags(mistakes: &Mistakes) -> Vec<String> {
    let flag = |Mistake { key, found, allowed, .. }: &Mistake| {
        format!("--{}: found {found}, allowed {allowed}", key.replace('_', "-"))
    };
    mistakes.list().iter().map(flag).collect()
}

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve").finish_non_exhaustive()
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| Failure::Read(file.to_owned(), error))
}

/// A secret that stands in a file, so that no list of processes shows it.
fn first_line(file: &Path) -> Result<String, Failure> {
    Ok(read(file)?.lines().next().unwrap_or_default().to_owned())
}

fn tag(text: &str) -> Result<u16, String> {
    let tag = match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16),
        None => text.parse(),
    };
    tag.map_err(|_| "expected a tag of two octets, such as 0x1400".to_owned())
}

/// Eight letters and digits without those that look alike: 40 bits, which is
/// what SMPP's field allows of strength.
fn new_password() -> Result<String, getrandom::Error> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

/// The command line was understood, but its settings make no sense (sysexits).
const EX_USAGE: u8 = 64;

/// A file that the settings name has a fault (sysexits).
const EX_DATAERR: u8 = 65;

/// A file that the settings name cannot be read (sysexits).
const EX_NOINPUT: u8 = 66;

/// The simulator could not start (sysexits).
const EX_UNAVAILABLE: u8 = 69;

/// Why the simulator did not run, or not to the end.
#[derive(Debug)]
pub(crate) enum Failure {
    Read(PathBuf, io::Error),
    /// What was given is neither a file nor a profile.
    NoBehavior(PathBuf, io::Error),
    /// What is wrong in a behaviour or a list of ESMEs.
    Mistakes(Mistakes),
    Start(StartError),
    Io(io::Error),
}

impl Failure {
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Start(StartError::Settings(_)) => EX_USAGE,
            Self::Mistakes(_) | Self::Start(StartError::Tls(_)) => EX_DATAERR,
            Self::Read(..) | Self::NoBehavior(..) => EX_NOINPUT,
            Self::Start(_) | Self::Io(_) => EX_UNAVAILABLE,
        }
    }

    fn or_profile(self) -> Self {
        match self {
            Self::Read(file, error) if error.kind() == io::ErrorKind::NotFound => {
                Self::NoBehavior(file, error)
            }
            other => other,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(file, error) => write!(f, "cannot read {}: {error}", file.display()),
            Self::NoBehavior(file, error) => {
                let names: Vec<_> = profiles().iter().map(|profile| profile.name).collect();
                let names = names.join(", ");
                write!(f, "cannot read {}: {error}; the profiles are {names}", file.display())
            }
            Self::Mistakes(mistakes) => mistakes.fmt(f),
            Self::Start(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn serve(arguments: &[&str]) -> Serve {
        let Command::Serve(serve) =
            Cli::try_parse_from([&["smsc-simulator", "serve"], arguments].concat()).unwrap().command;
        *serve
    }

    #[test]
    fn the_help_names_every_profile() {
        let mut cli = Cli::command();
        let help = cli.find_subcommand_mut("serve").unwrap().render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for profile in profiles() {
            assert!(help.contains(profile.name), "{} in {help}", profile.name);
        }
    }

    #[test]
    fn the_behavior_is_a_profile_or_a_file_and_the_latency_goes_over_it() {
        let flaky = Profile::named("flaky").unwrap().behavior();
        assert_eq!(serve(&["--behavior", "flaky"]).config().unwrap().behavior, flaky);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.toml");
        std::fs::write(&file, "seed = 7\n").unwrap();
        let file = file.to_str().unwrap();
        let mine = serve(&["--behavior", file, "--latency", "5ms"]).config().unwrap().behavior;
        assert_eq!(mine, Behavior::from_toml("seed = 7").unwrap().with_latency(Duration::from_millis(5)));
        std::fs::write(file, "\nlatency = 1\n").unwrap();
        let failure = serve(&["--behavior", file]).config().unwrap_err();
        assert_eq!(failure.exit_code(), EX_DATAERR);
        assert!(
            failure.to_string().contains("mine.toml:2:1: latency: found an unknown key, allowed "),
            "{failure}"
        );
        let failure = serve(&["--behavior", "flakey"]).config().unwrap_err();
        assert_eq!(failure.exit_code(), EX_NOINPUT);
        assert!(failure.to_string().contains("the profiles are healthy, slow"), "{failure}");
    }

    #[test]
    fn esmes_are_read_from_a_file_whose_faults_show_no_password() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("esmes.toml");
        let first = "[[esme]]\nsystem_id = \"one\"\npassword = \"k7m2xw9p\"\n";
        std::fs::write(
            &file,
            format!("{first}rate = 100\n[[esme]]\nsystem_id = \"two\"\npassword = \"\"\nwindow = 5\n"),
        )
        .unwrap();
        let path = file.to_str().unwrap();
        let esmes = serve(&["--esmes", path]).config().unwrap().esmes;
        let esme = |toml: &str| Esme::from_toml(toml).unwrap();
        let one = esme("system_id = 'one'\npassword = 'k7m2xw9p'\nrate = 100");
        assert_eq!(esmes, [one, esme("system_id = 'two'\npassword = ''\nwindow = 5")]);
        let wrong = first.replace("password =", "pasword =")
            + "[[esme]]\nsystem_id = \"one\"\npassword = \"k7m2xw9p0\"\n";
        std::fs::write(&file, wrong).unwrap();
        let failure = serve(&["--esmes", path]).config().unwrap_err();
        assert_eq!(failure.exit_code(), EX_DATAERR);
        let allowed = "up to 8 printable ASCII characters without blanks";
        assert_eq!(
            failure.to_string(),
            format!(
                "{path}:1:1: esme[0].password: found nothing, allowed {allowed}\n\
                 {path}:3:1: esme[0].pasword: found an unknown key, allowed password, the nearest that there is\n\
                 {path}:6:12: esme[1].password: found something else, allowed {allowed}"
            )
        );
    }

    #[test]
    fn secrets_are_read_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "k7m2xw9p\n").unwrap();
        let path = file.to_str().unwrap();
        let config = serve(&["--password-file", path, "--token-file", path]).config().unwrap();
        assert_eq!(config.esmes, [Esme::new("gateway", "k7m2xw9p").unwrap()]);
        assert_eq!(config.token.as_deref(), Some("k7m2xw9p"));
        let missing = serve(&["--password-file", "/no/such/file"]).config().unwrap_err();
        assert_eq!(missing.exit_code(), EX_NOINPUT);
    }

    #[test]
    fn a_tag_is_written_in_hexadecimal_or_decimal() {
        assert_eq!((tag("0x1400"), tag("5120")), (Ok(0x1400), Ok(0x1400)));
        assert!(tag("0x14000").is_err() && tag("mark").is_err());
    }

    #[test]
    fn a_made_password_fits_its_field() {
        let config = serve(&[]).config().unwrap();
        assert_eq!(config.esmes[0].password().len(), 8);
    }
}
