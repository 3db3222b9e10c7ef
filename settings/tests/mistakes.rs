//! What is read, and what each mistake says.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use settings::{
    FileProblem, Section, from_file, from_json, from_toml, hex, minutes, optional, own, printable, seconds,
    secret_file, set, settings, text, whole, words,
};

words! {
    /// How it is done.
    enum Way {
        /// At once.
        Fast = "fast",
        /// Later.
        Slow = "slow",
        /// Never.
        Never = "never",
    }
}

settings! {
    /// `[limits]`.
    struct Limits {
        /// A whole number.
        attempts: u8 [1..=5] = 3,
        /// A duration.
        least: Duration [Duration::from_millis(10)..=minutes(1)] = Duration::from_millis(500),
        /// Another, bounded by the one before.
        most: Duration [least..=minutes(10)] = seconds(30),
        /// A word.
        way: Way = Way::Fast,
        /// A switch.
        on: bool = true,
        /// A text.
        name: String [printable(1..=4)] = "name".into(),
        /// What can be left out.
        extra: Option<u16> [optional(0..=6)] = None,
        /// A list.
        statuses: Vec<u32> [set(0..=3, "statuses", hex(0x400..=0x4FF))] = Vec::new(),
        /// A number with gaps.
        coding: u8 [whole("0 or 16 to 19", |n| u8::try_from(n).ok().filter(|n| matches!(n, 0 | 16..=19)))] = 0,
    }
}

fn read(root: &Section<'_>) -> Option<Limits> {
    Some(Limits::read(&root.section("limits")))
}

fn mistakes(toml: &str) -> Vec<String> {
    let mistakes = from_toml(toml, read).expect_err(toml);
    mistakes.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn what_is_left_out_has_its_default_and_what_is_written_holds() {
    assert_eq!(from_toml("", read).unwrap(), Limits::default());
    assert_eq!(from_json("{}", read).unwrap(), Limits::default());
    let expected = Limits {
        attempts: 5,
        least: Duration::from_millis(10),
        most: seconds(90),
        way: Way::Never,
        on: false,
        name: "a b".into(),
        extra: Some(6),
        statuses: vec![0x400, 0x4FF],
        coding: 0x13,
    };
    let toml = "limits = { attempts = 5, least = '10ms', most = '1m 30s', way = 'never', on = false, \
                name = 'a b', extra = 6, statuses = [0x400, 1279], coding = 0x13 }";
    assert_eq!(from_toml(toml, read).unwrap(), expected);
    let json = r#"{"limits": {"attempts": 5, "least": "10ms", "most": "90s", "way": "never", "on": false,
                  "name": "a b", "extra": 6, "statuses": [1024, 1279], "coding": 19}}"#;
    assert_eq!(from_json(json, read).unwrap(), expected);
}

