//! Keeps the arrows between the rooms true: which module may name which.

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use source::{Named, Token, named, tokens};

/// The arrows: a module, and what else of ours it and the modules below it may name. More than one row
/// can hold for a module. What a row allows is used, or it has no place here.
const ARROWS: &[(&str, &[&str])] = &[
    ("lib", &[]),
    ("main", &["app", "clock", "config", "keys", "shutdown"]),
    // The library's half of `main`: it starts every room and gives each what it needs.
    ("app", &["clock", "config", "enrolment", "gateway", "http", "metrics", "sms", "store"]),
    ("app", &["subscriber::code::Keyring", "threads"]),
    // It reads each room's settings, and what stands in the files that they name.
    ("config", &["clock::duration_setting", "http", "msisdn", "sms", "store", "subscriber"]),
    ("keys", &["http::auth::key_sha256", "subscriber::code::MASTER_KEY_BYTES"]),
    ("http", &["clock", "gateway", "metrics", "subscriber", "threads"]),
    // It has to tell a full outbox from a missing link.
    ("http::problem", &["sms::outbox::CannotSend"]),
    // The one room that draws randomness: before the lock, as an argument of the decision.
    ("gateway", &["clock", "entropy", "metrics", "sms", "store", "subscriber"]),
    ("enrolment", &["msisdn", "store", "subscriber"]),
    ("sms", &["clock", "metrics", "msisdn", "subscriber"]),
    ("store", &["metrics", "subscriber"]),
    // Pure: an instant is an argument; a clock, a counter or a queue has no place here.
    ("subscriber", &["clock::Timestamp", "msisdn::Msisdn"]),
    ("subscriber::policy", &["clock::duration_setting"]),
    ("entropy", &["clock::Timestamp"]),
    ("clock", &[]),
    ("metrics", &[]),
    ("msisdn", &[]),
    ("shutdown", &[]),
    ("threads", &[]),
];

/// Crates that are the business of some rooms alone.
const KEPT_TO: [(&str, &[&str]); 8] = [
    ("smpp", &["sms"]),
    ("hyper", &["http"]),
    ("dashmap", &["store"]),
    ("prometheus", &["metrics", "http::admin"]),
    // The link draws how long it pauses; what it draws is no secret.
    ("getrandom", &["entropy", "keys", "sms::link"]),
    ("rustls", &["sms::link"]),
    ("toml", &["config"]),
    // Neither a decision nor what it is made of waits for anything.
    ("tokio", &["app", "clock", "gateway", "http", "main", "shutdown", "sms", "threads"]),
];

/// The statuses that another module of `http` than `problem` may name.
const STATUSES_OF_SUCCESS: [&str; 3] = ["OK", "CREATED", "ACCEPTED"];

/// A module's path and its source text.
type Module = (String, String);

#[test]
fn no_module_names_what_no_arrow_leads_to() {
    let modules = modules();
    assert!(modules.len() > 30, "only {} modules were found", modules.len());
    let forbidden: Vec<String> = modules.iter().flat_map(|(module, text)| forbidden(module, text)).collect();
    assert!(forbidden.is_empty(), "see ARROWS and KEPT_TO:\n{}", forbidden.join("\n"));
}

#[test]
fn every_arrow_is_used() {
    let modules = modules();
    for (row, targets) in ARROWS.iter().copied() {
        let mut paths = modules
            .iter()
            .filter(|(module, _)| is_within(module, row))
            .flat_map(|(module, text)| named(text, depth(module)).paths)
            .filter(|path| path.ours)
            .map(|path| path.segments.join("::"))
            .collect::<BTreeSet<_>>();
        paths.retain(|path| !is_within(path, row));
        for target in targets {
            assert!(
                paths.iter().any(|path| is_within(path, target)),
                "{row} does not name {target} any more"
            );
        }
    }
}

