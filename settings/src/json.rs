//! JSON as a tree with places.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::reading::Reading;
use crate::tree::{Node, Table, Value};

/// How many lists and objects may stand in each other: more than any setting needs.
const DEPTH_MAX: usize = 32;

/// `None` if the text is not a JSON object: then that was noted.
pub(crate) fn parse(text: &str, reading: &Reading) -> Option<Table> {
    let raw: &RawValue = match serde_json::from_str(text) {
        Ok(raw) => raw,
        Err(error) => {
            let at = offset(text, error.line(), error.column());
            reading.note(at, "syntax", "text that is not JSON", "JSON");
            return None;
        }
    };
    match (Tree { text, reading }).node(raw, &Path::Root, 0) {
        Node { value: Value::Table(table), .. } => Some(table),
        Node { at, value } => {
            reading.note(at, "", value, "an object");
            None
        }
    }
}

struct Tree<'a> {
    text: &'a str,
    reading: &'a Reading,
}

impl Tree<'_> {
    /// What `raw`, a part of the text, holds; `path` leads to it through `depth` lists and objects.
    fn node(&self, raw: &RawValue, path: &Path<'_>, depth: usize) -> Node {
        let (at, json) = (raw.get().as_ptr() as usize - self.text.as_ptr() as usize, raw.get());
        let value = match json.as_bytes()[0] {
            b'{' | b'[' if depth == DEPTH_MAX => {
                let found = format_args!("a list or an object at level {}", DEPTH_MAX + 1);
                self.reading.note(at, path, found, format_args!("{DEPTH_MAX} levels"));
                Value::Nothing
            }
            b'{' => Value::Table(self.table(at, json, path, depth + 1)),
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
                let item = |(index, raw)| self.node(raw, &Path::Item(path, index), depth + 1);
                Value::List(items.into_iter().enumerate().map(item).collect())
            }
            b'"' => serde_json::from_str(json).map_or_else(|_| self.broken(at, path), Value::Text),
            b't' => Value::Truth(true),
            b'f' => Value::Truth(false),
            b'n' => Value::Nothing,
            _ => match json.parse() {
                Ok(whole) => Value::Whole(whole),
                Err(_) => Value::Real(json.parse().unwrap_or(f64::NAN)),
            },
        };
        Node { at, value }
    }

    /// A string with half of a surrogate pair is JSON, but no text.
    fn broken(&self, at: usize, path: &Path<'_>) -> Value {
        self.reading.note(at, path, "half of a surrogate pair", "whole characters");
        Value::Nothing
    }

    fn table(&self, at: usize, json: &str, path: &Path<'_>, depth: usize) -> Table {
        let Ok(Pairs(pairs)) = serde_json::from_str(json) else {
            self.broken(at, path);
            return Table::new();
        };
        let (mut table, mut names) = (Table::new(), HashSet::new());
        for (name, raw) in pairs {
            let path = Path::Name(path, &name);
            let node = self.node(raw, &path, depth);
            if names.insert(name.clone()) {
                table.push((name, node.at, node));
            } else {
                self.reading.note(node.at, path, "a second value", "one");
            }
        }
        table
    }
}

/// What leads to a value, and is written only in a mistake.
enum Path<'a> {
    Root,
    Name(&'a Self, &'a str),
    Item(&'a Self, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Name(Self::Root, name) => f.write_str(name),
            Self::Name(above, name) => write!(f, "{above}.{name}"),
            Self::Item(above, index) => write!(f, "{above}[{index}]"),
        }
    }
}

/// An object's names and values, in their order and with repetitions.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// The byte at a line and a column, both from 1 as serde_json counts them: columns in bytes.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (before + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
