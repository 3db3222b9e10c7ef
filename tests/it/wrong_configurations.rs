//! What operators are told about a configuration that cannot be used.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use otp_gateway::config::Config;
use tempfile::TempDir;

const GOOD: &str = include_str!("../../gateway.example.toml");

/// The example has no key, and is refused for that.
fn with_a_key(example: &str) -> String {
    example.replace(&"0".repeat(64), &"ab".repeat(32))
}

/// A folder with the files that the example names.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
    };
    write("master.keys", &format!("1 {}\n", "5a".repeat(32)), 0o600);
    write("twice.keys", &format!("1 {0}\n\n1 {0}\n", "5a".repeat(32)), 0o600);
    write("open.keys", &format!("1 {}\n", "5a".repeat(32)), 0o644);
    write("smsc.password", "secret08\n", 0o600);
    write("long.password", "correct horse\n", 0o600);
    write(
        "subscribers.csv",
        "company_name,cif,corporate_id,user_id,hard_token_serial,phone,email,authenticator\n",
        0o644,
    );
    write("shared.csv", "", 0o664);
    folder
}

/// The example with `from` replaced, and the line of `gateway.toml` where it was.
fn changed(from: &str, to: &str) -> (String, usize) {
    let (before, after) = GOOD.split_once(from).unwrap_or_else(|| panic!("the example has no {from}"));
    (format!("{before}{to}{after}"), before.matches('\n').count() + 1)
}

/// Every mistake of `toml`, without the path of the folder.
fn mistakes(folder: &TempDir, toml: &str) -> Vec<String> {
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, with_a_key(toml)).expect("a file");
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("a mode");
    let shown = Config::load(&path).expect_err(toml).to_string();
    shown.replace(&format!("{}/", folder.path().display()), "").lines().map(str::to_owned).collect()
}

