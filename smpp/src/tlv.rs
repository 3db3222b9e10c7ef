//! Optional parameters: tag, length, value, after a PDU's fixed fields (SMPP 3.4 §3.2.4).

use std::fmt;

use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of a TLV's tag and length.
const TLV_HEADER_BYTES: usize = 4;
/// The most parameters that `Debug` shows: a PDU of 64 KiB holds thousands.
const SHOWN_TLVS_MAX: usize = 16;
/// What a [`TlvBuffer`] starts with: room for the parameters of a receipt.
const BUFFER_BYTES_MIN: usize = 64;

/// The tag of an optional parameter (SMPP 3.4 §5.3.1). Vendors use 0x1400–0x3FFF.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub u16);

impl Tag {
    /// `receipted_message_id`: a C-octet string, the id that the submit response gave.
    pub const RECEIPTED_MESSAGE_ID: Self = Self(0x001E);
    /// `user_message_reference`: two bytes that the ESME chose.
    pub const USER_MESSAGE_REFERENCE: Self = Self(0x0204);
    /// `sar_msg_ref_num`: two bytes, which concatenated message a part belongs to.
    pub const SAR_MSG_REF_NUM: Self = Self(0x020C);
    /// `sar_total_segments`: one byte.
    pub const SAR_TOTAL_SEGMENTS: Self = Self(0x020E);
    /// `sar_segment_seqnum`: one byte, counted from 1.
    pub const SAR_SEGMENT_SEQNUM: Self = Self(0x020F);
    /// `sc_interface_version`: one byte, in bind responses.
    pub const SC_INTERFACE_VERSION: Self = Self(0x0210);
    /// `ms_availability_status`: one byte, in `alert_notification`.
    pub const MS_AVAILABILITY_STATUS: Self = Self(0x0422);
    /// `message_payload`: text that is not in `short_message`.
    pub const MESSAGE_PAYLOAD: Self = Self(0x0424);
    /// `delivery_failure_reason`: one byte, in `data_sm_resp`.
    pub const DELIVERY_FAILURE_REASON: Self = Self(0x0425);
    /// `message_state`: one byte, in receipts.
    pub const MESSAGE_STATE: Self = Self(0x0427);
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag(0x{:04X})", self.0)
    }
}

/// One optional parameter. `Debug` shows the value's length only, since a value may be message text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// Says what the value means.
    pub tag: Tag,
    /// The value, without its length.
    pub value: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// The value as a C-octet string: without its NUL, which some SMSCs leave out.
    #[must_use]
    pub fn c_string(&self) -> &'a [u8] {
        let end = self.value.iter().position(|&byte| byte == 0);
        &self.value[..end.unwrap_or(self.value.len())]
    }

    /// The value as a number of one or two bytes; `None` for any other length.
    ///
    /// Some SMSCs send `message_state` in two bytes.
    #[must_use]
    pub fn number(&self) -> Option<u16> {
        match *self.value {
            [low] => Some(u16::from(low)),
            [high, low] => Some(u16::from_be_bytes([high, low])),
            _ => None,
        }
    }
}

impl fmt::Debug for Tlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}[{} bytes]", self.tag, self.value.len())
    }
}

/// The optional parameters of a PDU: a borrowed run of bytes, known to be whole TLVs.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Tlvs<'a> {
    bytes: &'a [u8],
}

/// The bytes after the last whole TLV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing: the bytes were whole TLVs.
    None,
    /// Fewer bytes than a tag and a length.
    Junk,
    /// A TLV whose length goes beyond the PDU.
    Overrun,
}

impl<'a> Tlvs<'a> {
    /// No parameters.
    pub const NONE: Tlvs<'static> = Tlvs { bytes: &[] };

    /// The whole TLVs at the start of `bytes`, and what came after them.
    pub(crate) fn cut(bytes: &'a [u8]) -> (Self, Tail) {
        let mut rest = bytes;
        while let Some((_, after)) = split_first(rest) {
            rest = after;
        }
        let tail = match rest.len() {
            0 => Tail::None,
            1..TLV_HEADER_BYTES => Tail::Junk,
            _ => Tail::Overrun,
        };
        (Self { bytes: &bytes[..bytes.len() - rest.len()] }, tail)
    }

