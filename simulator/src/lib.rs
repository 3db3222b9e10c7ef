//! An SMSC to test against: it speaks SMPP like an operator's and shows what the handsets would show.
//!
//! ```text
//! ESME ⇄ smsc/connection ⇄ smsc/session ─► smsc/submit ─► inbox ─► web (API, stream, page)
//!            bytes            PDUs            messages        └──► tests, in process
//! ```
//!
//! A connection is one task that owns its socket and its session; sessions share the inbox, the messages on
//! their way to handsets, what waits for a receiver, and the counters. How all of that fares is data: a
//! [`Behavior`], which can change while the simulator runs. Every queue is bounded. No log line shows a text
//! or a whole number.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use smsc_simulator::{Config, Simulator};
//! use std::time::Duration;
//!
//! let simulator = Simulator::start(Config::default()).await?;
//! let before = simulator.inbox().cursor();
//! // Have the system under test bind to simulator.smpp_addr() and send, then:
//! let message = simulator.inbox().wait_for("+628120001234", before, Duration::from_secs(5)).await;
//! println!("{}", message.map_or(0, |message| message.segments()));
//! simulator.stop().await;
//! # Ok(())
//! # }
//! ```

pub mod behavior;
mod capture;
mod clock;
mod config;
pub mod inbox;
mod metrics;
mod rate;
mod smsc;
mod tls;
mod web;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use behavior::{Behavior, DELAY_MAX};
pub use config::{Config, Esme};
pub use inbox::Inbox;
pub use smsc::HandsetError;
pub use tls::{Tls, TlsError};

use capture::Capture;
use metrics::Metrics;
use smsc::Smsc;
use web::{About, Web};

/// A running simulator: an SMSC, an inbox and its web listener.
///
/// Its tasks run on the runtime that [`Simulator::start`] was called on. Dropping it stops them without
/// waiting; [`Simulator::stop`] waits.
#[derive(Debug)]
pub struct Simulator {
    smpp_addr: SocketAddr,
    tls_addr: Option<SocketAddr>,
    web_addr: SocketAddr,
    smsc: Arc<Smsc>,
    inbox: Arc<Inbox>,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Simulator {
    /// Binds the listeners and starts answering.
    ///
    /// # Errors
    ///
    /// [`StartError`] when a setting makes no sense, an address cannot be bound, the capture file cannot be
    /// written, or the operating system gives no random bytes.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let mistakes = config.mistakes();
        if !mistakes.is_empty() {
            return Err(StartError::Settings(mistakes));
        }
        let acceptor = config.tls.as_ref().map(Tls::acceptor).transpose().map_err(StartError::Tls)?;
        let instance = getrandom::u32().map_err(StartError::Random)?;
        let (smpp, smpp_addr) = listen(config.smpp_listen).await?;
        let (web, web_addr) = listen(config.web_listen).await?;
        let under_tls = match (&config.tls, acceptor) {
            (Some(tls), Some(acceptor)) => Some((listen(tls.listen).await?, acceptor)),
            _ => None,
        };
        let tls_addr = under_tls.as_ref().map(|((_, address), _)| *address);
        let metrics = Arc::new(Metrics::new());
        let capture = match &config.capture {
            None => None,
            Some(file) => Some(
                Capture::create(file, config.capture_bytes_max, metrics.capture_cut.clone())
                    .map_err(|error| StartError::Capture(file.clone(), error))?,
            ),
        };
        let inbox = Arc::new(Inbox::new(config.inbox_messages_max, config.inbox_bytes_max));
        let shutdown = CancellationToken::new();
        let guard = web::guard(web_addr, config.token.clone());
        let system_ids = config.esmes.iter().map(|esme| esme.system_id.clone()).collect();
        let about = About { smpp: smpp_addr, tls: tls_addr, system_ids };
        let smsc = Arc::new(Smsc::new(config, instance, Arc::clone(&inbox), Arc::clone(&metrics), capture));
        let shared = (Arc::clone(&smsc), Arc::clone(&inbox), metrics);
        let site = Web::new(about, instance, shared, shutdown.clone());
        let mut tasks = vec![
            tokio::spawn(Arc::clone(&smsc).serve(smpp, None, shutdown.clone())),
            tokio::spawn(Arc::clone(&smsc).deliver_pending(shutdown.clone())),
            tokio::spawn(Arc::clone(&smsc).run_scenarios(shutdown.clone())),
            tokio::spawn(site.serve(web, guard)),
        ];
        if let Some(((listener, _), acceptor)) = under_tls {
            tasks.push(tokio::spawn(Arc::clone(&smsc).serve(listener, Some(acceptor), shutdown.clone())));
        }
        tracing::info!(%smpp_addr, ?tls_addr, %web_addr, "simulator up");
        Ok(Self { smpp_addr, tls_addr, web_addr, smsc, inbox, shutdown, tasks })
    }

