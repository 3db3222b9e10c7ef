//! Prints the lists of tests, by abuse case and by field note, from the names of the tests.
//!
//! A test that serves abuse case 7 has `abuse_07_` in its name, or `abuse_05_and_07_`, or `abuse_05_to_08_`; those in a
//! browser count, too. One that serves field note L3 begins with `l3_`, or `l1_and_l3_`. When the lists do not fit the
//! names, this writes them anew:
//!
//! ```text
//! UPDATE_LISTS=1 cargo test --test it lists
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Who has tests, in the order of a cell's lines, and where these are.
const CODE: [(&str, &[&str]); 4] = [
    ("simulator", &["simulator/src", "simulator/tests"]),
    ("smpp", &["smpp/src", "smpp/tests"]),
    ("gateway", &["src", "tests"]),
    ("demo", &["demo/src"]),
];

/// The tests of the pages, in Python.
const BROWSER: &str = "tests/browser";

/// How many abuse cases there are at the least: no number below is free.
const ABUSE_CASES: u32 = 72;

#[test]
fn the_list_of_abuse_cases_names_the_tests_that_there_are() {
    let in_rust = CODE.iter().flat_map(|(_, folders)| tests(folders));
    let tests: BTreeSet<String> = in_rust.chain(names(&code(&[BROWSER], "py"), "def ")).collect();
    let numbers = |test: &String| test.split_once("abuse_").map(|(_, rest)| leading_numbers(rest, ""));
    let serving = |case: u32| {
        let serves = move |test: &&String| numbers(test).is_some_and(|numbers| numbers.contains(&case));
        tests.iter().filter(serves).map(|test| format!("   - `{test}`"))
    };
    let path = Path::new("tests/abuse.md");
    let text = read(path);
    // What a case waits for is written by hand.
    let by_hand = text.lines().filter(|line| !line.starts_with("   - `"));
    let (mut lines, mut cases) = (Vec::new(), Vec::new());
    for line in by_hand {
        lines.push(line.to_owned());
        if let Some((number, _)) = line.split_once(". ")
            && let Ok(case) = number.parse()
        {
            lines.extend(serving(case));
            cases.push(case);
        }
    }
    assert!(cases.is_sorted_by(|one, next| one < next), "out of order: {cases:?}");
    assert_eq!((1..=ABUSE_CASES).find(|case| !cases.contains(case)), None, "a case is missing");
    let no_such_case =
        |test: &&String| numbers(test).is_some_and(|found| !found.iter().all(|case| cases.contains(case)));
    let beyond: Vec<&String> = tests.iter().filter(no_such_case).collect();
    assert_eq!(beyond, Vec::<&String>::new(), "there are no such cases");
    for (index, line) in lines.iter().enumerate() {
        let has_more = lines.get(index + 1).is_some_and(|next| next.starts_with("   - "));
        assert!(
            has_more || !line.starts_with(|c: char| c.is_ascii_digit()),
            "neither tested nor waiting: {line}"
        );
    }
    hold(path, &text, &lines);
}

#[test]
fn the_table_of_field_notes_names_the_tests_that_there_are() {
    let tests = CODE.map(|(whose, folders)| (whose, tests(folders)));
    let path = Path::new("simulator/README.md");
    let text = read(path);
    let mut found = Vec::new();
    let mut with_tests = |line: &str| {
        let Some((note, kept)) = row_of_note(line) else { return line.to_owned() };
        let cell = tests.iter().filter_map(|(whose, tests)| {
            let serves = |test: &&String| serves_note(test, note);
            let tests: Vec<String> = tests.iter().filter(serves).map(|test| format!("`{test}`")).collect();
            (!tests.is_empty()).then(|| format!("{whose}: {}", tests.join(" · ")))
        });
        let cell = cell.collect::<Vec<_>>().join("<br>");
        assert!(!cell.is_empty(), "{note} has no test");
        found.push(note.to_owned());
        format!("{kept}| {cell} |")
    };
    let lines: Vec<String> = text.lines().map(&mut with_tests).collect();
    assert_eq!(found, notes().collect::<Vec<_>>(), "the notes of the table");
    hold(path, &text, &lines);
}

#[test]
fn no_test_is_ignored() {
    for (_, folders) in CODE {
        assert!(!code(folders, "rs").contains("#[\u{69}gnore"), "in one of {folders:?}");
    }
}

