//! Text through alphabets and segments, and back.

use proptest::prelude::*;
use smpp::pdu::{DataCoding, EsmClass};
use smpp::text::concatenation::{Concatenation, Reference, split_header};
use smpp::text::{
    Alphabet, PARTS_MAX, Segmentation, TooManyParts, decode, decode_short_message, encode_into, gsm7, segment,
};
use smpp::tlv::{Tag, TlvBuffer};

const BITS_8: Segmentation = Segmentation::Udh(Reference::Bits8(0xA7));
const BITS_16: Segmentation = Segmentation::Udh(Reference::Bits16(0xA7B8));
const SAR: Segmentation = Segmentation::Sar(0xA7);

/// One message as it is sent.
struct Sent {
    esm_class: EsmClass,
    concatenation: Option<Concatenation>,
    short_message: Vec<u8>,
    tlvs: TlvBuffer,
}

/// The messages of a text, and its alphabet.
fn sent(text: &str, segmentation: Segmentation) -> Result<(Alphabet, Vec<Sent>), TooManyParts> {
    let mut bytes = Vec::new();
    let alphabet = encode_into(text, &mut bytes);
    let segments = segment(alphabet, &bytes, segmentation)?;
    let count = segments.len();
    let sent: Vec<_> = segments
        .map(|segment| {
            let (mut short_message, mut tlvs) = (Vec::new(), TlvBuffer::new());
            segment.write(&mut short_message, &mut tlvs);
            Sent {
                esm_class: segment.esm_class(),
                concatenation: segment.concatenation(),
                short_message,
                tlvs,
            }
        })
        .collect();
    assert_eq!(sent.len(), count);
    Ok((alphabet, sent))
}

/// The text of the messages together, each decoded alone, as a handset reads it.
fn reassembled(alphabet: Alphabet, sent: &[Sent]) -> String {
    let text = |sent: &Sent| {
        let payload = sent.tlvs.as_tlvs().find(Tag::MESSAGE_PAYLOAD);
        let content = payload.map_or(sent.short_message.as_slice(), |payload| payload.value);
        decode_short_message(alphabet.data_coding(), sent.esm_class.has_udh(), content).text
    };
    sent.iter().map(text).collect()
}

/// Bytes of each message's text, without its header.
fn sizes(text: &str, segmentation: Segmentation) -> Vec<usize> {
    let (alphabet, sent) = sent(text, segmentation).unwrap();
    assert_eq!(reassembled(alphabet, &sent), text);
    let size = |sent: &Sent| match sent.esm_class.has_udh() {
        true => split_header(&sent.short_message).unwrap().1.len(),
        false => sent.short_message.len(),
    };
    sent.iter().map(size).collect()
}

#[test]
fn s13_gsm_text_splits_after_160_then_153_septets() {
    for segmentation in [BITS_8, SAR] {
        assert_eq!(sizes("", segmentation), [0]);
        assert_eq!(sizes(&"a".repeat(160), segmentation), [160]);
        assert_eq!(sizes(&"a".repeat(161), segmentation), [153, 8]);
        assert_eq!(sizes(&"a".repeat(306), segmentation), [153, 153]);
        assert_eq!(sizes(&"a".repeat(307), segmentation), [153, 153, 1]);
    }
    assert_eq!(sizes(&"a".repeat(161), BITS_16), [152, 9]);
}

#[test]
fn s13_arabic_splits_after_70_then_67_units() {
    for segmentation in [BITS_8, SAR] {
        assert_eq!(sizes(&"ش".repeat(70), segmentation), [140]);
        assert_eq!(sizes(&"ش".repeat(71), segmentation), [134, 8]);
        assert_eq!(sizes(&"مرحبا ".repeat(20), segmentation), [134, 106]);
    }
    assert_eq!(sizes(&"ش".repeat(71), BITS_16), [132, 10]);
    let mixed = ["رمز ".into(), "4".repeat(66)].concat();
    assert_eq!(sizes(&mixed, BITS_8), [140], "one character makes it all UCS-2");
}

