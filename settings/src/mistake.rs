//! What is wrong in a text, and where.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// One mistake: where it stands, what was found there, and what is allowed. It quotes no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The path of the setting, as `smsc[0].window`; empty where the text as a whole is meant.
    pub key: String,
    /// What stands there.
    pub found: String,
    /// What may stand there.
    pub allowed: String,
}

/// `41:12: challenge.attempts: found 6, allowed 1 to 5`.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "found {}, allowed {}", self.found, self.allowed)
    }
}

/// The mistakes of a text, in the order of their places: at least one, and the first hundred that were noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    file: Option<PathBuf>,
    list: Vec<Mistake>,
    more: usize,
}

impl Mistakes {
    /// What is wrong, in the order of the places: at least one, and how many `more` there are.
    pub fn new(list: Vec<Mistake>, more: usize) -> Self {
        Self { file: None, list, more }
    }

    /// The same, in this file.
    #[must_use]
    pub fn of(self, file: &Path) -> Self {
        Self { file: Some(file.into()), ..self }
    }

    /// What is wrong with a text as a whole.
    pub fn of_whole(found: impl fmt::Display, allowed: impl fmt::Display) -> Self {
        let (found, allowed) = (found.to_string(), allowed.to_string());
        Self::new(vec![Mistake { line: 1, column: 1, key: String::new(), found, allowed }], 0)
    }

    /// The system cannot read a file; `allowed` is what it should be.
    pub fn unreadable(file: &Path, error: &io::Error, allowed: &str) -> Self {
        let found = format_args!("nothing that can be read ({})", without_number(error));
        Self::of_whole(found, allowed).of(file)
    }

    /// The mistakes, the first of the text first.
    pub fn list(&self) -> &[Mistake] {
        &self.list
    }

    /// How many mistakes there are beyond those of the list.
    pub fn more(&self) -> usize {
        self.more
    }
}

/// One a line, each after its file.
impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            if let Some(file) = &self.file {
                write!(f, "{}:", file.display())?;
            }
            mistake.fmt(f)?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// The error in words, without the system's number for it.
pub(crate) fn without_number(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).to_owned()
}
