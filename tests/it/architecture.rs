//! Keeps the arrows between the modules true: which may name which, and that none lead in a circle.

mod circles;
mod source;

use std::collections::BTreeSet;
use std::path::PathBuf;

use circles::circles;
use source::{Module, modules};

/// The arrows: a module, and what else of ours it and the modules below it may name. More than one row
/// can hold for a module. What a row allows is used, or it has no place here.
const ARROWS: &[(&str, &[&str])] = &[
    ("lib", &[]),
    ("main", &["app", "clock", "config", "init", "keys", "log", "shutdown"]),
    // The library's half of `main`: it starts every room and gives each what it needs.
    ("app", &["clock", "config", "drift", "enrolment", "gateway", "http", "metrics", "sms", "store"]),
    ("app", &["subscriber::code::KeyChanged", "threads"]),
    // It has each room read its settings, and what stands in the files that they name.
    ("config", &["http", "keys", "log", "msisdn", "sms", "store", "subscriber"]),
    ("init", &["enrolment", "http::auth", "keys"]),
    ("keys", &["http::auth", "subscriber::code"]),
    ("log", &[]),
    ("http", &["clock", "gateway", "log", "metrics", "subscriber", "threads"]),
    // It draws what it names requests by.
    ("http", &["call", "entropy", "named", "store::Decided", "store::StoreError"]),
    // It draws what a decision needs: before the lock, as an argument.
    (
        "gateway",
        &["call", "clock", "entropy", "metrics", "msisdn::Msisdn", "named", "sms", "store", "subscriber"],
    ),
    ("drift", &["clock", "gateway", "metrics"]),
    ("enrolment", &["msisdn", "named", "store", "subscriber"]),
    ("sms", &["clock", "metrics", "msisdn", "named", "subscriber"]),
    ("store", &["metrics", "msisdn", "subscriber"]),
    // Pure: an instant is an argument; a clock, a counter or a queue has no place here.
    ("subscriber", &["clock::Timestamp", "msisdn::Msisdn", "named"]),
    ("entropy", &["clock::Timestamp"]),
    ("call", &["named"]),
    ("clock", &[]),
    ("metrics", &["call", "named", "subscriber"]),
    ("msisdn", &[]),
    ("named", &[]),
    ("shutdown", &[]),
    ("threads", &["clock"]),
];

/// Crates that only some rooms may use.
const KEPT_TO: [(&str, &[&str]); 8] = [
    ("smpp", &["sms"]),
    ("hyper", &["http"]),
    ("dashmap", &["store"]),
    ("prometheus", &["metrics", "http::admin"]),
    // The link draws how long it pauses; what it draws is no secret.
    ("getrandom", &["entropy", "keys", "sms::link"]),
    ("rustls", &["sms::link"]),
    // What is decided follows limits; where they are written is not its business.
    ("settings", &["config", "enrolment", "http", "keys", "log", "sms", "store"]),
    // Neither a decision nor what it is made of waits for anything.
    ("tokio", &["app", "clock", "gateway", "http", "main", "shutdown", "sms", "threads"]),
];

/// The packages by folder, and which others of ours each depends on; `.` is the product.
const PACKAGES: &[(&str, &[&str])] = &[
    (".", &["settings", "smpp"]),
    ("smpp", &[]),
    ("settings", &[]),
    ("pages", &[]),
    ("sandbox", &[]),
    ("simulator", &["pages", "settings", "smpp"]),
    ("demo", &["gateway-sandbox", "otp-gateway", "pages", "smsc-simulator"]),
    ("loadtest", &["gateway-sandbox", "smpp"]),
];

/// The statuses that another module of `http` than `problem` may name.
const STATUSES_OF_SUCCESS: [&str; 3] = ["OK", "CREATED", "ACCEPTED"];

/// Circles that are still there: the crate's folder, and the siblings that name each other. The list only gets
/// shorter: an entry that is no circle any more has to go.
const CIRCLES: &[(&str, &[&str])] = &[];

#[test]
fn no_module_names_what_no_arrow_leads_to() {
    let modules = product();
    assert!(modules.len() > 30, "only {} modules were found", modules.len());
    let forbidden: Vec<String> = modules.iter().flat_map(forbidden).collect();
    assert!(forbidden.is_empty(), "see ARROWS and KEPT_TO:\n{}", forbidden.join("\n"));
}

