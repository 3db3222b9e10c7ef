//! Answers challenges with their codes.

use std::collections::VecDeque;
use std::ops::Range;

use serde::Deserialize;

use super::template::{CODE, ID, Template};
use super::{Challenge, Id, Target, body};
use crate::client::{Load, Reply};

const CALL: &str = "verify";

/// Answers each challenge once, the oldest first.
#[derive(Debug)]
pub(crate) struct Verify<'a> {
    template: Template,
    id: Range<usize>,
    code: Range<usize>,
    pub(crate) challenges: &'a mut VecDeque<Challenge>,
    /// Of the last reply, and of its body.
    pub(crate) reply_bytes: (usize, usize),
}

impl<'a> Verify<'a> {
    pub(crate) fn new(target: &Target, challenges: &'a mut VecDeque<Challenge>) -> Self {
        let members = format!("\"challenge_id\":\"{ID}\",\"code\":\"{CODE}\"");
        let template = Template::post(target, CALL, &members);
        let (id, code) = (template.place(ID), template.place(CODE));
        Self { template, id, code, challenges, reply_bytes: (0, 0) }
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    verdict: &'a str,
    challenge_id: &'a str,
}

impl Load for Verify<'_> {
    type Sent = Id;

    fn request(&mut self, out: &mut Vec<u8>) -> Option<Id> {
        let challenge = self.challenges.pop_front()?;
        self.template.write(challenge.number, out);
        out[self.id.clone()].copy_from_slice(&challenge.id);
        out[self.code.clone()].copy_from_slice(&challenge.code);
        Some(challenge.id)
    }

    fn reply(&mut self, id: Id, reply: &Reply<'_>) -> Result<(), String> {
        let body: Body<'_> = body(CALL, 200, reply)?;
        if body.verdict != "approved" || body.challenge_id.as_bytes() != id {
            return Err("verify must approve this challenge".into());
        }
        self.reply_bytes = (reply.bytes, reply.body.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ID, body_of, reply, target};
    use super::*;
    use crate::clock;

    #[test]
    fn a_challenge_is_answered_once_with_its_code_and_transaction() {
        let challenge = Challenge { number: 12, id: ID, code: *b"482913", asked_at: clock::now() };
        let mut challenges = VecDeque::from([challenge]);
        let mut load = Verify::new(&target(), &mut challenges);
        let mut request = Vec::new();
        assert_eq!(load.request(&mut request), Some(ID));
        let body = body_of(&request);
        assert_eq!(body["subscriber"]["user_id"], "U00000002");
        assert_eq!(body["code"], "482913");
        assert_eq!(body["challenge_id"], "000102030405060708090a0b0c0d0e0f");
        assert_eq!(body["transaction"]["reference"], "0000000000012");
        assert_eq!(load.request(&mut Vec::new()), None);
    }

    #[test]
    fn only_the_approval_of_this_challenge_is_right() {
        let mut challenges = VecDeque::new();
        let mut load = Verify::new(&target(), &mut challenges);
        let approved = r#"{"verdict":"approved","challenge_id":"000102030405060708090a0b0c0d0e0f"}"#;
        load.reply(ID, &reply(200, approved)).unwrap();
        for (status, body) in [
            (422, approved),
            (200, "{}"),
            (200, &approved.replace("approved", "incorrect")),
            (200, &approved.replace("0001", "0002")),
        ] {
            assert!(load.reply(ID, &reply(status, body)).is_err(), "{status} {body}");
        }
    }
}
