//! The files that the gateway is started with: configuration, keys, password, and subscribers of our own.

use std::fmt::Write as _;
use std::fs::{OpenOptions, Permissions};
use std::io::{self, BufWriter, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// Challenges that a subscriber may have open: the gateway's default.
pub(crate) const OPEN_MAX: u64 = 3;
/// Sends that a subscriber may have in a day: the most that the gateway allows.
pub(crate) const SENDS_PER_DAY: u64 = 100;
/// Digits of a code.
pub(crate) const CODE_DIGITS: usize = 6;
/// The corporate id of every subscriber.
pub(crate) const CORPORATE_ID: &str = "LOADTEST";
/// Digits of a subscriber's number, which is the end of the user id and of the phone number.
pub(crate) const NUMBER_DIGITS: usize = 8;
/// What comes before the number in a user id, and in a phone number as SMPP has it.
pub(crate) const USER_PREFIX: &str = "U";
pub(crate) const PHONE_PREFIX: &str = "62812";
/// The optional parameter by which the simulator tells a second submit of one SMS.
pub(crate) const MARK_TAG: u16 = 0x1400;
/// SMPP's name for the gateway.
pub(crate) const SYSTEM_ID: &str = "loadtest";

const BEHAVIOR_FILE: &str = "behavior.toml";

/// A folder of our own, 0700, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Files {
    folder: TempDir,
}

/// Secrets drawn for this run alone.
pub(crate) struct Secrets {
    pub(crate) api_key: String,
    pub(crate) smsc_password: String,
    master_key: String,
}

/// What the configurations depend on.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) subscribers: u64,
    /// The time to live of a challenge.
    pub(crate) ttl: Duration,
    /// Links to the SMSC.
    pub(crate) binds: usize,
    /// SMPP submits without an answer, on each.
    pub(crate) window: usize,
    /// For the SMSC to answer.
    pub(crate) response_timer: Duration,
    pub(crate) receipts: bool,
    /// Whether submits carry the challenge and the send in the vendor's parameter [`MARK_TAG`].
    pub(crate) marked: bool,
    /// What the SMSC does, as the simulator's behaviour file has it; by default, all is well.
    pub(crate) behavior: String,
}

impl Setup {
    /// For so many subscribers, with the gateway's defaults.
    pub(crate) fn of(subscribers: u64) -> Self {
        Self {
            subscribers,
            ttl: Duration::from_secs(180),
            binds: 1,
            window: 20,
            response_timer: Duration::from_secs(10),
            receipts: true,
            marked: false,
            behavior: String::new(),
        }
    }
}

impl Secrets {
    /// Draws them.
    ///
    /// # Errors
    ///
    /// No randomness.
    pub(crate) fn draw() -> io::Result<Self> {
        let api_key = format!("otpgw_{}", hex(&random::<24>()?));
        Ok(Self { api_key, smsc_password: hex(&random::<4>()?), master_key: hex(&random::<32>()?) })
    }
}

fn random<const BYTES: usize>() -> io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Files {
    /// Makes the folder, with what the simulator is started with.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn create(setup: &Setup) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        let folder = builder.prefix("otp-loadtest-").permissions(Permissions::from_mode(0o700)).tempdir()?;
        write_private(&folder.path().join(BEHAVIOR_FILE), &setup.behavior)?;
        Ok(Self { folder })
    }

    /// Writes what the gateway is started with.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn write_gateway(&self, setup: &Setup, secrets: &Secrets, smsc: SocketAddr) -> io::Result<()> {
        let write = |name: &str, text: &str| write_private(&self.folder.path().join(name), text);
        write("gateway.toml", &configuration(setup, secrets, smsc))?;
        write("master.keys", &format!("1 {}\n", secrets.master_key))?;
        write("smsc.password", &format!("{}\n", secrets.smsc_password))?;
        write_subscribers(&self.folder.path().join("subscribers.csv"), setup.subscribers)
    }

    /// The simulator's behaviour.
    pub(crate) fn behavior(&self) -> PathBuf {
        self.folder.path().join(BEHAVIOR_FILE)
    }

    /// The configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("gateway.toml")
    }
}

