//! The gateway's configuration: what every run needs, and the settings that a run chooses.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use serde::Serialize;
use toml::{Table, Value};

use crate::secrets::key_sha256;
use crate::{MASTER_KEYS_FILE, PASSWORD_FILE, SUBSCRIBERS_FILE};

/// The tables of `gateway.toml`; a setting that is not there has its default.
#[derive(Clone, Debug)]
pub struct Configuration(Table);

impl Configuration {
    /// Listens on free ports of loopback, and binds to `smsc` as `system_id`. It has no client yet.
    pub fn new(smsc: SocketAddr, system_id: &str) -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self(Table::from_iter([("smsc".to_owned(), Value::Array(vec![Value::Table(Table::new())]))]))
            .with("api.listen", any_port)
            .with("admin.listen", any_port)
            .with("subscribers.file", SUBSCRIBERS_FILE)
            .with("codes.key_file", MASTER_KEYS_FILE)
            .with("smsc.address", smsc)
            .with("smsc.system_id", system_id)
            .with("smsc.password_file", PASSWORD_FILE)
    }

    /// One more client of the API.
    #[must_use]
    pub fn with_client(mut self, name: &str, role: &str, api_key: &str) -> Self {
        let client = Table::from_iter([
            ("name".to_owned(), name.into()),
            ("roles".to_owned(), vec![role].into()),
            ("key_sha256".to_owned(), key_sha256(api_key).into()),
        ]);
        let clients = self.0.entry("clients").or_insert_with(|| Value::Array(Vec::new()));
        clients.as_array_mut().expect("only this function writes it").push(client.into());
        self
    }

    /// One more SMSC, with the settings of the last one but for its name and address.
    #[must_use]
    pub fn with_another_smsc(mut self, name: &str, address: SocketAddr) -> Self {
        let smscs =
            self.0.get_mut("smsc").and_then(Value::as_array_mut).expect("every configuration has one");
        smscs.extend_from_within(smscs.len() - 1..);
        self.with("smsc.name", name).with("smsc.address", address)
    }

    /// With `setting`, such as `challenge.ttl`, at `value`, whatever it was before.
    ///
    /// # Panics
    ///
    /// `setting` is not a table's name, a dot and a name, or TOML has no such value.
    #[must_use]
    pub fn with(mut self, setting: &str, value: impl Serialize) -> Self {
        let (table, name) = setting.split_once('.').expect("a setting is written table.name");
        let value = Value::try_from(value).expect("TOML has numbers, texts, lists and tables");
        let settings = self.0.entry(table).or_insert_with(|| Value::Table(Table::new()));
        let settings = match settings {
            Value::Array(tables) => tables.last_mut().expect("a list of tables begins with one"),
            settings => settings,
        };
        settings.as_table_mut().expect("settings stand in tables").insert(name.to_owned(), value);
        self
    }
}

/// The text of the file.
impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "# Made for one run; see gateway.example.toml for every setting.\n{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration() -> Configuration {
        Configuration::new("127.0.0.1:2775".parse().unwrap(), "gateway").with_client("core", "core", "key-1")
    }

    #[test]
    fn a_setting_of_a_run_replaces_what_was_there() {
        let text = configuration().with("api.workers", 2_u64).with("api.workers", 3).to_string();
        let table: Table = text.parse().unwrap();
        assert_eq!(table["api"]["workers"], 3.into());
        assert_eq!(table["api"]["listen"], "127.0.0.1:0".into());
    }

    #[test]
    fn settings_of_the_smsc_stand_in_its_table_of_a_list() {
        let table: Table = configuration().with("smsc.window", 5).to_string().parse().unwrap();
        let smscs = table["smsc"].as_array().unwrap();
        assert_eq!(smscs.len(), 1);
        assert_eq!((&smscs[0]["window"], &smscs[0]["system_id"]), (&5.into(), &"gateway".into()));
        let address = "127.0.0.1:2776".parse().unwrap();
        let both = configuration().with("smsc.window", 5).with_another_smsc("second", address);
        let table: Table = both.to_string().parse().unwrap();
        let smscs = table["smsc"].as_array().unwrap();
        assert_eq!(smscs[0]["address"], "127.0.0.1:2775".into());
        assert_eq!((&smscs[1]["address"], &smscs[1]["window"]), (&"127.0.0.1:2776".into(), &5.into()));
        assert_eq!((smscs.len(), &smscs[1]["name"]), (2, &"second".into()));
    }

    #[test]
    fn of_a_key_the_configuration_has_the_hash_only() {
        let text = configuration().with_client("auditor", "auditor", "key-2").to_string();
        assert!(!text.contains("key-1") && !text.contains("key-2"), "{text}");
        // printf key-1 | sha256sum
        assert!(text.contains("be2974546978e3739e6d6da85c4be9f334ce32df2b9fd4b6ff1b55c0d57e9d44"));
        let table: Table = text.parse().unwrap();
        assert_eq!(table["clients"].as_array().map(Vec::len), Some(2));
    }
}
