//! A table of settings, read key by key.

use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;

use crate::entry::Entry;
use crate::forms::Form;
use crate::reading::Reading;
use crate::tree::{Node, Table, Value};

/// The most letters to change for a key to be near another.
const NEAR_MAX: usize = 2;

/// A table of settings. One that is absent has no keys.
///
/// When it is dropped, keys that nobody has asked for are noted as mistakes.
pub struct Section<'a> {
    reading: &'a Reading,
    /// Empty for the whole text.
    path: String,
    at: usize,
    table: Option<&'a Table>,
    asked: RefCell<Vec<&'a str>>,
}

impl<'a> Section<'a> {
    fn new(reading: &'a Reading, path: String, at: usize, table: Option<&'a Table>) -> Self {
        Self { reading, path, at, table, asked: RefCell::default() }
    }

    pub(crate) fn root(reading: &'a Reading, table: &'a Table) -> Self {
        Self::new(reading, String::new(), 0, Some(table))
    }

    /// The keys and values of an entry, if it is a table.
    pub fn of(entry: &Entry<'a>) -> Option<Self> {
        let Value::Table(table) = &entry.node.value else { return None };
        Some(Self::new(entry.reading, entry.key.clone(), entry.node.at, Some(table)))
    }

    /// Whether anybody wrote this section.
    pub fn is_written(&self) -> bool {
        self.table.is_some()
    }

    /// Whether anybody wrote this setting; from now on it is known.
    pub fn has(&self, name: &'static str) -> bool {
        self.entry(name).is_some()
    }

    /// The setting in its form; `None` if it is absent, or refused and noted.
    pub fn get<F: Form>(&self, name: &'static str, form: F) -> Option<F::Value> {
        form.read(&self.entry(name)?)
    }

    /// The setting in its form. Where it is absent, the default, which may be refused beside other settings;
    /// and where it is refused, so that the reading can go on.
    pub fn or<F: Form>(&self, name: &'static str, form: F, default: F::Value) -> F::Value {
        match self.entry(name) {
            Some(entry) => form.read(&entry).unwrap_or(default),
            None => {
                if let Some(found) = form.refuses(&default) {
                    self.conflict(name, found, form.allowed());
                }
                default
            }
        }
    }

    /// The setting in its form; `None` if it is refused or, which is noted, too, absent.
    pub fn required<F: Form>(&self, name: &'static str, form: F) -> Option<F::Value> {
        match self.entry(name) {
            Some(entry) => form.read(&entry),
            None => self.miss(name, form.allowed()),
        }
    }

    /// Notes that a setting that must be there is absent.
    pub fn miss<T>(&self, name: &'static str, allowed: impl fmt::Display) -> Option<T> {
        self.reading.note(self.at, self.key(name), "nothing", allowed);
        None
    }

    /// The setting in its form, as if `default` were written where it is absent.
    pub fn or_written<F: Form>(&self, name: &'static str, form: F, default: &str) -> Option<F::Value> {
        match self.entry(name) {
            Some(entry) => form.read(&entry),
            None => {
                let node = Node { at: self.at, value: Value::Text(default.into()) };
                form.read(&Entry { reading: self.reading, key: self.key(name), node: &node })
            }
        }
    }

    /// The table of this name. Any other value is noted.
    pub fn section(&self, name: &'static str) -> Section<'a> {
        let entry = self.entry(name);
        let absent = || Section::new(self.reading, self.key(name), self.at, None);
        let Some(entry) = entry else { return absent() };
        Section::of(&entry)
            .or_else(|| entry.refuse(format_args!("a table, [{}]", entry.key)))
            .unwrap_or_else(absent)
    }

    /// The tables of this name, as many as `count` allows. Any other value is noted.
    pub fn sections(&self, name: &'static str, count: RangeInclusive<usize>) -> Vec<Section<'a>> {
        let allowed = format!("{} to {} tables [[{}]]", count.start(), count.end(), self.key(name));
        let Some(entry) = self.entry(name) else {
            if *count.start() > 0 {
                self.miss::<()>(name, allowed);
            }
            return Vec::new();
        };
        let Some(items) = entry.items() else { return entry.refuse(allowed).unwrap_or_default() };
        if !count.contains(&items.len()) {
            entry.refuse_found::<()>(format_args!("{} tables", items.len()), &allowed);
        }
        let section = |item: Entry<'a>| Section::of(&item).or_else(|| item.refuse(&allowed));
        items.take(*count.end()).filter_map(section).collect()
    }

    /// Every key of the section and its value, for sections whose keys are not fixed.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, Entry<'a>)> {
        let entry = |(name, _, node): &'a (String, usize, Node)| {
            self.asked.borrow_mut().push(name);
            (name.as_str(), Entry { reading: self.reading, key: self.key(name), node })
        };
        self.table.into_iter().flatten().map(entry)
    }

    /// Notes that a setting, which may be in its form, is not allowed beside others. `found` is its value.
    pub fn conflict(&self, name: &'static str, found: impl fmt::Display, allowed: impl fmt::Display) {
        match self.node(name) {
            Some(node) => self.reading.note(node.at, self.key(name), found, allowed),
            None => {
                let found = format_args!("{found}, the default");
                self.reading.note(self.at, self.key(name), found, allowed);
            }
        }
    }

    /// Notes that what this section says as a whole is not allowed.
    pub fn refuse(&self, found: impl fmt::Display, allowed: impl fmt::Display) {
        self.reading.note(self.at, &self.path, found, allowed);
    }

    /// The setting as it is written; from now on it is known.
    pub fn entry(&self, name: &'static str) -> Option<Entry<'a>> {
        self.asked.borrow_mut().push(name);
        self.node(name).map(|node| Entry { reading: self.reading, key: self.key(name), node })
    }

    fn node(&self, name: &str) -> Option<&'a Node> {
        self.table?.iter().find_map(|(known, _, node)| (known == name).then_some(node))
    }

    fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The key that is most likely meant by `name`, or all that there are.
    fn known(&self, name: &str) -> String {
        let asked = self.asked.borrow();
        let distance = |known: &&&str| strsim::osa_distance(name, known);
        match asked.iter().min_by_key(distance).filter(|known| distance(known) <= NEAR_MAX) {
            Some(near) => format!("{near}, the nearest that there is"),
            None => asked.join(", "),
        }
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        for (name, at, _) in self.table.into_iter().flatten() {
            if !self.asked.borrow().contains(&name.as_str()) {
                let key = if is_plain(name) { self.key(name) } else { self.key(&format!("{name:?}")) };
                self.reading.note(
                    *at,
                    key,
                    "an unknown key",
                    fmt::from_fn(|f| f.write_str(&self.known(name))),
                );
            }
        }
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

impl fmt::Debug for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Section({})", self.path)
    }
}
