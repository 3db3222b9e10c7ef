//! The OTP gateway: issues one-time passwords bound to a transaction, sends them by SMS over SMPP,
//! and approves each at most once.
//!
//! One subscriber, one entry, one lock, one decision. A request comes in through [`http`], becomes
//! one use case of [`gateway`], which takes one decision on one [`subscriber`] in the [`store`] and
//! puts its SMS into the outbox of [`sms`], from where an SMPP link takes it to the SMSC.
//!
//! [`app`] wires the modules together. `ARCHITECTURE.md` is the map; `DESIGN.md` gives the reasons.

pub mod app;
mod call;
pub mod clock;
pub mod config;
mod drift;
mod enrolment;
mod entropy;
mod gateway;
mod http;
pub mod init;
pub mod keys;
pub mod log;
pub mod metrics;
pub mod msisdn;
mod named;
pub mod shutdown;
mod sms;
pub mod store;
pub mod subscriber;
mod threads;
