//! `[[route]]`: which SMSCs carry SMS to which numbers.

use serde::Deserialize;

use super::prefixes::{PrefixError, Prefixes};
use crate::sms::Misconfigured;

/// The most routes; each may have many prefixes.
const ROUTES_MAX: usize = 1_000;

/// `[[route]]`: which SMSCs carry SMS to which numbers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The first digits of the numbers, country code first, without `+`; `""` is every number that has no
    /// longer prefix.
    pub prefixes: Vec<String>,
    /// Names of SMSCs, the preferred first.
    pub smscs: Vec<String>,
}

/// Checked routes.
#[derive(Clone, Debug)]
pub(in crate::sms) struct Table {
    /// Which route a number takes.
    pub(in crate::sms) prefixes: Prefixes,
    /// By route, the indices of its SMSCs, the preferred first.
    pub(in crate::sms) smscs: Vec<Box<[usize]>>,
}

impl Table {
    /// Routes over the SMSCs of these names; without any, all carry everything, in their order.
    pub(in crate::sms) fn new(routes: &[Config], names: &[&str]) -> Result<Self, Misconfigured> {
        let mut table = Self { prefixes: Prefixes::new(), smscs: Vec::new() };
        if routes.is_empty() {
            table.prefixes = Prefixes::of_all();
            table.smscs.push((0..names.len()).collect());
            return Ok(table);
        }
        if routes.len() > ROUTES_MAX {
            return Err(Misconfigured::new("route", "at most 1000"));
        }
        for (index, route) in routes.iter().enumerate() {
            table.add(route, names).map_err(|error| error.within(&format!("route[{index}]")))?;
        }
        if table.prefixes.cover_all() {
            Ok(table)
        } else {
            Err(Misconfigured::new("route", "such that one has the prefix \"\", for all other numbers"))
        }
    }

    fn add(&mut self, route: &Config, names: &[&str]) -> Result<(), Misconfigured> {
        let index = u16::try_from(self.smscs.len()).expect("routes are at most 1,000");
        if route.prefixes.is_empty() {
            return Err(Misconfigured::new("prefixes", "one or more"));
        }
        for prefix in &route.prefixes {
            self.prefixes.insert(prefix, index).map_err(|error| {
                let expected = match error {
                    PrefixError::NotDigits => "up to 15 digits each",
                    PrefixError::Taken => "prefixes that no other route has, each once",
                    PrefixError::TooMany => "fewer in all routes together",
                };
                Misconfigured::new("prefixes", expected)
            })?;
        }
        let position = |name: &String| names.iter().position(|known| known == name);
        let smscs: Option<Box<[usize]>> = route.smscs.iter().map(position).collect();
        let once = |smscs: &[usize]| (1..smscs.len()).all(|index| !smscs[..index].contains(&smscs[index]));
        let smscs = smscs.filter(|smscs| !smscs.is_empty() && once(smscs));
        let expected = "one or more names of [[smsc]], each once";
        self.smscs.push(smscs.ok_or_else(|| Misconfigured::new("smscs", expected))?);
        Ok(())
    }
}
