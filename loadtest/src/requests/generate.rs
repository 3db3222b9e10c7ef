//! Issues challenges.

use std::ops::Range;

use serde::Deserialize;

use super::template::Template;
use super::{Issued, Target, body, undocumented};
use crate::client::{Load, Reply};
use crate::setup::CODE_DIGITS;

const CALL: &str = "generate";

/// Asks for challenges, one after another.
#[derive(Debug)]
pub(crate) struct Generate {
    template: Template,
    /// Numbers to ask for.
    pub(crate) numbers: Range<u64>,
    /// In the order of the replies.
    pub(crate) issued: Vec<Issued>,
    /// Of the last reply, its head included.
    pub(crate) reply_bytes: usize,
}

impl Generate {
    pub(crate) fn new(target: &Target, numbers: Range<u64>) -> Self {
        let template = Template::post(target, CALL, "\"locale\":\"id\"");
        Self { template, numbers, issued: Vec::new(), reply_bytes: 0 }
    }

    pub(crate) fn request_bytes(&self) -> usize {
        self.template.bytes()
    }

    /// Appends the request for this challenge to the empty `out`.
    pub(crate) fn write(&self, number: u64, out: &mut Vec<u8>) {
        self.template.write(number, out);
    }
}

/// The members of the reply that matter here.
#[derive(Deserialize)]
struct Body<'a> {
    challenge_id: &'a str,
    sms_reference: &'a str,
    code_length: usize,
}

impl Load for Generate {
    type Sent = u64;

    fn request(&mut self, out: &mut Vec<u8>) -> Option<u64> {
        let number = self.numbers.next()?;
        self.write(number, out);
        Some(number)
    }

    fn reply(&mut self, number: u64, reply: &Reply<'_>) -> Result<(), String> {
        let body: Body<'_> = body(CALL, 201, reply)?;
        if body.code_length != CODE_DIGITS {
            return Err(undocumented(CALL));
        }
        let id = body.challenge_id.as_bytes().try_into().map_err(|_| undocumented(CALL))?;
        let reference = body.sms_reference.as_bytes().try_into().map_err(|_| undocumented(CALL))?;
        self.issued.push(Issued { number, id, reference });
        self.reply_bytes = reply.bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ID, body_of, reply, target};
    use super::*;

    const ISSUED: &str = r#"{"challenge_id":"000102030405060708090a0b0c0d0e0f","sms_reference":"7KQ2","code_length":6,"destination":"+62812*****45"}"#;

    #[test]
    fn challenges_go_round_the_subscribers() {
        let mut load = Generate::new(&target(), 9..11);
        for (number, user) in [(9, "U00000009"), (10, "U00000000")] {
            let mut request = Vec::new();
            assert_eq!(load.request(&mut request), Some(number));
            let body = body_of(&request);
            assert_eq!(body["subscriber"]["user_id"], user);
            assert_eq!(body["transaction"]["reference"], format!("{number:013}"));
        }
        assert_eq!(load.request(&mut Vec::new()), None);
    }

    #[test]
    fn an_issued_challenge_is_remembered_and_anything_else_refused() {
        let mut load = Generate::new(&target(), 0..1);
        load.reply(7, &reply(201, ISSUED)).unwrap();
        assert_eq!(load.issued, [Issued { number: 7, id: ID, reference: *b"7KQ2" }]);
        for (status, body) in [
            (503, ISSUED),
            (201, "{}"),
            (201, &ISSUED.replace("7KQ2", "7K")),
            (201, &ISSUED.replace(":6", ":8")),
        ] {
            assert!(load.reply(7, &reply(status, body)).is_err(), "{status} {body}");
        }
    }
}
