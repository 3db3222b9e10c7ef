//! What a text holds, with the place of each key and value.

use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::reading::Reading;

/// The most characters of a refused text that a mistake repeats.
const SHOWN_CHARS_MAX: usize = 40;

/// A value and the byte where it begins.
pub(crate) struct Node {
    pub(crate) at: usize,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    Text(String),
    Whole(i128),
    Real(f64),
    Truth(bool),
    /// TOML's dates and times, which no setting is.
    Time,
    /// JSON's `null`, which no setting is.
    Nothing,
    List(Vec<Node>),
    Table(Table),
}

/// As a mistake shows it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => {
                let cut: String = text.chars().take(SHOWN_CHARS_MAX).collect();
                let dots = if cut.len() < text.len() { "…" } else { "" };
                write!(f, "\"{}{dots}\"", cut.escape_debug())
            }
            Self::Whole(number) => number.fmt(f),
            Self::Real(number) if number.is_infinite() => f.write_str("a number beyond all bounds"),
            Self::Real(number) => number.fmt(f),
            Self::Truth(truth) => truth.fmt(f),
            Self::Time => f.write_str("a date or time"),
            Self::Nothing => f.write_str("null"),
            Self::List(_) => f.write_str("a list"),
            Self::Table(_) => f.write_str("a table"),
        }
    }
}

/// Keys, each with the byte where it begins, and their values.
pub(crate) type Table = Vec<(String, usize, Node)>;

/// `None` if the text is not TOML: then all that is wrong in it was noted, and nothing else would be certain.
/// A key that stands twice is noted, and its first value counts.
pub(crate) fn from_toml(text: &str, reading: &Reading) -> Option<Table> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let root = table(root.into_inner());
    let mut is_toml = true;
    for error in errors {
        let span = error.span().unwrap_or_default();
        // The library has no kinds of errors. Its words are pinned by a_key_that_stands_twice_is_named_by_its_path.
        if error.message() == "duplicate key" {
            let path = fmt::from_fn(|f| {
                let key = text.get(span.clone()).unwrap_or_default();
                let path = header(text, span.start).map(|before| format!("{before}{key}"));
                f.write_str(&path.unwrap_or_else(|| path_of(&root, span.start, key)))
            });
            reading.note(span.start, path, "a second value", "one");
            continue;
        }
        is_toml = false;
        let message = error.message();
        let (found, allowed) = message.split_once(", expected ").unwrap_or((message, "TOML"));
        reading.note(span.start, "syntax", format_args!("text that is not TOML ({found})"), allowed);
    }
    is_toml.then_some(root)
}

/// What stands before the byte `at` in a header, without brackets; `None` outside headers.
fn header(text: &str, at: usize) -> Option<&str> {
    let line = text.get(..at)?.rsplit('\n').next()?.trim_start();
    let before = line.trim_start_matches('[');
    let is_path = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (before.len() < line.len() && before.bytes().all(is_path)).then_some(before)
}

/// The path of a `key` at the byte `at` that found no place in the tree: it belongs to the table of the key that
/// stands before it.
fn path_of(table: &Table, at: usize, key: &str) -> String {
    let inside = |node: &Node, path: &str| match &node.value {
        Value::Table(inner) => Some(format!("{path}.{}", path_of(inner, at, key))),
        Value::List(items) => {
            let (index, item) = items.iter().enumerate().rfind(|(_, item)| item.at < at)?;
            let Value::Table(inner) = &item.value else { return None };
            Some(format!("{path}[{index}].{}", path_of(inner, at, key)))
        }
        Value::Text(_)
        | Value::Whole(_)
        | Value::Real(_)
        | Value::Truth(_)
        | Value::Time
        | Value::Nothing => None,
    };
    let before = table.iter().filter(|(_, begin, node)| (*begin).min(node.at) < at);
    let nearest = before.max_by_key(|(_, begin, node)| (*begin).max(node.at));
    nearest.and_then(|(name, _, node)| inside(node, name)).unwrap_or_else(|| key.to_owned())
}

fn table(table: DeTable<'_>) -> Table {
    let entry = |(key, value): (Spanned<_>, _)| {
        let at = key.span().start;
        (std::borrow::Cow::into_owned(key.into_inner()), at, node(value))
    };
    let mut table: Table = table.into_iter().map(entry).collect();
    // As in the text, not by name, so that the first mistakes are its first.
    table.sort_by_key(|(_, at, _)| *at);
    table
}

fn node(value: Spanned<DeValue<'_>>) -> Node {
    let at = value.span().start;
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => {
            // Nothing is out of the bounds of a setting that is out of those of 128 bits.
            let whole = i128::from_str_radix(number.as_str(), number.radix());
            Value::Whole(whole.unwrap_or(i128::MAX))
        }
        DeValue::Float(number) => Value::Real(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(truth) => Value::Truth(truth),
        DeValue::Datetime(_) => Value::Time,
        DeValue::Array(items) => Value::List(items.into_iter().map(node).collect()),
        DeValue::Table(inner) => Value::Table(table(inner)),
    };
    Node { at, value }
}
