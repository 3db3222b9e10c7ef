//! UCS-2 as it is in the field: UTF-16, big endian, with surrogate pairs.

/// The text in UTF-16, big endian.
#[must_use]
pub fn encode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2 * text.len());
    encode_into(text, &mut bytes);
    bytes
}

/// Appends what [`encode`] gives. For a text that must not be left in memory, give `out` room for twice the
/// text's bytes beforehand: a buffer that grows leaves its old place behind.
pub(super) fn encode_into(text: &str, out: &mut Vec<u8>) {
    out.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
}

/// The characters; U+FFFD for a lone surrogate and for an odd byte at the end.
pub(super) fn decode(bytes: &[u8]) -> String {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|&pair| u16::from_be_bytes(pair));
    let mut text: String =
        char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    if !odd.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

/// Whether the last unit is the first half of a pair.
pub(super) fn ends_in_high_surrogate(bytes: &[u8]) -> bool {
    bytes.last_chunk::<2>().is_some_and(|&unit| (0xD800..0xDC00).contains(&u16::from_be_bytes(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_beyond_the_first_plane_take_two_units() {
        assert_eq!(encode("a😀"), [0, b'a', 0xD8, 0x3D, 0xDE, 0x00]);
        assert_eq!(decode(&encode("a😀 مرحبا")), "a😀 مرحبا");
    }

    #[test]
    fn what_is_no_character_is_replaced() {
        assert_eq!(decode(&[0xD8, 0x3D, 0, b'a', 0]), "\u{FFFD}a\u{FFFD}");
        assert_eq!(decode(&[0xDE, 0x00]), "\u{FFFD}");
        assert_eq!(decode(&[7]), "\u{FFFD}");
        assert_eq!(decode(&[]), "");
    }
}
