//! Sample data, made anew at each start: companies, subscribers, keys and secrets. Nothing of it
//! outlives the process, and nothing of it is real.

use std::fmt::Write as _;
use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;

use serde::Serialize;
use tempfile::TempDir;

/// The name under which the gateway binds to the simulator.
pub(crate) const SYSTEM_ID: &str = "demo";

/// Fictional companies: their name and the ID under which the gateway knows them.
const COMPANIES: [(&str, &str); 18] = [
    ("PT Nusantara Contoh Abadi", "NUSA01"),
    ("CV Laut Biru Imajiner", "LAUT02"),
    ("PT Kopi Rekaan Gayo", "KOPI03"),
    ("PT Batik Fiktif Lestari", "BATIK04"),
    ("CV Roti Andai Hangat", "ROTI05"),
    ("PT Logistik Umpama Raya", "LOGI06"),
    ("PT Sawah Misal Makmur", "SAWAH07"),
    ("CV Kayu Contoh Jepara", "KAYU08"),
    ("PT Rempah Khayal Maluku", "REMPAH09"),
    ("PT Teknologi Andaikan", "TEKNO10"),
    ("CV Bunga Rekaan Lembang", "BUNGA11"),
    ("PT Armada Fiktif Samudra", "ARMADA12"),
    ("PT Garam Umpama Madura", "GARAM13"),
    ("CV Tenun Misal Sumba", "TENUN14"),
    ("PT Energi Contoh Surya", "ENERGI15"),
    ("PT Klinik Khayal Sehat", "KLINIK16"),
    ("CV Cetak Andai Jaya", "CETAK17"),
    ("PT Sepeda Rekaan Bandung", "SEPEDA18"),
];
const GIVEN_NAMES: [&str; 18] = [
    "budi", "siti", "agus", "dewi", "eko", "rina", "joko", "maya", "hadi", "lina", "wayan", "putri", "yusuf",
    "ratna", "dimas", "intan", "bayu", "sari",
];
const FAMILY_NAMES: [&str; 7] = ["santoso", "rahma", "wijaya", "lestari", "hidayat", "kusuma", "nasution"];
const USERS_PER_COMPANY: usize = 3;
/// How many companies, from the first, have one user more, who still has a hard token.
const COMPANIES_WITH_TOKEN: usize = 2;
/// Enough to play with: so many can be sent an SMS.
const _: () = assert!(COMPANIES.len() * USERS_PER_COMPANY >= 50);

/// What a user confirms with, as the subscribers' file writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Authenticator {
    SmsOtp,
    HardToken,
}

/// A user of a company.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) user_id: String,
    /// The number without `+`.
    pub(crate) phone: String,
    pub(crate) authenticator: Authenticator,
}

/// A company and its users.
#[derive(Clone, Debug)]
pub(crate) struct Company {
    pub(crate) name: &'static str,
    pub(crate) corporate_id: &'static str,
    pub(crate) users: Vec<User>,
}

/// The sample companies.
pub(crate) fn companies() -> Vec<Company> {
    let mut person = 0;
    let mut user = |authenticator| {
        let (given, family) =
            (GIVEN_NAMES[person % GIVEN_NAMES.len()], FAMILY_NAMES[person % FAMILY_NAMES.len()]);
        person += 1;
        // No operator gives out numbers with so many zeros.
        User {
            user_id: format!("{given}.{family}"),
            phone: format!("62812{:08}", 100 + person),
            authenticator,
        }
    };
    COMPANIES
        .iter()
        .enumerate()
        .map(|(index, &(name, corporate_id))| {
            let mut users: Vec<User> = (0..USERS_PER_COMPANY).map(|_| user(Authenticator::SmsOtp)).collect();
            users.extend((index < COMPANIES_WITH_TOKEN).then(|| user(Authenticator::HardToken)));
            Company { name, corporate_id, users }
        })
        .collect()
}

/// Secrets of this run.
pub(crate) struct Secrets {
    pub(crate) api_key: String,
    /// At most 8 characters: SMPP has room for no more.
    pub(crate) smsc_password: String,
    master_key: String,
}

impl Secrets {
    /// Draws them.
    pub(crate) fn new() -> io::Result<Self> {
        let draw = |length: usize| {
            let mut bytes = vec![0; length];
            getrandom::fill(&mut bytes).map_err(io::Error::other)?;
            Ok::<_, io::Error>(base16ct::lower::encode_string(&bytes))
        };
        Ok(Self { api_key: format!("demo_{}", draw(32)?), smsc_password: draw(4)?, master_key: draw(32)? })
    }
}

