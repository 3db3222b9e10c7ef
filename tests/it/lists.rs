//! Holds the list of tests by abuse case to the tests that there are.

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