/// What the example says, what stands there instead, and what follows `gateway.toml:<line>:` in the only mistake.
/// A line of `+1` is the one after.
const WRONG: &[(&str, &str, &str)] = &[
    ("attempts = 3 ", "attempts = 6", "+0:12: challenge.attempts: found 6, allowed 1 to 5"),
    ("attempts = 3 ", "attempts = -1", "+0:12: challenge.attempts: found -1, allowed 1 to 5"),
    ("attempts = 3 ", "attempts = 4294967296", "+0:12: challenge.attempts: found 4294967296, allowed 1 to 5"),
    (
        "attempts = 3 ",
        "attempts = \"3\"",
        "+0:12: challenge.attempts: found \"3\", allowed a whole number from 1 to 5",
    ),
    (
        "attempts = 3 ",
        "atempts = 3 ",
        "+0:1: challenge.atempts: found an unknown key, allowed attempts, the nearest that there is",
    ),
    (
        "open_max = 3 ",
        "colour = 3 ",
        "+0:1: challenge.colour: found an unknown key, allowed ttl, attempts, resends, first_resend_after, \
         next_resend_after, open_max, sends_per_day",
    ),
    (
        "resends = 2 ",
        "resends = 2\nresends = 3",
        "+1:1: challenge.resends: found a second value, allowed one",
    ),
    ("ttl = \"180s\"", "ttl = 180", "+0:7: challenge.ttl: found 180, allowed a duration from 30s to 10m"),
    (
        "ttl = \"180s\"",
        "ttl = \"3 parsecs\"",
        "+0:7: challenge.ttl: found \"3 parsecs\", allowed a duration from 30s to 10m",
    ),
    ("ttl = \"180s\"", "ttl = \"29s\"", "+0:7: challenge.ttl: found \"29s\", allowed 30s to 10m"),
    (
        "duration = \"15m\"",
        "duration = \"25h\"",
        "+0:12: lockout.duration: found \"25h\", allowed 1m to 1day",
    ),
    ("long_length = 8 ", "long_length = 5 ", "+0:15: codes.long_length: found 5, allowed 6 to 10"),
    (
        "IDR = \"1000000000\"",
        "IDR = \"-1\"",
        "+0:7: codes.long_from.IDR: found \"-1\", \
         allowed a decimal amount in that currency such as \"1000000000\"",
    ),
    (
        "listen = \"127.0.0.1:8080\"",
        "listen = \"0.0.0.0:8080\"",
        "+0:10: api.listen: found \"0.0.0.0:8080\", allowed a loopback address and a port such as \
         \"127.0.0.1:8080\"; any other address needs plaintext_behind_proxy = true and a proxy that \
         terminates TLS",
    ),
    (
        "listen = \"127.0.0.1:9464\"",
        "listen = \"localhost\"",
        "+0:10: admin.listen: found \"localhost\", \
         allowed an IP address and a port such as \"127.0.0.1:8080\"",
    ),
    ("json = false", "json = \"no\"", "+0:8: log.json: found \"no\", allowed true or false"),
    (
        "filter = \"info\"",
        "filter = \"loud=very\"",
        "+0:10: log.filter: found \"loud=very\", \
         allowed a filter of levels and modules such as \"info\" or \"info,otp_gateway::sms=debug\"",
    ),
    (
        "country_code = \"62\"",
        "country_code = \"+62\"",
        "+0:16: phones.country_code: found \"+62\", allowed 1 to 3 digits, the first of which is not 0",
    ),
    (
        "trunk_prefix = \"0\"",
        "trunk_prefix = \"6\"",
        "+0:16: phones.trunk_prefix: found \"6\", \
         allowed digits that do not begin as the country code 62 does",
    ),
    (
        "roles = [\"core\"]",
        "roles = [\"core\", \"root\"]",
        "+0:18: clients[0].roles[1]: found \"root\", \
         allowed \"core\", \"maker\", \"checker\" or \"auditor\"",
    ),
    (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "otpgw_5a5a5a",
        "+0:14: clients[0].key_sha256: found something else, \
         allowed 64 hexadecimal digits, the SHA-256 of the key",
    ),
    (
        "file = \"subscribers.csv\"",
        "file = \"nosuch.csv\"",
        "+0:8: subscribers.file: found nosuch.csv: No such file or directory, allowed a file that can be read",
    ),
    (
        "listen = \"127.0.0.1:9464\"",
        "listen = \"127.0.0.1:8080\"",
        "+0:10: admin.listen: found \"127.0.0.1:8080\", allowed another than api.listen, 127.0.0.1:8080",
    ),
    (
        "listen = \"127.0.0.1:9464\"",
        "listen = \"0.0.0.0:8080\"",
        "+0:10: admin.listen: found \"0.0.0.0:8080\", allowed another than api.listen, 127.0.0.1:8080",
    ),
    (
        "file = \"subscribers.csv\"",
        "file = \"shared.csv\"",
        "+0:8: subscribers.file: found shared.csv: mode 0664, \
         allowed a file that only its owner may write: chmod go-w it",
    ),
    (
        "file = \"subscribers.csv\"",
        "",
        "-1:1: subscribers.file: found nothing, allowed the path of the bank's CSV file",
    ),
    (
        "key_file = \"master.keys\"",
        "key_file = \"open.keys\"",
        "+0:12: codes.key_file: found open.keys: mode 0644, \
         allowed a secret that only its owner may use: chmod 600 it",
    ),
    (
        "key_file = \"master.keys\"",
        "key_file = \"twice.keys\"",
        "+0:12: codes.key_file: found twice.keys:3: the number or the key of a line before, allowed each once",
    ),
    (
        "key_file = \"master.keys\"",
        "key_file = \"subscribers.csv\"",
        "+0:12: codes.key_file: found subscribers.csv: mode 0644, \
         allowed a secret that only its owner may use: chmod 600 it",
    ),
    (
        "password_file = \"smsc.password\"",
        "password_file = \"long.password\"",
        "+0:17: smsc[0].password_file: found long.password: something else, \
         allowed a file with at most 8 printable ASCII characters",
    ),
    ("window = 20 ", "window = 0 ", "+0:10: smsc[0].window: found 0, allowed 1 to 10000"),
    (
        "reconnect_max = \"30s\"",
        "reconnect_max = \"400ms\"",
        "+0:17: smsc[0].reconnect_max: found \"400ms\", allowed 500ms to 10m",
    ),
    (
        "interface_version = \"3.4\"",
        "interface_version = \"3.3\"",
        "+1:8: smsc[0].mode: found \"transceiver\", \
         allowed \"transmitter_receiver\", since SMPP 3.3 has no transceivers",
    ),
    (
        "name = \"main\" ",
        "name = \"main\"\n[[smsc]]\nname = \"main\"",
        "+2:8: smsc[1].name: found \"main\", allowed a name that no [[smsc]] before has",
    ),
    (
        "binds = 1                        # links, or pairs of them; 1 to 32; they share the load\nwindow = 20 ",
        "binds = 32\nwindow = 400 ",
        "-8:1: smsc: found windows of 12800 submits for all binds together, allowed 10000 at most",
    ),
    (
        "items_max = 20000 ",
        "items_max = 19 ",
        "+0:13: outbox.items_max: found 19, allowed 20 or more, so that each route's share holds the windows of \
         each of its SMSCs",
    ),
    (
        "[[smsc]]\nname",
        "[[route]]\nprefixes = [\"\", \"62x\"]\nsmscs = [\"main\"]\n[[smsc]]\nname",
        "+1:17: route[0].prefixes[1]: found \"62x\", allowed up to 15 digits",
    ),
    (
        "[[smsc]]\nname",
        "[[route]]\nprefixes = [\"\"]\nsmscs = [\"other\"]\n[[smsc]]\nname",
        "+2:10: route[0].smscs[0]: found \"other\", allowed \"main\"",
    ),
    (
        "[[smsc]]\nname",
        "[[route]]\nprefixes = [\"62\"]\nsmscs = [\"main\"]\n[[smsc]]\nname",
        "+0:1: route: found no route for all other numbers, allowed one that has the prefix \"\"",
    ),
    (
        "login_en = \"{bank}: code {code}",
        "login_en = \"{bank}: code {cod}",
        "+0:12: sms.login_en: found {cod}, allowed {bank}, {host}, {code}, {reference} and {validity}, and in \
         payments {amount}, {payee} and {account}",
    ),
    ("[store]", "[store", "+0:7: syntax: found text that is not TOML (unclosed table), allowed `]`"),
];

