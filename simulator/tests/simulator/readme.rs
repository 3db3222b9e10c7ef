//! The README tells all that there is.

use smsc_simulator::Behavior;
use smsc_simulator::behavior::profiles;

const README: &str = include_str!("../../README.md");

/// What a refusal of `toml` says is allowed.
fn allowed(toml: &str) -> String {
    Behavior::from_toml(toml).unwrap_err().list()[0].allowed.clone()
}

#[test]
fn every_setting_of_a_behavior_and_its_words_are_in_the_readme() {
    let mut told = 0;
    for section in ["submit", "receipts", "session"] {
        for name in allowed(&format!("[{section}]\nnothing_at_all = 1")).split(", ") {
            assert!(README.contains(&format!("`{name}")), "{section}.{name}");
            // Words stand in quotes; where something else comes first, they are only examples.
            let words = allowed(&format!("[{section}]\n{name} = \"nothing at all\""));
            for word in words.split('"').skip(1).step_by(2).filter(|_| words.starts_with('"')) {
                assert!(
                    README.contains(&format!("`{word}`")) || README.contains(&format!("`\"{word}\"`")),
                    "{section}.{name} = {word}"
                );
                told += 1;
            }
        }
    }
    assert!(told > 50, "only {told} words were found");
}

#[test]
fn every_profile_is_in_the_readme() {
    for profile in profiles() {
        assert!(README.contains(&format!("| `{}` |", profile.name)), "{}", profile.name);
    }
}
