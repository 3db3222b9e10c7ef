//! JSON as a tree with places.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::reading::Reading;
use crate::tree::{Node, Table, Value};

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
    match (Tree { text, reading }).node(raw, "") {
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
    /// What `raw`, a part of the text, holds; `path` leads to it.
    fn node(&self, raw: &RawValue, path: &str) -> Node {
        let at = raw.get().as_ptr() as usize - self.text.as_ptr() as usize;
        Node { at, value: self.value(raw.get(), path) }
    }

    fn value(&self, json: &str, path: &str) -> Value {
        if let Ok(Pairs(pairs)) = serde_json::from_str(json) {
            let mut table = Table::new();
            for (name, raw) in pairs {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let node = self.node(raw, &path);
                if table.iter().any(|(earlier, ..)| *earlier == name) {
                    self.reading.note(node.at, path, "a second value", "one");
                } else {
                    table.push((name, node.at, node));
                }
            }
            return Value::Table(table);
        }
        if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(json) {
            let item = |(index, raw)| self.node(raw, &format!("{path}[{index}]"));
            return Value::List(items.into_iter().enumerate().map(item).collect());
        }
        match serde_json::from_str(json) {
            Ok(serde_json::Value::String(text)) => Value::Text(text),
            Ok(serde_json::Value::Bool(truth)) => Value::Truth(truth),
            Ok(serde_json::Value::Number(number)) => match number.as_i128() {
                Some(whole) => Value::Whole(whole),
                None => Value::Real(number.as_f64().unwrap_or(f64::NAN)),
            },
            _ => Value::Nothing,
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
