//! A stream from a peer: cut into frames, each decoded, and encoded again where it was by the book.
#![no_main]

use std::fmt::{self, Write as _};

use libfuzzer_sys::fuzz_target;
use smpp::codec::{decode, encode};
use smpp::frame::{COMMAND_LENGTH_MAX, HEADER_BYTES, cut};

/// The most that a PDU may take in a log, whatever is in it.
const SHOWN_BYTES_MAX: usize = 4 * 1024;

fuzz_target!(|data: &[u8]| {
    let mut stream = data;
    while let Ok(Some(frame)) = cut(stream, COMMAND_LENGTH_MAX) {
        read(frame);
        stream = &stream[frame.len()..];
    }
    // Nearly every input has a wrong length; with the right one, it is a frame.
    if (HEADER_BYTES..=COMMAND_LENGTH_MAX).contains(&data.len()) {
        let length = u32::try_from(data.len()).expect("a length under the maximum");
        let frame = [&length.to_be_bytes()[..], &data[4..]].concat();
        assert_eq!(cut(&frame, COMMAND_LENGTH_MAX), Ok(Some(&frame[..])));
        read(&frame);
    }
});

fn read(frame: &[u8]) {
    let decoded = match decode(frame) {
        Ok(decoded) => decoded,
        Err(error) => {
            shown(format_args!("{error} {error:?}"));
            if let Some(reply) = error.reply() {
                encode(&reply, &mut Vec::new()).expect("a reply as SMPP 3.4 wants it");
            }
            return;
        }
    };
    shown(format_args!("{decoded:?}"));
    let mut encoded = b"before".to_vec();
    if encode(&decoded.pdu, &mut encoded).is_err() {
        assert_eq!(encoded, b"before");
        return;
    }
    let encoded = &encoded[6..];
    let again = decode(encoded).expect("what was encoded");
    assert_eq!(again.pdu, decoded.pdu);
    // An error response by the book may have a body that is left out when it is written.
    if decoded.anomalies.is_empty() && decoded.pdu.status.is_ok() {
        assert_eq!(encoded, frame);
        assert!(again.anomalies.is_empty());
    }
}

fn shown(what: fmt::Arguments<'_>) {
    Count(0).write_fmt(what).expect("as much as may be shown");
}

/// Counts what is written and refuses more than may be shown.
struct Count(usize);

impl fmt::Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        if self.0 > SHOWN_BYTES_MAX { Err(fmt::Error) } else { Ok(()) }
    }
}
