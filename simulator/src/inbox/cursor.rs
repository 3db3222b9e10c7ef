//! Places in the order of the messages.

/// A place between two messages. Reading on from a cursor gives what came after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(pub(crate) u64);

impl Cursor {
    /// Before the first message: gives everything that is still kept.
    pub const START: Self = Self(0);
}