/// What of the gateway's configuration the demo lets be chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) api: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) smsc: SocketAddr,
    pub(crate) ttl_seconds: u64,
    pub(crate) resend_after_seconds: u64,
}

/// The gateway's files, in a folder of their own that goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Files {
    folder: TempDir,
}

impl Files {
    /// Writes the configuration and what it names.
    pub(crate) fn write(companies: &[Company], secrets: &Secrets, settings: &Settings) -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("otp-demo-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()?;
        let files = Self { folder };
        files.write_one("master.keys", &format!("1 {}\n", secrets.master_key))?;
        files.write_one("smsc.password", &secrets.smsc_password)?;
        files.write_one("subscribers.csv", &subscribers_csv(companies))?;
        files.write_one("gateway.toml", &gateway_toml(secrets, settings))?;
        Ok(files)
    }

    fn write_one(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.folder.path().join(name);
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
    }

    /// `gateway.toml`.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.folder.path().join("gateway.toml")
    }

    /// Removes the folder.
    pub(crate) fn remove(self) -> io::Result<()> {
        self.folder.close()
    }
}

fn subscribers_csv(companies: &[Company]) -> String {
    let mut csv =
        "company_name,cif,corporate_id,user_id,hard_token_serial,phone,email,authenticator\n".to_owned();
    for (index, company) in companies.iter().enumerate() {
        for user in &company.users {
            let Company { name, corporate_id, .. } = company;
            let User { user_id, phone, authenticator } = user;
            let (authenticator, serial) = match authenticator {
                Authenticator::SmsOtp => ("sms_otp", ""),
                Authenticator::HardToken => ("hard_token", "VST-0098213"),
            };
            let cif = 900_000 + index;
            writeln!(
                csv,
                "{name},{cif},{corporate_id},{user_id},{serial},+{phone},{user_id}@{}.example,{authenticator}",
                corporate_id.to_ascii_lowercase()
            )
            .expect("writing into memory always succeeds");
        }
    }
    csv
}

fn gateway_toml(secrets: &Secrets, settings: &Settings) -> String {
    let Settings { api, admin, smsc, ttl_seconds, resend_after_seconds } = settings;
    let key_sha256 = otp_gateway::http::auth::key_sha256(&secrets.api_key);
    let next_resend_after_seconds = 2 * resend_after_seconds;
    format!(
        r#"# Made by the demo for one run; see gateway.example.toml for every setting.
[[clients]]
name = "demo-bank"
roles = ["core"]
key_sha256 = "{key_sha256}"

[api]
listen = "{api}"

[admin]
listen = "{admin}"

[subscribers]
file = "subscribers.csv"

[codes]
key_file = "master.keys"

[challenge]
ttl = "{ttl_seconds}s"
first_resend_after = "{resend_after_seconds}s"
next_resend_after = "{next_resend_after_seconds}s"

[[smsc]]
name = "simulator"
address = "{smsc}"
system_id = "{SYSTEM_ID}"
password_file = "smsc.password"
mark_tlv = 0x1400
"#
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use otp_gateway::config::Config;

    use super::*;

    fn settings() -> Settings {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let smsc = SocketAddr::from(([127, 0, 0, 1], 2775));
        Settings { api: any, admin: any, smsc, ttl_seconds: 180, resend_after_seconds: 30 }
    }

    #[test]
    fn at_least_fifty_users_are_on_sms_otp_and_some_are_not_yet() {
        let companies = companies();
        let users: Vec<&User> = companies.iter().flat_map(|company| &company.users).collect();
        let on_sms = users.iter().filter(|user| user.authenticator == Authenticator::SmsOtp).count();
        assert!(on_sms >= 50, "{on_sms}");
        assert_eq!(users.len() - on_sms, COMPANIES_WITH_TOKEN);
        let phones: HashSet<&str> = users.iter().map(|user| user.phone.as_str()).collect();
        assert_eq!(phones.len(), users.len());
    }

    #[test]
    fn the_gateway_takes_the_files_with_its_own_loader_and_they_are_removed() {
        let secrets = Secrets::new().unwrap();
        let files = Files::write(&companies(), &secrets, &settings()).unwrap();
        let path = files.configuration();
        let config = Config::load(&path).unwrap();
        otp_gateway::app::load_subscribers(&config).unwrap();
        let folder = path.parent().map(Path::to_owned).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&path)), (0o700, 0o600));
        files.remove().unwrap();
        assert!(!folder.exists());
    }

    #[test]
    fn the_configuration_does_not_hold_the_api_key() {
        let secrets = Secrets::new().unwrap();
        assert!(!gateway_toml(&secrets, &settings()).contains(&secrets.api_key));
        assert_eq!(secrets.smsc_password.len(), 8);
    }
}