#[test]
fn a_mistake_says_place_key_what_was_found_and_what_is_allowed() {
    for (toml, expected) in [
        ("attempts = 6", "2:12: limits.attempts: found 6, allowed 1 to 5"),
        ("attempts = -1", "2:12: limits.attempts: found -1, allowed 1 to 5"),
        ("attempts = 99999999999", "2:12: limits.attempts: found 99999999999, allowed 1 to 5"),
        ("attempts = \"3\"", "2:12: limits.attempts: found \"3\", allowed a whole number from 1 to 5"),
        ("attempts = 3.5", "2:12: limits.attempts: found 3.5, allowed a whole number from 1 to 5"),
        ("attempts = [3]", "2:12: limits.attempts: found a list, allowed a whole number from 1 to 5"),
        ("attempts.max = 3", "2:1: limits.attempts: found a table, allowed a whole number from 1 to 5"),
        (
            "attempts = 2026-11-26",
            "2:12: limits.attempts: found a date or time, allowed a whole number from 1 to 5",
        ),
        ("least = \"2m\"", "2:9: limits.least: found \"2m\", allowed 10ms to 1m"),
        ("least = 5", "2:9: limits.least: found 5, allowed a duration from 10ms to 1m"),
        (
            "least = \"3 parsecs\"",
            "2:9: limits.least: found \"3 parsecs\", allowed a duration from 10ms to 1m",
        ),
        ("most = \"499ms\"", "2:8: limits.most: found \"499ms\", allowed 500ms to 10m"),
        ("least = \"31s\"", "1:1: limits.most: found 30s, the default, allowed a duration from 31s to 10m"),
        ("way = \"quick\"", "2:7: limits.way: found \"quick\", allowed \"fast\", \"slow\" or \"never\""),
        ("on = 1", "2:6: limits.on: found 1, allowed true or false"),
        ("name = \"\"", "2:8: limits.name: found \"\", allowed 1 to 4 printable ASCII characters"),
        ("name = \"a\\nb\"", "2:8: limits.name: found \"a\\nb\", allowed 1 to 4 printable ASCII characters"),
        ("extra = 7", "2:9: limits.extra: found 7, allowed 0 to 6"),
        ("statuses = 0x400", "2:12: limits.statuses: found 1024, allowed a list of 0 to 3 statuses"),
        ("statuses = [0x400, 0x58]", "2:20: limits.statuses[1]: found 88, allowed 0x400 to 0x4FF"),
        ("statuses = [0x400, 0x400]", "2:20: limits.statuses[1]: found 1024, allowed each once"),
        (
            "statuses = [1024, 1025, 1026, 1027]",
            "2:12: limits.statuses: found 4 statuses, allowed a list of 0 to 3 statuses",
        ),
        ("coding = 8", "2:10: limits.coding: found 8, allowed 0 or 16 to 19"),
        (
            "atempts = 3",
            "2:1: limits.atempts: found an unknown key, allowed attempts, the nearest that there is",
        ),
        (
            "colour = 3",
            "2:1: limits.colour: found an unknown key, \
             allowed attempts, least, most, way, on, name, extra, statuses, coding",
        ),
        ("on = true\non = false", "3:1: limits.on: found a second value, allowed one"),
    ] {
        assert_eq!(mistakes(&format!("[limits]\n{toml}\n")), [expected], "{toml}");
    }
    assert_eq!(mistakes("limits = 5"), ["1:10: limits: found 5, allowed a table, [limits]"]);
}

#[test]
fn all_mistakes_are_reported_in_the_order_of_the_text() {
    let toml = "[limits]\non = 1\nattempts = 6\n\n[limit]\nx = 1\n[limits.name]\nstatuses = [1, 2]\n";
    assert_eq!(
        mistakes(toml),
        [
            "2:6: limits.on: found 1, allowed true or false",
            "3:12: limits.attempts: found 6, allowed 1 to 5",
            "5:2: limit: found an unknown key, allowed limits, the nearest that there is",
            "7:1: limits.name: found a table, allowed 1 to 4 printable ASCII characters",
        ]
    );
}

#[test]
fn text_that_is_not_toml_is_reported_alone_with_every_place() {
    assert_eq!(
        mistakes("[limits]\nattempts = \nway = \"fast\nname = 'x'\n"),
        [
            "2:12: syntax: found text that is not TOML (string values must be quoted), allowed literal string",
            "3:12: syntax: found text that is not TOML (invalid basic string), allowed `\"`",
        ]
    );
    assert_eq!(
        mistakes("[limits\n"),
        ["1:8: syntax: found text that is not TOML (unclosed table), allowed `]`"]
    );
}

#[test]
fn a_key_that_stands_twice_is_named_by_its_path() {
    let read = |root: &Section<'_>| {
        let tables = root.sections("table", 0..=3);
        let numbers: Vec<u8> = tables.iter().map(|table| table.or("a", 0..=9, 0)).collect();
        Some((numbers, root.section("limits").or("b", 0..=9_u8, 0)))
    };
    let twice = |toml: &str| from_toml(toml, read).unwrap_err().to_string();
    assert_eq!(
        twice("[[table]]\na = 1\n[[table]]\na = 1\na = 2\n"),
        "5:1: table[1].a: found a second value, allowed one"
    );
    assert_eq!(twice("[limits]\nb = 1\n[limits]\n"), "3:2: limits: found a second value, allowed one");
    assert_eq!(
        twice("[[table]]\n[[table]]\n[[table]]\n[[table]]\n"),
        "1:1: table: found 4 tables, allowed 0 to 3 tables [[table]]"
    );
    assert_eq!(twice("[table]\na = 1\n"), "1:1: table: found a table, allowed 0 to 3 tables [[table]]");
}

