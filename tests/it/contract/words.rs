//! What `openapi.yaml` says of problems in words: which of their fields come together. As a schema it would be a
//! condition, and generators of clients know none.

use serde_json::{Value, json};

use super::document::Document;

/// Fails if a reply has a field without the one that belongs to it, or a refusal (422) another field than belongs to its
/// verdict or reason.
pub(crate) fn check(reply: &Value) -> Result<(), String> {
    if reply.get("line").is_some() != reply.get("column").is_some() {
        return Err("line and column belong together".into());
    }
    if reply["status"] == 422 { check_refusal(reply) } else { Ok(()) }
}

fn check_refusal(refusal: &Value) -> Result<(), String> {
    let has = |field: &str| refusal.get(field).is_some();
    let why = refusal.get("verdict").or_else(|| refusal.get("reason"));
    let why = why.and_then(Value::as_str).unwrap_or_default();
    if has("attempts_left") != (why == "incorrect") {
        return Err("attempts_left belongs to incorrect, and to nothing else".into());
    }
    let ends_of_a_lock = usize::from(has("retry_after_seconds")) + usize::from(has("detail"));
    if ends_of_a_lock != usize::from(why == "locked") {
        return Err(
            "one of retry_after_seconds and detail belongs to locked, and none to anything else".into()
        );
    }
    Ok(())
}

#[test]
fn fields_that_do_not_belong_together_are_found() {
    for good in [
        json!({"status": 422, "verdict": "incorrect", "attempts_left": 2}),
        json!({"status": 422, "verdict": "locked", "retry_after_seconds": 900}),
        json!({"status": 422, "reason": "locked", "detail": "the branch must act"}),
        json!({"status": 422, "verdict": "expired"}),
        json!({"status": 422, "type": "idempotency-key-reused"}),
        json!({"status": 429, "retry_after_seconds": 900}),
        json!({"status": 400, "detail": "a string"}),
        json!({"status": 400, "detail": "a string", "line": 1, "column": 0}),
    ] {
        assert_eq!(check(&good), Ok(()), "{good}");
    }
    for bad in [
        json!({"status": 422, "verdict": "incorrect"}),
        json!({"status": 422, "verdict": "incorrect", "attempts_left": 2, "detail": "try again"}),
        json!({"status": 422, "verdict": "expired", "attempts_left": 2}),
        json!({"status": 422, "verdict": "locked"}),
        json!({"status": 422, "reason": "locked", "retry_after_seconds": 900, "detail": "the branch must act"}),
        json!({"status": 422, "reason": "unknown_subscriber", "retry_after_seconds": 900}),
        json!({"status": 400, "line": 1}),
        json!({"status": 400, "column": 1}),
    ] {
        assert!(check(&bad).is_err(), "{bad}");
    }
}

/// What makes one part of a schema depend on another, in JSON Schema 2020-12.
const CONDITIONS: [&str; 6] = ["if", "then", "else", "not", "dependentSchemas", "dependentRequired"];

#[test]
fn no_schema_has_a_condition() {
    let document = Document::read();
    assert_eq!(conditions(document.at("/components/schemas"), ""), Vec::<String>::new());
    let nested =
        json!({"Malformed": {"properties": {"line": {"not": {"const": 0}}}, "dependentRequired": {}}});
    assert_eq!(conditions(&nested, ""), ["/Malformed/dependentRequired", "/Malformed/properties/line/not"]);
}

/// The places of all conditions below `path`.
fn conditions(value: &Value, path: &str) -> Vec<String> {
    let Value::Object(members) = value else { return Vec::new() };
    let below = members.iter().flat_map(|(name, member)| {
        let path = format!("{path}/{name}");
        let here = CONDITIONS.contains(&name.as_str()).then(|| path.clone());
        here.into_iter().chain(conditions(member, &path))
    });
    below.collect()
}
