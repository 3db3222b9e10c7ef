//! Reads the configuration and the files that it names; nothing else does.
//!
//! A setting that is unknown, missing or out of bounds, and a secret that others can read, stop the
//! start before a port is bound.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::clock::duration_setting;
use crate::http;
use crate::http::auth::{ClientConfig, Clients};
use crate::msisdn::NumberingPlan;
use crate::sms::link::tls;
use crate::sms::links::SmscConfig;
use crate::sms::route::table;
use crate::sms::{link, links, message};
use crate::store;
use crate::subscriber::code::Keyring;
use crate::subscriber::policy::{ChallengeConfig, CodesConfig, LockoutConfig, Policy};

/// The longest secret file that is read, in bytes.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// `[log]`: what is logged, to standard error.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// A filter of `tracing`: `info`, or `info,otp_gateway::sms=debug`.
    pub filter: String,
    /// One JSON object per line instead of text.
    pub json: bool,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info".into(), json: false }
    }
}

/// `[shutdown]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ShutdownConfig {
    /// How long requests in flight may take; the links have `drain_timeout` of their `[[smsc]]`: 0 s to 60 s.
    #[serde(deserialize_with = "duration_setting")]
    drain_timeout: Duration,
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self { drain_timeout: Duration::from_secs(10) }
    }
}

/// `[outbox]`: what waits to be sent or answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutboxConfig {
    /// The most SMS that wait for a link or an answer: 1 to 1,000,000. What cannot leave within the time to live is
    /// dropped, so more than the links carry in that time is of no use.
    pub items_max: usize,
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self { items_max: 20_000 }
    }
}

/// `[subscribers]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubscribersConfig {
    /// The bank's CSV file.
    file: PathBuf,
}

/// `[phones]`: how the country writes its own numbers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PhonesConfig {
    country_code: String,
    trunk_prefix: String,
}

impl Default for PhonesConfig {
    fn default() -> Self {
        Self { country_code: "62".into(), trunk_prefix: "0".into() }
    }
}

/// The configuration file, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    #[serde(default)]
    api: http::Config,
    #[serde(default)]
    admin: http::AdminConfig,
    #[serde(default)]
    log: LogConfig,
    #[serde(default)]
    shutdown: ShutdownConfig,
    #[serde(default)]
    clients: Vec<ClientConfig>,
    subscribers: SubscribersConfig,
    #[serde(default)]
    phones: PhonesConfig,
    #[serde(default)]
    store: store::Config,
    #[serde(default)]
    codes: CodesConfig,
    #[serde(default)]
    challenge: ChallengeConfig,
    #[serde(default)]
    lockout: LockoutConfig,
    #[serde(default)]
    sms: message::Config,
    #[serde(default)]
    outbox: OutboxConfig,
    #[serde(default)]
    smsc: Vec<link::Config>,
    #[serde(default)]
    route: Vec<table::Config>,
}

/// Everything that the gateway is started with, checked.
#[derive(Debug)]
pub struct Config {
    /// The API listener.
    pub api: http::Config,
    /// The admin listener.
    pub admin: http::AdminConfig,
    /// What is logged.
    pub log: LogConfig,
    /// How long requests in flight may take when the gateway stops.
    pub drain_timeout: Duration,
    /// Who may call.
    pub clients: Clients,
    /// The bank's CSV file.
    pub subscribers_file: PathBuf,
    /// How the country writes its own numbers.
    pub numbering_plan: NumberingPlan,
    /// How much the store may hold.
    pub store: store::Config,
    /// Limits and keys.
    pub policy: Policy,
    /// The SMS texts.
    pub templates: message::Templates,
    /// What waits for the links.
    pub outbox: OutboxConfig,
    /// The links to the SMSCs, and which carries what.
    pub links: links::Config,
    /// The file with the master keys, to be read again on SIGHUP.
    pub key_file: PathBuf,
}

/// Why there is no configuration: the file, and what is wrong in it.
#[derive(Debug)]
pub struct ConfigError {
    path: PathBuf,
    reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    fn new(path: &Path, reason: impl fmt::Display) -> Self {
        Self { path: path.into(), reason: reason.to_string() }
    }
}

