//! Wires the modules together: from a configuration to a running gateway, and its orderly shutdown. `main`,
//! the integration tests and the demo run it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::clock::Clock;
use crate::config::{Config, Mistakes};
use crate::drift;
use crate::enrolment;
use crate::gateway::Gateway;
use crate::http::admin::{Admin, AdminServer};
use crate::http::api::Api;
use crate::http::server::Server;
use crate::metrics::Metrics;
use crate::sms;
use crate::sms::links::Links;
use crate::sms::outbox::Item;
use crate::store::Store;
use crate::subscriber::code::KeyChanged;
use crate::threads::Threads;

/// Why the gateway did not start. Nothing is left running.
#[derive(Debug)]
pub enum StartError {
    /// The subscribers' file cannot be used.
    Enrolment(Mistakes),
    /// A listener that could not be bound: its setting, its address and the system's error.
    Listen(&'static str, SocketAddr, io::Error),
    /// A thread or its runtime could not be started.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enrolment(error) => error.fmt(f),
            Self::Listen(setting, addr, error) => write!(f, "{setting} = \"{addr}\": {error}"),
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl StartError {
    /// Whether a file has to be corrected, rather than something on the machine.
    pub fn is_of_configuration(&self) -> bool {
        matches!(self, Self::Enrolment(_))
    }
}

/// A running gateway. Dropping it ends its threads without waiting for them.
#[derive(Debug)]
pub struct App {
    gateway: Arc<Gateway>,
    api: Arc<Api>,
    admin: Arc<Admin>,
    server: Server,
    admin_server: AdminServer,
    sms: JoinHandle<()>,
    // Each cancels its token when it is dropped, so that a start that fails half way leaves no thread behind.
    drain_api: DropGuard,
    drain_sms: DropGuard,
    stop_admin: DropGuard,
}

/// Loads the subscribers as a start would, and returns how many.
///
/// # Errors
///
/// All [`Mistakes`] of the file.
pub fn load_subscribers(config: &Config) -> Result<u64, Mistakes> {
    let store = Store::new(config.store.clone(), 0, Arc::new(Metrics::new()));
    enrolment::load(&config.subscribers_file, &config.numbering_plan, &store)
}

fn load_store(config: &Config, clock: &Clock, metrics: &Arc<Metrics>) -> Result<Store, StartError> {
    let store = Store::new(config.store.clone(), 0, Arc::clone(metrics));
    let start = clock.uptime();
    let subscribers = enrolment::load(&config.subscribers_file, &config.numbering_plan, &store)
        .map_err(StartError::Enrolment)?;
    let seconds = (clock.uptime() - start).as_secs_f64();
    tracing::info!(subscribers, seconds, "subscribers loaded");
    if subscribers == 0 {
        let file = config.subscribers_file.display();
        tracing::warn!(%file, "there are no subscribers: nobody can get a code");
    }
    tracing::warn!("there is no journal yet: a restart voids open challenges and forgets failures and locks");
    Ok(store)
}

impl App {
    /// Loads the subscribers and starts the threads; the listeners are bound when this returns, and
    /// the links to the SMSCs are connecting.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn start(config: Config, clock: Clock) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new());
        let store = load_store(&config, &clock, &metrics)?;
        let (outbox, queue) = config.links.outbox(config.outbox_items_max, clock.clone(), &metrics);
        let (policy, templates) = (config.policy, config.templates);
        let gateway =
            Arc::new(Gateway::new(store, policy, templates, outbox, clock.clone(), Arc::clone(&metrics)));
        let (sender, reports) = sms::reports();
        let (releaser, reporter, expirer) =
            (Arc::clone(&gateway), Arc::clone(&gateway), Arc::clone(&gateway));
        let release = move |item: &Item| releaser.release(item);
        let links = Links::new(config.links, queue, release, sender, clock.clone(), Arc::clone(&metrics));
        let threads = Threads::new(clock.clone());
        let admin = Arc::new(Admin::new(Arc::clone(&gateway), Arc::clone(&metrics), Arc::clone(&threads)));
        let (drain_api, drain_sms, stop_admin) =
            (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let listen = config.admin.listen;
        let admin_server = AdminServer::start(listen, Arc::clone(&admin), clock.clone(), stop_admin.clone())
            .map_err(|error| StartError::Listen("admin.listen", listen, error))?;
        let stop_admin = stop_admin.drop_guard();
        let (clients, listen) = (config.clients, config.api.listen);
        let api = Arc::new(Api::new(
            Arc::clone(&gateway),
            clients,
            clock.clone(),
            Arc::clone(&metrics),
            &config.api,
            config.logs_decisions,
        ));
        let server =
            Server::start(&config.api, &api, &clock, &metrics, config.drain_timeout, &drain_api, &threads)
                .map_err(|error| StartError::Listen("api.listen", listen, error))?;
        let drain_api = drain_api.drop_guard();
        let (drain, stop) = (drain_sms.clone(), drain_sms.clone());
        let run = move || async move {
            tokio::join!(
                links.run(drain),
                reporter.take_reports(reports),
                drift::watch(clock, metrics, expirer, stop)
            );
        };
        let sms = threads.spawn("sms", run).map_err(StartError::Thread)?;
        let drain_sms = drain_sms.drop_guard();
        tracing::info!(api = %server.addr(), admin = %admin_server.addr(), "ready");
        Ok(Self { gateway, api, admin, server, admin_server, sms, drain_api, drain_sms, stop_admin })
    }

    /// Where the API listens.
    pub fn api_addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Where `/metrics`, `/livez` and `/readyz` are.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin_server.addr()
    }

    /// Takes over the clients and the master keys of a configuration that was read again: see [`Gateway::replace_keys`].
    /// Its other settings count from the next start on.
    ///
    /// # Errors
    ///
    /// As there, with the file; then the clients stay as they were, too.
    pub fn reload(&self, config: Config) -> Result<(), String> {
        let of_file = |changed: KeyChanged| {
            format!("{}: found {changed}, allowed a new number for a new key", config.key_file.display())
        };
        let removed = self.gateway.replace_keys(&config.policy.keys).map_err(of_file)?;
        if !removed.is_empty() {
            let numbers: Vec<u16> = removed.iter().map(|id| id.0).collect();
            tracing::warn!(
                ?numbers,
                "master keys are gone: what was issued under them is neither sent nor approved any more"
            );
        }
        self.api.replace_clients(config.clients);
        self.server.forget_known();
        tracing::info!("clients and master keys read again");
        Ok(())
    }

    /// Shuts down: `/readyz` fails, new connections are refused, requests in flight are answered, the links
    /// are drained and unbound; each step takes at most its configured time. Blocks until all threads have
    /// ended.
    pub fn drain(self) {
        tracing::info!("draining");
        self.admin.drain();
        drop(self.drain_api);
        self.server.join();
        drop(self.drain_sms);
        if self.sms.join().is_err() {
            tracing::error!("the SMS thread panicked");
        }
        drop(self.stop_admin);
        self.admin_server.join();
        tracing::info!("stopped");
    }
}