#[test]
fn a_forbidden_name_is_found_however_it_is_written() {
    let found = [
        ("http::api", "use crate::store::Store;"),
        ("http::api", "use crate::{gateway::Gateway, store::Store};"),
        ("http::api", "use crate::{gateway::{self, Gateway}, subscriber::{id::Id}, sms::{outbox::*}};"),
        ("http::api", "fn f() { crate::store::Store::new() }"),
        ("http::api", "fn f(_: Option<crate::store::Store>) {}"),
        ("http::api", "use super::super::store::Store;"),
        ("http::api", "use self::super::super::store::Store;"),
        ("http::api", "use crate::*;"),
        ("http::api", "use crate as root;"),
        ("http::api", "pub(crate) use crate::sms::outbox::CannotSend;"),
        ("http::api", "macro_rules! m { () => { $crate::store::Store } }"),
        ("http::api", "/* a /* nested */ comment */ use crate::store::Store; // here"),
        ("http::api", "const S: &str = r#\"\"crate\"#; use crate::store::Store;"),
        ("http::api", "const C: char = '\"'; use crate::store::Store; const D: char = '\"';"),
        ("http::api", "#[cfg(not(test))] use crate::store::Store;"),
        ("http::api", "#[cfg(test)] mod tests { fn f() {} } use crate::store::Store;"),
        ("http::api", "#[cfg(test)] mod tests; use crate::store::Store;"),
        ("gateway", "use super::http::api::Api;"),
        ("gateway", "use crate::config::Config;"),
        ("store", "use smpp::pdu::Pdu;"),
        ("subscriber::decide", "use crate::clock::{Clock, Timestamp};"),
        ("subscriber::decide", "use crate::clock;"),
        ("subscriber::decide", "use crate::metrics::Metrics;"),
        ("subscriber::decide", "async fn f() { tokio::task::yield_now().await }"),
        ("main", "use otp_gateway::store::Store;"),
        ("new_room", "fn f() {}"),
    ];
    for (module, text) in found {
        assert_eq!(forbidden(module, text).len(), 1, "{module}: {text}\n{:?}", forbidden(module, text));
    }
}

#[test]
fn what_only_looks_like_a_forbidden_name_is_let_through() {
    let let_through = [
        ("http::api", "// use crate::store::Store;\n/// [`crate::store::Store`]\nfn f() {}"),
        ("http::api", "const S: &str = \"crate::store::Store \\\" crate::store\";"),
        ("http::api", "#[cfg(test)]\nmod tests { use crate::store::Store; fn f() { if true { } } }"),
        ("http::api", "#[cfg(test)]\n#[derive(Debug)]\nstruct S(crate::store::Store);"),
        ("http::api", "use super::wire::Store; use crate::http::server; use super::super::http::auth;"),
        ("http::api", "fn f<'a>(x: &'a str) -> &'a str { store::smpp(x).smpp::<u8>() }"),
        ("http::problem", "use crate::sms::outbox::CannotSend;"),
        ("subscriber", "use crate::clock::Timestamp; use super::msisdn::Msisdn;"),
    ];
    for (module, text) in let_through {
        assert_eq!(forbidden(module, text), Vec::<String>::new(), "{module}: {text}");
    }
}

#[test]
fn problem_alone_knows_error_statuses() {
    let in_http = |module: &str| is_within(module, "http");
    let offenders: Vec<String> = modules()
        .iter()
        .filter(|(module, _)| in_http(module))
        .flat_map(|(module, text)| error_statuses(module, text))
        .collect();
    assert_eq!(offenders, Vec::<String>::new());
    assert_eq!(error_statuses("http::api", "fn f() { StatusCode::NOT_FOUND; StatusCode::OK }").len(), 1);
    assert_eq!(error_statuses("http::api", "fn f() { hyper::StatusCode::from_u16(503) }").len(), 1);
    assert_eq!(error_statuses("http::problem", "fn f() { StatusCode::NOT_FOUND }").len(), 0);
}

#[test]
fn abuse_39_the_product_holds_no_simulator_no_demo_and_no_harness() {
    let product = dependencies("Cargo.toml");
    for tool in ["smsc-simulator", "demo-bank", "otp-loadtest"] {
        let kinds: Vec<&String> =
            product.iter().filter(|(_, name)| name == tool).map(|(kind, _)| kind).collect();
        assert!(kinds.iter().all(|kind| *kind == "dev-dependencies"), "{tool} is in {kinds:?}");
    }
}

#[test]
fn smpp_and_the_simulator_know_nothing_of_the_gateway() {
    for manifest in ["smpp/Cargo.toml", "simulator/Cargo.toml"] {
        let found = dependencies(manifest);
        assert!(!found.iter().any(|(_, name)| name == "otp-gateway"), "{manifest} depends on otp-gateway");
        let ours = ["smpp", "smsc-simulator", "demo-bank", "otp-loadtest"];
        let of_ours: Vec<&str> =
            found.iter().map(|(_, name)| name.as_str()).filter(|name| ours.contains(name)).collect();
        assert!(of_ours.iter().all(|name| *name == "smpp"), "{manifest} depends on {of_ours:?}");
    }
}

