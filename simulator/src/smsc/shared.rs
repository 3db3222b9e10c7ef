//! What the sessions share.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use smpp::status::CommandStatus;
use subtle::Choice;
use tokio::sync::watch;

use super::account::Account;
use super::long_messages::LongMessages;
use super::pending::PendingMessages;
use super::seen::Seen;
use super::stages::Stages;
use crate::capture::Capture;
use crate::config::{Config, Esme};
use crate::inbox::{Inbox, MessageId};
use crate::metrics::Metrics;

/// What the operator asks of all sessions: counters, so that a session sees what was asked after it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Orders {
    pub(super) unbind: u64,
    pub(super) disconnect: u64,
}

/// The SMSC.
pub(crate) struct Smsc {
    pub(super) config: Config,
    pub(super) inbox: Arc<Inbox>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) capture: Option<Capture>,
    pub(super) stages: Stages,
    pub(super) accounts: Vec<Arc<Account>>,
    pub(super) long_messages: Mutex<LongMessages>,
    pub(super) pending: PendingMessages,
    /// Marks of the parameter that must not come twice.
    pub(super) seen: Mutex<Seen>,
    pub(super) orders: watch::Sender<Orders>,
    next_id: AtomicU64,
}

impl Smsc {
    pub(crate) fn new(
        config: Config,
        instance: u32,
        inbox: Arc<Inbox>,
        metrics: Arc<Metrics>,
        capture: Option<Capture>,
    ) -> Self {
        let dropped = &metrics.receipts.dropped;
        let account = |esme: &Esme| Arc::new(Account::new(esme.clone(), dropped.clone()));
        Self {
            accounts: config.esmes.iter().map(account).collect(),
            inbox,
            capture,
            stages: Stages::new(config.behavior.clone(), metrics.scenario_step.clone()),
            long_messages: Mutex::default(),
            pending: PendingMessages::default(),
            seen: Mutex::default(),
            orders: watch::Sender::new(Orders::default()),
            // 2³² ids before two runs of the simulator could share one.
            next_id: AtomicU64::new(u64::from(instance) << 32),
            metrics,
            config,
        }
    }

    pub(super) fn next_id(&self) -> MessageId {
        MessageId::new(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Whose credentials these are, or the status that says what is wrong. All are compared, and each in
    /// constant time.
    pub(super) fn admit(&self, system_id: &[u8], password: &[u8]) -> Result<&Arc<Account>, CommandStatus> {
        let (mut known, mut proven) = (Choice::from(0), None);
        for account in &self.accounts {
            let (name, word) = account.admits(system_id, password);
            known |= name;
            if (name & word).into() {
                proven = Some(account);
            }
        }
        match proven {
            Some(account) => Ok(account),
            None if known.into() => Err(CommandStatus::ESME_RINVPASWD),
            None => Err(CommandStatus::ESME_RINVSYSID),
        }
    }
}

impl fmt::Debug for Smsc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smsc").field("config", &self.config).finish_non_exhaustive()
    }
}
