//! Text through alphabets and segments, and back.

use proptest::prelude::*;
use smpp::pdu::{DataCoding, EsmClass};
use smpp::text::concatenation::{Concatenation, Reference, split_header};
use smpp::text::{
    Alphabet, PARTS_MAX, Segment, TooManyParts, decode, decode_short_message, gsm7, split, ucs2,
};

const OCTET: Reference = Reference::Octet(0xA7);
const WORD: Reference = Reference::Word(0xA7B8);

/// The text of the segments together, each decoded alone.
fn reassembled(segments: &[Segment]) -> String {
    let text = |segment: &Segment| {
        decode_short_message(segment.data_coding, segment.esm_class.has_udh(), &segment.short_message).text
    };
    segments.iter().map(text).collect()
}

/// Octets of each segment's text, without its header.
fn sizes(text: &str, reference: Reference) -> Vec<usize> {
    let segments = split(text, reference).unwrap();
    assert_eq!(reassembled(&segments), text);
    let size = |segment: &Segment| match segment.esm_class.has_udh() {
        true => split_header(&segment.short_message).unwrap().1.len(),
        false => segment.short_message.len(),
    };
    segments.iter().map(size).collect()
}

#[test]
fn gsm_text_splits_after_160_then_153_septets() {
    assert_eq!(sizes("", OCTET), [0]);
    assert_eq!(sizes(&"a".repeat(160), OCTET), [160]);
    assert_eq!(sizes(&"a".repeat(161), OCTET), [153, 8]);
    assert_eq!(sizes(&"a".repeat(306), OCTET), [153, 153]);
    assert_eq!(sizes(&"a".repeat(307), OCTET), [153, 153, 1]);
    assert_eq!(sizes(&"a".repeat(161), WORD), [152, 9]);
}

#[test]
fn ucs2_text_splits_after_70_then_67_units() {
    assert_eq!(sizes(&"ш".repeat(70), OCTET), [140]);
    assert_eq!(sizes(&"ш".repeat(71), OCTET), [134, 8]);
    assert_eq!(sizes(&"ш".repeat(71), WORD), [132, 10]);
    assert_eq!(sizes(&"مرحبا ".repeat(20), OCTET), [134, 106]);
}

#[test]
fn an_escape_pair_at_the_edge_goes_to_the_next_part() {
    let at = |place: usize| ["a".repeat(place), "€".into(), "a".repeat(60), "a".repeat(160 - place)].concat();
    assert_eq!(sizes(&at(151), OCTET)[..1], [153], "the pair just fits");
    assert_eq!(sizes(&at(152), OCTET)[..1], [152], "its second half would not");
    assert_eq!(sizes(&at(153), OCTET)[..1], [153]);
    assert_eq!(sizes(&"€".repeat(80), OCTET), [160]);
    assert_eq!(sizes(&"[]{}".repeat(41), OCTET), [152, 152, 24]);
}

#[test]
fn a_surrogate_pair_at_the_edge_goes_to_the_next_part() {
    let at = |place: usize| ["ш".repeat(place), "😀".into(), "ш".repeat(10)].concat();
    assert_eq!(sizes(&at(65), OCTET), [134, 20], "the pair just fits");
    assert_eq!(sizes(&at(66), OCTET), [132, 24], "its second half would not");
    assert_eq!(sizes(&at(67), OCTET), [134, 24]);
    assert_eq!(sizes(&"😀".repeat(35), OCTET), [140]);
    assert_eq!(sizes(&"😀".repeat(36), OCTET), [132, 12]);
}

#[test]
fn a_part_says_where_it_belongs() {
    let segments = split(&"a".repeat(161), WORD).unwrap();
    for (part, segment) in (1..).zip(&segments) {
        assert_eq!((segment.data_coding, segment.esm_class), (DataCoding::DEFAULT, EsmClass::UDHI));
        let place = decode_short_message(segment.data_coding, true, &segment.short_message).concatenation;
        assert_eq!(place, Some(Concatenation { reference: WORD, total: 2, part }));
    }
    let whole = split("ш", WORD).unwrap();
    assert_eq!(whole.len(), 1);
    assert_eq!((whole[0].data_coding, whole[0].esm_class), (DataCoding::UCS2, EsmClass::DEFAULT));
}