#[test]
fn what_must_be_there_is_missed_where_its_section_begins() {
    let read = |root: &Section<'_>| {
        let section = root.section("limits");
        let (name, count) = (section.required("name", printable(1..=4)), section.required("count", 1..=5_u8));
        Some((name?, count?))
    };
    let missed = |toml: &str| from_toml(toml, read).unwrap_err().to_string();
    assert_eq!(
        missed("\n[limits]\ncount = 3\n"),
        "2:1: limits.name: found nothing, allowed 1 to 4 printable ASCII characters"
    );
    assert_eq!(
        missed(""),
        "1:1: limits.name: found nothing, allowed 1 to 4 printable ASCII characters\n\
         1:1: limits.count: found nothing, allowed a whole number from 1 to 5"
    );
    assert_eq!(from_toml("limits = { name = 'n', count = 1 }", read).unwrap(), ("n".to_owned(), 1));
}

#[test]
fn relations_between_settings_are_part_of_the_reading() {
    let read = |root: &Section<'_>| {
        let (way, on) = (root.or("way", own::<Way>(), Way::Fast), root.or("on", own::<bool>(), true));
        if way == Way::Never && on {
            root.conflict("on", on, "false for way = \"never\"");
        }
        Some(())
    };
    let conflict = |toml: &str| from_toml(toml, read).unwrap_err().to_string();
    assert_eq!(
        conflict("way = 'never'\non = true"),
        "2:6: on: found true, allowed false for way = \"never\""
    );
    assert_eq!(
        conflict("way = 'never'"),
        "1:1: on: found true, the default, allowed false for way = \"never\""
    );
}