#[test]
fn every_arrow_is_used() {
    let modules = product();
    for (row, targets) in ARROWS.iter().copied() {
        let within = modules.iter().filter(|module| is_within(&module.name, row));
        let names = within.flat_map(|module| &module.names).filter(|name| name.ours);
        let paths: Vec<&str> =
            names.map(|name| name.path.as_str()).filter(|path| !is_within(path, row)).collect();
        for target in targets {
            assert!(
                paths.iter().any(|path| is_within(path, target)),
                "{row} does not name {target} any more"
            );
        }
    }
}

#[test]
fn no_modules_name_each_other_in_a_circle() {
    let mut found = BTreeSet::new();
    for folder in packages() {
        let modules = modules(&root().join(&folder).join("src"));
        assert!(!modules.is_empty(), "no module was found in {folder}");
        found.extend(circles(&modules).into_iter().map(|circle| (folder.clone(), circle)));
    }
    let owned = |members: &[&str]| members.iter().map(|member| (*member).to_owned()).collect();
    let known: BTreeSet<(String, Vec<String>)> =
        CIRCLES.iter().map(|(folder, members)| ((*folder).to_owned(), owned(members))).collect();
    let new: Vec<_> = found.difference(&known).collect();
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(new.is_empty() && gone.is_empty(), "new circles: {new:#?}\ntake out of CIRCLES: {gone:#?}");
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
        ("http::api", "pub(crate) use crate::sms::outbox::Outbox;"),
        ("http::api", "macro_rules! m { () => { $crate::store::Store } }"),
        ("http::api", "/* a /* nested */ comment */ use crate::store::Store; // here"),
        ("http::api", "const S: &str = r#\"\"crate\"#; use crate::store::Store;"),
        ("http::api", "const C: char = '\"'; use crate::store::Store; const D: char = '\"';"),
        ("http::api", "#[cfg(not(test))] use crate::store::Store;"),
        ("http::api", "#[cfg(test)] mod tests { fn f() {} } use crate::store::Store;"),
        ("http::api", "#[cfg(test)] mod tests; use crate::store::Store;"),
        ("http::api", "fn f() { assert!(crate::store::is_full(1)) }"),
        ("http::api", "use crate::gateway; fn f() { gateway::g(vec![crate::store::Store::new()]) }"),
        ("http::problem", "use crate::sms::{self}; "),
        ("sms::link", "use super::super::subscriber as person; fn f() { super::super::store::f() }"),
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
        let found = forbidden(&Module::parse(module, text));
        assert_eq!(found.len(), 1, "{module}: {text}\n{found:?}");
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
        ("http::api", "pub(in crate::store) struct S; fn f() { assert!(true, \"crate::store::Store\") }"),
        (
            "http::api",
            "enum E { #[cfg(test)] A(crate::store::Store), B { #[cfg(test)] c: crate::store::Store } }",
        ),
        ("sms", "mod link; use link::smpp::X; fn f() { link::store::f() }"),
        ("subscriber", "use crate::clock::Timestamp; use super::msisdn::Msisdn;"),
    ];
    for (module, text) in let_through {
        assert_eq!(forbidden(&Module::parse(module, text)), Vec::<String>::new(), "{module}: {text}");
    }
}

#[test]
fn only_problem_knows_error_statuses() {
    let modules = product();
    let in_http = modules.iter().filter(|module| is_within(&module.name, "http"));
    assert_eq!(in_http.flat_map(error_statuses).collect::<Vec<_>>(), Vec::<String>::new());
    let found = |name, text| error_statuses(&Module::parse(name, text)).len();
    assert_eq!(found("http::api", "fn f() { StatusCode::NOT_FOUND; StatusCode::OK }"), 1);
    assert_eq!(found("http::api", "fn f() { hyper::StatusCode::from_u16(503) }"), 1);
    assert_eq!(found("http::problem", "fn f() { StatusCode::NOT_FOUND }"), 0);
}

#[test]
fn abuse_39_the_product_holds_no_simulator_no_demo_and_no_harness() {
    let product = dependencies("Cargo.toml");
    for tool in ["smsc-simulator", "demo-bank", "otp-loadtest", "gateway-sandbox", "pages"] {
        let kinds: Vec<&String> =
            product.iter().filter(|(_, name)| name == tool).map(|(kind, _)| kind).collect();
        assert!(kinds.iter().all(|kind| *kind == "dev-dependencies"), "{tool} is in {kinds:?}");
    }
}