#[test]
fn abuse_18_a_wrong_setting_is_reported_with_place_key_what_was_found_and_what_is_allowed() {
    let folder = folder();
    for (from, to, expected) in WRONG {
        let (toml, line) = changed(from, to);
        let (step, rest) = expected.split_once(':').expect("a line and a column");
        let line = line.checked_add_signed(step.parse().expect("a step")).expect("a line");
        assert_eq!(mistakes(&folder, &toml), [format!("gateway.toml:{line}:{rest}")], "{to}");
    }
}

#[test]
fn abuse_71_no_file_that_decides_may_be_written_by_others_than_its_owner() {
    let folder = folder();
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, with_a_key(GOOD)).expect("a file");
    let mode = |name: &str, mode: u32| {
        std::fs::set_permissions(folder.path().join(name), Permissions::from_mode(mode)).expect("a mode");
    };
    for (name, good) in [
        ("gateway.toml", 0o644),
        ("subscribers.csv", 0o644),
        ("master.keys", 0o600),
        ("smsc.password", 0o600),
    ] {
        for written_by in [0o020, 0o002] {
            mode(name, good | written_by);
            let told = Config::load(&path).expect_err("a file that others may write").to_string();
            assert!(told.contains("only its owner may"), "{name}: {told}");
        }
        mode(name, good);
        assert!(Config::load(&path).is_ok(), "{name}");
    }
}

#[test]
fn a_pipe_where_a_file_should_be_is_named_and_not_waited_for() {
    for name in ["gateway.toml", "subscribers.csv", "master.keys", "smsc.password"] {
        let folder = folder();
        let path = folder.path().join("gateway.toml");
        std::fs::write(&path, with_a_key(GOOD)).expect("a file");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a mode");
        let pipe = folder.path().join(name);
        std::fs::remove_file(&pipe).expect("the file that was there");
        assert!(Command::new("mkfifo").arg("-m600").arg(&pipe).status().expect("mkfifo").success());
        let told = Config::load(&path).expect_err(name).to_string();
        assert!(told.contains("found ") && told.contains("a pipe or a device, allowed"), "{name}: {told}");
    }
}

/// Six mistakes in five sections. The default of `connections_max` would be another, where a process may have few files
/// open.
const SIX: &str = "[[clients]]
name = \"core 1\"
roles = [\"core\"]
key_sha256 = \"0000000000000000000000000000000000000000000000000000000000000000\"

[subscribers]
file = \"nosuch.csv\"

[challenge]
attempts = 6
tll = \"60s\"

[[smsc]]
rate = \"fast\"

[api]
connections_max = 500
";

#[test]
fn abuse_18_all_mistakes_are_reported_at_once_one_a_line_and_end_the_program_with_64() {
    let folder = folder();
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, SIX).expect("a file");
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("a mode");
    for command in ["check-config", "serve"] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_otp-gateway"));
        let output = program.arg(command).arg("--config").arg(&path).output().expect("the program runs");
        assert_eq!(output.status.code(), Some(64), "{command}");
        let told = String::from_utf8(output.stderr).expect("text");
        let told = told.replace(&format!("{}/", folder.path().display()), "");
        assert_eq!(
            told,
            "gateway.toml:2:8: clients[0].name: found \"core 1\", \
             allowed 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'\n\
             gateway.toml:4:14: clients[0].key_sha256: found only zeros, \
             allowed what `otp-gateway key new api` prints: the example has no key\n\
             gateway.toml:7:8: subscribers.file: found nosuch.csv: No such file or directory, \
             allowed a file that can be read\n\
             gateway.toml:10:12: challenge.attempts: found 6, allowed 1 to 5\n\
             gateway.toml:11:1: challenge.tll: found an unknown key, allowed ttl, the nearest that there is\n\
             gateway.toml:14:8: smsc[0].rate: found \"fast\", allowed a whole number from 0 to 100000\n",
            "{command}"
        );
    }
}

#[test]
fn what_is_logged_to_something_else_than_a_terminal_has_no_colours() {
    let folder = folder();
    let path = folder.path().join("gateway.toml");
    // It logs a few lines, and ends since the port is in use.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = taken.local_addr().expect("an address").to_string();
    let toml = with_a_key(GOOD).replace("127.0.0.1:9464", &listen).replace("127.0.0.1:8080", "127.0.0.1:0");
    let toml = toml.replace("connections_max = 10000", "connections_max = 500");
    std::fs::write(&path, toml).expect("a file");
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a mode");
    let mut program = Command::new(env!("CARGO_BIN_EXE_otp-gateway"));
    let output = program.arg("serve").arg("--config").arg(&path).output().expect("the program runs");
    let told = String::from_utf8(output.stderr).expect("text");
    assert!(told.contains("subscribers loaded") && !told.contains('\x1b'), "{told}");
    assert!(told.contains("admin.listen = "), "{told}");
}
