//! Circles: modules of one parent that name each other, directly or through others of that parent.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Module;

/// The circles of a crate, each as its members in order. What a module names below a sibling counts for that
/// sibling. A module and those below it may name each other.
pub(super) fn circles(modules: &[Module]) -> BTreeSet<Vec<String>> {
    let arrows = arrows(modules);
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        arrows.keys().map(|from| (*from, reach(from, &arrows))).collect();
    let circle = |from: &str| {
        let back = |to: &&&str| reached.get(**to).is_some_and(|reached| reached.contains(from));
        reached[from].iter().filter(back).map(|member| (*member).to_owned()).collect::<Vec<_>>()
    };
    reached.keys().map(|from| circle(from)).filter(|circle| !circle.is_empty()).collect()
}

/// From each module to its siblings that it, or one below it, names something of.
fn arrows(modules: &[Module]) -> BTreeMap<&str, BTreeSet<&str>> {
    let all: BTreeSet<&str> = modules.iter().map(|module| module.name.as_str()).collect();
    let mut arrows: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for module in modules {
        for name in module.names.iter().filter(|name| name.ours) {
            let target = prefixes(&name.path).into_iter().rev().find_map(|prefix| all.get(prefix));
            let steps = target.map(|target| (prefixes(&module.name), prefixes(target)));
            let apart = steps.and_then(|(from, to)| from.into_iter().zip(to).find(|(from, to)| from != to));
            if let Some((from, to)) = apart {
                let (from, to) = (all.get(from).expect("a module"), all.get(to).expect("a module"));
                arrows.entry(from).or_default().insert(to);
            }
        }
    }
    arrows
}

/// `a`, `a::b`, `a::b::c` for `a::b::c`.
fn prefixes(path: &str) -> Vec<&str> {
    let ends = path.match_indices("::").map(|(at, _)| at).chain([path.len()]);
    ends.map(|end| &path[..end]).collect()
}

fn reach<'a>(from: &'a str, arrows: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(from) = next.pop() {
        let to = arrows.get(from).into_iter().flatten();
        next.extend(to.filter(|to| reached.insert(**to)));
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(modules: &[(&str, &str)]) -> Vec<String> {
        let modules: Vec<Module> = modules.iter().map(|(name, text)| Module::parse(name, text)).collect();
        circles(&modules).iter().map(|circle| circle.join(" ")).collect()
    }

    #[test]
    fn siblings_that_name_each_other_are_a_circle_however_long_it_is() {
        let direct = [("a", "use crate::b::X;"), ("b", "fn f() { super::a::f() }")];
        assert_eq!(found(&direct), ["a b"]);
        let of_three =
            [("a", "use crate::b;"), ("b", "use crate::c;"), ("c", "use crate::a;"), ("d", "use crate::a;")];
        assert_eq!(found(&of_three), ["a b c"]);
        let further_down = [("a", ""), ("a::b", "use super::c::X;"), ("a::c", "use super::b::Y;")];
        assert_eq!(found(&further_down), ["a::b a::c"]);
    }

    #[test]
    fn what_stands_below_a_module_counts_for_it() {
        let modules = [("a", ""), ("a::x", "use crate::b::X;"), ("b", "use crate::a::y::Y;"), ("a::y", "")];
        assert_eq!(found(&modules), ["a b"]);
    }

    #[test]
    fn a_module_and_those_below_it_may_name_each_other() {
        let modules = [
            ("a", "mod b; mod c; use b::X; use c::Z;"),
            ("a::b", "use super::Y;"),
            ("a::c", "use super::b::X;"),
        ];
        assert_eq!(found(&modules), Vec::<String>::new());
    }
}
