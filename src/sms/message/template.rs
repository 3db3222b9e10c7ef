//! The template language: text with fields in braces, and one part in brackets.

use std::ops::Range;

use smpp::text::gsm7;

use super::settings::Problem;
use super::text::{CODES_MAX, SEGMENT_SEPTETS};

/// What stands in a template besides text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Code,
    Amount,
    Payee,
    Account,
    Reference,
    Validity,
}

impl Field {
    const ALL: [(&'static str, Self); 6] = [
        ("code", Self::Code),
        ("amount", Self::Amount),
        ("payee", Self::Payee),
        ("account", Self::Account),
        ("reference", Self::Reference),
        ("validity", Self::Validity),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(known, field)| (known == name).then_some(field))
    }

    /// Whether only a payment has it.
    fn of_payment(self) -> bool {
        matches!(self, Self::Amount | Self::Payee | Self::Account)
    }

    fn times_max(self) -> usize {
        if self == Self::Code { CODES_MAX } else { 1 }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Part {
    /// In GSM 7-bit, one septet in a byte.
    Literal(Vec<u8>),
    Field(Field),
}

/// How many septets each field has in one text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    pub(super) code: usize,
    pub(super) amount: usize,
    pub(super) payee: usize,
    pub(super) account: usize,
    pub(super) reference: usize,
    pub(super) validity: usize,
}

impl Lengths {
    fn of(&self, field: Field) -> usize {
        match field {
            Field::Code => self.code,
            Field::Amount => self.amount,
            Field::Payee => self.payee,
            Field::Account => self.account,
            Field::Reference => self.reference,
            Field::Validity => self.validity,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Payment,
    Login,
}

/// One compiled template. With codes of the length it was checked for, every text fits one segment.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) parts: Vec<Part>,
    pub(super) optional: Range<usize>,
}

impl Template {
    pub(super) fn septets(&self, lengths: &Lengths, with_optional: bool) -> usize {
        let septets = |(index, part): (usize, &Part)| match part {
            _ if !with_optional && self.optional.contains(&index) => 0,
            Part::Literal(septets) => septets.len(),
            Part::Field(field) => lengths.of(*field),
        };
        self.parts.iter().enumerate().map(septets).sum()
    }

    /// How often `field` stands outside brackets.
    fn count(&self, field: Field) -> usize {
        let counts = |(index, part): &(usize, &Part)| {
            matches!(part, Part::Field(found) if *found == field) && !self.optional.contains(index)
        };
        self.parts.iter().enumerate().filter(counts).count()
    }

    /// The template if it has the fields that it must have and fits one segment.
    pub(super) fn fitting(self, purpose: Purpose, longest: &Lengths) -> Result<Self, Problem> {
        for (name, field) in Field::ALL {
            let needed = match field {
                Field::Code => true,
                Field::Amount | Field::Payee => purpose == Purpose::Payment,
                Field::Account | Field::Reference | Field::Validity => false,
            };
            if needed && self.count(field) == 0 {
                return Err(Problem::Missing(name));
            }
            let is_it = |part: &&Part| matches!(part, Part::Field(found) if *found == field);
            if self.parts.iter().filter(is_it).count() > field.times_max() {
                return Err(Problem::TooOften(name));
            }
        }
        let septets = self.septets(longest, false);
        if septets > SEGMENT_SEPTETS { Err(Problem::TooLong(septets)) } else { Ok(self) }
    }
}

/// Reads a template from left to right.
pub(super) struct Parser<'a> {
    purpose: Purpose,
    bank: &'a str,
    host: &'a str,
    parts: Vec<Part>,
    literal: String,
    optional: Optional,
}

/// The part in brackets, as far as the template has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Optional {
    NotSeen,
    Open { start: usize },
    Closed(Range<usize>),
}

impl<'a> Parser<'a> {
    pub(super) fn new(purpose: Purpose, bank: &'a str, host: &'a str) -> Self {
        let (parts, literal) = (Vec::new(), String::new());
        Self { purpose, bank, host, parts, literal, optional: Optional::NotSeen }
    }

    pub(super) fn parse(mut self, template: &str) -> Result<Template, Problem> {
        let mut rest = template;
        while let Some(character) = rest.chars().next() {
            rest = &rest[character.len_utf8()..];
            match character {
                '{' => {
                    let (name, after) = rest.split_once('}').ok_or(Problem::Unbalanced('{'))?;
                    self.field(name)?;
                    rest = after;
                }
                '[' => self.open()?,
                ']' => self.close()?,
                '}' => return Err(Problem::Unbalanced('}')),
                _ => self.literal.push(character),
            }
        }
        let optional = match &self.optional {
            Optional::NotSeen => 0..0,
            Optional::Open { .. } => return Err(Problem::Unbalanced('[')),
            Optional::Closed(optional) => optional.clone(),
        };
        self.flush()?;
        Ok(Template { parts: self.parts, optional })
    }

    fn field(&mut self, name: &str) -> Result<(), Problem> {
        match (name, Field::named(name)) {
            ("bank", _) => self.literal.push_str(self.bank),
            ("host", _) => self.literal.push_str(self.host),
            (_, Some(field)) if self.purpose == Purpose::Payment || !field.of_payment() => {
                self.flush()?;
                self.parts.push(Part::Field(field));
            }
            _ => return Err(Problem::UnknownField(name.into())),
        }
        Ok(())
    }

    fn open(&mut self) -> Result<(), Problem> {
        match self.optional {
            Optional::NotSeen => {}
            Optional::Open { .. } => return Err(Problem::Unbalanced('[')),
            Optional::Closed(_) => return Err(Problem::SecondOptionalPart),
        }
        self.flush()?;
        self.optional = Optional::Open { start: self.parts.len() };
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        self.flush()?;
        let Optional::Open { start } = self.optional else { return Err(Problem::Unbalanced(']')) };
        self.optional = Optional::Closed(start..self.parts.len());
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Problem> {
        if !self.literal.is_empty() {
            let septets = gsm7::encode(&self.literal).map_err(|error| Problem::NotGsm(error.character))?;
            self.parts.push(Part::Literal(septets));
            self.literal.clear();
        }
        Ok(())
    }
}
