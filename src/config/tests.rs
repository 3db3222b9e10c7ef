use std::os::unix::fs::PermissionsExt as _;

use super::*;

const EXAMPLE: &str = include_str!("../../gateway.example.toml");

/// A configuration with its files in a folder of its own.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("master.keys", &format!("1 {}\n", "5a".repeat(32)), 0o600);
        folder.write("smsc.password", "secret\n", 0o600);
        folder.write("subscribers.csv", "", 0o644);
        folder
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.0.path().join(name);
        // The example has no key, and is refused for that.
        std::fs::write(&path, text.replace(&"0".repeat(64), &"ab".repeat(32))).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// What is wrong, if something is, without the path of the folder.
    fn load(&self, toml: &str) -> Result<Config, String> {
        self.write("gateway.toml", toml, 0o644);
        let folder = format!("{}/", self.0.path().display());
        Config::load(&self.0.path().join("gateway.toml"))
            .map_err(|mistakes| mistakes.to_string().replace(&folder, ""))
    }
}

/// The example without what has no default.
fn without_settings(example: &str) -> String {
    let mut section = "";
    let mut kept = String::new();
    for line in example.lines() {
        if line.starts_with('[') {
            section = line.split(['#', ' ']).next().unwrap_or_default();
        }
        if ["[[clients]]", "[subscribers]"].contains(&section) || line.starts_with("[[smsc]]") {
            kept += &format!("{line}\n");
        }
    }
    kept
}

#[test]
fn the_example_states_every_default() {
    let folder = Folder::new();
    let example = folder.load(EXAMPLE).unwrap();
    let defaults = folder.load(&without_settings(EXAMPLE)).unwrap();
    assert_eq!(format!("{example:#?}"), format!("{defaults:#?}"));
    // Without currencies, no payment is large.
    let none = folder.load(&EXAMPLE.replace("IDR = ", "# IDR = ")).unwrap();
    assert_eq!((example.policy.long_from.len(), none.policy.long_from.len()), (1, 0));
}

/// Every key that the section has, as the mistake about one that it does not have lists them.
fn known(folder: &Folder, toml: &str) -> Vec<String> {
    let mistakes = folder.load(toml).unwrap_err();
    let (_, known) = mistakes.split_once("zzzzzzzzzz: found an unknown key, allowed ").expect(&mistakes);
    known.lines().next().unwrap().split(", ").map(str::to_owned).collect()
}

#[test]
fn every_setting_of_every_section_stands_in_the_example() {
    let folder = Folder::new();
    let route = "[[route]]\nprefixes = [\"\"]\nsmscs = [\"main\"]\n";
    let tls = "[smsc.tls]\nca_file = \"ca.pem\"\n";
    let files = [EXAMPLE.replace("# ", ""), EXAMPLE.to_owned()];
    let mut count = 0;
    let sections = known(&folder, &format!("zzzzzzzzzz = 1\n{EXAMPLE}"));
    for section in &sections {
        let header = if ["clients", "smsc", "route"].contains(&section.as_str()) {
            format!("[[{section}]]")
        } else {
            format!("[{section}]")
        };
        assert!(files[0].contains(&header), "{header}");
        let more = if section == "route" { route } else { "" };
        let whole = format!("{EXAMPLE}\n{more}");
        let with_unknown = whole.replacen(&format!("\n{header}"), &format!("\n{header}\nzzzzzzzzzz = 1"), 1);
        let (_, text) = files[0].split_once(&format!("\n{header}")).expect(&header);
        let end = text.find("\n[").unwrap_or(text.len());
        for setting in known(&folder, &with_unknown) {
            let is_table = files[0].contains(&format!("[{section}.{setting}]"));
            let is_there = |line: &str| line.trim_start().starts_with(&format!("{setting} = "));
            assert!(is_table || text[..end].lines().any(is_there), "{section}.{setting}");
            count += 1;
        }
    }
    for setting in known(&folder, &format!("{EXAMPLE}\n{tls}zzzzzzzzzz = 1\n")) {
        assert!(files[0].contains(&format!("\n{setting} = ")), "smsc.tls.{setting}");
        count += 1;
    }
    assert!(count > 85, "only {count} settings were found");
}

