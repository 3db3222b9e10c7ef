//! The simulator through its public API: over SMPP, over HTTP, in process.

#![expect(clippy::unwrap_used, reason = "helpers outside of #[test] functions fail a test by panicking, too")]

mod behaviors;
mod capture;
mod command_line;
mod control_api;
mod esme;
mod field_notes;
mod http;
mod inbox_api;
mod logs;
mod readme;
mod sessions;
mod time;
mod tls;