    /// The parameters in the order of the wire. Costs no allocation.
    pub fn iter(&self) -> impl Iterator<Item = Tlv<'a>> + use<'a> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let (tlv, after) = split_first(rest)?;
            rest = after;
            Some(tlv)
        })
    }

    /// The first parameter with this tag.
    #[must_use]
    pub fn find(&self, tag: Tag) -> Option<Tlv<'a>> {
        self.iter().find(|tlv| tlv.tag == tag)
    }

    /// Whether there are no parameters.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The parameters as they are on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl fmt::Debug for Tlvs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        list.entries(self.iter().take(SHOWN_TLVS_MAX));
        match self.iter().nth(SHOWN_TLVS_MAX) {
            Some(_) => list.finish_non_exhaustive(),
            None => list.finish(),
        }
    }
}

fn split_first(bytes: &[u8]) -> Option<(Tlv<'_>, &[u8])> {
    let (&[tag_high, tag_low, length_high, length_low], rest) = bytes.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes([length_high, length_low]));
    let (value, rest) = rest.split_at_checked(length)?;
    Some((Tlv { tag: Tag(u16::from_be_bytes([tag_high, tag_low])), value }, rest))
}

/// A value that a TLV cannot carry. Our own side's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlvError {
    /// The value is longer than a TLV's two length bytes can say.
    TooLong {
        /// The parameter.
        tag: Tag,
        /// The length of its value in bytes; the maximum is 65,535.
        bytes: usize,
    },
    /// A C-octet string holds a NUL.
    Nul(Tag),
}

impl fmt::Display for TlvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { tag, bytes } => {
                write!(f, "the value of {tag:?} has {bytes} bytes, over {}", u16::MAX)
            }
            Self::Nul(tag) => write!(f, "the string of {tag:?} holds a NUL"),
        }
    }
}

impl std::error::Error for TlvError {}

/// Collects optional parameters for encoding.
///
/// A value may be message text, so what a buffer held is wiped when it is cleared, grows or is dropped.
#[derive(Clone, Default)]
pub struct TlvBuffer {
    bytes: Zeroizing<Vec<u8>>,
}

impl TlvBuffer {
    /// A buffer without parameters; allocates nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a parameter.
    ///
    /// # Errors
    ///
    /// [`TlvError::TooLong`] over 65,535 bytes; the buffer stays as it was.
    pub fn push(&mut self, tag: Tag, value: &[u8]) -> Result<&mut Self, TlvError> {
        self.header(tag, value.len())?;
        self.append(value);
        Ok(self)
    }

    /// Appends a parameter of one byte.
    pub fn push_u8(&mut self, tag: Tag, value: u8) -> &mut Self {
        let [high, low] = tag.0.to_be_bytes();
        self.append(&[high, low, 0, 1, value]);
        self
    }

    /// Appends a parameter of two bytes.
    pub fn push_u16(&mut self, tag: Tag, value: u16) -> &mut Self {
        let [high, low] = tag.0.to_be_bytes();
        let [value_high, value_low] = value.to_be_bytes();
        self.append(&[high, low, 0, 2, value_high, value_low]);
        self
    }

    /// Appends a C-octet string: `value` and a NUL.
    ///
    /// # Errors
    ///
    /// [`TlvError`] over 65,534 bytes or with a NUL in `value`; the buffer stays as it was.
    pub fn push_c_string(&mut self, tag: Tag, value: &[u8]) -> Result<&mut Self, TlvError> {
        if value.contains(&0) {
            return Err(TlvError::Nul(tag));
        }
        self.header(tag, value.len() + 1)?;
        self.append(value);
        self.append(&[0]);
        Ok(self)
    }

    fn header(&mut self, tag: Tag, bytes: usize) -> Result<(), TlvError> {
        let length = u16::try_from(bytes).map_err(|_| TlvError::TooLong { tag, bytes })?;
        let [tag_high, tag_low] = tag.0.to_be_bytes();
        let [length_high, length_low] = length.to_be_bytes();
        self.append(&[tag_high, tag_low, length_high, length_low]);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) {
        let length = self.bytes.len() + bytes.len();
        if length > self.bytes.capacity() {
            let mut grown = Vec::with_capacity(length.max(2 * self.bytes.capacity()).max(BUFFER_BYTES_MIN));
            grown.extend_from_slice(&self.bytes);
            self.bytes = Zeroizing::new(grown);
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Removes all parameters and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.zeroize();
    }

    /// The parameters collected so far.
    #[must_use]
    pub fn as_tlvs(&self) -> Tlvs<'_> {
        Tlvs { bytes: &self.bytes }
    }
}

