//! `otp-gateway init`: a folder from which a gateway starts against the simulator on this machine.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::enrolment::COLUMNS;
use crate::http::auth::key_sha256;
use crate::keys;

const EXAMPLE: &str = include_str!("../gateway.example.toml");
/// What stands in the example for the hash of a key.
const NO_KEY: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Somebody to send a code to on the simulator's handsets. The number is made up.
const SUBSCRIBER: &str = "PT Contoh,CIF00001,CONTOH01,budi,,081200000001,budi@contoh.example,sms_otp";

/// Makes `folder` with everything that the example's configuration names, each file for its owner alone, and says what to
/// do next.
///
/// # Errors
///
/// Those of the system; among them, that `folder` exists. Then nothing of ours is left there.
pub fn init(folder: &Path, out: &mut impl Write) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(folder)?;
    let made = fill(folder).and_then(|api_key| say(folder, &api_key, out));
    if made.is_err() {
        let _ = fs::remove_dir_all(folder);
    }
    made
}

/// Writes the files, and returns the client's key, which is in none of them.
fn fill(folder: &Path) -> io::Result<Zeroizing<String>> {
    let write = |name: &str, text: &str| {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(name));
        file?.write_all(text.as_bytes())
    };
    let api_key = keys::new_api_key()?;
    write("gateway.toml", &EXAMPLE.replacen(NO_KEY, &key_sha256(&api_key), 1))?;
    write("master.keys", &keys::new_master_key(1)?)?;
    write("smsc.password", &keys::new_password()?)?;
    write("subscribers.csv", &format!("{}\n{SUBSCRIBER}\n", COLUMNS.join(",")))?;
    Ok(api_key)
}

fn say(folder: &Path, api_key: &str, out: &mut impl Write) -> io::Result<()> {
    let folder = quoted(&folder.to_string_lossy());
    writeln!(out, "# The key of the client core-1, which is stored nowhere:")?;
    writeln!(out, "export KEY={api_key}")?;
    writeln!(out, "# An SMSC on this machine, with a wall of handsets at http://127.0.0.1:8090:")?;
    writeln!(out, "smsc-simulator serve --password-file {folder}/smsc.password")?;
    writeln!(
        out,
        "# The gateway, which sends to it, with the subscriber CONTOH01 budi. His number is made up: replace"
    )?;
    writeln!(out, "# subscribers.csv before an operator's SMSC is connected.")?;
    writeln!(out, "otp-gateway serve --config {folder}/gateway.toml")?;
    out.flush()
}

/// As a shell takes it for one word.
fn quoted(path: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "/._-".contains(character);
    let path = if path.starts_with('-') { format!("./{path}") } else { path.to_owned() };
    if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::app::load_subscribers;
    use crate::config::Config;

    fn made(folder: &Path) -> String {
        let mut out = Vec::new();
        init(folder, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_it_makes_is_a_good_configuration_for_its_owner_alone_with_keys_of_its_own() {
        let above = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| above.path().join(name));
        let (said, said_of_other) = (made(&one), made(&other));
        let config = Config::load(&one.join("gateway.toml")).unwrap();
        assert_eq!(load_subscribers(&config).unwrap(), 1);
        let key = said.lines().find_map(|line| line.strip_prefix("export KEY=")).unwrap();
        assert_eq!(config.clients.authenticate(format!("Bearer {key}").as_bytes()).unwrap().name(), "core-1");
        assert!(!said_of_other.contains(key));
        for entry in fs::read_dir(&one).unwrap().map(Result::unwrap) {
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
            let text = fs::read_to_string(entry.path()).unwrap();
            assert!(!text.contains(key), "{entry:?}");
            let is_secret = entry.file_name() != "subscribers.csv";
            assert_eq!(
                text != fs::read_to_string(other.join(entry.file_name())).unwrap(),
                is_secret,
                "{entry:?}"
            );
        }
    }

    #[test]
    fn a_folder_s_name_is_one_word_for_a_shell() {
        assert_eq!(quoted("/srv/gateway-1"), "/srv/gateway-1");
        assert_eq!(quoted("it's mine"), r"'it'\''s mine'");
        assert_eq!(quoted("-f"), "./-f");
    }

    #[test]
    fn a_folder_that_exists_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("gateway.toml"), "mine").unwrap();
        let error = init(folder.path(), &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(folder.path().join("gateway.toml")).unwrap(), "mine");
    }
}
