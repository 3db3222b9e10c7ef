//! All links to all SMSCs, on one thread.
//!
//! Each link is a task that owns its connection (see [`super::link`]); what they share — the routes, and for
//! each SMSC the receipts that are waited for — belongs to this thread only and is lent for moments.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::link::settings::Settings;
use super::link::tls::{self, Connector};
use super::link::{self, Common, Link, Mode, Role, Smsc, WINDOW_MAX};
use super::outbox::{Item, Outbox, Queue, outbox};
use super::route::table::{self, Table};
use super::router::Router;
use super::{DeliveryReport, Misconfigured};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::subscriber::code::Code;

/// The most SMSCs.
const SMSCS_MAX: usize = 16;

/// An SMSC's settings, and what the files that they name hold.
#[derive(Clone)]
pub struct SmscConfig {
    /// `[[smsc]]`.
    pub settings: link::Config,
    /// The password of its binds.
    pub password: Zeroizing<String>,
    /// The files of `[smsc.tls]`.
    pub tls: Option<tls::Files>,
}

impl SmscConfig {
    fn check(&self) -> Result<CheckedSmsc, Misconfigured> {
        let settings = Settings::new(&self.settings, &self.password)?;
        let connector = match (&self.settings.tls, &self.tls) {
            (Some(config), Some(files)) => {
                let connector = Connector::new(config, files, self.settings.host());
                Some(connector.map_err(|error| error.within("tls"))?)
            }
            _ => None,
        };
        Ok(CheckedSmsc { settings, password: self.password.clone(), connector })
    }
}

/// Shows no password.
impl fmt::Debug for SmscConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmscConfig").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// `[[smsc]]` and `[[route]]`, as they are written.
#[derive(Clone, Debug)]
pub struct Config {
    /// At least one, the preferred first.
    pub smscs: Vec<SmscConfig>,
    /// None: all SMSCs carry everything, in their order.
    pub routes: Vec<table::Config>,
}

/// The same within its bounds.
struct Checked {
    smscs: Vec<CheckedSmsc>,
    table: Table,
}

/// An [`SmscConfig`] within its bounds.
struct CheckedSmsc {
    settings: Settings,
    password: Zeroizing<String>,
    connector: Option<Connector>,
}

impl Config {
    /// # Errors
    ///
    /// The first setting that is [`Misconfigured`]; the password counts to `password_file` and is not quoted.
    pub fn validate(&self) -> Result<(), Misconfigured> {
        self.check().map(drop)
    }

    /// The queue before these links, of at most `items_max` SMS.
    ///
    /// # Errors
    ///
    /// Those of [`Config::validate`].
    pub(crate) fn outbox(
        &self,
        items_max: usize,
        clock: Clock,
        metrics: &Arc<Metrics>,
    ) -> Result<(Outbox, Queue), Misconfigured> {
        Ok(outbox(items_max, self.check()?.table, clock, metrics))
    }

    fn check(&self) -> Result<Checked, Misconfigured> {
        if !(1..=SMSCS_MAX).contains(&self.smscs.len()) {
            return Err(Misconfigured::new("smsc", "1 to 16 tables [[smsc]]"));
        }
        let check = |(index, smsc): (usize, &SmscConfig)| {
            smsc.check().map_err(|error| error.within(&format!("smsc[{index}]")))
        };
        let smscs: Vec<_> = self.smscs.iter().enumerate().map(check).collect::<Result<_, _>>()?;
        let names: Vec<&str> = smscs.iter().map(|smsc| smsc.settings.name.as_str()).collect();
        if let Some(index) = (1..names.len()).find(|index| names[..*index].contains(&names[*index])) {
            return Err(Misconfigured::new(format!("smsc[{index}].name"), "another than those before"));
        }
        let windows: usize =
            smscs.iter().map(|CheckedSmsc { settings, .. }| settings.window * settings.binds).sum();
        if windows > WINDOW_MAX {
            let expected = "10000 at most for all binds of all [[smsc]] together";
            return Err(Misconfigured::new("smsc.window", expected));
        }
        let table = Table::new(&self.routes, &names)?;
        Ok(Checked { smscs, table })
    }
}

/// All links, to be [run](Links::run).
pub(crate) struct Links<R> {
    smscs: Vec<CheckedSmsc>,
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
    ///
    /// # Errors
    ///
    /// Those of [`Config::validate`].
    pub(crate) fn new(
        config: &Config,
        queue: Queue,
        release: R,
        reports: mpsc::Sender<DeliveryReport>,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Misconfigured> {
        Ok(Self { smscs: config.check()?.smscs, queue, release, reports, clock, metrics })
    }

    /// Keeps the links up until `drain` is cancelled; then each sends what it can, and unbinds. To be run on
    /// a [`tokio::runtime::LocalRuntime`].
    ///
    /// Dropping it instead loses what is queued, and what is in flight then stays unknown.
    pub(crate) async fn run(self, drain: CancellationToken) {
        let Self { smscs, queue, release, reports, clock, metrics } = self;
        let smscs: Vec<Rc<Smsc>> = smscs
            .into_iter()
            .map(|CheckedSmsc { settings, password, connector }| {
                let metrics = metrics.smsc(&settings.name);
                Rc::new(Smsc::new(settings, password, connector, metrics))
            })
            .collect();
        let counts = smscs.iter().map(|smsc| (roles(&smsc.settings).count(), smsc.metrics.clone()));
        let router = Router::new(queue, counts, clock.clone(), Arc::clone(&metrics));
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

/// The roles of an SMSC's links, in their order.
fn roles(settings: &Settings) -> impl Iterator<Item = Role> + use<> {
    let of_one: &[Role] = match settings.mode {
        Mode::Transceiver => &[Role::Transceiver],
        Mode::TransmitterReceiver => &[Role::Transmitter, Role::Receiver],
    };
    std::iter::repeat_n(of_one, settings.binds).flatten().copied()
}
