//! `gateway.example.toml`, as an operator changes it.

use std::os::unix::fs::PermissionsExt as _;

use otp_gateway::config::{Config, Mistakes};

const EXAMPLE: &str = include_str!("../../gateway.example.toml");

/// Loads a configuration beside the files that the example names.
fn load(settings: &str) -> Result<Config, Mistakes> {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
        path
    };
    write("master.keys", &format!("1 {}\n", "5a".repeat(32)));
    write("smsc.password", "secret\n");
    write("subscribers.csv", "");
    // The example has no key, and is refused for that.
    Config::load(&write("gateway.toml", &settings.replace(&"0".repeat(64), &"ab".repeat(32))))
}

/// The lines of the example from this one to the next empty one.
fn part(first: &str) -> &'static str {
    let start = EXAMPLE.find(&format!("\n{first}\n")).expect("the example has it") + 1;
    EXAMPLE[start..].split("\n\n").next().expect("a part")
}

#[test]
fn the_routes_of_the_example_are_taken_once_there_is_a_second_smsc() {
    let commented = part("# [[route]]");
    let routes: Vec<&str> = commented.lines().map(|line| line.trim_start_matches("# ")).collect();
    assert_eq!(routes.iter().filter(|line| **line == "[[route]]").count(), 2);
    let with = |smsc: &str| {
        let second = part("[[smsc]]").replace("\"main\"", &format!("{smsc:?}"));
        load(&EXAMPLE.replacen(commented, &format!("{}\n\n{second}", routes.join("\n")), 1))
    };
    with("operator-a").unwrap();
    let error = with("operator-z").unwrap_err().to_string();
    assert!(error.contains("smscs"), "{error}");
}
