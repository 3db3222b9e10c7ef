//! Generates keys for `otp-gateway key new`, and reads the file of master keys.

use std::io;

use settings::FileProblem;
use zeroize::Zeroizing;

use crate::http::auth::{CLIENT_NAME, Role, is_client_name, key_sha256};
use crate::subscriber::code::{KEYS_MAX, KeyId, Keyring, MASTER_KEY_BYTES};

/// 192 random bits: with the prefix, the key's hash takes one block of SHA-256, at every request.
const API_KEY_BYTES: usize = 24;

/// The kinds of keys that can be generated.
#[derive(Debug, clap::Subcommand)]
pub enum NewKey {
    /// An API key for a client: the key, and the entry for gateway.toml that knows its hash.
    Api {
        /// The client's name.
        #[arg(long, value_parser = client_name)]
        name: String,
        /// What the client may do.
        #[arg(long, default_value = "core", value_parser = clap::builder::PossibleValuesParser::new(Role::ALL.iter().map(|role| role.name())))]
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
    /// Generates the key from the system's randomness and writes it in the form in which it is configured.
    ///
    /// # Errors
    ///
    /// If writing fails, or the system has no randomness.
    pub fn print(&self, out: &mut impl io::Write) -> io::Result<()> {
        match self {
            Self::Api { name, role } => {
                let key = new_api_key()?;
                writeln!(out, "# The key, only for the client; it is not stored here:")?;
                writeln!(out, "#   {}", key.as_str())?;
                writeln!(out, "# For gateway.toml:")?;
                writeln!(out, "[[clients]]")?;
                writeln!(out, "name = {name:?}")?;
                writeln!(out, "roles = [{role:?}]")?;
                writeln!(out, "key_sha256 = \"{}\"", key_sha256(&key))
            }
            Self::Master { id } => out.write_all(new_master_key(*id)?.as_bytes()),
        }
    }
}

/// A client's key.
pub(crate) fn new_api_key() -> io::Result<Zeroizing<String>> {
    Ok(Zeroizing::new(format!("otpgw_{}", &random_hex()?[..2 * API_KEY_BYTES])))
}

/// The line of a master key.
pub(crate) fn new_master_key(id: u16) -> io::Result<Zeroizing<String>> {
    Ok(Zeroizing::new(format!("{id} {}\n", random_hex()?.as_str())))
}

/// The longest password that SMPP has room for (SMPP 3.4, 4.1.1), in hexadecimal digits.
pub(crate) fn new_password() -> io::Result<Zeroizing<String>> {
    Ok(Zeroizing::new(random_hex()?[..8].to_owned()))
}

/// A client's name, as `[[clients]]` takes it.
fn client_name(text: &str) -> Result<String, String> {
    if is_client_name(text) { Ok(text.to_owned()) } else { Err(format!("allowed {CLIENT_NAME}")) }
}

/// Reads a key file: a line `<id> <64 hexadecimal digits>` for each key, the one in use first. Empty lines
/// and lines that begin with `#` are ignored.
///
/// # Errors
///
/// [`FileProblem`] names the wrong line and never quotes it.
pub fn parse(text: &str) -> Result<Keyring, FileProblem> {
    let in_line = |line: usize, found: &str, allowed: &str| FileProblem {
        line: Some(line),
        found: found.into(),
        allowed: allowed.into(),
    };
    // Allocated at its full size: growing would leave copies of keys behind that are not wiped.
    let mut keys: Vec<(KeyId, Zeroizing<[u8; MASTER_KEY_BYTES]>)> = Vec::with_capacity(KEYS_MAX);
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        let form = "a number from 1 to 65535, a blank and 64 hexadecimal digits";
        let key = parse_line(text).ok_or_else(|| in_line(line, "something else", form))?;
        if keys.iter().any(|(id, master)| *id == key.0 || *master == key.1) {
            return Err(in_line(line, "the number or the key of a line before", "each once"));
        }
        if keys.len() == KEYS_MAX {
            return Err(in_line(line, "one key more", &format!("1 to {KEYS_MAX}")));
        }
        keys.push(key);
    }
    Keyring::new(&keys).ok_or_else(|| FileProblem::whole("0 keys", format_args!("1 to {KEYS_MAX}")))
}

