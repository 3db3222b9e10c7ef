//! The gateway and the simulator together, in one process, over their real ports.

mod abuse;
mod architecture;
mod contract;
mod counted;
mod example;
mod hostile;
mod lifecycle;
mod lists;
mod support;
mod support_call;
mod wrong_configurations;
