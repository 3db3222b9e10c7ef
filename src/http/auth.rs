//! Who calls: API keys, kept as SHA-256 with a name and roles.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// The longest key that is looked up, in bytes; ours have 54.
const KEY_BYTES_MAX: usize = 128;

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Generate, verify, resend, cancel and look up challenges.
    Core,
    /// Propose changes of the registry.
    Maker,
    /// Approve changes of the registry.
    Checker,
    /// Read the registry.
    Auditor,
}

/// `[[clients]]`: one API client.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    /// Its name, the scope of its idempotency keys: 1 to 64 of `[A-Za-z0-9._-]`.
    pub name: String,
    /// What it may do.
    pub roles: Vec<Role>,
    /// SHA-256 of its key, in 64 hexadecimal digits, as `otp-gateway key new api` prints it.
    pub key_sha256: String,
}

/// An authenticated caller.
#[derive(Debug)]
pub struct Client {
    name: String,
    roles: Vec<Role>,
}

impl Client {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it may act in `role`.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// What is wrong with the list of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientsError {
    /// No client can call.
    None,
    /// The client with this place in the list has no usable name.
    Name(usize),
    /// The named client's `key_sha256` is not 64 hexadecimal digits.
    Hash(String),
    /// The named client has no role.
    NoRole(String),
    /// The named client's name or key belongs to an earlier one too.
    Duplicate(String),
}

impl fmt::Display for ClientsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("clients: at least one [[clients]] entry is needed"),
            Self::Name(index) => {
                write!(f, "clients[{index}].name: must be 1 to 64 of A-Z, a-z, 0-9, '.', '_', '-'")
            }
            Self::Hash(name) => write!(f, "client {name}: key_sha256 must be 64 hexadecimal digits"),
            Self::NoRole(name) => write!(f, "client {name}: roles must name at least one role"),
            Self::Duplicate(name) => write!(f, "client {name}: an earlier client has the same name or key"),
        }
    }
}

impl std::error::Error for ClientsError {}

/// The clients, found by the hash of the key that they present.
// A plain hash map will do: what it compares are SHA-256 digests, of which a caller cannot choose
// a prefix.
#[derive(Clone, Debug)]
pub struct Clients(Arc<HashMap<[u8; 32], Client>>);

impl Clients {
    /// # Errors
    ///
    /// [`ClientsError`] for the first entry that cannot be used.
    pub fn new(configs: &[ClientConfig]) -> Result<Self, ClientsError> {
        if configs.is_empty() {
            return Err(ClientsError::None);
        }
        let mut clients = HashMap::new();
        for (index, config) in configs.iter().enumerate() {
            let named = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            let name = &config.name;
            if !(1..=64).contains(&name.len()) || !name.bytes().all(named) {
                return Err(ClientsError::Name(index));
            }
            let hash = parse_hash(&config.key_sha256).ok_or_else(|| ClientsError::Hash(name.clone()))?;
            if config.roles.is_empty() {
                return Err(ClientsError::NoRole(name.clone()));
            }
            let client = Client { name: name.clone(), roles: config.roles.clone() };
            let name_taken = clients.values().any(|other: &Client| other.name == *name);
            if name_taken || clients.insert(hash, client).is_some() {
                return Err(ClientsError::Duplicate(name.clone()));
            }
        }
        Ok(Self(Arc::new(clients)))
    }

    /// The client whose key stands in an `Authorization: Bearer …` header's value.
    pub fn authenticate(&self, authorization: &[u8]) -> Option<&Client> {
        let (scheme, key) = authorization.split_at_checked(7)?;
        if !scheme.eq_ignore_ascii_case(b"Bearer ") || key.len() > KEY_BYTES_MAX {
            return None;
        }
        let hash: [u8; 32] = Sha256::digest(key).into();
        self.0.get(&hash)
    }
}

/// 64 hexadecimal digits in either case.
fn parse_hash(hex: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let decoded = base16ct::mixed::decode(hex, &mut hash).ok()?.len();
    (decoded == hash.len()).then_some(hash)
}

/// The SHA-256 of a key, as `key_sha256` holds it.
pub fn key_sha256(key: &str) -> String {
    base16ct::lower::encode_string(&Sha256::digest(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str, key: &str) -> ClientConfig {
        ClientConfig { name: name.into(), roles: vec![Role::Core], key_sha256: key_sha256(key) }
    }

    #[test]
    fn a_client_is_known_by_its_key_alone() {
        let clients = Clients::new(&[config("core", "key-1"), config("batch", "key-2")]).unwrap();
        let name = |header: &str| clients.authenticate(header.as_bytes()).map(Client::name);
        assert_eq!(name("Bearer key-1"), Some("core"));
        assert_eq!(name("bearer key-2"), Some("batch"));
        for header in ["", "Bearer", "Bearer ", "Bearer key-3", "Basic key-1", "key-1", "Bearer  key-1"] {
            assert_eq!(name(header), None, "{header:?}");
        }
        assert_eq!(name(&format!("Bearer {}", "k".repeat(100_000))), None);
    }

    #[test]
    fn a_hash_is_64_hexadecimal_digits_in_either_case() {
        assert_eq!(parse_hash(&"aF".repeat(32)), Some([0xAF; 32]));
        for other in ["a".repeat(63), "a".repeat(62), "a".repeat(66), "g".repeat(64), String::new()] {
            assert_eq!(parse_hash(&other), None, "{other:?}");
        }
    }

    #[test]
    fn a_list_of_clients_that_cannot_be_told_apart_is_refused() {
        let refused = |configs: &[ClientConfig]| Clients::new(configs).unwrap_err();
        assert_eq!(refused(&[]), ClientsError::None);
        assert_eq!(refused(&[config("a", "1"), config("a", "2")]), ClientsError::Duplicate("a".into()));
        assert_eq!(refused(&[config("a", "1"), config("b", "1")]), ClientsError::Duplicate("b".into()));
        assert_eq!(refused(&[config("a b", "1")]), ClientsError::Name(0));
        let short = ClientConfig { key_sha256: "ab".into(), ..config("a", "1") };
        assert_eq!(refused(&[short]), ClientsError::Hash("a".into()));
        let idle = ClientConfig { roles: vec![], ..config("a", "1") };
        assert_eq!(refused(&[idle]), ClientsError::NoRole("a".into()));
    }
}
