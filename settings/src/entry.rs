//! One key of a text and its value.

use std::fmt;
use std::path::PathBuf;

use crate::reading::Reading;
use crate::tree::{Node, Value};

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

    /// The file at `path`, which is relative to that of the settings.
    pub fn beside(&self, path: &str) -> PathBuf {
        self.reading.beside(path)
    }

    /// Notes that the value is not `allowed`, and shows it.
    pub fn refuse<T>(&self, allowed: impl fmt::Display) -> Option<T> {
        self.refuse_found(&self.node.value, allowed)
    }

    /// Notes that what was `found` is not `allowed`. For secrets, of which nothing is to be shown.
    pub fn refuse_found<T>(&self, found: impl fmt::Display, allowed: impl fmt::Display) -> Option<T> {
        self.reading.note(self.node.at, &self.key, found, allowed);
        None
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({})", self.key)
    }
}
