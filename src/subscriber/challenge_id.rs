//! The id of a challenge, the reference shown in its SMS, and the salt of its code.

use std::fmt;

/// 128 random bits that name a challenge; 32 lower-case hexadecimal digits in the API.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChallengeId(pub [u8; 16]);

/// 128 random bits that make a code unpredictable even to those who know the challenge's id.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 16]);

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(…)")
    }
}

impl ChallengeId {
    /// The id that 32 hexadecimal digits spell, in either case.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let decoded = base16ct::mixed::decode(text, &mut bytes).ok()?.len();
        (decoded == bytes.len()).then_some(Self(bytes))
    }

    /// The reference that distinguishes the SMS of a subscriber's challenges.
    pub(crate) fn sms_reference(&self) -> SmsReference {
        let bits = u32::from_be_bytes([0, self.0[0], self.0[1], self.0[2]]);
        SmsReference([19, 14, 9, 4].map(|shift| ALPHABET[(bits >> shift & 0x1F) as usize]))
    }
}

impl fmt::Display for ChallengeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(base16ct::lower::encode_str(&self.0, &mut [0; 32])?)
    }
}

impl fmt::Debug for ChallengeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Crockford's base 32.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Four Crockford base-32 characters of the challenge's id, distinct among a subscriber's
/// challenges.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SmsReference([u8; 4]);

impl SmsReference {
    /// The reference that somebody reads out, in either case and with the letters that look like digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let read = |byte: &u8| match byte.to_ascii_uppercase() {
            b'O' => Some(b'0'),
            b'I' | b'L' => Some(b'1'),
            byte => ALPHABET.contains(&byte).then_some(byte),
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().iter().map(read).collect();
        Some(Self(bytes?.try_into().ok()?))
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("Crockford's alphabet is ASCII")
    }
}

impl fmt::Debug for SmsReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling_out_and_two_in() {
        let id = ChallengeId(*b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f");
        assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0e0f");
        assert_eq!(ChallengeId::parse("000102030405060708090A0B0C0D0E0F"), Some(id));
        for text in ["", "00", "+00102030405060708090a0b0c0d0e0f", "000102030405060708090a0b0c0d0e0g"] {
            assert_eq!(ChallengeId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_sms_reference_is_the_first_twenty_bits_of_the_id() {
        let mut id = [0; 16];
        id[..3].copy_from_slice(&[0b0000_0111, 0b1101_0010, 0b1111_0000]);
        assert_eq!(ChallengeId(id).sms_reference().as_str(), "0Z9F");
    }

    #[test]
    fn a_reference_is_understood_as_people_read_it_out() {
        let read = |text: &str| SmsReference::parse(text).map(|reference| reference.as_str().to_owned());
        for text in ["0Z91", "0z91", "oZ9l", "OZ9I"] {
            assert_eq!(read(text).as_deref(), Some("0Z91"), "{text}");
        }
        for text in ["", "0Z9", "0Z911", "UZ91", "0 91", "0é9"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