#[test]
fn every_package_takes_the_lints_of_the_workspace() {
    let own =
        |folder: &String| manifest(&format!("{folder}/Cargo.toml"))["lints"]["workspace"] != true.into();
    assert_eq!(packages().into_iter().filter(own).collect::<Vec<_>>(), Vec::<String>::new());
    assert_eq!(manifest("Cargo.toml")["workspace"]["lints"]["rust"]["unsafe_code"], "forbid".into());
}

#[test]
fn every_package_depends_on_exactly_those_of_its_row() {
    let file = |folder: &str| format!("{folder}/Cargo.toml");
    let name = |folder: &String| manifest(&file(folder))["package"]["name"].as_str().map(str::to_owned);
    let ours: BTreeSet<String> = packages().iter().filter_map(name).collect();
    for folder in packages() {
        let row = PACKAGES.iter().find(|(package, _)| *package == folder);
        let (_, row) = row.unwrap_or_else(|| panic!("{folder}: a new package needs a row"));
        let mut found = dependencies(&file(&folder));
        // The product's tests start a simulator.
        found.retain(|(kind, name)| ours.contains(name) && (folder != "." || kind != "dev-dependencies"));
        let found: BTreeSet<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(found, row.iter().copied().collect(), "{folder}");
    }
}

/// What a module names without an arrow that leads there.
fn forbidden(module: &Module) -> Vec<String> {
    let room = module.name.split("::").next().unwrap_or_default();
    if !ARROWS.iter().any(|(row, _)| *row == room) {
        return vec![format!("{}: a new room needs a row", module.name)];
    }
    let within_any = |of: &[&str], path: &str| of.iter().any(|above| is_within(path, above));
    let led_to = |path: &str| {
        let mut rows = ARROWS.iter().filter(|(row, _)| is_within(&module.name, row));
        is_within(path, room) || rows.any(|(_, targets)| within_any(targets, path))
    };
    let kept_from = |path: &str| {
        let kept_to = KEPT_TO.iter().find(|(kept, _)| is_within(path, kept));
        kept_to.is_some_and(|(_, rooms)| !within_any(rooms, &module.name))
    };
    let names = module.names.iter();
    let (ours, others): (Vec<_>, Vec<_>) = names.partition(|name| name.ours);
    let of_ours =
        ours.into_iter().filter(|name| !led_to(&name.path)).map(|name| format!("crate::{}", name.path));
    let of_others = others.into_iter().filter(|name| kept_from(&name.path)).map(|name| name.path.clone());
    of_ours.chain(of_others).map(|name| format!("{} names {name}", module.name)).collect()
}

/// The error statuses that a module names and should not. The probes of `admin` speak to Prometheus and
/// orchestrators in plain text, not in problems of the API.
fn error_statuses(module: &Module) -> Vec<String> {
    if matches!(module.name.as_str(), "http::problem" | "http::admin") {
        return Vec::new();
    }
    let status = |path: &str| {
        let mut segments = path.split("::").skip_while(|segment| *segment != "StatusCode");
        segments.nth(1).map(str::to_owned)
    };
    let statuses: BTreeSet<String> = module.names.iter().filter_map(|name| status(&name.path)).collect();
    let errors = statuses.iter().filter(|status| !STATUSES_OF_SUCCESS.contains(&status.as_str()));
    errors.map(|status| format!("{} names StatusCode::{status}", module.name)).collect()
}

/// Whether `path` is `above` or lies below it.
fn is_within(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The modules of the product.
fn product() -> Vec<Module> {
    modules(&root().join("src"))
}

/// The folders of the workspace's packages.
fn packages() -> Vec<String> {
    let manifest = manifest("Cargo.toml");
    let members = manifest["workspace"]["members"].as_array().expect("a list");
    let members = members.iter().map(|member| member.as_str().expect("a folder").to_owned());
    members.chain([".".to_owned()]).collect()
}

fn manifest(path: &str) -> toml::Table {
    let text = std::fs::read_to_string(root().join(path)).expect("the manifest can be read");
    toml::from_str(&text).expect("the manifest is TOML")
}

/// The dependencies of a manifest: the kind of the section and the package's name.
fn dependencies(manifest: &str) -> Vec<(String, String)> {
    let mut table = self::manifest(manifest);
    // What the workspace could depend on is no dependency yet.
    table.remove("workspace");
    let mut found = Vec::new();
    collect_dependencies(&table, &mut found);
    assert!(!found.is_empty(), "{manifest} has no dependencies?");
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
