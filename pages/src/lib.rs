//! Web pages that a program shows on this machine, and the API behind them, as the simulator and the demo
//! bank have them.
//!
//! axum routes and parses. Here is what it has not, once for both: a listener with bounds ([`serve`]), a
//! guard against the pages of other sites ([`Guard`]), headers that protect every reply, files that are part
//! of the program ([`assets`]), bodies with a bound ([`read_body`]), and streams of events that end with the
//! program ([`events`]).

mod assets;
mod body;
mod clock;
mod events;
mod guard;
mod headers;
mod refusal;
mod server;

pub use assets::{Asset, assets};
pub use body::read_body;
pub use events::events;
pub use guard::Guard;
pub use headers::has_content_type;
pub use refusal::Refusal;
pub use server::serve;
