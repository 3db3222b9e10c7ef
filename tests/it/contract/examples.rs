//! The examples of the document are true, and none is missing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::document::{Document, Kind, kind_of, object};
use super::words;

impl Document {
    /// Every example of a body, a parameter or a value, with the schema that it is printed for.
    pub(crate) fn examples(&self) -> Vec<(&Value, &Value)> {
        let mut found = Vec::new();
        self.collect_examples(self.at(""), &mut found);
        found
    }

    fn collect_examples<'a>(&'a self, value: &'a Value, found: &mut Vec<(&'a Value, &'a Value)>) {
        match value {
            Value::Object(members) => {
                let schema = value.get("schema").unwrap_or(value);
                found.extend(self.own_examples(value).into_iter().map(|example| (schema, example)));
                members.values().for_each(|member| self.collect_examples(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect_examples(item, found)),
            _ => {}
        }
    }

    /// The examples at a body, which have names, at a parameter, which has one, or at a schema, which lists them.
    fn own_examples<'a>(&'a self, value: &'a Value) -> Vec<&'a Value> {
        let list = value.get("examples").and_then(Value::as_array).into_iter().flatten();
        let named =
            value.get("schema").and_then(|_| value.get("examples")).filter(|examples| examples.is_object());
        let named = named.into_iter().flat_map(|named| self.named_examples(named));
        value.get("example").into_iter().chain(list).chain(named).collect()
    }

    fn named_examples<'a>(&'a self, named: &'a Value) -> impl Iterator<Item = &'a Value> {
        object(named).values().map(|example| &self.resolve(example)["value"])
    }

    /// The examples of a reply.
    fn reply_examples<'a>(&'a self, response: &'a Value) -> Vec<&'a Value> {
        let content = self.resolve(response).get("content").and_then(Value::as_object);
        let bodies = content.into_iter().flat_map(|content| content.values());
        bodies.flat_map(|body| self.own_examples(body)).collect()
    }

    /// Every kind of reply that there is an example of.
    fn shown(&self) -> BTreeSet<Kind> {
        let mut shown = BTreeSet::new();
        for (call, responses) in self.calls() {
            for (status, response) in object(responses) {
                let examples = self.reply_examples(response).into_iter();
                shown.extend(examples.map(|body| (call.clone(), status.clone(), kind_of(body))));
            }
        }
        shown
    }
}

#[test]
fn every_printed_example_is_as_its_schema_says() {
    let document = Document::read();
    let mut count = 0;
    for (schema, example) in document.examples() {
        if let Err(error) = document.validator(schema).validate(example) {
            panic!("{error} at {}: {example}", error.instance_path());
        }
        words::check(example).unwrap_or_else(|error| panic!("{error}: {example}"));
        count += 1;
    }
    assert!(count > 80, "only {count} examples were found");
}

#[test]
fn every_request_has_an_example_and_every_kind_of_reply_has() {
    let document = Document::read();
    for call in super::POSTS {
        let purposes = document.request_examples(call).into_iter().map(|(_, body)| body["purpose"].clone());
        let purposes: BTreeSet<String> = purposes.map(|purpose| purpose.to_string()).collect();
        assert_eq!(purposes.len(), 2, "{call} is shown for {purposes:?}");
    }
    let has_body =
        |(call, status, _): &&Kind| status != "431" && (call.as_str(), status.as_str()) != ("beside", "400");
    let documented: BTreeSet<Kind> = document.documented().iter().filter(has_body).cloned().collect();
    let shown = document.shown();
    let missing: Vec<&Kind> = documented.difference(&shown).collect();
    assert!(missing.is_empty(), "documented without an example: {missing:#?}");
    let beyond: Vec<&Kind> = shown.difference(&documented).collect();
    assert!(beyond.is_empty(), "shown where it does not occur: {beyond:#?}");
}

/// A lock that ends by itself and one that does not look different.
#[test]
fn every_call_that_a_lock_refuses_shows_both_locks() {
    let document = Document::read();
    let is_locked = |example: &&Value| example["verdict"] == "locked" || example["reason"] == "locked";
    for call in ["generate", "verify", "resend"] {
        let response = document.at(&format!("/paths/~1v1~1otp~1{call}/post/responses/422"));
        let examples: Vec<&Value> = document.reply_examples(response).into_iter().filter(is_locked).collect();
        for field in ["retry_after_seconds", "detail"] {
            assert!(examples.iter().any(|example| example.get(field).is_some()), "{call}: {field}");
        }
    }
}
