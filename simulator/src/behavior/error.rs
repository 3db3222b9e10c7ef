//! What is wrong with a behaviour, and where.

use serde_path_to_error::Path;
use std::fmt;
use std::ops::Range;

/// Why a behaviour was not taken: the place in its text, the field, and what
/// was found there and is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BehaviorError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The field's path, as `rule[0].submit.status`; empty where the text as a
    /// whole is meant.
    pub field: String,
    /// What was found, and what is allowed.
    pub detail: String,
}

impl BehaviorError {
    pub(super) fn from_toml(text: &str, path: &Path, error: &toml::de::Error) -> Self {
        let (line, column) = place(text, error.span());
        Self { line, column, field: field(path), detail: one_line(error.message()) }
    }

    pub(super) fn from_json(path: &Path, error: &serde_json::Error) -> Self {
        // serde_json appends the place, which has fields of its own here.
        let message = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let detail = one_line(message.strip_suffix(&place).unwrap_or(&message));
        Self { line: error.line(), column: error.column(), field: field(path), detail }
    }

    /// A fault that no single value shows.
    pub(super) fn whole(field: String, detail: String) -> Self {
        Self { line: 1, column: 1, field, detail }
    }
}

fn field(path: &Path) -> String {
    let path = path.to_string();
    if path == "." { String::new() } else { path }
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join(", ")
}

fn place(text: &str, span: Option<Range<usize>>) -> (usize, usize) {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

impl fmt::Display for BehaviorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.detail)
    }
}

impl std::error::Error for BehaviorError {}
