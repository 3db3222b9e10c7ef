//! Spoils PDUs on purpose: what decoders are afraid of.

use smpp::frame::HEADER_BYTES;
use smpp::pdu::SequenceNumber;

use crate::behavior::Malformed;

/// A `command_id` that SMPP does not have.
const UNKNOWN_COMMAND: u32 = 0x0000_0FFF;

/// Spoils the PDU that begins at `start` of `out`, its last. `sequence` is for a PDU of its own, where one is
/// added.
pub(super) fn spoil(malformed: Malformed, start: usize, sequence: SequenceNumber, out: &mut Vec<u8>) {
    match malformed {
        Malformed::No => {}
        Malformed::TruncatedBody => {
            let body = out.len() - start - HEADER_BYTES;
            out.truncate(start + HEADER_BYTES + body / 2);
            set_length(start, out);
        }
        Malformed::UnknownCommand => {
            let mut unknown = [0; HEADER_BYTES];
            unknown[..4].copy_from_slice(&16_u32.to_be_bytes());
            unknown[4..8].copy_from_slice(&UNKNOWN_COMMAND.to_be_bytes());
            unknown[12..].copy_from_slice(&sequence.0.to_be_bytes());
            out.splice(start..start, unknown);
        }
        Malformed::LengthTooShort => out[start..start + 4].copy_from_slice(&15_u32.to_be_bytes()),
        Malformed::LengthTooLong => out[start..start + 4].copy_from_slice(&0x8000_0000_u32.to_be_bytes()),
        Malformed::JunkAfterTlvs => {
            out.extend_from_slice(&[0x14, 0x01, 0x00]);
            set_length(start, out);
        }
        Malformed::TlvOverrun => {
            out.extend_from_slice(&[0x14, 0x01, 0x00, 0x64, b'x', b'y']);
            set_length(start, out);
        }
    }
}

/// Writes the length of the PDU from `start` to the end into its header.
pub(super) fn set_length(start: usize, out: &mut [u8]) {
    let length = u32::try_from(out.len() - start).expect("one PDU is far below 4 GiB");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use smpp::codec::{self, Anomaly, DecodeErrorKind};
    use smpp::frame::{self, FrameError};
    use smpp::pdu::{Body, DeliverSm, Pdu};

    use super::*;

    fn spoiled(malformed: Malformed) -> Vec<u8> {
        let mut out = Vec::new();
        let deliver = DeliverSm { short_message: b"text", ..DeliverSm::default() };
        codec::encode(&Pdu::new(SequenceNumber(7), Body::DeliverSm(deliver)), &mut out).unwrap();
        let start = out.len();
        out.extend_from_within(..);
        spoil(malformed, start, SequenceNumber(8), &mut out);
        out.drain(..start);
        out
    }

    fn frames(bytes: &[u8]) -> Result<Vec<&[u8]>, FrameError> {
        let (mut rest, mut frames) = (bytes, Vec::new());
        while let Some(frame) = frame::cut(rest, frame::COMMAND_LENGTH_MAX)? {
            frames.push(frame);
            rest = &rest[frame.len()..];
        }
        assert!(rest.is_empty(), "whole frames");
        Ok(frames)
    }

    #[test]
    fn a_body_cut_short_keeps_the_frame() {
        let bytes = spoiled(Malformed::TruncatedBody);
        let error = codec::decode(frames(&bytes).unwrap()[0]).unwrap_err();
        assert!(matches!(error.kind, DecodeErrorKind::Truncated(_)), "{error}");
        assert_eq!(error.header.sequence, SequenceNumber(7));
    }

    #[test]
    fn an_unknown_command_goes_before_the_pdu() {
        let bytes = spoiled(Malformed::UnknownCommand);
        let frames = frames(&bytes).unwrap();
        let error = codec::decode(frames[0]).unwrap_err();
        assert_eq!((error.kind, error.header.sequence.0), (DecodeErrorKind::UnknownCommand, 8));
        assert!(codec::decode(frames[1]).is_ok());
    }

    #[test]
    fn wrong_lengths_end_the_framing() {
        assert!(matches!(frames(&spoiled(Malformed::LengthTooShort)), Err(FrameError::TooShort { .. })));
        assert!(matches!(frames(&spoiled(Malformed::LengthTooLong)), Err(FrameError::TooLong { .. })));
    }

    #[test]
    fn odd_ends_are_anomalies_and_no_more() {
        for (malformed, anomaly) in
            [(Malformed::JunkAfterTlvs, Anomaly::JunkAfterTlvs), (Malformed::TlvOverrun, Anomaly::TlvOverrun)]
        {
            let bytes = spoiled(malformed);
            let decoded = codec::decode(frames(&bytes).unwrap()[0]).unwrap();
            assert!(decoded.anomalies.contains(anomaly), "{anomaly:?}");
        }
    }
}
