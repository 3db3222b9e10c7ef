//! The files of a gateway that is set up for one run and thrown away: configuration, keys, the SMSC's password
//! and the subscribers, in a folder that only its owner can read and that is removed with the [`Sandbox`].
//!
//! The demo, the load test and the integration tests start their gateways on it. The gateway itself never
//! depends on this crate, nor does this crate on the gateway.

mod configuration;
mod secrets;
mod subscribers;

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub use configuration::Configuration;
pub use secrets::Secrets;
pub use subscribers::{Authenticator, Subscriber};

const CONFIGURATION_FILE: &str = "gateway.toml";
const MASTER_KEYS_FILE: &str = "master.keys";
const PASSWORD_FILE: &str = "smsc.password";
const SUBSCRIBERS_FILE: &str = "subscribers.csv";

/// A folder with mode 0700 for files with mode 0600. It is removed when this is dropped.
#[derive(Debug)]
pub struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    /// An empty folder in the system's folder for temporary files.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn new() -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        let folder = builder.prefix("otp-gateway-").permissions(Permissions::from_mode(0o700)).tempdir()?;
        Ok(Self { folder })
    }

    /// The path of the file `name`, whether it exists or not.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The path of the gateway's configuration.
    pub fn configuration(&self) -> PathBuf {
        self.path(CONFIGURATION_FILE)
    }

    /// Writes everything that the gateway is started with.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn write_gateway(
        &self,
        configuration: &Configuration,
        secrets: &Secrets,
        subscribers: impl IntoIterator<Item = Subscriber>,
    ) -> io::Result<()> {
        self.write_configuration(configuration)?;
        self.write(MASTER_KEYS_FILE, &format!("1 {}\n", secrets.master_key))?;
        self.write(PASSWORD_FILE, &secrets.smsc_password)?;
        self.write_subscribers(subscribers)
    }

    /// Writes or replaces the configuration.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn write_configuration(&self, configuration: &Configuration) -> io::Result<()> {
        self.write(CONFIGURATION_FILE, &configuration.to_string())
    }

    /// Writes or replaces the file of subscribers.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn write_subscribers(&self, subscribers: impl IntoIterator<Item = Subscriber>) -> io::Result<()> {
        subscribers::write(private(&self.path(SUBSCRIBERS_FILE))?, subscribers)
    }

    /// Writes or replaces the file `name`.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        private(&self.path(name))?.write_all(text.as_bytes())
    }

    /// Removes the folder and everything in it.
    ///
    /// # Errors
    ///
    /// Those of the system, which dropping would hide.
    pub fn remove(self) -> io::Result<()> {
        self.folder.close()
    }
}

/// An empty file that only its owner can read and write.
fn private(path: &Path) -> io::Result<std::fs::File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_can_read_the_files_and_they_go_with_the_run() {
        let sandbox = Sandbox::new().unwrap();
        let secrets = Secrets::draw().unwrap();
        let configuration = Configuration::new("127.0.0.1:2775".parse().unwrap(), "gateway");
        sandbox.write_gateway(&configuration, &secrets, []).unwrap();
        sandbox.write("behavior.toml", "seed = 1\n").unwrap();
        let folder = sandbox.folder.path().to_owned();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        let modes: Vec<u32> =
            std::fs::read_dir(&folder).unwrap().map(|entry| mode(&entry.unwrap().path())).collect();
        assert_eq!(modes, [0o600; 5]);
        sandbox.remove().unwrap();
        assert!(!folder.exists());
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let sandbox = Sandbox::new().unwrap();
        sandbox.write("behavior.toml", "seed = 1000\n").unwrap();
        sandbox.write("behavior.toml", "seed = 2\n").unwrap();
        assert_eq!(std::fs::read_to_string(sandbox.path("behavior.toml")).unwrap(), "seed = 2\n");
    }
}