impl Config {
    /// Reads the file at `path` and those it names, relative to it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the file and the setting, with its line where it has one.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::new(path, error))?;
        // This message quotes the line; secrets stand in files of their own.
        let file: ConfigFile = toml::from_str(&text).map_err(|error| ConfigError::new(path, error))?;
        let beside = |named: &Path| path.parent().unwrap_or_else(|| Path::new("")).join(named);
        let key_file = beside(&file.codes.key_file);
        let keys = load_keys(&key_file)?;
        let bad = |error: &dyn fmt::Display| ConfigError::new(path, error);
        file.api.validate().map_err(|error| bad(&error))?;
        file.store.validate().map_err(|error| bad(&error))?;
        let clients = Clients::new(&file.clients).map_err(|error| bad(&error))?;
        let policy =
            Policy::new(&file.codes, &file.challenge, &file.lockout, keys).map_err(|error| bad(&error))?;
        let templates =
            message::Templates::new(&file.sms, policy.code_length_max()).map_err(|error| bad(&error))?;
        let phones = &file.phones;
        let numbering_plan = NumberingPlan::new(&phones.country_code, &phones.trunk_prefix).ok_or_else(|| {
            bad(&"phones: country_code must be 1 to 3 digits, trunk_prefix 1 or 2 that do not begin like it")
        })?;
        if file.shutdown.drain_timeout > Duration::from_secs(60) {
            return Err(bad(&"shutdown.drain_timeout: must be 0s to 60s"));
        }
        if !(1..=1_000_000).contains(&file.outbox.items_max) {
            return Err(bad(&"outbox.items_max: must be 1 to 1000000"));
        }
        let with_files = |settings: link::Config| {
            let password = read_secret(&beside(&settings.password_file))?;
            let password = Zeroizing::new(password.trim_end_matches(['\r', '\n']).to_owned());
            let tls = settings.tls.as_ref().map(|tls| read_tls(path, tls, beside)).transpose()?;
            Ok(SmscConfig { settings, password, tls })
        };
        let smscs = file.smsc.into_iter().map(with_files).collect::<Result<_, _>>()?;
        let links = links::Config { smscs, routes: file.route };
        links.validate().map_err(|error| bad(&error))?;
        Ok(Self {
            api: file.api,
            admin: file.admin,
            log: file.log,
            drain_timeout: file.shutdown.drain_timeout,
            clients,
            subscribers_file: beside(&file.subscribers.file),
            numbering_plan,
            store: file.store,
            policy,
            templates,
            outbox: file.outbox,
            links,
            key_file,
        })
    }
}

/// Reads the master keys.
///
/// # Errors
///
/// [`ConfigError`] if the file cannot be read, others may read it, or it is no key file.
pub fn load_keys(path: &Path) -> Result<Keyring, ConfigError> {
    Keyring::parse(&read_secret(path)?).map_err(|error| ConfigError::new(path, error))
}

/// Reads what `[smsc.tls]` names.
fn read_tls(
    config: &Path,
    tls: &tls::Config,
    beside: impl Fn(&Path) -> PathBuf,
) -> Result<tls::Files, ConfigError> {
    let certificates = |named: &Path| {
        let path = beside(named);
        std::fs::read_to_string(&path).map_err(|error| ConfigError::new(&path, error))
    };
    let client = match (&tls.certificate_file, &tls.key_file) {
        (Some(certificate), Some(key)) => Some((certificates(certificate)?, read_secret(&beside(key))?)),
        (None, None) => None,
        _ => return Err(ConfigError::new(config, "smsc.tls: certificate_file and key_file go together")),
    };
    Ok(tls::Files { ca: certificates(&tls.ca_file)?, client })
}