/// What `text`, the source of `module`, names without an arrow that leads there.
fn forbidden(module: &str, text: &str) -> Vec<String> {
    let room = module.split("::").next().unwrap_or_default();
    if !ARROWS.iter().any(|(row, _)| *row == room) {
        return vec![format!("{module}: a new room needs a row")];
    }
    let mut forbidden = Vec::new();
    for path in named(text, depth(module)).paths {
        let name = path.segments.join("::");
        let within_any = |of: &[&str], name: &str| of.iter().any(|above| is_within(name, above));
        let good = if path.ours {
            is_within(&name, room)
                || ARROWS.iter().any(|(row, targets)| is_within(module, row) && within_any(targets, &name))
        } else {
            let kept_to =
                KEPT_TO.iter().find(|(kept, _)| path.segments.first().is_some_and(|head| head == kept));
            kept_to.is_none_or(|(_, rooms)| within_any(rooms, module))
        };
        if !good {
            forbidden.push(format!("{module} names {}{name}", if path.ours { "crate::" } else { "" }));
        }
    }
    forbidden
}

/// The error statuses that `text`, the source of `module`, names and should not. The probes of `admin`
/// speak to Prometheus and orchestrators in plain text, not in problems of the API.
fn error_statuses(module: &str, text: &str) -> Vec<String> {
    if matches!(module, "http::problem" | "http::admin") {
        return Vec::new();
    }
    let paths = named(text, depth(module)).paths;
    let after = |path: &[String]| {
        let at = path.iter().position(|segment| segment == "StatusCode")?;
        path.get(at + 1).cloned()
    };
    let statuses = paths.iter().filter_map(|path| after(&path.segments));
    statuses
        .filter(|status| !STATUSES_OF_SUCCESS.contains(&status.as_str()))
        .map(|status| format!("{module} names StatusCode::{status}"))
        .collect()
}

/// Whether `path` is `above` or lies below it.
fn is_within(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// How far below the crate's root a module is.
fn depth(module: &str) -> usize {
    if matches!(module, "lib" | "main") { 0 } else { module.split("::").count() }
}

/// Every module of the product that is compiled into it.
fn modules() -> Vec<Module> {
    let mut files = BTreeMap::new();
    read_modules(&root().join("src"), "", &mut files);
    let mut tests = BTreeSet::new();
    for (module, text) in &files {
        let below = |name: String| if depth(module) == 0 { name } else { format!("{module}::{name}") };
        let Named { test_modules, .. } = named(text, depth(module));
        tests.extend(test_modules.into_iter().map(below));
    }
    let is_test = |module: &str| tests.iter().any(|test| is_within(module, test));
    files.into_iter().filter(|(module, _)| !is_test(module)).collect()
}

fn read_modules(folder: &Path, above: &str, into: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).expect("the sources can be listed") {
        let path = entry.expect("the sources can be listed").path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a module's name is UTF-8");
        let module = if above.is_empty() { stem.to_owned() } else { format!("{above}::{stem}") };
        if path.is_dir() {
            read_modules(&path, &module, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.insert(module, std::fs::read_to_string(&path).expect("a source can be read"));
        }
    }
}

/// The dependencies of a manifest: the kind of the section and the package's name.
fn dependencies(manifest: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join(manifest)).expect("the manifest can be read");
    let mut table: toml::Table = toml::from_str(&text).expect("the manifest is TOML");
    // What the workspace could depend on is no dependency yet.
    table.remove("workspace");
    let mut found = Vec::new();
    collect_dependencies(&table, &mut found);
    assert!(manifest.starts_with("smpp") || !found.is_empty(), "{manifest} has no dependencies?");
    found
}

fn collect_dependencies(table: &toml::Table, found: &mut Vec<(String, String)>) {
    for (key, value) in table {
        let Some(section) = value.as_table() else { continue };
        if !key.ends_with("dependencies") {
            collect_dependencies(section, found);
            continue;
        }
        for (name, dependency) in section {
            let renamed = dependency.get("package").and_then(toml::Value::as_str);
            found.push((key.clone(), renamed.unwrap_or(name).to_owned()));
        }
    }
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

#[test]
fn literals_and_comments_are_no_names() {
    let words = |text: &str| {
        let word = |token| if let Token::Word(word) = token { Some(word) } else { None };
        tokens(text).into_iter().filter_map(word).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(words("let x = 'a'; y::<'a>('\\'', '\\u{41}', b'z')"), "let x y b");
    assert_eq!(words("r\"a\" + br##\"b\"# c\"## + r#type + \"\\\"d\" // e\n/* f /* g */ h */ i"), "type i");
    assert_eq!(words("0x1F_u8..=1.5e3 a"), "a");
}
