//! The text of one SMS: one segment, which lacks only the code.

use std::fmt;

use crate::subscriber::code::Code;

/// Septets of one segment (3GPP TS 23.038).
pub(in crate::sms) const SEGMENT_SEPTETS: usize = 160;
/// How often a code may stand in a text: in the sentence, in the last line, and twice to spare.
pub(in crate::sms) const CODES_MAX: usize = 4;

/// The text of one SMS in GSM 7-bit, one septet in a byte, with holes where the code goes.
///
/// With a code of the length that it was rendered for, it fits one segment. It never holds a code, and
/// `Debug` does not show it.
#[derive(Clone)]
pub(crate) struct Text {
    septets: [u8; SEGMENT_SEPTETS],
    length: u8,
    /// Where in `septets` the code is to be put in, in ascending order.
    holes: [u8; CODES_MAX],
    hole_count: u8,
}

impl Text {
    pub(super) const EMPTY: Self =
        Self { septets: [0; SEGMENT_SEPTETS], length: 0, holes: [0; CODES_MAX], hole_count: 0 };

    /// Appends the text with `code` in its places to `out`.
    pub(in crate::sms) fn fill(&self, code: &Code, out: &mut Vec<u8>) {
        let septets = &self.septets[..usize::from(self.length)];
        let mut start = 0;
        for hole in &self.holes[..usize::from(self.hole_count)] {
            let hole = usize::from(*hole);
            out.extend_from_slice(&septets[start..hole]);
            out.extend_from_slice(code.expose());
            start = hole;
        }
        out.extend_from_slice(&septets[start..]);
    }

    pub(super) fn push(&mut self, septets: &[u8]) {
        let start = usize::from(self.length);
        let room = SEGMENT_SEPTETS - start;
        debug_assert!(septets.len() <= room, "a text was laid out before it is written");
        let septets = &septets[..septets.len().min(room)];
        self.septets[start..start + septets.len()].copy_from_slice(septets);
        self.length += septets.len() as u8;
    }

    pub(super) fn push_hole(&mut self) {
        if let Some(hole) = self.holes.get_mut(usize::from(self.hole_count)) {
            *hole = self.length;
            self.hole_count += 1;
        }
    }
}

const _: () = assert!(SEGMENT_SEPTETS <= u8::MAX as usize, "a text's length is kept in a byte");

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text(… {} septets)", self.length)
    }
}
