//! One reading of a text: what was noted on the way.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::mistake::{Mistake, Mistakes};

/// The most mistakes that are kept; the others are counted, so that no text costs or answers much more than itself.
const MISTAKES_MAX: usize = 100;
/// The most characters of a key that a mistake repeats.
const KEY_CHARS_MAX: usize = 200;

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
    /// Mistakes beyond those that are kept.
    more: Cell<usize>,
}

impl Reading {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.into(), noted: RefCell::default(), more: Cell::new(0) }
    }

    /// Notes a mistake. Nothing is formatted that is not kept.
    pub(crate) fn note(
        &self,
        at: usize,
        key: impl fmt::Display,
        found: impl fmt::Display,
        allowed: impl fmt::Display,
    ) {
        let mut noted = self.noted.borrow_mut();
        if noted.len() == MISTAKES_MAX {
            self.more.update(|more| more + 1);
            return;
        }
        let mut key = key.to_string();
        if let Some((end, _)) = key.char_indices().nth(KEY_CHARS_MAX) {
            key.replace_range(end.., "…");
        }
        noted.push(Noted { at, key, found: found.to_string(), allowed: allowed.to_string() });
    }

    /// The file at `path`, which is relative to the folder of the text.
    pub(crate) fn beside(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// What was noted, if anything was.
    pub(crate) fn mistakes(self, text: &str) -> Option<Mistakes> {
        let mut noted = self.noted.into_inner();
        noted.sort_by_key(|noted| noted.at);
        let (mut from, mut line, mut column) = (0, 1, 1);
        let mistake = |Noted { at, key, found, allowed }| {
            let passed = text.get(from..at).unwrap_or_default();
            if let Some((lines, last)) = passed.rsplit_once('\n') {
                (line, column) = (line + 1 + lines.matches('\n').count(), 1 + last.chars().count());
            } else {
                column += passed.chars().count();
            }
            from += passed.len();
            Mistake { line, column, key, found, allowed }
        };
        let list: Vec<_> = noted.into_iter().map(mistake).collect();
        (!list.is_empty()).then(|| Mistakes::new(list, self.more.get()))
    }
}