impl fmt::Debug for TlvBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_tlvs().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_back_in_order() {
        let mut buffer = TlvBuffer::new();
        buffer.push_u8(Tag::MESSAGE_STATE, 2).push_u16(Tag::USER_MESSAGE_REFERENCE, 0x0102);
        buffer.push_c_string(Tag::RECEIPTED_MESSAGE_ID, b"ab").unwrap();
        buffer.push(Tag(0x1400), &[]).unwrap();
        assert_eq!(
            buffer.as_tlvs().as_bytes(),
            b"\x04\x27\0\x01\x02\x02\x04\0\x02\x01\x02\0\x1E\0\x03ab\0\x14\0\0\0"
        );
        let tags: Vec<_> = buffer.as_tlvs().iter().map(|tlv| tlv.tag.0).collect();
        assert_eq!(tags, [0x0427, 0x0204, 0x001E, 0x1400]);
        let id = buffer.as_tlvs().find(Tag::RECEIPTED_MESSAGE_ID).unwrap();
        assert_eq!((id.value, id.c_string()), (&b"ab\0"[..], &b"ab"[..]));
        assert_eq!(buffer.as_tlvs().find(Tag::MESSAGE_PAYLOAD), None);
    }

    #[test]
    fn numbers_have_one_or_two_bytes() {
        let number = |value| Tlv { tag: Tag::MESSAGE_STATE, value }.number();
        assert_eq!(number(&[2]), Some(2));
        assert_eq!(number(&[0, 2]), Some(2));
        assert_eq!(number(&[]), None);
        assert_eq!(number(&[0, 0, 2]), None);
    }

    #[test]
    fn a_nul_inside_a_c_octet_string_is_refused() {
        let mut buffer = TlvBuffer::new();
        let refused = buffer.push_c_string(Tag::RECEIPTED_MESSAGE_ID, b"a\0b").unwrap_err();
        assert_eq!(refused, TlvError::Nul(Tag::RECEIPTED_MESSAGE_ID));
        assert!(buffer.as_tlvs().is_empty());
    }

    #[test]
    fn the_longest_value_fits_and_one_more_byte_changes_nothing() {
        let mut buffer = TlvBuffer::new();
        let value = vec![7; 65_536];
        buffer.push(Tag::MESSAGE_PAYLOAD, &value[1..]).unwrap();
        let before = buffer.as_tlvs().as_bytes().len();
        assert!(buffer.push(Tag::MESSAGE_PAYLOAD, &value).is_err());
        assert!(buffer.push_c_string(Tag::MESSAGE_PAYLOAD, &value[1..]).is_err());
        assert_eq!(buffer.as_tlvs().as_bytes().len(), before);
        assert_eq!(buffer.as_tlvs().iter().next().unwrap().value.len(), 65_535);
    }

    #[test]
    fn what_follows_the_last_whole_parameter_is_named_and_dropped() {
        let whole = b"\x04\x27\0\x01\x02";
        for (tail, expected) in [
            (&b""[..], Tail::None),
            (b"\0", Tail::Junk),
            (b"\0\0\0", Tail::Junk),
            (b"\x04\x24\0\x05abcd", Tail::Overrun),
            (b"\x04\x24\xFF\xFF", Tail::Overrun),
        ] {
            let bytes = [whole, tail].concat();
            let (tlvs, found) = Tlvs::cut(&bytes);
            assert_eq!((tlvs.as_bytes(), found), (&whole[..], expected));
        }
    }

    #[test]
    fn debug_does_not_show_values() {
        let mut buffer = TlvBuffer::new();
        buffer.push(Tag::MESSAGE_PAYLOAD, b"482913").unwrap();
        assert_eq!(format!("{buffer:?}"), "[Tag(0x0424)[6 bytes]]");
    }

    #[test]
    fn debug_shows_sixteen_parameters_of_many() {
        let mut buffer = TlvBuffer::new();
        for _ in 0..SHOWN_TLVS_MAX {
            buffer.push_u8(Tag::MESSAGE_STATE, 2);
        }
        assert!(!format!("{buffer:?}").ends_with("..]"));
        buffer.push(Tag::MESSAGE_PAYLOAD, b"482913").unwrap();
        let shown = format!("{buffer:?}");
        assert!(shown.ends_with(", ..]") && !shown.contains("0x0424"), "{shown}");
    }
}
