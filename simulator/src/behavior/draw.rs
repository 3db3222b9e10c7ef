//! Chance that repeats: a draw depends on the seed, the destination, and how many submits that destination
//! had before. Not on the link, nor on the time, so that a run over many binds repeats message by message.

use std::collections::HashMap;

/// What a draw decides. Each has numbers of its own, so that one more decision changes no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Whether the rule with this number applies.
    Rule(u16),
    Latency,
    DeliveryDelay,
    /// The delay before the receipt with this number.
    ReceiptDelay(u16),
    Bind,
}

impl Stream {
    const fn number(self) -> u64 {
        match self {
            Self::Latency => 1,
            Self::DeliveryDelay => 2,
            Self::Bind => 3,
            Self::Rule(number) => 1 << 16 | number as u64,
            Self::ReceiptDelay(number) => 2 << 16 | number as u64,
        }
    }
}

/// The step of splitmix64: 2⁶⁴ divided by the golden ratio.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of splitmix64 (Steele, Lea and Flood 2014): every bit of the input reaches every bit of the
/// output. Not secret, nor needs to be.
const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// A keyed hash of some bytes: for draws and for tables, not against anybody.
pub(crate) fn hash(key: u64, bytes: &[u8]) -> u64 {
    let mut state = mix(key ^ bytes.len() as u64);
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state = mix(state.wrapping_add(STEP) ^ u64::from_le_bytes(word));
    }
    state
}

/// All the numbers that one submit draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draw {
    state: u64,
}

impl Draw {
    /// Where nothing is left to chance.
    pub(crate) const NONE: Self = Self { state: 0 };

    pub(crate) fn new(seed: u64, destination: &[u8], ordinal: u32) -> Self {
        Self::at(hash(seed, destination), ordinal)
    }

    fn at(destination: u64, ordinal: u32) -> Self {
        Self { state: mix(destination ^ mix(u64::from(ordinal).wrapping_add(STEP))) }
    }

    fn value(self, stream: Stream) -> u64 {
        mix(self.state.wrapping_add(STEP.wrapping_mul(stream.number())))
    }

    /// A number below `limit`, each as likely but for one part in 2⁶⁴ / `limit`.
    pub(crate) fn below(self, stream: Stream, limit: u64) -> u64 {
        let product = u128::from(self.value(stream)) * u128::from(limit);
        u64::try_from(product >> 64).expect("the upper half of a product of two u64")
    }

    /// A number of the standard normal distribution, near enough (the sum of twelve evenly distributed ones):
    /// whether it is above zero, and its size.
    pub(crate) fn normal(self, stream: Stream) -> (bool, f64) {
        let mut sum = 0_u64;
        let mut value = self.value(stream);
        for _ in 0..3 {
            value = mix(value.wrapping_add(STEP));
            sum += (value & 0xFFFF) + (value >> 16 & 0xFFFF) + (value >> 32 & 0xFFFF) + (value >> 48);
        }
        let sum = f64::from(u32::try_from(sum).expect("twelve numbers of sixteen bits")) / 65_536.0 - 6.0;
        (sum >= 0.0, sum.abs())
    }
}

/// Destinations whose submits are counted, in each of two generations: 9 MB a generation. Beyond, those not
/// used for longest start again from zero.
const REMEMBERED_MAX: usize = 262_144;

/// How many submits each destination had. In two generations: when the newer is full, the older is forgotten,
/// and what is used again moves to the newer.
#[derive(Debug, Default)]
pub(crate) struct Ordinals {
    new: HashMap<u64, u32>,
    old: HashMap<u64, u32>,
}

impl Ordinals {
    /// The draw for the next submit to `destination`, and counts it.
    pub(crate) fn next(&mut self, seed: u64, destination: &[u8]) -> Draw {
        let key = hash(seed, destination);
        let ordinal = match self.new.get_mut(&key) {
            Some(count) => count,
            None => {
                if self.new.len() >= REMEMBERED_MAX {
                    self.old = std::mem::take(&mut self.new);
                }
                let count = self.old.remove(&key).unwrap_or_default();
                self.new.entry(key).or_insert(count)
            }
        };
        let draw = Draw::at(key, *ordinal);
        *ordinal = ordinal.wrapping_add(1);
        draw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_destination_and_ordinal_draw_the_same() {
        let mut ordinals = Ordinals::default();
        for n in 0..3 {
            assert_eq!(ordinals.next(7, b"62811"), Draw::new(7, b"62811", n));
            assert_eq!(ordinals.next(7, b"62812"), Draw::new(7, b"62812", n));
        }
        let one = Draw::new(7, b"62811", 0);
        for other in [Draw::new(8, b"62811", 0), Draw::new(7, b"62812", 0), Draw::new(7, b"62811", 1)] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn draws_are_spread_evenly() {
        let mut buckets = [0; 10];
        for n in 0..10_000 {
            let destination = format!("62812{n:07}");
            let bucket = Draw::new(1, destination.as_bytes(), 0).below(Stream::Rule(0), 10);
            buckets[usize::try_from(bucket).unwrap()] += 1;
        }
        assert!(buckets.iter().all(|count| (850..1_150).contains(count)), "{buckets:?}");
    }

    #[test]
    fn one_decision_says_nothing_of_another() {
        let both = (0..10_000)
            .map(|n| Draw::new(1, b"62811", n))
            .filter(|draw| draw.below(Stream::Rule(0), 2) == draw.below(Stream::Rule(1), 2))
            .count();
        assert!((4_800..5_200).contains(&both), "{both} of 10000 agree");
    }

    #[test]
    fn destinations_beyond_the_bound_are_forgotten_the_longest_unused_first() {
        let mut ordinals = Ordinals::default();
        let number = |n: usize| format!("62812{n:07}").into_bytes();
        for n in 0..2 * REMEMBERED_MAX {
            ordinals.next(1, &number(n));
            assert!(ordinals.new.len() <= REMEMBERED_MAX && ordinals.old.len() <= REMEMBERED_MAX);
            // Used all the time, and so remembered.
            ordinals.next(1, b"62811");
        }
        assert_eq!(ordinals.next(1, &number(0)), Draw::new(1, &number(0), 0), "forgotten");
        let count = u32::try_from(2 * REMEMBERED_MAX).unwrap();
        assert_eq!(ordinals.next(1, b"62811"), Draw::new(1, b"62811", count), "remembered");
    }
}
