//! The configuration: the file and those that it names are read once, here and nowhere else.
//!
//! A setting that is unknown, missing or out of bounds, or a secret that others can read, prevents the start
//! before a port is bound, and all [`Mistakes`] are reported at once.

mod decisions;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use decisions::{Challenge, Codes, Lockout, policy_of};
pub use settings::Mistakes;
use settings::{Section, own, readable_file, seconds, secret_file, text};

use crate::http;
use crate::http::auth::Clients;
use crate::keys;
use crate::log::Log;
use crate::msisdn::NumberingPlan;
use crate::sms::links;
use crate::sms::message::Templates;
use crate::store;
use crate::subscriber::policy::Policy;

/// SMS that cannot be sent within their time to live are dropped, so that more places than the links carry
/// SMS in that time are of no use.
const OUTBOX_ITEMS_MAX: usize = 1_000_000;
/// File descriptors other than those of connections, links and threads: standard streams, listeners, files and signals.
const OTHER_DESCRIPTORS: u64 = 64;
/// Of the runtime of a thread: epoll, an event, and what wakes it.
const DESCRIPTORS_OF_A_THREAD: u64 = 4;
/// Threads with a runtime beside the API's workers: acceptor, SMS, admin, signals.
const OTHER_THREADS: u64 = 4;

/// Everything that the gateway is started with; all of it is valid.
#[derive(Debug)]
pub struct Config {
    pub(crate) api: http::Config,
    pub(crate) admin: http::AdminConfig,
    /// Of the whole process.
    pub log: Log,
    /// Whether each decision has a line in it.
    pub(crate) logs_decisions: bool,
    /// How long requests in flight may take when the gateway shuts down; each link has a timeout of its own.
    pub(crate) drain_timeout: Duration,
    pub(crate) clients: Clients,
    /// The bank's CSV file. It could be opened; enrolment reads it.
    pub(crate) subscribers_file: PathBuf,
    pub(crate) numbering_plan: NumberingPlan,
    pub(crate) store: store::Config,
    pub(crate) policy: Policy,
    pub(crate) templates: Templates,
    /// The most SMS that wait for the links.
    pub(crate) outbox_items_max: usize,
    /// The links to the SMSCs, and their routes.
    pub(crate) links: links::Config,
    /// The file of the master keys.
    pub(crate) key_file: PathBuf,
}

impl Config {
    /// Reads the file at `path` and those it names, relative to it.
    ///
    /// # Errors
    ///
    /// All [`Mistakes`] of the file.
    pub fn load(path: &Path) -> Result<Self, Mistakes> {
        Self::load_within(path, u64::MAX)
    }

    /// The same for a process that may have this many files open.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn load_within(path: &Path, open_files_max: u64) -> Result<Self, Mistakes> {
        settings::from_file(path, |root| Self::read(root, open_files_max))
    }

    fn read(root: &Section<'_>, open_files_max: u64) -> Option<Self> {
        let api_section = root.section("api");
        let api = http::Config::read(&api_section);
        let admin = read_admin(&root.section("admin"), api.listen);
        let log_section = root.section("log");
        let (log, logs_decisions) = (Log::read(&log_section), log_section.or("decisions", own(), true));
        let drain_timeout =
            root.section("shutdown").or("drain_timeout", seconds(0)..=seconds(60), seconds(10));
        let clients = Clients::read(root);
        let subscribers_file =
            root.section("subscribers").required("file", readable_file("the bank's CSV file"));
        let numbering_plan = read_phones(&root.section("phones"));
        let store = store::Config::read(&root.section("store"));
        let codes_section = root.section("codes");
        let keys =
            codes_section.or_written("key_file", secret_file("the master keys", keys::parse), "master.keys");
        let codes = Codes::read(&codes_section);
        let challenge = Challenge::read(&root.section("challenge"));
        let lockout = Lockout::read(&root.section("lockout"));
        let templates = Templates::read(&root.section("sms"), codes.length_max());
        let outbox = root.section("outbox");
        let outbox_items_max = outbox.or("items_max", 1..=OUTBOX_ITEMS_MAX, 20_000);
        let links = links::Config::read(root, &outbox);
        let links_count = links.as_ref().map_or(0, links::Config::links_count);
        check_descriptors(&api_section, &api, links_count, open_files_max);
        let outbox_items_min = links.as_ref().map_or(0, links::Config::outbox_items_min);
        if outbox_items_max < outbox_items_min {
            let allowed = format!(
                "{outbox_items_min} or more, so that each route's share holds the windows of each of its SMSCs"
            );
            outbox.conflict("items_max", outbox_items_max, allowed);
        }
        let (key_file, keys) = keys?;
        Some(Self {
            api,
            admin,
            log,
            logs_decisions,
            drain_timeout,
            clients: clients?,
            subscribers_file: subscribers_file?,
            numbering_plan: numbering_plan?,
            store,
            policy: policy_of(codes, challenge, &lockout, keys),
            templates: templates?,
            outbox_items_max,
            links: links?,
            key_file,
        })
    }
}

/// Each connection is an open file, and so is each link.
fn check_descriptors(section: &Section<'_>, api: &http::Config, links: usize, open_files_max: u64) {
    let workers = api.worker_count() as u64;
    let threads = (workers + OTHER_THREADS) * DESCRIPTORS_OF_A_THREAD;
    // Evicted, and not closed yet.
    let dealt = workers * http::server::DEALT_MAX as u64;
    let others = OTHER_DESCRIPTORS + threads + dealt + links as u64 + http::admin::CONNECTIONS_MAX as u64;
    if api.connections_max as u64 > open_files_max.saturating_sub(others) {
        let allowed = format!(
            "{} at most: the process may have {open_files_max} files open, and keeps {others} for others",
            open_files_max.saturating_sub(others)
        );
        section.conflict("connections_max", api.connections_max, allowed);
    }
}

/// `[admin]`, beside the API's listener.
fn read_admin(section: &Section<'_>, api: SocketAddr) -> http::AdminConfig {
    let admin = http::AdminConfig::read(section);
    let listen = admin.listen;
    let same_ip = listen.ip() == api.ip() || listen.ip().is_unspecified() || api.ip().is_unspecified();
    if listen.port() != 0 && listen.port() == api.port() && same_ip {
        section.conflict(
            "listen",
            format_args!("\"{listen}\""),
            format_args!("another than api.listen, {api}"),
        );
    }
    admin
}

/// `[phones]`.
fn read_phones(section: &Section<'_>) -> Option<NumberingPlan> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let country = text("1 to 3 digits, the first of which is not 0", move |text: &str| {
        (digits(text) && (1..=3).contains(&text.len()) && !text.starts_with('0')).then(|| text.to_owned())
    });
    let trunk = text("1 or 2 digits", move |text: &str| {
        (digits(text) && (1..=2).contains(&text.len())).then(|| text.to_owned())
    });
    let country_code = section.or("country_code", country, "62".into());
    let trunk_prefix = section.or("trunk_prefix", trunk, "0".into());
    NumberingPlan::new(&country_code, &trunk_prefix).or_else(|| {
        let allowed = format!("digits that do not begin as the country code {country_code} does");
        section.conflict("trunk_prefix", format_args!("\"{trunk_prefix}\""), allowed);
        None
    })
}
