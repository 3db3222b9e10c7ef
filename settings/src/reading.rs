//! One reading of a text: what was noted on the way.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::mistake::{Mistake, Mistakes, place};

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

    /// The file at `path`, which is relative to the folder of the text.
    pub(crate) fn beside(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// All that was noted, if anything was.
    pub(crate) fn mistakes(self, text: &str) -> Option<Mistakes> {
        let mut noted = self.noted.into_inner();
        noted.sort_by_key(|noted| noted.at);
        let mistake = |Noted { at, key, found, allowed }| {
            let (line, column) = place(text, at);
            Mistake { line, column, key, found, allowed }
        };
        (!noted.is_empty()).then(|| Mistakes::new(noted.into_iter().map(mistake).collect()))
    }
}
