//! One link to an SMSC: one ESME session after another, over TCP, for as long as the gateway runs.
//!
//! ```text
//! supervisor ──► connect ──► connection ⇄ session (frames, time ─► bytes, reports)
//!     ▲                          │
//!     └────────── over ──────────┘
//! ```
//!
//! One task owns a link. It reads before it does anything else, and never waits to write or to report.

mod backoff;
mod buffer;
mod compose;
mod connect;
mod connection;
mod log_throttle;
mod session;
pub(super) mod settings;
mod shared;
mod shutdown;
mod socket;
mod submits;
mod supervisor;
pub(super) mod tls;

pub(super) use session::Role;
pub(crate) use settings::WINDOW_MAX;
pub(super) use shared::{Common, Smsc};
pub(super) use supervisor::Link;

const _: () = assert!(WINDOW_MAX < super::REPORTS_MAX, "each submit in flight holds a report's place");

#[cfg(test)]
mod tests;
