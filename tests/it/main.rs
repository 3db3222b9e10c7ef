//! The gateway and the simulator together, in one process, over their real ports.

mod abuse;
mod architecture;
mod lifecycle;
mod support;
