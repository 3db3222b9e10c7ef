//! Authentication of clients by API keys, which are kept as SHA-256 with a name and roles.

use std::collections::HashMap;
use std::sync::Arc;

use settings::{Entry, Form, Section, list, own, text, words};
use sha2::{Digest as _, Sha256};

/// The longest key that is looked up, in bytes. Generated ones have 54.
const KEY_BYTES_MAX: usize = 128;
/// A bank has a handful of systems.
const CLIENTS_MAX: usize = 1_000;

words! {
    /// What a client may do.
    pub(crate) enum Role {
        /// Generate, verify, resend, cancel and look up challenges.
        Core = "core",
        /// Propose changes of the registry.
        Maker = "maker",
        /// Approve changes of the registry.
        Checker = "checker",
        /// Read the registry.
        Auditor = "auditor",
    }
}

/// An authenticated caller.
#[derive(Debug)]
pub(crate) struct Client {
    name: String,
    roles: Vec<Role>,
}

impl Client {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it may act in `role`.
    pub(crate) fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// The clients by the hash of their keys.
// A comparison that takes a variable time gives nothing away: it compares SHA-256 digests, of which a caller
// cannot choose a prefix.
#[derive(Clone, Debug)]
pub(crate) struct Clients(HashMap<[u8; 32], Arc<Client>>);

impl Clients {
    /// Reads the tables `[[clients]]`: each has a name, the scope of its idempotency keys, what it may do,
    /// and the SHA-256 of its key as `otp-gateway key new api` prints it.
    pub(crate) fn read(root: &Section<'_>) -> Option<Self> {
        let mut clients: HashMap<[u8; 32], Arc<Client>> = HashMap::new();
        let mut complete = true;
        for section in root.sections("clients", 1..=CLIENTS_MAX) {
            let name = section.required("name", name());
            let roles = section.required("roles", list(1..=Role::ALL.len(), "roles", own::<Role>()));
            let hash = section.required("key_sha256", KeyHash);
            let (Some(name), Some(roles), Some(hash)) = (name, roles, hash) else {
                complete = false;
                continue;
            };
            if clients.values().any(|earlier| earlier.name == name) {
                section.conflict("name", format_args!("\"{name}\""), "a name that no client before has");
            }
            if clients.insert(hash, Arc::new(Client { name, roles })).is_some() {
                section.conflict("key_sha256", "the key of a client before", "a key of its own");
            }
        }
        complete.then_some(Self(clients))
    }

    /// The client of the key in the value of an `Authorization: Bearer …` header.
    pub(crate) fn authenticate(&self, authorization: &[u8]) -> Option<Arc<Client>> {
        let (scheme, key) = authorization.split_at_checked(7)?;
        if !scheme.eq_ignore_ascii_case(b"Bearer ") || key.len() > KEY_BYTES_MAX {
            return None;
        }
        let hash: [u8; 32] = Sha256::digest(key).into();
        self.0.get(&hash).map(Arc::clone)
    }
}

/// What a client may be named.
pub(crate) const CLIENT_NAME: &str = "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'";

pub(crate) fn is_client_name(text: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(of_name)
}

fn name() -> impl Form<Value = String> {
    text(CLIENT_NAME, |text| is_client_name(text).then(|| text.to_owned()))
}

const NOT_OF_THE_EXAMPLE: &str = "what `otp-gateway key new api` prints: the example has no key";

/// 64 hexadecimal digits in either case. Anything else may be the key itself, and is not quoted.
struct KeyHash;

impl Form for KeyHash {
    type Value = [u8; 32];

    fn allowed(&self) -> String {
        "64 hexadecimal digits, the SHA-256 of the key".into()
    }