/// Reads a file that only its owner may read.
fn read_secret(path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let unreadable = |error: io::Error| ConfigError::new(path, error);
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.mode() & 0o077 != 0 {
        return Err(ConfigError::new(path, "others than its owner may use this secret: chmod 600 it"));
    }
    if metadata.len() > SECRET_BYTES_MAX {
        return Err(ConfigError::new(path, "too large for a secret"));
    }
    // Room for the whole file at once, so that growing leaves no copy behind.
    let mut secret = Zeroizing::new(String::with_capacity(SECRET_BYTES_MAX as usize));
    file.take(SECRET_BYTES_MAX).read_to_string(&mut secret).map_err(unreadable)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// The example configuration with its files in a folder of its own.
    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            folder.write("gateway.toml", include_str!("../gateway.example.toml"), 0o644);
            folder.write("master.keys", &format!("1 {}\n", "5a".repeat(32)), 0o600);
            folder.write("smsc.password", "secret\n", 0o600);
            folder
        }

        fn write(&self, name: &str, text: &str, mode: u32) {
            let path = self.0.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }

        fn load(&self) -> Result<Config, ConfigError> {
            Config::load(&self.0.path().join("gateway.toml"))
        }

        fn load_with(&self, from: &str, to: &str) -> Result<Config, ConfigError> {
            let example = include_str!("../gateway.example.toml");
            assert!(example.contains(from), "the example has no {from}");
            self.write("gateway.toml", &example.replacen(from, to, 1), 0o644);
            self.load()
        }
    }

    fn settings_of_example() -> toml::Table {
        include_str!("../gateway.example.toml").parse().unwrap()
    }

    #[test]
    fn the_example_is_taken_and_states_the_defaults() {
        let config = Folder::new().load().unwrap();
        assert_eq!(config.links.smscs[0].password.as_str(), "secret");
        let example = settings_of_example();
        states_default::<http::Config>(&example, "api");
        states_default::<http::AdminConfig>(&example, "admin");
        states_default::<LogConfig>(&example, "log");
        states_default::<ShutdownConfig>(&example, "shutdown");
        states_default::<ChallengeConfig>(&example, "challenge");
        states_default::<LockoutConfig>(&example, "lockout");
        states_default::<store::Config>(&example, "store");
        states_default::<PhonesConfig>(&example, "phones");
        states_default::<OutboxConfig>(&example, "outbox");
        states_default::<message::Config>(&example, "sms");
        let smsc = &example["smsc"].as_array().unwrap()[0];
        states_default::<link::Config>(&[("smsc".to_owned(), smsc.clone())].into_iter().collect(), "smsc");
    }

    /// A section of the example states the defaults.
    fn states_default<T: Default + fmt::Debug + serde::de::DeserializeOwned>(
        example: &toml::Table,
        section: &str,
    ) {
        let default = format!("{:?}", T::default());
        let stated: T = example[section].clone().try_into().unwrap();
        assert_eq!(format!("{stated:?}"), default, "[{section}]");
    }

    #[test]
    fn a_mistake_is_told_with_file_and_setting() {
        let folder = Folder::new();
        let cases = [
            ("attempts = 3", "attempts = 6", "challenge.attempts"),
            ("attempts = 3", "attempts = -1", "line"),
            ("attempts = 3", "attempts = 4294967295", "line"),
            ("attempts = 3", "atempts = 3", "atempts"),
            ("ttl = \"180s\"", "ttl = 180", "ttl"),
            ("ttl = \"180s\"", "ttl = \"3 parsecs\"", "ttl"),
            ("listen = \"127.0.0.1:8080\"", "listen = \"0.0.0.0:8080\"", "plaintext_behind_proxy"),
            ("country_code = \"62\"", "country_code = \"+62\"", "phones"),
            ("drain_timeout = \"10s\"", "drain_timeout = \"2m\"", "shutdown.drain_timeout"),
            ("[subscribers]", "[subscriber]", "subscriber"),
            ("[[smsc]]", "[smsc]", "line"),
            ("window = 20", "window = 0", "smsc[0].window: must be 1 to 10000"),
            ("binds = 1", "binds = 501", "smsc[0].binds"),
            ("name = \"main\"", "name = \"main\"\n[[smsc]]\nname = \"main\"", "smsc[1].name"),
            (
                "[[smsc]]",
                "[[route]]\nprefixes = [\"62x\"]\nsmscs = [\"main\"]\n[[smsc]]",
                "route[0].prefixes",
            ),
            ("[[smsc]]", "[[route]]\nprefixes = [\"\"]\nsmscs = [\"other\"]\n[[smsc]]", "route[0].smscs"),
            (
                "[[smsc]]",
                "[[route]]\nprefixes = [\"62\"]\nsmscs = [\"main\"]\n[[smsc]]",
                "for all other numbers",
            ),
        ];
        for (from, to, told) in cases {
            let error = folder.load_with(from, to).expect_err(to).to_string();
            assert!(error.contains("gateway.toml"), "{error}");
            assert!(error.contains(told), "{to}: {error}");
        }
    }

    #[test]
    fn a_secret_that_others_can_read_stops_the_start() {
        for name in ["master.keys", "smsc.password"] {
            let folder = Folder::new();
            let path = folder.0.path().join(name);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
            let error = folder.load().unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("chmod 600"), "{error}");
            std::fs::remove_file(&path).unwrap();
            assert!(folder.load().unwrap_err().to_string().contains(name));
        }
    }

    #[test]
    fn tls_to_an_smsc_names_files_that_are_read_and_checked() {
        let folder = Folder::new();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["smsc.test".to_owned()]).unwrap();
        let certificate = certificate.self_signed(&key).unwrap().pem();
        folder.write("ca.pem", &certificate, 0o644);
        folder.write("gateway.pem", &certificate, 0o644);
        folder.write("gateway.key", &key.serialize_pem(), 0o600);
        // At the end of the only [[smsc]].
        let load = |tls: &str| {
            let example = include_str!("../gateway.example.toml");
            folder.write("gateway.toml", &format!("{example}\n[smsc.tls]\n{tls}\n"), 0o644);
            folder.load()
        };
        let client = "certificate_file = \"gateway.pem\"\nkey_file = \"gateway.key\"";
        let config = load(&format!("ca_file = \"ca.pem\"\n{client}")).unwrap();
        assert!(!format!("{config:?}").contains("PRIVATE"));
        assert!(load("ca_file = \"ca.pem\"").is_ok());
        for (tls, told) in [
            ("server_name = \"smsc.test\"", "ca_file"),
            ("ca_file = \"none.pem\"", "none.pem"),
            ("ca_file = \"gateway.key\"", "smsc[0].tls.ca_file: must be"),
            ("ca_file = \"ca.pem\"\nserver_name = \"no name\"", "smsc[0].tls.server_name: must be"),
            ("ca_file = \"ca.pem\"\nkey_file = \"gateway.key\"", "go together"),
        ] {
            let error = load(tls).expect_err(tls).to_string();
            assert!(error.contains(told), "{tls}: {error}");
        }
        let key = folder.0.path().join("gateway.key");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = load(&format!("ca_file = \"ca.pem\"\n{client}")).unwrap_err().to_string();
        assert!(error.contains("gateway.key") && error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn abuse_35_a_loaded_configuration_shows_no_secret() {
        let shown = format!("{:?}", Folder::new().load().unwrap());
        for secret in ["5a5a5a", "\"secret\""] {
            assert!(!shown.contains(secret), "{secret} shows");
        }
    }
}
