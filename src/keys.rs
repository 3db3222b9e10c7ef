//! `otp-gateway key new`: keys drawn from the system's randomness.

use std::io;

use zeroize::Zeroizing;

use crate::http::auth::key_sha256;
use crate::subscriber::code::MASTER_KEY_BYTES;

/// 192 random bits: with the prefix, the key's hash takes one block of SHA-256, at every request.
const API_KEY_BYTES: usize = 24;

/// Which key.
#[derive(Debug, clap::Subcommand)]
pub enum NewKey {
    /// An API key for a client: the key, and the entry for gateway.toml that knows its hash.
    Api {
        /// The client's name.
        #[arg(long)]
        name: String,
        /// What the client may do.
        #[arg(long, default_value = "core", value_parser = ["core", "maker", "checker", "auditor"])]
        role: String,
    },
    /// A master key: a line for the key file. The first line of the file is the key in use.
    Master {
        /// Its number, 1 to 65535, other than those in the file.
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
        id: u16,
    },
}

impl NewKey {
    /// Draws the key and writes it, with what goes beside it.
    ///
    /// # Errors
    ///
    /// Those of writing, or the lack of randomness.
    pub fn print(&self, out: &mut impl io::Write) -> io::Result<()> {
        let hex = random_hex()?;
        match self {
            Self::Api { name, role } => {
                let key = Zeroizing::new(format!("otpgw_{}", &hex[..2 * API_KEY_BYTES]));
                writeln!(out, "# The key, for the client alone; it is not kept here:")?;
                writeln!(out, "#   {}", key.as_str())?;
                writeln!(out, "# For gateway.toml:")?;
                writeln!(out, "[[clients]]")?;
                writeln!(out, "name = {name:?}")?;
                writeln!(out, "roles = [{role:?}]")?;
                writeln!(out, "key_sha256 = \"{}\"", key_sha256(&key))
            }
            Self::Master { id } => writeln!(out, "{id} {}", hex.as_str()),
        }
    }
}

fn random_hex() -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; MASTER_KEY_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(io::Error::other)?;
    Ok(Zeroizing::new(base16ct::lower::encode_string(bytes.as_slice())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::auth::{ClientConfig, Clients};
    use crate::subscriber::code::Keyring;

    fn printed(new_key: &NewKey) -> String {
        let mut out = Vec::new();
        new_key.print(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_printed_entry_knows_the_printed_key() {
        #[derive(serde::Deserialize)]
        struct Entry {
            clients: Vec<ClientConfig>,
        }
        let text = printed(&NewKey::Api { name: "core-1".into(), role: "core".into() });
        let key = text.lines().find_map(|line| line.strip_prefix("#   ")).unwrap();
        let entry: Entry = toml::from_str(&text).unwrap();
        let clients = Clients::new(&entry.clients).unwrap();
        let client = clients.authenticate(format!("Bearer {key}").as_bytes()).unwrap();
        assert_eq!(client.name(), "core-1");
    }

    #[test]
    fn the_printed_master_key_is_a_key_file_and_never_the_same_twice() {
        let text = printed(&NewKey::Master { id: 7 });
        assert!(Keyring::parse(&text).is_ok());
        assert_ne!(text, printed(&NewKey::Master { id: 7 }));
    }
}
