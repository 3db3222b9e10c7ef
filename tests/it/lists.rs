//! Holds the lists of tests, by abuse case and by field note, to the tests that there are.

use std::collections::BTreeSet;
use std::path::Path;

/// Every Rust source below `folder`.
fn sources(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder of ours") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&std::fs::read_to_string(&path).expect("a source of ours"));
        }
    }
}

fn code() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    for folder in ["src", "tests", "smpp/src", "smpp/tests", "simulator/src", "simulator/tests", "demo/src"] {
        sources(&root.join(folder), &mut code);
    }
    code
}

/// The names of all functions.
fn functions(code: &str) -> impl Iterator<Item = &str> {
    code.split("fn ").skip(1).map(|after| after.split(['(', '<']).next().unwrap_or_default())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `abuse_` and a number, anywhere in the name.
fn is_of_abuse(name: &&str) -> bool {
    let after = name.split("abuse_").nth(1);
    is_name(name) && after.is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit()))
}

#[test]
fn the_list_of_abuse_cases_names_the_tests_that_there_are() {
    let (list, code) = (include_str!("../abuse.md"), code());
    let named: BTreeSet<&str> = list.split('`').filter(is_of_abuse).collect();
    let there: BTreeSet<&str> = functions(&code).filter(is_of_abuse).collect();
    assert_eq!(named, there);
    for number in 1..=60 {
        assert!(list.contains(&format!("\n{number}. ")), "case {number} is missing");
    }
}

/// The field notes' lines.
fn notes() -> impl Iterator<Item = String> {
    let group = |letter, count| (1..=count).map(move |number| format!("{letter}{number}"));
    group('L', 12).chain(group('S', 13)).chain(group('D', 9))
}

#[test]
fn every_field_note_has_tests_and_the_table_names_them_all() {
    let (readme, code) = (include_str!("../../simulator/README.md"), code());
    assert!(!code.contains("#[\u{69}gnore"), "no test is ignored");
    let all: BTreeSet<&str> = functions(&code).collect();
    for note in notes() {
        let prefix = format!("{}_", note.to_lowercase());
        let mut rows = readme.lines().filter(|line| line.starts_with(&format!("| {note} |")));
        let row = rows.next().unwrap_or_else(|| panic!("{note} has no row"));
        assert_eq!(rows.next(), None, "{note} has two rows");
        // The last cell has the tests; some serve a note without its number in their name.
        let tests = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
        let named: BTreeSet<&str> = tests.split('`').filter(|text| is_name(text)).collect();
        let of_note: BTreeSet<&str> = all.iter().copied().filter(|name| name.starts_with(&prefix)).collect();
        assert!(!of_note.is_empty(), "{note} has no test");
        let gone: Vec<_> = named.difference(&all).collect();
        let missing: Vec<_> = of_note.difference(&named).collect();
        assert!(
            gone.is_empty() && missing.is_empty(),
            "{note}: there is no {gone:?}, and {missing:?} is not listed"
        );
    }
}