#[test]
fn tls_to_an_smsc_is_made_of_the_files_that_the_configuration_names() {
    let folder = Folder::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["smsc.test".to_owned()]).unwrap();
    let certificate = certificate.self_signed(&key).unwrap().pem();
    folder.write("ca.pem", &certificate, 0o644);
    folder.write("gateway.pem", &certificate, 0o644);
    folder.write("gateway.key", &key.serialize_pem(), 0o600);
    folder.write("other.key", &rcgen::KeyPair::generate().unwrap().serialize_pem(), 0o600);
    folder.write("public.key", &key.serialize_pem(), 0o640);
    // At the end of the only [[smsc]].
    let load = |tls: &str| folder.load(&format!("{}[smsc.tls]\n{tls}\n", without_settings(EXAMPLE)));
    let config =
        load("ca_file = 'ca.pem'\ncertificate_file = 'gateway.pem'\nkey_file = 'gateway.key'").unwrap();
    assert!(!format!("{config:?}").contains("PRIVATE"));
    assert!(load("ca_file = 'ca.pem'").is_ok());
    let of_authorities = "a file with the PEM certificates of authorities";
    let name = "the name in the SMSC's certificate: a host's name or an IP address";
    for (tls, expected) in [
        ("server_name = 'smsc.test'", format!("ca_file: found nothing, allowed the path of {of_authorities}")),
        ("ca_file = 'none.pem'", "ca_file: found none.pem: No such file or directory, allowed a file".into()),
        ("ca_file = 'other.key'", format!("ca_file: found other.key: something else, allowed {of_authorities}")),
        (
            "ca_file = 'ca.pem'\nserver_name = 'no name'",
            format!("server_name: found \"no name\", allowed {name}"),
        ),
        (
            "ca_file = 'ca.pem'\nkey_file = 'gateway.key'",
            "certificate_file: found nothing, allowed the path of a file with PEM certificates, ours first".into(),
        ),
        (
            "ca_file = 'ca.pem'\ncertificate_file = 'gateway.pem'",
            "key_file: found nothing, allowed the path of a file with a private key in PEM".into(),
        ),
        (
            "ca_file = 'ca.pem'\ncertificate_file = 'gateway.pem'\nkey_file = 'other.key'",
            "key_file: found another key, allowed the private key of the certificate in certificate_file".into(),
        ),
        (
            "ca_file = 'ca.pem'\ncertificate_file = 'gateway.pem'\nkey_file = 'public.key'",
            "key_file: found public.key: mode 0640, allowed a secret that only its owner may use: chmod 600 it"
                .into(),
        ),
        (
            "ca_file = 'ca.pem'\ncertificate_file = 'gateway.pem'\nkey_file = 'ca.pem'",
            "key_file: found ca.pem: mode 0644".into(),
        ),
    ] {
        let mistake = load(tls).expect_err(tls);
        assert!(mistake.contains(&format!(": smsc[0].tls.{expected}")), "{tls}: {mistake}");
        assert_eq!(mistake.lines().count(), 1, "{mistake}");
    }
}

#[test]
fn connections_have_to_fit_into_the_files_that_may_be_open() {
    let folder = Folder::new();
    let load = |binds: usize, open_files_max| {
        let links = EXAMPLE.replace("binds = 1 ", &format!("binds = {binds} "));
        folder.write("gateway.toml", &links.replace("workers = 0 ", "workers = 2 "), 0o644);
        Config::load_within(&folder.0.path().join("gateway.toml"), open_files_max)
            .map_err(|mistakes| mistakes.to_string())
    };
    // 64 of any kind, 64 probes, 4 for each of 6 threads, 256 for each of 2 workers, and each link's own.
    assert!(load(1, 10_665).is_ok() && load(1, 10_664).is_err());
    assert!(load(9, 10_673).is_ok() && load(9, 10_672).is_err());
    let mistake = load(1, 1_024).unwrap_err();
    let expected = "api.connections_max: found 10000, \
                    allowed 359 at most: the process may have 1024 files open, and keeps 665 for others";
    assert!(mistake.ends_with(expected), "{mistake}");
}

