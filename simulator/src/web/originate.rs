//! Messages that a handset sends, as `POST /messages` takes them.

use axum::http::StatusCode;
use pages::Refusal;
use serde::Deserialize;

use super::problem::Problem;
use crate::smsc::HandsetError;

/// Characters of a message: more than six segments carry.
const TEXT_CHARACTERS_MAX: usize = 1_000;

/// Bytes of the JSON around and in the longest text, every character escaped as a pair of surrogates.
pub(super) const BODY_BYTES_MAX: usize = 16 * 1_024;

const _: () = assert!(12 * TEXT_CHARACTERS_MAX + 1_024 <= BODY_BYTES_MAX);

/// What a handset sends, and to whom.
#[derive(PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Originated {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) text: String,
    /// The ESME that gets it; any that receives, if absent.
    pub(super) system_id: Option<String>,
}

impl Originated {
    /// Reads the body of a request. Whether its addresses are valid is for the SMSC to decide.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let originated: Self = serde_json::from_slice(body).map_err(|_| SHAPE)?;
        if originated.text.is_empty() || originated.text.chars().count() > TEXT_CHARACTERS_MAX {
            return Err(LENGTH);
        }
        Ok(originated)
    }
}

impl From<HandsetError> for Problem {
    fn from(error: HandsetError) -> Self {
        let (status, kind) = match error {
            HandsetError::NoReceiver => (StatusCode::CONFLICT, "no-receiver"),
            HandsetError::From | HandsetError::To | HandsetError::TooLong | HandsetError::UnknownSystemId => {
                (StatusCode::UNPROCESSABLE_ENTITY, "bad-message")
            }
        };
        Refusal { status, kind, detail: error.to_string().into() }.into()
    }
}

const LENGTH: Problem =
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-message", "text must have 1 to 1000 characters.");
const SHAPE: Problem = Problem::new(
    StatusCode::BAD_REQUEST,
    "bad-body",
    "The body must be a JSON object of the strings from, to, text and, if wanted, system_id.",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_handset_sends() {
        let body = br#"{"from":"+628120001234","to":"BANK","text":"STOP","system_id":"gateway"}"#;
        let read = Originated::parse(body).unwrap();
        assert_eq!((read.from.as_str(), read.to.as_str()), ("+628120001234", "BANK"));
        assert_eq!((read.text.as_str(), read.system_id.as_deref()), ("STOP", Some("gateway")));
    }

    #[test]
    fn refuses_what_is_no_message() {
        let long = format!(r#"{{"from":"1","to":"2","text":"{}"}}"#, "x".repeat(TEXT_CHARACTERS_MAX + 1));
        for (body, kind) in [
            ("", "bad-body"),
            ("[]", "bad-body"),
            (r#"{"from":"1","to":"2"}"#, "bad-body"),
            (r#"{"from":"1","to":"2","text":"x","code":1}"#, "bad-body"),
            (r#"{"from":"1","to":"2","text":""}"#, "bad-message"),
            (&long, "bad-message"),
        ] {
            let refused = Originated::parse(body.as_bytes()).err().map(|problem| problem.refusal.kind);
            assert_eq!(refused, Some(kind), "{body}");
        }
    }
}
