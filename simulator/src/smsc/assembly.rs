//! What a segment that has come to the handset makes whole.

use std::sync::{Arc, PoisonError};

use smpp::pdu::{DataCoding, MessageState};
use smpp::text;
use smpp::text::concatenation::Concatenation;

use super::long_messages::{Key, Whole};
use super::shared::Smsc;
use crate::clock::Moment;
use crate::inbox::Message;

impl Smsc {
    /// The whole message, if this segment makes it whole and no segment of it has expired.
    pub(super) fn complete(
        &self,
        segment: &Message,
        place: Concatenation,
        data_coding: DataCoding,
        content: &[u8],
        at: &Moment,
    ) -> Option<Arc<Message>> {
        let whole = self.put_together(segment, place, content, at)?;
        let mut draft = segment.draft_with(text::decode(data_coding, &whole.content));
        draft.take_parts(whole.ids, |id| self.inbox.kept(id));
        let expired = draft.validity.is_some_and(|validity| validity.has_ended(at.wall));
        let message = self.inbox.keep(draft);
        if expired {
            self.metrics.messages_expired.inc();
            message.end(MessageState::EXPIRED, at.wall);
            return None;
        }
        self.inbox.arrive(&message, at.wall);
        Some(message)
    }

    fn put_together(
        &self,
        segment: &Message,
        place: Concatenation,
        content: &[u8],
        at: &Moment,
    ) -> Option<Whole> {
        let (from, to) = (*segment.from(), *segment.to());
        let key = Key { from, to, reference: place.reference, total: place.total };
        // Nothing panics under this lock; it is short, and taken for segments only.
        let mut long = self.long_messages.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = long.add(key, place.part, segment.id(), content, at.now);
        self.metrics.segments_dropped.inc_by(long.take_dropped());
        whole
    }
}
