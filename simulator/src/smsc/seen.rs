//! Marks that came before, to find out what comes twice.

use std::collections::HashSet;

/// Marks in a generation: of the last million at least and two at most, each is recognised, in some 40 MB.
const GENERATION_MAX: usize = 1_048_576;

/// 64-bit hashes of marks: among two million, the chance that two are alike is one in ten million.
#[derive(Default)]
pub(super) struct Seen {
    new: HashSet<u64>,
    old: HashSet<u64>,
}

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