    /// Where ESMEs connect.
    #[must_use]
    pub fn smpp_addr(&self) -> SocketAddr {
        self.smpp_addr
    }

    /// Where ESMEs connect that speak TLS, if any may.
    #[must_use]
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls_addr
    }

    /// Where the inbox API and the page are.
    #[must_use]
    pub fn web_addr(&self) -> SocketAddr {
        self.web_addr
    }

    /// What the handsets show.
    #[must_use]
    pub fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// Sessions bound now.
    #[must_use]
    pub fn sessions_bound(&self) -> usize {
        self.smsc.sessions_bound()
    }

    /// How the SMSC behaves now.
    #[must_use]
    pub fn behavior(&self) -> Behavior {
        self.smsc.behavior()
    }

    /// Changes how the SMSC behaves, from the next bind and submit on. What is left to chance starts anew
    /// from the seed.
    pub fn set_behavior(&self, behavior: Behavior) {
        self.smsc.set_behavior(behavior);
    }

    /// [`Simulator::set_behavior`] with another time between reading a submit and answering it. Cut to
    /// [`DELAY_MAX`].
    pub fn set_latency(&self, latency: Duration) {
        self.smsc.set_behavior(self.smsc.behavior().with_latency(latency));
    }

    /// Has the handset `from` write `text` to `to`, a number or name of the ESME called `system_id`, or of
    /// the first one with a session that receives. The message is listed in the inbox, and DELIVERED once the
    /// ESME has answered.
    ///
    /// # Errors
    ///
    /// [`HandsetError`] when an address or the text makes no sense, or when no session is bound that
    /// receives.
    pub fn send_from_handset(
        &self,
        from: &str,
        to: &str,
        text: &str,
        system_id: Option<&str>,
    ) -> Result<Arc<inbox::Message>, HandsetError> {
        let at = clock::Moment::present();
        self.smsc.send_from_handset(from, to, text, system_id, &at)
    }

    /// Submits whose [`Config::unique_tlv`] had come before.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.smsc.metrics().repeated.get()
    }

    /// Messages that a handset showed after their expiry: none, ever.
    #[must_use]
    pub fn shown_late(&self) -> u64 {
        self.smsc.metrics().shown_late.get()
    }

    /// Submits accepted, segments each by itself.
    #[must_use]
    pub fn submits_accepted(&self) -> u64 {
        self.smsc.metrics().submits.accepted.get()
    }

    /// Has the SMSC unbind every session, as an operator does for maintenance. New ones may bind at once.
    pub fn unbind_sessions(&self) {
        self.smsc.unbind_sessions();
    }

    /// Closes every connection without a word, whatever is unanswered. New ones may connect at once.
    pub fn disconnect_sessions(&self) {
        self.smsc.disconnect_sessions();
    }

    /// Unbinds the sessions, ends the streams, closes the listeners and the capture file, and waits until all
    /// of that is done: a second or two at most.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        for task in self.tasks.drain(..) {
            // A task that panicked has stopped, too.
            let _ = task.await;
        }
        self.smsc.finish_capture().await;
        tracing::info!("simulator stopped");
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Why a simulator did not start.
#[derive(Debug)]
pub enum StartError {
    /// All that is wrong with the settings, each as `key: found X, allowed Y`.
    Settings(Vec<String>),
    /// The address cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// The certificates or the key of the TLS listener cannot be used.
    Tls(TlsError),
    /// The capture file cannot be written.
    Capture(PathBuf, io::Error),
    /// The operating system gives no random bytes.
    Random(getrandom::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(mistakes) => f.write_str(&mistakes.join("\n")),
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Tls(error) => error.fmt(f),
            Self::Capture(file, error) => write!(f, "cannot write {}: {error}", file.display()),
            Self::Random(error) => write!(f, "no random bytes: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Settings(_) => None,
            Self::Listen(_, error) | Self::Capture(_, error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::Random(error) => Some(error),
        }
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error| StartError::Listen(address, error);
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
