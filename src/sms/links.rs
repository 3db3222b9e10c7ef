//! All links to all SMSCs, on one thread.
//!
//! Each link is a task that owns its connection (see [`super::link`]); what they share — the routes, and for
//! each SMSC the receipts that are waited for — belongs to this thread only and is lent for moments.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use settings::{FileProblem, Section, secret_file};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::DeliveryReport;
use super::link::settings::{Mode, Settings, parse_password};
use super::link::tls::Connector;
use super::link::{Common, Link, Role, Smsc, WINDOW_MAX};
use super::outbox::{Item, Outbox, Queue, outbox};
use super::route::table::Table;
use super::router::{Carrier, Router};
use crate::clock::Clock;
use crate::metrics::{Metrics, SmscMetrics};
use crate::subscriber::code::Code;

/// The most SMSCs.
const SMSCS_MAX: usize = 16;

/// An SMSC, and what its links begin with.
#[derive(Clone)]
pub(in crate::sms) struct SmscConfig {
    pub(in crate::sms) settings: Settings,
    /// The password of its binds.
    pub(in crate::sms) password: Zeroizing<String>,
    /// TLS, if it is to be spoken.
    pub(in crate::sms) connector: Option<Connector>,
}

impl SmscConfig {
    fn read(section: &Section<'_>) -> Option<Self> {
        let settings = Settings::agreeing(section);
        let of_password = "a file with at most 8 printable ASCII characters";
        let password = secret_file(of_password, |text| {
            let password = parse_password(text).ok_or_else(|| FileProblem::other(of_password))?;
            Ok(Zeroizing::new(password.to_owned()))
        });
        let password = section.or_written("password_file", password, "smsc.password");
        let tls = section.section("tls");
        let connector =
            if tls.is_written() { Connector::read(&tls, settings.host()).map(Some) } else { Some(None) };
        Some(Self { settings, password: password?.1, connector: connector? })
    }

    /// The submits that all its binds together may have without an answer.
    fn windows(&self) -> usize {
        self.settings.window * self.settings.binds
    }
}

/// Shows no password.
impl fmt::Debug for SmscConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmscConfig")
            .field("settings", &self.settings)
            .field("tls", &self.connector.is_some())
            .finish_non_exhaustive()
    }
}

/// `[[smsc]]` and `[[route]]`.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// At least one, the preferred first.
    pub(in crate::sms) smscs: Vec<SmscConfig>,
    pub(in crate::sms) table: Table,
}

impl Config {
    /// Reads the tables `[[smsc]]` and `[[route]]`, and the files that they name, and what `[outbox]` says of
    /// destinations.
    pub(crate) fn read(root: &Section<'_>, outbox: &Section<'_>) -> Option<Self> {
        let sections = root.sections("smsc", 1..=SMSCS_MAX);
        let smscs: Vec<_> = sections.iter().map(SmscConfig::read).collect();
        // As they are written, so that a name that is refused is no other's.
        let name = |section: &Section<'_>| match section.entry("name") {
            Some(name) => name.text().unwrap_or_default().to_owned(),
            None => Settings::default().name,
        };
        let names: Vec<_> = sections.iter().map(name).collect();
        for (index, section) in sections.iter().enumerate() {
            if names[..index].contains(&names[index]) {
                section.conflict(
                    "name",
                    format_args!("{:?}", names[index]),
                    "a name that no [[smsc]] before has",
                );
            }
        }
        let table = Table::read(root, outbox, &names.iter().map(String::as_str).collect::<Vec<_>>());
        let smscs: Vec<SmscConfig> = smscs.into_iter().collect::<Option<_>>()?;
        let unanswered: usize = smscs.iter().map(SmscConfig::windows).sum();
        if unanswered > WINDOW_MAX {
            let found = format_args!("windows of {unanswered} submits for all binds together");
            root.conflict("smsc", found, format_args!("{WINDOW_MAX} at most"));
        }
        Some(Self { smscs, table })
    }

    /// The fewest places in the outbox with which each route's share holds the windows of each of its SMSCs, one of
    /// which sends for it at a time.
    pub(crate) fn outbox_items_min(&self) -> usize {
        let windows = self.table.smscs.iter().flatten().map(|smsc| self.smscs[*smsc].windows());
        windows.max().unwrap_or_default() * self.table.smscs.len()
    }

    /// All links, each a connection of its own.
    pub(crate) fn links_count(&self) -> usize {
        self.smscs.iter().map(|smsc| roles(&smsc.settings).count()).sum()
    }

    /// The queue before these links, of at most `items_max` SMS.
    pub(crate) fn outbox(&self, items_max: usize, clock: Clock, metrics: &Arc<Metrics>) -> (Outbox, Queue) {
        outbox(items_max, self.table.clone(), clock, metrics)
    }
}

