//! The GSM 7-bit default alphabet with its extension table (3GPP TS 23.038 §6.2.1), one septet in each byte.

use std::fmt;

/// The septet that leads to the extension table.
const ESCAPE: u8 = 0x1B;

/// The default alphabet by septet. The escape has no character of its own; without a second septet, it shows
/// as a space.
const BASIC: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', //
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', ' ', 'Æ', 'æ', 'ß', 'É', //
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', //
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', //
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', //
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', //
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', //
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// The extension table: the septet after an escape, and its character.
const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{0C}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// No septet, in [`OF_LATIN_1`].
const NONE: u8 = 0xFF;

/// The basic septet of each character up to U+00FF, [`NONE`] where there is none.
const OF_LATIN_1: [u8; 256] = {
    let mut table = [NONE; 256];
    let mut septet = 0u8;
    while septet < 128 {
        let character = BASIC[septet as usize] as usize;
        if character < table.len() && septet != ESCAPE {
            table[character] = septet;
        }
        septet += 1;
    }
    table
};

/// A character that the alphabet does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotInAlphabet {
    /// The character.
    pub character: char,
    /// Where it starts in the text, in bytes.
    pub byte_index: usize,
}

impl fmt::Display for NotInAlphabet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at byte {} is not in the GSM 7-bit alphabet", self.character, self.byte_index)
    }
}

impl std::error::Error for NotInAlphabet {}

/// The text, one septet in each byte; two for a character of the extension table.
///
/// # Errors
///
/// [`NotInAlphabet`] for the first character that has no septet.
pub fn encode(text: &str) -> Result<Vec<u8>, NotInAlphabet> {
    let mut bytes = Vec::with_capacity(text.len());
    encode_into(text, &mut bytes)?;
    Ok(bytes)
}

/// Appends what [`encode`] gives. For a text that must not be left in memory, give `out` room for two bytes a
/// character beforehand: a buffer that grows leaves its old place behind.
///
/// # Errors
///
/// [`NotInAlphabet`] for the first character that has no septet; `out` is then as long as it was.
pub(super) fn encode_into(text: &str, out: &mut Vec<u8>) -> Result<(), NotInAlphabet> {
    let before = out.len();
    for (byte_index, character) in text.char_indices() {
        if let Some(septet) = basic(character) {
            out.push(septet);
        } else if let Some(septet) = extension(character) {
            out.extend_from_slice(&[ESCAPE, septet]);
        } else {
            out.truncate(before);
            return Err(NotInAlphabet { character, byte_index });
        }
    }
    Ok(())
}

/// Whether the character is in the default alphabet itself, and takes one septet.
#[must_use]
pub fn is_basic(character: char) -> bool {
    basic(character).is_some()
}

/// The characters of these bytes.
///
/// As TS 23.038 §6.2.1 has it, a pair that is not in the extension table shows as the second septet's basic
/// character, and a lone escape as a space. A byte over 0x7F is not a septet and becomes U+FFFD.
#[must_use]
pub fn decode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut bytes = bytes.iter().copied();
    while let Some(byte) = bytes.next() {
        text.push(if byte == ESCAPE { escaped(bytes.next()) } else { character(byte) });
    }
    text
}

fn escaped(byte: Option<u8>) -> char {
    let Some(byte) = byte else {
        return character(ESCAPE);
    };
    EXTENSION.iter().find(|(septet, _)| *septet == byte).map_or_else(|| character(byte), |&(_, found)| found)
}

fn character(byte: u8) -> char {
    BASIC.get(usize::from(byte)).copied().unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn basic(character: char) -> Option<u8> {
    let septet = match character {
        '\0'..='\u{FF}' => OF_LATIN_1[character as usize],
        'Δ' => 0x10,
        'Φ' => 0x12,
        'Γ' => 0x13,
        'Λ' => 0x14,
        'Ω' => 0x15,
        'Π' => 0x16,
        'Ψ' => 0x17,
        'Σ' => 0x18,
        'Θ' => 0x19,
        'Ξ' => 0x1A,
        _ => NONE,
    };
    (septet != NONE).then_some(septet)
}

fn extension(character: char) -> Option<u8> {
    EXTENSION.iter().find(|(_, extended)| *extended == character).map(|&(septet, _)| septet)
}

/// Whether the last septet is the first half of an escape pair. The bytes have to be what [`encode`] gave, or
/// its beginning: there, an escape always starts a pair.
pub(super) fn ends_in_escape(bytes: &[u8]) -> bool {
    bytes.last() == Some(&ESCAPE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_septet_but_the_escape_comes_back() {
        for septet in (0..128).filter(|&septet| septet != ESCAPE) {
            let text = decode(&[septet]);
            assert_eq!(encode(&text).unwrap(), [septet], "{text:?}");
        }
    }

    #[test]
    fn every_extended_character_takes_two_septets_and_comes_back() {
        for (septet, character) in EXTENSION {
            let text = character.to_string();
            assert_eq!(encode(&text).unwrap(), [ESCAPE, septet]);
            assert_eq!(decode(&[ESCAPE, septet]), text);
            assert!(!is_basic(character));
        }
    }

    #[test]
    fn letters_digits_and_signs_are_where_the_table_has_them() {
        assert_eq!(
            encode("@Az09 _$£€[").unwrap(),
            [0x00, 0x41, 0x7A, 0x30, 0x39, 0x20, 0x11, 0x02, 0x01, 0x1B, 0x65, 0x1B, 0x3C]
        );
    }

    #[test]
    fn a_character_of_neither_table_is_named_with_its_place() {
        assert_eq!(encode("é ç"), Err(NotInAlphabet { character: 'ç', byte_index: 3 }));
        for character in ['`', '\t', '\0', '\u{1B}', 'ç', 'ş', 'А', '😀', '\u{FFFD}'] {
            assert!(encode(&character.to_string()).is_err(), "{character:?}");
        }
    }

    #[test]
    fn a_refused_text_leaves_the_buffer_as_long_as_it_was() {
        let mut out = b"before".to_vec();
        assert!(encode_into("ab€ç", &mut out).is_err());
        assert_eq!(out, b"before");
        encode_into("a€", &mut out).unwrap();
        assert_eq!(out, b"beforea\x1B\x65");
    }

    #[test]
    fn odd_escapes_and_bytes_are_shown_as_a_handset_would() {
        assert_eq!(decode(&[ESCAPE]), " ");
        assert_eq!(decode(&[ESCAPE, ESCAPE]), " ");
        assert_eq!(decode(&[ESCAPE, b'a']), "a");
        assert_eq!(decode(&[ESCAPE, 0x80, b'a']), "\u{FFFD}a");
        assert_eq!(decode(&[0xFF]), "\u{FFFD}");
    }
}
