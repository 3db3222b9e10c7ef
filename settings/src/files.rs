//! Files that settings name.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::entry::Entry;
use crate::forms::{Form, map};
use crate::mistake::without_number;

/// The longest file that is read, in bytes: a bundle of all authorities that browsers know has a quarter of it.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// The longest secret file that is read, in bytes.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// What is wrong in a file that a setting names, or with it. It quotes no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblem {
    /// Its line, from 1, if one is meant.
    pub line: Option<usize>,
    /// What stands there.
    pub found: String,
    /// What may stand there.
    pub allowed: String,
}

impl FileProblem {
    /// What is wrong with the file as a whole.
    pub fn whole(found: impl fmt::Display, allowed: impl fmt::Display) -> Self {
        Self { line: None, found: found.to_string(), allowed: allowed.to_string() }
    }

    /// Something else than what is `allowed`, and too secret or too long to be shown.
    pub fn other(allowed: impl fmt::Display) -> Self {
        Self::whole("something else", allowed)
    }

    fn unreadable(error: &io::Error) -> Self {
        Self::whole(without_number(error), "a file that can be read")
    }

    /// What was found, with the file's path and line.
    fn found_in(&self, path: &Path) -> String {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}{line}: {}", path.display(), self.found)
    }
}

/// The path of a file whose text `parse` takes; relative paths begin where the settings are.
pub fn file<T>(
    allowed: &'static str,
    parse: impl Fn(&str) -> Result<T, FileProblem>,
) -> impl Form<Value = (PathBuf, T)> {
    NamedFile {
        allowed,
        is_secret: false,
        read: move |path: &Path| parse(&read(path, FILE_BYTES_MAX, |_| Ok(()))?),
    }
}

/// The same for a file that only its owner may use; what is read is wiped.
pub fn secret_file<T>(
    allowed: &'static str,
    parse: impl Fn(&str) -> Result<T, FileProblem>,
) -> impl Form<Value = (PathBuf, T)> {
    NamedFile { allowed, is_secret: true, read: move |path: &Path| parse(&read_secret(path)?) }
}

/// The path of a file that can be read, which is left to others.
pub fn readable_file(allowed: &'static str) -> impl Form<Value = PathBuf> {
    let open = |path: &Path| {
        let metadata = open(path)?.metadata().map_err(|error| FileProblem::unreadable(&error))?;
        written_by_its_owner(&metadata)
    };
    map(NamedFile { allowed, is_secret: false, read: open }, |(path, ())| path)
}

/// Opens a file; what is none, such as a pipe, might never end.
///
/// # Errors
///
/// [`FileProblem`] if it is no regular file, or cannot be read.
pub(crate) fn open(path: &Path) -> Result<File, FileProblem> {
    let unreadable = |error: io::Error| FileProblem::unreadable(&error);
    let kind = std::fs::metadata(path).map_err(unreadable)?.file_type();
    match (kind.is_file(), kind.is_dir()) {
        (true, _) => File::open(path).map_err(unreadable),
        (_, true) => Err(FileProblem::whole("a folder", "a file that can be read")),
        _ => Err(FileProblem::whole("a pipe or a device", "a file that can be read")),
    }
}

/// Refuses a file that others may write: whoever can, decides what it says.
pub(crate) fn written_by_its_owner(metadata: &Metadata) -> Result<(), FileProblem> {
    match metadata.mode() & 0o022 {
        0 => Ok(()),
        _ => Err(wrong_mode(metadata.mode(), "a file that only its owner may write: chmod go-w it")),
    }
}

fn wrong_mode(mode: u32, allowed: &str) -> FileProblem {
    FileProblem::whole(format_args!("mode {:04o}", mode & 0o7777), allowed)
}

/// The text of a file that only its owner may use.
///
/// # Errors
///
/// [`FileProblem`] if it cannot be read, others may use it, or it is too long for a secret.
fn read_secret(path: &Path) -> Result<Zeroizing<String>, FileProblem> {
    read(path, SECRET_BYTES_MAX, |mode| match mode & 0o077 {
        0 => Ok(()),
        _ => Err(wrong_mode(mode, "a secret that only its owner may use: chmod 600 it")),
    })
}

fn read(
    path: &Path,
    bytes_max: u64,
    allows: impl Fn(u32) -> Result<(), FileProblem>,
) -> Result<Zeroizing<String>, FileProblem> {
    let unreadable = |error: io::Error| FileProblem::unreadable(&error);
    let file = open(path)?;
    let metadata = file.metadata().map_err(unreadable)?;
    allows(metadata.mode())?;
    if metadata.len() > bytes_max {
        return Err(FileProblem::whole(
            format_args!("{} bytes", metadata.len()),
            format_args!("{bytes_max} at most"),
        ));
    }
    // Room for all of it at once, so that growing leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(bytes_max as usize));
    file.take(bytes_max).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

struct NamedFile<R> {
    allowed: &'static str,
    is_secret: bool,
    read: R,
}

impl<T, R: Fn(&Path) -> Result<T, FileProblem>> Form for NamedFile<R> {
    type Value = (PathBuf, T);

    fn allowed(&self) -> String {
        format!("the path of {}", self.allowed)
    }

    fn read(&self, entry: &Entry<'_>) -> Option<Self::Value> {
        let Some(text) = entry.text() else { return entry.refuse(self.allowed()) };
        let path = entry.beside(text);
        // What may be the secret itself, written in place of its file's path, is not shown.
        let is_path = !self.is_secret || path.exists() || (text.contains(['/', '.']) && !text.contains('\n'));
        match (self.read)(&path) {
            Ok(value) => Some((path, value)),
            Err(problem) => {
                let shown = if is_path { &path } else { Path::new("a path that is not shown") };
                entry.refuse_found(problem.found_in(shown), problem.allowed)
            }
        }
    }
}
