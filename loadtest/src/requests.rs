//! What is asked of the gateway and of the echo, and what they must answer.
//!
//! Requests are made from templates whose variable parts have a fixed width: a copy and a few writes each.
//! Challenges are numbered as they are asked for; number `n` is for subscriber `n` modulo their count, so
//! that they are spread evenly.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Instant;

use serde::Deserialize;

use crate::client::{Load, Reply};
use crate::files::{CODE_DIGITS, CORPORATE_ID, NUMBER_DIGITS, USER_PREFIX};

/// Hexadecimal digits of a challenge's id.
const ID_CHARS: usize = 32;
/// Characters of an SMS reference.
pub(crate) const REFERENCE_CHARS: usize = 4;

/// What stands in a template for each variable part, in the part's width.
const USER: &str = "{user__}";
const TRX: &str = "{transaction}";
const ID: &str = "{challenge_id__________________}";
const CODE: &str = "{code}";
const _: () = assert!(USER.len() == NUMBER_DIGITS && ID.len() == ID_CHARS && CODE.len() == CODE_DIGITS);

/// A challenge's id, a code and a reference as they are written.
pub(crate) type Id = [u8; ID_CHARS];
pub(crate) type Code = [u8; CODE_DIGITS];
pub(crate) type Reference = [u8; REFERENCE_CHARS];

/// A challenge as the reply of generate tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Issued {
    pub(crate) number: u64,
    pub(crate) id: Id,
    pub(crate) reference: Reference,
}

/// A challenge whose code has been read from its SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) number: u64,
    pub(crate) id: Id,
    pub(crate) code: Code,
    /// An instant before its issue.
    pub(crate) asked_at: Instant,
}

/// A whole request with places for its variable parts.
#[derive(Clone, Debug)]
struct Template(Vec<u8>);

impl Template {
    fn new(server: SocketAddr, api_key: &str, call: &str, body: &str) -> Self {
        let length = body.len();
        let request = format!(
            "POST /v1/otp/{call} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {api_key}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        Self(request.into_bytes())
    }

    fn place(&self, marker: &str) -> Range<usize> {
        let marker = marker.as_bytes();
        let windows = || self.0.windows(marker.len());
        let start = windows().position(|window| window == marker).expect("the template has this marker");
        start..start + marker.len()
    }
}

/// Writes `number` in decimal, with leading zeros, as wide as `place`.
fn put_number(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn transaction() -> String {
    format!(
        "\"transaction\":{{\"reference\":\"{TRX}\",\"amount\":\"1250000000\",\"currency\":\"IDR\",\
         \"beneficiary_account\":\"1234567890\",\"beneficiary_name\":\"PT ABC\"}}"
    )
}

fn subscriber() -> String {
    format!("\"subscriber\":{{\"corporate_id\":\"{CORPORATE_ID}\",\"user_id\":\"{USER_PREFIX}{USER}\"}}")
}

/// Where requests for one server go, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) server: SocketAddr,
    pub(crate) api_key: String,
    pub(crate) subscribers: u64,
}

/// Asks for challenges, one after another.
#[derive(Debug)]
pub(crate) struct Generate {
    template: Template,
    user: Range<usize>,
    trx: Range<usize>,
    subscribers: u64,
    /// Numbers to ask for.
    pub(crate) numbers: Range<u64>,
    /// What was issued, in the order of the replies.
    pub(crate) issued: Vec<Issued>,
    /// Bytes of a reply and of its body.
    pub(crate) reply_bytes: (usize, usize),
}

impl Generate {
    pub(crate) fn new(target: &Target, numbers: Range<u64>) -> Self {
        let body =
            format!("{{{},\"purpose\":\"payment\",\"locale\":\"id\",{}}}", subscriber(), transaction());
        let template = Template::new(target.server, &target.api_key, "generate", &body);
        Self {
            user: template.place(USER),
            trx: template.place(TRX),
            template,
            subscribers: target.subscribers,
            numbers,
            issued: Vec::new(),
            reply_bytes: (0, 0),
        }
    }

    pub(crate) fn request_bytes(&self) -> usize {
        self.template.0.len()
    }

    /// Appends the request for this challenge to the empty `out`.
    pub(crate) fn write(&self, number: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.template.0);
        put_number(&mut out[self.user.clone()], number % self.subscribers);
        put_number(&mut out[self.trx.clone()], number);
    }
}