#[test]
fn json_mistakes_have_key_and_place_too() {
    let mistakes = |json: &str| from_json(json, read).expect_err(json).to_string();
    assert_eq!(
        mistakes(
            "{\"limits\": {\"attempts\": 6,\n \"statuses\": [1], \"colour\": null, \"on\": true, \"on\": 1}}"
        ),
        "1:25: limits.attempts: found 6, allowed 1 to 5\n\
         2:15: limits.statuses[0]: found 1, allowed 0x400 to 0x4FF\n\
         2:29: limits.colour: found an unknown key, \
         allowed attempts, least, most, way, on, name, extra, statuses, coding\n\
         2:53: limits.on: found a second value, allowed one"
    );
    assert_eq!(
        mistakes(r#"{"limits": {"attempts": 1e400}}"#),
        "1:25: limits.attempts: found a number beyond all bounds, allowed a whole number from 1 to 5"
    );
    assert_eq!(mistakes("[]"), "1:1: found a list, allowed an object");
    assert_eq!(mistakes("{} x"), "1:4: syntax: found text that is not JSON, allowed JSON");
    assert_eq!(mistakes("{\"limits\""), "1:9: syntax: found text that is not JSON, allowed JSON");
}

#[test]
fn half_of_a_surrogate_pair_in_json_is_a_mistake_and_drops_nothing_silently() {
    for json in [
        r#"{"\ud800": 1, "limits": {"attempts": 5}}"#,
        r#"{"limits": {"attempts": 5, "\udc00": 1}}"#,
        r#"{"limits": {"way": "\udc00"}}"#,
    ] {
        let mistakes = from_json(json, read).expect_err(json).to_string();
        assert!(mistakes.contains("found half of a surrogate pair, allowed whole characters"), "{mistakes}");
    }
}

#[test]
fn json_that_is_too_deep_is_a_mistake() {
    let nested = |levels: usize| format!("{{\"limits\": {}1{}}}", "[".repeat(levels), "]".repeat(levels));
    let mistakes = |json: &str| from_json(json, read).expect_err("too deep").to_string();
    assert_eq!(mistakes(&nested(31)), "1:12: limits: found a list, allowed a table, [limits]");
    let of_table = mistakes(&nested(31));
    let too_deep = format!(
        "{of_table}\n1:43: limits{}: found a list or an object at level 33, allowed 32 levels",
        "[0]".repeat(31)
    );
    assert_eq!(mistakes(&nested(32)), too_deep);
    assert_eq!(mistakes(&nested(60_000)), too_deep);
    let mistakes = mistakes(&(r#"{"limits":"#.repeat(60_000) + "1" + &"}".repeat(60_000)));
    assert!(mistakes.contains(": found a list or an object at level 33, allowed 32 levels"), "{mistakes}");
}

#[test]
fn the_first_hundred_mistakes_are_reported_and_the_others_counted() {
    let keys = |between: &str| (1..=12_000).map(|n| format!("key{n}{between}")).collect::<String>();
    let twice = format!("limits = {{ on = true{} }}", ", on = true".repeat(12_000));
    let toml = [keys(" = 1\n"), "on = true\n".repeat(12_001), twice];
    let json = format!("{{\"{}\": 1}}", keys("\": 1, \"").trim_end_matches("\": 1, \""));
    let toml = toml.map(|toml| from_toml(&toml, read).expect_err("mistakes"));
    for mistakes in toml.into_iter().chain([from_json(&json, read).expect_err("mistakes")]) {
        assert_eq!(mistakes.list().len(), 100);
        assert!(mistakes.more() >= 11_900, "{}", mistakes.more());
        let shown = mistakes.to_string();
        assert_eq!(shown.lines().count(), 101);
        assert!(shown.ends_with(&format!("\nand {} more", mistakes.more())), "{shown}");
    }
    let last = from_toml(&keys(" = 1\n"), read).expect_err("mistakes").list()[99].clone();
    assert_eq!((last.line, last.column, last.key.as_str()), (100, 1, "key100"));
}

#[test]
fn a_long_key_is_cut() {
    let mistakes = from_toml(&format!("{} = 1", "k".repeat(60_000)), read).unwrap_err();
    assert_eq!(mistakes.list()[0].key, "k".repeat(200) + "…");
}

fn write(folder: &Path, name: &str, text: &str, mode: u32) {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file of the test");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a file of the test");
}

#[test]
fn a_secret_file_is_named_by_key_and_path_and_never_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.toml");
    let parse = |secret: &str| match secret.strip_suffix('\n') {
        Some(secret) => Ok(secret.len()),
        None => Err(FileProblem { line: Some(1), found: "no line".into(), allowed: "one line".into() }),
    };
    let read = |root: &Section<'_>| {
        let (at, length) = root.or_written("key_file", secret_file("a secret", parse), "default.key")?;
        assert!(at.is_absolute());
        Some(length)
    };
    let load = || {
        from_file(&path, read)
            .map_err(|mistakes| mistakes.to_string().replace(&format!("{}/", folder.path().display()), ""))
    };
    assert_eq!(
        load(),
        Err("all.toml:1:1: found nothing that can be read (No such file or directory), \
             allowed a file in TOML"
            .into())
    );
    for mode in [0o664, 0o646, 0o666] {
        write(folder.path(), "all.toml", "", mode);
        let allowed = "allowed a file that only its owner may write: chmod go-w it";
        assert_eq!(load(), Err(format!("all.toml:1:1: found mode {mode:04o}, {allowed}")));
    }
    write(folder.path(), "all.toml", "", 0o644);
    assert_eq!(
        load(),
        Err("all.toml:1:1: key_file: found default.key: No such file or directory, \
             allowed a file that can be read"
            .into())
    );
    write(folder.path(), "default.key", "hunter2\n", 0o600);
    assert_eq!(load(), Ok(7));
    write(folder.path(), "all.toml", "\nkey_file = \"my.key\"\n", 0o644);
    write(folder.path(), "my.key", "hunter2\n", 0o640);
    assert_eq!(
        load(),
        Err("all.toml:2:12: key_file: found my.key: mode 0640, \
             allowed a secret that only its owner may use: chmod 600 it"
            .into())
    );
    write(folder.path(), "my.key", "hunter2", 0o600);
    assert_eq!(load(), Err("all.toml:2:12: key_file: found my.key:1: no line, allowed one line".into()));
    write(folder.path(), "my.key", &"x".repeat(70_000), 0o600);
    assert_eq!(
        load(),
        Err("all.toml:2:12: key_file: found my.key: 70000 bytes, allowed 65536 at most".into())
    );
    for (secret, shown) in
        [("hunter2", "a path that is not shown"), ("5a5a", "a path that is not shown"), ("a/b", "a/b")]
    {
        write(folder.path(), "all.toml", &format!("key_file = \"{secret}\"\n"), 0o644);
        assert_eq!(
            load(),
            Err(format!(
                "all.toml:1:12: key_file: found {shown}: No such file or directory, allowed a file that can be read"
            ))
        );
    }
    write(folder.path(), "all.toml", "key_file = [\"hunter2\"]\n", 0o644);
    assert_eq!(load(), Err("all.toml:1:12: key_file: found a list, allowed the path of a secret".into()));
}

#[test]
fn a_text_is_shown_cut_and_without_control_characters() {
    let read = |root: &Section<'_>| root.required("name", text("nothing", |_| None::<()>));
    let long = format!("name = \"\\u001b{}\"", "x".repeat(100));
    let shown = from_toml(&long, read).unwrap_err().to_string();
    assert_eq!(shown, format!("1:8: name: found \"\\u{{1b}}{}…\", allowed nothing", "x".repeat(39)));
}