#[test]
fn s13_an_escape_pair_at_the_edge_goes_to_the_next_part() {
    for extended in ["€", "[", "]", "{", "}"] {
        let at = |place: usize| ["a".repeat(place), extended.into(), "a".repeat(200 - place)].concat();
        assert_eq!(sizes(&at(151), BITS_8), [153, 49], "{extended} just fits");
        assert_eq!(sizes(&at(152), BITS_8), [152, 50], "the second half of {extended} would not");
        assert_eq!(sizes(&at(153), BITS_8), [153, 49]);
    }
    assert_eq!(sizes(&["a".repeat(158), "€".into()].concat(), BITS_8), [160], "158 and 2 are 160");
    assert_eq!(sizes(&["a".repeat(159), "€".into()].concat(), BITS_8), [153, 8], "159 and 2 are 161");
    assert_eq!(sizes(&"€".repeat(80), BITS_8), [160]);
    assert_eq!(sizes(&"[]{}".repeat(41), BITS_8), [152, 152, 24]);
    assert_eq!(sizes(&"[]{}".repeat(41), SAR), [152, 152, 24]);
}

#[test]
fn s13_a_surrogate_pair_at_the_edge_goes_to_the_next_part() {
    let at = |place: usize| ["ش".repeat(place), "😀".into(), "ش".repeat(10)].concat();
    assert_eq!(sizes(&at(65), BITS_8), [134, 20], "the pair just fits");
    assert_eq!(sizes(&at(66), BITS_8), [132, 24], "its second half would not");
    assert_eq!(sizes(&at(67), BITS_8), [134, 24]);
    assert_eq!(sizes(&"😀".repeat(35), BITS_8), [140]);
    assert_eq!(sizes(&"😀".repeat(36), BITS_8), [132, 12]);
    assert_eq!(sizes(&"😀".repeat(36), SAR), [132, 12]);
}

#[test]
fn s13_a_part_says_where_it_belongs() {
    for (segmentation, reference) in [
        (BITS_8, Reference::Bits8(0xA7)),
        (BITS_16, Reference::Bits16(0xA7B8)),
        (SAR, Reference::Bits8(0xA7)),
    ] {
        let (alphabet, sent) = sent(&"a".repeat(161), segmentation).unwrap();
        for (part, sent) in (1..).zip(&sent) {
            let place = Some(Concatenation { reference, total: 2, part });
            assert_eq!(sent.concatenation, place);
            let udhi = segmentation != SAR;
            assert_eq!(sent.esm_class, if udhi { EsmClass::UDHI } else { EsmClass::DEFAULT });
            let read = decode_short_message(alphabet.data_coding(), udhi, &sent.short_message).concatenation;
            assert_eq!(read, place.filter(|_| udhi));
            let tlvs: &[u8] =
                if udhi { b"" } else { &[2, 12, 0, 2, 0, 0xA7, 2, 14, 0, 1, 2, 2, 15, 0, 1, part] };
            assert_eq!(sent.tlvs.as_tlvs().as_bytes(), tlvs);
        }
    }
}

#[test]
fn s13_a_text_that_fits_one_message_goes_as_it_is() {
    for segmentation in [BITS_8, BITS_16, SAR, Segmentation::Payload] {
        for (text, alphabet, bytes) in
            [("a".repeat(160), Alphabet::Gsm7, 160), ("ش".repeat(70), Alphabet::Ucs2, 140)]
        {
            let (found, sent) = sent(&text, segmentation).unwrap();
            assert_eq!((found, sent.len()), (alphabet, 1));
            assert_eq!((sent[0].esm_class, sent[0].concatenation), (EsmClass::DEFAULT, None));
            assert_eq!(sent[0].short_message.len(), bytes);
            assert!(sent[0].tlvs.as_tlvs().is_empty());
        }
    }
}

