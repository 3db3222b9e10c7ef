//! `openapi.yaml` as a test reads it: what it documents, and whether a reply is as documented.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::words;
use crate::support::client::Reply;

/// Headers of every HTTP reply, and the one that the document describes in its text.
const HEADERS_OF_ALL: [&str; 3] = ["content-length", "date", "cache-control"];

/// A reply that is documented, or was given: call, status, and of a problem its type with its verdict
/// or reason.
pub(crate) type Kind = (String, String, String);

/// The parsed document.
pub(crate) struct Document {
    root: Value,
    /// Those made so far, by the text of their schema.
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

impl Document {
    pub(crate) fn read() -> Self {
        let text = include_str!("../../../openapi.yaml");
        let root = serde_saphyr::from_str(text).expect("openapi.yaml is YAML");
        Self { root, validators: Mutex::default() }
    }

    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.root.pointer(pointer).unwrap_or_else(|| panic!("the document has no {pointer}"))
    }

    /// What a `$ref` of the document stands for, or `value` itself.
    pub(crate) fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.resolve(self.at(reference.strip_prefix('#').expect("a local reference"))),
            None => value,
        }
    }

    /// Every call by its `operationId`, and what is documented beside the calls.
    pub(crate) fn calls(&self) -> Vec<(String, &Value)> {
        let paths = object(self.at("/paths")).values();
        let operations = paths.flat_map(|path| object(path).values());
        let mut calls: Vec<(String, &Value)> =
            operations.map(|operation| (text(&operation["operationId"]), &operation["responses"])).collect();
        calls.push(("beside".into(), self.at("/x-responses-beside-the-calls")));
        calls
    }

    /// The request examples of a call: name and body.
    pub(crate) fn request_examples(&self, call: &str) -> Vec<(String, Value)> {
        let pointer = format!("/paths/~1v1~1otp~1{call}/post/requestBody/content/application~1json/examples");
        let examples = object(self.at(&pointer)).iter();
        examples.map(|(name, example)| (name.clone(), self.resolve(example)["value"].clone())).collect()
    }

    /// Checks values against `schema`, a schema of the document.
    pub(crate) fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().expect("nobody panics here");
        let made = validators.entry(schema.to_string()).or_insert_with(|| {
            let whole = json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "components": self.at("/components"),
                "allOf": [schema],
            });
            Arc::new(jsonschema::validator_for(&whole).expect("a schema"))
        });
        Arc::clone(made)
    }

    /// Every kind of reply that is documented.
    pub(crate) fn documented(&self) -> BTreeSet<Kind> {
        let mut documented = BTreeSet::new();
        for (call, responses) in self.calls() {
            for (status, response) in object(responses) {
                let content = self.resolve(response).get("content").and_then(Value::as_object);
                let schemas = content.into_iter().flat_map(|content| content.values().map(|c| &c["schema"]));
                let mut kinds: Vec<String> = schemas.flat_map(|schema| self.kinds(schema)).collect();
                if kinds.is_empty() {
                    kinds.push(String::new());
                }
                documented.extend(kinds.into_iter().map(|kind| (call.clone(), status.clone(), kind)));
            }
        }
        documented
    }

    /// The problem types, with their verdicts and reasons, that a schema admits.
    fn kinds(&self, schema: &Value) -> Vec<String> {
        let schema = self.resolve(schema);
        if let Some(either) = schema.get("oneOf").and_then(Value::as_array) {
            return either.iter().flat_map(|schema| self.kinds(schema)).collect();
        }
        let Some(problem) = schema.pointer("/properties/type/const") else { return Vec::new() };
        let problem = last_part(&text(problem)).to_owned();
        let words =
            |field: &str| schema.pointer(&format!("/properties/{field}/enum")).and_then(Value::as_array);
        match words("verdict").or_else(|| words("reason")) {
            Some(words) => words.iter().map(|word| format!("{problem}:{}", text(word))).collect(),
            None => vec![problem],
        }
    }

    /// Checks a reply to `call` against what is documented, and says of which kind it is.
    pub(crate) fn check(&self, call: &str, reply: &Reply) -> Kind {
        let status = reply.status.as_u16().to_string();
        let reported = format!("{call} {status} {}", reply.text());
        let (_, responses) = self.calls().into_iter().find(|(id, _)| id == call).expect("a documented call");
        let response = responses.get(&status).unwrap_or_else(|| panic!("not documented: {reported}"));
        let response = self.resolve(response);
        self.check_headers(response, reply, &reported);
        let Some(content) = response.get("content").and_then(Value::as_object) else {
            assert!(reply.body.is_empty(), "no body is documented: {reported}");
            return (call.into(), status, String::new());
        };
        let (media_type, media) = content.iter().next().expect("a media type");
        assert_eq!(reply.headers["content-type"], media_type.as_str(), "{reported}");
        let body = if media_type.ends_with("json") { reply.json() } else { Value::String(reply.text()) };
        if let Err(error) = self.validator(&media["schema"]).validate(&body) {
            panic!("{error} at {}: {reported}", error.instance_path());
        }
        words::check(&body).unwrap_or_else(|error| panic!("{error}: {reported}"));
        self.check_title(&body, &reported);
        (call.into(), status, kind_of(&body))
    }

    /// The examples of a problem have the title that the server gives it.
    fn check_title(&self, body: &Value, reported: &str) {
        let Some(problem) = body.get("type") else { return };
        let examples = self.examples().into_iter().map(|(_, example)| example);
        for example in examples.filter(|example| example.get("type") == Some(problem)) {
            assert_eq!(example["title"], body["title"], "{reported}");
        }
    }

    fn check_headers(&self, response: &Value, reply: &Reply, reported: &str) {
        let documented = response.get("headers").map(|headers| object(headers).clone()).unwrap_or_default();
        for (name, header) in &documented {
            let header = self.resolve(header);
            let Some(value) = reply.headers.get(name.as_str()) else {
                assert_ne!(header["required"], true, "{name} is missing: {reported}");
                continue;
            };
            let value = value.to_str().expect("ASCII");
            let value = value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number));
            assert!(self.validator(&header["schema"]).is_valid(&value), "{name}: {value}: {reported}");
        }
        for name in reply.headers.keys() {
            let known = documented.keys().any(|documented| documented.eq_ignore_ascii_case(name.as_str()));
            let of_all = HEADERS_OF_ALL.contains(&name.as_str()) || name == "content-type";
            assert!(known || of_all, "{name} is not documented: {reported}");
        }
        if reply.headers.contains_key("content-type") && reply.headers["content-type"] != "application/yaml" {
            assert_eq!(reply.headers["cache-control"], "no-store", "{reported}");
            let in_body = reply.json().get("retry_after_seconds").map(ToString::to_string);
            let in_head =
                reply.headers.get("retry-after").map(|value| value.to_str().expect("ASCII").to_owned());
            assert_eq!(in_body, in_head, "{reported}");
        }
    }
}

/// Of a problem its type with its verdict or reason; of anything else, nothing.
pub(crate) fn kind_of(body: &Value) -> String {
    let Some(problem) = body.get("type") else { return String::new() };
    let problem = last_part(&text(problem)).to_owned();
    match body.get("verdict").or_else(|| body.get("reason")) {
        Some(why) => format!("{problem}:{}", text(why)),
        None => problem,
    }
}

/// Every object schema that does not say what becomes of other fields than those it names.
pub(crate) fn open_objects(value: &Value, path: &str, found: &mut Vec<String>) {
    let Value::Object(members) = value else { return };
    if members.get("type") == Some(&json!("object"))
        && members.get("additionalProperties") != Some(&json!(false))
    {
        found.push(path.to_owned());
    }
    for (name, member) in members {
        open_objects(member, &format!("{path}/{name}"), found);
    }
}

fn last_part(uri: &str) -> &str {
    uri.rsplit('/').next().unwrap_or(uri)
}

pub(crate) fn object(value: &Value) -> &serde_json::Map<String, Value> {
    value.as_object().expect("an object")
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}
