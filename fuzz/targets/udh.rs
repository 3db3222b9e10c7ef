//! Message text: headers, every data_coding, and what was read cut into parts again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smpp::pdu::DataCoding;
use smpp::text::concatenation::{Concatenation, Reference, split_header};
use smpp::text::{Segmentation, decode, decode_short_message, encode_into, segment};
use smpp::tlv::{Tag, TlvBuffer};

fuzz_target!(|data: &[u8]| {
    let Some((&[data_coding, flags], message)) = data.split_first_chunk() else { return };
    let udhi = flags & 1 != 0;
    let read = decode_short_message(DataCoding(data_coding), udhi, message);
    if let Some(place) = read.concatenation {
        assert!(udhi && (1..=place.total).contains(&place.part));
        let header = place.header();
        let again = split_header(&header).map(|(header, rest)| (header.concatenation(), rest.len()));
        assert_eq!(again, Some((Some(place), 0)));
    }
    if let Some((header, text)) = split_header(message) {
        let elements: usize = header.elements().map(|(_, data)| 2 + data.len()).sum();
        assert!(1 + elements + text.len() <= message.len());
    }
    for segmentation in [
        Segmentation::Udh(Reference::Bits8(flags)),
        Segmentation::Udh(Reference::Bits16(u16::from(flags) << 1)),
        Segmentation::Sar(flags),
        Segmentation::Payload,
    ] {
        parts(&read.text, segmentation);
    }
});

/// The parts of a text, each read alone, are the text.
fn parts(text: &str, segmentation: Segmentation) {
    let mut bytes = Vec::new();
    let alphabet = encode_into(text, &mut bytes);
    let segments = segment(alphabet, &bytes, segmentation).expect("inputs are short");
    let total = segments.len();
    let mut together = String::new();
    for (number, segment) in (1..).zip(segments) {
        let (mut short_message, mut tlvs) = (Vec::new(), TlvBuffer::new());
        segment.write(&mut short_message, &mut tlvs);
        assert!(short_message.len() <= 160);
        let place = |place: Concatenation| (usize::from(place.part), usize::from(place.total));
        assert_eq!(segment.concatenation().map(place), (total > 1).then_some((number, total)));
        if let Some(payload) = tlvs.as_tlvs().find(Tag::MESSAGE_PAYLOAD) {
            together.push_str(&decode(alphabet.data_coding(), payload.value));
        }
        let udhi = segment.esm_class().has_udh();
        let part = decode_short_message(alphabet.data_coding(), udhi, &short_message);
        assert_eq!(part.concatenation, segment.concatenation().filter(|_| udhi));
        together.push_str(&part.text);
    }
    assert_eq!(together, text);
}
