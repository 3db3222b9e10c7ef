//! What is encoded comes back, alone and in a stream.

use proptest::prelude::*;
use smpp::codec::{decode, encode};
use smpp::frame::{COMMAND_LENGTH_MAX, cut};

use crate::any::parts;

proptest! {
    #[test]
    fn what_is_encoded_comes_back_without_anomaly(parts in parts()) {
        let mut bytes = Vec::new();
        encode(&parts.pdu(), &mut bytes).unwrap();
        let decoded = decode(&bytes).unwrap();
        prop_assert_eq!(decoded.pdu, parts.pdu());
        prop_assert!(decoded.anomalies.is_empty(), "{:?}", decoded.anomalies);
    }

    #[test]
    fn encoding_again_gives_the_same_bytes(parts in parts()) {
        let mut bytes = Vec::new();
        encode(&parts.pdu(), &mut bytes).unwrap();
        let mut again = b"before".to_vec();
        encode(&decode(&bytes).unwrap().pdu, &mut again).unwrap();
        prop_assert_eq!(&again[6..], &bytes);
    }

    #[test]
    fn l8_a_stream_is_cut_into_its_pdus_however_it_arrives(
        all in prop::collection::vec(parts(), 1..5),
        pieces in prop::collection::vec(1usize..400, 1..20),
    ) {
        let mut stream = Vec::new();
        for parts in &all {
            encode(&parts.pdu(), &mut stream).unwrap();
        }
        let mut received = Vec::new();
        let mut frames = Vec::new();
        let mut sent = stream.as_slice();
        for piece in pieces.iter().cycle() {
            let (now, later) = sent.split_at((*piece).min(sent.len()));
            received.extend_from_slice(now);
            sent = later;
            while let Some(frame) = cut(&received, COMMAND_LENGTH_MAX).unwrap() {
                frames.push(frame.to_vec());
                received.drain(..frames.last().map_or(0, Vec::len));
            }
            if sent.is_empty() {
                break;
            }
        }
        prop_assert!(received.is_empty());
        prop_assert_eq!(frames.len(), all.len());
        for (frame, parts) in frames.iter().zip(&all) {
            prop_assert_eq!(decode(frame).unwrap().pdu, parts.pdu());
        }
    }
}
