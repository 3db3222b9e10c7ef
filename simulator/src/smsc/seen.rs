//! Marks that came before, to tell what comes twice.

use crate::behavior::Same;
use std::collections::HashSet;
use std::hash::BuildHasherDefault;

/// Marks in a generation: with two of them, at least a million and at most two
/// are told apart, in some 40 MB.
const GENERATION_MAX: usize = 1_048_576;

/// 64-bit hashes of marks: among two million, the chance that two are alike is
/// one in ten million.
#[derive(Default)]
pub(super) struct Seen {
    new: Generation,
    old: Generation,
}

type Generation = HashSet<u64, BuildHasherDefault<Same>>;

impl Seen {
    /// `false` if the mark came before.
    pub(super) fn insert(&mut self, mark: u64) -> bool {
        if self.old.contains(&mark) {
            return false;
        }
        if self.new.len() >= GENERATION_MAX {
            self.old = std::mem::take(&mut self.new);
            return !self.old.contains(&mark) && self.new.insert(mark);
        }
        self.new.insert(mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_new_once_across_generations() {
        let mut seen = Seen::default();
        let last = 2 * GENERATION_MAX as u64;
        for mark in 0..last {
            assert!(seen.insert(mark));
            assert!(!seen.insert(mark));
        }
        assert!(!seen.insert(last / 2 + 1), "the older generation");
        assert!(seen.new.len() <= GENERATION_MAX && seen.old.len() <= GENERATION_MAX);
    }
}
