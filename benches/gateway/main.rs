//! What a decision, a code, a PDU and a look-up in the store cost. Run with `cargo bench --locked`; `cargo
//! bench -- --test` runs each once.

mod decision;
mod fixture;
mod pdu;
mod store;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    decision::bench(&mut criterion);
    pdu::bench(&mut criterion);
    store::bench(&mut criterion);
    criterion.final_summary();
}
