//! No bytes make the crate panic, and no content of a PDU reaches beyond it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use smpp::codec::{DecodeErrorKind, decode, encode};
use smpp::frame::cut;
use smpp::pdu::{Body, CommandId, DataCoding, MessageState};
use smpp::receipt::Receipt;
use smpp::text::{concatenation, decode_short_message};
use smpp::time;

use crate::any::{COMMANDS, parts};

/// Reads everything that can be read out of a frame.
fn read_all(frame: &[u8]) {
    let decoded = match decode(frame) {
        Ok(decoded) => decoded,
        Err(error) => {
            let _ = format!("{error} {error:?} {:?} {}", error.reply(), error.response_status());
            return;
        }
    };
    let _ = format!("{decoded:?}");
    if let Body::SubmitSm(message) | Body::DeliverSm(message) = decoded.pdu.body {
        let text = decode_short_message(message.data_coding, message.esm_class.has_udh(), message.content());
        let _ = format!("{text:?} {:?} {:?}", Receipt::parse(&message), time::parse(message.validity_period));
        for tlv in message.tlvs.iter() {
            let _ = (tlv.c_string(), tlv.number());
        }
    }
    if let Body::DataSm(data) = decoded.pdu.body {
        let _ = format!("{:?}", Receipt::parse_data_sm(&data));
    }
}

/// A frame of the crate's commands with any body.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    (0..COMMANDS.len(), any::<[u8; 8]>(), vec(prop_oneof![Just(0u8), any::<u8>()], 0..300)).prop_map(
        |(command, rest, body)| {
            let length = u32::try_from(16 + body.len()).unwrap();
            [&length.to_be_bytes()[..], &COMMANDS[command].0.to_be_bytes(), &rest, &body].concat()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..200)) {
        read_all(&bytes);
        if let Ok(Some(frame)) = cut(&bytes, 200) {
            read_all(frame);
        }
    }

    #[test]
    fn any_body_is_survived(frame in any_frame()) {
        read_all(&frame);
    }

    #[test]
    fn a_changed_pdu_is_survived(parts in parts(), changes in vec((any::<Index>(), any::<u8>()), 1..8)) {
        let mut bytes = Vec::new();
        encode(&parts.pdu(), &mut bytes).unwrap();
        let body = bytes.len() - 4;
        for (place, value) in changes {
            let place = 4 + place.index(body);
            bytes[place] = value;
        }
        read_all(&bytes);
    }

    #[test]
    fn a_shortened_pdu_is_survived_and_answered(parts in parts(), place in any::<Index>()) {
        let mut bytes = Vec::new();
        encode(&parts.pdu(), &mut bytes).unwrap();
        bytes.truncate(16 + place.index(bytes.len() - 15));
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        read_all(&bytes);
        if let Err(error) = decode(&bytes) {
            prop_assert!(matches!(error.kind, DecodeErrorKind::Truncated(_)), "{}", error);
            let reply = error.reply().expect("a response is never truncated: what it lacks is an anomaly");
            prop_assert_eq!(reply.sequence, parts.sequence);
            let expected = match parts.command_id {
                CommandId::OUTBIND | CommandId::ALERT_NOTIFICATION => CommandId::GENERIC_NACK,
                other => other.response(),
            };
            prop_assert_eq!(reply.body.command_id(), expected);
            prop_assert!(!reply.status.is_ok());
            prop_assert!(encode(&reply, &mut Vec::new()).is_ok());
        }
    }

    #[test]
    fn any_text_and_header_are_survived(coding in any::<u8>(), udhi in any::<bool>(), bytes in vec(any::<u8>(), 0..300)) {
        let text = decode_short_message(DataCoding(coding), udhi, &bytes);
        if let Some(place) = text.concatenation {
            prop_assert!((1..=place.total).contains(&place.part));
        }
        if let Some((header, rest)) = concatenation::split_header(&bytes) {
            let read: usize = header.elements().map(|(_, data)| data.len() + 2).sum();
            prop_assert!(1 + read + rest.len() <= bytes.len());
        }
    }

    #[test]
    fn any_receipt_and_time_are_survived(
        text in prop_oneof![
            vec(any::<u8>(), 0..200),
            "((id|sub|dlvrd|submit date|done date|stat|err|text|Text):[ A-Z0-9]{0,15} ?){0,10}".prop_map(String::into_bytes),
        ],
        time in prop_oneof![vec(any::<u8>(), 0..20), "[0-9]{15}[-+R]".prop_map(String::into_bytes)],
    ) {
        let receipt = Receipt::from_text(&text);
        let mut written = Vec::new();
        receipt.write_text(&mut written);
        prop_assert!(receipt.submit_date.is_none_or(|date| date.is_valid()));
        let _ = (time::parse(&time), MessageState::from_text(&time));
    }
}
