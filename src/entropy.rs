//! Random bytes for challenges: a ChaCha20 generator per thread, reseeded from the system every second.
//!
//! So a machine that is cloned or restored from a snapshot repeats at most a second of a stream.
//! That is harmless: codes are keyed, and bound to the subscriber and the transaction.

use std::cell::RefCell;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use zeroize::Zeroizing;

use crate::clock::Timestamp;

const RESEED_AFTER: Duration = Duration::from_secs(1);

struct Generator {
    stream: ChaCha20Rng,
    seeded_at: Timestamp,
}

thread_local! {
    static GENERATOR: RefCell<Option<Generator>> = const { RefCell::new(None) };
}

impl Generator {
    fn seeded(now: Timestamp) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).expect("the system has randomness once it is up");
        Self { stream: ChaCha20Rng::from_seed(*seed), seeded_at: now }
    }
}

/// Fills `bytes` with random ones.
///
/// # Panics
///
/// If the system has no randomness to seed from.
pub(crate) fn fill(bytes: &mut [u8], now: Timestamp) {
    GENERATOR.with_borrow_mut(|generator| {
        let fresh = |generator: &Generator| now.since(generator.seeded_at) < RESEED_AFTER;
        let generator = match generator {
            Some(generator) if fresh(generator) => generator,
            _ => generator.insert(Generator::seeded(now)),
        };
        generator.stream.fill_bytes(bytes);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stream of this thread is put back to where it was, as a restored snapshot would do.
    fn restored_after(pause: Duration) -> ([u8; 32], [u8; 32]) {
        let start = Timestamp::from_unix_millis(0);
        let (mut before, mut after) = ([0; 32], [0; 32]);
        fill(&mut before, start);
        let snapshot = GENERATOR.with_borrow(|generator| generator.as_ref().map(|g| g.stream.clone()));
        fill(&mut before, start);
        GENERATOR.with_borrow_mut(|generator| {
            if let (Some(generator), Some(snapshot)) = (generator.as_mut(), snapshot) {
                generator.stream = snapshot;
            }
        });
        fill(&mut after, start.plus(pause));
        (before, after)
    }

    #[test]
    fn abuse_32_a_restored_snapshot_repeats_no_more_than_a_second_of_its_stream() {
        let (before, after) = restored_after(Duration::from_millis(999));
        assert_eq!(before, after, "the snapshot was not restored, so this test shows nothing");
        let (before, after) = restored_after(Duration::from_secs(1));
        assert_ne!(before, after);
    }
}
