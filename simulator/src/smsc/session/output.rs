//! What a session has to write, at the pace that its behaviour allows.

use std::time::Instant;

use crate::behavior::Dribble;

/// Bytes that may wait to be written. Beyond, nothing is read and no receipt is added, so that an ESME that
/// does not read stops itself. What one read can still add is about twice its size.
pub(super) const OUT_BYTES_MAX: usize = 256 * 1_024;

#[derive(Default)]
pub(super) struct Output {
    /// Of which the first `written` are out already.
    bytes: Vec<u8>,
    written: usize,
    trickle: Option<Trickle>,
}

/// What trickles, and when it goes on.
struct Trickle {
    dribble: Dribble,
    /// Bytes that may be written now.
    allowed: usize,
    next: Option<Instant>,
}

impl Output {
    /// What is to be written now.
    pub(super) fn pending(&self) -> &[u8] {
        let unwritten = &self.bytes[self.written..];
        let allowed = self.trickle.as_ref().map_or(usize::MAX, |trickle| trickle.allowed);
        &unwritten[..allowed.min(unwritten.len())]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.written == self.bytes.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= self.full_at()
    }

    /// The length of [`Output::bytes`] at which it is full.
    pub(super) const fn full_at(&self) -> usize {
        self.written + OUT_BYTES_MAX
    }

    /// To append to.
    pub(super) const fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// `count` bytes of [`Output::pending`] are written.
    pub(super) fn wrote(&mut self, count: usize) {
        self.written += count;
        if self.written >= self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        } else if self.written >= OUT_BYTES_MAX {
            // Only behind a slow reader, and then once per quarter megabyte.
            self.bytes.drain(..self.written);
            self.written = 0;
        }
        if let Some(trickle) = &mut self.trickle {
            trickle.allowed = trickle.allowed.saturating_sub(count);
        }
    }

    /// When more may be written, if the behaviour has it trickle.
    pub(super) fn due(&self) -> Option<Instant> {
        self.trickle.as_ref()?.next
    }

    /// Lets some more bytes through, if the behaviour has them trickle.
    pub(super) fn let_trickle(&mut self, dribble: Option<Dribble>, now: Instant) {
        let Some(dribble) = dribble else {
            self.trickle = None;
            return;
        };
        let is_empty = self.is_empty();
        let trickle = match &mut self.trickle {
            Some(trickle) if trickle.dribble == dribble => trickle,
            other => other.insert(Trickle { dribble, allowed: dribble.bytes, next: None }),
        };
        match trickle.next {
            Some(due) if due <= now => *trickle = Trickle { dribble, allowed: dribble.bytes, next: None },
            None if trickle.allowed == 0 && !is_empty => {
                trickle.next = Some(now + dribble.interval.value());
            }
            Some(_) | None => {}
        }
    }
}
