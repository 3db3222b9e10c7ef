//! `[[route]]`: which SMSCs carry SMS to which numbers.

use std::cell::RefCell;

use settings::{Entry, Form, Section, list, set, text};

use super::prefixes::{PrefixError, Prefixes};

/// The most routes; each may have many prefixes.
const ROUTES_MAX: usize = 1_000;
/// The most prefixes of one route; those of all together are bounded by [`Prefixes`].
const PREFIXES_MAX: usize = 65_535;

/// A country code of two digits, and a mobile network's three.
const DESTINATION_DIGITS: u32 = 5;
/// The fewest digits of a phone number: all of them make no network.
const DESTINATION_DIGITS_MAX: u32 = 8;

/// Which SMSCs carry SMS to which numbers. Every number has a route.
#[derive(Clone, Debug)]
pub(in crate::sms) struct Table {
    /// Which route a number takes.
    pub(in crate::sms) prefixes: Prefixes,
    /// By route, the indices of its SMSCs, the preferred first.
    pub(in crate::sms) smscs: Vec<Box<[usize]>>,
    /// How many first digits of a number say which network serves it, where its route has no longer prefix.
    pub(in crate::sms) destination_digits: u32,
}

impl Table {
    /// One route, over this many SMSCs in their order.
    pub(in crate::sms) fn of_all(smscs: usize) -> Self {
        let smscs = vec![(0..smscs).collect()];
        Self { prefixes: Prefixes::of_all(), smscs, destination_digits: DESTINATION_DIGITS }
    }

    /// Reads the tables `[[route]]` over the SMSCs of these names, and what `[outbox]` says of destinations; without
    /// any route, all SMSCs carry everything, in their order.
    pub(in crate::sms) fn read(root: &Section<'_>, outbox: &Section<'_>, names: &[&str]) -> Self {
        let destination_digits =
            outbox.or("destination_digits", 1..=DESTINATION_DIGITS_MAX, DESTINATION_DIGITS);
        let sections = root.sections("route", 0..=ROUTES_MAX);
        if sections.is_empty() {
            return Self { destination_digits, ..Self::of_all(names.len()) };
        }
        let prefixes = RefCell::new(Prefixes::new());
        let mut complete = true;
        let smscs = (0..).zip(&sections).map(|(route, section)| {
            // The first digits of the numbers, country code first, without `+`; `""` is every number that has no
            // longer prefix.
            let of_route = list(1..=PREFIXES_MAX, "prefixes", NewPrefix { prefixes: &prefixes, route });
            complete &= section.required("prefixes", of_route).is_some();
            // The preferred first.
            let smscs = section.required("smscs", set(1..=names.len(), "names of [[smsc]]", smsc(names)));
            smscs.unwrap_or_default().into()
        });
        let smscs = smscs.collect();
        let prefixes = prefixes.into_inner();
        if complete && !prefixes.cover_all() {
            root.conflict("route", "no route for all other numbers", "one that has the prefix \"\"");
        }
        Self { prefixes, smscs, destination_digits }
    }
}

/// The index of an SMSC, by its name.
fn smsc(names: &[&str]) -> impl Form<Value = usize> {
    let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    text(quoted.join(" or "), |name| names.iter().position(|known| *known == name))
}

/// A prefix that no route has yet; reading it gives it to this one.
struct NewPrefix<'a> {
    prefixes: &'a RefCell<Prefixes>,
    route: u16,
}

impl Form for NewPrefix<'_> {
    type Value = ();

    fn allowed(&self) -> String {
        "up to 15 digits".into()
    }

    fn read(&self, entry: &Entry<'_>) -> Option<()> {
        let Some(prefix) = entry.text() else { return entry.refuse(self.allowed()) };
        self.prefixes
            .borrow_mut()
            .insert(prefix, self.route)
            .or_else(|error| {
                let allowed = match error {
                    PrefixError::NotDigits => "up to 15 digits",
                    PrefixError::Taken => "a prefix that no route before has",
                    PrefixError::TooMany => "fewer digits in the prefixes of all routes together",
                };
                entry.refuse(allowed).ok_or(())
            })
            .ok()
    }
}
