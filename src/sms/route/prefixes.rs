//! Which route a number takes: the one with the longest prefix of it.

use crate::msisdn::{DIGITS_MAX, Msisdn};

/// Index of a route.
type Route = u16;

const NONE: u16 = u16::MAX;
/// Nodes of the tree, whose numbers are 16 bits: far more than a country's prefixes need.
const NODES_MAX: usize = NONE as usize;

/// A digit of a prefix: where the next one leads, and the route of the prefix that ends here.
#[derive(Clone, Copy, Debug)]
struct Node {
    next: [u16; 10],
    route: u16,
}

impl Node {
    const EMPTY: Self = Self { next: [NONE; 10], route: NONE };
}

/// Why a prefix cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrefixError {
    /// Not up to 15 digits.
    NotDigits,
    /// Another route, or the same, has it already.
    Taken,
    /// There are too many.
    TooMany,
}

/// A tree of digits.
#[derive(Clone, Debug)]
pub(in crate::sms) struct Prefixes {
    /// The first is the root, the empty prefix.
    nodes: Vec<Node>,
}

impl Prefixes {
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::EMPTY] }
    }

    pub(super) fn insert(&mut self, prefix: &str, route: Route) -> Result<(), PrefixError> {
        if prefix.len() > DIGITS_MAX || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PrefixError::NotDigits);
        }
        let mut at = 0;
        for digit in prefix.bytes().map(|byte| usize::from(byte - b'0')) {
            if self.nodes[at].next[digit] == NONE {
                let node = u16::try_from(self.nodes.len()).map_err(|_| PrefixError::TooMany)?;
                if usize::from(node) >= NODES_MAX {
                    return Err(PrefixError::TooMany);
                }
                self.nodes[at].next[digit] = node;
                self.nodes.push(Node::EMPTY);
            }
            at = usize::from(self.nodes[at].next[digit]);
        }
        let taken = &mut self.nodes[at].route;
        if *taken != NONE {
            return Err(PrefixError::Taken);
        }
        *taken = route;
        Ok(())
    }

    /// One route, for all numbers.
    pub(super) fn of_all() -> Self {
        Self { nodes: vec![Node { route: 0, ..Node::EMPTY }] }
    }

    /// Whether every number has a route: whether the empty prefix has.
    pub(super) fn cover_all(&self) -> bool {
        self.nodes[0].route != NONE
    }

    /// The route of a number's longest prefix, and how many digits that has; the first where no prefix fits, which
    /// cannot be once they [cover all](Self::cover_all).
    // One step a digit, and none where there is but the empty prefix.
    pub(in crate::sms) fn longest(&self, phone: Msisdn) -> (Route, u32) {
        if self.nodes.len() > 1 {
            self.longest_of(phone.digits_in(&mut [0; DIGITS_MAX]))
        } else {
            self.longest_of(&[])
        }
    }

    /// Likewise for a number of which these are the first digits, in ASCII.
    pub(in crate::sms) fn longest_of(&self, digits: &[u8]) -> (Route, u32) {
        let (mut route, mut longest, mut at) = (self.nodes[0].route, 0, 0);
        for (count, digit) in (1..).zip(digits) {
            at = match self.nodes[at].next[usize::from(digit - b'0')] {
                NONE => break,
                next => usize::from(next),
            };
            if self.nodes[at].route != NONE {
                (route, longest) = (self.nodes[at].route, count);
            }
        }
        (if route == NONE { 0 } else { route }, longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::msisdn::NumberingPlan;

    fn phone(digits: &str) -> Msisdn {
        NumberingPlan::new("62", "0").unwrap().parse(&format!("+{digits}")).unwrap()
    }

    #[test]
    fn the_longest_prefix_wins() {
        let mut prefixes = Prefixes::new();
        for (route, prefix) in ["", "62", "62811", "628110", "65", "628120000001"].into_iter().enumerate() {
            prefixes.insert(prefix, u16::try_from(route).unwrap()).unwrap();
        }
        for (digits, route) in [
            ("12025550100", (0, 0)),
            ("6221123456", (1, 2)),
            ("628111234567", (2, 5)),
            ("628110234567", (3, 6)),
            ("6591234567", (4, 2)),
            ("628120000001", (5, 12)),
            ("628120000002", (1, 2)),
        ] {
            assert_eq!(prefixes.longest(phone(digits)), route, "{digits}");
        }
    }

    #[test]
    fn only_with_the_empty_prefix_they_cover_all_numbers() {
        let mut prefixes = Prefixes::new();
        prefixes.insert("65", 0).unwrap();
        assert!(!prefixes.cover_all());
        prefixes.insert("", 1).unwrap();
        assert!(prefixes.cover_all());
        assert_eq!(Prefixes::of_all().longest(phone("628111234567")), (0, 0));
    }

    #[test]
    fn a_prefix_is_digits_and_has_one_route() {
        let mut prefixes = Prefixes::new();
        for wrong in ["+62", "62 8", "x", "1234567890123456"] {
            assert_eq!(prefixes.insert(wrong, 0), Err(PrefixError::NotDigits), "{wrong}");
        }
        prefixes.insert("62", 0).unwrap();
        assert_eq!(prefixes.insert("62", 1), Err(PrefixError::Taken));
    }

    #[test]
    fn the_tree_is_bounded() {
        let mut prefixes = Prefixes::new();
        let full = (0..).find(|number| prefixes.insert(&format!("{number:015}"), 0).is_err()).unwrap();
        assert_eq!(prefixes.insert(&format!("{full:015}"), 0), Err(PrefixError::TooMany));
        assert!(prefixes.nodes.len() <= NODES_MAX);
    }
}
