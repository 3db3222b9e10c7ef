//! The states that receipts report.

use std::fmt;

use serde::Serialize;
use settings::{Entry, Form as _, Setting, list, own};
use smpp::pdu::MessageState;

use super::{Phrase, phrase};

/// The word of a receipt's `stat:`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat(&'static str);

const STATS: [&str; 10] = [
    "DELIVRD", "UNDELIV", "EXPIRED", "REJECTD", "ACCEPTD", "ENROUTE", "DELETED", "UNKNOWN", "FAILED",
    "BUFFRED",
];

impl Stat {
    /// On the handset.
    pub(crate) const DELIVRD: Self = Self("DELIVRD");
    /// Not delivered in time.
    pub(crate) const EXPIRED: Self = Self("EXPIRED");
    /// Cancelled.
    pub(crate) const DELETED: Self = Self("DELETED");

    /// The word.
    pub(crate) const fn as_str(self) -> &'static str {
        self.0
    }

    /// The state that the word stands for.
    pub(crate) fn state(self) -> MessageState {
        MessageState::from_text(self.0.as_bytes()).unwrap_or(MessageState::UNKNOWN)
    }

    /// Whether it says that the handset did not get the message.
    pub(crate) fn is_failure(self) -> bool {
        matches!(
            self.state(),
            MessageState::UNDELIVERABLE
                | MessageState::EXPIRED
                | MessageState::REJECTED
                | MessageState::DELETED
        )
    }
}

impl Phrase for Stat {
    const ALLOWED: &'static str =
        "DELIVRD, UNDELIV, EXPIRED, REJECTD, ACCEPTD, ENROUTE, DELETED, UNKNOWN, FAILED or BUFFRED";

    fn parse(written: &str) -> Option<Self> {
        STATS.iter().find(|word| **word == written).map(|word| Self(word))
    }
}

impl fmt::Display for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

phrase!(Stat);

/// The states that a message goes through: 1 to [`States::MAX`] words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct States(Vec<Stat>);

impl States {
    /// The most states of a message.
    pub(crate) const MAX: usize = 8;

    /// The words in order.
    pub(crate) fn words(&self) -> &[Stat] {
        &self.0
    }

    /// Whether a message that goes through these gets to the handset.
    pub(crate) fn is_delivered(&self) -> bool {
        self.0.iter().any(|stat| stat.state() == MessageState::DELIVERED)
            || !self.0.iter().any(|stat| stat.is_failure())
    }
}

impl Default for States {
    fn default() -> Self {
        Self(vec![Stat::DELIVRD])
    }
}

impl Setting for States {
    fn allowed() -> String {
        list(1..=Self::MAX, "states", own::<Stat>()).allowed()
    }

    fn read(entry: &Entry<'_>) -> Option<Self> {
        list(1..=Self::MAX, "states", own::<Stat>()).read(entry).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read() {
        assert_eq!(STATS.map(|word| Stat::parse(word).unwrap().as_str()), STATS);
    }

    #[test]
    fn a_message_arrives_if_a_state_says_so_or_none_says_the_contrary() {
        let states = |words: &[&str]| States(words.iter().map(|word| Stat::parse(word).unwrap()).collect());
        for (words, expected) in [
            (&["DELIVRD"][..], true),
            (&["ACCEPTD"], true),
            (&["DELIVRD", "ACCEPTD"], true),
            (&["ACCEPTD", "UNDELIV"], false),
            (&["EXPIRED"], false),
            (&["FAILED"], false),
        ] {
            assert_eq!(states(words).is_delivered(), expected, "{words:?}");
        }
    }
}
