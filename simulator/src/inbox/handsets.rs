//! How many messages of each handset are kept.

use std::collections::HashMap;

use super::address::Address;

/// The handsets that have a message in the inbox: no more of them than it has messages.
#[derive(Debug, Default)]
pub(super) struct Handsets(HashMap<Address, usize>);

impl Handsets {
    pub(super) fn add(&mut self, number: Address) {
        *self.0.entry(number).or_default() += 1;
    }

    /// One of its messages is gone; with the last one, the handset.
    pub(super) fn remove(&mut self, number: &Address) {
        if let Some(messages) = self.0.get_mut(number) {
            *messages -= 1;
            if *messages == 0 {
                self.0.remove(number);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many messages `number` has.
    pub(super) fn messages_of(&self, number: &Address) -> usize {
        self.0.get(number).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handset_is_there_from_its_first_message_to_its_last() {
        let (one, two) = (Address::new(b"62811").unwrap(), Address::new(b"62822").unwrap());
        let mut handsets = Handsets::default();
        for number in [one, two, one] {
            handsets.add(number);
        }
        assert_eq!((handsets.len(), handsets.messages_of(&one), handsets.messages_of(&two)), (2, 2, 1));
        handsets.remove(&one);
        handsets.remove(&two);
        assert_eq!((handsets.len(), handsets.messages_of(&one), handsets.messages_of(&two)), (1, 1, 0));
    }
}
