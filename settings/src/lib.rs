//! Settings that are parsed once: what a section yields is valid, and needs no check behind it.
//!
//! A section is read key by key, each with a [`Form`] that says what is allowed. A mistake does not end the
//! reading: it is noted, the default takes its place, and at the end all of them are reported together, each as
//!
//! ```text
//! gateway.toml:41:12: challenge.attempts: found 6, allowed 1 to 5
//! ```
//!
//! Keys that nobody asked for are mistakes, too. [`settings!`] makes the struct of a section and says each
//! setting's name, type, bounds, default and meaning once; [`words!`] makes an enum of the words that a setting
//! may be.
//!
//! ```
//! settings::settings! {
//!     /// `[challenge]`.
//!     pub struct Challenge {
//!         /// Attempts at each challenge.
//!         pub attempts: u8 [1..=5] = 3,
//!     }
//! }
//!
//! let read = |text| settings::from_toml(text, |root| Some(Challenge::read(&root.section("challenge"))));
//! assert_eq!(read("").unwrap().attempts, 3);
//! let mistakes = read("[challenge]\nattempts = 6").unwrap_err();
//! assert_eq!(mistakes.to_string(), "2:12: challenge.attempts: found 6, allowed 1 to 5");
//! ```

mod entry;
mod files;
mod forms;
mod json;
mod macros;
mod mistake;
mod reading;
mod section;
mod tree;

pub use entry::Entry;
pub use files::{FileProblem, file, readable_file, secret_file};
pub use forms::{
    Bounded, Form, OutOfType, Own, Setting, hex, list, map, minutes, one_of, optional, own, printable,
    seconds, set, text, whole,
};
pub use mistake::{Mistake, Mistakes};
pub use section::Section;

use std::io::Read as _;
use std::path::Path;

use reading::Reading;
use tree::Table;

/// Reads the TOML file at `path`; the files that it names are relative to its folder.
///
/// # Errors
///
/// All [`Mistakes`] of the file. One that is not valid TOML, or that others than its owner may write, is searched no
/// further.
///
/// # Panics
///
/// When `read` yields nothing and has no mistake to show for it.
pub fn from_file<T>(path: &Path, read: impl FnOnce(&Section<'_>) -> Option<T>) -> Result<T, Mistakes> {
    let unreadable = |error| Mistakes::unreadable(path, &error, "a file in TOML");
    let refused = |problem: FileProblem| Mistakes::of_whole(problem.found, problem.allowed).of(path);
    std::fs::metadata(path).map_err(unreadable)?;
    let mut file = files::open(path).map_err(refused)?;
    let metadata = file.metadata().map_err(unreadable)?;
    files::written_by_its_owner(&metadata).map_err(refused)?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(unreadable)?;
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let reading = Reading::new(folder);
    let table = tree::from_toml(&text, &reading);
    finish(reading, &text, table, read).map_err(|mistakes| mistakes.of(path))
}

/// Reads settings written in TOML.
///
/// # Errors
///
/// As [`from_file`].
///
/// # Panics
///
/// As [`from_file`].
pub fn from_toml<T>(text: &str, read: impl FnOnce(&Section<'_>) -> Option<T>) -> Result<T, Mistakes> {
    let reading = Reading::new(Path::new(""));
    let table = tree::from_toml(text, &reading);
    finish(reading, text, table, read)
}

/// Reads settings written in JSON: the same keys in the same shape.
///
/// # Errors
///
/// As [`from_file`].
///
/// # Panics
///
/// As [`from_file`].
pub fn from_json<T>(text: &str, read: impl FnOnce(&Section<'_>) -> Option<T>) -> Result<T, Mistakes> {
    let reading = Reading::new(Path::new(""));
    let table = json::parse(text, &reading);
    finish(reading, text, table, read)
}

/// Has `read` read what `table` holds; without a table, what is wrong was noted before.
fn finish<T>(
    reading: Reading,
    text: &str,
    table: Option<Table>,
    read: impl FnOnce(&Section<'_>) -> Option<T>,
) -> Result<T, Mistakes> {
    let value = table.and_then(|table| read(&Section::root(&reading, &table)));
    match reading.mistakes(text) {
        Some(mistakes) => Err(mistakes),
        None => Ok(value.expect("what is missing was noted")),
    }
}