#[test]
fn a_header_counts_to_255_parts_and_no_more() {
    assert_eq!(split(&"a".repeat(PARTS_MAX * 153), OCTET).unwrap().len(), PARTS_MAX);
    assert_eq!(split(&"a".repeat(PARTS_MAX * 153 + 1), OCTET), Err(TooManyParts { parts: 256 }));
}

#[test]
fn the_coding_chooses_the_alphabet() {
    for (coding, bytes, text) in [
        (0x00, &b"\0\x1B\x65"[..], "@€"),
        (0x01, b"\0$\xE9", "\0$\u{FFFD}"),
        (0x03, b"Caf\xE9", "Café"),
        (0x08, b"\x04\x48\xD8\x3D\xDE\0", "ш😀"),
        (0x10, b"\0", "@"),
        (0x18, b"\x04\x48", "ш"),
        (0xF0, b"\0", "@"),
        (0xF1, b"\x1B\x3C", "["),
        (0x04, b"caf\xC3\xA9\xFF", "café\u{FFFD}"),
        (0xC8, b"plain", "plain"),
    ] {
        assert_eq!(decode(DataCoding(coding), bytes), text, "0x{coding:02X}");
    }
}

#[test]
fn a_header_that_does_not_fit_is_taken_for_text() {
    let text = decode_short_message(DataCoding::ASCII, true, b"\x7Fabc");
    assert_eq!((text.text.as_str(), text.concatenation), ("\x7Fabc", None));
    assert_eq!(decode_short_message(DataCoding::DEFAULT, true, b"").text, "");
}

#[test]
fn debug_shows_no_text() {
    let segments = split("482913", OCTET).unwrap();
    let text = decode_short_message(DataCoding::DEFAULT, false, &segments[0].short_message);
    let shown = format!("{segments:?} {text:?}");
    assert!(!shown.contains("482913") && !shown.contains("52, 56"), "{shown}");
}

/// Texts of characters that each alphabet has, and of any.
fn texts() -> impl Strategy<Value = String> {
    let gsm = prop_oneof![4 => "[A-Za-z0-9 @£ñΩ\n]", 1 => "[€\\[\\]{}|~^]"];
    let wide = prop_oneof![3 => "[a-zш€]", 1 => "[😀𝄞]"];
    prop_oneof![
        prop::collection::vec(gsm, 0..700).prop_map(|all| all.concat()),
        prop::collection::vec(wide, 0..300).prop_map(|all| all.concat()),
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn segments_reassemble_to_the_text(text in texts(), word in any::<bool>()) {
        let reference = if word { WORD } else { OCTET };
        let segments = split(&text, reference).unwrap();
        prop_assert_eq!(&reassembled(&segments), &text);
        for segment in &segments {
            prop_assert_eq!(segment.data_coding, segments[0].data_coding);
            prop_assert!(segment.short_message.len() <= 160);
            prop_assert!(!segment.short_message.is_empty() || text.is_empty());
        }
    }

    #[test]
    fn parts_are_as_many_as_needed_and_numbered(text in texts()) {
        let segments = split(&text, OCTET).unwrap();
        let (units, whole, part) = match Alphabet::of(&text) {
            Alphabet::Gsm7 => (gsm7::septets(&text).unwrap(), 160, 153),
            Alphabet::Ucs2 => (ucs2::units(&text), 70, 67),
        };
        if units <= whole {
            prop_assert_eq!(segments.len(), 1);
            return Ok(());
        }
        // A pair that moves to the next part costs its part one unit.
        prop_assert!(segments.len() >= units.div_ceil(part));
        prop_assert!(segments.len() <= units.div_ceil(part - 1));
        for (number, segment) in (1..).zip(&segments) {
            let (header, _) = split_header(&segment.short_message).unwrap();
            let total = u8::try_from(segments.len()).unwrap();
            let expected = Concatenation { reference: OCTET, total, part: number };
            prop_assert_eq!(header.concatenation(), Some(expected));
        }
    }

    #[test]
    fn septets_are_counted_as_they_are_encoded(text in texts()) {
        prop_assert_eq!(gsm7::encode(&text).map(|septets| septets.len()), gsm7::septets(&text));
        prop_assert_eq!(gsm7::encode(&text).is_ok(), Alphabet::of(&text) == Alphabet::Gsm7);
        prop_assert_eq!(ucs2::encode(&text).len(), 2 * ucs2::units(&text));
    }
}