fn parse_line(line: &str) -> Option<(KeyId, Zeroizing<[u8; MASTER_KEY_BYTES]>)> {
    let (id, hex) = line.trim().split_once(' ')?;
    let id: u16 = id.parse().ok().filter(|id| *id != 0)?;
    let mut master = Zeroizing::new([0; MASTER_KEY_BYTES]);
    let decoded = base16ct::mixed::decode(hex.trim(), master.as_mut_slice()).ok()?.len();
    // Nobody draws zeros: they stand for a key that is still to come.
    let is_key = decoded == MASTER_KEY_BYTES && *master != [0; MASTER_KEY_BYTES];
    is_key.then_some((KeyId(id), master))
}

fn random_hex() -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; MASTER_KEY_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(io::Error::other)?;
    Ok(Zeroizing::new(base16ct::lower::encode_string(bytes.as_slice())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::auth::Clients;
    use crate::subscriber::challenge_id::{ChallengeId, Salt};
    use crate::subscriber::code::CodeLength;
    use crate::subscriber::id::{Id, SubscriberId};
    use crate::subscriber::transaction::Digest;

    /// `N` bytes that count up from `first`.
    fn counting<const N: usize>(first: u8) -> [u8; N] {
        std::array::from_fn(|index| first + u8::try_from(index).unwrap())
    }

    // Worked out by another implementation, from `DESIGN.md`.
    #[test]
    fn a_key_file_and_a_challenge_give_this_code() {
        let ring = parse("7 F0e1d2c3b4a5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff").unwrap();
        let subscriber =
            SubscriberId { corporate: Id::parse("ACME01").unwrap(), user: Id::parse("BUDI").unwrap() };
        let (challenge, salt) = (ChallengeId(counting(0)), Salt(counting(16)));
        for (digits, code) in [(10, b"1099300193".as_slice()), (6, b"300193")] {
            let length = CodeLength::new(digits).unwrap();
            let made = ring.active().code(&subscriber, &challenge, &salt, &Digest(counting(32)), length);
            assert_eq!(made.expose(), code);
        }
    }

    fn printed(new_key: &NewKey) -> String {
        let mut out = Vec::new();
        new_key.print(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_printed_entry_knows_the_printed_key() {
        let text = printed(&NewKey::Api { name: "core-1".into(), role: "core".into() });
        let key = text.lines().find_map(|line| line.strip_prefix("#   ")).unwrap();
        let clients = settings::from_toml(&text, Clients::read).unwrap();
        let client = clients.authenticate(format!("Bearer {key}").as_bytes()).unwrap();
        assert_eq!(client.name(), "core-1");
    }

    #[test]
    fn a_name_that_no_configuration_may_have_gets_no_key() {
        assert_eq!(client_name("core-1.A_9"), Ok("core-1.A_9".into()));
        for name in ["", "core 1", "core\"", "bank/core", &"a".repeat(65)] {
            assert!(client_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_printed_master_key_is_a_key_file_and_never_the_same_twice() {
        let text = printed(&NewKey::Master { id: 7 });
        assert!(parse(&text).is_ok());
        assert_ne!(text, printed(&NewKey::Master { id: 7 }));
    }

    #[test]
    fn a_key_file_names_the_line_that_is_wrong_and_never_quotes_it() {
        let hex = "0123456789abcdef".repeat(4);
        let good = format!("# active first\n\n7 {hex}\n6 {}\n", "ab".repeat(32));
        assert_eq!(parse(&good).unwrap().active().id(), KeyId(7));
        let refused = |text: &str| {
            let FileProblem { line, found, allowed } = parse(text).unwrap_err();
            (line, format!("found {found}, allowed {allowed}"))
        };
        assert_eq!(refused(""), (None, "found 0 keys, allowed 1 to 8".into()));
        let many: String = (1..=9).map(|id| format!("{id} {id}{}\n", &hex[1..])).collect();
        assert_eq!(refused(&many), (Some(9), "found one key more, allowed 1 to 8".into()));
        for line in ["0 {hex}", "x {hex}", "65536 {hex}", "1", "1 abcd", "1 {hex}0", "1 {bad}", "1 {zeros}"] {
            let line = line
                .replace("{hex}", &hex)
                .replace("{bad}", &"zz".repeat(32))
                .replace("{zeros}", &"00".repeat(32));
            let form =
                "found something else, allowed a number from 1 to 65535, a blank and 64 hexadecimal digits";
            assert_eq!(refused(&line), (Some(1), form.into()), "{line}");
        }
        let twice = "found the number or the key of a line before, allowed each once";
        for second in
            [format!("7 {}", "cd".repeat(32)), format!("8 {hex}"), format!("8 {}", hex.to_uppercase())]
        {
            assert_eq!(refused(&format!("7 {hex}\n{second}")), (Some(2), twice.into()));
        }
    }
}
