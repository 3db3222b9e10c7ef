//! Looks up what became of challenges.

use std::ops::Range;
use std::slice;

use serde::Deserialize;

use super::template::{ID, Template};
use super::{Issued, Target, body};
use crate::client::{Load, Reply};

/// Looks up each challenge once.
#[derive(Debug)]
pub(crate) struct LookUp<'a> {
    template: Template,
    id: Range<usize>,
    challenges: slice::Iter<'a, Issued>,
    /// The challenges' numbers, and what the gateway answered.
    pub(crate) deliveries: Vec<(u64, Delivery)>,
}

/// The delivery states of the gateway's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Delivery {
    Queued,
    Accepted,
    Delivered,
    Undelivered,
    Expired,
    Rejected,
    Unknown,
    Dropped,
}

impl<'a> LookUp<'a> {
    pub(crate) fn new(target: &Target, challenges: &'a [Issued]) -> Self {
        let template = Template::get(target);
        let id = template.place(ID);
        Self { template, id, challenges: challenges.iter(), deliveries: Vec::with_capacity(challenges.len()) }
    }
}

#[derive(Deserialize)]
struct Body {
    delivery: Delivery,
}

impl Load for LookUp<'_> {
    type Sent = u64;

    fn request(&mut self, out: &mut Vec<u8>) -> Option<u64> {
        let challenge = self.challenges.next()?;
        self.template.write(challenge.number, out);
        out[self.id.clone()].copy_from_slice(&challenge.id);
        Some(challenge.number)
    }

    fn reply(&mut self, number: u64, reply: &Reply<'_>) -> Result<(), String> {
        let body: Body = body("a challenge's look-up", 200, reply)?;
        self.deliveries.push((number, body.delivery));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ID, reply, target};
    use super::*;

    #[test]
    fn a_challenge_is_looked_up_where_it_is() {
        let issued = [Issued { number: 12, id: ID, reference: *b"7KQ2" }];
        let mut look_up = LookUp::new(&target(), &issued);
        let mut request = Vec::new();
        assert_eq!(look_up.request(&mut request), Some(12));
        let path =
            b"GET /v1/subscribers/LOADTEST/U00000002/challenges/000102030405060708090a0b0c0d0e0f HTTP/1.1";
        assert!(request.starts_with(path));
        look_up.reply(12, &reply(200, r#"{"state":"open","delivery":"delivered"}"#)).unwrap();
        assert_eq!(look_up.deliveries, [(12, Delivery::Delivered)]);
        assert!(look_up.reply(12, &reply(404, "{}")).is_err());
        assert!(look_up.reply(12, &reply(200, r#"{"delivery":"lost"}"#)).is_err());
    }
}