/// All links, to be [run](Links::run).
pub(crate) struct Links<R> {
    config: Config,
    queue: Queue,
    release: R,
    reports: mpsc::Sender<DeliveryReport>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl<R: Fn(&Item) -> Option<(Code, Duration)> + 'static> Links<R> {
    /// Links that send what is in `queue`.
    ///
    /// `release` is asked just before an item is written: it derives the code and says what is left of its
    /// time, or says that the item must not be sent any more. It must not block. `reports` gets one outcome
    /// for each item (accepted, rejected, unknown or dropped), then what receipts say; more may follow an
    /// unknown one.
    pub(crate) fn new(
        config: Config,
        queue: Queue,
        release: R,
        reports: mpsc::Sender<DeliveryReport>,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { config, queue, release, reports, clock, metrics }
    }

    /// Keeps the links up until `drain` is cancelled; then each sends what it can, and unbinds. To be run on
    /// a [`tokio::runtime::LocalRuntime`].
    ///
    /// Dropping it instead loses what is queued, and what is in flight then stays unknown.
    pub(crate) async fn run(self, drain: CancellationToken) {
        let Self { config: Config { smscs, table: _ }, queue, release, reports, clock, metrics } = self;
        let smscs: Vec<Rc<Smsc>> = smscs
            .into_iter()
            .map(|SmscConfig { settings, password, connector }| {
                let metrics = metrics.smsc(&settings.name);
                Rc::new(Smsc::new(settings, password, connector, metrics))
            })
            .collect();
        let carriers = smscs.iter().map(|smsc| carrier(&smsc.settings, smsc.metrics.clone()));
        let router = Router::new(queue, carriers, clock.clone(), Arc::clone(&metrics));
        let common = Rc::new(Common { release, reports: reports.clone(), clock, metrics });
        let mut links = JoinSet::new();
        let all = smscs.iter().flat_map(|smsc| roles(&smsc.settings).map(move |role| (smsc, role)));
        for (index, (smsc, role)) in all.enumerate() {
            let link = Link::new(Rc::clone(smsc), role, router.lane(index), Rc::clone(&common));
            links.spawn_local(link.run(drain.clone()));
        }
        let ended = async {
            while let Some(ended) = links.join_next().await {
                // Nothing cancels a link: it panicked, and so does this thread.
                ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            }
        };
        tokio::select! {
            () = router.run(&drain, &reports) => {}
            () = ended => {}
        }
        let dropped = router.drop_waiting(&reports);
        tracing::info!(dropped, "all links have stopped");
    }
}

fn carrier(settings: &Settings, metrics: SmscMetrics) -> Carrier {
    let Settings { window, response_timer, .. } = *settings;
    Carrier { links: roles(settings).count(), window, response_timer, metrics }
}

/// The roles of an SMSC's links, in their order.
fn roles(settings: &Settings) -> impl Iterator<Item = Role> + use<> {
    let of_one: &[Role] = match settings.mode {
        Mode::Transceiver => &[Role::Transceiver],
        Mode::TransmitterReceiver => &[Role::Transmitter, Role::Receiver],
    };
    std::iter::repeat_n(of_one, settings.binds).flatten().copied()
}
