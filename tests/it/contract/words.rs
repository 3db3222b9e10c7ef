//! What `openapi.yaml` says of refusals in words: which of their fields come together. As a schema it would be a
//! condition, and generators of clients know none.

use serde_json::{Value, json};

/// Fails if a reply with status 422 has another field than belongs to its verdict or reason, or lacks one.
pub(crate) fn check(refusal: &Value) -> Result<(), String> {
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
        json!({"verdict": "incorrect", "attempts_left": 2}),
        json!({"verdict": "locked", "retry_after_seconds": 900}),
        json!({"reason": "locked", "detail": "the branch must act"}),
        json!({"verdict": "expired"}),
        json!({"type": "idempotency-key-reused"}),
    ] {
        assert_eq!(check(&good), Ok(()), "{good}");
    }
    for bad in [
        json!({"verdict": "incorrect"}),
        json!({"verdict": "incorrect", "attempts_left": 2, "detail": "try again"}),
        json!({"verdict": "expired", "attempts_left": 2}),
        json!({"verdict": "locked"}),
        json!({"reason": "locked", "retry_after_seconds": 900, "detail": "the branch must act"}),
        json!({"reason": "unknown_subscriber", "retry_after_seconds": 900}),
    ] {
        assert!(check(&bad).is_err(), "{bad}");
    }
}
