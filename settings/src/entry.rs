//! A reading of a text, and one key of it with its value.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::mistake::{Mistake, Mistakes, place};
use crate::section::Section;
use crate::tree::{Node, Table, Value};

/// The most characters of a refused text that a mistake repeats.
const SHOWN_CHARS_MAX: usize = 40;

/// What was noted, with the byte where it stands.
struct Noted {
    at: usize,
    key: String,
    found: String,
    allowed: String,
}

/// What all sections of one text share.
pub(crate) struct Reading {
    folder: PathBuf,
    noted: RefCell<Vec<Noted>>,
}

impl Reading {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.into(), noted: RefCell::default() }
    }

    pub(crate) fn note(
        &self,
        at: usize,
        key: impl Into<String>,
        found: impl fmt::Display,
        allowed: impl fmt::Display,
    ) {
        let (key, found, allowed) = (key.into(), found.to_string(), allowed.to_string());
        self.noted.borrow_mut().push(Noted { at, key, found, allowed });
    }

    /// Has `read` read what `table` holds; without a table, what is wrong was noted before.
    pub(crate) fn finish<T>(
        self,
        text: &str,
        table: Option<Table>,
        read: impl FnOnce(&Section<'_>) -> Option<T>,
    ) -> Result<T, Mistakes> {
        let value = table.and_then(|table| read(&Section::root(&self, &table)));
        let mut noted = self.noted.into_inner();
        if noted.is_empty() {
            return Ok(value.expect("what is missing was noted"));
        }
        noted.sort_by_key(|noted| noted.at);
        let mistake = |Noted { at, key, found, allowed }| {
            let (line, column) = place(text, at);
            Mistake { line, column, key, found, allowed }
        };
        Err(Mistakes::new(noted.into_iter().map(mistake).collect()))
    }
}

/// A key's path and its value, for a [`Form`](crate::Form) to read.
pub struct Entry<'a> {
    pub(crate) reading: &'a Reading,
    pub(crate) key: String,
    pub(crate) node: &'a Node,
}

impl<'a> Entry<'a> {
    /// The value if it is a text.
    pub fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value if it is a whole number.
    pub fn whole(&self) -> Option<i128> {
        match self.node.value {
            Value::Whole(number) => Some(number),
            _ => None,
        }
    }

    /// The value if it is a number, whole or not.
    pub fn number(&self) -> Option<f64> {
        match self.node.value {
            Value::Real(number) => Some(number),
            Value::Whole(number) => Some(number as f64),
            _ => None,
        }
    }

    /// The value if it is true or false.
    pub fn truth(&self) -> Option<bool> {
        match self.node.value {
            Value::Truth(truth) => Some(truth),
            _ => None,
        }
    }

    /// The values if it is a list.
    pub fn items(&self) -> Option<impl ExactSizeIterator<Item = Self> + use<'a>> {
        let Value::List(nodes) = &self.node.value else { return None };
        let (reading, key) = (self.reading, self.key.clone());
        let item = move |(index, node)| Entry { reading, key: format!("{key}[{index}]"), node };
        Some(nodes.iter().enumerate().map(item))
    }

    /// The keys and values if it is a table.
    pub fn section(&self) -> Option<Section<'a>> {
        match &self.node.value {
            Value::Table(table) => {
                Some(Section::new(self.reading, self.key.clone(), self.node.at, Some(table)))
            }
            _ => None,
        }
    }

    /// The file at `path`, which is relative to that of the settings.
    pub fn beside(&self, path: &str) -> PathBuf {
        self.reading.folder.join(path)
    }

    /// Notes that the value is not `allowed`, and shows it.
    pub fn refuse<T>(&self, allowed: impl fmt::Display) -> Option<T> {
        self.refuse_found(&self.node.value, allowed)
    }

    /// Notes that what was `found` is not `allowed`. For secrets, of which nothing is to be shown.
    pub fn refuse_found<T>(&self, found: impl fmt::Display, allowed: impl fmt::Display) -> Option<T> {
        self.reading.note(self.node.at, self.key.clone(), found, allowed);
        None
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({})", self.key)
    }
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
            Self::Real(number) => number.fmt(f),
            Self::Truth(truth) => truth.fmt(f),
            Self::Time => f.write_str("a date or time"),
            Self::Nothing => f.write_str("null"),
            Self::List(_) => f.write_str("a list"),
            Self::Table(_) => f.write_str("a table"),
        }
    }
}