    fn read(&self, entry: &Entry<'_>) -> Option<[u8; 32]> {
        let mut buffer = [0; 32];
        let hash = entry.text().and_then(|hex| base16ct::mixed::decode(hex, &mut buffer).ok());
        let hash = hash.and_then(|hash| <[u8; 32]>::try_from(hash).ok());
        if hash == Some([0; 32]) {
            return entry.refuse_found("only zeros", NOT_OF_THE_EXAMPLE);
        }
        hash.or_else(|| entry.refuse_found("something else", self.allowed()))
    }
}

/// The SHA-256 of a key, as `key_sha256` holds it.
pub(crate) fn key_sha256(key: &str) -> String {
    base16ct::lower::encode_string(&Sha256::digest(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(name: &str, key: &str) -> String {
        format!("[[clients]]\nname = \"{name}\"\nroles = [\"core\"]\nkey_sha256 = \"{}\"\n", key_sha256(key))
    }

    fn read(toml: &str) -> Result<Clients, settings::Mistakes> {
        settings::from_toml(toml, Clients::read)
    }

    #[test]
    fn a_client_is_known_by_its_key_alone() {
        let clients = read(&(client("core", "key-1") + &client("batch", "key-2"))).unwrap();
        let name =
            |header: &str| clients.authenticate(header.as_bytes()).map(|client| client.name().to_owned());
        assert_eq!(name("Bearer key-1").as_deref(), Some("core"));
        assert_eq!(name("bearer key-2").as_deref(), Some("batch"));
        for header in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer key-3",
            "Basic  key-1",
            "Bearer\tkey-1",
            "Digest key-1",
            "key-1",
            "Bearer  key-1",
            "Bearer key-1 ",
        ] {
            assert_eq!(name(header), None, "{header:?}");
        }
    }

    #[test]
    fn a_client_may_do_what_its_roles_say_and_nothing_else() {
        let toml = client("audit", "key-1").replace("[\"core\"]", "[\"auditor\", \"maker\"]");
        let client = read(&toml).unwrap().authenticate(b"Bearer key-1").unwrap();
        assert_eq!(
            Role::ALL.iter().map(|role| client.has(*role)).collect::<Vec<_>>(),
            [false, true, false, true]
        );
    }

    #[test]
    fn no_other_scheme_and_no_longer_key_is_looked_at() {
        let [longest, longer] = [KEY_BYTES_MAX, KEY_BYTES_MAX + 1].map(|length| "k".repeat(length));
        let clients = read(&(client("core", &longest) + &client("batch", &longer))).unwrap();
        let name =
            |header: String| clients.authenticate(header.as_bytes()).map(|client| client.name().to_owned());
        assert_eq!(name(format!("Bearer {longest}")).as_deref(), Some("core"));
        for scheme in ["Digest ", "Bearer\t", "Bearer:"] {
            assert_eq!(name(format!("{scheme}{longest}")), None, "{scheme:?}");
        }
        assert_eq!(name(format!("Bearer {longer}")), None);
    }

    #[test]
    fn a_list_of_clients_that_cannot_be_told_apart_is_refused() {
        let refused = |toml: &str| read(toml).unwrap_err().to_string();
        assert_eq!(refused(""), "1:1: clients: found nothing, allowed 1 to 1000 tables [[clients]]");
        assert_eq!(
            refused(&(client("a", "1") + &client("a", "2"))),
            "6:8: clients[1].name: found \"a\", allowed a name that no client before has"
        );
        assert_eq!(
            refused(&(client("a", "1") + &client("b", "1"))),
            "8:14: clients[1].key_sha256: found the key of a client before, allowed a key of its own"
        );
        assert_eq!(
            refused(&client("a b", "1")),
            "2:8: clients[0].name: found \"a b\", allowed 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'"
        );
        let hash = key_sha256("1");
        for other in ["ab", "otpgw_secret", &hash[1..], &format!("{hash}0"), &hash.replace(|_| true, "g")] {
            let mistake = refused(&client("a", "1").replace(&hash, other));
            assert_eq!(
                mistake,
                "4:14: clients[0].key_sha256: found something else, \
                 allowed 64 hexadecimal digits, the SHA-256 of the key"
            );
        }
        assert_eq!(
            refused(&client("a", "1").replace(&hash, &"0".repeat(64))),
            "4:14: clients[0].key_sha256: found only zeros, \
             allowed what `otp-gateway key new api` prints: the example has no key"
        );
        assert_eq!(
            refused(&client("a", "1").replace("\"core\"", "")),
            "3:9: clients[0].roles: found 0 roles, allowed a list of 1 to 4 roles"
        );
        assert_eq!(
            refused(&client("a", "1").replace("core", "root")),
            "3:10: clients[0].roles[0]: found \"root\", \
             allowed \"core\", \"maker\", \"checker\" or \"auditor\""
        );
    }
}