/// The members of generate's reply that matter here.
#[derive(Deserialize)]
struct IssuedBody<'a> {
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
        if reply.status != 201 {
            return Err(format!("generate must be answered with 201, not {}", reply.status));
        }
        let malformed = || "generate's reply is not as documented".to_owned();
        let body: IssuedBody<'_> = serde_json::from_slice(reply.body).map_err(|_| malformed())?;
        if body.code_length != CODE_DIGITS {
            return Err(malformed());
        }
        let id = body.challenge_id.as_bytes().try_into().map_err(|_| malformed())?;
        let reference = body.sms_reference.as_bytes().try_into().map_err(|_| malformed())?;
        self.issued.push(Issued { number, id, reference });
        self.reply_bytes = (reply.bytes, reply.body.len());
        Ok(())
    }
}

/// Answers challenges with their codes, each once, the oldest first.
#[derive(Debug)]
pub(crate) struct Verify<'a> {
    template: Template,
    user: Range<usize>,
    trx: Range<usize>,
    id: Range<usize>,
    code: Range<usize>,
    subscribers: u64,
    pub(crate) challenges: &'a mut VecDeque<Challenge>,
    /// Bytes of a reply and of its body.
    pub(crate) reply_bytes: (usize, usize),
}

impl<'a> Verify<'a> {
    pub(crate) fn new(target: &Target, challenges: &'a mut VecDeque<Challenge>) -> Self {
        let body = format!(
            "{{{},\"challenge_id\":\"{ID}\",\"code\":\"{CODE}\",\"purpose\":\"payment\",{}}}",
            subscriber(),
            transaction()
        );
        let template = Template::new(target.server, &target.api_key, "verify", &body);
        Self {
            user: template.place(USER),
            trx: template.place(TRX),
            id: template.place(ID),
            code: template.place(CODE),
            template,
            subscribers: target.subscribers,
            challenges,
            reply_bytes: (0, 0),
        }
    }
}

#[derive(Deserialize)]
struct ApprovedBody<'a> {
    verdict: &'a str,
    challenge_id: &'a str,
}

impl Load for Verify<'_> {
    type Sent = Id;

    fn request(&mut self, out: &mut Vec<u8>) -> Option<Id> {
        let challenge = self.challenges.pop_front()?;
        out.extend_from_slice(&self.template.0);
        put_number(&mut out[self.user.clone()], challenge.number % self.subscribers);
        put_number(&mut out[self.trx.clone()], challenge.number);
        out[self.id.clone()].copy_from_slice(&challenge.id);
        out[self.code.clone()].copy_from_slice(&challenge.code);
        Some(challenge.id)
    }

    fn reply(&mut self, id: Id, reply: &Reply<'_>) -> Result<(), String> {
        if reply.status != 200 {
            return Err(format!("verify must be answered with 200, not {}", reply.status));
        }
        let body: ApprovedBody<'_> = serde_json::from_slice(reply.body)
            .map_err(|_| "verify's reply is not as documented".to_owned())?;
        if body.verdict != "approved" || body.challenge_id.as_bytes() != id {
            return Err("verify must approve this challenge".into());
        }
        self.reply_bytes = (reply.bytes, reply.body.len());
        Ok(())
    }
}

/// Asks what became of challenges, each once.
#[derive(Debug)]
pub(crate) struct Look<'a> {
    template: Template,
    user: Range<usize>,
    id: Range<usize>,
    subscribers: u64,
    challenges: std::slice::Iter<'a, Issued>,
    /// What was answered, with the challenge's number.
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

impl<'a> Look<'a> {
    pub(crate) fn new(target: &Target, challenges: &'a [Issued]) -> Self {
        let request = format!(
            "GET /v1/subscribers/{CORPORATE_ID}/{USER_PREFIX}{USER}/challenges/{ID} HTTP/1.1\r\nHost: {}\r\n\
             Authorization: Bearer {}\r\n\r\n",
            target.server, target.api_key
        );
        let template = Template(request.into_bytes());
        Self {
            user: template.place(USER),
            id: template.place(ID),
            template,
            subscribers: target.subscribers,
            challenges: challenges.iter(),
            deliveries: Vec::with_capacity(challenges.len()),
        }
    }
}

#[derive(Deserialize)]
struct LookBody {
    delivery: Delivery,
}

impl Load for Look<'_> {
    type Sent = u64;

    fn request(&mut self, out: &mut Vec<u8>) -> Option<u64> {
        let challenge = self.challenges.next()?;
        out.extend_from_slice(&self.template.0);
        put_number(&mut out[self.user.clone()], challenge.number % self.subscribers);
        out[self.id.clone()].copy_from_slice(&challenge.id);
        Some(challenge.number)
    }

    fn reply(&mut self, number: u64, reply: &Reply<'_>) -> Result<(), String> {
        if reply.status != 200 {
            return Err(format!("a challenge must be there, not answered with {}", reply.status));
        }
        let body: LookBody = serde_json::from_slice(reply.body)
            .map_err(|_| "a challenge's reply is not as documented".to_owned())?;
        self.deliveries.push((number, body.delivery));
        Ok(())
    }
}