#[test]
fn s13_a_longer_text_goes_whole_in_message_payload() {
    for text in ["a".repeat(161), "€".repeat(300), "😀".repeat(36), "a".repeat(PARTS_MAX * 153)] {
        let (alphabet, sent) = sent(&text, Segmentation::Payload).unwrap();
        assert_eq!(sent.len(), 1);
        assert_eq!((sent[0].esm_class, sent[0].concatenation), (EsmClass::DEFAULT, None));
        assert!(sent[0].short_message.is_empty());
        assert_eq!(reassembled(alphabet, &sent), text);
    }
}

#[test]
fn s13_a_header_counts_to_255_parts_and_no_more() {
    let refused = |text: &str, segmentation| sent(text, segmentation).map(|_| ()).unwrap_err();
    for segmentation in [BITS_8, SAR, Segmentation::Payload] {
        sent(&"a".repeat(PARTS_MAX * 153), segmentation).unwrap();
        let text = "a".repeat(PARTS_MAX * 153 + 1);
        assert_eq!(refused(&text, segmentation), TooManyParts { parts: 256 });
    }
    assert_eq!(sent(&"a".repeat(PARTS_MAX * 153), BITS_8).unwrap().1.len(), PARTS_MAX);
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
    let bytes = gsm7::encode("482913").unwrap();
    let segments = segment(Alphabet::Gsm7, &bytes, BITS_8).unwrap();
    let text = decode_short_message(DataCoding::DEFAULT, false, &bytes);
    let shown = format!("{segments:?} {:?} {text:?}", segments.clone().collect::<Vec<_>>());
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
    fn s13_segments_reassemble_to_the_text(text in texts(), way in 0..4usize) {
        let segmentation = [BITS_8, BITS_16, SAR, Segmentation::Payload][way];
        let (alphabet, sent) = sent(&text, segmentation).unwrap();
        prop_assert_eq!(alphabet == Alphabet::Gsm7, gsm7::encode(&text).is_ok());
        prop_assert_eq!(&reassembled(alphabet, &sent), &text);
        for sent in &sent {
            prop_assert!(sent.short_message.len() <= 160);
            let empty = sent.short_message.is_empty() && sent.tlvs.as_tlvs().is_empty();
            prop_assert!(!empty || text.is_empty());
        }
    }

    #[test]
    fn s13_parts_are_as_many_as_needed_and_numbered(text in texts()) {
        let (alphabet, sent) = sent(&text, BITS_8).unwrap();
        let (units, whole, part) = match alphabet {
            Alphabet::Gsm7 => (gsm7::encode(&text).unwrap().len(), 160, 153),
            Alphabet::Ucs2 => (text.encode_utf16().count(), 70, 67),
        };
        if units <= whole {
            prop_assert_eq!(sent.len(), 1);
            return Ok(());
        }
        // A pair that moves to the next part costs its part one unit.
        prop_assert!(sent.len() >= units.div_ceil(part));
        prop_assert!(sent.len() <= units.div_ceil(part - 1));
        let total = u8::try_from(sent.len()).unwrap();
        for (part, sent) in (1..).zip(&sent) {
            let (header, _) = split_header(&sent.short_message).unwrap();
            let expected = Concatenation { reference: Reference::Bits8(0xA7), total, part };
            prop_assert_eq!(header.concatenation(), Some(expected));
        }
    }

    #[test]
    fn any_bytes_are_cut_into_as_many_parts_as_said(bytes in prop::collection::vec(any::<u8>(), 0..2_000), wide in any::<bool>()) {
        let alphabet = if wide { Alphabet::Ucs2 } else { Alphabet::Gsm7 };
        let segments = segment(alphabet, &bytes, SAR).unwrap();
        let (mut short_message, mut tlvs) = (Vec::new(), TlvBuffer::new());
        let said = segments.len();
        let given = segments.inspect(|segment| segment.write(&mut short_message, &mut tlvs)).count();
        prop_assert_eq!(given, said);
        prop_assert_eq!(short_message, bytes);
    }
}