#[test]
fn the_share_of_each_route_has_to_hold_the_windows_of_each_of_its_smscs() {
    let folder = Folder::new();
    let load = |items_max: usize| {
        let mut toml = without_settings(EXAMPLE).replace("[[smsc]]", "[[smsc]]\nwindow = 30\nbinds = 2");
        toml = format!("[outbox]\nitems_max = {items_max}\n{toml}\n[[smsc]]\nname = 'other'\nwindow = 100\n");
        for (prefix, smscs) in [("", "'main', 'other'"), ("62", "'main'"), ("65", "'other'")] {
            toml += &format!("[[route]]\nprefixes = ['{prefix}']\nsmscs = [{smscs}]\n");
        }
        folder.load(&toml)
    };
    assert!(load(300).is_ok());
    let mistake = load(299).unwrap_err();
    assert!(
        mistake.starts_with("gateway.toml:2:13: outbox.items_max: found 299, allowed 300 or more,"),
        "{mistake}"
    );
}

#[test]
fn abuse_35_a_loaded_configuration_shows_no_secret() {
    let shown = format!("{:?}", Folder::new().load(EXAMPLE).unwrap());
    for secret in ["5a5a5a", "\"secret\""] {
        assert!(!shown.contains(secret), "{secret} shows");
    }
}

#[test]
fn abuse_18_limits_end_where_they_should() {
    let folder = Folder::new();
    let minimal = without_settings(EXAMPLE);
    let load = |section: &str, setting: &str| {
        let (key, _) = setting.split_once(' ').unwrap();
        let loaded = folder.load(&format!("[{section}]\n{setting}\n{minimal}"));
        if let Err(mistake) = &loaded {
            assert!(mistake.starts_with("gateway.toml:2:") && mistake.lines().count() == 1, "{mistake}");
            assert!(mistake.contains(&format!(": {section}.{key}: found ")), "{mistake}");
        }
        loaded.is_ok()
    };
    for (section, key, least, most, outside) in [
        ("challenge", "ttl", "'30s'", "'10m'", &["'29s'", "'601s'", "'1000000000years'"][..]),
        ("challenge", "attempts", "1", "5", &["0", "6"]),
        ("challenge", "resends", "0", "4", &["-1", "5"]),
        ("challenge", "first_resend_after", "'1s'", "'10m'", &["'0s'", "'601s'"]),
        ("challenge", "next_resend_after", "'1s'", "'10m'", &["'0s'", "'601s'"]),
        ("challenge", "open_max", "1", "5", &["0", "6"]),
        ("challenge", "sends_per_day", "1", "100", &["0", "101"]),
        ("lockout", "failures", "1", "10", &["0", "11"]),
        ("lockout", "duration", "'1m'", "'24h'", &["'0s'", "'86401s'"]),
        ("lockout", "duration_max", "'15m'", "'24h'", &["'59s'", "'86401s'"]),
        ("lockout", "failures_to_disable", "1", "100", &["0", "101"]),
        ("codes", "length", "6", "8", &["5", "11"]),
        ("codes", "long_length", "6", "10", &["5", "11"]),
        ("api", "workers", "0", "256", &["-1", "257"]),
        ("api", "connections_max", "1", "1000000", &["0", "1000001"]),
        ("api", "body_bytes_max", "1024", "16384", &["1023", "16385", "18446744073709551615"]),
        ("api", "idle_timeout", "'1s'", "'10m'", &["'999ms'", "'601s'", "'1000000000years'"]),
        ("api", "body_timeout", "'1s'", "'60s'", &["'0s'", "'61s'"]),
        ("store", "subscribers_max", "1", "100000000", &["0", "100000001"]),
        ("store", "live_bytes_max", "1048576", "1099511627776", &["1048575", "1099511627777"]),
        ("shutdown", "drain_timeout", "'0s'", "'60s'", &["'61s'"]),
        ("outbox", "items_max", "20", "1000000", &["0", "1000001"]),
        ("outbox", "destination_digits", "1", "8", &["0", "9"]),
    ] {
        assert!(
            load(section, &format!("{key} = {least}")) && load(section, &format!("{key} = {most}")),
            "{key}"
        );
        for value in outside {
            assert!(!load(section, &format!("{key} = {value}")), "{section}.{key} = {value}");
        }
    }
}