/// Sends one request again and again.
#[derive(Debug)]
pub(crate) struct Echo {
    /// The request, whole.
    pub(crate) request: Vec<u8>,
    /// Bytes of a reply's body, as the echo was told.
    pub(crate) body_bytes: usize,
    /// Bytes of a reply.
    pub(crate) reply_bytes: usize,
}

impl Load for Echo {
    type Sent = ();

    fn request(&mut self, out: &mut Vec<u8>) -> Option<()> {
        out.extend_from_slice(&self.request);
        Some(())
    }

    fn reply(&mut self, (): (), reply: &Reply<'_>) -> Result<(), String> {
        self.reply_bytes = reply.bytes;
        if reply.status == 200 && reply.body.len() == self.body_bytes {
            Ok(())
        } else {
            Err("the echo must answer 200 and as many bytes as it was told".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn target() -> Target {
        Target { server: "127.0.0.1:8080".parse().unwrap(), api_key: "otpgw_x".into(), subscribers: 10 }
    }

    fn body_of(request: &[u8]) -> serde_json::Value {
        let text = str::from_utf8(request).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
        serde_json::from_str(body).unwrap()
    }

    fn reply(status: u16, body: &str) -> Reply<'_> {
        Reply { status, body: body.as_bytes(), bytes: body.len() }
    }

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
        let issued = Issued { number: 7, id: *b"000102030405060708090a0b0c0d0e0f", reference: *b"7KQ2" };
        assert_eq!(load.issued, [issued]);
        for (status, body) in [
            (503, ISSUED),
            (201, "{}"),
            (201, &ISSUED.replace("7KQ2", "7K")),
            (201, &ISSUED.replace(":6", ":8")),
        ] {
            assert!(load.reply(7, &reply(status, body)).is_err(), "{status} {body}");
        }
    }

    #[test]
    fn a_challenge_is_answered_once_with_its_code_and_transaction() {
        let id = *b"000102030405060708090a0b0c0d0e0f";
        let challenge = Challenge { number: 12, id, code: *b"482913", asked_at: clock::now() };
        let mut challenges = VecDeque::from([challenge]);
        let mut load = Verify::new(&target(), &mut challenges);
        let mut request = Vec::new();
        assert_eq!(load.request(&mut request), Some(id));
        let body = body_of(&request);
        assert_eq!(body["subscriber"]["user_id"], "U00000002");
        assert_eq!(body["code"], "482913");
        assert_eq!(body["challenge_id"], "000102030405060708090a0b0c0d0e0f");
        assert_eq!(body["transaction"]["reference"], "0000000000012");
        assert_eq!(load.request(&mut Vec::new()), None);
    }

    #[test]
    fn a_challenge_is_looked_at_where_it_is() {
        let issued = [Issued { number: 12, id: *b"000102030405060708090a0b0c0d0e0f", reference: *b"7KQ2" }];
        let mut look = Look::new(&target(), &issued);
        let mut request = Vec::new();
        assert_eq!(look.request(&mut request), Some(12));
        let path =
            b"GET /v1/subscribers/LOADTEST/U00000002/challenges/000102030405060708090a0b0c0d0e0f HTTP/1.1";
        assert!(request.starts_with(path));
        look.reply(12, &reply(200, r#"{"state":"open","delivery":"delivered"}"#)).unwrap();
        assert_eq!(look.deliveries, [(12, Delivery::Delivered)]);
        assert!(look.reply(12, &reply(404, "{}")).is_err());
        assert!(look.reply(12, &reply(200, r#"{"delivery":"lost"}"#)).is_err());
    }

    #[test]
    fn only_the_approval_of_this_challenge_is_right() {
        let mut challenges = VecDeque::new();
        let mut load = Verify::new(&target(), &mut challenges);
        let id = *b"000102030405060708090a0b0c0d0e0f";
        let approved = r#"{"verdict":"approved","challenge_id":"000102030405060708090a0b0c0d0e0f"}"#;
        load.reply(id, &reply(200, approved)).unwrap();
        for (status, body) in [
            (422, approved),
            (200, "{}"),
            (200, &approved.replace("approved", "incorrect")),
            (200, &approved.replace("0001", "0002")),
        ] {
            assert!(load.reply(id, &reply(status, body)).is_err(), "{status} {body}");
        }
    }
}
