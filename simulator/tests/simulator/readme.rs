//! The README tells all that there is.

use smsc_simulator::Behavior;
use smsc_simulator::behavior::profiles;

const README: &str = include_str!("../../README.md");

/// What a refusal of `toml` says is allowed.
fn allowed(toml: &str) -> Vec<String> {
    let detail = Behavior::from_toml(toml).unwrap_err().detail;
    // Between backticks: what was found, then what is expected.
    detail.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_setting_of_a_behavior_and_its_words_are_in_the_readme() {
    let mut told = 0;
    for section in ["submit", "receipts", "session"] {
        for name in allowed(&format!("[{section}]\nnothing = 1")) {
            assert!(README.contains(&format!("`{name}")), "{section}.{name}");
            for word in allowed(&format!("[{section}]\n{name} = \"nothing at all\"")) {
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
