//! Which link takes which SMS.
//!
//! ```text
//!                              ┌─► lane of an SMSC ──► its links take what they have room for
//! outbox ──► by destination ───┼─► lane of another     │
//!                 ▲            └─► parked ◄── none can │
//!                 │                   │                │ surely not sent: a link died, or an SMSC
//!                 └───────────────────┴◄───────────────┘ could not deal with it
//! ```
//!
//! The [route](route) with the longest [prefix](prefixes) names SMSCs in order. The first that can takes the SMS:
//! one with a bound link and a [closed circuit](circuit), or whose next probe it is. An SMSC that has just come back
//! after all its links were lost stands behind the others until it has been up for
//! [`STEADY_AFTER`](smsc::STEADY_AFTER), so that traffic does not swing to and fro. What no SMSC of its route can take
//! is parked until one can, or until it is too old: then it is dropped and reported.
//!
//! Each SMS carries its route and its place in the outbox with it, as one [ticket](route::Ticket), wherever it goes.
//!
//! Everything here belongs to one thread: the links' tasks and the router share it through short borrows, none
//! of which is held across an `.await`. A link pulls. It takes items straight from the outbox while it has
//! room and puts those of others into their lanes; only when it finds none does it wait, and the router waits
//! for it.

mod circuit;
mod lane;
mod lanes;
pub(super) mod prefixes;
pub(super) mod route;
mod router;
mod smsc;
pub(super) mod table;

pub(super) use lane::Lane;
pub(super) use router::Router;
pub use table::Config;
pub(super) use table::Table;

#[cfg(test)]
mod tests;