fn private(path: &Path) -> io::Result<std::fs::File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    private(path)?.write_all(text.as_bytes())
}

fn configuration(setup: &Setup, secrets: &Secrets, smsc: SocketAddr) -> String {
    let Setup { subscribers, binds, window, receipts, .. } = setup;
    let key_sha256 = hex(&Sha256::digest(secrets.api_key.as_bytes()));
    let (ttl, response_timer) = (setup.ttl.as_secs(), setup.response_timer.as_secs());
    let (registered_delivery, mark_tlv) = (u8::from(*receipts), if setup.marked { MARK_TAG } else { 0 });
    // What is not here has its default. The outbox takes all that one run can issue, so that the load
    // decides how fast SMS leave, not a refusal.
    format!(
        "[[clients]]
name = \"loadtest\"
roles = [\"core\"]
key_sha256 = \"{key_sha256}\"

[api]
listen = \"127.0.0.1:0\"

[admin]
listen = \"127.0.0.1:0\"

[log]
json = true

[subscribers]
file = \"subscribers.csv\"

[codes]
key_file = \"master.keys\"
length = {CODE_DIGITS}

[challenge]
ttl = \"{ttl}s\"
open_max = {OPEN_MAX}
sends_per_day = {SENDS_PER_DAY}

[store]
subscribers_max = {subscribers}

[outbox]
items_max = 1000000

[[smsc]]
address = \"{smsc}\"
system_id = \"{SYSTEM_ID}\"
password_file = \"smsc.password\"
binds = {binds}
window = {window}
response_timer = \"{response_timer}s\"
mark_tlv = {mark_tlv}
registered_delivery = {registered_delivery}
receipts_max = 1000000
"
    )
}

fn write_subscribers(path: &Path, count: u64) -> io::Result<()> {
    let mut file = BufWriter::new(private(path)?);
    writeln!(file, "company_name,cif,corporate_id,user_id,hard_token_serial,phone,email,authenticator")?;
    for number in 0..count {
        writeln!(
            file,
            "PT Uji Beban,1000,{CORPORATE_ID},{USER_PREFIX}{number:0NUMBER_DIGITS$},,\
             +{PHONE_PREFIX}{number:0NUMBER_DIGITS$},loadtest@bank.example,sms_otp"
        )?;
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup() -> Setup {
        Setup::of(3)
    }

    #[test]
    fn folder_and_files_are_ours_alone_and_go_with_the_run() {
        let secrets = Secrets::draw().unwrap();
        let files = Files::create(&setup()).unwrap();
        files.write_gateway(&setup(), &secrets, "127.0.0.1:2775".parse().unwrap()).unwrap();
        let folder = files.folder.path().to_owned();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        for file in std::fs::read_dir(&folder).unwrap() {
            assert_eq!(mode(&file.unwrap().path()), 0o600);
        }
        drop(files);
        assert!(!folder.exists());
    }

    #[test]
    fn there_are_as_many_subscribers_as_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("subscribers.csv");
        write_subscribers(&path, 3).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(text.lines().count(), 4);
        assert!(text.ends_with(
            "PT Uji Beban,1000,LOADTEST,U00000002,,+6281200000002,loadtest@bank.example,sms_otp\n"
        ));
    }

    #[test]
    fn the_configuration_has_the_keys_hash_and_not_the_key() {
        let secrets = Secrets::draw().unwrap();
        let text = configuration(&setup(), &secrets, "127.0.0.1:2775".parse().unwrap());
        assert!(!text.contains(&secrets.api_key) && !text.contains(&secrets.smsc_password));
        assert!(text.contains(&hex(&Sha256::digest(secrets.api_key.as_bytes()))));
    }

    #[test]
    fn a_password_fits_a_bind() {
        assert_eq!(Secrets::draw().unwrap().smsc_password.len(), 8);
    }
}