#[test]
fn a_name_says_which_cases_and_notes_it_serves() {
    assert_eq!(leading_numbers("07_of_64", ""), [7]);
    assert_eq!(leading_numbers("05_and_09_no", ""), [5, 9]);
    assert_eq!(leading_numbers("36_to_38_no", ""), [36, 37, 38]);
    assert_eq!(leading_numbers("24_25_and_30_a_3_b", ""), [24, 25, 30]);
    assert_eq!(leading_numbers("of_64", ""), Vec::<u32>::new());
    assert!(serves_note("l1_and_l3_a_bind", "L3") && serves_note("s6_s7_statuses", "S7"));
    assert!(
        serves_note("s6a_a_slot", "S6a") && !serves_note("s6a_a_slot", "S6") && !serves_note("s6_a_b", "S6a")
    );
    assert!(
        serves_note("d1_abuse_44_a", "D1")
            && !serves_note("s1_a_rate", "S11")
            && !serves_note("a_s1_b", "S1")
    );
}

/// The numbers that a name begins with, each behind `letter`; `to` stands for all between two.
fn leading_numbers(name: &str, letter: &str) -> Vec<u32> {
    let (mut numbers, mut to) = (Vec::new(), false);
    for word in name.split('_') {
        match word.strip_prefix(letter).and_then(|digits| digits.parse().ok()) {
            Some(number) => {
                let first = numbers.last().filter(|_| to).map_or(number, |last| last + 1);
                numbers.extend(first..=number);
            }
            None if !matches!(word, "and" | "to") => break,
            None => {}
        }
        to = word == "to";
    }
    numbers
}

fn serves_note(test: &str, note: &str) -> bool {
    if note.ends_with(|last: char| last.is_ascii_lowercase()) {
        // A note that was added to another, such as S6a.
        return test.split('_').next() == Some(&note.to_lowercase());
    }
    let (letter, number) = note.split_at(1);
    let number = number.parse().expect("a number");
    leading_numbers(test, &letter.to_lowercase()).contains(&number)
}

/// The field notes.
fn notes() -> impl Iterator<Item = String> {
    let group = |letter, count| (1..=count).map(move |number| format!("{letter}{number}"));
    let added = |note: String| match note.as_str() {
        "S6" => vec![note, "S6a".into(), "S6b".into()],
        "D1" => vec![note, "D1a".into()],
        _ => vec![note],
    };
    group('L', 12).chain(group('S', 13)).chain(group('D', 9)).flat_map(added)
}

/// The note that a line of the table is about, and the line up to its last cell.
fn row_of_note(line: &str) -> Option<(&str, &str)> {
    let (note, _) = line.strip_prefix("| ")?.split_once(" |")?;
    let (kept, _) = line.strip_suffix('|')?.rsplit_once('|')?;
    notes().any(|known| known == note).then_some((note, kept))
}

/// Fails when a file is not as it should be, or writes it anew when that is asked for.
fn hold(path: &Path, text: &str, lines: &[String]) {
    let expected = lines.join("\n") + "\n";
    if std::env::var_os("UPDATE_LISTS").is_some() {
        std::fs::write(root().join(path), &expected).expect("a file of ours");
    } else {
        let differs = text.lines().zip(lines).find(|(there, expected)| there != expected);
        let advice = "does not fit the tests' names: UPDATE_LISTS=1 cargo test --test it lists";
        assert!(text == expected, "{} {advice}\n{differs:#?}", path.display());
    }
}

/// The names of the functions in Rust in these folders, sorted.
fn tests(folders: &[&str]) -> BTreeSet<String> {
    names(&code(folders, "rs"), "fn ")
}

/// The names of the functions in `code`, each behind `keyword`.
fn names(code: &str, keyword: &str) -> BTreeSet<String> {
    let names = code.split(keyword).skip(1).filter_map(|after| after.split_once(['(', '<']));
    let is_name = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    names.map(|(name, _)| name).filter(is_name).map(str::to_owned).collect()
}

/// The text of every source with this extension in these folders.
fn code(folders: &[&str], extension: &str) -> String {
    let mut code = String::new();
    folders.iter().for_each(|folder| collect(&root().join(folder), extension, &mut code));
    code
}

fn collect(folder: &Path, extension: &str, into: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder of ours") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, extension, into);
        } else if path.extension().is_some_and(|found| found == extension) {
            into.push_str(&std::fs::read_to_string(&path).expect("a source of ours"));
        }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).expect("a file of ours")
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}
